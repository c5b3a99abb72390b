//! Looks out for signs while a tree is walked: what an entry matches, which directories speak for all beneath them.
//! Reads at most the first bytes of regular files, and opens nothing else.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::{pread, retry_on_intr};

use crate::fs::meta::Meta;
use crate::fs::node::Node;
use crate::proto::Kind;
use crate::signs::{Covered, Entry, Finds, Signs, marked};

/// Reading never waits, whatever a race puts under the name, and never makes a terminal ours.
const FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// Where a directory that is read stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    /// Levels below the place.
    pub(super) depth: u32,
    pub(super) cover: Covering,
}

/// Who speaks for the entries of a directory.
#[derive(Debug, Clone, Copy)]
pub(super) enum Covering {
    /// Settled.
    Is(Covered),
    /// A sign says so by the directory's name, if it holds one of the sign's markers; else it is as above it.
    Asks { sign: u32, above: Covered },
}

impl Covering {
    /// In a place where nothing is looked for.
    pub(super) const UNLOOKED: Self = Self::Is(Covered::Yes);

    /// Looks for the markers in a directory that was opened.
    pub(super) fn settle(
        self,
        signs: &Signs,
        finds: &Finds,
        dir: BorrowedFd<'_>,
        path: impl FnOnce() -> Vec<u8>,
    ) -> Self {
        let Self::Asks { sign, above } = self else {
            return self;
        };
        let at = sign as usize;
        match signs.get(at) {
            Some(sign)
                if sign
                    .cover
                    .as_ref()
                    .is_some_and(|cover| marked(cover, |name, want| head(dir, name, want))) =>
            {
                finds.see(at, sign, path, |_| None);
                Self::Is(Covered::Yes)
            }
            _ => Self::Is(above),
        }
    }

    fn covered(self) -> Covered {
        match self {
            Self::Is(covered) | Self::Asks { above: covered, .. } => covered,
        }
    }

    /// Whether entries here that are no directories are stray.
    pub(super) fn counts_stray(self) -> bool {
        self.covered() == Covered::No
    }
}

/// Who speaks for a whole place.
pub(super) fn root(signs: &Signs, finds: &Finds, dir: BorrowedFd<'_>) -> Covering {
    let holding = signs.of_root(|name, want| head(dir, name, want));
    for at in &holding {
        if let Some(sign) = signs.get(*at) {
            finds.see(*at, sign, Vec::new, |_| None);
        }
    }
    Covering::Is(if holding.is_empty() {
        Covered::No
    } else {
        Covered::Claimed
    })
}

/// Matches an entry, and says who speaks for what is beneath it when it is a directory.
#[inline]
pub(super) fn entry(
    signs: &Signs,
    finds: &Finds,
    level: Level,
    node: &Node,
    dir: BorrowedFd<'_>,
    name: &CStr,
    meta: &Meta,
) -> Covering {
    let covered = level.cover.covered();
    let below = level.depth as usize + 1;
    if covered == Covered::Yes || !signs.reach(below) {
        return Covering::Is(covered);
    }
    let entry = Entry {
        name: name.to_bytes(),
        kind: meta.kind(),
        level: below,
        covered,
    };
    matched(signs, finds, &entry, node, dir, name)
}

/// Apart, so that most entries of a deep tree pass by without it.
#[inline(never)]
fn matched(signs: &Signs, finds: &Finds, entry: &Entry<'_>, node: &Node, dir: BorrowedFd<'_>, name: &CStr) -> Covering {
    let covered = entry.covered;
    let mut cover = Covering::Is(covered);
    if signs.loose(entry) {
        finds.add_stray(1);
    }
    signs.matching(
        entry,
        || node.names(),
        |at| {
            let Some(sign) = signs.get(at) else { return };
            match (&sign.cover, u32::try_from(at)) {
                (Some(_), Ok(at)) => {
                    cover = Covering::Asks {
                        sign: at,
                        above: covered,
                    };
                }
                _ => finds.see(
                    at,
                    sign,
                    || node.path(b"", name.to_bytes()),
                    |want| start(dir, name, want),
                ),
            }
        },
    );
    cover
}

/// The first bytes of a regular file in a directory.
fn head(dir: BorrowedFd<'_>, name: &[u8], want: usize) -> Option<Vec<u8>> {
    let name = CString::new(name)
        .ok()
        .filter(|name| !name.to_bytes().contains(&b'/'))?;
    // Opening a FIFO or a device has effects: look first.
    (Meta::at(dir, &name).ok()?.kind() == Kind::File).then_some(())?;
    start(dir, &name, want)
}

/// The first bytes of what was a regular file when it was looked at.
fn start(dir: BorrowedFd<'_>, name: &CStr, want: usize) -> Option<Vec<u8>> {
    if want == 0 {
        return Some(Vec::new());
    }
    let file = openat(dir, name, FLAGS, Mode::empty()).ok()?;
    (Meta::of(file.as_fd()).ok()?.kind() == Kind::File).then_some(())?;
    let mut bytes = vec![0; want];
    let got = retry_on_intr(|| pread(&file, &mut bytes[..], 0)).ok()?;
    bytes.truncate(got);
    Some(bytes)
}
