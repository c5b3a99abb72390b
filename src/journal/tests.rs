//! Journals that are cut, damaged, full, and used twice.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use time::macros::datetime;
use vole_agent::proto::Kind;
use vole_agent::proto::own::{Change, Record as Entry};

use super::*;
use crate::model::Mount;

fn header() -> Header {
    Header {
        engine: EngineId::new("unix:///x"),
        endpoint: "unix:///x".to_owned(),
        mount: Site::of(&Mount::sample("blog_data"), Some("/v".to_owned()), (8, 1), 2),
        containers: vec!["web".to_owned()],
        operation: Operation::Own(Own {
            change: Change {
                uid: Some(999),
                ..Change::default()
            },
            path: Vec::new(),
            words: "999".to_owned(),
        }),
        at: datetime!(2026-06-15 12:00:01 UTC).unix_timestamp(),
        version: "0".to_owned(),
        process: 1,
    }
}

fn group(dir: &str, names: &[&str]) -> Group {
    let entry = |name: &&str| Entry {
        name: name.as_bytes().to_vec(),
        dev: (8, 1),
        ino: 7,
        kind: Kind::File,
        nlink: 1,
        uid: 0,
        gid: 0,
        mode: 0o644,
        capability: None,
        acl: Some(vec![0xab, b'V', b'J', b'\n']),
        default_acl: None,
    };
    Group {
        dir: dir.as_bytes().to_vec(),
        records: names.iter().map(entry).collect(),
    }
}

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path().join("state/journal"));
    (dir, store)
}

/// A journal of two batches, carried out and ended.
fn written(store: &Store) -> JournalId {
    let mut writer = store.begin(header(), 1000).unwrap();
    writer.batch(1, vec![group("", &["a", "b"])]).unwrap();
    writer.sync().unwrap();
    writer.applied(1, 2).unwrap();
    writer.batch(2, vec![group("d", &["c"])]).unwrap();
    writer.sync().unwrap();
    writer.applied(2, 1).unwrap();
    let id = writer.id().clone();
    writer.end(End::Done).unwrap();
    id
}

fn batches(store: &Store, id: &JournalId) -> Vec<Vec<Group>> {
    let mut undoing = store.undo(id).unwrap();
    std::iter::from_fn(|| undoing.next_batch().unwrap()).collect()
}

#[test]
fn what_was_written_is_read_by_its_owner_alone() {
    let (_dir, store) = store();
    let id = written(&store);
    assert!(id.as_str().starts_with("20260615-120001-"), "{id}");
    let (listed, warnings) = store.list().unwrap();
    assert_eq!(warnings, [""; 0]);
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (&listed[0].id, listed[0].entries, listed[0].stage),
        (&id, 3, Stage::Done)
    );
    assert_eq!(listed[0].words, "chown 999 of blog_data");
    assert_eq!(
        batches(&store, &id),
        [vec![group("", &["a", "b"])], vec![group("d", &["c"])]]
    );
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(store.dir()), mode(&store.path(&id))), (0o700, 0o600));
}

#[test]
fn a_journal_that_is_cut_anywhere_gives_its_whole_batches_and_is_not_damaged() {
    let (_dir, store) = store();
    let id = written(&store);
    let whole = fs::read(store.path(&id)).unwrap();
    let all = batches(&store, &id);
    let mut seen = 0;
    for length in 0..whole.len() {
        fs::write(store.path(&id), &whole[..length]).unwrap();
        let (listed, warnings) = store.list().unwrap();
        let Some(journal) = listed.first() else {
            assert_eq!(warnings.len(), 1, "cut at {length}");
            assert!(store.undo(&id).is_err(), "without its header, cut at {length}");
            continue;
        };
        assert_eq!((journal.damage.as_ref(), journal.stage), (None, Stage::Interrupted));
        let left = batches(&store, &id);
        assert!(all.starts_with(&left), "cut at {length}");
        assert!(left.len() >= seen, "cut at {length}");
        seen = left.len();
        // What goes on behind the cut is read by the next one.
        store.undo(&id).unwrap().done(1, 0).unwrap();
        let (listed, _) = store.list().unwrap();
        assert_eq!(
            (listed[0].stage, &listed[0].damage),
            (Stage::Undone, &None),
            "cut at {length}"
        );
        assert_eq!(batches(&store, &id), left);
    }
    assert_eq!(seen, 2);
}

#[test]
fn damage_before_whole_records_is_said_and_nothing_behind_it_is_taken() {
    let (_dir, store) = store();
    let id = written(&store);
    let whole = fs::read(store.path(&id)).unwrap();
    let all = batches(&store, &id);
    let second = whole.windows(4).rposition(|four| four == b"\xabVJ\x0a").unwrap();
    let mut damaged = 0;
    for at in 0..second {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        fs::write(store.path(&id), &bytes).unwrap();
        let (listed, _) = store.list().unwrap();
        let Some(journal) = listed.first() else { continue };
        assert!(journal.damage.is_some(), "byte {at}");
        assert!(all.starts_with(&batches(&store, &id)), "byte {at}");
        damaged += 1;
        store.undo(&id).unwrap().done(1, 0).unwrap();
        assert_eq!(fs::read(store.path(&id)).unwrap(), bytes, "a damaged file is evidence");
    }
    assert!(damaged > 50, "{damaged}");
}

#[test]
fn a_journal_that_is_written_is_nobody_elses() {
    let (_dir, store) = store();
    let mut writer = store.begin(header(), 0).unwrap();
    writer.batch(1, vec![group("", &["a"])]).unwrap();
    let id = writer.id().clone();
    let refused = store.undo(&id).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    // As a kill would end it.
    drop(writer);
    assert_eq!(batches(&store, &id).len(), 1);
    let first = store.undo(&id).unwrap();
    assert_eq!(store.undo(&id).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(first);
}

#[test]
fn two_undos_leave_the_last_word() {
    let (_dir, store) = store();
    let id = written(&store);
    let stage = || store.list().unwrap().0[0].stage;
    store.undo(&id).unwrap().done(2, 1).unwrap();
    assert_eq!(stage(), Stage::UndoneInPart);
    store.undo(&id).unwrap().done(1, 0).unwrap();
    assert_eq!(stage(), Stage::Undone);
    assert_eq!(batches(&store, &id).len(), 2);
}

#[test]
fn an_id_is_no_path_and_a_stranger_no_journal() {
    let (_dir, store) = store();
    let id = written(&store);
    for bad in ["", "..", "../journal/x", "no-such", "a/b"] {
        let error = store.undo(&JournalId::new(bad)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound, "{bad}");
    }
    fs::write(store.dir().join("x.journal"), "hello, I am no journal").unwrap();
    fs::write(store.dir().join("notes"), "x").unwrap();
    let (listed, warnings) = store.list().unwrap();
    assert_eq!((listed.len(), warnings.len()), (1, 1));
    assert_eq!(listed[0].id, id);
    assert!(warnings[0].contains("does not begin as a journal"), "{warnings:?}");
}

#[test]
fn the_demos_journals_go_with_it() {
    let store = Store::of(&Environment::default(), &EngineId::new("demo")).unwrap();
    let id = written(&store);
    let dir = store.dir().to_owned();
    assert_eq!(batches(&store, &id).len(), 2);
    drop(store);
    assert!(!dir.exists());
    Store::of(&Environment::default(), &EngineId::new("unix:///x")).unwrap_err();
}

/// Mounts a tmpfs of 256 KiB; `None`, loudly, for a user who may not.
pub(crate) fn small_disk(dir: &Path) -> Option<impl Drop> {
    struct Mounted(PathBuf);
    impl Drop for Mounted {
        fn drop(&mut self) {
            let gone = std::process::Command::new("umount")
                .arg("-l")
                .arg(&self.0)
                .status()
                .unwrap();
            assert!(gone.success());
        }
    }
    let mounting = ["-t", "tmpfs", "-o", "size=256k", "tmpfs"];
    let mounted = std::process::Command::new("mount").args(mounting).arg(dir).status();
    if !mounted.unwrap().success() {
        assert!(std::env::var_os("CI").is_none(), "CI must be able to mount a tmpfs");
        eprintln!("SKIPPED: this user may not mount a tmpfs");
        return None;
    }
    Some(Mounted(dir.to_owned()))
}

#[test]
fn without_room_nothing_begins_and_a_full_disk_keeps_what_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_disk) = small_disk(dir.path()) else { return };
    let store = Store::at(dir.path().join("journal"));
    let refused = store.begin(header(), 1 << 20).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
    assert_eq!(store.list().unwrap(), (Vec::new(), Vec::new()));

    let mut writer = store.begin(header(), 1000).unwrap();
    let id = writer.id().clone();
    let long = "n".repeat(200);
    let names = vec![long.as_str(); 100];
    let mut kept = 0;
    let full = loop {
        match writer
            .batch(kept + 1, vec![group("", &names)])
            .and_then(|()| writer.sync())
        {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    assert!(kept > 2, "{kept}");
    writer.end(End::Stopped("no room".to_owned())).unwrap();
    assert_eq!(batches(&store, &id).len() as u64, kept);
    let (listed, _) = store.list().unwrap();
    assert_eq!((listed[0].stage, &listed[0].damage), (Stage::Interrupted, &None));
}

fn restoring() -> Header {
    Header {
        operation: Operation::Restore(Restore {
            words: "restore of /b/blog.tar.zst".to_owned(),
            makes: true,
            in_place: false,
        }),
        ..header()
    }
}

#[test]
fn a_restore_that_was_cut_short_is_found_and_nothing_takes_it_back() {
    let (_dir, store) = store();
    let site = Site::of(&Mount::sample("blog_data"), None, (8, 1), 77);
    let found = || store.unfinished().unwrap().0;
    let mut writer = store.begin(restoring(), 100).unwrap();
    let id = writer.id().clone();
    assert_eq!(found(), [], "one that runs is not cut short");
    writer.made(site.clone()).unwrap();
    // As a kill would end it.
    drop(writer);
    let one = found();
    assert_eq!((one.len(), &one[0].id, &one[0].made), (1, &id, &Some(site)));
    assert_eq!(one[0].header.words(), "restore of /b/blog.tar.zst into blog_data");
    assert_eq!(store.list().unwrap(), (Vec::new(), Vec::new()));
    let mut held = store.undo(&id).unwrap();
    assert_eq!(found(), [], "one that is recovered is left to who does it");
    assert!(held.unfinished().unwrap().is_some());
    store.recovered(&id, held).unwrap();
    assert_eq!(found(), []);
    assert!(!store.path(&id).exists());
}

#[test]
fn a_restore_that_ended_leaves_no_journal() {
    let (_dir, store) = store();
    let writer = store.begin(restoring(), 100).unwrap();
    let path = store.path(writer.id());
    store.close(writer).unwrap();
    assert!(!path.exists());
    assert_eq!(store.unfinished().unwrap(), (Vec::new(), Vec::new()));
}

#[test]
fn what_is_cut_of_a_restores_journal_says_no_more_than_is_whole() {
    let (_dir, store) = store();
    let mut writer = store.begin(restoring(), 0).unwrap();
    let path = store.path(writer.id());
    let before = fs::metadata(&path).unwrap().len();
    writer.made(Site::of(&Mount::sample("v"), None, (8, 1), 7)).unwrap();
    drop(writer);
    let whole = fs::read(&path).unwrap();
    for length in usize::try_from(before).unwrap()..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let (found, _) = store.unfinished().unwrap();
        assert_eq!((found.len(), found[0].made.is_some()), (1, false), "cut at {length}");
    }
}
