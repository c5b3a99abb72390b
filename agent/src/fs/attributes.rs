//! Extended attributes that decide on access, read and written by way of `/proc/self/fd`, so that nothing is opened.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd};

use rustix::fs::{XattrFlags, getxattr, lgetxattr, listxattr, llistxattr, setxattr};
use rustix::io::Errno;

/// File capabilities.
pub(super) const CAPABILITY: &CStr = c"security.capability";
/// The access control list.
pub(super) const ACL: &CStr = c"system.posix_acl_access";
/// The access control list that new entries get.
pub(super) const DEFAULT_ACL: &CStr = c"system.posix_acl_default";
/// The SELinux label.
pub(super) const LABEL: &CStr = c"security.selinux";

/// Most bytes of an attribute (`XATTR_SIZE_MAX`) and of a list of names.
const MOST: usize = 64 << 10;
/// Bytes that nearly every list of names fits.
const LIST: usize = 1024;
/// Bytes that nearly every attribute fits.
const SHORT: usize = 256;

/// The attributes that a change of owner or mode may lose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) capability: Option<Vec<u8>>,
    pub(super) acl: Option<Vec<u8>>,
    pub(super) default_acl: Option<Vec<u8>>,
}

/// Whether the last component is a magic link, which is followed, or a name, which is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    /// A [`path_of`].
    Descriptor,
    /// A [`path_in`].
    Name,
}

impl Attributes {
    /// Reads them all; one call where there are none.
    pub(super) fn read(path: &CStr, last: Last) -> Result<Self, Errno> {
        let mut list = [0; LIST];
        let listed = match last {
            Last::Descriptor => listxattr(path, &mut list[..]),
            Last::Name => llistxattr(path, &mut list[..]),
        };
        let listed = match listed {
            Ok(0) | Err(Errno::NOTSUP) => return Ok(Self::default()),
            Ok(len) => Some(&list[..len]),
            // Too many names to look through: ask for each.
            Err(Errno::RANGE | Errno::TOOBIG) => None,
            Err(errno) => return Err(errno),
        };
        let get = |name: &CStr| {
            let there = listed.is_none_or(|list| list.split(|&byte| byte == 0).any(|one| one == name.to_bytes()));
            if there { read(path, last, name) } else { Ok(None) }
        };
        Ok(Self {
            capability: get(CAPABILITY)?,
            acl: get(ACL)?,
            default_acl: get(DEFAULT_ACL)?,
        })
    }

    /// Bytes that they take.
    pub(super) fn len(&self) -> usize {
        [&self.capability, &self.acl, &self.default_acl]
            .into_iter()
            .flatten()
            .map(Vec::len)
            .sum()
    }
}

/// One attribute; `None` when there is none, or the file system knows no such thing.
pub(super) fn read(path: &CStr, last: Last, name: &CStr) -> Result<Option<Vec<u8>>, Errno> {
    let get = |value: &mut [u8]| match last {
        Last::Descriptor => getxattr(path, name, value),
        Last::Name => lgetxattr(path, name, value),
    };
    let mut short = [0; SHORT];
    let got = match get(&mut short) {
        Ok(len) => Ok(short[..len].to_vec()),
        Err(Errno::RANGE) => {
            let mut value = vec![0; MOST];
            get(&mut value).map(|len| {
                value.truncate(len);
                value
            })
        }
        Err(errno) => Err(errno),
    };
    match got {
        Ok(value) => Ok(Some(value)),
        Err(Errno::NODATA | Errno::NOTSUP) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// The path by which calls without a descriptor reach what an open descriptor stands for: a magic link, which is
/// followed by calls that follow.
pub(super) fn path_of(fd: impl AsFd) -> CString {
    let path = format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
    // A number has no NUL.
    CString::new(path).unwrap_or_default()
}

/// The path of a name in an open directory.
pub(super) fn path_in(dir: impl AsFd, name: &CStr) -> CString {
    let mut path = path_of(dir).into_bytes();
    path.push(b'/');
    path.extend_from_slice(name.to_bytes());
    // Nor has a name of the kernel's.
    CString::new(path).unwrap_or_default()
}

/// Writes an attribute of what an open descriptor stands for, by its [`path_of`].
pub(super) fn write(path: &CStr, name: &CStr, value: &[u8]) -> Result<(), Errno> {
    setxattr(path, name, value, XattrFlags::empty())
}
