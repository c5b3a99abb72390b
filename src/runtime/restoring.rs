//! Checks archives, plans and carries out restores, for the loop. Knows the operation's messages, not its work.

use std::path::Path;
use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::downloads;
use super::mail::Mail;
use super::telling::{self, Counting, Fold, QUEUE};
use crate::core::figures;
use crate::core::jobs::{self, JobEnd};
use crate::core::msg::EngineMsg;
use crate::engine::{Engine, EngineError};
use crate::model::JobId;
use crate::ops::restore::{self, Plan, Progress, Report, Request};

/// Checks an archive whole and plans its restore. What is cancelled is not answered: nobody waits for it.
pub(super) async fn plan(
    engine: Engine,
    ask: u64,
    mut request: Request,
    at: OffsetDateTime,
    mail: Mail,
    cancel: CancellationToken,
) {
    request.archive = request.archive.as_deref().map(at_home);
    let (to, news) = mpsc::channel(QUEUE);
    let planning = restore::plan(&engine, request, at, to, cancel.clone());
    let telling = Checking {
        ask,
        mail: &mail,
        now: None,
    };
    let (result, _) = tokio::join!(planning, telling::folded(telling, news));
    if cancel.is_cancelled() {
        return;
    }
    let result = result.map(Arc::new);
    mail.engine(EngineMsg::RestorePlanned { ask, result }).await;
}

/// A path as it was typed, with the home directory for `~`.
fn at_home(path: &Path) -> std::path::PathBuf {
    path.to_str().map_or_else(|| path.to_path_buf(), downloads::directory)
}

/// How far the check is.
struct Checking<'a> {
    ask: u64,
    mail: &'a Mail,
    now: Option<Progress>,
}

impl Fold for Checking<'_> {
    type News = Progress;

    fn take(&mut self, news: Progress) {
        self.now = Some(news);
    }

    async fn tell(&mut self) {
        if let Some(progress) = self.now.take() {
            let ask = self.ask;
            // A loop that has ended cancels the check; nothing is to be done about it here.
            let _listened = self.mail.engine(EngineMsg::RestoreChecking { ask, progress }).await;
        }
    }
}

/// Carries a plan out.
pub(super) async fn run(engine: Engine, job: JobId, plan: Arc<Plan>, mail: Mail, cancel: CancellationToken) {
    let (to, news) = mpsc::channel(QUEUE);
    let telling = Counting::new(job, &mail, progress);
    let restoring = restore::run(&engine, &plan, to, cancel.clone());
    let (result, _) = tokio::join!(restoring, telling::folded(telling, news));
    let end = end(&result, cancel.is_cancelled());
    let result = result.map(Arc::new);
    mail.engine(EngineMsg::Restored { job, result }).await;
    mail.ended(job, end).await;
}

fn progress(news: Progress) -> jobs::Progress {
    jobs::Progress {
        phase: format!("{}, {}", news.phase, figures::entries(news.entries)),
        bytes: news.bytes,
        bytes_total: news.total,
        ..jobs::Progress::default()
    }
}

/// How a restore ended: only what is as it was is called done.
fn end(result: &Result<Report, EngineError>, cancelled: bool) -> JobEnd {
    match result {
        Ok(report) => {
            let done = format!(
                "{}, {} in {}",
                figures::entries(report.entries),
                figures::bytes(report.bytes),
                report.target
            );
            match (report.warned, report.warnings.first()) {
                (0, _) => JobEnd::Done(done),
                (warned, first) => {
                    let warned = figures::counted(warned, "warning");
                    let first = first.map(|first| format!(", the first: {first}")).unwrap_or_default();
                    JobEnd::Partial(format!("{done}; {warned}{first}"))
                }
            }
        }
        Err(EngineError::Cancelled) if cancelled => JobEnd::Cancelled,
        Err(error) => JobEnd::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restore_that_lacks_something_is_never_called_done() {
        let report = Report {
            target: "db".to_owned(),
            entries: 3,
            bytes: 1024,
            ..Report::default()
        };
        let done = end(&Ok(report.clone()), false);
        assert_eq!(done, JobEnd::Done("3 entries, 1 KiB in db".to_owned()));
        let lacking = Report {
            warned: 2,
            warnings: vec!["dev/null: not permitted".to_owned()],
            ..report
        };
        let partial = end(&Ok(lacking), false);
        assert!(
            matches!(&partial, JobEnd::Partial(why) if why.contains("2 warnings, the first: dev/null")),
            "{partial:?}"
        );
        assert_eq!(end(&Err(EngineError::Cancelled), true), JobEnd::Cancelled);
        assert!(matches!(end(&Err(EngineError::Cancelled), false), JobEnd::Failed(_)));
    }
}
