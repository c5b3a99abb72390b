//! Owners that change in the demo, through real sessions: they stay changed, and an undo gives all back.

use futures_util::TryStreamExt;
use vole_agent::proto::own::{Change, Group, OwnItem};
use vole_agent::proto::probe::{Identity, Probe, Probed};

use super::*;

async fn open_for(daemon: &DemoDaemon, purpose: Purpose) -> Session {
    let spec = OpenSpec {
        targets: vec![volume("shop_uploads")],
        purpose,
        through_store: false,
    };
    daemon.open(spec).await.unwrap().session
}

async fn all(daemon: &DemoDaemon) -> Vec<Entry> {
    let session = open_for(daemon, Purpose::Browse).await;
    let (mut entries, mut waiting) = (Vec::new(), vec![Vec::new()]);
    while let Some(path) = waiting.pop() {
        for entry in whole(&session, &path, Order::Name, 4096).await {
            if entry.kind == vole_agent::proto::Kind::Dir && !entry.other_fs {
                waiting.push(crate::demo::usage::joined(&path, &entry.name));
            }
            entries.push(entry);
        }
    }
    entries
}

async fn tried(daemon: &DemoDaemon, uid: u32) -> Probed {
    let session = open_for(daemon, Purpose::Probe { host_users: true }).await;
    let who = Identity {
        uid,
        gid: uid,
        ..Identity::default()
    };
    let probe = Probe {
        at: at(""),
        who,
        sample: 100,
        depth: 3,
    };
    session.probe(vec![probe]).try_concat().await.unwrap().remove(0)
}

#[tokio::test]
async fn a_change_stays_and_an_undo_gives_all_back() {
    let daemon = daemon();
    let before = all(&daemon).await;
    let change = Change {
        uid: Some(4001),
        gid: Some(4001),
        recursive: true,
        ..Change::default()
    };
    assert_ne!(tried(&daemon, 4001).await.write, 0);
    let session = open_for(&daemon, Purpose::Own).await;
    let counted: Vec<_> = session
        .census(at(""), change.clone(), Vec::new())
        .try_collect()
        .await
        .unwrap();
    let mut own = session.own(at(""), change.clone(), Vec::new());
    let (mut groups, mut changed) = (Vec::<Group>::new(), 0);
    while let Some(item) = own.next().await.unwrap() {
        match item {
            OwnItem::Batch { number, groups: more } => {
                groups.extend(more);
                own.confirm(number);
            }
            OwnItem::Applied {
                changed: more, skips, ..
            } => {
                changed += more;
                assert_eq!(skips, []);
            }
            OwnItem::Counted(_) => {}
        }
    }
    assert_eq!(changed, counted.last().unwrap().change);
    assert!(changed > 100, "{changed}");
    assert!(
        all(&daemon)
            .await
            .iter()
            .all(|entry| entry.other_fs || (entry.uid, entry.gid) == (4001, 4001))
    );
    let now = tried(&daemon, 4001).await;
    assert_eq!(
        (now.read, now.write, now.enter, now.facts.unwrap().uid),
        (0, 0, 0, 4001)
    );

    let undone = session.undo(0, change.clone(), groups.clone()).await.unwrap();
    assert_eq!((undone.restored, undone.already, undone.skips.len()), (changed, 0, 0));
    assert_eq!(all(&daemon).await, before);
    let again = session.undo(0, change, groups).await.unwrap();
    assert_eq!((again.restored, again.already), (0, changed));
}

#[tokio::test]
async fn what_was_opened_for_reading_is_not_changed() {
    let daemon = daemon();
    let session = open_for(&daemon, Purpose::Browse).await;
    let mut own = session.own(at(""), Change::default(), Vec::new());
    assert!(own.next().await.is_err());
    assert!(session.hello().roots[0].read_only);
}
