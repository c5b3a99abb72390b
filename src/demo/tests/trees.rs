//! Listing, measuring and looking up.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt};
use vole_agent::proto::{Entry, Kind, Order, Place, Totals, UsageItem};

use super::super::{DemoDaemon, DemoOptions};
use super::{NOW, at, daemon, open_one, read, volume, whole};
use crate::engine::daemon::Daemon;
use crate::engine::{EngineError, OpenSpec, Purpose, Session};

fn below(path: &[u8], name: &[u8]) -> Vec<u8> {
    if path.is_empty() {
        name.to_vec()
    } else {
        [path, b"/", name].concat()
    }
}

#[tokio::test]
async fn pages_make_up_the_whole_directory_in_the_order_asked() {
    let session = open_one("shop_uploads").await;
    for (path, page) in [("", 2), ("2026", 33), ("thumbs", 4096)] {
        for order in [Order::Name, Order::NameDescending, Order::Size, Order::Modified] {
            let entries = whole(&session, path.as_bytes(), order, page).await;
            let names: BTreeSet<&[u8]> = entries.iter().map(|entry| entry.name.as_slice()).collect();
            assert_eq!(names.len(), entries.len(), "an entry came twice");
            assert!(
                entries.is_sorted_by_key(|entry| entry.kind != Kind::Dir),
                "directories come first"
            );
            let files: Vec<&Entry> = entries.iter().filter(|entry| entry.kind != Kind::Dir).collect();
            assert!(match order {
                Order::Name => files.is_sorted_by(|a, b| a.name < b.name),
                Order::NameDescending => files.is_sorted_by(|a, b| a.name > b.name),
                Order::Size => files.is_sorted_by(|a, b| a.allocated >= b.allocated),
                Order::Modified => files.is_sorted_by(|a, b| a.mtime >= b.mtime),
            });
        }
    }
    assert_eq!(whole(&session, b"thumbs", Order::Name, 4096).await.len(), 20_000);
}

/// Sums a tree as `du` does, out of listings alone.
async fn summed(session: &Session) -> Totals {
    let mut totals = Totals::default();
    let mut inodes = BTreeSet::new();
    let mut waiting = vec![(Vec::new(), session.stat(at("")).await.unwrap())];
    while let Some((path, entry)) = waiting.pop() {
        if entry.other_fs {
            continue;
        }
        if inodes.insert(entry.ino) {
            totals.bytes += entry.allocated;
            totals.apparent += entry.size;
        } else {
            assert!(entry.nlink > 1, "{path:?} shares its inode and says it does not");
        }
        if entry.kind != Kind::Dir {
            totals.files += 1;
            totals.newest = totals.newest.max(Some(entry.mtime));
            continue;
        }
        totals.dirs += 1;
        if session.list(at(&path), Order::Name, None, 1).await.is_err() {
            totals.errors += 1;
            continue;
        }
        for child in whole(session, &path, Order::Name, 4096).await {
            waiting.push((below(&path, &child.name), child));
        }
    }
    totals
}

#[tokio::test]
async fn usage_is_the_sum_of_what_is_listed() {
    let rows = daemon().volumes().await.unwrap().rows;
    for row in rows.iter().filter(|row| row.name != "legacy_export") {
        let session = open_one(&row.name).await;
        let items: Vec<UsageItem> = session.usage(vec![at("")], 1, Vec::new()).try_concat().await.unwrap();
        let complete = items.iter().find_map(|item| match item {
            UsageItem::Complete { totals, .. } => Some(*totals),
            _ => None,
        });
        let sum = summed(&session).await;
        assert_eq!(complete, Some(sum), "in {}", row.name);
        if row.name == "media_library" {
            assert!((36..44).contains(&(sum.bytes >> 30)), "about 40 GB, not {}", sum.bytes);
        }
        let dirs: Vec<(&[u8], Totals)> = items
            .iter()
            .filter_map(|item| match item {
                UsageItem::Dir { path, totals, .. } => Some((path.as_slice(), *totals)),
                _ => None,
            })
            .collect();
        let top = whole(&session, b"", Order::Name, 4096).await;
        let listed = top.iter().filter(|entry| entry.kind == Kind::Dir && !entry.other_fs);
        assert_eq!(listed.count(), dirs.len(), "one item per directory of the first level");
        assert!(
            dirs.iter()
                .all(|(path, totals)| !path.contains(&b'/') && totals.dirs >= 1)
        );
    }
}

#[tokio::test]
async fn a_measurement_of_many_streams_in_and_ends_in_time_and_can_be_cancelled() {
    let daemon = DemoDaemon::new(DemoOptions::new(NOW));
    let names: Vec<String> = daemon
        .volumes()
        .await
        .unwrap()
        .rows
        .into_iter()
        .map(|row| row.name)
        .collect();
    let targets = names
        .iter()
        .filter(|name| *name != "legacy_export")
        .map(|name| volume(name))
        .collect();
    let opened = daemon
        .open(OpenSpec {
            targets,
            purpose: Purpose::Measure,
            through_store: false,
        })
        .await
        .unwrap();
    let count = u32::try_from(names.len() - 1).unwrap();
    let places: Vec<Place> = (0..count).map(|root| Place { root, path: Vec::new() }).collect();
    drop(opened.session.usage(places.clone(), 0, Vec::new()).next().await);
    let started = Instant::now();
    let mut batches = opened.session.usage(places, 0, Vec::new());
    let (mut seen, mut complete) = (HashMap::new(), 0);
    while let Some(batch) = batches.next().await {
        for item in batch.unwrap() {
            match item {
                UsageItem::Progress { place, totals } => {
                    let before: u64 = seen.insert(place, totals.bytes).unwrap_or(0);
                    assert!(before <= totals.bytes, "a total shrank");
                }
                UsageItem::Complete { place, totals, .. } => {
                    assert!(seen.get(&place).is_none_or(|&before| before <= totals.bytes));
                    complete += 1;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(complete, count);
    assert!(seen.len() > 10, "nothing was seen to grow");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn hostile_names_come_as_bytes_and_open_by_them() {
    let session = open_one("imports").await;
    let names: Vec<Vec<u8>> = whole(&session, b"", Order::Name, 10)
        .await
        .into_iter()
        .map(|e| e.name)
        .collect();
    for part in [&b"\x1b[31m"[..], b"\n", b"\xe2\x80\xae", b"\xff", b"-rf", &[b'L'; 255]] {
        let name = names
            .iter()
            .find(|name| name.windows(part.len()).any(|window| window == part))
            .unwrap();
        assert_eq!(session.stat(at(name)).await.unwrap().name, *name);
    }
    assert_eq!(read(&session, b"dir-\xff\x1b[2J/inside.txt", 0, 6).await, b"a file");
}

#[tokio::test]
async fn paths_that_leave_the_root_or_lead_through_links_are_refused() {
    let session = open_one("imports").await;
    for (path, errno) in [
        ("..", 22),
        ("a/../b", 22),
        ("./locked", 22),
        ("/locked", 22),
        ("loop/x", 40),
        ("locked/x", 20),
        ("none", 2),
    ] {
        match session.stat(at(path)).await {
            Err(EngineError::Agent(fault)) => assert_eq!(fault.errno, Some(errno), "{path}: {fault:?}"),
            other => panic!("{path}: {other:?}"),
        }
    }
    for path in ["queue", "control.sock", "null", "loop", "dir-"] {
        assert!(
            session.read(at(path), 0, 1).try_concat().await.is_err(),
            "{path} was opened"
        );
    }
    assert!(session.list(at("empty"), Order::Name, None, 1).await.is_err());
    assert!(
        session
            .stat(Place {
                root: 1,
                path: Vec::new()
            })
            .await
            .is_err()
    );
}
