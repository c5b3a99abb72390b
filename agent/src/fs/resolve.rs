//! Opens what stands beneath a root without ever leaving it: no symlink is followed, no mount is crossed.
//! Knows descriptors and paths, not requests.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

use super::meta::Meta;

/// Longest path given to the kernel at once; `PATH_MAX` is 4096 with the final NUL.
const STEP: usize = 4000;
/// `openat2` answers `EAGAIN` when a rename races with it.
const RACES: usize = 16;
const BENEATH: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

/// How paths are resolved on this kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resolver {
    /// By `openat2` (Linux 5.6), many components at once.
    Openat2,
    /// By one `openat` per component, each checked for a change of file system.
    Components,
}

impl Resolver {
    /// Finds out whether `openat2` works: older kernels lack it, older seccomp profiles forbid it.
    pub(crate) fn detect() -> Self {
        match openat2(
            CWD,
            c".",
            OFlags::PATH | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::NO_SYMLINKS,
        ) {
            Err(Errno::NOSYS | Errno::PERM) => Self::Components,
            _ => Self::Openat2,
        }
    }

    /// Opens what stands at `path` beneath `top`; an empty path reopens `top`, which then must be a directory.
    pub(crate) fn open(self, top: impl AsFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let mut steps = steps(path, if self == Self::Openat2 { STEP } else { 1 })?
            .into_iter()
            .peekable();
        let Some(first) = steps.next() else {
            return openat(top, c".", flags | OFlags::CLOEXEC, Mode::empty());
        };
        let through = OFlags::PATH | OFlags::DIRECTORY;
        let mut here = self.child(top, &first, if steps.peek().is_some() { through } else { flags })?;
        while let Some(step) = steps.next() {
            here = self.child(&here, &step, if steps.peek().is_some() { through } else { flags })?;
        }
        Ok(here)
    }

    /// Opens the directory that holds the last component of `path`, and that component.
    pub(crate) fn parent(self, top: impl AsFd, path: &[u8]) -> Result<(OwnedFd, CString), Errno> {
        let (dir, name) = match path.iter().rposition(|&byte| byte == b'/') {
            Some(at) => (&path[..at], &path[at + 1..]),
            None => (&path[..0], path),
        };
        let name = component(name)?;
        Ok((self.open(top, dir, OFlags::PATH | OFlags::DIRECTORY)?, name))
    }

    /// Opens one step below a directory.
    pub(crate) fn child(self, dir: impl AsFd, step: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match self {
            Self::Openat2 => {
                let mut result = Err(Errno::AGAIN);
                for _ in 0..RACES {
                    result = openat2(dir.as_fd(), step, flags, Mode::empty(), BENEATH);
                    if !matches!(result, Err(Errno::AGAIN)) {
                        break;
                    }
                }
                result
            }
            Self::Components => checked(dir.as_fd(), step, flags),
        }
    }
}

/// Opens one component and refuses it when it belongs to another file system or mount.
fn checked(dir: BorrowedFd<'_>, name: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    let above = Meta::of(dir)?;
    // Looked at before it is opened: opening can trigger an automount.
    if Meta::at(dir, name)?.foreign_to(&above) {
        return Err(Errno::XDEV);
    }
    let fd = openat(dir, name, flags, Mode::empty())?;
    let found = Meta::of(&fd)?;
    if found.dev != above.dev || found.mount != above.mount {
        Err(Errno::XDEV)
    } else {
        Ok(fd)
    }
}

/// Splits a path into steps of at most `longest` bytes, at least one component each.
pub(super) fn steps(path: &[u8], longest: usize) -> Result<Vec<CString>, Errno> {
    let mut steps = Vec::new();
    let mut step: Vec<u8> = Vec::new();
    if path.is_empty() {
        return Ok(steps);
    }
    for part in path.split(|&byte| byte == b'/') {
        check(part)?;
        if !step.is_empty() && step.len() + part.len() >= longest {
            steps.push(CString::new(std::mem::take(&mut step)).map_err(|_| Errno::INVAL)?);
        }
        if !step.is_empty() {
            step.push(b'/');
        }
        step.extend_from_slice(part);
    }
    steps.push(CString::new(step).map_err(|_| Errno::INVAL)?);
    Ok(steps)
}

/// One component for the kernel.
fn component(name: &[u8]) -> Result<CString, Errno> {
    check(name)?;
    CString::new(name).map_err(|_| Errno::INVAL)
}

/// Refuses what is no name of an entry.
fn check(name: &[u8]) -> Result<(), Errno> {
    let bad = name.is_empty() || name == b"." || name == b".." || name.contains(&b'/');
    if bad { Err(Errno::INVAL) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_cut_at_components_and_refuse_what_could_leave() {
        assert_eq!(steps(b"", 10).unwrap(), Vec::<CString>::new());
        assert_eq!(steps(b"a/b/c", 10).unwrap(), [c"a/b/c".to_owned()]);
        assert_eq!(
            steps(b"aaaa/bbbb/cc", 8).unwrap(),
            [c"aaaa".to_owned(), c"bbbb/cc".to_owned()]
        );
        assert_eq!(steps(b"a/b", 1).unwrap(), [c"a".to_owned(), c"b".to_owned()]);
        for bad in [&b"/a"[..], b"a//b", b"a/", b"..", b"a/../b", b"./a", b"a\0b"] {
            assert_eq!(steps(bad, 10), Err(Errno::INVAL), "{bad:?}");
        }
    }

    #[test]
    fn both_ways_open_the_same_and_refuse_the_same() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        std::fs::write(dir.path().join("a/b/f"), "x").unwrap();
        std::os::unix::fs::symlink("b", dir.path().join("a/link")).unwrap();
        std::os::unix::fs::symlink("/etc", dir.path().join("out")).unwrap();
        let top = rustix::fs::open(dir.path(), OFlags::PATH, Mode::empty()).unwrap();
        for resolver in [Resolver::Openat2, Resolver::Components] {
            let file = resolver.open(&top, b"a/b/f", OFlags::PATH).unwrap();
            assert_eq!(Meta::of(&file).unwrap().size, 1);
            for through in [&b"a/link/f"[..], b"out/passwd"] {
                assert!(
                    resolver.open(&top, through, OFlags::PATH).is_err(),
                    "{resolver:?} {through:?}"
                );
            }
            let link = resolver.open(&top, b"a/link", OFlags::PATH).unwrap();
            assert_eq!(Meta::of(&link).unwrap().kind(), crate::proto::Kind::Symlink);
        }
    }

    #[test]
    fn no_way_crosses_a_mount() {
        let top = rustix::fs::open("/", OFlags::PATH, Mode::empty()).unwrap();
        for resolver in [Resolver::Openat2, Resolver::Components] {
            assert_eq!(
                resolver.open(&top, b"proc/self", OFlags::PATH).unwrap_err(),
                Errno::XDEV,
                "{resolver:?}"
            );
        }
    }
}
