//! Helper containers: opens sessions in them, or says why none can run. Knows targets, not what they are asked for.

mod attach;
mod bisect;
mod channel;
mod container;
mod crew;
mod fallback;
mod image;
mod masked;
pub(super) mod spec;
mod store;
mod tar_names;
mod trouble;

use std::path::Path;

use super::daemon::{About, Daemon as _, Flavour};
use super::error::EngineError;
use super::host::{HostKind, Mounts, classify_host_path};
use super::rest::RestDaemon;
use super::session::{OpenSpec, Opened, Purpose, Target};
use super::{local, sweep};
use crate::model::Source;
use bisect::Starter;
use spec::Mounting;
use store::Store;

pub(crate) use crew::Crew;
pub use masked::masked;

/// Targets up to which volumes are looked up before the helper is made; beyond, the list that named them is fresh.
const FEW: usize = 8;

/// Starts an agent with these targets and connects to it: in a helper container, or within this process on what this
/// user can read when no helper can run.
///
/// # Errors
///
/// When the engine cannot be reached or its answers make no sense. What cannot be mounted is a root's error instead.
pub async fn open(daemon: &RestDaemon, spec: OpenSpec) -> Result<Opened, EngineError> {
    let about = daemon.about().await?;
    if spec.purpose.writes() && !daemon.no_helper {
        // The helper of a vole that was killed finishes what it had begun: not beside what is written next.
        sweep::leftovers(&daemon.client).await?;
    }
    let why = match daemon.crew.refused() {
        _ if daemon.no_helper => "--no-helper forbids it".to_owned(),
        Some(why) => why,
        None => match in_container(daemon, &about, &spec).await {
            Ok(opened) => return Ok(opened),
            Err(error) => {
                let lasts = trouble::lasts(&error);
                let why = trouble::no_helper(&error).ok_or(error)?;
                if lasts {
                    daemon.crew.refuse(&why);
                }
                why
            }
        },
    };
    fallback::open(&about, &spec, &why).await
}

async fn in_container(daemon: &RestDaemon, about: &About, spec: &OpenSpec) -> Result<Opened, EngineError> {
    let mounts = (spec.through_store && about.same_host && !spec.purpose.writes())
        .then(Mounts::read)
        .flatten();
    let mut store = mounts.and_then(|mounts| Store::of(&spec.targets, &mounts));
    while let Some(held) = &mut store {
        match with_mounts(daemon, about, spec, Some(held)).await {
            Ok(opened) if !held.leave_out(&spec.targets, &opened.roots) => return Ok(opened),
            // Some are not there (a link to another disk in their place): once more, with those by their names.
            Ok(_) => {}
            // The engine does not bind its own directory, or not for everybody.
            Err(error) if bisect::mount_failure(&error).is_some() => store = None,
            Err(error) => return Err(error),
        }
    }
    with_mounts(daemon, about, spec, None).await
}

async fn with_mounts(
    daemon: &RestDaemon,
    about: &About,
    spec: &OpenSpec,
    store: Option<&Store>,
) -> Result<Opened, EngineError> {
    let mut roots: Vec<Result<u32, String>> = Vec::with_capacity(spec.targets.len());
    let mut mounts = Vec::new();
    let mut places = Vec::new();
    for (index, target) in spec.targets.iter().enumerate() {
        let stored = store.and_then(|store| store.mounting(target));
        let mounting = stored.map_or_else(|| mounting(about, target), Ok);
        // Podman tells of no ghosts afterwards, so there every name is looked up.
        let looked_up = spec.targets.len() <= FEW || about.flavour == Flavour::Podman;
        let missing = matches!(&mounting, Ok(Mounting::Volume(name)) if looked_up && !exists(daemon, name).await?);
        match mounting {
            _ if missing => roots.push(Err("the volume is gone".to_owned())),
            Ok(mounting) => {
                mounts.push(mounting);
                places.push(index);
                roots.push(Ok(0));
            }
            Err(why) => roots.push(Err(why)),
        }
    }
    let starter = Starter {
        daemon,
        flavour: about.flavour,
        arch: &about.arch,
        purpose: spec.purpose,
        channel: spec.purpose.is_bulk() && about.same_host,
    };
    let started = match mounts.is_empty() {
        true => None,
        false => Some(starter.start(&mounts).await?),
    };
    let session = started.and_then(|started| {
        for (index, root) in places.into_iter().zip(started.roots) {
            roots[index] = root;
        }
        started.session
    });
    let session = match session {
        Some(session) => session,
        None => local::in_process(fallback::serving(Vec::<String>::new())).await?,
    };
    Ok(Opened {
        session,
        roots,
        source: Source::Agent,
    })
}

/// How a target gets into a helper; an error for what is never mounted.
fn mounting(about: &About, target: &Target) -> Result<Mounting, String> {
    match target {
        Target::Volume { name, mountpoint } => match mountpoint {
            // By path, so that nothing that podman does to the volumes of a container it removes can reach it.
            Some(path) if about.flavour == Flavour::Podman && about.same_host => match kind_of(about, path) {
                // The volume went away, or it is a bind of a path that is not there.
                HostKind::Missing => Err(format!("the volume's data is gone: {path}: no such file or directory")),
                HostKind::Dir => Ok(Mounting::Bind(path.clone())),
                _ => Ok(Mounting::Volume(name.clone())),
            },
            _ => Ok(Mounting::Volume(name.clone())),
        },
        Target::Path(path) => match kind_of(about, path) {
            HostKind::Socket => Err("a socket is never mounted".to_owned()),
            HostKind::Device => Err("a device is never mounted".to_owned()),
            HostKind::Fifo => Err("a named pipe is never mounted".to_owned()),
            HostKind::Unknown if path.ends_with(".sock") => Err("it looks like a socket; never mounted".to_owned()),
            // Podman would make the directory.
            HostKind::Missing if about.flavour == Flavour::Podman => Err(format!("{path} does not exist")),
            HostKind::File | HostKind::Dir | HostKind::Missing | HostKind::Unknown => Ok(Mounting::Bind(path.clone())),
        },
        Target::InContainer { container, destination } => Ok(Mounting::InContainer {
            container: container.clone(),
            destination: destination.clone(),
        }),
    }
}

/// What stands at a path of the engine's host, as far as this process can see.
fn kind_of(about: &About, path: &str) -> HostKind {
    if about.same_host {
        classify_host_path(Path::new(path))
    } else {
        HostKind::Unknown
    }
}

/// Whether the engine has a volume. To name one that is gone would make the engine make it anew.
async fn exists(daemon: &RestDaemon, name: &str) -> Result<bool, EngineError> {
    let path = format!("/volumes/{}", super::client::encode(name));
    match trouble::retried(|| {
        daemon
            .client
            .get_bytes("look for a volume", &path, super::client::LISTS)
    })
    .await
    {
        Ok(_) => Ok(true),
        Err(EngineError::Status { status: 404, .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes what earlier runs of vole left on an engine, in the background; [`super::Engine::release`] waits for it.
pub fn sweep_in_background(daemon: &RestDaemon) {
    if daemon.no_helper {
        return;
    }
    let client = daemon.client.clone();
    let removal = daemon.crew.removal_starts();
    tokio::spawn(async move {
        // What could not be removed now is found again at the next start.
        let _left = sweep::leftovers(&client).await;
        drop(removal);
    });
}

impl Purpose {
    /// The value of the purpose label.
    fn word(self) -> &'static str {
        match self {
            Self::Browse => "browse",
            Self::Measure => "measure",
            Self::Probe { .. } => "probe",
            Self::Own => "own",
            Self::Pack => "pack",
            Self::Unpack => "unpack",
        }
    }
}

#[cfg(test)]
mod tests;
