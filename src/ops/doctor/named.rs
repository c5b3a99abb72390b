//! Tries the very paths that complaints name, once the log is known: finds what stands there, or its nearest directory, and
//! has each identity try it. Knows nothing of what results mean.

use std::collections::VecDeque;

use futures_util::StreamExt;
use rustix::io::Errno;
use vole_agent::proto::probe::{Identity, Probe, Probed};
use vole_agent::proto::{Kind, Place};

use super::gather::{Gather, LOOK, parents};
use super::tries::{Reached, key, relative};
use crate::doctor::evidence::{Attached, Inner, Named};
use crate::doctor::{Case, Spot, Who, spots};
use crate::engine::EngineError;
use crate::engine::daemon::Flavour;

/// Symlinks that are followed on one path.
const HOPS: usize = 16;
/// Entries beneath a named directory that are looked at for their owners.
const SAMPLE: u32 = 300;
/// Levels beneath it.
const DEPTH: u32 = 3;

impl Gather<'_> {
    /// Tries what a case's complaints name, and adds it to the case. What could not be followed is missing there.
    pub(super) async fn named(&self, case: &mut Case) {
        let identities: Vec<Identity> = match &case.who {
            Who::Known(runs) => runs.iter().map(|runs| runs.identity.clone()).collect(),
            Who::Unknown(_) => return,
        };
        for spot in spots(case) {
            match spot {
                Spot::Mount(at, path) => {
                    let Some(attached) = case.mounts.get_mut(at) else {
                        continue;
                    };
                    let reached = self.tried.reached.get(&key(&attached.mount, &attached.attachment));
                    let Some(reached) = reached.filter(|_| attached.tried.is_ok()) else {
                        continue;
                    };
                    let trying = try_path(reached, attached, &path, &identities);
                    if let Ok(Some(named)) = tokio::time::timeout(LOOK, trying).await {
                        attached.named.push(named);
                    }
                }
                Spot::Inner(path) => {
                    if !self.world.may_look(&case.container) {
                        continue;
                    }
                    if let Ok(Some(inner)) = tokio::time::timeout(LOOK, self.inner(case, &path)).await {
                        case.inner.push(inner);
                    }
                }
            }
        }
    }

    /// The way to a path of the container's own; `None` when it cannot be told.
    async fn inner(&self, case: &Case, path: &str) -> Option<Inner> {
        let mut inner = Inner {
            path: path.as_bytes().to_vec(),
            way: Vec::new(),
            exists: true,
            owners: self.world.about.flavour == Flavour::Docker,
        };
        // The root directory is everybody's in every image.
        for step in parents(path).into_iter().skip(1).chain([path.to_owned()]) {
            match self.world.engine.daemon.path_in(&case.container.id, &step).await.ok()? {
                Some(there) if there.link.is_some() && step == path => return None,
                Some(there) => inner.way.push((step, self.undone(&case.container, there))),
                None => {
                    inner.exists = false;
                    break;
                }
            }
        }
        // With nothing but the root above it, and with a link as the last directory, nothing was looked at.
        let last = inner.way.last()?;
        (inner.exists || last.1.link.is_none()).then_some(inner)
    }
}

/// Tries one path of a mount; `None` when it leads elsewhere, or cannot be told.
async fn try_path(reached: &Reached, attached: &Attached, path: &[u8], who: &[Identity]) -> Option<Named> {
    let base = attached.attachment.subpath.as_deref().unwrap_or_default();
    let base: Vec<&[u8]> = parts(base.as_bytes()).collect();
    let at = |steps: &[Vec<u8>]| Place {
        root: reached.root,
        path: base
            .iter()
            .copied()
            .chain(steps.iter().map(Vec::as_slice))
            .collect::<Vec<_>>()
            .join(&b'/'),
    };
    let (steps, exists) = follow(reached, &at, attached.attachment.destination.as_bytes(), path).await?;
    let holder = steps.split_last().map(|(_, above)| above).filter(|_| exists);
    let probes: Vec<Probe> = [Some(steps.as_slice()), holder]
        .into_iter()
        .flatten()
        .flat_map(|steps| {
            who.iter().map(move |who| (steps, who)).map(|(steps, who)| Probe {
                at: at(steps),
                who: who.clone(),
                sample: SAMPLE,
                depth: DEPTH,
            })
        })
        .collect();
    let mut tried = answers(reached, probes).await?;
    for probed in &mut tried {
        relative(probed, &base.join(&b'/'));
    }
    let holder = tried.split_off(who.len().min(tried.len()));
    Some(Named {
        path: path.to_vec(),
        place: steps.join(&b'/'),
        exists,
        tried,
        holder,
    })
}

/// All answers, in the order of the probes; `None` when one is missing.
async fn answers(reached: &Reached, probes: Vec<Probe>) -> Option<Vec<Probed>> {
    let mut answers: Vec<Option<Probed>> = vec![None; probes.len()];
    let mut replies = reached.session.probe(probes);
    while let Some(reply) = replies.next().await {
        match reply {
            Ok(probed) => {
                for one in probed {
                    let slot = usize::try_from(one.probe).ok().and_then(|at| answers.get_mut(at));
                    if let Some(slot) = slot {
                        *slot = Some(one);
                    }
                }
            }
            Err(EngineError::Partial { .. }) => break,
            Err(_) => return None,
        }
    }
    answers.into_iter().collect()
}

/// Follows a path step by step, symlinks within the mount included: what stands there, or the nearest directory that does;
/// and which of the two. `None` when it leads out of the mount, or to another one.
async fn follow(
    reached: &Reached,
    place: &impl Fn(&[Vec<u8>]) -> Place,
    destination: &[u8],
    path: &[u8],
) -> Option<(Vec<Vec<u8>>, bool)> {
    let mut left: VecDeque<Vec<u8>> = parts(path).map(<[u8]>::to_vec).collect();
    let mut at: Vec<Vec<u8>> = Vec::new();
    let mut hops = 0;
    while let Some(step) = left.pop_front() {
        if step == b".." {
            at.pop()?;
            continue;
        }
        at.push(step);
        let entry = match reached.session.stat(place(&at)).await {
            Ok(entry) => entry,
            Err(EngineError::Agent(fault)) if fault.errno == Some(Errno::NOENT.raw_os_error()) => {
                at.pop();
                return Some((at, false));
            }
            Err(_) => return None,
        };
        if entry.other_fs {
            return None;
        }
        match (entry.kind, entry.target) {
            (Kind::Symlink, Some(target)) => {
                hops += 1;
                at.pop();
                let inside = match target.starts_with(b"/") {
                    true => {
                        at.clear();
                        within(&target, destination)?
                    }
                    false => target.as_slice(),
                };
                let steps: Vec<Vec<u8>> = parts(inside).map(<[u8]>::to_vec).collect();
                if hops > HOPS {
                    return None;
                }
                for step in steps.into_iter().rev() {
                    left.push_front(step);
                }
            }
            (Kind::Dir, _) => {}
            _ if left.is_empty() => {}
            _ => return None,
        }
    }
    Some((at, true))
}

/// The components of a path that lead somewhere.
fn parts(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty() && *part != b".")
}

/// A path below a directory, by its text.
fn within<'a>(path: &'a [u8], directory: &[u8]) -> Option<&'a [u8]> {
    let directory = directory.strip_suffix(b"/").unwrap_or(directory);
    let rest = path.strip_prefix(directory)?;
    (rest.is_empty() || rest.starts_with(b"/")).then_some(rest)
}
