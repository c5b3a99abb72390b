//! Reads the extended attributes that an archive keeps. Changes nothing.

use std::ffi::{CStr, CString};
use std::os::fd::BorrowedFd;

use rustix::fs::{fgetxattr, flistxattr, lgetxattr, llistxattr};
use rustix::io::Errno;

use crate::fs::attributes;

/// Most bytes of an attribute (`XATTR_SIZE_MAX`) and of a list of names.
const MOST: usize = 64 << 10;

/// Whose attributes are read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Of<'a> {
    /// What was opened.
    Open(BorrowedFd<'a>),
    /// A name in a directory: a link, a device, or what cannot be opened.
    Name(BorrowedFd<'a>, &'a CStr),
}

/// Reads attributes; keeps its buffers from one entry to the next.
#[derive(Debug)]
pub(super) struct Reader {
    names: Vec<u8>,
    value: Vec<u8>,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            names: vec![0; MOST],
            value: vec![0; MOST],
        }
    }
}

impl Reader {
    /// Puts the attributes of an entry into `found`, in the order of their names. What security modules of this machine
    /// keep there (labels, measurements) stays out: it means nothing on another one, and here the module sets it anew.
    pub(super) fn read(&mut self, of: Of<'_>, found: &mut Vec<(Vec<u8>, Vec<u8>)>) -> Result<(), Errno> {
        found.clear();
        let path = match of {
            Of::Open(_) => CString::default(),
            Of::Name(dir, name) => attributes::path_in(dir, name),
        };
        let listed = match of {
            Of::Open(fd) => flistxattr(fd, &mut self.names[..]),
            Of::Name(..) => llistxattr(&path, &mut self.names[..]),
        };
        let length = match listed {
            Ok(0) | Err(Errno::NOTSUP) => return Ok(()),
            other => other?,
        };
        for name in self.names[..length].split_inclusive(|&byte| byte == 0) {
            let Ok(name) = CStr::from_bytes_with_nul(name) else {
                continue;
            };
            if !is_kept(name.to_bytes()) {
                continue;
            }
            let got = match of {
                Of::Open(fd) => fgetxattr(fd, name, &mut self.value[..]),
                Of::Name(..) => lgetxattr(&path, name, &mut self.value[..]),
            };
            match got {
                Ok(length) => found.push((name.to_bytes().to_vec(), self.value[..length].to_vec())),
                // Removed meanwhile; or listed by a file system that does not tell it.
                Err(Errno::NODATA | Errno::NOTSUP) => {}
                Err(errno) => return Err(errno),
            }
        }
        found.sort();
        Ok(())
    }
}

/// Whether an attribute belongs to the data.
fn is_kept(name: &[u8]) -> bool {
    !name.starts_with(b"security.") || name == attributes::CAPABILITY.to_bytes()
}
