//! Kills an exchange before every one of its steps, mends it, and looks: the old contents stand, or the new ones.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{Mode, OFlags, open};

use super::mend;
use super::stamp::{Stamp, set_mtime};
use super::swap::{Staging, Stop};
use crate::fs::resolve::Resolver;
use crate::proto::Time;

type Tree = BTreeMap<String, (u32, Vec<u8>)>;

fn tree(top: &Path) -> Tree {
    let mut all = BTreeMap::new();
    let mut dirs = vec![top.to_owned()];
    while let Some(dir) = dirs.pop() {
        let name = dir.strip_prefix(top).unwrap().to_string_lossy().into_owned();
        all.insert(name, (fs::metadata(&dir).unwrap().mode(), Vec::new()));
        for entry in fs::read_dir(&dir).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                dirs.push(entry.path());
            } else {
                let name = entry.path().strip_prefix(top).unwrap().to_string_lossy().into_owned();
                all.insert(
                    name,
                    (entry.metadata().unwrap().mode(), fs::read(entry.path()).unwrap()),
                );
            }
        }
    }
    all
}

fn write(top: &Path, files: &[&str], contents: &str) {
    for file in files {
        let path = top.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }
}

const OLD: [&str; 5] = ["a", "d/x", "d/y", "e/z", "lost+found/l"];
const NEW: [&str; 4] = ["a", "d/x", "g/n/o", "h"];

fn opened(path: &Path) -> OwnedFd {
    open(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap()
}

/// When the root was changed last.
const ONCE: Time = Time {
    secs: 900_000_000,
    nanos: 7,
};
/// When it was in the archive.
const THEN: Time = Time {
    secs: 1_000_000_000,
    nanos: 5,
};

fn changed(top: &Path) -> Time {
    let meta = fs::metadata(top).unwrap();
    Time {
        secs: meta.mtime(),
        nanos: meta.mtime_nsec().try_into().unwrap(),
    }
}

/// A root with old contents.
fn filled() -> (tempfile::TempDir, OwnedFd) {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o2750)).unwrap();
    write(dir.path(), &OLD, "old");
    let root = opened(dir.path());
    set_mtime(&root, ONCE).unwrap();
    (dir, root)
}

/// Lets all go well until a step, and then dies.
fn dies_at(staging: &mut Staging<'_>, mut step: usize) {
    staging.ask = Box::new(move || {
        step = step.checked_sub(1).ok_or(Stop::Dead)?;
        Ok(())
    });
}

/// Mends what there is, and dies at a step.
fn mend_and_die(root: &OwnedFd, step: usize) {
    for name in [c".vole-new-1", c".vole-new-1.done"] {
        if let Ok(mut staging) = Staging::found(Resolver::detect(), root, name.to_owned()) {
            dies_at(&mut staging, step);
            drop(mend::one(staging, name.to_bytes().ends_with(b".done"), &mut Vec::new()));
        }
    }
}

/// Exchanges in a fresh root and dies before a step; what stands after mending and when its top was changed, and
/// whether it died at all.
fn die(at: usize, only: &[&str], mend_dies: Option<usize>) -> (Tree, Time, bool) {
    let (dir, root) = filled();
    let mut staging = Staging::create(Resolver::detect(), &root, "1").unwrap();
    write(&dir.path().join(".vole-new-1/new"), &NEW, "new");
    let top = Stamp {
        mode: 0o700,
        mtime: THEN,
        xattrs: vec![(b"user.new".to_vec(), b"1".to_vec())],
        ..Stamp::read(&root).unwrap()
    };
    let only: Vec<Vec<u8>> = only.iter().map(|path| path.as_bytes().to_vec()).collect();
    let plan = staging.plan(&only, Some(top)).unwrap();
    dies_at(&mut staging, at);
    let died = staging.swap(&plan).is_err();
    drop(staging);
    // Whoever mends may be killed as well.
    if let Some(step) = mend_dies {
        mend_and_die(&root, step);
    }
    let (_, notes) = mend::all(Resolver::detect(), &root, None).unwrap();
    assert!(notes.is_empty(), "{notes:?}");
    (tree(dir.path()), changed(dir.path()), died)
}

fn expected(only: &[&str], top: u32) -> Tree {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(top)).unwrap();
    if only.is_empty() {
        write(dir.path(), &NEW, "new");
        write(dir.path(), &["lost+found/l"], "old");
    } else {
        write(dir.path(), &["a", "d/y", "e/z", "lost+found/l"], "old");
        write(dir.path(), only, "new");
    }
    tree(dir.path())
}

fn old() -> Tree {
    tree(filled().0.path())
}

/// Directories inherit the set-gid bit from the root, which is not what is looked at here.
fn plain(tree: Tree) -> Tree {
    let without = |(name, (mode, contents)): (String, (u32, Vec<u8>))| {
        let mode = if name.is_empty() { mode } else { mode & !0o2000 };
        (name, (mode, contents))
    };
    tree.into_iter().map(without).collect()
}

#[test]
fn killed_at_any_step_either_all_old_or_all_new_contents_stand() {
    // With paths of its own the root is changed only where one lies in it.
    let cases = [(&[][..], Some(THEN)), (&["d/x", "g/n/o"], None), (&["d/x"], Some(ONCE))];
    for (only, then) in cases {
        let new = plain(expected(only, if only.is_empty() { 0o700 } else { 0o2750 }));
        let old = plain(old());
        let stands = |(found, changed, died): (Tree, Time, bool), when: &str| {
            let found = plain(found);
            if found == old {
                assert_eq!(changed, ONCE, "{when}");
            } else {
                assert_eq!(found, new, "{when}");
                assert!(then.is_none_or(|then| then == changed), "{when}: {changed:?}");
            }
            (found == old, died)
        };
        let (mut at, mut olds, mut news) = (0, 0, 0);
        loop {
            let (is_old, died) = stands(die(at, only, None), &format!("killed at step {at}"));
            *if is_old { &mut olds } else { &mut news } += 1;
            if !died {
                break;
            }
            for second in [0, 3, 9] {
                let when = format!("killed at step {at}, and mending at {second}");
                stands(die(at, only, Some(second)), &when);
            }
            at += 1;
        }
        assert!(olds >= 1 && news > 5, "{olds} old, {news} new");
    }
}

#[test]
fn killed_at_any_step_of_taking_away_what_was_unpacked_the_root_is_as_it_was() {
    let old = old();
    for (at, second) in (0..).flat_map(|at| [None, Some(0), Some(1), Some(4)].map(|second| (at, second))) {
        let (dir, root) = filled();
        let mut staging = Staging::create(Resolver::detect(), &root, "1").unwrap();
        write(&dir.path().join(".vole-new-1/new"), &NEW, "new");
        dies_at(&mut staging, at);
        let removed = staging.remove(&mut || Ok(()));
        drop(staging);
        if let Some(step) = second {
            mend_and_die(&root, step);
        }
        let (_, notes) = mend::all(Resolver::detect(), &root, None).unwrap();
        assert!(notes.is_empty(), "{notes:?}");
        assert_eq!(tree(dir.path()), old, "killed at step {at}, and mending at {second:?}");
        assert_eq!(
            changed(dir.path()),
            ONCE,
            "killed at step {at}, and mending at {second:?}"
        );
        if removed.is_ok() {
            assert!(at > 5, "{at} steps");
            return;
        }
    }
}

#[test]
fn what_refuses_to_move_lets_the_old_contents_stand() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &OLD, "old");
    let before = tree(dir.path());
    let root = opened(dir.path());
    let mut staging = Staging::create(Resolver::detect(), &root, "1").unwrap();
    write(&dir.path().join(".vole-new-1/new"), &NEW, "new");
    let plan = staging.plan(&[], None).unwrap();
    // Somebody else makes a file in the way, once the old contents have moved out.
    let (path, mut seen) = (dir.path().to_owned(), false);
    staging.ask = Box::new(move || {
        if !seen && path.join(".vole-new-1/moved").exists() {
            seen = true;
            fs::create_dir(path.join("h")).unwrap();
        }
        Ok(())
    });
    let stopped = staging.swap(&plan).unwrap_err();
    assert!(matches!(stopped, Stop::Fault(_)), "{stopped:?}");
    assert!(!staging.is_committed());
    staging.remove(&mut || Ok(())).unwrap();
    let mut after = tree(dir.path());
    assert!(after.remove("h").is_some());
    assert_eq!(after, before);
}

#[test]
fn what_is_no_staging_directory_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[".vole-new-mine/data", ".vole-new-file"], "mine");
    let before = tree(dir.path());
    let (mended, notes) = mend::all(Resolver::detect(), &opened(dir.path()), None).unwrap();
    assert_eq!((mended.len(), notes.len()), (0, 2));
    assert_eq!(tree(dir.path()), before);
}
