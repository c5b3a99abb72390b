//! Runs a download as a job: its progress, at most some times a second, and how it ended. Knows nothing of how files
//! are fetched or written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::mail::Mail;
use super::opening::Opening;
use super::telling;
use crate::core::figures;
use crate::core::jobs::{JobEnd, Progress};
use crate::core::msg::Notice;
use crate::engine::{Engine, EngineError};
use crate::model::{BytePath, JobId, Mount};
use crate::ops::browse;
use crate::ops::get::{self, GetError, Report};

/// What is downloaded, and where to.
pub(super) struct Wanted {
    /// The mount.
    pub(super) mount: Arc<Mount>,
    /// The archive that is read in its place.
    pub(super) archive: Option<Arc<Opening>>,
    /// The file or directory.
    pub(super) at: BytePath,
    /// The directory of this machine, as it was typed.
    pub(super) to: String,
}

/// Downloads, and tells the operator how it ended.
pub(super) async fn run(engine: Engine, wanted: Wanted, job: JobId, mail: Mail, cancel: CancellationToken) {
    let (to, progress) = watch::channel(get::Progress::default());
    let downloading = download(&engine, &wanted, to, cancel);
    let telling = telling::latest(progress, |now| mail.progress(job, words_of(now)));
    let (ended, ()) = tokio::join!(downloading, telling);
    let (end, notice) = words(ended);
    if let Some(notice) = notice {
        mail.notice(notice).await;
    }
    mail.ended(job, end).await;
}

async fn download(
    engine: &Engine,
    wanted: &Wanted,
    to: watch::Sender<get::Progress>,
    cancel: CancellationToken,
) -> Result<Report, GetError> {
    let destination = get::final_path(&directory(&wanted.to), wanted.at.name(), &wanted.mount.name)?;
    // A bulk job has a helper of its own, so that browsing stays quick and its lease short.
    let opening = async {
        match &wanted.archive {
            Some(archive) => Ok(browse::Open::archive(archive.open().await?.session)),
            None => browse::open(engine, &wanted.mount).await,
        }
    };
    let open = cancel
        .run_until_cancelled(opening)
        .await
        .unwrap_or(Err(EngineError::Cancelled))?;
    get::run(&open.session, open.place(&wanted.at), destination, to, cancel).await
}

/// A typed directory, with the home directory for `~` as a shell would read it.
pub(super) fn directory(typed: &str) -> PathBuf {
    let home = || std::env::var_os("HOME").map(PathBuf::from);
    match typed.strip_prefix('~').map(|rest| (rest, rest.strip_prefix('/'))) {
        Some(("", _)) => home().unwrap_or_else(|| PathBuf::from(typed)),
        Some((_, Some(below))) => home().map_or_else(|| PathBuf::from(typed), |home| home.join(below)),
        _ => Path::new(typed).to_path_buf(),
    }
}

fn words_of(now: get::Progress) -> Progress {
    Progress {
        phase: "downloading".to_owned(),
        bytes: now.bytes,
        bytes_total: now.total,
        items: now.files,
        items_total: None,
    }
}

fn words(ended: Result<Report, GetError>) -> (JobEnd, Option<Notice>) {
    match ended {
        Ok(report) => {
            let files = figures::counted(report.files, "file");
            let to = report.destination.to_string_lossy();
            let done = format!("{files}, {} in {to}", figures::bytes(report.bytes));
            let Some(first) = report.skipped.first() else {
                return (
                    JobEnd::Done(done.clone()),
                    Some(Notice::good(format!("downloaded {done}"))),
                );
            };
            let path = String::from_utf8_lossy(first.path.as_bytes());
            let left = figures::count(report.skipped.len() as u64);
            let partly = format!("{done}; {left} left out, the first: {path}: {}", first.reason);
            let notice = Notice::warning(format!("downloaded in part: {partly}"));
            (JobEnd::Partial(partly), Some(notice))
        }
        Err(GetError::Engine(EngineError::Cancelled)) => (JobEnd::Cancelled, None),
        Err(error) => {
            let why = error.to_string();
            (
                JobEnd::Failed(why.clone()),
                Some(Notice::fault(format!("the download failed: {why}"))),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_download_is_never_called_done() {
        let skipped = get::Skipped {
            path: BytePath::new(b"fifo"),
            reason: "a named pipe".to_owned(),
        };
        let report = Report {
            destination: "/tmp/x".into(),
            files: 2,
            skipped: vec![skipped],
            ..Report::default()
        };
        let (end, notice) = words(Ok(report.clone()));
        assert!(
            matches!(&end, JobEnd::Partial(why) if why.contains("1 left out, the first: fifo: a named pipe")),
            "{end:?}"
        );
        assert!(notice.is_some());
        let (end, _) = words(Ok(Report {
            skipped: Vec::new(),
            ..report
        }));
        assert!(matches!(end, JobEnd::Done(_)));
        let (end, notice) = words(Err(GetError::Engine(EngineError::Cancelled)));
        assert_eq!((end, notice), (JobEnd::Cancelled, None));
    }

    #[test]
    fn a_directory_is_read_as_a_shell_reads_it() {
        assert_eq!(directory("/tmp/~x"), PathBuf::from("/tmp/~x"));
        assert_eq!(directory("~user"), PathBuf::from("~user"));
        assert!(!directory("~/x").starts_with("~") || std::env::var_os("HOME").is_none());
    }
}
