//! What an entry is given once its contents stand: owner, mode, attributes and time, in an order in which none undoes
//! another. What the kernel refuses is told, and the rest goes on.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, XattrFlags, chmod, chownat, fchmod, fchown, fgetxattr,
    flistxattr, fremovexattr, fsetxattr, fstatvfs, futimens, lsetxattr, openat, utimensat,
};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use serde::{Deserialize, Serialize};

use crate::archive::Entry;
use crate::fs::attributes::{ACL, CAPABILITY, DEFAULT_ACL, path_in, path_of};
use crate::fs::meta::Meta;
use crate::proto::Time;

/// Longest list of names and longest attribute.
const MOST: usize = 64 << 10;

/// What an entry is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mode: u32,
    pub(super) mtime: Time,
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// An error that ends everything, as against one that is told.
pub(super) type Grave = Errno;

impl Stamp {
    pub(super) fn of(entry: &Entry) -> Self {
        Self {
            uid: entry.uid,
            gid: entry.gid,
            mode: entry.mode & 0o7777,
            mtime: entry.mtime,
            xattrs: entry.xattrs.clone(),
        }
    }

    /// What an open directory has.
    pub(super) fn read(dir: impl AsFd) -> Result<Self, Errno> {
        let dir = dir.as_fd();
        let meta = Meta::of(dir)?;
        let mut xattrs = Vec::new();
        for name in listed(dir)? {
            let mut value = vec![0; MOST];
            match fgetxattr(dir, name.as_c_str(), &mut value[..]) {
                Ok(len) => xattrs.push((name.into_bytes(), value[..len].to_vec())),
                Err(Errno::NODATA | Errno::NOTSUP) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(Self {
            uid: meta.uid,
            gid: meta.gid,
            mode: meta.mode & 0o7777,
            mtime: meta.mtime,
            xattrs,
        })
    }

    /// Gives it to what is open; `lack` is told what the kernel refuses.
    pub(super) fn give(&self, fd: impl AsFd, lack: &mut dyn FnMut(Errno)) -> Result<(), Grave> {
        let fd = fd.as_fd();
        let meta = Meta::of(fd)?;
        let mut mode = meta.mode & 0o7777;
        let mut moved = false;
        if (meta.uid, meta.gid) != (self.uid, self.gid) {
            let owner = owner(self.uid, self.gid);
            moved = told(owner.and_then(|(uid, gid)| fchown(fd, uid, gid)), lack)?;
        }
        // A change of owner takes set-id bits away.
        if moved && mode & 0o6000 != 0 {
            mode = u32::MAX;
        }
        if mode != self.mode {
            told(fchmod(fd, Mode::from_raw_mode(self.mode)), lack)?;
        }
        self.each(lack, |name, value| {
            fsetxattr(fd, name, value, XattrFlags::empty()).map_err(|errno| (errno, is_full(fd)))
        })?;
        told(futimens(fd, &self.times()), lack)?;
        Ok(())
    }

    /// Gives it to the root: as [`Self::give`], and takes away what attributes it has besides.
    pub(super) fn give_root(&self, fd: impl AsFd, lack: &mut dyn FnMut(Errno)) -> Result<(), Grave> {
        let fd = fd.as_fd();
        for name in listed(fd)? {
            let ours =
                name.to_bytes().starts_with(b"user.") || name.as_c_str() == ACL || name.as_c_str() == DEFAULT_ACL;
            if ours && !self.xattrs.iter().any(|(known, _)| known == name.as_bytes()) {
                told(fremovexattr(fd, name.as_c_str()), lack)?;
            }
        }
        self.give(fd, lack)
    }

    /// Gives it to a name that cannot be opened: a link, a pipe or a device.
    pub(super) fn give_name(
        &self,
        dir: &OwnedFd,
        name: &CStr,
        link: bool,
        lack: &mut dyn FnMut(Errno),
    ) -> Result<(), Grave> {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        let owner = owner(self.uid, self.gid);
        told(owner.and_then(|(uid, gid)| chownat(dir, name, uid, gid, flags)), lack)?;
        if !link {
            let opened = openat(
                dir,
                name,
                OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
                Mode::empty(),
            );
            let given = opened.and_then(|fd| chmod(path_of(&fd).as_c_str(), Mode::from_raw_mode(self.mode)));
            told(given, lack)?;
        }
        if !self.xattrs.is_empty() {
            let path = path_in(dir, name);
            self.each(lack, |attribute, value| {
                let set = lsetxattr(path.as_c_str(), attribute, value, XattrFlags::empty());
                set.map_err(|errno| (errno, is_full(dir.as_fd())))
            })?;
        }
        told(utimensat(dir, name, &self.times(), flags), lack)?;
        Ok(())
    }

    /// Sets attributes; the capability last.
    fn each(
        &self,
        lack: &mut dyn FnMut(Errno),
        set: impl Fn(&CStr, &[u8]) -> Result<(), (Errno, bool)>,
    ) -> Result<(), Grave> {
        let is_last = |name: &[u8]| name == CAPABILITY.to_bytes();
        let first = self.xattrs.iter().filter(|(name, _)| !is_last(name));
        for (name, value) in first.chain(self.xattrs.iter().filter(|(name, _)| is_last(name))) {
            let result = match CString::new(name.as_slice()) {
                Ok(name) => set(&name, value),
                Err(_) => Err((Errno::INVAL, false)),
            };
            match result {
                Ok(()) => {}
                // Many file systems have room for few attributes of a file, whatever room they have for files.
                Err((errno @ (Errno::NOSPC | Errno::DQUOT), true)) => return Err(errno),
                Err((errno @ (Errno::NOSPC | Errno::DQUOT), false)) => lack(errno),
                Err((errno, _)) => {
                    told(Err(errno), lack)?;
                }
            }
        }
        Ok(())
    }

    fn times(&self) -> Timestamps {
        Timestamps {
            last_access: Timespec {
                tv_sec: 0,
                tv_nsec: UTIME_OMIT,
            },
            last_modification: timespec(self.mtime),
        }
    }
}

/// Sets only the time of an open directory.
pub(super) fn set_mtime(fd: impl AsFd, mtime: Time) -> Result<(), Errno> {
    let stamp = Stamp {
        uid: 0,
        gid: 0,
        mode: 0,
        mtime,
        xattrs: Vec::new(),
    };
    futimens(fd, &stamp.times())
}

fn timespec(time: Time) -> Timespec {
    Timespec {
        tv_sec: time.secs,
        tv_nsec: time.nanos.into(),
    }
}

/// All bits set means "leave it" to the kernel.
fn owner(uid: u32, gid: u32) -> Result<(Option<Uid>, Option<Gid>), Errno> {
    if uid == u32::MAX || gid == u32::MAX {
        return Err(Errno::INVAL);
    }
    Ok((Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))))
}

/// Whether something was done; what the kernel merely refuses is told.
fn told(result: Result<(), Errno>, lack: &mut dyn FnMut(Errno)) -> Result<bool, Grave> {
    match result {
        Ok(()) => Ok(true),
        Err(errno) if is_grave(errno) => Err(errno),
        Err(errno) => {
            lack(errno);
            Ok(false)
        }
    }
}

/// Whether an error says that the disk fails or is full, or that nothing can be written at all.
pub(super) fn is_grave(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::NOSPC
            | Errno::DQUOT
            | Errno::IO
            | Errno::ROFS
            | Errno::NOMEM
            | Errno::STALE
            | Errno::NOENT
            | Errno::BADF
    )
}

/// Whether a file system has no room left.
fn is_full(fd: BorrowedFd<'_>) -> bool {
    // Where it cannot be asked, the error is believed.
    fstatvfs(fd).map_or(true, |stat| stat.f_bavail < 16)
}

/// Names of the attributes of what is open.
pub(super) fn listed(fd: BorrowedFd<'_>) -> Result<Vec<CString>, Errno> {
    let mut names = vec![0; MOST];
    match flistxattr(fd, &mut names[..]) {
        Ok(len) => {
            let names = names[..len].split(|&byte| byte == 0);
            Ok(names
                .filter(|name| !name.is_empty())
                .filter_map(|name| CString::new(name).ok())
                .collect())
        }
        Err(Errno::NOTSUP) => Ok(Vec::new()),
        Err(errno) => Err(errno),
    }
}
