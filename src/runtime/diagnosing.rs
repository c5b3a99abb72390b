//! Runs diagnoses as jobs, and what the operator does to the containers that they name, for the loop. Knows the
//! operation's messages, not its work.

use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::mail::Mail;
use super::telling::{self, Fold, QUEUE};
use crate::core::figures;
use crate::core::jobs::{JobEnd, Progress};
use crate::core::msg::{EngineMsg, Notice};
use crate::core::update::doctor::verb;
use crate::engine::daemon::Switch;
use crate::engine::{Engine, EngineError};
use crate::model::JobId;
use crate::ops::doctor::{self, Event, Report, Scope};

/// Lines of a log that are asked for.
const LOG_LINES: u32 = 200;

/// Diagnoses; findings go to the loop in batches, the report at the end.
pub(super) async fn run(
    engine: Engine,
    job: JobId,
    scope: Scope,
    at: OffsetDateTime,
    mail: Mail,
    cancel: CancellationToken,
) {
    let (to, news) = mpsc::channel(QUEUE);
    let telling = Telling {
        job,
        mail: &mail,
        fresh: Vec::new(),
        done: Progress {
            phase: "looking at containers".to_owned(),
            ..Progress::default()
        },
    };
    let diagnosing = doctor::diagnose(&engine, &scope, at, to, cancel.clone());
    let (ended, _) = tokio::join!(diagnosing, telling::folded(telling, news));
    let end = end(&ended, cancel.is_cancelled());
    if let Ok(report) = ended {
        let report = Arc::new(report);
        let _listened = mail.engine(EngineMsg::Diagnosed { job, report }).await;
    }
    mail.ended(job, end).await;
}

fn end(ended: &Result<Report, EngineError>, cancelled: bool) -> JobEnd {
    match ended {
        Ok(report) => {
            let words = format!(
                "{} in {}, {} looked at",
                figures::counted(report.findings.len() as u64, "finding"),
                figures::counted(report.containers as u64, "container"),
                figures::counted(report.mounts as u64, "mount"),
            );
            match report.left_out.first() {
                None => JobEnd::Done(words),
                Some(first) => {
                    let count = figures::count(report.left_out.len() as u64);
                    JobEnd::Partial(format!("{words}; {count} left out, the first: {first}"))
                }
            }
        }
        Err(EngineError::Cancelled) if cancelled => JobEnd::Cancelled,
        Err(error) => JobEnd::Failed(error.to_string()),
    }
}

/// Passes news on in batches.
struct Telling<'a> {
    job: JobId,
    mail: &'a Mail,
    fresh: Vec<Event>,
    done: Progress,
}

impl Fold for Telling<'_> {
    type News = Event;

    fn take(&mut self, event: Event) {
        match &event {
            Event::Total(total) => self.done.items_total = Some(*total as u64),
            Event::Looked => self.done.items += 1,
            Event::Found(_) => {}
        }
        self.fresh.push(event);
    }

    async fn tell(&mut self) {
        let events = std::mem::take(&mut self.fresh);
        // A loop that has ended cancels the diagnosis; nothing is to be done about it here.
        let _listened = self.mail.engine(EngineMsg::Diagnosing { job: self.job, events }).await;
        let _listened = self.mail.progress(self.job, self.done.clone()).await;
    }
}

/// Asks for the last lines of a container's log.
pub(super) async fn log_tail(engine: Engine, container: String, mail: Mail) {
    let result = engine.daemon.log_tail(&container, None, LOG_LINES).await;
    mail.engine(EngineMsg::LogTail { container, result }).await;
}

/// Starts, stops or restarts a container, and tells the operator how it ended.
pub(super) async fn switch(
    engine: Engine,
    job: JobId,
    container: String,
    name: String,
    switch: Switch,
    mail: Mail,
    cancel: CancellationToken,
) {
    let switching = async {
        let changes = engine.changes()?;
        changes.switch_container(&container, switch).await
    };
    // What the engine was asked for, it does all the same: who cancels only waits no longer.
    let (end, notice) = match cancel.run_until_cancelled(switching).await {
        None => {
            let words = format!("{} {name}: not waited for; the engine goes on with it", verb(switch));
            (JobEnd::Cancelled, Notice::warning(words))
        }
        Some(Ok(())) => {
            let words = match switch {
                Switch::Start => format!("{name} is started"),
                Switch::Stop => format!("{name} is stopped"),
                Switch::Restart => format!("{name} is restarted"),
            };
            (JobEnd::Done(words.clone()), Notice::good(words))
        }
        Some(Err(error)) => {
            let words = format!("cannot {} {name}: {error}", verb(switch));
            (JobEnd::Failed(words.clone()), Notice::fault(words))
        }
    };
    mail.notice(notice).await;
    mail.ended(job, end).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnosis_that_left_something_out_is_never_called_done() {
        let report = Report {
            containers: 2,
            mounts: 1,
            ..Report::default()
        };
        let done = end(&Ok(report.clone()), false);
        assert_eq!(
            done,
            JobEnd::Done("0 findings in 2 containers, 1 mount looked at".to_owned())
        );
        let left_out = vec!["web: gone".to_owned()];
        let partial = end(&Ok(Report { left_out, ..report }), false);
        assert!(
            matches!(&partial, JobEnd::Partial(why) if why.contains("web: gone")),
            "{partial:?}"
        );
        assert_eq!(end(&Err(EngineError::Cancelled), true), JobEnd::Cancelled);
        assert!(
            matches!(end(&Err(EngineError::Cancelled), false), JobEnd::Failed(_)),
            "nobody cancelled it"
        );
    }
}
