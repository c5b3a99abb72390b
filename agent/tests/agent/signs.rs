//! What the size walk looks out for: signs of what contents are, caches, and what lies beside them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::client::{Client, place};
use vole_agent::fs::Roots;
use vole_agent::proto::{Cover, Marker, Place, Reply, Request, Seen, Sign, UsageItem};

const TAG: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";

fn sign(path: &str) -> Sign {
    let parts = path.trim_end_matches('/').split('/').filter(|part| !part.is_empty());
    Sign {
        path: parts.map(|part| part.as_bytes().to_vec()).collect(),
        dir: path.ends_with('/'),
        levels: 2,
        head: 0,
        magic: Vec::new(),
        cover: None,
    }
}

fn cache(path: &str, markers: &[(&str, &[u8])]) -> Sign {
    let markers = markers.iter().map(|(name, magic)| Marker {
        name: name.as_bytes().to_vec(),
        magic: magic.to_vec(),
    });
    Sign {
        dir: true,
        cover: Some(Cover {
            markers: markers.collect(),
        }),
        ..sign(path)
    }
}

fn all() -> Vec<Sign> {
    vec![
        Sign {
            head: 16,
            ..sign("PG_VERSION")
        },
        sign("global/pg_control"),
        Sign {
            magic: b"SQLite format 3\0".to_vec(),
            ..sign("*.db")
        },
        cache("node_modules/", &[]),
        cache("target/", &[("CACHEDIR.TAG", TAG), (".rustc_info.json", b"")]),
        cache("", &[("CACHEDIR.TAG", TAG)]),
        sign("*.pem"),
    ]
}

fn look_with(client: &mut Client, places: Vec<Place>, threads: u32) -> (Vec<Seen>, u64, u64) {
    let request = Request::Usage {
        places,
        depth: 1,
        threads,
        signs: all(),
    };
    let (replies, _) = client.run(request).unwrap();
    let items = replies.into_iter().flat_map(|reply| match reply {
        Reply::Usage(items) => items,
        other => panic!("{other:?}"),
    });
    let mut complete = items.filter_map(|item| match item {
        UsageItem::Complete {
            seen, stray, totals, ..
        } => Some((seen, stray, totals.files)),
        _ => None,
    });
    complete.next_back().unwrap()
}

/// What was seen, as `sign:path`, and the stray entries; the same however many threads walk.
fn look(top: &Path) -> (Vec<String>, u64) {
    let told = |(seen, stray, _): (Vec<Seen>, u64, u64)| {
        let seen = seen.iter();
        let seen = seen.map(|one| format!("{}:{}", one.sign, String::from_utf8_lossy(&one.path)));
        (seen.collect::<Vec<_>>(), stray)
    };
    let first = told(look_with(&mut Client::over(top), vec![place(b"")], 1));
    for threads in [2, 7] {
        assert_eq!(
            told(look_with(&mut Client::over(top), vec![place(b"")], threads)),
            first
        );
    }
    let plain = Client::of(Roots::open([top]).without_openat2());
    assert_eq!(told(look_with(&mut { plain }, vec![place(b"")], 2)), first);
    first
}

fn write(top: &Path, path: &str, bytes: &[u8]) {
    let path = top.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_database_is_seen_two_levels_down_and_no_deeper_and_its_version_comes_along() {
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path();
    write(top, "18/docker/PG_VERSION", b"18\n");
    write(top, "18/docker/global/pg_control", b"x");
    write(top, "a/b/c/PG_VERSION", b"9\n");
    fs::create_dir_all(top.join("d/PG_VERSION")).unwrap();
    let (seen, stray) = look(top);
    assert_eq!(seen, ["0:18/docker/PG_VERSION", "1:18/docker/global/pg_control"]);
    assert_eq!(stray, 3);
    let (seen, ..) = look_with(&mut Client::over(top), vec![place(b"")], 1);
    assert_eq!(seen[0].head, b"18\n");
    let (seen, stray, files) = look_with(&mut Client::over(top), vec![place(b"18")], 1);
    assert_eq!(
        (seen, stray, files),
        (vec![], 0, 2),
        "a part of a root is only measured"
    );
}

#[test]
fn what_lies_in_a_cache_is_neither_stray_nor_looked_at_and_what_lies_beside_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path();
    write(top, "node_modules/pkg/test/key.pem", b"x");
    write(top, "node_modules/PG_VERSION", b"1");
    write(top, "web/app/node_modules/a/b/c/d.js", b"x");
    assert_eq!(
        look(top),
        (
            vec!["3:node_modules".to_owned(), "3:web/app/node_modules".to_owned()],
            0
        )
    );
    write(top, "notes.txt", b"x");
    write(top, "a/b/c/node_modules/too-deep.js", b"x");
    symlink("node_modules", top.join("web/node_modules")).unwrap();
    assert_eq!(look(top).1, 3, "a file, a tree too deep to be told, and a symlink");
}

#[test]
fn a_directory_with_a_dangerous_name_needs_its_marker() {
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path();
    write(top, "target/release/program", b"x");
    assert_eq!(look(top), (vec![], 1));
    write(top, "target/CACHEDIR.TAG", b"Signature: something else");
    assert_eq!(look(top), (vec![], 2));
    symlink("/etc/hostname", top.join("target/.rustc_info.json")).unwrap();
    assert_eq!(look(top), (vec![], 3), "a symlink marks nothing");
    write(top, "target/CACHEDIR.TAG", TAG);
    assert_eq!(look(top), (vec!["4:target".to_owned()], 0));
}

#[test]
fn a_root_that_says_it_is_a_cache_does_not_hide_a_database() {
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path();
    write(top, "CACHEDIR.TAG", TAG);
    write(top, "pkg/test/key.pem", b"x");
    assert_eq!(look(top), (vec!["5:".to_owned()], 0));
    write(top, "data/PG_VERSION", b"15\n");
    write(top, "app/app.db", b"SQLite format 3\0");
    write(top, ".hidden", b"");
    symlink("data", top.join("link")).unwrap();
    let (seen, stray) = look(top);
    assert_eq!(
        (seen.join(" ").as_str(), stray),
        ("0:data/PG_VERSION 2:app/app.db 5:", 0)
    );
    write(top, "notes.txt", b"x");
    assert_eq!(look(top).1, 1, "no cache keeps such a file beside its directories");
}

#[test]
fn only_regular_files_are_opened_and_only_what_starts_as_it_should_counts() {
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path();
    mknodat(CWD, top.join("pipe.db"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    mknodat(CWD, top.join("PG_VERSION"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    symlink("real.db", top.join("link.db")).unwrap();
    write(top, "Thumbs.db", b"\xd0\xcf\x11\xe0");
    write(top, "empty.db", b"");
    assert_eq!(look(top), (vec![], 5));
    write(top, "real.db", b"SQLite format 3\0and more");
    assert_eq!(look(top), (vec!["2:real.db".to_owned()], 6));
}

#[test]
fn a_flat_directory_of_many_matches_stays_bounded() {
    let dir = tempfile::tempdir().unwrap();
    for index in 0..3000 {
        fs::write(
            dir.path().join(format!("{index}{}.db", "n".repeat(200))),
            b"SQLite format 3\0",
        )
        .unwrap();
        fs::write(dir.path().join(format!("{index}.pem")), b"").unwrap();
    }
    let (seen, stray, files) = look_with(&mut Client::over(dir.path()), vec![place(b"")], 4);
    assert_eq!((stray, files), (6000, 6000));
    assert_eq!(seen.len(), 16);
}

#[test]
fn a_root_that_is_a_file_is_stray() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("PG_VERSION");
    fs::write(&file, b"15\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(look(&file), (vec![], 1));
}
