//! The download's side of this machine: private beginnings, written beneath one directory only, renamed without
//! replacing anything. Knows no engine.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{self, AtFlags, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;
use vole_agent::proto::Time;

use super::GetError;
use crate::store;

/// Tells apart the downloads of one process.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A name that can stand in a directory and leads nowhere else; `None` for what cannot.
pub(super) fn safe_name(name: &[u8]) -> Option<&OsStr> {
    let harmless = !matches!(name, b"" | b"." | b"..") && !name.iter().any(|byte| matches!(byte, b'/' | 0));
    harmless.then(|| OsStr::from_bytes(name))
}

/// A download that is not whole yet: it stands beside its final place under a name of its own, and is removed with all
/// that is in it unless it is put in place.
#[derive(Debug)]
pub(super) struct Beginning {
    parent: OwnedFd,
    parent_path: PathBuf,
    name: OsString,
    place: OsString,
    standing: bool,
}

impl Beginning {
    /// Makes sure that the final place is free and its directory there.
    pub(super) fn new(destination: &Path) -> Result<Self, GetError> {
        let place = destination
            .file_name()
            .and_then(|name| safe_name(name.as_bytes()))
            .ok_or_else(|| local("write to", destination, Errno::INVAL))?;
        let parent_path = match destination.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let parent = fs::open(&parent_path, flags, Mode::empty())
            .map_err(|error| local("open the directory", &parent_path, error))?;
        match fs::statat(&parent, place, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => return Err(GetError::Exists(destination.to_path_buf())),
            Err(Errno::NOENT) => {}
            Err(error) => return Err(local("look at", destination, error)),
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // Short, whatever the final name's length: with a suffix, a name of 255 bytes would not fit.
        let name = format!(".vole-{}-{number}.partial", std::process::id()).into();
        Ok(Self {
            parent,
            parent_path,
            name,
            place: place.to_owned(),
            standing: false,
        })
    }

    /// Where it stands until it is whole.
    fn path(&self) -> PathBuf {
        self.parent_path.join(&self.name)
    }

    /// Makes it a file.
    pub(super) fn file(&mut self) -> Result<File, GetError> {
        let file = store::create_new(&self.parent, &self.name).map_err(|error| local("create", &self.path(), error))?;
        self.standing = true;
        Ok(file)
    }

    /// Makes it a directory and opens it.
    pub(super) fn dir(&mut self) -> Result<OwnedFd, GetError> {
        let made = make_dir(self.parent.as_fd(), &self.name);
        self.standing = made.is_ok();
        made.map_err(|error| local("create", &self.path(), error))
    }

    /// Makes it a symlink.
    pub(super) fn symlink(&mut self, target: &[u8]) -> Result<(), GetError> {
        fs::symlinkat(OsStr::from_bytes(target), &self.parent, &self.name)
            .map_err(|error| local("create", &self.path(), error))?;
        self.standing = true;
        Ok(())
    }

    /// Gives it its final name, where nothing stands, and makes that last.
    pub(super) fn put_in_place(mut self) -> Result<PathBuf, GetError> {
        let destination = self.parent_path.join(&self.place);
        let renamed = store::rename_new(&self.parent, &self.name, &self.place);
        match renamed {
            Ok(()) => self.standing = false,
            Err(Errno::EXIST) => return Err(GetError::Exists(destination)),
            Err(error) => return Err(local("rename the download to", &destination, error)),
        }
        fs::fsync(&self.parent).map_err(|error| local("secure", &self.parent_path, error))?;
        Ok(destination)
    }
}

impl Drop for Beginning {
    fn drop(&mut self) {
        if !self.standing {
            return;
        }
        // What cannot be removed keeps a name that says what it is; there is nobody to tell in a drop.
        let _removed = match fs::unlinkat(&self.parent, &self.name, AtFlags::empty()) {
            Err(Errno::ISDIR | Errno::PERM) => remove_tree(self.parent.as_fd(), &self.name),
            other => other,
        };
    }
}

/// Makes a directory that was not there, for its owner alone, and opens it.
pub(super) fn make_dir(dir: impl AsFd, name: &OsStr) -> rustix::io::Result<OwnedFd> {
    fs::mkdirat(&dir, name, Mode::RWXU)?;
    open_dir(dir, name)
}

/// Opens a directory that stands in another, and no symlink.
fn open_dir(dir: impl AsFd, name: &OsStr) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    fs::openat(dir, name, flags, Mode::empty())
}

/// What tells a directory from every other, wherever it is moved: its device and inode.
pub(super) type Identity = (u64, u64);

/// Tells which directory is open.
pub(super) fn identity(dir: impl AsFd) -> rustix::io::Result<Identity> {
    fs::fstat(dir).map(|stat| (stat.st_dev, stat.st_ino))
}

/// Opens the directory above an open one, which must be the one that it was.
pub(super) fn above(dir: impl AsFd, expected: Identity) -> rustix::io::Result<OwnedFd> {
    let above = open_dir(dir, OsStr::new(".."))?;
    if identity(&above)? == expected {
        Ok(above)
    } else {
        // Somebody moved it meanwhile: what stands there now is not ours.
        Err(Errno::STALE)
    }
}

/// Removes a directory with all that is in it, however deep it is: one directory is open at a time.
pub(super) fn remove_tree(parent: BorrowedFd<'_>, name: &OsStr) -> rustix::io::Result<()> {
    let mut here = open_dir(parent, name)?;
    let mut path: Vec<(OsString, Identity)> = Vec::new();
    loop {
        if let Some(below) = remove_files(&here)? {
            let next = open_dir(&here, &below)?;
            path.push((below, identity(&here)?));
            here = next;
            continue;
        }
        let Some((emptied, identity)) = path.pop() else {
            return fs::unlinkat(parent, name, AtFlags::REMOVEDIR);
        };
        here = above(&here, identity)?;
        fs::unlinkat(&here, &emptied, AtFlags::REMOVEDIR)?;
    }
}

/// Removes what is in a directory up to the first directory in it, and names that one.
fn remove_files(dir: &OwnedFd) -> rustix::io::Result<Option<OsString>> {
    for entry in fs::Dir::read_from(dir)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if matches!(name.as_bytes(), b"." | b"..") {
            continue;
        }
        match fs::unlinkat(dir, name, AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::ISDIR | Errno::PERM) => return Ok(Some(name.to_owned())),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Gives a file or directory its bits (never suid, sgid or sticky: it has another owner here) and its time. Best effort:
/// a file system without them holds the contents all the same.
pub(super) fn dress(file: impl AsFd, mode: u32, mtime: Time) {
    let _mode_set = fs::fchmod(&file, Mode::from_raw_mode(mode & 0o777));
    let time = Timespec {
        tv_sec: mtime.secs,
        tv_nsec: mtime.nanos.into(),
    };
    let _time_set = fs::futimens(
        &file,
        &Timestamps {
            last_access: time,
            last_modification: time,
        },
    );
}

/// An error of this machine.
pub(super) fn local(what: &'static str, path: &Path, cause: impl Into<io::Error>) -> GetError {
    GetError::Local {
        what,
        path: path.to_path_buf(),
        cause: cause.into().to_string(),
    }
}
