//! Who the processes of containers are, in the containers' own numbers: by the host's `/proc`, by what the engine tells
//! of processes, or by the configured user and the image's files. What cannot be told is said, never guessed.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use futures_util::{StreamExt, stream};
use vole_agent::proto::probe::{Identity, cap};

use super::accounts::{self, Account, Wanted};
use super::world::World;
use super::{caps, processes};
use crate::doctor::Who;
use crate::doctor::evidence::Runs;
use crate::engine::daemon::{ContainerDetail, ContainerRow, Process};
use crate::model::ContainerState;

/// Containers asked at once.
const AT_ONCE: usize = 8;

/// Who runs, or would run, in these containers (places in the world's rows), by id.
pub(super) async fn all(world: &World<'_>, wanted: &BTreeSet<usize>) -> HashMap<String, Who> {
    let mut found: HashMap<String, Who> = by_proc(world).await;
    let rows = wanted.iter().filter_map(|at| world.rows.get(*at));
    let rest: Vec<_> = rows
        .filter(|row| !found.contains_key(&row.id))
        .map(|row| async move { (row.id.clone(), one(world, row).await) })
        .collect();
    let rest: Vec<_> = stream::iter(rest).buffer_unordered(AT_ONCE).collect().await;
    found.extend(rest);
    found
}

/// All containers that run, in one pass over this host's processes, where root may see them.
async fn by_proc(world: &World<'_>) -> HashMap<String, Who> {
    if !world.about.same_host || !rustix::process::geteuid().is_root() {
        return HashMap::new();
    }
    // Between a crash and the next start there may be a process, but it is gone before anybody has looked at it.
    let live = world.rows.iter().filter(|row| is_running(row));
    let first = |row: &ContainerRow| Some((row.id.clone(), world.details.get(&row.id)?.pid));
    let firsts: HashMap<String, i64> = live.filter_map(first).filter(|(_, pid)| *pid > 0).collect();
    let pass = tokio::task::spawn_blocking(move || {
        let firsts = firsts.iter().map(|(id, pid)| (id.as_str(), *pid)).collect();
        processes::of_containers(Path::new("/proc"), &firsts)
    });
    // A pass that broke off tells nothing; the engine is asked instead.
    let found = pass.await.unwrap_or_default();
    found.into_iter().map(|(id, runs)| (id, Who::Known(runs))).collect()
}

async fn one(world: &World<'_>, row: &ContainerRow) -> Who {
    let Some(detail) = world.details.get(&row.id) else {
        return Who::Unknown("the container could not be inspected".to_owned());
    };
    let configured = configured(world, row, detail).await;
    if !is_running(row) {
        return known(configured);
    }
    let told = world.engine.daemon.processes(&row.id).await.unwrap_or_default();
    let runs = running(world, detail, told, configured.as_ref().ok());
    match runs.is_empty() {
        true => known(configured),
        false => Who::Known(runs),
    }
}

fn is_running(row: &ContainerRow) -> bool {
    matches!(
        ContainerState::parse(&row.state),
        ContainerState::Running | ContainerState::Paused
    )
}

fn known(configured: Result<Runs, String>) -> Who {
    configured.map_or_else(Who::Unknown, |runs| Who::Known(vec![runs]))
}

/// Who the configuration says.
async fn configured(world: &World<'_>, row: &ContainerRow, detail: &ContainerDetail) -> Result<Runs, String> {
    let (run, flavour) = (&detail.run, world.about.flavour);
    let wanted = Wanted::parse(&run.user);
    // For root that may do everything groups are of no account, so no file is asked for.
    let almighty = wanted.is_root() && caps::of(run, flavour, 0) & cap::DAC_OVERRIDE != 0;
    let (mut added, mut passwd, mut group) = (run.group_add.clone(), Vec::new(), Vec::new());
    if almighty {
        added.retain(|group| group.parse::<u32>().is_ok());
    } else {
        if wanted.needs_passwd() {
            passwd = world.file(row, "/etc/passwd").await?;
        }
        if wanted.needs_group(&added) {
            group = world.file(row, "/etc/group").await?;
        }
    }
    let wanted = Wanted {
        group: wanted.group.filter(|_| !almighty),
        ..wanted
    };
    let Account { uid, gid, groups } = accounts::resolve(wanted, &added, &passwd, &group)?;
    let known_by = match (run.user.as_str(), passwd.is_empty() && group.is_empty()) {
        ("", _) => "no user is configured, which is root".to_owned(),
        (user, true) => format!("Config.User {user:?}"),
        (user, false) => format!("Config.User {user:?} and the image's /etc/passwd and /etc/group"),
    };
    Ok(Runs {
        identity: Identity {
            uid,
            gid,
            groups,
            caps: caps::of(run, flavour, uid),
        },
        known_by,
        command: None,
    })
}

/// Who the engine says that runs. Numbers of the host are turned into the container's; who has none there is left out.
fn running(
    world: &World<'_>,
    detail: &ContainerDetail,
    mut told: Vec<Process>,
    configured: Option<&Runs>,
) -> Vec<Runs> {
    let mapped = world.is_remapped() && detail.run.userns_mode != "host";
    let base = match (mapped, world.remap_base()) {
        (false, _) => Some((0, 0)),
        (true, base) => base,
    };
    told.sort_by_key(|process| process.pid != detail.pid);
    let runs = told.into_iter().filter_map(|process| {
        let (uid_base, gid_base) = match process.host_ids {
            // Which host numbers a rootless engine's containers have only its own host knows.
            true if world.about.rootless => return None,
            true => base?,
            false => (0, 0),
        };
        let uid = process.uid.checked_sub(uid_base)?;
        let gid = process.gid.checked_sub(gid_base)?;
        let groups = match process.groups {
            Some(groups) => {
                let groups = groups.iter().filter_map(|group| group.checked_sub(gid_base));
                groups.filter(|group| *group != gid).collect()
            }
            None => configured
                .filter(|runs| runs.identity.uid == uid)
                .map(|runs| runs.identity.groups.clone())
                .unwrap_or_default(),
        };
        let identity = Identity {
            uid,
            gid,
            groups,
            caps: caps::of(&detail.run, world.about.flavour, uid),
        };
        Some(Runs {
            identity,
            known_by: format!("the engine's top says that process {} runs so", process.pid),
            command: Some(process.args).filter(|args| !args.is_empty()),
        })
    });
    processes::distinct(runs)
}
