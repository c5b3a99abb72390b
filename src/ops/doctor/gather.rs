//! Builds one container's case out of what was tried and of what its engine tells: the log, the layer, the directories
//! above a mount, what the image holds beneath it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;
use vole_agent::proto::own::{Census, Change};
use vole_agent::proto::probe::{Identity, cap};
use vole_agent::proto::{Kind, Order, Place};

use futures_util::StreamExt;

use super::tries::{Reached, Tried, is_almighty, key};
use super::world::World;
use crate::doctor::evidence::{Attached, FileSystemFacts, Runs};
use crate::doctor::{Case, Finding, Fix, Who, examine, remap};
use crate::engine::daemon::{ContainerRow, Flavour, Layer, PathIn};
use crate::model::{Attachment, BytePath, ContainerState, Mount, MountId, MountKind};

/// Lines of a log that are read.
const LINES: u32 = 80;
/// How long before the moment at which an engine says that a container started its first lines may be: what ends at once
/// has written and ended by then (measured on 20.10).
const EARLY: time::Duration = time::Duration::SECOND;
/// Paths of a writable layer that are read.
const PATHS: usize = 5000;
/// How long one question about a container may take.
pub(super) const LOOK: Duration = Duration::from_secs(8);
/// How long writable layers are looked at in all: an engine compares whole file systems for some.
const LAYERS: Duration = Duration::from_secs(6);
/// How long entries are counted for one finding.
const COUNTING: Duration = Duration::from_secs(10);

/// What all containers of a diagnosis share.
pub(super) struct Gather<'a> {
    pub(super) world: &'a World<'a>,
    pub(super) who: &'a HashMap<String, Who>,
    pub(super) tried: &'a Tried,
    pub(super) at: OffsetDateTime,
    pub(super) started: Instant,
    /// What images hold at destinations, by image.
    pub(super) images: Mutex<HashMap<(String, String), Option<PathIn>>>,
    /// What could not be looked at.
    pub(super) left_out: Mutex<Vec<String>>,
}

impl Gather<'_> {
    /// Looks at one container; what is wrong with it, and how many of its mounts were tried.
    pub(super) async fn container(&self, row: &ContainerRow) -> (Vec<Finding>, usize) {
        let Some(case) = self.case(row).await else {
            self.leave_out(format!("{}: it could not be inspected", row.name));
            return (Vec::new(), 0);
        };
        let tried = case.mounts.iter().filter(|mount| mount.tried.is_ok()).count();
        let mut findings = examine(&case);
        self.count(&case, &mut findings).await;
        (findings, tried)
    }

    fn leave_out(&self, what: String) {
        self.left_out.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    /// The evidence on one container; `None` when it could not be inspected.
    pub(super) async fn case(&self, row: &ContainerRow) -> Option<Case> {
        let detail = self.world.details.get(&row.id)?;
        let state = ContainerState::parse(&row.state);
        let unknown = || Who::Unknown("nobody looked".to_owned());
        let who = self.who.get(&row.id).cloned().unwrap_or_else(unknown);
        if let Who::Unknown(why) = &who {
            self.leave_out(format!("{}: it is unknown who runs in it: {why}", row.name));
        }
        let runs: &[Runs] = match &who {
            Who::Known(runs) => runs,
            Who::Unknown(_) => &[],
        };
        let attached = self.world.mounts.iter().flat_map(|mount| {
            let own = mount.attachments.iter().filter(|one| one.container_id == row.id);
            own.map(move |attachment| (mount, attachment))
        });
        let attached: Vec<(&Arc<Mount>, &Attachment)> = attached.collect();
        let mut above = HashMap::new();
        let mut mounts = Vec::new();
        for (mount, attachment) in &attached {
            mounts.push(self.attached(row, runs, mount, attachment, &attached, &mut above).await);
        }
        let (log, layer) = tokio::join!(self.log(row, detail.run.started), self.layer(row, &attached));
        let mut case = Case {
            about: Arc::clone(&self.world.about),
            container: row.clone(),
            state,
            run: detail.run.clone(),
            who,
            mounts,
            log,
            inner: Vec::new(),
            layer,
            at: self.at,
        };
        self.named(&mut case).await;
        Some(case)
    }

    async fn attached(
        &self,
        row: &ContainerRow,
        runs: &[Runs],
        mount: &Arc<Mount>,
        attachment: &Attachment,
        all: &[(&Arc<Mount>, &Attachment)],
        above: &mut HashMap<String, Option<PathIn>>,
    ) -> Attached {
        let not = || Err(crate::doctor::evidence::Untried::NotTried("nobody looked".to_owned()));
        let tried = self
            .tried
            .outcomes
            .get(&key(mount, attachment))
            .cloned()
            .unwrap_or_else(not);
        let reached = self
            .tried
            .reached
            .get(&key(mount, attachment))
            .filter(|_| tried.is_ok());
        let empty = match (reached, &tried) {
            (Some(reached), Ok(probed)) if probed.iter().all(|one| one.sampled == 0) => {
                is_empty(reached, attachment).await
            }
            (Some(_), Ok(_)) => Some(false),
            _ => None,
        };
        let barred = runs.iter().any(|runs| !passes(&runs.identity));
        let above = match barred && self.may_tell_owners(row) {
            true => self.above(row, &attachment.destination, all, above).await,
            false => Vec::new(),
        };
        let others_than_root = runs.iter().any(|runs| !is_almighty(&runs.identity));
        let in_image = match empty == Some(true) && mount.kind.is_volume() && others_than_root {
            true => self.in_image(row, &attachment.destination).await,
            false => None,
        };
        let file_system = reached.and_then(|reached| reached.file_system.clone());
        Attached {
            file_system: file_system.map(|facts| FileSystemFacts {
                noexec: is_noexec(self.world.about.flavour, mount, attachment),
                ..facts
            }),
            mount: Arc::clone(mount),
            attachment: attachment.clone(),
            tried,
            named: Vec::new(),
            above,
            in_image,
            empty,
            others: self.others(mount, &row.id),
        }
    }

    /// Whether the engine tells the right owners of what is in a container: podman's archives have them rewritten.
    fn may_tell_owners(&self, row: &ContainerRow) -> bool {
        self.world.about.flavour == Flavour::Docker && self.world.may_look(row)
    }

    /// The directories above a destination, as far as they are the container's own and not in another mount.
    async fn above(
        &self,
        row: &ContainerRow,
        destination: &str,
        all: &[(&Arc<Mount>, &Attachment)],
        known: &mut HashMap<String, Option<PathIn>>,
    ) -> Vec<(String, PathIn)> {
        let mut found = Vec::new();
        for path in parents(destination) {
            let is_mounted = |(_, other): &(&Arc<Mount>, &Attachment)| is_at_or_below(&path, &other.destination);
            if all.iter().any(is_mounted) {
                break;
            }
            if !known.contains_key(&path) {
                let asked = tokio::time::timeout(LOOK, self.world.engine.daemon.path_in(&row.id, &path)).await;
                let told = asked.ok().and_then(Result::ok).flatten();
                known.insert(path.clone(), told.map(|told| self.undone(row, told)));
            }
            if let Some(Some(told)) = known.get(&path) {
                found.push((path, told.clone()));
            }
        }
        found
    }

    /// Owners in the container's numbers: an engine with remapped users tells those of its host.
    pub(super) fn undone(&self, row: &ContainerRow, told: PathIn) -> PathIn {
        let on_host = self
            .world
            .details
            .get(&row.id)
            .is_some_and(|detail| detail.run.userns_mode == "host");
        let base = self.world.remap_base().filter(|_| !on_host);
        let (uid, gid) = base.unwrap_or((0, 0));
        PathIn {
            uid: told.uid.checked_sub(uid).unwrap_or(told.uid),
            gid: told.gid.checked_sub(gid).unwrap_or(told.gid),
            ..told
        }
    }

    /// What the image holds at a destination.
    async fn in_image(&self, row: &ContainerRow, destination: &str) -> Option<PathIn> {
        let asked = (row.image_id.clone(), destination.to_owned());
        let known = self
            .images
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&asked)
            .cloned();
        if let Some(known) = known {
            return known;
        }
        let masked = tokio::time::timeout(LOOK, self.world.engine.daemon.masked(&row.id, destination, 1)).await;
        let told = match masked {
            Ok(Ok(masked)) if masked.exists => {
                Some(masked.top.map_or_else(PathIn::default, |top| self.undone(row, top)))
            }
            Ok(Ok(_)) => None,
            // Unknown is not absent: it is not kept for others of this image.
            Ok(Err(_)) | Err(_) => return None,
        };
        self.images
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(asked, told.clone());
        told
    }

    fn others(&self, mount: &Mount, id: &str) -> Vec<(String, Identity)> {
        let live = mount
            .attachments
            .iter()
            .filter(|one| one.container_id != id && one.state.is_live());
        let mut others: Vec<(String, Identity)> = live
            .filter_map(|one| match self.who.get(&one.container_id) {
                Some(Who::Known(runs)) => runs
                    .first()
                    .map(|first| (one.container.clone(), first.identity.clone())),
                _ => None,
            })
            .collect();
        others.dedup();
        others
    }

    async fn log(&self, row: &ContainerRow, started: Option<OffsetDateTime>) -> Result<Vec<Vec<u8>>, String> {
        if started.is_none() {
            return Ok(Vec::new());
        }
        let since = started.map(|started| started.checked_sub(EARLY).unwrap_or(started));
        let asked = self.world.engine.daemon.log_tail(&row.id, since, LINES);
        match tokio::time::timeout(LOOK, asked).await {
            Ok(read) => read.map_err(|error| error.to_string()),
            Err(_) => Err(format!("the engine did not answer within {} s", LOOK.as_secs())),
        }
    }

    /// What the writable layer holds, without the mount points themselves and the way to them.
    async fn layer(&self, row: &ContainerRow, attached: &[(&Arc<Mount>, &Attachment)]) -> Option<Layer> {
        let ran = self
            .world
            .details
            .get(&row.id)
            .is_some_and(|detail| detail.run.started.is_some());
        let left = LAYERS.checked_sub(self.started.elapsed()).filter(|_| ran);
        let asked = self.world.engine.daemon.layer(&row.id, PATHS);
        let told = match left {
            Some(left) => tokio::time::timeout(left.min(LOOK), asked).await,
            None if ran => {
                self.leave_out(format!("{}: there was no time to look at its writable layer", row.name));
                return None;
            }
            None => return None,
        };
        let Ok(Ok(mut layer)) = told else {
            self.leave_out(format!("{}: its writable layer could not be read", row.name));
            return None;
        };
        let leads_to = |path: &str| attached.iter().any(|(_, one)| is_at_or_below(&one.destination, path));
        layer.paths.retain(|path| !leads_to(path));
        Some(layer)
    }

    /// Counts what the findings' own fixes would change, each by itself.
    async fn count(&self, case: &Case, findings: &mut [Finding]) {
        for finding in findings {
            let Some((id, path, change)) = changed(&finding.fix) else {
                continue;
            };
            let attached = case.mounts.iter().find(|attached| attached.mount.id == *id);
            let reached = attached.and_then(|one| self.tried.reached.get(&key(&one.mount, &one.attachment)));
            let Some(reached) = reached else { continue };
            let place = Place {
                root: reached.root,
                path: path.as_bytes().to_vec(),
            };
            // Counted is where it was tried: in the container's own numbers.
            let base = remap::base(&case.about).filter(|_| remap::is_mapped(&case.about, &case.run));
            let own = base.map_or_else(
                || Some(change.clone()),
                |base| remap::shifted(change, base, u32::checked_sub),
            );
            let Some(own) = own else { continue };
            if let Some(census) = census(reached, place, &own).await {
                finding.count(&census);
            }
        }
    }
}

/// What a fix changes of a mount.
fn changed(fix: &Fix) -> Option<(&MountId, &BytePath, &Change)> {
    match fix {
        Fix::Chown {
            mount, path, change, ..
        }
        | Fix::Chmod {
            mount, path, change, ..
        } => Some((mount, path, change)),
        Fix::Config { .. } | Fix::Host { .. } | Fix::Refused { .. } | Fix::Advice { .. } => None,
    }
}

/// The last count; `None` when nothing was counted.
async fn census(reached: &Reached, place: Place, change: &Change) -> Option<Census> {
    let mut counts = reached.session.census(place, change.clone(), Vec::new());
    let mut last = None;
    let counting = async {
        while let Some(Ok(census)) = counts.next().await {
            last = Some(census);
        }
    };
    // What was counted until then says that it is not complete.
    let _in_time = tokio::time::timeout(COUNTING, counting).await;
    last
}

/// Whether a directory has no entries; `None` when it cannot be told, or is a file.
async fn is_empty(reached: &Reached, attachment: &Attachment) -> Option<bool> {
    let path = BytePath::new(attachment.subpath.as_deref().unwrap_or_default().as_bytes());
    let place = Place {
        root: reached.root,
        path: path.as_bytes().to_vec(),
    };
    let is_dir = reached.session.stat(place.clone()).await.ok()?.kind == Kind::Dir;
    let page = reached.session.list(place, Order::Name, None, 1).await;
    page.ok().filter(|_| is_dir).map(|page| page.total == 0)
}

/// Whether an identity enters every directory.
fn passes(identity: &Identity) -> bool {
    identity.caps & (cap::DAC_OVERRIDE | cap::DAC_READ_SEARCH) != 0
}

/// Whether a path is another one, or lies below it.
fn is_at_or_below(path: &str, top: &str) -> bool {
    let top = top.trim_end_matches('/');
    path.strip_prefix(top)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The directories above an absolute path, outermost first.
pub(super) fn parents(path: &str) -> Vec<String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    (0..parts.len())
        .map(|count| format!("/{}", parts[..count].join("/")))
        .collect()
}

/// Whether nothing is executed on a mount, as far as its options say. Docker mounts memory so unless told otherwise.
fn is_noexec(flavour: Flavour, mount: &Mount, attachment: &Attachment) -> bool {
    let told = attachment
        .options
        .iter()
        .map(String::as_str)
        .chain(mount.options.get("o").map(String::as_str));
    let words: Vec<&str> = told.flat_map(|options| options.split(',')).map(str::trim).collect();
    let by_default = flavour == Flavour::Docker && mount.kind == MountKind::Tmpfs;
    let last = words.iter().rev().find(|word| matches!(**word, "exec" | "noexec"));
    last.map_or(by_default, |word| *word == "noexec")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_above_are_told_from_the_top() {
        assert_eq!(parents("/srv/data/x"), ["/", "/srv", "/srv/data"]);
        assert_eq!(parents("/data"), ["/"]);
        assert_eq!(parents("/"), Vec::<String>::new());
    }

    #[test]
    fn below_is_below_and_not_beside() {
        for (path, top, below) in [
            ("/srv/data", "/srv", true),
            ("/srv", "/srv/", true),
            ("/srv2", "/srv", false),
            ("/", "/srv", false),
            ("/srv", "/", true),
        ] {
            assert_eq!(is_at_or_below(path, top), below, "{path} below {top}");
        }
    }
}
