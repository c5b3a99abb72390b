//! One root: opened once, held by a descriptor, described from `mountinfo`. Knows no requests.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat, openat2};
use rustix::io::Errno;

use super::meta::Meta;
use super::mounts::{MountLine, Tables};
use super::resolve::steps;
use super::{fault, meta, mounts};
use crate::proto::{Fault, Kind, RootInfo};

/// The root of the process whose pid namespace the agent shares: how a container's tmpfs is reached.
const INIT_ROOT: &[u8] = b"/proc/1/root/";

/// A root and what is known of it.
#[derive(Debug)]
pub(crate) struct Root {
    path: PathBuf,
    fd: Option<OwnedFd>,
    /// Fixed when the root was opened.
    pub(crate) info: RootInfo,
}

impl Root {
    /// Opens a root; one that cannot be opened says so in its `info`.
    pub(crate) fn open(path: &Path, tables: &Tables) -> Self {
        let opened = open_path(path, OFlags::PATH).and_then(|fd| Ok((Meta::of(&fd)?, fd)));
        match opened {
            Ok((meta, fd)) => Self {
                path: path.to_owned(),
                info: describe(path, &fd, &meta, tables),
                fd: Some(fd),
            },
            Err(errno) => {
                let info = RootInfo {
                    kind: Kind::Unknown,
                    fault: Some(fault(b"", errno, "opening the root")),
                    dev: (0, 0),
                    fs_root: Vec::new(),
                    fs_type: String::new(),
                    source: Vec::new(),
                    read_only: false,
                    born: None,
                };
                Self {
                    path: path.to_owned(),
                    fd: None,
                    info,
                }
            }
        }
    }

    /// The descriptor (`O_PATH`) of the root.
    pub(crate) fn fd(&self) -> Result<BorrowedFd<'_>, Fault> {
        match (&self.fd, &self.info.fault) {
            (Some(fd), _) => Ok(fd.as_fd()),
            (None, Some(fault)) => Err(fault.clone()),
            (None, None) => Err(fault(b"", Errno::BADF, "opening the root")),
        }
    }

    /// Whether the file system that it is on is itself read-only, and not only this mount of it.
    pub(crate) fn super_read_only(&self, tables: &Tables) -> bool {
        let id = self.fd.as_ref().and_then(mounts::mount_id);
        let line = id.and_then(|id| line_of(&self.path, id, tables));
        line.is_some_and(|line| line.super_read_only)
    }

    /// The last component of its path; empty when it has none.
    pub(crate) fn file_name(&self) -> Vec<u8> {
        self.path
            .file_name()
            .map_or_else(Vec::new, |name| name.as_bytes().to_vec())
    }

    /// Opens the root anew, for one that is a file.
    pub(crate) fn reopen(&self, flags: OFlags) -> Result<OwnedFd, Errno> {
        open_path(&self.path, flags)
    }
}

/// Opens a root's path. Below another container's root, symlinks mean what they mean in there.
fn open_path(path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::CLOEXEC;
    match path.as_os_str().as_bytes().strip_prefix(INIT_ROOT) {
        Some(inside) => {
            let top = open(
                OsStr::from_bytes(INIT_ROOT),
                OFlags::PATH | OFlags::CLOEXEC,
                Mode::empty(),
            )?;
            match openat2(
                &top,
                OsStr::from_bytes(inside),
                flags,
                Mode::empty(),
                ResolveFlags::IN_ROOT,
            ) {
                // Without openat2 nothing keeps a symlink inside; a path without symlinks still works.
                Err(Errno::NOSYS | Errno::PERM) => without_symlinks(top, inside, flags),
                other => other,
            }
        }
        None => open(path, flags, Mode::empty()),
    }
}

/// Opens a path beneath `top`, across mounts but through no symlink.
fn without_symlinks(top: OwnedFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut steps = steps(path, 1)?.into_iter().peekable();
    let mut here = top;
    while let Some(step) = steps.next() {
        let through = if steps.peek().is_some() {
            OFlags::PATH | OFlags::DIRECTORY
        } else {
            flags
        };
        here = openat(&here, step, through | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    }
    Ok(here)
}

/// Describes an open root.
fn describe(path: &Path, fd: &OwnedFd, meta: &Meta, tables: &Tables) -> RootInfo {
    let mut info = RootInfo {
        kind: meta.kind(),
        fault: None,
        dev: meta.dev,
        fs_root: Vec::new(),
        fs_type: String::new(),
        source: Vec::new(),
        read_only: false,
        born: meta::born(fd),
    };
    // Without /proc nothing of this is known, and its fields say so by being empty.
    let Some(id) = mounts::mount_id(fd) else {
        return info;
    };
    let line = line_of(path, id, tables);
    let Some(line) = line else {
        return info;
    };
    info.fs_root = line.root.clone();
    let inside = mounts::path_of(fd)
        .or_else(|| Some(std::fs::canonicalize(path).ok()?.into_os_string().into_vec()))
        .and_then(|path| mounts::below(&path, &line.point).map(<[u8]>::to_vec));
    if let Some(inside) = inside.filter(|inside| !inside.is_empty()) {
        if info.fs_root != b"/" {
            info.fs_root.push(b'/');
        }
        info.fs_root.extend(inside);
    }
    info.fs_type = line.fs_type.clone();
    info.source = line.source.clone();
    info.read_only = line.read_only;
    info
}

/// The line of a mount in the table that has a root's path.
fn line_of<'a>(path: &Path, id: u64, tables: &'a Tables) -> Option<&'a MountLine> {
    if path.as_os_str().as_bytes().starts_with(INIT_ROOT) {
        tables.first(id)
    } else {
        tables.own(id)
    }
}
