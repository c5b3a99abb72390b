//! One entry that is to be changed: opened without being followed, beneath its directory, and what can be done to it.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, chmod, chownat};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};

use super::surveyor::SET_ID;
use crate::fs::attributes::{self, Attributes, CAPABILITY, Last};
use crate::fs::meta::Meta;
use crate::fs::resolve::Resolver;
use crate::fs::root::Root;
use crate::proto::Kind;
use crate::proto::own::{Record, Why};

/// The directory of a group; the root itself is reached without one.
pub(super) struct Dir<'a> {
    resolver: Resolver,
    root: &'a Root,
    fd: Option<Result<OwnedFd, Errno>>,
    path: &'a [u8],
}

impl<'a> Dir<'a> {
    pub(super) fn new(resolver: Resolver, root: &'a Root, path: &'a [u8]) -> Self {
        Self {
            resolver,
            root,
            fd: None,
            path,
        }
    }

    /// Opens the entry of a record, and makes sure that it is the one that was recorded.
    pub(super) fn open(&mut self, record: &Record) -> Result<Entry, Why> {
        let opened = self.find(record).and_then(|fd| Ok((Meta::of(&fd)?, fd)));
        let (meta, fd) = opened.map_err(|errno| match errno {
            Errno::NOENT => Why::Gone,
            Errno::LOOP | Errno::NOTDIR => Why::Replaced,
            Errno::XDEV => Why::OtherMount,
            errno => refused(errno),
        })?;
        if (meta.dev, meta.ino) != (record.dev, record.ino) || meta.kind() != record.kind {
            return Err(Why::Replaced);
        }
        Ok(Entry { fd, meta })
    }

    fn find(&mut self, record: &Record) -> Result<OwnedFd, Errno> {
        let root = self.root.fd().map_err(|_| Errno::BADF)?;
        if record.name.is_empty() && self.path.is_empty() {
            let copied = root.try_clone_to_owned();
            return copied.map_err(|error| Errno::from_raw_os_error(error.raw_os_error().unwrap_or(0)));
        }
        let (resolver, path) = (self.resolver, self.path);
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let dir = self.fd.get_or_insert_with(|| resolver.open(root, path, flags));
        let dir = dir.as_ref().map_err(|errno| *errno)?;
        // One component: the directory is the one that was recorded, whatever the name holds.
        let bad = record.name.is_empty() || record.name == b"." || record.name == b".." || record.name.contains(&b'/');
        let name = CString::new(record.name.as_slice())
            .ok()
            .filter(|_| !bad)
            .ok_or(Errno::INVAL)?;
        resolver.child(dir, &name, OFlags::PATH)
    }
}

/// Why the kernel did not do it.
pub(super) fn refused(errno: Errno) -> Why {
    Why::Refused {
        errno: errno.raw_os_error(),
    }
}

/// An open entry.
pub(super) struct Entry {
    fd: OwnedFd,
    /// What it was when it was opened.
    pub(super) meta: Meta,
}

impl Entry {
    /// Owner, group and permission bits when it was opened.
    pub(super) fn state(&self) -> (u32, u32, u32) {
        (self.meta.uid, self.meta.gid, self.meta.mode & 0o7777)
    }

    fn path(&self) -> CString {
        attributes::path_of(&self.fd)
    }

    pub(super) fn attributes(&self) -> Result<Attributes, Errno> {
        Attributes::read(&self.path(), Last::Descriptor)
    }

    /// Owner, group and permission bits now.
    pub(super) fn now(&self) -> Result<(u32, u32, u32), Errno> {
        let meta = Meta::of(self.fd.as_fd())?;
        Ok((meta.uid, meta.gid, meta.mode & 0o7777))
    }

    /// Changes its owner; the kernel then takes away set-id bits and the capability.
    pub(super) fn chown(&self, uid: Option<u32>, gid: Option<u32>) -> Result<(), Errno> {
        if uid == Some(u32::MAX) || gid == Some(u32::MAX) {
            return Err(Errno::INVAL);
        }
        let (uid, gid) = (uid.map(Uid::from_raw), gid.map(Gid::from_raw));
        chownat(&self.fd, c"", uid, gid, AtFlags::EMPTY_PATH)
    }

    pub(super) fn chmod(&self, mode: u32) -> Result<(), Errno> {
        chmod(self.path().as_c_str(), Mode::from_raw_mode(mode & 0o7777))
    }

    pub(super) fn set(&self, name: &std::ffi::CStr, value: &[u8]) -> Result<(), Errno> {
        attributes::write(&self.path(), name, value)
    }

    /// Gives it owner, bits and capability, each only where that changes something: a chown that changes nothing takes
    /// away privileges too. The order is chown, chmod, capability.
    pub(super) fn give(
        &self,
        from: (u32, u32, u32),
        to: (u32, u32, u32),
        capability: Option<&[u8]>,
    ) -> Result<(), Errno> {
        let owner = (to.0 != from.0).then_some(to.0);
        let group = (to.1 != from.1).then_some(to.1);
        let moves = owner.is_some() || group.is_some();
        if moves {
            self.chown(owner, group)?;
        }
        let kind = self.meta.kind();
        let lost = moves && kind != Kind::Dir && (from.2 | to.2) & SET_ID != 0;
        if kind != Kind::Symlink && (to.2 != from.2 || lost) {
            self.chmod(to.2)?;
        }
        match capability.filter(|_| moves) {
            Some(capability) => self.set(CAPABILITY, capability),
            None => Ok(()),
        }
    }
}
