//! Plans and carries out backups, lists and checks archives, for the loop. Knows the operations' messages, not their work.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::mail::Mail;
use super::telling::{self, Fold, QUEUE};
use crate::archive::{Archive, Status, Verdict, place, shelf};
use crate::core::backup::expected_of;
use crate::core::backups::{Check, check_words};
use crate::core::figures;
use crate::core::jobs::{JobEnd, Progress};
use crate::core::msg::EngineMsg;
use crate::demo;
use crate::engine::Engine;
use crate::engine::contexts::Environment;
use crate::model::size::Measured;
use crate::model::{EngineId, JobId, Mount, MountId};
use crate::ops::backup::{self, Event, Plan, Report, Request};
use crate::ops::verify::{self, VerifyError};

/// Looks where a backup goes. What is cancelled is not answered: nobody waits for it.
pub(super) async fn plan(
    engine: Engine,
    ask: u64,
    request: Request,
    sizes: Vec<(MountId, Measured)>,
    at: OffsetDateTime,
    mail: Mail,
    cancel: CancellationToken,
) {
    let sizes: HashMap<MountId, Measured> = sizes.into_iter().collect();
    let known = |mount: &Mount| sizes.get(&mount.id).cloned();
    let planning = backup::plan(&engine, request, &known, at);
    let Some(result) = cancel.run_until_cancelled(planning).await else {
        return;
    };
    let result = result.map(Arc::new);
    mail.engine(EngineMsg::BackupPlanned { ask, result }).await;
}

/// Carries a plan out, and tells the operator what became of each mount.
pub(super) async fn run(engine: Engine, job: JobId, plan: Arc<Plan>, mail: Mail, cancel: CancellationToken) {
    let (to, news) = mpsc::channel(QUEUE);
    let telling = Telling {
        job,
        mail: &mail,
        plan: &plan,
        total: expected_of(plan.rows.iter().filter(|row| row.refused.is_none())),
        rows: BTreeMap::new(),
        phase: String::new(),
        ended: Vec::new(),
    };
    let copying = backup::run(&engine, &plan, to, cancel);
    let (report, _) = tokio::join!(copying, telling::folded(telling, news));
    mail.ended(job, end(&report)).await;
}

/// Folds what rows report into one progress.
struct Telling<'a> {
    job: JobId,
    mail: &'a Mail,
    plan: &'a Plan,
    total: Option<u64>,
    /// Bytes of contents so far, by row.
    rows: BTreeMap<usize, u64>,
    phase: String,
    ended: Vec<(usize, Result<Archive, String>)>,
}

impl Fold for Telling<'_> {
    type News = Event;

    fn take(&mut self, news: Event) {
        match news {
            Event::Progress {
                row, entries, bytes, ..
            } => {
                self.rows.insert(row, bytes);
                let name = self.plan.rows.get(row).map(|row| row.mount.name.as_str());
                let rows = self.plan.rows.len();
                self.phase = match name.filter(|_| rows > 1) {
                    Some(name) => format!("{name} ({} of {rows}), {}", row + 1, figures::entries(entries)),
                    None => figures::entries(entries),
                };
            }
            Event::Ended { row, result } => {
                if let Ok(archive) = &result {
                    self.rows.insert(row, archive.content_bytes);
                }
                self.ended.push((row, result));
            }
        }
    }

    async fn tell(&mut self) {
        let job = self.job;
        for (row, result) in self.ended.drain(..) {
            let result = result.map(Arc::new);
            // A loop that has ended cancels the backup; nothing is to be done about it here.
            let _listened = self.mail.engine(EngineMsg::BackedUp { job, row, result }).await;
        }
        let progress = Progress {
            phase: self.phase.clone(),
            bytes: self.rows.values().sum(),
            bytes_total: self.total,
            ..Progress::default()
        };
        let _listened = self.mail.progress(job, progress).await;
    }
}

/// How a backup ended: only what is whole is called done.
fn end(report: &Report) -> JobEnd {
    let bytes = figures::bytes(report.archives.iter().map(|archive| archive.bytes).sum());
    let made = match report.archives.as_slice() {
        [one] => {
            let digest: String = one.sha256.chars().take(12).collect();
            format!("{bytes}, sha256 {digest}, {}", one.path.to_string_lossy())
        }
        many => format!("{}, {bytes}", figures::counted(many.len() as u64, "archive")),
    };
    let partial = report.archives.iter().filter(|one| one.status == Status::Partial);
    let warnings: u64 = partial.map(|one| one.warned).sum();
    let failed = report.failed.first().map(|(name, why)| {
        let count = figures::count(report.failed.len() as u64);
        format!("{count} not copied, the first: {name}: {why}")
    });
    match (report.archives.is_empty(), report.cancelled, failed) {
        (true, true, _) => JobEnd::Cancelled,
        (true, false, Some(failed)) => JobEnd::Failed(failed),
        (true, false, None) => JobEnd::Failed("nothing was copied".to_owned()),
        (false, _, Some(failed)) => JobEnd::Partial(format!("{made}; {failed}")),
        (false, true, None) => JobEnd::Partial(format!("stopped after {made}")),
        (false, false, None) if warnings > 0 => {
            let warnings = figures::counted(warnings, "warning");
            JobEnd::Partial(format!("{made}; {warnings}"))
        }
        (false, false, None) => JobEnd::Done(made),
    }
}

/// Lists the archives of this machine.
pub(super) async fn list(engine: Engine, mail: Mail) {
    if is_demo(&engine.id)
        && let Err(error) = demo::fill_shelf(&engine).await
    {
        mail.engine(EngineMsg::Archives(Err(error.to_string()))).await;
        return;
    }
    let listed = tokio::task::spawn_blocking(move || {
        let dir = home(&engine.id, &Environment::of_process())?;
        match shelf::list(&dir) {
            Ok(shelf) => Ok((shelf.archives, shelf.warnings)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((Vec::new(), Vec::new())),
            Err(error) => Err(format!("{} cannot be read: {error}", dir.display())),
        }
    });
    let listed = listed.await.unwrap_or_else(|error| Err(error.to_string()));
    mail.engine(EngineMsg::Archives(listed)).await;
}

/// The directory of all archives.
fn home(engine: &EngineId, environment: &Environment) -> Result<PathBuf, String> {
    match is_demo(engine) {
        true => Ok(place::demo()),
        false => place::all(environment)
            .ok_or_else(|| "there is no place for archives: set HOME or XDG_DATA_HOME".to_owned()),
    }
}

fn is_demo(engine: &EngineId) -> bool {
    engine.as_str() == "demo"
}

/// Checks an archive, and tells the operator what is wrong with it.
pub(super) async fn verify(job: JobId, path: PathBuf, mail: Mail, cancel: CancellationToken) {
    let (to, news) = watch::channel(verify::Progress::default());
    let telling = telling::latest(news, |news| {
        let progress = Progress {
            phase: format!("checking, {}", figures::entries(news.entries)),
            bytes: news.read,
            bytes_total: news.length,
            ..Progress::default()
        };
        mail.progress(job, progress)
    });
    let checking = verify::run(Some(path.clone()), to, cancel);
    let (result, ()) = tokio::join!(checking, telling);
    let (result, end) = match result {
        Err(VerifyError::Cancelled) => {
            mail.ended(job, JobEnd::Cancelled).await;
            return;
        }
        Err(error) => (Err(error.to_string()), JobEnd::Failed(error.to_string())),
        Ok(report) => {
            let check = Check {
                verdict: report.verdict,
                damage: report.damage.or_else(|| report.warnings.into_iter().next()),
            };
            let words = check_words(&check).1;
            let end = match report.verdict {
                Verdict::Ok => JobEnd::Done(format!("{words}: {} read", figures::entries(report.entries))),
                Verdict::Truncated | Verdict::Corrupt | Verdict::Foreign => JobEnd::Failed(words),
            };
            (Ok(check), end)
        }
    };
    mail.engine(EngineMsg::Verified { path, result }).await;
    mail.ended(job, end).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::sample::archive;

    #[test]
    fn a_backup_that_lacks_something_is_never_called_done() {
        let whole = Report {
            archives: vec![archive("db", 0)],
            ..Report::default()
        };
        assert!(matches!(end(&whole), JobEnd::Done(words) if words.starts_with("3 MiB, sha256 0123456789ab, ")));
        let partial = Archive {
            status: Status::Partial,
            warned: 2,
            ..archive("db", 0)
        };
        let partial = Report {
            archives: vec![partial],
            ..Report::default()
        };
        assert!(matches!(end(&partial), JobEnd::Partial(words) if words.ends_with("2 warnings")));
        let failed = vec![("web".to_owned(), "no space left on device".to_owned())];
        let some = Report {
            failed: failed.clone(),
            ..whole.clone()
        };
        assert!(matches!(end(&some), JobEnd::Partial(words) if words.contains("web: no space left")));
        let none = Report {
            failed,
            ..Report::default()
        };
        assert!(matches!(end(&none), JobEnd::Failed(_)));
        let stopped = Report {
            cancelled: true,
            ..whole
        };
        assert!(matches!(end(&stopped), JobEnd::Partial(_)));
        let cancelled = Report {
            cancelled: true,
            ..Report::default()
        };
        assert_eq!(end(&cancelled), JobEnd::Cancelled);
    }
}
