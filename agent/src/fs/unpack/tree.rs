//! The directories of a tree that is being made: those on the way to the last entry are open, and get their owner, mode,
//! attributes and time when the way leaves them. So memory does not grow with the tree.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, fchmod, fgetxattr, fremovexattr, mkdirat, unlinkat};
use rustix::io::Errno;

use super::Lacks;
use super::clear;
use super::stamp::{Stamp, set_mtime};
use crate::fs::attributes::DEFAULT_ACL;
use crate::fs::meta::Meta;
use crate::fs::resolve::Resolver;
use crate::proto::Time;

/// Levels whose directories stay open, the lowest ones.
const OPEN: usize = 64;
/// How a directory is opened that entries are made in.
const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);
/// Longest default access control list that is kept aside.
const LIST: usize = 64 << 10;

/// What was tried on which path, and why it failed.
pub(super) type Failed = (Vec<u8>, &'static str, Errno);

/// What a directory gets when the way leaves it.
pub(super) enum Late {
    /// It had no entry of its own so far.
    Implied,
    /// What its entry says.
    Stamp(Box<Stamp>),
    /// What it had before the way came back to it.
    Kept {
        mode: Option<u32>,
        default_acl: Option<Vec<u8>>,
        mtime: Time,
    },
}

struct Level {
    /// Where its name ends in the path.
    end: usize,
    fd: Option<OwnedFd>,
    late: Late,
}

/// A tree that is being made.
pub(super) struct Tree {
    resolver: Resolver,
    base: OwnedFd,
    path: Vec<u8>,
    levels: Vec<Level>,
    /// Whether what stands there already is somebody's, and is not touched by entries of directories.
    shared: bool,
    pub(super) lacks: Lacks,
}

impl Tree {
    /// Begins beneath an open directory. `shared`: what stands there is not replaced, and directories keep what they have.
    pub(super) fn new(resolver: Resolver, base: OwnedFd, shared: bool) -> Self {
        Self {
            resolver,
            base,
            path: Vec::new(),
            levels: Vec::new(),
            shared,
            lacks: Lacks::default(),
        }
    }

    pub(super) fn base(&self) -> &OwnedFd {
        &self.base
    }

    pub(super) fn resolver(&self) -> Resolver {
        self.resolver
    }

    /// The directory at a path, made where it is missing. It stays open until another one is asked for.
    pub(super) fn dir(&mut self, path: &[u8]) -> Result<&OwnedFd, Failed> {
        let common = self.common(path);
        while self.levels.len() > common {
            self.leave()?;
        }
        while self.path.len() < path.len() {
            let start = if self.path.is_empty() { 0 } else { self.path.len() + 1 };
            let end = path[start..]
                .iter()
                .position(|&byte| byte == b'/')
                .map_or(path.len(), |length| start + length);
            self.step(&path[start..end])?;
        }
        self.here()
    }

    /// Levels that the path has in common with the way.
    fn common(&self, path: &[u8]) -> usize {
        let shared = |level: &&Level| {
            path.get(..level.end) == Some(&self.path[..level.end])
                && path.get(level.end).is_none_or(|&byte| byte == b'/')
        };
        self.levels.iter().take_while(shared).count()
    }

    fn failed(&self, name: &[u8], tried: &'static str, errno: Errno) -> Failed {
        let path = if self.path.is_empty() {
            name.to_vec()
        } else {
            [&self.path, name].join(&b'/')
        };
        (path, tried, errno)
    }

    /// Goes down one level.
    fn step(&mut self, name: &[u8]) -> Result<(), Failed> {
        let component = CString::new(name).map_err(|_| self.failed(name, "making the directory", Errno::INVAL))?;
        let (fd, made) = self.enter(&component)?;
        let late = if made { Ok(Late::Implied) } else { open_up(&fd) };
        let late = late.map_err(|errno| self.failed(name, "preparing the directory", errno))?;
        self.push(name, fd, late);
        Ok(())
    }

    fn push(&mut self, name: &[u8], fd: OwnedFd, late: Late) {
        if !self.path.is_empty() {
            self.path.push(b'/');
        }
        self.path.extend_from_slice(name);
        let end = self.path.len();
        self.levels.push(Level {
            end,
            fd: Some(fd),
            late,
        });
        if let Some(far) = self.levels.len().checked_sub(OPEN + 1) {
            self.levels[far].fd = None;
        }
    }

    /// Opens a directory beneath the way, or makes it; whether it was made.
    fn enter(&mut self, name: &CStr) -> Result<(OwnedFd, bool), Failed> {
        let resolver = self.resolver;
        let above = self.here()?;
        let found = match resolver.child(above, name, FLAGS) {
            Err(Errno::NOENT) => mkdirat(above, name, Mode::RWXU)
                .and_then(|()| resolver.child(above, name, FLAGS))
                .map(|fd| (fd, true)),
            found => found.map(|fd| (fd, false)),
        };
        found.map_err(|errno| {
            let tried = match errno {
                Errno::LOOP | Errno::NOTDIR => "making what the archive has beneath something that is no directory",
                _ => "making the directory",
            };
            self.failed(name.to_bytes(), tried, errno)
        })
    }

    /// The directory at the end of the way.
    fn here(&mut self) -> Result<&OwnedFd, Failed> {
        let (resolver, base) = (self.resolver, &self.base);
        let Some(level) = self.levels.last_mut() else {
            return Ok(base);
        };
        if level.fd.is_none() {
            let opened = resolver.open(base, &self.path[..level.end], FLAGS);
            let opened = opened.map_err(|errno| (self.path.clone(), "opening the directory again", errno))?;
            level.fd = Some(opened);
        }
        level
            .fd
            .as_ref()
            .ok_or_else(|| (self.path.clone(), "opening the directory", Errno::BADF))
    }

    /// Makes a directory of the archive, or takes the one that is there.
    pub(super) fn make(&mut self, path: &[u8], stamp: Stamp) -> Result<(), Failed> {
        let (above, name) = split(path);
        self.dir(above)?;
        let component = CString::new(name).map_err(|_| self.failed(name, "making the directory", Errno::INVAL))?;
        let shared = self.shared;
        let here = self.here()?;
        let mut made = false;
        match mkdirat(here, component.as_c_str(), Mode::RWXU) {
            Ok(()) => made = true,
            Err(Errno::EXIST) => {
                let is_dir = Meta::at(here, &component).is_ok_and(|meta| meta.is_dir());
                if !is_dir && !shared {
                    let replaced = unlinkat(here, component.as_c_str(), AtFlags::empty())
                        .and_then(|()| mkdirat(here, component.as_c_str(), Mode::RWXU));
                    replaced.map_err(|errno| self.failed(name, "making the directory", errno))?;
                    made = true;
                }
            }
            Err(errno) => return Err(self.failed(name, "making the directory", errno)),
        }
        self.step(name)?;
        if let Some(level) = self.levels.last_mut().filter(|_| made || !shared) {
            level.late = Late::Stamp(Box::new(stamp));
        }
        Ok(())
    }

    /// Takes away what stands where an entry comes.
    pub(super) fn replace(&mut self, name: &CStr) -> Result<(), Failed> {
        let resolver = self.resolver;
        let here = self.here()?;
        let removed = match unlinkat(here, name, AtFlags::empty()) {
            Err(Errno::ISDIR) => clear::tree(resolver, here, name, &mut || Ok(())).map_err(|(_, errno)| errno),
            other => other,
        };
        removed.map_err(|errno| self.failed(name.to_bytes(), "replacing an earlier entry of the same name", errno))
    }

    /// Leaves the last level of the way.
    fn leave(&mut self) -> Result<(), Failed> {
        self.here()?;
        let Some(level) = self.levels.pop() else {
            return Ok(());
        };
        let path = self.path[..level.end].to_vec();
        self.path.truncate(self.levels.last().map_or(0, |above| above.end));
        let Some(fd) = level.fd else {
            return Ok(());
        };
        let lacks = &mut self.lacks;
        let settled = match level.late {
            Late::Implied => fchmod(&fd, Mode::from_raw_mode(0o755)),
            Late::Stamp(stamp) => stamp.give(&fd, &mut |errno| lacks.refused(&path, errno)),
            Late::Kept {
                mode,
                default_acl,
                mtime,
            } => put_back(&fd, mode, default_acl, mtime),
        };
        settled.map_err(|errno| (path, "setting the directory's owner, mode and time", errno))
    }

    /// Leaves all directories.
    pub(super) fn finish(&mut self) -> Result<(), Failed> {
        while !self.levels.is_empty() {
            self.leave()?;
        }
        Ok(())
    }
}

/// Makes a directory fit for making entries in it, which must not inherit its group or its default list.
pub(super) fn open_up(fd: &OwnedFd) -> Result<Late, Errno> {
    let meta = Meta::of(fd)?;
    let mode = meta.mode & 0o7777;
    let default_acl = take_default_acl(fd)?;
    let open = (mode | 0o700) & !0o2000;
    if open != mode {
        fchmod(fd, Mode::from_raw_mode(open))?;
    }
    Ok(Late::Kept {
        mode: (open != mode).then_some(mode),
        default_acl,
        mtime: meta.mtime,
    })
}

/// Takes a directory's default list away.
pub(super) fn take_default_acl(fd: impl AsFd) -> Result<Option<Vec<u8>>, Errno> {
    let fd = fd.as_fd();
    let mut short = [0; 256];
    let acl = match fgetxattr(fd, DEFAULT_ACL, &mut short) {
        Ok(len) => short[..len].to_vec(),
        Err(Errno::NODATA | Errno::NOTSUP) => return Ok(None),
        Err(Errno::RANGE) => {
            let mut value = vec![0; LIST];
            let len = fgetxattr(fd, DEFAULT_ACL, &mut value[..])?;
            value.truncate(len);
            value
        }
        Err(errno) => return Err(errno),
    };
    fremovexattr(fd, DEFAULT_ACL)?;
    Ok(Some(acl))
}

fn put_back(fd: &OwnedFd, mode: Option<u32>, default_acl: Option<Vec<u8>>, mtime: Time) -> Result<(), Errno> {
    if let Some(mode) = mode {
        fchmod(fd, Mode::from_raw_mode(mode))?;
    }
    if let Some(acl) = default_acl {
        rustix::fs::fsetxattr(fd, DEFAULT_ACL, &acl, rustix::fs::XattrFlags::empty())?;
    }
    set_mtime(fd, mtime)
}

/// A path's directory and its last component.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&path[..0], path),
    }
}
