//! Brings to an end what a killed vole left half-done: a volume that was being made for a restore goes, a target whose
//! contents were being replaced gets its old contents or its new ones. Reads the journal, and looks into mounts that it is
//! asked about, whose journal may be another user's or lost; touches nothing else.

mod run;

use std::sync::Arc;

use time::{Duration, OffsetDateTime};
use vole_agent::proto::{Entry, Kind, Order};

use super::restore::existing::{is_empty, reason, unused};
use super::writable::{self, Now, Seen, at, refusal};
use crate::core::figures;
use crate::engine::{Engine, EngineError, Purpose, Session};
use crate::journal::{JournalId, Listed, Operation, Restore, Site, Stage, Store, Unfinished};
use crate::model::{BytePath, Mount, MountId, VolumeName};
use crate::text;

pub use run::run;

/// How directories of restores begin, and what comes behind all of them in the order of names.
const LEFT: &[u8] = b".vole-new-";
const BEYOND: &[u8] = b".vole-new.";
/// Entries that are asked for at once.
const PAGE: u32 = 4096;
/// The operation that left something, in words, where only that is known.
pub const UNKNOWN: &str = "restore that no journal of this user knows";
/// Between the journal's begin and the volume's, whose time engines tell in whole seconds.
const SOON: Duration = Duration::seconds(5);

/// What would be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// When it was made.
    pub at: OffsetDateTime,
    /// One row per operation that was cut short, the oldest first.
    pub rows: Vec<Row>,
    /// What was left in the mounts that were asked about, and no row is about.
    pub left: Vec<Left>,
    /// Changes of owners and modes that were cut short: `vole undo` takes them back.
    pub interrupted: Vec<Listed>,
    /// Journals that could not be read.
    pub warnings: Vec<String>,
}

/// An operation that was cut short.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its journal.
    pub id: JournalId,
    /// When it began.
    pub began: OffsetDateTime,
    /// The operation in words.
    pub operation: String,
    /// The mount's name.
    pub volume: String,
    /// What is done about it; or why nothing can be done now.
    pub doing: Result<Doing, String>,
}

impl Plan {
    /// Whether there is anything to bring to an end, or to say why it cannot be.
    pub fn has_something(&self) -> bool {
        !self.rows.is_empty() || self.left.iter().any(Left::is_something)
    }
}

/// A mount that was asked about.
#[derive(Debug, Clone, PartialEq)]
pub struct Left {
    /// The mount.
    pub mount: Arc<Mount>,
    /// What restores that were cut short left in it; or why nothing can be done now.
    pub found: Result<Found, String>,
}

/// What was found in a mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Names of directories at its top.
    pub names: Vec<String>,
    /// Where that was.
    pub root: Seen,
}

impl Left {
    /// Whether something was left in it, or nobody could look.
    pub fn is_something(&self) -> bool {
        self.found.as_ref().map_or(true, |found| !found.names.is_empty())
    }
}

/// What is done about an operation that was cut short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doing {
    /// The volume that it made is removed: it is not whole.
    Remove,
    /// The old contents are brought back, or the new ones are brought to their place.
    Mend,
    /// Nothing: it is forgotten, and why.
    Forget(String),
}

impl Doing {
    /// What is done, in words.
    pub fn words(&self) -> String {
        match self {
            Self::Remove => "the volume that was made for it is not whole and is removed".to_owned(),
            Self::Mend => {
                "the old contents are kept, or the new ones are brought to their place where that was begun".to_owned()
            }
            Self::Forget(why) => format!("{why}: it is forgotten"),
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What was brought to an end.
    pub recovered: Vec<Recovered>,
    /// What was not: operation, volume, and why.
    pub failed: Vec<(String, String, String)>,
}

/// An operation that was brought to an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The operation in words.
    pub operation: String,
    /// The mount's name.
    pub volume: String,
    /// What stands there now.
    pub outcome: String,
    /// What is not as it should be, all the same.
    pub warnings: Vec<String>,
    /// Whether something has to be done by hand: what it held may be gone.
    pub lost: bool,
}

/// Names of what restores that were cut short left at the top of a root.
///
/// # Errors
///
/// When the agent cannot list it.
pub(in crate::ops) async fn left_in(session: &Session, root: u32) -> Result<Vec<String>, EngineError> {
    let (mut left, mut after) = (Vec::new(), None);
    loop {
        let page = session.list(at(root, b""), Order::Name, after, PAGE).await?;
        let is_left = |entry: &&Entry| entry.kind == Kind::Dir && entry.name.starts_with(LEFT);
        left.extend(
            page.entries
                .iter()
                .filter(is_left)
                .map(|entry| text::printable(&entry.name)),
        );
        let beyond = page.entries.last().is_none_or(|last| last.name.as_slice() > BEYOND);
        match page.next {
            Some(next) if !beyond => after = Some(next),
            _ => return Ok(left),
        }
    }
}

/// What is said of a mount in which a restore left this.
pub(in crate::ops) fn cut_short(left: &str, mount: &str) -> String {
    let mount = text::printable_str(mount);
    format!("a restore into it was cut short ({left}): run `vole recover {mount}` first")
}

/// Makes the plan, of all that the journal knows, or of these mounts alone. Changes nothing.
///
/// # Errors
///
/// When the journal's directory cannot be read.
pub async fn plan(
    engine: &Engine,
    store: &Store,
    asked: &[Arc<Mount>],
    made: OffsetDateTime,
) -> Result<Plan, EngineError> {
    let (found, listed) = read(store).await?;
    let (unfinished, mut warnings) = found;
    let (journals, more) = listed;
    warnings.extend(
        more.into_iter()
            .filter(|one| !warnings.contains(one))
            .collect::<Vec<_>>(),
    );
    let mut rows = Vec::new();
    let is_asked = |id: &MountId| asked.is_empty() || asked.iter().any(|mount| mount.id == *id);
    for one in unfinished.into_iter().filter(|one| is_asked(&one.header.mount.id)) {
        let doing = match decide(engine, &one).await {
            Ok(doing) => Ok(doing),
            Err(error) => Err(reason(error)),
        };
        rows.push(Row {
            began: one.header.began(),
            operation: one.header.words(),
            volume: one.header.mount.name.clone(),
            id: one.id,
            doing,
        });
    }
    let mut left = Vec::new();
    for mount in asked {
        // What the journal knows more of is done by it.
        let does = |row: &Row| row.volume == mount.name && matches!(row.doing, Ok(Doing::Mend | Doing::Remove));
        if !rows.iter().any(does) {
            let found = find(engine, mount).await.map_err(reason);
            let mount = Arc::clone(mount);
            left.push(Left { mount, found });
        }
    }
    let interrupted = journals.into_iter().filter(|_| asked.is_empty());
    Ok(Plan {
        at: made,
        rows,
        left,
        interrupted: interrupted
            .filter(|one| one.stage == Stage::Interrupted && one.entries > 0)
            .collect(),
        warnings,
    })
}

/// Looks for what was left in a mount.
async fn find(engine: &Engine, mount: &Mount) -> Result<Found, EngineError> {
    let now = writable::now(engine, &mount.id, &mount.name, mount.kind, &BytePath::root()).await?;
    if let Some(why) = &now.survey.refused {
        return Err(refusal(why.clone()));
    }
    let (session, root) = writable::open(engine, &now.mount, Purpose::Measure).await?;
    let (_, seen) = now.survey.check(&session, root, b"").await?;
    let names = left_in(&session, root).await?;
    if !names.is_empty() {
        unused(&now, &mount.name)?;
    }
    Ok(Found { names, root: seen })
}

type Read<T> = (Vec<T>, Vec<String>);

async fn read(store: &Store) -> Result<(Read<Unfinished>, Read<Listed>), EngineError> {
    let dir = store.dir().display().to_string();
    let store = store.clone();
    let reading = tokio::task::spawn_blocking(move || Ok((store.unfinished()?, store.list()?))).await;
    reading
        .map_err(std::io::Error::other)
        .and_then(|read: std::io::Result<_>| read)
        .map_err(|error| refusal(format!("the journals in {dir} cannot be listed: {error}")))
}

/// Operations of an engine that were cut short, for a word at the start of a command: in words.
pub async fn unfinished(store: &Store) -> Vec<String> {
    let store = store.clone();
    let reading = tokio::task::spawn_blocking(move || store.unfinished());
    match reading.await {
        Ok(Ok((found, _))) => found.iter().map(|one| one.header.words()).collect(),
        // `vole recover` says why it cannot be read; another command was not asked about it.
        Ok(Err(_)) | Err(_) => Vec::new(),
    }
}

fn restore(unfinished: &Unfinished) -> Result<&Restore, EngineError> {
    match &unfinished.header.operation {
        Operation::Restore(restore) => Ok(restore),
        Operation::Own(_) => Err(refusal(
            "it is a change of owners, which `vole undo` takes back".to_owned(),
        )),
    }
}

async fn decide(engine: &Engine, unfinished: &Unfinished) -> Result<Doing, EngineError> {
    let makes = restore(unfinished)?.makes;
    let site = &unfinished.header.mount;
    let name = &site.name;
    if site.kind.is_volume() && engine.daemon.volume(&VolumeName::new(name.as_str())).await?.is_none() {
        return Ok(Doing::Forget(format!("there is no volume {name}")));
    }
    let now = writable::now(engine, &site.id, name, site.kind, &BytePath::root()).await?;
    if now.mount.driver != site.driver || now.mount.options != site.options {
        return Ok(Doing::Forget(another(name)));
    }
    if let Some(why) = &now.survey.refused {
        return Err(refusal(why.clone()));
    }
    if makes && !now.mount.attachments.is_empty() {
        let users: Vec<&str> = now.mount.attachments.iter().map(|one| one.container.as_str()).collect();
        return Err(refusal(format!(
            "{} {} the volume {name}, which is not whole: remove the {} first",
            users.join(", "),
            figures::verb(users.len(), "knows", "know"),
            figures::verb(users.len(), "container", "containers")
        )));
    }
    unused(&now, name)?;
    let (session, root) = writable::open(engine, &now.mount, Purpose::Measure).await?;
    look(unfinished, &now, &session, root, makes).await
}

async fn look(
    unfinished: &Unfinished,
    now: &Now,
    session: &Session,
    root: u32,
    makes: bool,
) -> Result<Doing, EngineError> {
    let name = &unfinished.header.mount.name;
    let (_, seen) = now.survey.check(session, root, b"").await?;
    let known = match makes {
        true => unfinished.made.as_ref(),
        false => Some(&unfinished.header.mount),
    };
    match known {
        Some(site) if !is_same(site, seen) => Ok(Doing::Forget(another(name))),
        Some(_) if makes => Ok(Doing::Remove),
        Some(_) => Ok(Doing::Mend),
        None if is_empty(session, root).await? && is_of(unfinished, now) => Ok(Doing::Remove),
        None => Ok(Doing::Forget(format!(
            "volume {name} holds what this did not put there, or was made at another time"
        ))),
    }
}

/// Whether a volume was made when the operation was about to make one.
fn is_of(unfinished: &Unfinished, now: &Now) -> bool {
    let began = unfinished.header.began();
    let soon = |made: OffsetDateTime| (began - SOON..=began + SOON).contains(&made);
    now.mount.created.is_some_and(soon)
}

fn another(name: &str) -> String {
    format!("another {name} stands there now, which is left alone")
}

/// Whether an opened root is the one of a journal.
fn is_same(site: &Site, seen: Seen) -> bool {
    let Site { dev, ino, born, .. } = *site;
    is_root(Seen { dev, ino, born }, seen)
}

/// Whether two looks were at one root. Numbers of devices may change at a start of the host, and with each mount.
fn is_root(then: Seen, seen: Seen) -> bool {
    let same_place = match (then.born, seen.born) {
        (Some(then), Some(born)) => then == born,
        _ => then.dev == seen.dev,
    };
    same_place && then.ino == seen.ino
}
