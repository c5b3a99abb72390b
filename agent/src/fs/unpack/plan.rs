//! What an exchange of old contents for new ones is to exchange, decided before anything moves.

use std::ffi::CStr;
use std::os::fd::OwnedFd;

use rustix::io::Errno;

use super::stamp::Stamp;
use super::swap::{Plan, Staging, Stop};
use super::{clear, is_reserved, told};
use crate::fs::fault;
use crate::fs::meta::Meta;
use crate::proto::Fault;

impl Staging<'_> {
    /// Decides what is exchanged, and makes sure as far as can be seen that nothing in the way will refuse.
    pub(super) fn plan(&self, only: &[Vec<u8>], top: Option<Stamp>) -> Result<Plan, Fault> {
        let mut obstacle = None;
        if only.is_empty() {
            let root = Meta::of(self.root).map_err(|errno| fault(b"", errno, "looking at the root"))?;
            let looked = clear::each(self.root, |name| {
                if !is_reserved(name) {
                    obstacle = obstructs(self.root, name, &root);
                }
                obstacle.is_none()
            });
            looked.map_err(|errno| fault(b"", errno, "looking at what is there"))?;
            return obstacle.map_or(Ok(Plan { paths: None, top }), Err);
        }
        let mut paths = Vec::new();
        for path in only {
            let point = self
                .point(path)
                .map_err(|errno| fault(path, errno, "looking at what is there"))?;
            if !paths.contains(&point) {
                paths.push(point);
            }
        }
        for path in &paths {
            let (dir, name) = self.parent(self.root, path).map_err(Stop::fault)?;
            let above = Meta::of(&dir).map_err(|errno| fault(path, errno, "looking at what is there"))?;
            if let Some(fault) = obstructs(&dir, &name, &above) {
                return Err(Fault {
                    path: path.clone(),
                    ..fault
                });
            }
        }
        let paths = Some(paths);
        Ok(Plan { paths, top: None })
    }

    /// Where a path is exchanged: at the first of its directories that is missing, so that it comes with them.
    fn point(&self, path: &[u8]) -> Result<Vec<u8>, Errno> {
        let ends = path
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'/')
            .map(|(at, _)| at);
        for end in ends {
            let (dir, name) = self.resolver.parent(self.root, &path[..end])?;
            match Meta::at(&dir, &name) {
                Ok(meta) if meta.is_dir() => {}
                Ok(_) | Err(Errno::NOENT) => return Ok(path[..end].to_vec()),
                Err(errno) => return Err(errno),
            }
        }
        Ok(path.to_vec())
    }
}

/// Why a name cannot be renamed away, as far as can be seen.
fn obstructs(dir: &OwnedFd, name: &CStr, above: &Meta) -> Option<Fault> {
    let path = name.to_bytes();
    match Meta::at(dir, name) {
        Ok(meta) if meta.foreign_to(above) => {
            Some(told(path, Errno::BUSY, "something is mounted there; unmount it first"))
        }
        Ok(meta) if meta.immutable || meta.append_only || above.immutable || above.append_only => Some(told(
            path,
            Errno::PERM,
            "it cannot be moved, because it or its directory is immutable (chattr -i -a)",
        )),
        Ok(_) | Err(Errno::NOENT) => None,
        Err(errno) => Some(fault(path, errno, "looking at what is there")),
    }
}
