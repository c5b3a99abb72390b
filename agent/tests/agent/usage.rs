//! Sizes over pipes: equal to `du -x` on everything that makes counting hard.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use rustix::fs::{CWD, FileType, Mode, OFlags, mkdirat, mknodat, openat};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::client::{Client, place};
use vole_agent::fs::Roots;
use vole_agent::proto::{Place, Reply, Request, Totals, UsageItem};

fn measure(client: &mut Client, places: Vec<Place>, depth: u32, threads: u32) -> Vec<UsageItem> {
    let (replies, notes) = client
        .run(Request::Usage {
            places,
            depth,
            threads,
            signs: Vec::new(),
        })
        .unwrap();
    assert_eq!(notes, []);
    let items = replies.into_iter().flat_map(|reply| match reply {
        Reply::Usage(items) => items,
        other => panic!("{other:?}"),
    });
    items.collect()
}

/// The totals of the only place.
fn totals(client: &mut Client, threads: u32) -> Totals {
    let items = measure(client, vec![place(b"")], 0, threads);
    match items.iter().rfind(|item| matches!(item, UsageItem::Complete { .. })) {
        Some(UsageItem::Complete { totals, .. }) => *totals,
        _ => panic!("{items:?}"),
    }
}

fn du(path: &Path, options: &[&str]) -> u64 {
    let output = Command::new("du")
        .args(options)
        .arg(path)
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap()
        .parse()
        .unwrap()
}

fn assert_equals_du(path: &Path) {
    let (bytes, apparent) = (du(path, &["-sx", "--block-size=1"]), du(path, &["-sxb"]));
    for threads in [1, 2, 7] {
        let counted = totals(&mut Client::over(path), threads);
        assert_eq!(
            (counted.bytes, counted.apparent),
            (bytes, apparent),
            "{threads} threads"
        );
    }
    let counted = totals(&mut Client::of(Roots::open([path]).without_openat2()), 2);
    assert_eq!((counted.bytes, counted.apparent), (bytes, apparent), "without openat2");
}

#[test]
fn sums_equal_du_on_everything_that_is_hard_to_count() {
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path();
    for n in 0..40 {
        let sub = top.join(format!("d{n}/e/f"));
        fs::create_dir_all(&sub).unwrap();
        for size in [0, 1, 5000, 100_000] {
            fs::write(sub.join(format!("s{size}")), vec![7; size]).unwrap();
        }
        // Three names of one inode, two of them in other directories.
        fs::write(top.join(format!("d{n}/first")), vec![1; 9000]).unwrap();
        fs::hard_link(top.join(format!("d{n}/first")), sub.join("second")).unwrap();
        fs::hard_link(top.join(format!("d{n}/first")), top.join(format!("third{n}"))).unwrap();
    }
    File::create(top.join("sparse")).unwrap().set_len(1 << 33).unwrap();
    symlink("/etc/passwd", top.join("link")).unwrap();
    symlink("x".repeat(300), top.join("long link")).unwrap();
    symlink(".", top.join("d1/loop")).unwrap();
    mknodat(CWD, top.join("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(top.join("sock")).unwrap();
    assert_equals_du(top);

    let counted = totals(&mut Client::over(top), 0);
    assert_eq!((counted.dirs, counted.files, counted.errors), (121, 40 * 7 + 6, 0));
    assert!(counted.newest.is_some());
}

#[test]
fn a_directory_of_thousands_of_directories_is_counted_whole() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..6000 {
        fs::create_dir(dir.path().join(format!("{n}"))).unwrap();
    }
    fs::write(dir.path().join("5999/f"), "x").unwrap();
    assert_equals_du(dir.path());
    assert_eq!(totals(&mut Client::over(dir.path()), 2).dirs, 6001);
}

/// Makes a chain of directories, each with a file and a sibling; removing it by path is left to `rm`.
fn deep(top: &Path, levels: u32) {
    let mut here = openat(CWD, top, OFlags::PATH, Mode::empty()).unwrap();
    for _ in 0..levels {
        for name in ["down", "beside"] {
            mkdirat(&here, name, Mode::RWXU).unwrap();
        }
        openat(&here, "f", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).unwrap();
        here = openat(&here, "down", OFlags::PATH, Mode::empty()).unwrap();
    }
}

#[test]
fn a_chain_of_5000_directories_needs_few_descriptors_and_no_deep_stack() {
    let dir = tempfile::tempdir().unwrap();
    deep(dir.path(), 5000);
    let limit = getrlimit(Resource::Nofile);
    // Below what the depth would take: most directories must be reopened by path.
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(600),
            maximum: limit.maximum,
        },
    )
    .unwrap();
    let counted = totals(&mut Client::over(dir.path()), 2);
    setrlimit(Resource::Nofile, limit).unwrap();
    assert_eq!((counted.dirs, counted.files, counted.errors), (10_001, 5000, 0));
    // tempfile's removal recurses.
    Command::new("rm").arg("-rf").arg(dir.path()).status().unwrap();
}

#[test]
fn a_chain_of_1000_directories_is_reported_level_by_level() {
    let dir = tempfile::tempdir().unwrap();
    deep(dir.path(), 1000);
    let items = measure(&mut Client::over(dir.path()), vec![place(b"")], u32::MAX, 2);
    assert_eq!(
        items
            .iter()
            .filter(|item| matches!(item, UsageItem::Dir { .. }))
            .count(),
        2000
    );
    let done = |item: &UsageItem| matches!(item, UsageItem::Complete { totals, .. } if totals.files == 1000);
    assert!(items.iter().any(done));
    Command::new("rm").arg("-rf").arg(dir.path()).status().unwrap();
}

#[test]
fn directories_within_the_depth_come_children_first_and_add_up() {
    let dir = tempfile::tempdir().unwrap();
    for path in ["a/b/c/d", "a/x", "z"] {
        fs::create_dir_all(dir.path().join(path)).unwrap();
        fs::write(dir.path().join(path).join("f"), vec![1; 10_000]).unwrap();
    }
    let items = measure(&mut Client::over(dir.path()), vec![place(b"")], 2, 2);
    let dirs: Vec<(&[u8], Totals)> = items
        .iter()
        .filter_map(|item| match item {
            UsageItem::Dir { path, totals, .. } => Some((path.as_slice(), *totals)),
            _ => None,
        })
        .collect();
    let at = |path: &[u8]| dirs.iter().position(|(found, _)| *found == path).unwrap();
    assert_eq!(dirs.len(), 4);
    assert!(at(b"a/b") < at(b"a") && at(b"a/x") < at(b"a"));
    for (path, totals) in &dirs {
        let path = dir.path().join(std::str::from_utf8(path).unwrap());
        assert_eq!(totals.bytes, du(&path, &["-sx", "--block-size=1"]), "{path:?}");
    }
}

#[test]
fn many_places_a_file_and_a_missing_one_end_once_each() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..300 {
        fs::create_dir(dir.path().join(format!("v{n}"))).unwrap();
        fs::write(dir.path().join(format!("v{n}/f")), vec![1; n]).unwrap();
    }
    let mut places: Vec<Place> = (0..300).map(|n| place(format!("v{n}").as_bytes())).collect();
    places.extend([place(b"v7/f"), place(b"none")]);
    let items = measure(&mut Client::over(dir.path()), places, 0, 3);
    let mut ended = vec![0; 302];
    for item in &items {
        match item {
            UsageItem::Complete { place, totals, .. } => {
                ended[*place as usize] += 1;
                assert_eq!(totals.files, 1, "{place}");
            }
            UsageItem::Failed { place, fault } => {
                ended[*place as usize] += 1;
                assert_eq!((*place, fault.errno), (301, Some(2)));
            }
            UsageItem::Progress { .. } | UsageItem::Dir { .. } => {}
        }
    }
    assert!(ended.iter().all(|&times| times == 1), "{ended:?}");
}

#[test]
fn another_file_system_is_counted_as_one_and_not_entered() {
    let items = measure(&mut Client::over(Path::new("/")), vec![place(b"dev")], 0, 2);
    // /dev is itself a mount beneath the root: it is refused, not measured.
    assert!(matches!(items.as_slice(), [UsageItem::Failed { fault, .. }] if fault.message.contains("file system")));
    let items = measure(&mut Client::over(Path::new("/dev")), vec![place(b"")], 0, 2);
    let submounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let submounts = submounts
        .lines()
        .filter(|line| line.split(' ').nth(4).is_some_and(|at| at.starts_with("/dev/")));
    let Some(UsageItem::Complete { other_fs, .. }) = items.last() else {
        panic!("{items:?}")
    };
    // Some of them may be hidden by others.
    assert!((1..=submounts.count() as u64).contains(other_fs), "{other_fs}");
}

#[test]
fn what_cannot_be_read_is_counted_and_named() {
    if rustix::process::geteuid().is_root() {
        eprintln!("skipped: root can read everything");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let closed = dir.path().join("closed");
    fs::create_dir_all(closed.join("in")).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    let items = measure(&mut Client::over(dir.path()), vec![place(b"")], 0, 2);
    let Some(UsageItem::Complete { totals, faults, .. }) = items.last() else {
        panic!("{items:?}")
    };
    assert_eq!(
        (totals.errors, totals.bytes),
        (1, du(dir.path(), &["-sx", "--block-size=1"]))
    );
    assert_eq!(faults[0].path, b"closed");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_measurement_can_be_cancelled() {
    let mut client = Client::over(Path::new("/"));
    let id = client.start(Request::Usage {
        places: vec![place(b""); 50],
        depth: 9,
        threads: 2,
        signs: Vec::new(),
    });
    client.cancel(id);
    while !matches!(client.reply(), (of, Reply::Cancelled) if of == id) {}
}
