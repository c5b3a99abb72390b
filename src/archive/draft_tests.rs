use std::os::unix::fs::PermissionsExt as _;

use sha2::Sha256;
use time::macros::datetime;

use super::*;
use crate::archive::{Origin, Status, shelf};
use crate::model::Mount;

const AT: OffsetDateTime = datetime!(2026-11-22 00:44:27 UTC);

fn known() -> Archive {
    Archive {
        path: PathBuf::new(),
        origin: Origin::of(&Mount::sample("db"), "unix:///x".to_owned(), AT),
        bytes: 0,
        sha256: String::new(),
        entries: 3,
        content_bytes: 7,
        digest: "ab".repeat(32),
        status: Status::Partial,
        warnings: vec!["a changed".to_owned()],
        warned: 1,
    }
}

fn begin(dir: &Path) -> Draft {
    let mut draft = Draft::begin(dir, "db", AT, Compression::Zstd).unwrap();
    draft.write(b"some ").unwrap();
    draft.write(b"bytes").unwrap();
    draft
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_is_not_committed_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let draft = begin(dir.path());
    assert_eq!(names(dir.path()), ["db-20261122-004427Z.tar.zst.partial"]);
    assert!(shelf::list(dir.path()).unwrap().archives.is_empty());
    drop(draft);
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn a_committed_archive_is_sealed_private_and_listed_as_it_was_told() {
    let dir = tempfile::tempdir().unwrap();
    let archive = begin(dir.path()).commit(known()).unwrap();
    let bytes = fs::read(&archive.path).unwrap();
    assert_eq!(archive.bytes, bytes.len() as u64);
    assert_eq!(archive.sha256, crate::archive::hex(&Sha256::digest(&bytes)));
    assert_eq!(
        bytes,
        [
            b"some bytes".as_slice(),
            &seal(Compression::Zstd, Sha256::digest(b"some bytes").into())
        ]
        .concat()
    );
    let mode = fs::metadata(&archive.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(
        names(dir.path()),
        ["db-20261122-004427Z.tar.zst", "db-20261122-004427Z.tar.zst.json"]
    );
    let shelf = shelf::list(dir.path()).unwrap();
    assert_eq!(shelf.archives, [archive]);
    assert_eq!(shelf.warnings, [""; 0]);
}

#[test]
fn names_never_collide_even_when_they_are_taken_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let draft = begin(dir.path());
    let second = begin(dir.path()).commit(known()).unwrap();
    assert!(second.path.ends_with("db-20261122-004427Z-2.tar.zst"), "{second:?}");
    fs::write(dir.path().join("db-20261122-004427Z.tar.zst"), "somebody's").unwrap();
    let third = draft.commit(known()).unwrap();
    assert!(third.path.ends_with("db-20261122-004427Z-3.tar.zst"), "{third:?}");
    assert_eq!(
        fs::read(dir.path().join("db-20261122-004427Z.tar.zst")).unwrap(),
        b"somebody's"
    );
    assert_eq!(shelf::list(dir.path()).unwrap().archives.len(), 2);
    assert!(names(dir.path()).iter().all(|name| !name.ends_with(".partial")));
}

#[test]
fn a_commit_that_fails_leaves_nothing_and_touches_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let draft = begin(dir.path());
    // Its sidecar's name is taken behind its back by what nothing may replace.
    let taken = dir.path().join("db-20261122-004427Z.tar.zst.json");
    fs::create_dir(&taken).unwrap();
    draft.commit(known()).unwrap_err();
    assert_eq!(names(dir.path()), ["db-20261122-004427Z.tar.zst.json"]);
}

#[test]
fn what_a_killed_backup_left_goes_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let committed = begin(dir.path()).commit(known()).unwrap();
    let running = begin(dir.path());
    for other in [
        "db-20261122-004427Z.tar.partial.txt",
        "notes.partial",
        "dbx-20261122-004427Z.tar.zst.partial",
        "db-20261122-004427Z-7.tar.zst",
    ] {
        fs::write(path(other), "somebody's").unwrap();
    }
    let before = names(dir.path());
    fs::write(path("db-20251122-004427Z.tar.zst.partial"), "half").unwrap();
    // Killed between the two renamings: the archive stands, its sidecar aside.
    let aside = fs::read(path("db-20261122-004427Z.tar.zst.json")).unwrap();
    fs::copy(&committed.path, path("db-20241122-004427Z.tar.zst")).unwrap();
    fs::write(path("db-20241122-004427Z.tar.zst.json.partial"), &aside).unwrap();
    // An archive of another length is not the one that this sidecar is about.
    fs::write(path("db-20261122-004427Z-7.tar.zst.json.partial"), &aside).unwrap();
    assert_eq!(shelf::list(dir.path()).unwrap().archives, [committed]);
    assert_eq!(remove_leftovers(dir.path(), "db").unwrap().len(), 4);
    assert_eq!(names(dir.path()), before);
    drop(running);
}

#[test]
fn whatever_is_wrong_beside_an_archive_is_told_and_never_listed() {
    let dir = tempfile::tempdir().unwrap();
    let archive = begin(dir.path()).commit(known()).unwrap();
    let sidecar = fs::read_to_string(archive.path.with_file_name("db-20261122-004427Z.tar.zst.json")).unwrap();
    let wrong = [
        ("cut", "so", sidecar.clone()),
        ("huge", "some bytes", " ".repeat(17 << 20)),
        ("none", "some bytes", "{\"what\": \"other\", \"version\": 1}".to_owned()),
        (
            "later",
            "some bytes",
            sidecar.replace("\"version\": 1,", "\"version\": 2,"),
        ),
        ("digest", "some bytes", sidecar.replacen(&archive.sha256, "../../x", 1)),
        ("garbage", "some bytes", "\u{1b}[31m{".to_owned()),
    ];
    for (name, contents, sidecar) in &wrong {
        fs::write(dir.path().join(format!("{name}.tar")), contents).unwrap();
        fs::write(dir.path().join(format!("{name}.tar.json")), sidecar).unwrap();
    }
    fs::write(dir.path().join("gone.tar.json"), &sidecar).unwrap();
    fs::write(dir.path().join("db-20261122-004428Z.tar.gz"), "no sidecar").unwrap();
    fs::write(dir.path().join("db-20261122-004429Z.tar.gz.partial"), "half").unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        dir.path().join("pipe.tar.json"),
        rustix::fs::FileType::Fifo,
        Mode::RUSR,
        0,
    )
    .unwrap();
    std::os::unix::fs::symlink("db-20261122-004427Z.tar.zst.json", dir.path().join("link.tar.json")).unwrap();
    fs::write(dir.path().join("package.json"), "{}").unwrap();
    let shelf = shelf::list(dir.path()).unwrap();
    assert_eq!(shelf.archives, [archive]);
    assert_eq!(shelf.warnings.len(), wrong.len() + 5, "{:#?}", shelf.warnings);
}

#[test]
fn archives_come_newest_first_from_the_directories_of_engines_and_mounts() {
    let dir = tempfile::tempdir().unwrap();
    let mut made = Vec::new();
    for (number, place) in ["a/x", "a/y", "b/x", "b/x/too/deep"].iter().enumerate() {
        let dir = dir.path().join(place);
        store::make_dir(&dir).unwrap();
        let mut archive = known();
        archive.origin.begun += time::Duration::hours(i64::try_from(number).unwrap());
        made.push(begin(&dir).commit(archive).unwrap());
    }
    made.pop();
    made.reverse();
    assert_eq!(shelf::list(dir.path()).unwrap().archives, made);
    shelf::list(&dir.path().join("nothing")).unwrap_err();
}
