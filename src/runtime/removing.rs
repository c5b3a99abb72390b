//! Makes plans of removals and carries them out as jobs, for the loop. Knows the operation's messages, not its work.

use std::collections::BTreeSet;
use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::mail::Mail;
use super::telling::{self, Fold, QUEUE};
use crate::core::figures;
use crate::core::jobs::{JobEnd, Progress};
use crate::core::msg::{EngineMsg, Notice};
use crate::engine::{Engine, EngineError};
use crate::model::{JobId, VolumeName};
use crate::ops::prune::{self, Event, Outcome, Plan, Report, Scope, Step};

/// Gathers what a plan needs and makes it. What is cancelled is not answered: nobody waits for it.
pub(super) async fn plan(
    engine: Engine,
    ask: u64,
    scope: Scope,
    at: OffsetDateTime,
    mail: Mail,
    cancel: CancellationToken,
) {
    let (to, steps) = watch::channel(Step::default());
    let gathering = prune::gather(&engine, &scope, at, to, cancel.clone());
    let telling = telling::latest(steps, |step| mail.engine(EngineMsg::Planning { ask, step }));
    let (gathered, ()) = tokio::join!(gathering, telling);
    if cancel.is_cancelled() {
        return;
    }
    let result = gathered.map(|evidence| Arc::new(prune::plan(scope, &evidence, &engine.rules)));
    mail.engine(EngineMsg::Planned { ask, result }).await;
}

/// Removes what was chosen of a plan, and tells the operator how it ended.
pub(super) async fn run(
    engine: Engine,
    job: JobId,
    plan: Arc<Plan>,
    chosen: BTreeSet<VolumeName>,
    mail: Mail,
    cancel: CancellationToken,
) {
    let (to, news) = mpsc::channel(QUEUE);
    let mut telling = Telling {
        job,
        mail: &mail,
        fresh: Vec::new(),
        done: Progress {
            phase: "removing".to_owned(),
            items_total: Some((chosen.len() + plan.containers.iter().filter(|one| one.chosen).count()) as u64),
            ..Progress::default()
        },
    };
    let removing = prune::run(&engine, plan, chosen, to, cancel);
    // How many go is told before the first is gone.
    telling.tell().await;
    let (ended, _) = tokio::join!(removing, telling::folded(telling, news));
    let (end, notice) = words(ended);
    mail.notice(notice).await;
    mail.ended(job, end).await;
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
        let (Event::Container(_, outcome) | Event::Volume(_, outcome)) = &event;
        if let Outcome::Removed(Some(bytes)) = outcome {
            self.done.bytes = self.done.bytes.saturating_add(*bytes);
        }
        self.done.items += 1;
        self.fresh.push(event);
    }

    async fn tell(&mut self) {
        let events = std::mem::take(&mut self.fresh);
        // A loop that has ended cancels the removal; nothing is to be done about it here.
        let _listened = self.mail.engine(EngineMsg::Removed { job: self.job, events }).await;
        let _listened = self.mail.progress(self.job, self.done.clone()).await;
    }
}

fn words(ended: Result<Report, EngineError>) -> (JobEnd, Notice) {
    let report = match ended {
        Ok(report) => report,
        Err(error) => {
            let why = error.to_string();
            return (
                JobEnd::Failed(why.clone()),
                Notice::fault(format!("nothing was removed: {why}")),
            );
        }
    };
    let volumes = figures::counted(report.removed.len() as u64, "volume");
    let containers = match report.containers.len() {
        0 => String::new(),
        count => format!(" and {}", figures::counted(count as u64, "container")),
    };
    let removed = format!("{volumes}{containers}, {} freed", figures::bytes(report.freed));
    let nothing = report.removed.is_empty() && report.containers.is_empty();
    let failed = report.failed.first().map(|(name, why)| {
        let count = figures::count(report.failed.len() as u64);
        format!("{count} left alone, the first: {name}: {why}")
    });
    match (failed, report.cancelled) {
        (None, false) => (
            JobEnd::Done(removed.clone()),
            Notice::good(format!("removed {removed}")),
        ),
        (None, true) if nothing => (JobEnd::Cancelled, Notice::warning("cancelled; nothing was removed")),
        (None, true) => {
            let words = format!("cancelled after {removed}");
            (JobEnd::Partial(words.clone()), Notice::warning(words))
        }
        (Some(failed), false) if nothing => (
            JobEnd::Failed(failed.clone()),
            Notice::fault(format!("nothing was removed: {failed}")),
        ),
        (Some(failed), cancelled) => {
            let lead = if cancelled { "cancelled after " } else { "" };
            let words = format!("{lead}{removed}; {failed}");
            (
                JobEnd::Partial(words.clone()),
                Notice::warning(format!("removed in part: {words}")),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_left_something_alone_is_never_called_done() {
        let removed = vec![VolumeName::new("a")];
        let failed = vec![("b".to_owned(), "it is in use now".to_owned())];
        let all = Report {
            removed: removed.clone(),
            freed: 1024,
            ..Report::default()
        };
        assert_eq!(
            words(Ok(all.clone())).0,
            JobEnd::Done("1 volume, 1 KiB freed".to_owned())
        );
        let (end, notice) = words(Ok(Report {
            failed: failed.clone(),
            ..all.clone()
        }));
        assert!(
            matches!(&end, JobEnd::Partial(why) if why.contains("b: it is in use now")),
            "{end:?}"
        );
        assert_eq!(notice.tone, crate::core::msg::Tone::Warning);
        let none = Report {
            failed,
            ..Report::default()
        };
        assert!(matches!(words(Ok(none)).0, JobEnd::Failed(_)));
        let cancelled = Report {
            cancelled: true,
            ..Report::default()
        };
        assert_eq!(words(Ok(cancelled)).0, JobEnd::Cancelled);
        let stopped = Report { cancelled: true, ..all };
        assert!(matches!(words(Ok(stopped)).0, JobEnd::Partial(_)));
        assert!(matches!(words(Err(EngineError::ReadOnly)).0, JobEnd::Failed(_)));
    }
}
