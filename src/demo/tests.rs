//! The demo against the promises of the protocol, through a real session.

mod fleet;
mod owners;
mod reading;
mod trees;

use futures_util::TryStreamExt;
use time::OffsetDateTime;
use time::macros::datetime;
use vole_agent::proto::{Entry, Order, Place};

use super::{DemoDaemon, DemoOptions};
use crate::engine::daemon::Daemon;
use crate::engine::{OpenSpec, Purpose, Session, Target};

const NOW: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

fn daemon() -> DemoDaemon {
    DemoDaemon::new(DemoOptions::instant(NOW))
}

fn volume(name: &str) -> Target {
    Target::Volume {
        name: name.to_owned(),
        mountpoint: None,
    }
}

async fn open(targets: Vec<Target>) -> (Session, Vec<Result<u32, String>>) {
    let opened = daemon()
        .open(OpenSpec {
            targets,
            purpose: Purpose::Browse,
            through_store: false,
        })
        .await
        .unwrap();
    (opened.session, opened.roots)
}

async fn open_one(name: &str) -> Session {
    let (session, roots) = open(vec![volume(name)]).await;
    assert_eq!(roots, [Ok(0)]);
    session
}

fn at(path: impl AsRef<[u8]>) -> Place {
    Place {
        root: 0,
        path: path.as_ref().to_vec(),
    }
}

async fn whole(session: &Session, path: &[u8], order: Order, page: u32) -> Vec<Entry> {
    let (mut entries, mut after) = (Vec::new(), None);
    loop {
        let page = session.list(at(path), order, after, page).await.unwrap();
        entries.extend(page.entries);
        if page.next.is_none() {
            assert_eq!(entries.len() as u64, page.total);
            return entries;
        }
        after = page.next;
    }
}

async fn read(session: &Session, path: &[u8], offset: u64, len: u64) -> Vec<u8> {
    session.read(at(path), offset, len).try_concat().await.unwrap()
}
