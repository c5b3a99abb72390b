//! The demo against the promises of the protocol, through a real session.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use futures_util::{FutureExt, StreamExt, TryStreamExt};
use regex_automata::dfa::{dense, sparse::DFA};
use time::OffsetDateTime;
use time::macros::datetime;
use vole_agent::proto::{Entry, Followed, Kind, Order, Place, Totals, UsageItem};

use super::{DemoDaemon, DemoOptions};
use crate::engine::daemon::{Daemon, EngineEvent};
use crate::engine::{EngineError, OpenSpec, Purpose, Session, Target};
use crate::inventory::{self, Evidence, PathFacts};
use crate::model::{Mount, MountKind, Orphan, Scan};

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

fn below(path: &[u8], name: &[u8]) -> Vec<u8> {
    if path.is_empty() {
        name.to_vec()
    } else {
        [path, b"/", name].concat()
    }
}

fn dfa(pattern: &str) -> Vec<u8> {
    let config = regex_automata::util::syntax::Config::new().unicode(false).utf8(false);
    let dense = dense::Builder::new().syntax(config).build(pattern).unwrap();
    let sparse: DFA<Vec<u8>> = dense.to_sparse().unwrap();
    sparse.to_bytes_little_endian()
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

async fn mounts() -> Vec<Mount> {
    let daemon = daemon();
    let volumes = daemon.volumes().await.unwrap();
    let containers = daemon.containers().await.unwrap().rows;
    let mut details = HashMap::new();
    for row in &containers {
        details.insert(row.id.clone(), daemon.container(&row.id).await.unwrap().unwrap());
    }
    let paths = PathFacts::default();
    let evidence = Evidence {
        volumes: Ok(&volumes),
        containers: &containers,
        containers_missing: None,
        details: &details,
        paths: &paths,
    };
    let built = inventory::build(evidence);
    assert_eq!(built.warnings, Vec::<String>::new());
    built.mounts
}

#[tokio::test]
async fn the_fleet_has_what_a_newcomer_should_meet() {
    let mounts = mounts().await;
    assert!(mounts.len() >= 30, "only {} mounts", mounts.len());
    let orphans: BTreeSet<&str> = mounts
        .iter()
        .filter(|mount| mount.orphan == Orphan::Yes && mount.kind == MountKind::Named)
        .map(|mount| mount.name.as_str())
        .collect();
    let expected = [
        "frontend_node_modules",
        "shop_old_dbdata",
        "shop_old_uploads",
        "test-data",
    ];
    assert_eq!(orphans, BTreeSet::from(expected));
    let anonymous = |orphan| {
        mounts
            .iter()
            .filter(|m| m.kind == MountKind::Anonymous && m.orphan == orphan)
            .count()
    };
    assert_eq!((anonymous(Orphan::Yes), anonymous(Orphan::No)), (3, 2));
    let scan = |name: &str| &mounts.iter().find(|mount| mount.name == name).unwrap().scan;
    assert!(matches!(scan("nas_photos"), Scan::OnDemand(_)));
    assert!(matches!(scan("legacy_export"), Scan::Alone));
    assert!(matches!(scan("/var/run/docker.sock"), Scan::Never(_)));
    assert!(matches!(scan("/proc"), Scan::Never(_)));
    assert_eq!(mounts.iter().filter(|mount| mount.kind == MountKind::Tmpfs).count(), 2);
    let states: BTreeSet<&str> = mounts
        .iter()
        .flat_map(|m| &m.attachments)
        .map(|a| a.state.word())
        .collect();
    assert_eq!(
        states,
        BTreeSet::from(["created", "exited", "paused", "restarting", "running"])
    );
    assert!(
        mounts
            .iter()
            .flat_map(|m| &m.attachments)
            .any(|a| a.subpath.as_deref() == Some("thumbs"))
    );
}

#[tokio::test]
async fn every_mount_that_may_be_scanned_opens_and_only_the_broken_one_fails() {
    for mount in mounts().await {
        let target = match (&mount.scan, mount.kind) {
            (Scan::Never(_), _) => continue,
            (Scan::InContainer(container), _) => Target::InContainer {
                container: container.clone(),
                destination: mount.attachments[0].destination.clone(),
            },
            (_, MountKind::Bind) => Target::Path(mount.name.clone()),
            (_, _) => volume(&mount.name),
        };
        let (session, roots) = open(vec![target, volume("test-data")]).await;
        assert!(roots[1].is_ok());
        match &roots[0] {
            Ok(root) => {
                assert_eq!((*root, roots[1].clone()), (0, Ok(1)));
                let root = session.stat(at("")).await.unwrap();
                assert_eq!(root.name, b"");
                assert_eq!(session.hello().roots[0].kind, root.kind);
            }
            Err(why) => {
                assert_eq!(mount.name, "legacy_export");
                assert!(
                    why.contains("/mnt/usb-backup") && why.ends_with("no such file or directory"),
                    "{why}"
                );
            }
        }
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
        let items: Vec<UsageItem> = session.usage(vec![at("")], 1, 0).try_concat().await.unwrap();
        let complete = items.iter().find_map(|item| match item {
            UsageItem::Complete { totals, .. } => Some(*totals),
            _ => None,
        });
        assert_eq!(complete, Some(summed(&session).await), "in {}", row.name);
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
        })
        .await
        .unwrap();
    let count = u32::try_from(names.len() - 1).unwrap();
    let places: Vec<Place> = (0..count).map(|root| Place { root, path: Vec::new() }).collect();
    drop(opened.session.usage(places.clone(), 0, 0).next().await);
    let started = Instant::now();
    let mut batches = opened.session.usage(places, 0, 0);
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
async fn any_split_of_a_read_gives_the_same_bytes() {
    for (name, path) in [
        ("shop_logs", "access.log"),
        ("shop_logs", "error.log"),
        ("shop_dbdata", "base/16384/16385"),
        ("shop_dbdata", "log/postgresql-Mon.log"),
        ("imports", "events.ndjson"),
        ("imports", "sparse.img"),
        ("media_library", "films/Metropolis (1927)/Metropolis (1927).mkv"),
    ] {
        let session = open_one(name).await;
        let path = path.as_bytes();
        let all = read(&session, path, 0, 40_000).await;
        assert_eq!(all.len(), 40_000);
        for split in [1, 7, 4095, 4096, 4097, 8192, 39_999] {
            let head = read(&session, path, 0, split).await;
            let tail = read(&session, path, split, 40_000 - split).await;
            assert!([head, tail].concat() == all, "{name}: split at {split}");
        }
        let size = session.stat(at(path)).await.unwrap().size;
        assert_eq!(read(&session, path, size - 5, u64::MAX).await.len(), 5);
        assert_eq!(read(&session, path, size, 10).await, b"");
        assert_eq!(read(&session, path, u64::MAX, u64::MAX).await, b"");
    }
}

#[tokio::test]
async fn forty_gigabytes_are_readable_at_their_end() {
    let session = open_one("media_library").await;
    assert!(summed(&session).await.bytes > 36 << 30);
    let path = b"films/Metropolis (1927)/Metropolis (1927).mkv";
    let end = read(&session, path, 9_000 << 20, 4096).await;
    assert_eq!(end.len(), 4096);
    assert_ne!(end, read(&session, path, 9_001 << 20, 4096).await);
}

#[tokio::test]
async fn logs_are_whole_lines_of_text() {
    let session = open_one("shop_logs").await;
    let log = read(&session, b"access.log.1", 0, u64::MAX).await;
    assert_eq!(log.len(), 5 << 20);
    assert_eq!(log.last(), Some(&b'\n'));
    assert!(
        std::str::from_utf8(&log)
            .unwrap()
            .lines()
            .all(|line| line.contains("HTTP/1.1") && line.len() < 700)
    );
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

#[tokio::test]
async fn a_followed_log_gains_lines_that_can_be_read_again() {
    let session = open_one("shop_logs").await;
    let log = at("access.log");
    let size = session.stat(log.clone()).await.unwrap().size;
    let mut news = session.follow(log.clone(), 100);
    let mut got = Vec::new();
    while got.len() < 100 + 3 * 192 {
        let Some(Ok(Followed::Data { offset, bytes })) = news.next().await else {
            panic!("the log ended");
        };
        assert_eq!(offset, size - 100 + got.len() as u64);
        got.extend(bytes);
    }
    drop(news);
    assert!(read(&session, b"access.log", size - 100, got.len() as u64).await == got);
    assert_eq!(got.last(), Some(&b'\n'));
    assert!(session.stat(log).await.unwrap().size >= size + 3 * 192);
}

#[tokio::test]
async fn find_and_grep_find_what_is_there_up_to_their_limits() {
    let session = open_one("shop_dbdata").await;
    let found = session
        .find(at(""), dfa(r"^pg_(hba|control)"), 10)
        .try_concat()
        .await
        .unwrap();
    let paths: BTreeSet<Vec<u8>> = found.into_iter().map(|found| found.path).collect();
    assert_eq!(
        paths,
        BTreeSet::from([b"global/pg_control".to_vec(), b"pg_hba.conf".to_vec()])
    );
    let hits = session
        .grep(at(""), dfa("scram-sha-256"), 10, 200, false)
        .try_concat()
        .await
        .unwrap();
    assert_eq!(hits.len(), 1);
    assert_eq!(
        (hits[0].path.as_slice(), hits[0].line, hits[0].cut),
        (&b"pg_hba.conf"[..], 4, false)
    );
    let line = read(&session, b"pg_hba.conf", hits[0].offset, hits[0].text.len() as u64).await;
    assert_eq!(line, hits[0].text);
    let hits = session
        .grep(at("log/postgresql-Mon.log"), dfa("SELECT"), 70, 30, false)
        .try_concat()
        .await
        .unwrap();
    assert_eq!(hits.len(), 70);
    assert!(hits.iter().all(|hit| hit.text.len() == 30 && hit.cut));
    assert!(
        session
            .find(at(""), b"no automaton".to_vec(), 1)
            .try_concat()
            .await
            .is_err()
    );
}

#[tokio::test]
async fn grep_passes_over_binaries_unless_asked_and_copes_with_long_lines() {
    let session = open_one("imports").await;
    let quiet = session
        .grep(at("report-final.pdf"), dfa("%PDF"), 9, 80, false)
        .try_concat()
        .await
        .unwrap();
    assert_eq!(quiet, []);
    let loud = session
        .grep(at("report-final.pdf"), dfa("%PDF"), 9, 80, true)
        .try_concat()
        .await
        .unwrap();
    assert_eq!(loud.len(), 1);
    let long = session
        .grep(at("one-line.json"), dfa("items"), 9, 80, false)
        .try_concat()
        .await
        .unwrap();
    assert_eq!((long.len(), long[0].text.len(), long[0].cut), (1, 80, true));
}

#[tokio::test]
async fn two_demos_of_the_same_moment_are_the_same() {
    let (one, two) = (daemon(), daemon());
    assert_eq!(one.volumes().await.unwrap(), two.volumes().await.unwrap());
    assert_eq!(one.containers().await.unwrap(), two.containers().await.unwrap());
    let (a, b) = (open_one("imports").await, open_one("imports").await);
    assert_eq!(
        whole(&a, b"", Order::Name, 99).await,
        whole(&b, b"", Order::Name, 99).await
    );
}

#[tokio::test]
async fn file_systems_are_told_and_hold_what_is_in_them() {
    let (session, _) = open(vec![
        volume("shop_dbdata"),
        Target::Path("/srv/media".to_owned()),
        volume("shop_cache"),
    ])
    .await;
    let rows = session.file_systems(vec![0, 1, 2]).await.unwrap();
    let types: Vec<&str> = rows.iter().map(|row| row.fs_type.as_str()).collect();
    assert_eq!(types, ["ext4", "xfs", "tmpfs"]);
    let used = (rows[0].size - rows[0].available) * 100 / rows[0].size;
    assert_eq!(used, 78);
    let volumes: u64 = daemon().disk_usage().await.unwrap().volumes.values().sum();
    assert!(
        volumes < rows[0].size - rows[0].free,
        "more in volumes than the disk holds"
    );
}

#[tokio::test]
async fn images_hide_what_they_hold_beneath_mounts() {
    let daemon = daemon();
    let rows = daemon.containers().await.unwrap().rows;
    let id = &rows.iter().find(|row| row.name == "shop-web-1").unwrap().id;
    let masked = daemon.masked(id, "/srv/uploads", 1).await.unwrap();
    assert_eq!((masked.names.len(), masked.more, masked.exists), (1, true, true));
    assert!(!daemon.masked(id, "/nowhere", 9).await.unwrap().exists);
}

#[tokio::test]
async fn the_demo_tells_no_event_of_itself() {
    let daemon = daemon();
    let mut events = daemon.events().await.unwrap();
    assert_eq!(events.next().now_or_never(), None);
    let event = EngineEvent::Volume {
        name: "new".to_owned(),
        action: "create".to_owned(),
    };
    daemon.tell(event.clone());
    assert_eq!(events.next().await, Some(Ok(event)));
}
