//! Carries a plan out: what each operation left is mended, removed or forgotten, and what stands then is told.

use tokio_util::sync::CancellationToken;
use vole_agent::proto::Fault;
use vole_agent::proto::archive::Mended;

use super::{Doing, Found, Plan, Recovered, Report, Row, UNKNOWN, another, decide, is_root, is_same, left_in, restore};
use crate::engine::{Engine, EngineError, Purpose};
use crate::journal::{JournalId, Store, Undoing, Unfinished};
use crate::model::{BytePath, Mount, VolumeName};
use crate::ops::restore::existing::{alone, reason, unused};
use crate::ops::writable::{self, refusal};

/// Carries a plan out, row by row. What could not be decided stays in the journal.
///
/// # Errors
///
/// [`EngineError::ReadOnly`].
pub async fn run(
    engine: &Engine,
    store: &Store,
    plan: &Plan,
    cancel: CancellationToken,
) -> Result<Report, EngineError> {
    engine.changes()?;
    engine.release().await;
    let mut report = Report::default();
    for row in &plan.rows {
        let done = match (&row.doing, cancel.is_cancelled()) {
            (_, true) => Err(EngineError::Cancelled),
            (Err(why), _) => Err(refusal(why.clone())),
            (Ok(doing), _) => carry_out(engine, store, row, doing).await,
        };
        match done {
            Ok(recovered) => report.recovered.push(recovered),
            Err(error) => {
                let why = reason(error);
                report.failed.push((row.operation.clone(), row.volume.clone(), why));
            }
        }
    }
    for left in &plan.left {
        let done = match (&left.found, cancel.is_cancelled()) {
            (_, true) => Err(EngineError::Cancelled),
            (Err(why), _) => Err(refusal(why.clone())),
            (Ok(found), _) if found.names.is_empty() => continue,
            (Ok(found), _) => mend_left(engine, &left.mount, found).await,
        };
        let (operation, volume) = (UNKNOWN.to_owned(), left.mount.name.clone());
        match done {
            Ok(settled) => report.recovered.push(settled.of(operation, volume)),
            Err(error) => report.failed.push((operation, volume, reason(error))),
        }
    }
    Ok(report)
}

/// What came of it, before it is said of which operation.
struct Settled {
    outcome: String,
    warnings: Vec<String>,
    lost: bool,
}

impl Settled {
    fn well(outcome: String) -> Self {
        Self {
            outcome,
            warnings: Vec::new(),
            lost: false,
        }
    }

    fn of(self, operation: String, volume: String) -> Recovered {
        Recovered {
            operation,
            volume,
            outcome: self.outcome,
            warnings: self.warnings,
            lost: self.lost,
        }
    }
}

/// Brings to an end what no journal here knows of.
async fn mend_left(engine: &Engine, mount: &Mount, found: &Found) -> Result<Settled, EngineError> {
    let name = &mount.name;
    let _lock = alone(engine, &mount.id).await?;
    engine.release().await;
    let now = writable::now(engine, &mount.id, name, mount.kind, &BytePath::root()).await?;
    unused(&now, name)?;
    let (session, root) = writable::open(engine, &now.mount, Purpose::Unpack).await?;
    let (_, seen) = now.survey.check(&session, root, b"").await?;
    if !is_root(found.root, seen) || left_in(&session, root).await? != found.names {
        return Err(changed());
    }
    let (mended, notes) = session.mend(root, None).await?;
    if left_in(&session, root).await?.is_empty() {
        return settled(name, &mended, notes);
    }
    // What could not be mended still holds the old contents, or the new ones.
    let why = notes.into_iter().next().map(EngineError::Agent);
    Err(why.unwrap_or_else(|| refusal(format!("a restore left something in {name} again"))))
}

/// What it means that these were mended.
fn settled(name: &str, mended: &[Mended], notes: Vec<Fault>) -> Result<Settled, EngineError> {
    let mut notes = notes.into_iter();
    if mended.is_empty() {
        return match notes.next() {
            // What could not be mended still holds the old contents, or the new ones.
            Some(note) => Err(EngineError::Agent(note)),
            None => Ok(Settled::well(format!(
                "nothing was left half-done in {name}: it holds its old contents, or the new ones"
            ))),
        };
    }
    let outcome = match mended.iter().any(|one| one.finished) {
        true => format!("{name} holds the new contents"),
        false => format!("{name} holds what it held before"),
    };
    let warnings = notes.map(|note| reason(EngineError::Agent(note))).collect();
    Ok(Settled {
        warnings,
        ..Settled::well(outcome)
    })
}

fn changed() -> EngineError {
    refusal("it is not as it was when the plan was made".to_owned())
}

async fn carry_out(engine: &Engine, store: &Store, row: &Row, planned: &Doing) -> Result<Recovered, EngineError> {
    let (held, unfinished) = claim(store, &row.id).await?;
    let _lock = alone(engine, &unfinished.header.mount.id).await?;
    let doing = decide(engine, &unfinished).await?;
    if doing != *planned {
        return Err(changed());
    }
    // The helper that looked at it is gone before anything is removed.
    engine.release().await;
    let settled = match doing {
        Doing::Forget(why) => Settled::well(why),
        Doing::Remove => Settled::well(remove(engine, &row.volume).await?),
        Doing::Mend => mend(engine, &unfinished).await?,
    };
    crate::fault::point("recover:done");
    let (store, id) = (store.clone(), row.id.clone());
    let marked = tokio::task::spawn_blocking(move || store.recovered(&id, held)).await;
    marked
        .map_err(std::io::Error::other)
        .and_then(|marked| marked)
        .map_err(|error| {
            refusal(format!(
                "{}, but the journal could not be marked so: {error}",
                settled.outcome
            ))
        })?;
    Ok(settled.of(row.operation.clone(), row.volume.clone()))
}

/// Takes a journal, so that nobody else recovers the same.
async fn claim(store: &Store, id: &JournalId) -> Result<(Undoing, Unfinished), EngineError> {
    let (store, id) = (store.clone(), id.clone());
    let claiming = tokio::task::spawn_blocking(move || -> std::io::Result<_> {
        let mut held = store.undo(&id)?;
        let made = held.unfinished()?;
        let header = held.header().clone();
        Ok(made.map(|made| (held, Unfinished { id, header, made })))
    });
    let claimed = claiming
        .await
        .map_err(std::io::Error::other)
        .and_then(|claimed| claimed)
        .map_err(|error| refusal(format!("its journal cannot be used: {error}")))?;
    claimed.ok_or_else(|| refusal("it was brought to an end meanwhile".to_owned()))
}

async fn remove(engine: &Engine, name: &str) -> Result<String, EngineError> {
    let volume = VolumeName::new(name);
    engine.changes()?.remove_volume(&volume).await?;
    match engine.daemon.volume(&volume).await? {
        None => Ok(format!("volume {name}, which was not whole, is removed")),
        Some(_) => Err(refusal(format!(
            "the engine says that {name} was removed, but it is still there"
        ))),
    }
}

async fn mend(engine: &Engine, unfinished: &Unfinished) -> Result<Settled, EngineError> {
    let site = &unfinished.header.mount;
    let now = writable::now(engine, &site.id, &site.name, site.kind, &BytePath::root()).await?;
    unused(&now, &site.name)?;
    let (session, root) = writable::open(engine, &now.mount, Purpose::Unpack).await?;
    let (_, seen) = now.survey.check(&session, root, b"").await?;
    if !is_same(site, seen) {
        return Err(refusal(another(&site.name)));
    }
    let (mended, notes) = session.mend(root, Some(unfinished.id.as_str())).await?;
    // In place nothing is staged that could be mended.
    if mended.is_empty() && notes.is_empty() && restore(unfinished)?.in_place {
        let outcome = format!(
            "what {} held may be gone, and not all of the new contents are there: restore it again",
            site.name
        );
        return Ok(Settled {
            lost: true,
            ..Settled::well(outcome)
        });
    }
    settled(&site.name, &mended, notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_mended_is_told_with_what_is_left_of_it() {
        let mended = |finished: &[bool]| -> Vec<Mended> {
            let one = |finished: &bool| Mended {
                id: "1".to_owned(),
                finished: *finished,
            };
            finished.iter().map(one).collect()
        };
        let note = || Fault {
            errno: None,
            path: b"f".to_vec(),
            message: "its time could not be set".to_owned(),
        };
        let told = |finished: &[bool], notes: Vec<Fault>| {
            let settled = settled("db", &mended(finished), notes)?;
            Ok::<_, EngineError>((settled.outcome, settled.warnings.len(), settled.lost))
        };
        let fits = |outcome: &str, warnings: usize| (outcome.to_owned(), warnings, false);
        assert_eq!(
            told(&[true], vec![note()]).unwrap(),
            fits("db holds the new contents", 1)
        );
        assert_eq!(
            told(&[false, true], vec![]).unwrap(),
            fits("db holds the new contents", 0)
        );
        assert_eq!(
            told(&[false], vec![note()]).unwrap(),
            fits("db holds what it held before", 1)
        );
        // Somebody else was there before: which of the two stands is not known here.
        let nothing = told(&[], vec![]).unwrap();
        assert_eq!(
            nothing.0,
            "nothing was left half-done in db: it holds its old contents, or the new ones"
        );
        let error = told(&[], vec![note()]).unwrap_err();
        assert!(error.to_string().contains("its time could not be set"), "{error}");
    }
}
