//! Finishes or takes back what unpackings left that were killed. An unpacking that still runs must not be mended: whoever
//! asks sees to that.

use std::ffi::CString;
use std::os::fd::OwnedFd;

use rustix::io::Errno;

use super::names::STAGING;
use super::swap::{Phase, Plan, Staging, Stop};
use super::{Roots, clear, fault, told};
use crate::fs::resolve::Resolver;
use crate::proto::archive::Mended;
use crate::proto::{Fault, Reply};
use crate::serve::{Halt, Sink};

impl Roots {
    /// See [`crate::proto::Request::Mend`]. What could not be mended is in the notes.
    pub(in crate::fs) fn mend(&self, root: u32, sink: &Sink) -> Result<Vec<Fault>, Halt> {
        let root = self.landing(root)?;
        let Some(_begun) = sink.begin() else {
            return Err(Halt::Cancelled);
        };
        let (mended, notes) = all(self.resolver, &root)?;
        sink.send(Reply::Mended(mended))?;
        Ok(notes)
    }
}

/// Mends all that there is in a root.
pub(super) fn all(resolver: Resolver, root: &OwnedFd) -> Result<(Vec<Mended>, Vec<Fault>), Fault> {
    let mut names: Vec<CString> = Vec::new();
    let looked = clear::each(root, |name| {
        if name.to_bytes().starts_with(STAGING) {
            names.push(name.to_owned());
        }
        true
    });
    looked.map_err(|errno| fault(b"", errno, "looking for what was left"))?;
    let (mut mended, mut notes) = (Vec::new(), Vec::new());
    for name in names {
        let left = name.to_bytes().to_vec();
        let found = Staging::found(resolver, root, name).and_then(|staging| Ok((staging.is_ours()?, staging)));
        match found {
            Ok((true, staging)) => {
                let id = id(&left);
                match one(staging, left.ends_with(b".done"), &mut notes) {
                    Ok(finished) => mended.push(Mended { id, finished }),
                    Err(stop) => notes.push(stop.fault()),
                }
            }
            Ok((false, _)) | Err(Errno::NOTDIR | Errno::LOOP) => {
                notes.push(told(
                    &left,
                    Errno::EXIST,
                    "it has the name of a staging directory, but is none",
                ));
            }
            Err(errno) => notes.push(fault(&left, errno, "opening what was left")),
        }
    }
    Ok((mended, notes))
}

/// Mends one; whether the new contents stand now.
fn one(mut staging: Staging<'_>, done: bool, notes: &mut Vec<Fault>) -> Result<bool, Stop> {
    if done {
        return staging.remove(&mut || Ok(())).map(|()| true);
    }
    let Some((plan, phase)) = staging.begun()? else {
        return staging.remove(&mut || Ok(())).map(|()| false);
    };
    finish(&mut staging, &plan, phase, notes)
}

/// Goes on with an exchange, or takes it back when that cannot be.
fn finish(staging: &mut Staging<'_>, plan: &Plan, phase: Phase, notes: &mut Vec<Fault>) -> Result<bool, Stop> {
    match staging.forward(plan, phase) {
        Ok(told) => {
            notes.extend(told);
            Ok(true)
        }
        Err(Stop::Dead) => Err(Stop::Dead),
        Err(Stop::Fault(fault)) => {
            notes.push(fault);
            staging.back(plan)?;
            staging.remove(&mut || Ok(())).map(|()| false)
        }
    }
}

fn id(name: &[u8]) -> String {
    let id = name.strip_prefix(STAGING).unwrap_or(name);
    let id = id.strip_suffix(b".done").unwrap_or(id);
    String::from_utf8_lossy(id).into_owned()
}
