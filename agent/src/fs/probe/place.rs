//! Tries one place and the way to it. Each directory and the place are judged by themselves, as if all above could be
//! passed.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::actor::{Actor, Ask, Subject, Tried, Wanted};
use crate::fs::attributes::{self, ACL, LABEL, Last};
use crate::fs::meta::Meta;
use crate::fs::resolve::steps;
use crate::fs::{Roots, fault, shortened};
use crate::proto::probe::{Facts, Owner, Probe, Probed};
use crate::proto::{Fault, Kind};

/// One probe, and who tries.
pub(super) struct Scene<'a> {
    pub(super) roots: &'a Roots,
    pub(super) probe: &'a Probe,
    pub(super) super_read_only: bool,
    pub(super) who: &'a Actor,
    pub(super) root: Result<&'a Actor, Errno>,
}

/// A place that was tried.
pub(super) struct Tested {
    pub(super) meta: Meta,
    /// Whether the one who tries may pass it.
    pub(super) passable: bool,
}

impl Scene<'_> {
    /// Tries the place; what it is when it is a directory.
    pub(super) fn place(&self, probed: &mut Probed) -> Result<Option<Tested>, Fault> {
        let way = self.way()?;
        let path = &self.probe.at.path;
        let Some(place) = way.last() else {
            return Err(fault(path, Errno::NOENT, "trying it"));
        };
        let tried = |errno| fault(path, errno, "trying it");
        let meta = Meta::of(place.as_fd()).map_err(tried)?;
        let ask = |(index, fd): (usize, &Arc<OwnedFd>)| Ask {
            subject: Subject::Open(Arc::clone(fd)),
            wanted: if index + 1 == way.len() {
                Wanted::Each
            } else {
                Wanted::Pass
            },
        };
        let tries = self
            .who
            .attempt(way.iter().enumerate().map(ask).collect())
            .map_err(tried)?;
        let Some((last, above)) = tries.split_last() else {
            return Err(tried(Errno::IO));
        };
        if let Some(bar) = above.iter().position(|tried| tried.enter != 0) {
            let facts = way.get(bar).map_or(Err(Errno::IO), facts).map_err(tried)?;
            probed.barred = Some((shortened(&prefix(path, bar)), facts));
        }
        probed.super_read_only = self.super_read_only;
        probed.facts = Some(facts(place).map_err(tried)?);
        let allowed = self.allowed(*last);
        (probed.read, probed.write, probed.enter) = (allowed.read, allowed.write, allowed.enter);
        probed.write_as_root = self.write_as_root(place).map_err(tried)?;
        probed.owners = vec![Owner {
            uid: meta.uid,
            gid: meta.gid,
            entries: 1,
        }];
        let passable = last.enter == 0;
        Ok((meta.kind() == Kind::Dir).then_some(Tested { meta, passable }))
    }

    /// Takes the helper's own read-only mount out of what the kernel said.
    pub(super) fn allowed(&self, tried: Tried) -> Tried {
        let only_mount = tried.write == Errno::ROFS.raw_os_error() && !self.super_read_only;
        Tried {
            write: if only_mount { 0 } else { tried.write },
            ..tried
        }
    }

    fn write_as_root(&self, place: &Arc<OwnedFd>) -> Result<i32, Errno> {
        let Ok(root) = self.root else {
            return Ok(Errno::NOSYS.raw_os_error());
        };
        let subject = Subject::Open(Arc::clone(place));
        let tries = root.attempt(vec![Ask {
            subject,
            wanted: Wanted::Each,
        }])?;
        tries.first().map(|tried| self.allowed(*tried).write).ok_or(Errno::IO)
    }

    /// All directories from the root to the place, and the place: opened with the agent's rights.
    fn way(&self) -> Result<Vec<Arc<OwnedFd>>, Fault> {
        let (roots, at) = (self.roots, &self.probe.at);
        let failed = |errno| fault(&at.path, errno, "opening it");
        let top = roots.root(at)?.fd()?.try_clone_to_owned();
        let top = top.map_err(|error| failed(Errno::from_raw_os_error(error.raw_os_error().unwrap_or(0))))?;
        let mut way = vec![Arc::new(top)];
        let steps = steps(&at.path, 1).map_err(failed)?;
        for (index, step) in steps.iter().enumerate() {
            let through = match index + 1 == steps.len() {
                true => OFlags::PATH,
                false => OFlags::PATH | OFlags::DIRECTORY,
            };
            let Some(above) = way.last() else { break };
            let next = roots.resolver.child(above, step, through).map_err(failed)?;
            way.push(Arc::new(next));
        }
        Ok(way)
    }
}

/// The path of a directory above a place, so many components below the root.
fn prefix(path: &[u8], components: usize) -> Vec<u8> {
    let parts: Vec<&[u8]> = path.split(|&byte| byte == b'/').take(components).collect();
    parts.join(&b'/')
}

/// What stands there, read with the agent's rights.
pub(super) fn facts(fd: impl AsFd) -> Result<Facts, Errno> {
    let fd = fd.as_fd();
    let meta = Meta::of(fd)?;
    let path = attributes::path_of(fd);
    // An attribute that may not be read, or not without /proc, is as unknown as none.
    let read = |name| attributes::read(&path, Last::Descriptor, name).ok().flatten();
    Ok(Facts {
        kind: meta.kind(),
        mode: meta.mode & 0o7777,
        uid: meta.uid,
        gid: meta.gid,
        nlink: meta.nlink,
        ino: meta.ino,
        immutable: meta.immutable,
        append_only: meta.append_only,
        acl: read(ACL),
        label: read(LABEL),
    })
}
