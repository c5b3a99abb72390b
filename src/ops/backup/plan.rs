//! What a backup's plan is made of: each mount as it is now, where its archive goes, what speaks against it. Writes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use super::{Plan, Request, Row};
use crate::archive::{Lock, place};
use crate::core::figures;
use crate::engine::contexts::Environment;
use crate::engine::host::{HostKind, Mounts, Relation, classify_host_path};
use crate::engine::{Engine, EngineError, Target};
use crate::inventory;
use crate::model::size::Measured;
use crate::model::{EngineId, Mount, MountKind};
use crate::ops::list::{self, Depth, Inventory};

/// How long looking at this host's paths may take: one on a dead network share never answers.
const PATIENCE: Duration = Duration::from_secs(5);
/// Containers that a caveat names.
const NAMED: usize = 3;

/// Where archives go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// Into files.
    Files,
    /// Into a pipe.
    Pipe,
}

/// See [`super::plan`].
pub(super) async fn plan(
    engine: &Engine,
    request: Request,
    sizes: &(dyn Fn(&Mount) -> Option<Measured> + Sync),
    at: OffsetDateTime,
    way: Way,
) -> Result<Plan, EngineError> {
    let tmpfs = request.mounts.iter().any(|mount| mount.kind == MountKind::Tmpfs);
    let inventory = list::load(engine, if tmpfs { Depth::Full } else { Depth::Rows }).await?;
    let environment = Environment::of_process();
    let rows = request.mounts.iter().map(|wanted| {
        let (mount, gone) = now(&inventory, wanted);
        let dir = match (&way, &request.to) {
            (Way::Pipe, _) => PathBuf::from("-"),
            (Way::Files, Some(dir)) => dir.clone(),
            (Way::Files, None) => place::usual(&environment, &engine.id, &mount.name).ok_or_else(no_place)?,
        };
        Ok(Row {
            refused: gone.or_else(|| Target::of(&mount).err()),
            caveats: live(&mount).into_iter().collect(),
            size: sizes(&mount),
            free: None,
            mount,
            dir,
        })
    });
    let rows = rows.collect::<Result<Vec<Row>, EngineError>>()?;
    let look = Look {
        given: request.to.clone().filter(|_| way == Way::Files),
        files: way == Way::Files,
        here: inventory.about.same_host,
        engine: engine.id.clone(),
        environment,
    };
    let rows = on_this_host(move || look.at(rows)).await??;
    Ok(Plan { request, at, rows })
}

fn no_place() -> EngineError {
    refusal("there is no place for archives: set HOME or XDG_DATA_HOME, or say --to".to_owned())
}

fn refusal(reason: String) -> EngineError {
    EngineError::Refused { reason }
}

/// A mount as it is now; why there is nothing to copy when it is not there any more. A path that nobody binds is a mount
/// all the same.
fn now(inventory: &Inventory, wanted: &Arc<Mount>) -> (Arc<Mount>, Option<String>) {
    let found = inventory.mounts.iter().find(|mount| mount.id == wanted.id);
    match (found, wanted.kind) {
        // What was asked for may be read although it is not read unasked.
        (Some(mount), _) if mount.scan == wanted.scan => (Arc::clone(mount), None),
        (Some(mount), _) => {
            let mut mount = Mount::clone(mount);
            if mount.kind == MountKind::Bind {
                mount.scan = wanted.scan.clone();
            }
            (Arc::new(mount), None)
        }
        (None, MountKind::Bind) => {
            let mut mount = inventory::host_path(&wanted.name, &inventory::PathFacts::default());
            mount.scan = wanted.scan.clone();
            (Arc::new(mount), None)
        }
        (None, _) => (Arc::clone(wanted), Some("it is gone".to_owned())),
    }
}

/// What is said of containers that may write while the mount is read.
fn live(mount: &Mount) -> Option<String> {
    let writers = mount.attachments.iter().filter(|one| one.state.is_live() && one.rw);
    let mut names: Vec<&str> = writers.map(|one| one.container.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    (!names.is_empty())
        .then(|| format!("a live copy: files may change while they are read, since {named}{more} may write"))
}

/// What this host is asked.
#[derive(Debug)]
struct Look {
    /// The directory that the operator named.
    given: Option<PathBuf>,
    /// Whether files are written.
    files: bool,
    /// Whether the engine's paths are this host's.
    here: bool,
    engine: EngineId,
    environment: Environment,
}

impl Look {
    fn at(&self, mut rows: Vec<Row>) -> Result<Vec<Row>, EngineError> {
        if let Some(dir) = &self.given {
            let dir = existing(dir)?;
            rows.iter_mut().for_each(|row| row.dir.clone_from(&dir));
        }
        let mounts = Mounts::read().filter(|_| self.here);
        for row in &mut rows {
            if let Some(mounts) = &mounts {
                row.refused = row.refused.take().or_else(|| by_place(row, mounts, self.files));
            }
            if self.files {
                self.room(row);
            }
        }
        Ok(rows)
    }

    fn room(&self, row: &mut Row) {
        row.free = there(&row.dir).and_then(|dir| free(&dir));
        let held = row
            .size
            .as_ref()
            .map(|size| size.totals.apparent.unwrap_or(size.totals.bytes));
        if let (Some(free), Some(held)) = (row.free, held)
            && held > free
        {
            row.caveats.push(format!(
                "it holds {}, and {} are free where the archive goes: that may do once it is compressed",
                figures::bytes(held),
                figures::bytes(free)
            ));
        }
        // A lock that cannot be tried fails the run, which says why.
        let taken = || Lock::take(&self.environment, &self.engine, &row.mount.id).is_ok_and(|lock| lock.is_none());
        if row.refused.is_none() && taken() {
            row.refused = Some(Lock::TAKEN.to_owned());
        }
    }
}

/// The directory that was named, with its whole path.
fn existing(dir: &Path) -> Result<PathBuf, EngineError> {
    let path = dir.canonicalize().map_err(|error| {
        let why = format!("the archives cannot go to {}: {error}; make it first", dir.display());
        refusal(why)
    })?;
    match path.is_dir() {
        true => Ok(path),
        false => Err(refusal(format!(
            "the archives cannot go to {}: it is no directory",
            dir.display()
        ))),
    }
}

/// The directory, or the nearest one above it that is there.
fn there(dir: &Path) -> Option<PathBuf> {
    dir.ancestors().find(|path| path.is_dir()).map(Path::to_owned)
}

/// Bytes that this user may still write there.
fn free(dir: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(dir).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// The path of this host at which a mount's contents stand.
pub(super) fn contents(mount: &Mount) -> Option<String> {
    match Target::of(mount).ok()? {
        Target::Path(path) => Some(path),
        Target::Volume { mountpoint, .. } => mountpoint,
        Target::InContainer { .. } => None,
    }
}

/// Why a mount is refused for where it is.
fn by_place(row: &Row, mounts: &Mounts, files: bool) -> Option<String> {
    let path = PathBuf::from(contents(&row.mount)?);
    let what = match classify_host_path(&path) {
        HostKind::Socket => "is a socket",
        HostKind::Device => "is a device",
        HostKind::Fifo => "is a named pipe",
        HostKind::Missing if row.mount.kind == MountKind::Bind => "does not exist",
        HostKind::File | HostKind::Dir | HostKind::Missing | HostKind::Unknown => "",
    };
    if !what.is_empty() {
        return Some(format!("{} {what}", path.display()));
    }
    let (from, to) = (
        mounts.locate(&path)?,
        mounts.locate(&there(&row.dir).filter(|_| files)?)?,
    );
    let inside = matches!(to.relation(&from), Relation::Equal | Relation::Under);
    inside.then(|| "its archive would be written into it: choose another place with --to".to_owned())
}

/// Looks at this host's paths, with patience.
///
/// # Errors
///
/// When they do not answer.
pub(super) async fn on_this_host<T: Send + 'static>(
    look: impl FnOnce() -> T + Send + 'static,
) -> Result<T, EngineError> {
    match tokio::time::timeout(PATIENCE, tokio::task::spawn_blocking(look)).await {
        Ok(Ok(seen)) => Ok(seen),
        Ok(Err(error)) => Err(refusal(format!("this host's paths could not be looked at: {error}"))),
        Err(_) => Err(refusal(format!(
            "this host's paths did not answer within {} s: is a network share down?",
            PATIENCE.as_secs()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Attachment, ContainerState};

    fn used(container: &str, state: ContainerState, rw: bool) -> Attachment {
        Attachment {
            container: container.to_owned(),
            container_id: container.to_owned(),
            state,
            image: String::new(),
            destination: "/d".to_owned(),
            rw,
            propagation: String::new(),
            subpath: None,
            options: Vec::new(),
            service: None,
        }
    }

    #[test]
    fn only_containers_that_may_write_now_make_a_copy_live() {
        let mount = |attachments| Mount {
            attachments,
            ..Mount::sample("v")
        };
        let quiet = mount(vec![
            used("reader", ContainerState::Running, false),
            used("gone", ContainerState::Exited, true),
        ]);
        assert_eq!(live(&quiet), None);
        let names = ["e", "d", "c", "b", "a"];
        let busy = mount(names.map(|name| used(name, ContainerState::Running, true)).to_vec());
        let said = live(&busy).unwrap();
        assert!(said.contains("since a, b, c and 2 more may write"), "{said}");
    }

    #[test]
    fn a_directory_that_was_named_must_be_one() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(existing(&file).unwrap_err().to_string().contains("no directory"));
        let none = existing(&dir.path().join("none")).unwrap_err().to_string();
        assert!(none.contains("make it first"), "{none}");
        assert_eq!(existing(dir.path()).unwrap(), dir.path().canonicalize().unwrap());
        assert_eq!(there(&dir.path().join("a/b")).as_deref(), Some(dir.path()));
    }

    #[test]
    fn no_archive_is_written_into_what_it_is_made_of() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        let row = |to: &Path| Row {
            mount: Arc::new(Mount {
                kind: MountKind::Bind,
                name: path.to_string_lossy().into_owned(),
                ..Mount::sample("v")
            }),
            dir: to.to_owned(),
            size: None,
            free: None,
            refused: None,
            caveats: Vec::new(),
        };
        let mounts = Mounts::read().unwrap();
        let refused = |to: &Path, files| by_place(&row(to), &mounts, files).is_some();
        assert!(refused(&path, true) && refused(&path.join("not/there/yet"), true));
        assert!(!refused(Path::new("/"), true) && !refused(&path, false));
    }
}
