//! `vole verify`: proves archives whole, or says where they are damaged. Asks no engine.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path as FilePath, PathBuf};

use serde::Serialize;
use tokio::sync::watch;

use super::args::Verify;
use super::exit::{Exit, UsageError, warn};
use super::json::Path;
use super::progress::{Progress as Line, bar};
use super::session::Context;
use crate::archive::{Origin, Verdict};
use crate::core::figures;
use crate::ops::verify::{self, Progress, Report, VerifyError};
use crate::text;

/// What was found of one archive, in JSON.
#[derive(Debug, Serialize)]
struct Found<'a> {
    #[serde(flatten)]
    path: Path,
    status: &'static str,
    entries: u64,
    bytes: u64,
    content_bytes: u64,
    sha256: Option<&'a str>,
    digest: Option<&'a str>,
    damage: Option<&'a str>,
    damaged: Option<Path>,
    sidecar: bool,
    origin: Option<&'a Origin>,
    warnings: &'a [String],
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    archives: Vec<Found<'a>>,
    failed: &'a [Failed],
}

/// The one archive that was asked about and could not be read.
#[derive(Debug, Serialize)]
struct Unread<'a> {
    #[serde(flatten)]
    path: &'a Path,
    error: &'a str,
    exit: u8,
}

#[derive(Debug, Serialize)]
struct Failed {
    #[serde(flatten)]
    path: Path,
    reason: String,
}

pub(super) async fn run(context: &Context, options: &Verify) -> anyhow::Result<Exit> {
    let pipes = options.archives.iter().filter(|path| is_pipe(path)).count();
    if pipes > 1 {
        return Err(UsageError("standard input holds one archive".to_owned()).into());
    }
    let (mut found, mut failed): (Vec<(PathBuf, Report)>, Vec<Failed>) = Default::default();
    for path in &options.archives {
        match check(context, path).await {
            Ok(report) => {
                if !context.output.json {
                    context.output.line(&line(path, &report))?;
                }
                for warning in &report.warnings {
                    warn(&format!("{}: {warning}", shown(path)));
                }
                found.push((path.clone(), report));
            }
            Err(VerifyError::Cancelled) => return Ok(Exit::Cancelled),
            Err(error) => {
                warn(&error.to_string());
                failed.push(Failed {
                    path: Path::new(path.as_os_str().as_bytes()),
                    reason: error.to_string(),
                });
            }
        }
    }
    if context.output.json {
        print(context, &found, &failed)?;
    }
    let damaged = found.iter().any(|(_, report)| report.verdict != Verdict::Ok);
    Ok(match damaged {
        true => Exit::Findings,
        false => Exit::of_parts(found.len(), failed.len()),
    })
}

/// One archive is one object, as the contract says; several are a list.
fn print(context: &Context, found: &[(PathBuf, Report)], failed: &[Failed]) -> anyhow::Result<()> {
    let mut archives: Vec<Found<'_>> = found.iter().map(|(path, report)| Found::new(path, report)).collect();
    match (archives.len(), failed) {
        (1, []) => {
            let one = archives.pop();
            context.output.document(&one)
        }
        (0, [one]) => context.output.document(&Unread {
            path: &one.path,
            error: &one.reason,
            exit: Exit::Failed.code(),
        }),
        _ => context.output.document(&Document { archives, failed }),
    }
}

impl<'a> Found<'a> {
    fn new(path: &FilePath, report: &'a Report) -> Self {
        Self {
            path: Path::new(path.as_os_str().as_bytes()),
            status: report.verdict.word(),
            entries: report.entries,
            bytes: report.bytes,
            content_bytes: report.content_bytes,
            sha256: report.sha256.as_deref(),
            digest: report.digest.as_deref(),
            damage: report.damage.as_deref(),
            damaged: report.damaged.as_deref().map(Path::new),
            sidecar: report.sidecar.is_some(),
            origin: report.origin.as_ref(),
            warnings: &report.warnings,
        }
    }
}

fn is_pipe(path: &FilePath) -> bool {
    path == FilePath::new("-")
}

fn shown(path: &FilePath) -> String {
    match is_pipe(path) {
        true => "standard input".to_owned(),
        false => text::printable(path.as_os_str().as_bytes()),
    }
}

fn line(path: &FilePath, report: &Report) -> String {
    let entries = figures::entries(report.entries);
    let bytes = figures::bytes(report.content_bytes);
    let word = report.verdict.word();
    let why = match (&report.damage, report.verdict) {
        (Some(damage), _) => format!("; {}", text::printable_str(damage)),
        (None, Verdict::Foreign) => "; it is none of vole's, so nothing in it says whether it is whole".to_owned(),
        (None, _) => String::new(),
    };
    let beside = match (&report.sidecar, report.verdict) {
        (Some(_), Verdict::Ok) => ", as its sidecar says",
        _ => "",
    };
    format!("{}: {word}: {entries}, {bytes}{beside}{why}", shown(path))
}

async fn check(context: &Context, path: &FilePath) -> Result<Report, VerifyError> {
    let (sender, mut news) = watch::channel(Progress::default());
    let archive = (!is_pipe(path)).then(|| path.to_owned());
    let checking = verify::run(archive, sender, context.cancel.clone());
    let telling = async {
        let mut line = Line::new(context.output.progress);
        while news.changed().await.is_ok() {
            let now = *news.borrow_and_update();
            line.say(|| say(path, now));
        }
    };
    // The thread that a silent pipe holds has news to tell for ever.
    let telling = context.cancel.run_until_cancelled(telling);
    let (report, _) = tokio::join!(checking, telling);
    report
}

fn say(path: &FilePath, now: Progress) -> String {
    let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let read = figures::bytes(now.read);
    match now.length {
        Some(length) => format!(
            "checking {} {} {read} of {}",
            shown(path),
            bar(whole(now.read), whole(length)),
            figures::bytes(length)
        ),
        None => format!("checking {}: {read}", shown(path)),
    }
}
