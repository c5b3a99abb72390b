//! Removes trees of any depth in bounded memory, through no symlink and across no mount.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, RawDir, SeekFrom, fchmod, seek, unlinkat};
use rustix::io::Errno;

use crate::fs::resolve::Resolver;

/// Names that are read before they are removed.
const BATCH: usize = 1000;
/// Levels whose directories stay open, the lowest ones.
const OPEN: usize = 64;
const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);

/// What could not be removed, and why.
pub(super) type Left = (Vec<u8>, Errno);

/// Is asked before each removal.
pub(super) type Ask<'a> = &'a mut dyn FnMut() -> Result<(), Errno>;

/// Removes a name in an open directory with all beneath; one that is missing is no error.
pub(super) fn tree(resolver: Resolver, dir: impl AsFd, name: &CStr, ask: Ask<'_>) -> Result<(), Left> {
    ask().map_err(|errno| (name.to_bytes().to_vec(), errno))?;
    match unlinkat(dir.as_fd(), name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(errno) => return Err((name.to_bytes().to_vec(), errno)),
    }
    let top = match resolver.child(dir.as_fd(), name, FLAGS) {
        Ok(top) => top,
        // An immutable file: what forbade to remove it is the reason.
        Err(Errno::NOTDIR | Errno::LOOP) => return Err((name.to_bytes().to_vec(), Errno::PERM)),
        Err(errno) => return Err((name.to_bytes().to_vec(), errno)),
    };
    contents(resolver, &top, &|_| false, ask).map_err(|(path, errno)| ([name.to_bytes(), &path].join(&b'/'), errno))?;
    unlinkat(dir, name, AtFlags::REMOVEDIR).map_err(|errno| (name.to_bytes().to_vec(), errno))
}

/// Removes all that is in an open directory, but for names at its top that `spare` names.
pub(super) fn contents(
    resolver: Resolver,
    top: &OwnedFd,
    spare: &dyn Fn(&CStr) -> bool,
    ask: Ask<'_>,
) -> Result<(), Left> {
    let mut way: Vec<(CString, Option<OwnedFd>)> = Vec::new();
    loop {
        let at_top = way.is_empty();
        if way.last().is_some_and(|(_, fd)| fd.is_none()) {
            let path = path_of(&way);
            let opened = resolver.open(top, &path, FLAGS).map_err(|errno| (path, errno))?;
            if let Some((_, fd)) = way.last_mut() {
                *fd = Some(opened);
            }
        }
        let path = || path_of(&way);
        let here = way.last().and_then(|(_, fd)| fd.as_ref()).unwrap_or(top);
        let spared = |name: &CStr| at_top && spare(name);
        let below = empty(here, &spared, ask).map_err(|(name, errno)| (joined(path(), &name), errno))?;
        match below {
            Some(name) => {
                let opened = resolver.child(here, &name, FLAGS);
                let fd = opened.map_err(|errno| (joined(path(), name.to_bytes()), errno))?;
                if !rustix::process::geteuid().is_root() {
                    // Only who is root may write in a directory that forbids it.
                    fchmod(&fd, Mode::RWXU).map_err(|errno| (joined(path(), name.to_bytes()), errno))?;
                }
                way.push((name, Some(fd)));
                if let Some(far) = way.len().checked_sub(OPEN + 1) {
                    way[far].1 = None;
                }
            }
            None => {
                if way.pop().is_none() {
                    return Ok(());
                }
            }
        }
    }
}

fn path_of(way: &[(CString, Option<OwnedFd>)]) -> Vec<u8> {
    way.iter()
        .map(|(name, _)| name.to_bytes())
        .collect::<Vec<_>>()
        .join(&b'/')
}

fn joined(mut path: Vec<u8>, name: &[u8]) -> Vec<u8> {
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// Removes what can be removed in one directory; names a directory in it that is not empty.
fn empty(dir: &OwnedFd, spared: &dyn Fn(&CStr) -> bool, ask: Ask<'_>) -> Result<Option<CString>, Left> {
    loop {
        let names = names(dir, spared).map_err(|errno| (Vec::new(), errno))?;
        if names.is_empty() {
            return Ok(None);
        }
        for name in names {
            let left = |errno| (name.to_bytes().to_vec(), errno);
            ask().map_err(left)?;
            match unlinkat(dir, name.as_c_str(), AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(refused @ (Errno::ISDIR | Errno::PERM)) => {
                    match unlinkat(dir, name.as_c_str(), AtFlags::REMOVEDIR) {
                        Ok(()) | Err(Errno::NOENT) => {}
                        Err(Errno::NOTEMPTY | Errno::EXIST) => return Ok(Some(name)),
                        Err(Errno::NOTDIR) => return Err(left(refused)),
                        Err(errno) => return Err(left(errno)),
                    }
                }
                Err(errno) => return Err(left(errno)),
            }
        }
    }
}

/// The first names in a directory.
fn names(dir: &OwnedFd, spared: &dyn Fn(&CStr) -> bool) -> Result<Vec<CString>, Errno> {
    let mut names = Vec::new();
    each(dir, |name| {
        if !spared(name) {
            names.push(name.to_owned());
        }
        names.len() < BATCH
    })?;
    Ok(names)
}

/// Goes through the names in a directory as long as it is told to.
pub(super) fn each(dir: impl AsFd, mut found: impl FnMut(&CStr) -> bool) -> Result<(), Errno> {
    let dir = dir.as_fd();
    seek(dir, SeekFrom::Start(0))?;
    let mut buffer = Vec::with_capacity(32 << 10);
    let mut entries = RawDir::new(dir, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." && !found(name) {
            return Ok(());
        }
    }
    Ok(())
}
