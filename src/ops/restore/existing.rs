//! A target that is there: whether it may be replaced, what it holds, and how the new contents take the place of the old ones.

use std::time::Duration;

use rustix::io::Errno;
use time::OffsetDateTime;
use vole_agent::proto::archive::{Placing, TAKEN, Unpacked};
use vole_agent::proto::{FileSystem, Kind, Order};

use super::filling::{self, Feed};
use super::fresh::{self, Job};
use super::{Into, Plan};
use crate::archive::Lock;
use crate::core::figures;
use crate::engine::contexts::Environment;
use crate::engine::{Engine, EngineError, Purpose, Session};
use crate::fault;
use crate::journal::{Header, Operation, Restore, Site, Store, Writer};
use crate::model::{BytePath, Mount, MountId};
use crate::ops::recover;
use crate::ops::writable::{self, Now, Seen, at, refusal};
use crate::text;

/// How long an agent is waited for that takes back what it made; another one goes on where it is then.
const TIDYING: Duration = Duration::from_secs(10);

/// What a look at a target found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Looked {
    pub(super) seen: Option<Seen>,
    pub(super) refused: Option<String>,
    /// Whether there is nothing in it.
    pub(super) empty: bool,
    /// What stands at the paths that are wanted and gives way to them.
    pub(super) stands: Vec<BytePath>,
    /// Bytes that are free there.
    pub(super) free: Option<u64>,
    /// Bytes that the file system has in all.
    pub(super) size: Option<u64>,
}

/// The mount as it is now.
pub(super) async fn now(engine: &Engine, mount: &Mount) -> Result<Now, EngineError> {
    writable::now(engine, &mount.id, &mount.name, mount.kind, &BytePath::root()).await
}

/// Refuses a mount that a container has mounted.
pub(in crate::ops) fn unused(now: &Now, name: &str) -> Result<(), EngineError> {
    let live: Vec<&str> = now
        .uses
        .iter()
        .filter(|one| one.state.is_live())
        .map(|one| one.container.as_str())
        .collect();
    match live.as_slice() {
        [] => Ok(()),
        live => Err(refusal(format!(
            "{} {} {name} mounted: stop {them} first, and start {them} again when all is done",
            live.join(", "),
            figures::verb(live.len(), "has", "have"),
            them = figures::verb(live.len(), "it", "them")
        ))),
    }
}

/// Looks at a target, and at these paths of it, without changing anything.
pub(super) async fn look(engine: &Engine, now: &Now, only: &[BytePath]) -> Result<Looked, EngineError> {
    let mut looked = Looked {
        seen: None,
        refused: now.survey.refused.clone(),
        empty: false,
        stands: Vec::new(),
        free: None,
        size: None,
    };
    if looked.refused.is_none() {
        looked.refused = unused(now, &now.mount.name).err().map(reason);
    }
    if looked.refused.is_some() {
        return Ok(looked);
    }
    let (session, root) = writable::open(engine, &now.mount, Purpose::Measure).await?;
    match now.survey.check(&session, root, b"").await {
        Ok((_, seen)) => looked.seen = Some(seen),
        Err(EngineError::Refused { reason }) => {
            looked.refused = Some(reason);
            return Ok(looked);
        }
        Err(error) => return Err(error),
    }
    let kind = session.hello().roots.get(root as usize).map(|info| info.kind);
    if kind != Some(Kind::Dir) {
        looked.refused = Some("it is no directory".to_owned());
        return Ok(looked);
    }
    if let Some(left) = recover::left_in(&session, root).await?.into_iter().next() {
        looked.refused = Some(recover::cut_short(&left, &now.mount.name));
        return Ok(looked);
    }
    looked.empty = is_empty(&session, root).await?;
    looked.stands = standing(&session, root, only).await?;
    if let Some(system) = system(&session, root).await? {
        (looked.free, looked.size) = (Some(system.free), Some(system.size));
    }
    Ok(looked)
}

/// Why something failed, without what the error adds on what stands.
pub(in crate::ops) fn reason(error: EngineError) -> String {
    match error {
        EngineError::Refused { reason } | EngineError::Damaged(reason) => reason,
        error => error.to_string(),
    }
}

/// Whether a root holds nothing; what a file system makes of its own does not count.
pub(in crate::ops) async fn is_empty(session: &Session, root: u32) -> Result<bool, EngineError> {
    let page = session.list(at(root, b""), Order::Name, None, 2).await?;
    Ok(page.entries.iter().all(|entry| entry.name == b"lost+found"))
}

/// What stands at these paths of a root. Where something that is no directory stands on the way to one, that gives way.
async fn standing(session: &Session, root: u32, only: &[BytePath]) -> Result<Vec<BytePath>, EngineError> {
    let mut stands = Vec::new();
    for path in only {
        let mut here = BytePath::root();
        for part in path.components() {
            here = here.join(part);
            let kind = match session.stat(at(root, here.as_bytes())).await {
                Ok(entry) => entry.kind,
                Err(EngineError::Agent(fault)) if fault.errno == Some(Errno::NOENT.raw_os_error()) => break,
                Err(error) => return Err(error),
            };
            if (here == *path || kind != Kind::Dir) && !stands.contains(&here) {
                stands.push(here.clone());
            }
            if kind != Kind::Dir {
                break;
            }
        }
    }
    Ok(stands)
}

/// Refuses a target in which something came to stand since the plan was made: nobody was asked about that.
async fn as_planned(session: &Session, root: u32, plan: &Plan, name: &str) -> Result<(), EngineError> {
    let came = match plan.request.only.is_empty() {
        true => (plan.needs_name.is_none() && !is_empty(session, root).await?).then(BytePath::root),
        false => {
            let stands = standing(session, root, &plan.request.only).await?;
            stands.into_iter().find(|path| !plan.replaced.contains(path))
        }
    };
    came.map_or(Ok(()), |path| {
        let path = text::printable(path.as_bytes());
        Err(refusal(format!(
            "something came to stand in {name} at /{path} since the plan was made: plan again"
        )))
    })
}

async fn system(session: &Session, root: u32) -> Result<Option<FileSystem>, EngineError> {
    let systems = session.file_systems(vec![root]).await?;
    Ok(systems.into_iter().next().filter(|system| system.fault.is_none()))
}

/// Refuses what has no room for the contents, where both are known.
pub(super) async fn room(session: &Session, root: u32, needed: Option<u64>, name: &str) -> Result<(), EngineError> {
    let free = system(session, root).await?.map(|system| system.free);
    match (needed, free) {
        (Some(needed), Some(free)) if needed > free => Err(refusal(no_room(name, needed, free))),
        _ => Ok(()),
    }
}

pub(super) fn no_room(name: &str, needed: u64, free: u64) -> String {
    format!(
        "the contents take {}, and where {name} lies {} are free",
        figures::bytes(needed),
        figures::bytes(free)
    )
}

/// Replaces what a target holds.
pub(super) async fn run(engine: &Engine, plan: &Plan, feed: Feed, job: &Job<'_>) -> Result<Unpacked, EngineError> {
    let Into::Existing(mount) = &plan.into else {
        return Err(refusal("the plan is for a volume that is not there".to_owned()));
    };
    let _lock = alone(engine, &mount.id).await?;
    engine.release().await;
    let opening = open(engine, plan, mount, true);
    let cancelled = || EngineError::Cancelled;
    let (session, root, now, site) = job.cancel.run_until_cancelled(opening).await.ok_or_else(cancelled)??;
    as_planned(&session, root, plan, &mount.name).await?;
    let in_place = plan.placing() == Placing::InPlace;
    if !in_place {
        room(&session, root, job.room, &mount.name).await?;
    }
    let store = Store::of(&Environment::of_process(), &engine.id)?;
    let mut writer = fresh::begin(&store, header(engine, &now, site, job, in_place)).await?;
    fault::point("restore:made");
    let unpack = job.unpack(root, plan.placing(), &writer);
    let placed = async {
        let ready = filling::fill(&session, unpack, feed, job.teller, job.cancel).await?;
        (job.check)(&ready.unpacked, &ready.fed)?;
        fault::point("restore:before-confirm");
        let again = job.cancel.run_until_cancelled(self::now(engine, mount));
        let again = again.await.ok_or(EngineError::Cancelled)??;
        same(&now, &again)?;
        unused(&again, &mount.name)?;
        if job.cancel.is_cancelled() {
            return Err(EngineError::Cancelled);
        }
        job.teller.say("placing", ready.unpacked.made);
        let made = ready.unpacked.clone();
        let placed = ready.place().await;
        fault::point("restore:confirmed");
        Ok((made, placed))
    };
    let ended = match placed.await {
        Ok((_, Ok(unpacked))) => Ok(unpacked),
        Ok((made, Err(error))) => Err((Some(made), error)),
        // Another restore holds it: there is nothing of this one in it.
        Err(error) if is_taken(&error) => {
            drop(session);
            fresh::close(&store, writer).await?;
            return Err(error);
        }
        Err(error) => Err((None, error)),
    };
    if ended.is_err() {
        // The agent takes back what it made. Killed together with its helper while it does, it could leave the time of the
        // root as the last removal made it.
        session.rest(TIDYING).await;
    }
    drop(session);
    let Broken { made, error } = match ended {
        Ok(unpacked) => {
            fresh::whole(&mut writer).map_err(|error| EngineError::Left {
                why: reason(error),
                left: format!("{} holds the new contents, all of them", mount.name),
            })?;
            fault::point("restore:placed");
            fresh::close(&store, writer).await?;
            return Ok(unpacked);
        }
        Err((made, error)) => Broken { made, error },
    };
    mend(engine, plan, mount, &store, writer, Broken { made, error }).await
}

/// Makes sure that nobody else on this machine writes to a mount, or copies it.
///
/// # Errors
///
/// When somebody does, or the lock cannot be tried.
pub(in crate::ops) async fn alone(engine: &Engine, mount: &MountId) -> Result<Lock, EngineError> {
    let (engine, mount) = (engine.id.clone(), mount.clone());
    let taking = tokio::task::spawn_blocking(move || Lock::take(&Environment::of_process(), &engine, &mount)).await;
    let taken = taking.map_err(std::io::Error::other).and_then(|taken| taken);
    let taken = taken.map_err(|error| refusal(format!("others cannot be locked out of it: {error}")))?;
    taken.ok_or_else(|| refusal(Lock::TAKEN.to_owned()))
}

/// Whether somebody else's restore, or its contents, stands where something was to be made: nothing of it is ours.
pub(super) fn is_taken(error: &EngineError) -> bool {
    matches!(error, EngineError::Agent(fault) if fault.errno == Some(TAKEN))
}

/// How a run came to a bad end.
struct Broken {
    /// What was ready, when it was told to take its place.
    made: Option<Unpacked>,
    error: EngineError,
}

/// After a bad end: brings the target to the old contents or to the new ones, with another helper.
async fn mend(
    engine: &Engine,
    plan: &Plan,
    mount: &Mount,
    store: &Store,
    writer: Writer,
    broken: Broken,
) -> Result<Unpacked, EngineError> {
    let Broken { made, error } = broken;
    let mended = async {
        let opening = async {
            engine.release().await;
            // Whoever came meanwhile sees half of it until this is done.
            open(engine, plan, mount, false).await
        };
        let (session, root, ..) = fresh::answered(opening).await?;
        // Not bounded: to delete half of a large archive takes its time.
        let (mended, notes) = session.mend(root, Some(writer.id().as_str())).await?;
        match notes.first() {
            Some(note) if mended.is_empty() => Err(EngineError::Agent(note.clone())),
            _ => Ok(mended),
        }
    };
    let id = writer.id().as_str().to_owned();
    let left = |what: String| EngineError::Left {
        why: reason(error.clone()),
        left: what,
    };
    let mended = match mended.await {
        Ok(mended) => mended,
        Err(why) => {
            return Err(left(format!(
                "{} could not be looked at again ({why}): `vole recover` does that, and brings it to its old contents or to \
                 the new ones",
                mount.name
            )));
        }
    };
    let finished = mended.iter().any(|one| one.id == id && one.finished);
    match made {
        Some(unpacked) if finished => {
            fresh::close(store, writer).await?;
            Ok(unpacked)
        }
        _ if plan.placing() == Placing::InPlace => {
            fresh::close(store, writer).await?;
            Err(left(format!(
                "what {} held may be gone, and not all of the new contents are there: restore it again",
                mount.name
            )))
        }
        _ => {
            fresh::close(store, writer).await?;
            Err(error)
        }
    }
}

/// Opens a target to write to it, if it is the one that the plan is about; `alone`: and nobody uses it.
async fn open(
    engine: &Engine,
    plan: &Plan,
    mount: &Mount,
    alone: bool,
) -> Result<(Session, u32, Now, Site), EngineError> {
    let name = &mount.name;
    let now = now(engine, mount).await?;
    let site = Site::of(mount, None, (0, 0), 0);
    if let Some(why) = site.differs(&now.mount, now.is_dated()) {
        return Err(refusal(format!(
            "{name} is another one than the plan was made for: {why}"
        )));
    }
    if let Some(why) = &now.survey.refused {
        return Err(refusal(why.clone()));
    }
    if alone {
        unused(&now, name)?;
    }
    let (session, root) = writable::open(engine, &now.mount, Purpose::Unpack).await?;
    let (info, seen) = now.survey.check(&session, root, b"").await?;
    if plan.seen.is_some_and(|planned| planned != seen) {
        return Err(refusal(format!(
            "{name} is another one than the plan was made for: another directory stands there"
        )));
    }
    if info.read_only {
        return Err(refusal(format!("{name} is on a file system that is read-only")));
    }
    let site = Site {
        born: seen.born,
        ..Site::of(&now.mount, now.survey.resolved.clone(), seen.dev, seen.ino)
    };
    Ok((session, root, now, site))
}

/// Whether a mount is still the same one.
fn same(before: &Now, now: &Now) -> Result<(), EngineError> {
    let name = &before.mount.name;
    let site = Site::of(&before.mount, None, (0, 0), 0);
    if let Some(why) = site.differs(&now.mount, now.is_dated()) {
        return Err(refusal(format!("{name} was replaced meanwhile: {why}")));
    }
    match before.survey.resolved == now.survey.resolved && now.survey.refused.is_none() {
        true => Ok(()),
        false => Err(refusal(format!("{name} leads elsewhere than a moment ago"))),
    }
}

fn header(engine: &Engine, now: &Now, site: Site, job: &Job<'_>, in_place: bool) -> Header {
    Header {
        engine: engine.id.clone(),
        endpoint: engine.daemon.endpoint(),
        mount: site,
        containers: now.uses.iter().map(|one| one.container.clone()).collect(),
        operation: Operation::Restore(Restore {
            words: job.words.clone(),
            makes: false,
            in_place,
        }),
        at: OffsetDateTime::now_utc().unix_timestamp(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        process: std::process::id(),
    }
}
