//! Counts and carries out changes of owner and mode, lists their journals and takes them back, for the loop. Knows the
//! operation's messages, not its work.

use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use vole_agent::proto::own::Census;

use super::mail::Mail;
use super::telling::{self, Counting, QUEUE};
use crate::core::figures;
use crate::core::jobs::{JobEnd, Progress};
use crate::core::msg::EngineMsg;
use crate::engine::{Engine, EngineError};
use crate::journal::{JournalId, Store};
use crate::model::JobId;
use crate::ops::chown::{self, Plan, Report, Request, UndoReport};

/// Counts what a change would do. What is cancelled is not answered: nobody waits for it.
pub(super) async fn plan(
    engine: Engine,
    ask: u64,
    request: Request,
    at: OffsetDateTime,
    mail: Mail,
    cancel: CancellationToken,
) {
    let (to, counts) = watch::channel(Census::default());
    let planning = chown::plan(&engine, request, at, to, cancel.clone());
    let counting = telling::latest(counts, |census| {
        let census = Box::new(census);
        mail.engine(EngineMsg::OwnCounting { ask, census })
    });
    let (result, ()) = tokio::join!(planning, counting);
    if cancel.is_cancelled() {
        return;
    }
    let result = result.map(Arc::new);
    mail.engine(EngineMsg::OwnPlanned { ask, result }).await;
}

/// Carries a plan out. Without a place for journals nothing is changed.
pub(super) async fn run(
    engine: Engine,
    job: JobId,
    plan: Arc<Plan>,
    journals: Result<Store, EngineError>,
    mail: Mail,
    cancel: CancellationToken,
) {
    let (to, news) = mpsc::channel(QUEUE);
    let owning = async {
        let store = journals?;
        chown::run(&engine, plan, &store, to, cancel.clone()).await
    };
    let telling = Counting::new(job, &mail, |news| progress("changing", news));
    let (result, _) = tokio::join!(owning, telling::folded(telling, news));
    let end = ended(&result, cancel.is_cancelled());
    let result = result.map(Arc::new);
    mail.engine(EngineMsg::Owned { job, result }).await;
    mail.ended(job, end).await;
}

/// Takes a change back.
pub(super) async fn undo(
    engine: Engine,
    job: JobId,
    id: JournalId,
    journals: Result<Store, EngineError>,
    mail: Mail,
    cancel: CancellationToken,
) {
    let (to, news) = mpsc::channel(QUEUE);
    let undoing = async {
        let store = journals?;
        chown::undo(&engine, &store, &id, to, cancel.clone()).await
    };
    let telling = Counting::new(job, &mail, |news| progress("putting back", news));
    let (result, _) = tokio::join!(undoing, telling::folded(telling, news));
    let end = undone(&result, cancel.is_cancelled());
    let result = result.map(Arc::new);
    mail.engine(EngineMsg::Undone { job, id, result }).await;
    mail.ended(job, end).await;
}

/// How far a job is.
fn progress(phase: &str, news: chown::Progress) -> Progress {
    Progress {
        phase: phase.to_owned(),
        items: news.done,
        items_total: news.total,
        ..Progress::default()
    }
}

fn ended(result: &Result<Report, EngineError>, cancelled: bool) -> JobEnd {
    let report = match result {
        Ok(report) => report,
        Err(EngineError::Cancelled) if cancelled => return JobEnd::Cancelled,
        Err(error) => return JobEnd::Failed(error.to_string()),
    };
    let unsure = match report.unsure {
        0 => String::new(),
        count => format!(" and up to {} more", figures::count(count)),
    };
    let changed = format!("{}{unsure} changed", figures::count(report.changed));
    let journal = report.journal.as_ref();
    let journal = journal.map_or_else(String::new, |id| format!("; journal {id}"));
    close(
        changed,
        report.changed + report.unsure,
        report.skipped,
        report.stopped.as_deref(),
        &journal,
    )
}

fn undone(result: &Result<UndoReport, EngineError>, cancelled: bool) -> JobEnd {
    let report = match result {
        Ok(report) => report,
        Err(EngineError::Cancelled) if cancelled => return JobEnd::Cancelled,
        Err(error) => return JobEnd::Failed(error.to_string()),
    };
    let restored = format!("{} put back", figures::count(report.restored));
    close(restored, report.restored, report.skipped, report.stopped.as_deref(), "")
}

/// What was left alone or not reached is part of the end: only what is whole is called done.
fn close(words: String, done: u64, skipped: u64, stopped: Option<&str>, tail: &str) -> JobEnd {
    let left = match skipped {
        0 => String::new(),
        count => format!(", {} left alone", figures::count(count)),
    };
    match stopped {
        None if skipped == 0 => JobEnd::Done(format!("{words}{tail}")),
        None => JobEnd::Partial(format!("{words}{left}{tail}")),
        Some(why) if done == 0 => JobEnd::Failed(format!("{words}{left}{tail}: {why}")),
        Some(why) => JobEnd::Partial(format!("stopped after {words}{left}{tail}: {why}")),
    }
}

/// Lists what can be taken back.
pub(super) async fn list(journals: Result<Store, EngineError>, mail: Mail) {
    let listed = match journals {
        Ok(store) => tokio::task::spawn_blocking(move || store.list()).await,
        Err(error) => {
            mail.engine(EngineMsg::Journals(Err(error.to_string()))).await;
            return;
        }
    };
    let listed = match listed {
        Ok(listed) => listed.map_err(|error| format!("their directory cannot be read: {error}")),
        Err(error) => Err(error.to_string()),
    };
    mail.engine(EngineMsg::Journals(listed)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_left_something_alone_or_stopped_is_never_called_done() {
        let all = Report {
            changed: 3,
            journal: Some(JournalId::new("j1")),
            ..Report::default()
        };
        assert_eq!(
            ended(&Ok(all.clone()), false),
            JobEnd::Done("3 changed; journal j1".to_owned())
        );
        let skipped = ended(
            &Ok(Report {
                skipped: 1,
                ..all.clone()
            }),
            false,
        );
        assert_eq!(
            skipped,
            JobEnd::Partial("3 changed, 1 left alone; journal j1".to_owned())
        );
        let stopped = Some("no room for the journal".to_owned());
        let cut = ended(
            &Ok(Report {
                stopped: stopped.clone(),
                ..all
            }),
            false,
        );
        assert!(
            matches!(&cut, JobEnd::Partial(why) if why.contains("no room")),
            "{cut:?}"
        );
        let none = UndoReport {
            stopped,
            ..UndoReport::default()
        };
        assert!(matches!(undone(&Ok(none), false), JobEnd::Failed(_)));
        assert_eq!(undone(&Err(EngineError::Cancelled), true), JobEnd::Cancelled);
        assert!(matches!(ended(&Err(EngineError::ReadOnly), false), JobEnd::Failed(_)));
    }
}
