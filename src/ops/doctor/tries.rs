//! Tries the accesses: which mounts are opened together, who is tried on them, and why something is not tried. Knows
//! nothing of what results mean.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use vole_agent::proto::Place;
use vole_agent::proto::probe::{Identity, Probe, Probed, cap};

use super::Scope;
use super::world::World;
use crate::doctor::Who;
use crate::doctor::evidence::{FileSystemFacts, Untried};
use crate::engine::{Engine, EngineError, OpenSpec, Opened, Purpose, Session, Target};
use crate::model::{Attachment, BytePath, ContainerState, Mount, MountId, Scan, bind_device};

/// Entries beneath a mount's root that are tried.
const SAMPLE: u32 = 300;
/// Levels beneath it.
const DEPTH: u32 = 3;
/// Helpers at once.
const HELPERS: usize = 4;
/// How long a helper of one odd mount may take.
const ODD: Duration = Duration::from_secs(20);
/// How long the helper of all plain mounts may take.
const PLAIN: Duration = Duration::from_secs(60);
/// Mounts of one helper.
const MOST: usize = 1000;

/// One container's use of a mount: container, mount, destination.
pub(super) type Key = (String, MountId, String);

/// A mount that a session reaches.
#[derive(Debug, Clone)]
pub(super) struct Reached {
    pub(super) session: Session,
    pub(super) root: u32,
    pub(super) file_system: Option<FileSystemFacts>,
}

/// What came of trying.
#[derive(Debug, Default)]
pub(super) struct Tried {
    pub(super) outcomes: HashMap<Key, Result<Vec<Probed>, Untried>>,
    /// Where the mount of a use is reached, in the user namespace of its container.
    pub(super) reached: HashMap<Key, Reached>,
    /// What could not be tried at all, and why, a line each.
    pub(super) left_out: Vec<String>,
}

/// Who is tried on one mount, in one user namespace.
#[derive(Debug, Clone)]
struct Trial {
    mount: Arc<Mount>,
    host_users: bool,
    uses: Vec<Use>,
}

#[derive(Debug, Clone)]
struct Use {
    key: Key,
    who: Vec<Identity>,
    path: BytePath,
}

/// Makes the paths of a result relative to what is attached, of which only a part of the mount may be. What stands above
/// that is on nobody's way.
pub(super) fn relative(probed: &mut Probed, base: &[u8]) {
    if base.is_empty() {
        return;
    }
    let below = |path: &[u8]| {
        let rest = path.strip_prefix(base)?;
        match rest.split_first() {
            None => Some(Vec::new()),
            Some((b'/', rest)) => Some(rest.to_vec()),
            Some(_) => None,
        }
    };
    probed.barred = probed
        .barred
        .take()
        .and_then(|(path, facts)| Some((below(&path)?, facts)));
    for denied in &mut probed.denials {
        if let Some(rest) = below(&denied.path) {
            denied.path = rest;
        }
    }
}

/// The key of a use.
pub(super) fn key(mount: &Mount, attachment: &Attachment) -> Key {
    (
        attachment.container_id.clone(),
        mount.id.clone(),
        attachment.destination.clone(),
    )
}

/// Whether an identity passes whatever the modes say.
pub(super) fn is_almighty(identity: &Identity) -> bool {
    identity.caps & cap::DAC_OVERRIDE != 0
}

/// Tries everything for these containers, by id.
pub(super) async fn all(world: &World<'_>, scope: &Scope, chosen: &[&str], who: &HashMap<String, Who>) -> Tried {
    let mut tried = Tried::default();
    let (mut shared, mut own): (BTreeMap<bool, Vec<Trial>>, Vec<Trial>) = (BTreeMap::new(), Vec::new());
    for mount in &world.mounts {
        for trial in trials(world, scope, chosen, who, mount, &mut tried) {
            match mount.scan {
                Scan::Shared => shared.entry(trial.host_users).or_default().push(trial),
                _ => own.push(trial),
            }
        }
    }
    let plain = shared.into_values().flat_map(|trials| {
        let groups: Vec<Vec<Trial>> = trials.chunks(MOST).map(<[Trial]>::to_vec).collect();
        groups.into_iter().map(|group| (group, PLAIN))
    });
    let groups = plain.chain(own.into_iter().map(|trial| (vec![trial], ODD)));
    let running: Vec<_> = groups
        .map(|(trials, limit)| group(world.engine, trials, limit))
        .collect();
    let mut ended = stream::iter(running).buffer_unordered(HELPERS);
    while let Some(one) = ended.next().await {
        tried.outcomes.extend(one.outcomes);
        tried.reached.extend(one.reached);
        tried.left_out.extend(one.left_out);
    }
    tried
}

/// The trials of a mount; what is not tried on it is settled at once.
fn trials(
    world: &World<'_>,
    scope: &Scope,
    chosen: &[&str],
    who: &HashMap<String, Who>,
    mount: &Arc<Mount>,
    tried: &mut Tried,
) -> Vec<Trial> {
    let mut trials: BTreeMap<bool, Trial> = BTreeMap::new();
    for attachment in &mount.attachments {
        if !chosen.contains(&attachment.container_id.as_str()) {
            continue;
        }
        let key = key(mount, attachment);
        match wanted(world, scope, who, mount, attachment) {
            Ok((who, host_users)) => {
                let path = attachment.subpath.as_deref().unwrap_or_default();
                let path = BytePath::new(path.as_bytes());
                let trial = trials.entry(host_users).or_insert_with(|| Trial {
                    mount: Arc::clone(mount),
                    host_users,
                    uses: Vec::new(),
                });
                trial.uses.push(Use { key, who, path });
            }
            Err(why) => drop(tried.outcomes.insert(key, Err(why))),
        }
    }
    trials.into_values().collect()
}

/// Who is to be tried on a use, and whether in the host's user namespace; or why nobody is.
fn wanted(
    world: &World<'_>,
    scope: &Scope,
    who: &HashMap<String, Who>,
    mount: &Mount,
    attachment: &Attachment,
) -> Result<(Vec<Identity>, bool), Untried> {
    let not = |why: &str| Err(Untried::NotTried(why.to_owned()));
    let identities: Vec<Identity> = match who.get(&attachment.container_id) {
        Some(Who::Known(runs)) => runs.iter().map(|runs| runs.identity.clone()).collect(),
        Some(Who::Unknown(why)) => return not(&format!("it is unknown who runs: {why}")),
        None => return not("it is unknown who runs"),
    };
    let Some(detail) = world.details.get(&attachment.container_id) else {
        return not("the container could not be inspected");
    };
    let host_users = match detail.run.userns_mode.as_str() {
        "host" => true,
        "" | "private" => !world.is_remapped(),
        mode => return not(&format!("its user namespace ({mode}) is one that no helper can have")),
    };
    let created = attachment.state == ContainerState::Created && detail.run.error.is_empty();
    let failed = detail.run.exit_code.is_some_and(|code| code != 0) || !detail.run.error.is_empty();
    match &mount.scan {
        Scan::Shared => {}
        Scan::Alone if created && bind_device(&mount.driver, &mount.options).is_none() && mount.kind.is_volume() => {
            return not("the container never ran, so nothing was mounted for it");
        }
        Scan::Alone => {}
        Scan::OnDemand(_) if scope.mounts.contains(&mount.id) || attachment.state.is_live() || failed => {}
        Scan::OnDemand(why) => return not(&format!("{why}; tried only when asked")),
        Scan::InContainer(_) if identities.iter().all(is_almighty) => {
            return not("only root uses it, whom no mode keeps out");
        }
        Scan::InContainer(_) => {}
        Scan::Never(_) if mount.kind == crate::model::MountKind::Tmpfs => return Err(Untried::NotThere),
        Scan::Never(why) => return not(why),
    }
    Ok((identities, host_users))
}

/// Opens one helper for these trials, and tries them.
async fn group(engine: &Engine, trials: Vec<Trial>, limit: Duration) -> Tried {
    let mut tried = Tried::default();
    let done = tokio::time::timeout(limit, attempt(engine, &trials, &mut tried)).await;
    let why = match done {
        Ok(Ok(())) => Untried::NotTried("the helper gave no answer".to_owned()),
        Ok(Err(error)) => {
            tried.left_out.push(match (&error, trials.as_slice()) {
                (EngineError::NoHelper { reason }, _) => format!("mounts were not tried: {reason}"),
                (_, [one]) => format!("{}: it was not tried: {error}", one.mount.name),
                (_, several) => format!("{} mounts were not tried: {error}", several.len()),
            });
            Untried::NotTried(error.to_string())
        }
        Err(_) => {
            let late = format!("it took longer than {} s", limit.as_secs());
            let names = trials
                .first()
                .map(|trial| trial.mount.name.as_str())
                .unwrap_or_default();
            tried.left_out.push(match trials.len() {
                1 => format!("{names}: {late}"),
                count => format!("{count} mounts, {names} first: {late}"),
            });
            Untried::NotTried(late)
        }
    };
    for one in trials.iter().flat_map(|trial| &trial.uses) {
        tried
            .outcomes
            .entry(one.key.clone())
            .or_insert_with(|| Err(why.clone()));
    }
    tried
}

async fn attempt(engine: &Engine, trials: &[Trial], tried: &mut Tried) -> Result<(), EngineError> {
    let (mut targets, mut targeted) = (Vec::new(), Vec::new());
    for trial in trials {
        match Target::of(&trial.mount) {
            Ok(target) => {
                targets.push(target);
                targeted.push(trial);
            }
            Err(why) => settle(tried, trial, &Untried::NotTried(why)),
        }
    }
    let Some(first) = targeted.first() else { return Ok(()) };
    let spec = OpenSpec {
        targets,
        purpose: Purpose::Probe {
            host_users: first.host_users,
        },
        through_store: targeted.len() > 1,
    };
    let opened = engine.open(spec).await?;
    let reached = reach(&opened, &targeted, tried).await;
    probe(&opened.session, &reached, tried).await
}

fn settle(tried: &mut Tried, trial: &Trial, why: &Untried) {
    for one in &trial.uses {
        tried.outcomes.insert(one.key.clone(), Err(why.clone()));
    }
}

/// The trials whose mounts could be mounted, each with its root.
async fn reach<'t>(opened: &Opened, trials: &[&'t Trial], tried: &mut Tried) -> Vec<(&'t Trial, u32)> {
    let mut reached = Vec::new();
    for (trial, root) in trials.iter().zip(&opened.roots) {
        match root {
            Ok(root) => reached.push((*trial, *root)),
            Err(why) => settle(tried, trial, &unmounted(&opened.session, why)),
        }
    }
    let roots: Vec<u32> = reached.iter().map(|(_, root)| *root).collect();
    // Without it the findings on space are missing, and nothing else.
    let systems = opened.session.file_systems(roots).await.unwrap_or_default();
    for (trial, root) in &reached {
        let system = systems
            .iter()
            .find(|system| system.root == *root && system.fault.is_none());
        let file_system = system.map(|system| FileSystemFacts {
            kind: system.fs_type.clone(),
            size: system.size,
            available: system.available,
            inodes: system.inodes,
            inodes_free: system.inodes_free,
            noexec: false,
        });
        let one = Reached {
            session: opened.session.clone(),
            root: *root,
            file_system,
        };
        let uses = trial.uses.iter().map(|used| (used.key.clone(), one.clone()));
        tried.reached.extend(uses);
    }
    reached
}

/// What a root's error means: the engine could not mount it, or the helper could not open what was mounted.
fn unmounted(session: &Session, why: &str) -> Untried {
    let is_agents = |fault: &vole_agent::proto::Fault| fault.message == why;
    let faults = session.hello().roots.iter().filter_map(|root| root.fault.as_ref());
    match faults.into_iter().any(is_agents) || why == "the volume is gone" {
        true => Untried::NotTried(why.to_owned()),
        false => Untried::MountFailed(why.to_owned()),
    }
}

async fn probe(session: &Session, reached: &[(&Trial, u32)], tried: &mut Tried) -> Result<(), EngineError> {
    let (mut probes, mut places) = (Vec::new(), HashMap::new());
    let mut asked: Vec<(&Use, Vec<usize>)> = Vec::new();
    for (trial, root) in reached {
        for one in &trial.uses {
            let indexes = one.who.iter().map(|who| {
                let place = (*root, one.path.clone(), who.clone());
                *places.entry(place).or_insert_with(|| {
                    probes.push(Probe {
                        at: Place {
                            root: *root,
                            path: one.path.as_bytes().to_vec(),
                        },
                        who: who.clone(),
                        sample: SAMPLE,
                        depth: DEPTH,
                    });
                    probes.len() - 1
                })
            });
            let indexes = indexes.collect();
            asked.push((one, indexes));
        }
    }
    let mut answers: Vec<Option<Probed>> = vec![None; probes.len()];
    let mut replies = session.probe(probes);
    let mut ended = Ok(());
    while let Some(reply) = replies.next().await {
        match reply {
            Ok(probed) => {
                for one in probed {
                    let at = usize::try_from(one.probe).ok();
                    if let Some(slot) = at.and_then(|at| answers.get_mut(at)) {
                        *slot = Some(one);
                    }
                }
            }
            // Everything was delivered; what could not be tried says so itself.
            Err(EngineError::Partial { .. }) => break,
            Err(error) => {
                ended = Err(error);
                break;
            }
        }
    }
    for (one, indexes) in asked {
        let probed: Option<Vec<Probed>> = indexes.iter().map(|at| answers.get(*at).cloned().flatten()).collect();
        if let Some(mut probed) = probed {
            for each in &mut probed {
                relative(each, one.path.as_bytes());
            }
            tried.outcomes.insert(one.key.clone(), Ok(probed));
        }
    }
    ended
}

#[cfg(test)]
mod tests {
    use super::*;
    use vole_agent::proto::Kind;
    use vole_agent::proto::probe::{Denied, Facts};

    #[test]
    fn paths_in_a_subdirectory_are_told_as_its_container_sees_them() {
        let facts = Facts {
            kind: Kind::Dir,
            mode: 0o700,
            uid: 0,
            gid: 0,
            nlink: 2,
            ino: 2,
            immutable: false,
            append_only: false,
            acl: None,
            label: None,
        };
        let told = |barred: &[u8], base: &[u8]| {
            let mut probed = Probed {
                probe: 0,
                fault: None,
                facts: None,
                barred: Some((barred.to_vec(), facts.clone())),
                read: 0,
                write: 0,
                enter: 0,
                write_as_root: 0,
                super_read_only: false,
                sampled: 1,
                whole: true,
                denied: 1,
                denials: vec![Denied {
                    path: b"sub/app/x".to_vec(),
                    facts: facts.clone(),
                    read: 13,
                    write: 13,
                }],
                owners: Vec::new(),
            };
            relative(&mut probed, base);
            (probed.barred.map(|(path, _)| path), probed.denials.remove(0).path)
        };
        assert_eq!(told(b"sub/app/d", b"sub/app"), (Some(b"d".to_vec()), b"x".to_vec()));
        assert_eq!(told(b"sub/app", b"sub/app"), (Some(Vec::new()), b"x".to_vec()));
        assert_eq!(told(b"sub", b"sub/app").0, None, "above what is attached");
        assert_eq!(told(b"sub/app2", b"sub/app").0, None);
        assert_eq!(told(b"sub", b"").1, b"sub/app/x");
    }
}
