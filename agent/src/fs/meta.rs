//! What the kernel says of one entry, whichever call it can answer. Follows no symlink and opens nothing.

use std::ffi::CStr;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, CWD, FileType, StatxAttributes, StatxFlags, fstat, statat, statx};
use rustix::io::Errno;

use crate::proto::{Entry, Kind, Time};

/// Set when `statx` is not to be had: a kernel before 4.11, or a seccomp profile older than the call.
static WITHOUT_STATX: AtomicBool = AtomicBool::new(false);

/// When what a descriptor stands for was made, where the kernel and the file system tell.
pub(crate) fn born(fd: impl AsFd) -> Option<Time> {
    let found = statx(fd.as_fd(), c"", AtFlags::EMPTY_PATH, StatxFlags::BTIME).ok()?;
    let known = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::BTIME);
    known.then_some(Time {
        secs: found.stx_btime.tv_sec,
        nanos: found.stx_btime.tv_nsec,
    })
}

/// One entry's metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) dev: (u32, u32),
    pub(crate) ino: u64,
    pub(crate) mode: u32,
    pub(crate) nlink: u64,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) size: u64,
    pub(crate) allocated: u64,
    /// Major and minor number of the device that a device's entry stands for.
    pub(crate) rdev: (u32, u32),
    pub(crate) mtime: Time,
    /// When anything about it last changed, attributes included.
    pub(crate) ctime: Time,
    /// Whether a mount starts here; never true where the kernel cannot tell (before Linux 5.8).
    pub(crate) mount_root: bool,
    /// The mount's number, where the kernel tells (Linux 5.8).
    pub(crate) mount: Option<u64>,
    /// Whether it is immutable (`chattr +i`), where the kernel tells (Linux 4.11).
    pub(crate) immutable: bool,
    /// Whether it is append-only (`chattr +a`), where the kernel tells.
    pub(crate) append_only: bool,
}

impl Meta {
    /// Looks at a name in a directory.
    pub(crate) fn at(dir: impl AsFd, name: &CStr) -> Result<Self, Errno> {
        let dir = dir.as_fd();
        if !WITHOUT_STATX.load(Ordering::Relaxed) {
            let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
            match statx(dir, name, flags, StatxFlags::BASIC_STATS | StatxFlags::MNT_ID) {
                Ok(found) => return Ok(Self::from_statx(&found)),
                Err(Errno::NOSYS | Errno::PERM) => look_for_statx(),
                Err(errno) => return Err(errno),
            }
        }
        Ok(Self::from_stat(&statat(
            dir,
            name,
            AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT,
        )?))
    }

    /// Looks at what a descriptor stands for.
    pub(crate) fn of(fd: impl AsFd) -> Result<Self, Errno> {
        let fd = fd.as_fd();
        if !WITHOUT_STATX.load(Ordering::Relaxed) {
            match statx(
                fd,
                c"",
                AtFlags::EMPTY_PATH,
                StatxFlags::BASIC_STATS | StatxFlags::MNT_ID,
            ) {
                Ok(found) => return Ok(Self::from_statx(&found)),
                Err(Errno::NOSYS | Errno::PERM) => look_for_statx(),
                Err(errno) => return Err(errno),
            }
        }
        Ok(Self::from_stat(&fstat(fd)?))
    }

    fn from_statx(found: &rustix::fs::Statx) -> Self {
        let known = StatxFlags::from_bits_retain(found.stx_mask);
        Self {
            dev: (found.stx_dev_major, found.stx_dev_minor),
            ino: found.stx_ino,
            mode: u32::from(found.stx_mode),
            nlink: u64::from(found.stx_nlink),
            uid: found.stx_uid,
            gid: found.stx_gid,
            size: found.stx_size,
            allocated: found.stx_blocks.saturating_mul(512),
            rdev: (found.stx_rdev_major, found.stx_rdev_minor),
            mtime: Time {
                secs: found.stx_mtime.tv_sec,
                nanos: found.stx_mtime.tv_nsec,
            },
            ctime: Time {
                secs: found.stx_ctime.tv_sec,
                nanos: found.stx_ctime.tv_nsec,
            },
            mount_root: found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
            mount: known.contains(StatxFlags::MNT_ID).then_some(found.stx_mnt_id),
            immutable: found.stx_attributes.contains(StatxAttributes::IMMUTABLE),
            append_only: found.stx_attributes.contains(StatxAttributes::APPEND),
        }
    }

    #[expect(
        clippy::unnecessary_cast,
        clippy::cast_sign_loss,
        clippy::cast_possible_truncation,
        reason = "the widths of struct stat differ between architectures; none of these values is negative or wider"
    )]
    fn from_stat(found: &rustix::fs::Stat) -> Self {
        Self {
            dev: (rustix::fs::major(found.st_dev), rustix::fs::minor(found.st_dev)),
            ino: found.st_ino,
            mode: found.st_mode as u32,
            nlink: found.st_nlink as u64,
            uid: found.st_uid,
            gid: found.st_gid,
            size: found.st_size as u64,
            allocated: (found.st_blocks as u64).saturating_mul(512),
            rdev: (rustix::fs::major(found.st_rdev), rustix::fs::minor(found.st_rdev)),
            mtime: Time {
                secs: found.st_mtime as i64,
                nanos: found.st_mtime_nsec as u32,
            },
            ctime: Time {
                secs: found.st_ctime as i64,
                nanos: found.st_ctime_nsec as u32,
            },
            mount_root: false,
            mount: None,
            immutable: false,
            append_only: false,
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        kind(FileType::from_raw_mode(self.mode))
    }

    pub(crate) fn is_dir(&self) -> bool {
        FileType::from_raw_mode(self.mode) == FileType::Directory
    }

    /// Whether both look at the same inode.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.dev == other.dev && self.ino == other.ino
    }

    /// Whether this, found in `parent`, belongs to another mount or another file system. Only a directory's device
    /// tells: overlayfs gives its files those of the layers.
    pub(crate) fn foreign_to(&self, parent: &Self) -> bool {
        self.mount_root || (self.is_dir() && self.dev != parent.dev)
    }

    /// The protocol's entry of this name.
    pub(crate) fn entry(&self, name: Vec<u8>, target: Option<Vec<u8>>, other_fs: bool) -> Entry {
        Entry {
            name,
            kind: self.kind(),
            mode: self.mode & 0o7777,
            uid: self.uid,
            gid: self.gid,
            size: self.size,
            allocated: self.allocated,
            mtime: self.mtime,
            nlink: self.nlink,
            ino: self.ino,
            target,
            other_fs,
            errno: None,
        }
    }
}

/// Gives up on `statx` when it fails where it cannot: a file system may refuse a single entry with `EPERM` too.
fn look_for_statx() {
    if statx(CWD, c".", AtFlags::empty(), StatxFlags::TYPE).is_err() {
        WITHOUT_STATX.store(true, Ordering::Relaxed);
    }
}

/// The entry of a name that could not be looked at.
pub(crate) fn unseen(name: Vec<u8>, kind: Kind, errno: Errno) -> Entry {
    Entry {
        name,
        kind,
        mode: 0,
        uid: 0,
        gid: 0,
        size: 0,
        allocated: 0,
        mtime: Time { secs: 0, nanos: 0 },
        nlink: 0,
        ino: 0,
        target: None,
        other_fs: false,
        errno: Some(errno.raw_os_error()),
    }
}

/// The protocol's word for a file type.
pub(crate) fn kind(file_type: FileType) -> Kind {
    match file_type {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Dir,
        FileType::Symlink => Kind::Symlink,
        FileType::Fifo => Kind::Fifo,
        FileType::Socket => Kind::Socket,
        FileType::CharacterDevice => Kind::CharDevice,
        FileType::BlockDevice => Kind::BlockDevice,
        FileType::Unknown => Kind::Unknown,
    }
}
