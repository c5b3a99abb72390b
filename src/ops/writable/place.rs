//! Where a mount really is, and whether it may be changed: asked of this host as far as the engine runs on it, and of the
//! agent once the mount is open. Changes nothing.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use time::OffsetDateTime;
use vole_agent::proto::{Fault, Kind, Place as At, RootInfo, Time};

use super::Seen;
use super::refuse::{self, Ground};
use crate::engine::daemon::About;
use crate::engine::host::{self, HostKind, Location, Mounts};
use crate::engine::{EngineError, Session};
use crate::inventory::is_remote;
use crate::model::{Mount, MountKind, Scan, bind_device, named_paths};
use crate::ops::host_paths;

/// How long looking may take: a path on a dead network share never answers.
const PATIENCE: Duration = Duration::from_secs(5);
/// What a system's root holds.
const SYSTEM: [&[u8]; 3] = [b"etc", b"usr", b"bin"];

/// Where a mount is, as far as that can be told before it is open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::ops) struct Survey {
    /// The host's paths of the mount: as written, and with symlinks resolved.
    pub(in crate::ops) known: Vec<String>,
    /// The resolved one.
    pub(in crate::ops) resolved: Option<String>,
    /// What other mounts' paths resolve to, in the order asked.
    pub(in crate::ops) others: Vec<Option<String>>,
    /// Device and inode of the mount's root, where this user may look.
    pub(in crate::ops) inode: Option<((u32, u32), u64)>,
    /// When the mount's root was made, in nanoseconds since the epoch, where this user may look.
    pub(in crate::ops) born: Option<i128>,
    /// What is mounted beneath on the host, relative to the mount.
    pub(in crate::ops) leave: Vec<Vec<u8>>,
    /// Why it is refused.
    pub(in crate::ops) refused: Option<String>,
    ground: Ground,
    plain: bool,
    /// Whether the engine runs on this host.
    here: bool,
}

/// The path of the engine's host at which a mount's contents stand.
pub(in crate::ops) fn base(mount: &Mount) -> Option<&str> {
    match mount.kind {
        MountKind::Bind => Some(&mount.name),
        MountKind::Tmpfs | MountKind::Image => None,
        MountKind::Named | MountKind::Anonymous | MountKind::Cluster => {
            bind_device(&mount.driver, &mount.options).or(mount.host_path.as_deref())
        }
    }
}

/// Whether a mount is refused for what it is.
fn by_kind(about: &About, mount: &Mount) -> Option<String> {
    match mount.kind {
        MountKind::Tmpfs => {
            return Some(
                "it is memory of one container and gone at its next start: set uid= and mode= in its --tmpfs options"
                    .to_owned(),
            );
        }
        MountKind::Image => return Some("it is an image, which nobody changes".to_owned()),
        MountKind::Named | MountKind::Anonymous | MountKind::Cluster | MountKind::Bind => {}
    }
    match &mount.scan {
        Scan::Never(why) => return Some(why.clone()),
        Scan::InContainer(_) => return Some("it is reached through a container, where nothing is written".to_owned()),
        Scan::Shared | Scan::Alone | Scan::OnDemand(_) => {}
    }
    if mount.driver == "local" && is_remote(&mount.options) {
        return Some("its data are on another machine, which decides who owns what: set the owner there".to_owned());
    }
    if is_mounted_on_use(mount) && mount.options.get("type").is_some_and(|fs_type| fs_type == "tmpfs") {
        return Some(
            "it is memory that is gone when no container uses it: make the volume with uid= and mode= in its options"
                .to_owned(),
        );
    }
    let path = mount.kind == MountKind::Bind || bind_device(&mount.driver, &mount.options).is_some();
    (path && about.os.contains("Docker Desktop")).then(|| {
        "Docker Desktop shares it with its machine, and owners are made up there: use a volume instead".to_owned()
    })
}

/// Whether the engine mounts a file system of its own over a volume's directory while it is in use.
fn is_mounted_on_use(mount: &Mount) -> bool {
    let bound = bind_device(&mount.driver, &mount.options).is_some();
    mount.driver == "local" && !bound && ["type", "device"].iter().any(|key| mount.options.contains_key(*key))
}

/// Looks where a mount is, on this host when the engine runs here.
///
/// # Errors
///
/// When this host's paths do not answer.
pub(in crate::ops) async fn survey(
    about: &About,
    mount: &Mount,
    below: &[u8],
    others: Vec<String>,
) -> Result<Survey, EngineError> {
    let mut survey = Survey {
        refused: by_kind(about, mount),
        plain: base(mount) == mount.host_path.as_deref() && mount.kind.is_volume(),
        here: about.same_host,
        ..Survey::default()
    };
    if survey.refused.is_some() {
        return Ok(survey);
    }
    survey
        .ground
        .engine_dirs
        .extend(Some(about.root_dir.clone()).filter(|dir| !dir.is_empty()));
    survey.known.extend(base(mount).map(str::to_owned));
    survey.others = vec![None; others.len()];
    // Layers of an overlay are written to as well.
    let layers: Vec<String> = match bind_device(&mount.driver, &mount.options) {
        None if mount.driver == "local" => named_paths(&mount.driver, &mount.options)
            .into_iter()
            .filter(|path| !path.starts_with("/dev/"))
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    };
    if about.same_host {
        let looking = tokio::task::spawn_blocking({
            let (mut survey, layers) = (survey.clone(), layers.clone());
            let (below, mounted) = (below.to_vec(), is_mounted_on_use(mount));
            move || {
                look(&mut survey, &layers, &others, &below);
                if mounted {
                    // What stands there now is hidden once it is in use.
                    (survey.inode, survey.born) = (None, None);
                }
                survey
            }
        });
        survey = match tokio::time::timeout(PATIENCE, looking).await {
            Ok(Ok(survey)) => survey,
            Ok(Err(error)) => return Err(refusal(format!("the host's paths could not be looked at: {error}"))),
            Err(_) => {
                let seconds = PATIENCE.as_secs();
                return Err(refusal(format!(
                    "the host's paths did not answer within {seconds} s: is a network share down?"
                )));
            }
        };
    }
    let places = survey.known.iter().map(|path| refuse::join(path, below)).chain(layers);
    if survey.refused.is_none() {
        survey.refused = places
            .into_iter()
            .find_map(|place| refuse::path(&place, &survey.ground));
    }
    Ok(survey)
}

/// What this host says.
fn look(survey: &mut Survey, layers: &[String], others: &[String], below: &[u8]) {
    let resolve = |path: &String| {
        let resolved = host_paths::resolve(path)?;
        Some(resolved.to_string_lossy().into_owned())
    };
    let engine_dirs: Vec<String> = survey.ground.engine_dirs.iter().filter_map(resolve).collect();
    survey.ground.engine_dirs.extend(engine_dirs);
    match fs::read("/etc/passwd") {
        Ok(passwd) => survey.ground.homes = homes(&passwd),
        // A host without it has no people.
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => survey.refused = Some(format!("whose home it may be cannot be told: /etc/passwd: {error}")),
    }
    survey.others = others.iter().map(resolve).collect();
    survey.known.extend(layers.iter().filter_map(resolve));
    let Some(path) = survey.known.first().cloned() else {
        return;
    };
    match host::classify_host_path(Path::new(&path)) {
        HostKind::Socket => survey.refused = Some(format!("{path} is a socket")),
        HostKind::Device => survey.refused = Some(format!("{path} is a device")),
        HostKind::Fifo => survey.refused = Some(format!("{path} is a named pipe")),
        HostKind::File | HostKind::Dir | HostKind::Missing | HostKind::Unknown => {}
    }
    let Some(resolved) = resolve(&path) else {
        survey.refused = Some(format!("{path} leads through too many symlinks"));
        return;
    };
    let meta = fs::metadata(&resolved).ok();
    let born = meta.as_ref().and_then(|meta| meta.created().ok());
    survey.born = born.map(|born| OffsetDateTime::from(born).unix_timestamp_nanos());
    survey.inode = meta.map(|meta| {
        let dev = meta.dev();
        ((rustix::fs::major(dev), rustix::fs::minor(dev)), meta.ino())
    });
    let mounts = Mounts::read();
    survey.leave = mounts
        .as_ref()
        .map_or_else(Vec::new, |mounts| mounts.beneath(resolved.as_bytes()));
    let place = mounts.as_ref().and_then(|mounts| {
        let place = refuse::join(&resolved, below);
        Some((mounts, mounts.locate_canonical(place.as_bytes())?))
    });
    if let Some((mounts, place)) = place {
        survey.refused = survey
            .refused
            .take()
            .or_else(|| refuse::shown(mounts, &place, &survey.ground));
    }
    survey.known.push(resolved.clone());
    survey.resolved = Some(resolved);
}

/// The homes of people and of root.
fn homes(passwd: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(passwd);
    let home = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let (uid, home) = (fields.get(2)?.parse::<u32>().ok()?, *fields.get(5)?);
        let person = uid == 0 || (1000..65_000).contains(&uid);
        let real = home.starts_with('/') && !matches!(refuse::tidy(home).as_str(), "/" | "/nonexistent");
        (person && real).then(|| home.to_owned())
    };
    text.lines().filter_map(home).collect()
}

impl Survey {
    /// Looks at the root that was opened: is it what was looked at, and may it be changed? Its inode number is part of what
    /// tells it apart later.
    ///
    /// # Errors
    ///
    /// [`EngineError::Refused`], or when the root cannot be looked at.
    pub(in crate::ops) async fn check(
        &self,
        session: &Session,
        root: u32,
        below: &[u8],
    ) -> Result<(RootInfo, Seen), EngineError> {
        let info = session.hello().roots.get(root as usize).cloned();
        let info = info.ok_or_else(|| refusal("the helper did not say what it opened".to_owned()))?;
        if let Some(fault) = &info.fault {
            return Err(EngineError::Agent(fault.clone()));
        }
        if let Some(why) = refuse::opened(&info, &self.known, below, &self.ground) {
            return Err(refusal(why));
        }
        let top = session.stat(at(root, b"")).await?;
        if let Some(errno) = top.errno {
            return Err(EngineError::Agent(Fault {
                errno: Some(errno),
                path: Vec::new(),
                message: "the mount's root could not be looked at".to_owned(),
            }));
        }
        if self.inode.is_some_and(|seen| seen != (info.dev, top.ino)) {
            return Err(refusal(
                "the engine opened another place than the one that was checked: a link was changed meanwhile"
                    .to_owned(),
            ));
        }
        if let Some(why) = self.shown(&info, below).await? {
            return Err(refusal(why));
        }
        // Data of a volume may be a system's; a link in their place leads to another directory than they have.
        let plain = self.plain && info.fs_root.ends_with(b"/_data");
        if !plain && info.kind == Kind::Dir && is_system(session, root).await {
            return Err(refusal("it holds a whole system (etc, usr, bin)".to_owned()));
        }
        let nanos = |born: &Time| i128::from(born.secs) * 1_000_000_000 + i128::from(born.nanos);
        let seen = Seen {
            dev: info.dev,
            ino: top.ino,
            born: info.born.as_ref().map(nanos).or(self.born),
        };
        Ok((info, seen))
    }
}

impl Survey {
    /// Why an opened place is refused for other names that it has on this host.
    async fn shown(&self, info: &RootInfo, below: &[u8]) -> Result<Option<String>, EngineError> {
        if !self.here || info.fs_root.is_empty() {
            return Ok(None);
        }
        let mut path = info.fs_root.clone();
        if !below.is_empty() {
            path.push(b'/');
            path.extend_from_slice(below);
        }
        let place = Location { dev: info.dev, path };
        let ground = self.ground.clone();
        let looking = tokio::task::spawn_blocking(move || refuse::shown(&Mounts::read()?, &place, &ground));
        looking
            .await
            .map_err(|error| refusal(format!("the host's mounts could not be looked at: {error}")))
    }
}

/// Whether a root looks like a host's: on one that cannot be asked, a link to `/` shows in nothing else.
async fn is_system(session: &Session, root: u32) -> bool {
    for name in SYSTEM {
        match session.stat(at(root, name)).await {
            Ok(entry) if entry.errno.is_none() => {}
            _ => return false,
        }
    }
    true
}

/// A place in a root.
pub(in crate::ops) fn at(root: u32, path: &[u8]) -> At {
    At {
        root,
        path: path.to_vec(),
    }
}

/// An operation that is not begun.
pub(in crate::ops) fn refusal(reason: String) -> EngineError {
    EngineError::Refused { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_people_have_homes() {
        let passwd = b"root:x:0:0:r:/root:/bin/sh\ndaemon:x:1:1::/usr/sbin:/x\nann:x:1000:1::/data/ann:/bin/sh\n\
            nobody:x:65534:1::/nonexistent:/x\nodd:x:1001:1::/:/x\nbroken\nx:x:1002\n";
        assert_eq!(homes(passwd), ["/root", "/data/ann"]);
    }
}
