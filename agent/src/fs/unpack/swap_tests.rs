//! Kills an exchange before every one of its steps, mends it, and looks: the old contents stand, or the new ones.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{Mode, OFlags, open};

use super::mend;
use super::stamp::Stamp;
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

/// Exchanges in a fresh root and dies before a step; what stands after mending, and whether it died at all.
fn die(at: usize, only: &[&str], mend_dies: Option<usize>) -> (Tree, bool) {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o2750)).unwrap();
    write(dir.path(), &OLD, "old");
    let root = opened(dir.path());
    let mut staging = Staging::create(Resolver::detect(), &root, "1").unwrap();
    write(&dir.path().join(".vole-new-1/new"), &NEW, "new");
    let top = Stamp {
        mode: 0o700,
        mtime: Time {
            secs: 1_000_000_000,
            nanos: 5,
        },
        xattrs: vec![(b"user.new".to_vec(), b"1".to_vec())],
        ..Stamp::read(&root).unwrap()
    };
    let only: Vec<Vec<u8>> = only.iter().map(|path| path.as_bytes().to_vec()).collect();
    let plan = staging.plan(&only, Some(top)).unwrap();
    let mut left = at;
    staging.ask = Box::new(move || match left {
        0 => Err(Stop::Dead),
        _ => {
            left -= 1;
            Ok(())
        }
    });
    let died = staging.swap(&plan).is_err();
    drop(staging);
    if let Some(mut left) = mend_dies {
        // Whoever mends may be killed as well.
        for name in [".vole-new-1", ".vole-new-1.done"] {
            let name = std::ffi::CString::new(name).unwrap();
            let Ok(mut staging) = Staging::found(Resolver::detect(), &root, name) else {
                continue;
            };
            if let Ok(Some((plan, phase))) = staging.begun() {
                staging.ask = Box::new(move || {
                    left = left.checked_sub(1).ok_or(Stop::Dead)?;
                    Ok(())
                });
                drop(staging.forward(&plan, phase));
            }
        }
    }
    let (_, notes) = mend::all(Resolver::detect(), &root, None).unwrap();
    assert!(notes.is_empty(), "{notes:?}");
    (tree(dir.path()), died)
}

fn expected(only: &[&str], top: u32) -> Tree {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(top)).unwrap();
    if only.is_empty() {
        write(dir.path(), &NEW, "new");
        write(dir.path(), &["lost+found/l"], "old");
    } else {
        write(dir.path(), &["a", "d/y", "e/z", "lost+found/l"], "old");
        write(dir.path(), &["d/x", "g/n/o"], "new");
    }
    tree(dir.path())
}

fn old() -> Tree {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o2750)).unwrap();
    write(dir.path(), &OLD, "old");
    tree(dir.path())
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
    for only in [&[][..], &["d/x", "g/n/o"]] {
        let new = plain(expected(only, if only.is_empty() { 0o700 } else { 0o2750 }));
        let old = plain(old());
        let (mut at, mut olds, mut news) = (0, 0, 0);
        loop {
            let (found, died) = die(at, only, None);
            let found = plain(found);
            if found == old {
                olds += 1;
            } else {
                assert_eq!(found, new, "killed at step {at}");
                news += 1;
            }
            if !died {
                break;
            }
            for second in [0, 1, 3, 6] {
                let found = plain(die(at, only, Some(second)).0);
                assert!(
                    found == old || found == new,
                    "killed at step {at}, and mending at {second}"
                );
            }
            at += 1;
        }
        assert!(olds >= 1 && news > 5, "{olds} old, {news} new");
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
