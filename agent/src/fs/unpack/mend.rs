//! Finishes or takes back what unpackings left that were killed. One that still runs holds its root's lock, and is waited for.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::names::STAGING;
use super::swap::{Phase, Plan, Staging, Stop};
use super::{Roots, clear, fault, told};
use crate::fs::meta::Meta;
use crate::fs::resolve::Resolver;
use crate::proto::archive::{Mended, TAKEN};
use crate::proto::{Fault, Reply};
use crate::serve::{Halt, Sink};

/// How long an unpacking that still runs is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(100);

impl Roots {
    /// See [`crate::proto::Request::Mend`]. What could not be mended is in the notes.
    pub(in crate::fs) fn mend(&self, root: u32, id: Option<&str>, sink: &Sink) -> Result<Vec<Fault>, Halt> {
        let begun = Instant::now();
        let root = loop {
            match self.landing(root) {
                // The helper of a client that was killed finishes what it had begun.
                Err(fault) if fault.errno == Some(TAKEN) && begun.elapsed() < PATIENCE => {
                    sink.pause(PAUSE)?;
                }
                landed => break landed?,
            }
        };
        let Some(_begun) = sink.begin() else {
            return Err(Halt::Cancelled);
        };
        let (mended, notes) = all(self.resolver, &root, id)?;
        sink.send(Reply::Mended(mended))?;
        Ok(notes)
    }
}

/// What an unpacking left in a root that was cut short.
pub(super) fn left(root: &OwnedFd) -> Result<Option<Vec<u8>>, Fault> {
    let mut left = None;
    let looked = clear::each(root, |name| {
        let is_staging = name.to_bytes().starts_with(STAGING) && Meta::at(root, name).is_ok_and(|meta| meta.is_dir());
        left = is_staging.then(|| name.to_bytes().to_vec());
        left.is_none()
    });
    looked.map_err(|errno| fault(b"", errno, "looking at what is there"))?;
    Ok(left)
}

/// Mends what there is in a root: all of it, or one unpacking's.
pub(super) fn all(
    resolver: Resolver,
    root: &OwnedFd,
    wanted: Option<&str>,
) -> Result<(Vec<Mended>, Vec<Fault>), Fault> {
    let mut names: Vec<CString> = Vec::new();
    let looked = clear::each(root, |name| {
        let is_wanted = wanted.is_none_or(|wanted| id(name.to_bytes()) == wanted);
        if name.to_bytes().starts_with(STAGING) && is_wanted {
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
pub(super) fn one(mut staging: Staging<'_>, done: bool, notes: &mut Vec<Fault>) -> Result<bool, Stop> {
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
