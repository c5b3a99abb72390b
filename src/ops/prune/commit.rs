//! Removes what was chosen of a plan, one by one, each looked at again right before: everything is listed anew, what
//! tells the volume from another one of its name is compared, and any change leaves it alone. The engine itself is
//! the last net: it is never asked to remove by force.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use time::{Duration, OffsetDateTime};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::gather::{self, identity};
use super::{Plan, Row, Step, Stopped, verdict};
use crate::engine::daemon::Changes;
use crate::engine::{Engine, EngineError};
use crate::model::size::Measured;
use crate::model::{ContainerState, Mount, MountId, Size, Source, VolumeName};
use crate::ops::list::{Depth, Lists};

/// A plan that is older is not carried out without another look into its volumes.
const FRESH: Duration = Duration::seconds(30);

/// What came of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is gone, and the engine says so. Bytes freed; `None` is unknown.
    Removed(Option<u64>),
    /// It was left alone, or the engine refused; why.
    Refused(String),
}

/// News of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A container was removed or not; its name.
    Container(String, Outcome),
    /// A volume was removed or not.
    Volume(VolumeName, Outcome),
}

/// How a run ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Volumes that are gone.
    pub removed: Vec<VolumeName>,
    /// Containers that are gone.
    pub containers: Vec<String>,
    /// What is not, and why: volumes and containers by name.
    pub failed: Vec<(String, String)>,
    /// Bytes freed, as far as they were measured.
    pub freed: u64,
    /// Whether it was cancelled before its end.
    pub cancelled: bool,
}

impl Report {
    fn take(&mut self, event: &Event) {
        let (name, outcome) = match event {
            Event::Container(name, outcome) => (name.as_str(), outcome),
            Event::Volume(name, outcome) => (name.as_str(), outcome),
        };
        match (outcome, event) {
            (Outcome::Refused(why), _) => self.failed.push((name.to_owned(), why.clone())),
            (Outcome::Removed(_), Event::Container(..)) => self.containers.push(name.to_owned()),
            (Outcome::Removed(bytes), Event::Volume(name, _)) => {
                self.removed.push(name.clone());
                self.freed = self.freed.saturating_add(bytes.unwrap_or(0));
            }
        }
    }
}

/// Removes the containers that a plan's scope names, then its chosen rows, in the plan's order. Rows that are blocked
/// are refused. Cancelling stops before the next object; a removal that is under way is waited for.
///
/// # Errors
///
/// [`EngineError::ReadOnly`]; what fails for one object is its outcome.
pub async fn run(
    engine: &Engine,
    plan: Arc<Plan>,
    chosen: BTreeSet<VolumeName>,
    news: mpsc::Sender<Event>,
    cancel: CancellationToken,
) -> Result<Report, EngineError> {
    let removing = Removing {
        changes: engine.changes()?,
        engine,
    };
    engine.release().await;
    let mut written = BTreeMap::new();
    // A clock that was put back makes no plan young.
    if (OffsetDateTime::now_utc() - plan.at).abs() > FRESH {
        written = removing.look_inside(&plan, &chosen, &cancel).await;
        engine.release().await;
    }
    let mut report = Report::default();
    let containers = plan.containers.iter().filter(|one| one.chosen).map(Object::Container);
    let volumes = plan
        .rows
        .iter()
        .filter(|row| chosen.contains(&row.name()))
        .map(Object::Volume);
    let mut gone: Option<EngineError> = None;
    for object in containers.chain(volumes) {
        if cancel.is_cancelled() {
            report.cancelled = true;
            break;
        }
        let tried = match (&gone, &object) {
            (Some(error), _) => Ok(Outcome::Refused(format!("not tried: {error}"))),
            (None, Object::Container(container)) => removing.container(container, &cancel).await,
            (None, Object::Volume(row)) => match written.get(&row.mount.id) {
                Some(why) => Ok(Outcome::Refused(why.clone())),
                None => removing.volume(row, &cancel).await,
            },
        };
        let outcome = match tried {
            Ok(outcome) => outcome,
            Err(EngineError::Cancelled) => {
                report.cancelled = true;
                break;
            }
            Err(error) => {
                let why = error.to_string();
                // Nobody answers: the rest would fail like this one, each after its own wait.
                let lasts = matches!(error, EngineError::Unreachable { .. } | EngineError::Timeout { .. });
                gone = lasts.then_some(error);
                Outcome::Refused(why)
            }
        };
        let event = match object {
            Object::Container(container) => Event::Container(container.name.clone(), outcome),
            Object::Volume(row) => Event::Volume(row.name(), outcome),
        };
        report.take(&event);
        // Who started it may have stopped listening; what was begun goes on as it was asked for.
        let _heard = news.send(event).await;
    }
    Ok(report)
}

/// Whether two measurements saw the same. An engine counts bytes alone.
fn same_contents(before: &Measured, now: &Measured) -> bool {
    match (before.source, now.source) {
        (Source::Engine, _) | (_, Source::Engine) => before.totals.bytes == now.totals.bytes,
        _ => before.totals == now.totals,
    }
}

enum Object<'a> {
    Container(&'a Stopped),
    Volume(&'a Row),
}

struct Removing<'a> {
    engine: &'a Engine,
    changes: &'a dyn Changes,
}

impl Removing<'_> {
    /// Looks into the chosen volumes of a plan that stood for a while: a container that came, wrote and went leaves no
    /// other trace where this user cannot look at their directories. Says which are not as they were.
    async fn look_inside(
        &self,
        plan: &Plan,
        chosen: &BTreeSet<VolumeName>,
        cancel: &CancellationToken,
    ) -> BTreeMap<MountId, String> {
        // What lies elsewhere stays, whoever writes to it.
        let goes = |row: &&Row| chosen.contains(&row.name()) && !verdict::is_elsewhere(&row.mount);
        let rows = plan.rows.iter().filter(goes);
        let rows: Vec<(&Row, &Measured)> = rows.filter_map(|row| Some((row, row.size.measured()?))).collect();
        let mounts = rows.iter().map(|(row, _)| Arc::clone(&row.mount)).collect();
        let (untold, _) = watch::channel(Step::default());
        let looked = gather::look(self.engine, mounts, &untold, cancel).await;
        let differs = |(row, before): (&Row, &Measured)| {
            let why = match looked.get(&row.mount.id).map(|looked| &looked.size) {
                Some(Size::Measured(now)) if same_contents(before, now) => return None,
                Some(Size::Measured(_)) => "it was written to since the plan was made".to_owned(),
                Some(Size::Failed(why) | Size::Unknown(Some(why))) => {
                    format!("it could not be looked into again: {why}")
                }
                _ => "it could not be looked into again".to_owned(),
            };
            Some((row.mount.id.clone(), why))
        };
        rows.into_iter().filter_map(differs).collect()
    }

    /// Removes a volume. An error means that it was not touched.
    async fn volume(&self, row: &Row, cancel: &CancellationToken) -> Result<Outcome, EngineError> {
        let name = row.name();
        // Only looking can be broken off; a removal that was sent is waited for.
        let looking = async {
            match self.check(row).await? {
                None => self.is_there(&name).await,
                changed => Ok(changed),
            }
        };
        let checked = cancel.run_until_cancelled(looking).await;
        if let Some(why) = checked.unwrap_or(Err(EngineError::Cancelled))? {
            return Ok(Outcome::Refused(why));
        }
        let removed = self.changes.remove_volume(&name).await;
        Ok(match (removed, self.engine.daemon.volume(&name).await) {
            (Ok(()), Ok(None)) => Outcome::Removed(row.frees),
            (Ok(()), Ok(Some(_))) => {
                Outcome::Refused("the engine says that it was removed, but a volume of this name is there".to_owned())
            }
            (Ok(()), Err(error)) => Outcome::Refused(format!(
                "the engine says that it was removed, but could not be asked whether it is gone: {error}"
            )),
            // The answer was lost, or somebody else was faster: either way it is not there any more.
            (Err(error), Ok(None)) => {
                Outcome::Refused(format!("it is gone, but not known to be by this removal: {error}"))
            }
            (Err(error), Ok(Some(_))) => Outcome::Refused(error.to_string()),
            (Err(error), Err(_)) => Outcome::Refused(format!("whether it is gone could not be asked: {error}")),
        })
    }

    /// Whether a volume of exactly this name is there at the last moment; says why not. Podman's removal takes the start
    /// of a name for the only volume that begins so: of `app`, gone meanwhile, it would make `app_data` (4.3 to 5.8).
    async fn is_there(&self, name: &VolumeName) -> Result<Option<String>, EngineError> {
        Ok(match self.engine.daemon.volume(name).await? {
            Some(row) if row.name == name.as_str() => None,
            Some(row) => Some(format!("the engine takes its name for {}", row.name)),
            None => Some("it is gone already".to_owned()),
        })
    }

    /// Looks at a row again; says what changed, or else nothing.
    async fn check(&self, row: &Row) -> Result<Option<String>, EngineError> {
        let refused = |why: &str| Ok(Some(why.to_owned()));
        if row.blocked {
            return refused(&row.reason);
        }
        let Some(now) = self.look(&row.name()).await? else {
            return refused("it is gone already");
        };
        if !verdict::is_candidate(&now) || (now.overseen && !row.mount.overseen) {
            return refused(&now.reason);
        }
        if let Some(what) = verdict::difference(&row.mount, &now) {
            return Ok(Some(format!("it changed since the plan was made: {what}")));
        }
        if row.identity.directory.is_some() {
            let looking = tokio::task::spawn_blocking(move || identity(&now));
            let Ok(identity) = looking.await else {
                return refused("its directory could not be looked at");
            };
            if identity.directory != row.identity.directory {
                return refused("it changed since the plan was made: its directory is another one");
            }
            if identity != row.identity {
                return refused("it changed since the plan was made: something was written to it");
            }
        }
        Ok(None)
    }

    /// Lists everything anew and judges one volume; `None` when it is gone.
    async fn look(&self, name: &VolumeName) -> Result<Option<Mount>, EngineError> {
        let (mut lists, short) = Lists::counted(self.engine, Depth::Rows).await?;
        if let Some(cause) = short {
            let what = "the list of containers".to_owned();
            return Err(EngineError::Garbage { what, cause });
        }
        lists.inspect_untold(self.engine).await;
        lists.forget_others(name);
        let paths = lists.paths_of(name);
        let inventory = lists.inventory(paths).await;
        let there = |mount: &&Arc<Mount>| mount.kind.is_volume() && mount.name == name.as_str();
        Ok(inventory.mounts.iter().find(there).map(|mount| Mount::clone(mount)))
    }

    /// Removes a container that does not run. An error means that it was not touched.
    async fn container(&self, container: &Stopped, cancel: &CancellationToken) -> Result<Outcome, EngineError> {
        let refused = |why: String| Ok(Outcome::Refused(why));
        if let Some(why) = &container.blocked {
            return refused(why.clone());
        }
        let listed = cancel.run_until_cancelled(self.engine.daemon.containers()).await;
        let list = listed.unwrap_or(Err(EngineError::Cancelled))?;
        let Some(row) = list.rows.iter().find(|row| row.id == container.id) else {
            return refused("it is gone already".to_owned());
        };
        let state = ContainerState::parse(&row.state);
        if state.is_live() {
            return refused(format!("it is {} now", state.word()));
        }
        let removed = self.changes.remove_container(&container.id).await;
        Ok(match (removed, self.engine.daemon.container(&container.id).await) {
            (Ok(()), Ok(None)) => Outcome::Removed(None),
            (Ok(()), Ok(Some(_))) => {
                Outcome::Refused("the engine says that it was removed, but it is there".to_owned())
            }
            (Ok(()), Err(error)) => Outcome::Refused(format!("whether it is gone could not be asked: {error}")),
            (Err(error), _) => Outcome::Refused(error.to_string()),
        })
    }
}
