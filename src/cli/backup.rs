//! `vole backup`: says what it is going to copy and where to, copies it, and says what came of it. It changes no mount, so it
//! asks nothing.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use serde::Serialize;
use time::OffsetDateTime;
use tokio::sync::mpsc;

use super::args::Backup;
use super::backups::ArchiveInfo;
use super::exit::{Exit, UsageError, warn};
use super::place;
use super::progress::{Progress, bar};
use super::session::Context;
use crate::archive::{Archive, Status};
use crate::core::figures;
use crate::engine::Engine;
use crate::engine::contexts::Environment;
use crate::model::Mount;
use crate::ops::backup::{self, BackupError, Event, Plan, Report, Request, Row};
use crate::ops::list::Depth;
use crate::ops::sizes::SizeCache;
use crate::text;

/// Warnings about one archive that are told; its sidecar has more of them.
const TOLD: usize = 10;

#[derive(Debug, Serialize)]
struct Document<'a> {
    archives: Vec<ArchiveInfo<'a>>,
    failed: Vec<Failed<'a>>,
    cancelled: bool,
}

#[derive(Debug, Serialize)]
struct Failed<'a> {
    volume: &'a str,
    reason: &'a str,
}

pub(super) async fn run(context: &Context, engine: &Engine, options: &Backup) -> anyhow::Result<Exit> {
    let pipe = options.is_piped();
    if pipe {
        pipe_makes_sense(context, options)?;
    }
    let (mounts, unfound) = mounts(context, engine, &options.mounts).await?;
    let cache = SizeCache::open(&engine.id, &Environment::of_process());
    let sizes = |mount: &Mount| cache.get(mount).cloned();
    let at = OffsetDateTime::now_utc();
    let compression = options.compress.into();
    let planning = async {
        let planned = match mounts.first() {
            Some(mount) if pipe => backup::plan_stream(engine, Arc::clone(mount), compression, &sizes, at).await,
            _ => {
                let request = Request {
                    mounts: mounts.clone(),
                    to: options.to.clone(),
                    compression,
                };
                backup::plan(engine, request, &sizes, at).await
            }
        };
        planned.context("cannot plan the backup")
    };
    let plan = match context.until_cancelled(planning).await {
        Ok(plan) => plan,
        Err(error) => {
            let why = format!("{error:#}");
            let unplanned = mounts.iter().map(|mount| (mount.name.clone(), why.clone()));
            let failed = unplanned.chain(unfound).collect();
            let nothing = Report {
                failed,
                cancelled: context.cancel.is_cancelled(),
                ..Report::default()
            };
            if nothing.cancelled {
                warn("cancelled");
            }
            document(context, &nothing)?;
            return Err(error);
        }
    };
    announce(&plan, context.output.json)?;
    if pipe {
        return stream(context, engine, &plan).await;
    }
    let (to, news) = mpsc::channel(64);
    let running = backup::run(engine, &plan, to, context.cancel.clone());
    let (mut report, ()) = tokio::join!(running, follow(context, &plan, news));
    report.failed.extend(unfound);
    finish(context, &report)
}

fn pipe_makes_sense(context: &Context, options: &Backup) -> Result<(), UsageError> {
    let why = if options.mounts.len() != 1 {
        "--to - takes one mount: an archive holds no more"
    } else if context.output.json {
        "--to - writes the archive to standard output, where --json would stand"
    } else if context.output.terminal {
        "--to - writes an archive, and standard output is a terminal: lead it into a file or a program"
    } else {
        return Ok(());
    };
    Err(UsageError(why.to_owned()))
}

/// The mounts that are meant, and what is none with the reason.
async fn mounts(
    context: &Context,
    engine: &Engine,
    arguments: &[OsString],
) -> anyhow::Result<(Vec<Arc<Mount>>, Vec<(String, String)>)> {
    // Only a tmpfs needs every container inspected, and only CONTAINER:/destination names one.
    let tmpfs = |argument: &OsString| argument.as_bytes().windows(2).any(|two| two == b":/");
    let depth = if arguments.iter().any(tmpfs) {
        Depth::Full
    } else {
        Depth::Rows
    };
    let inventory = context.inventory(engine, depth).await?;
    let (mut mounts, mut unfound): (Vec<Arc<Mount>>, Vec<(String, String)>) = Default::default();
    for argument in arguments {
        let place = place::find(argument, &inventory).and_then(|place| match place.path.is_root() {
            true => Ok(place.mount),
            false => anyhow::bail!("a backup takes a whole mount; `vole get` copies a part of one"),
        });
        match place {
            Ok(mount) if mounts.iter().any(|other| other.id == mount.id) => {}
            Ok(mount) => mounts.push(Arc::new(mount)),
            // A document has room for what else there is no plan to tell of.
            Err(error) if arguments.len() == 1 && !context.output.json => return Err(error),
            Err(error) => unfound.push((argument.to_string_lossy().into_owned(), format!("{error:#}"))),
        }
    }
    Ok((mounts, unfound))
}

/// Says on stderr what is going to be done.
fn announce(plan: &Plan, quiet: bool) -> io::Result<()> {
    for row in plan.rows.iter().filter(|row| row.refused.is_none()) {
        let name = text::printable_str(&row.mount.name);
        if !quiet {
            let held = held(row).map_or_else(|| "not measured yet".to_owned(), figures::bytes);
            let free = row.free.map(|free| format!(", {} free there", figures::bytes(free)));
            let dir = text::printable(row.dir.as_os_str().as_bytes());
            let to = if row.dir == Path::new("-") {
                "standard output"
            } else {
                &dir
            };
            let free = free.unwrap_or_default();
            writeln!(io::stderr().lock(), "{name} ({held}) goes to {to}{free}")?;
        }
        for caveat in &row.caveats {
            warn(&format!("{name}: {caveat}"));
        }
    }
    Ok(())
}

/// Bytes of a mount's contents, as far as known.
fn held(row: &Row) -> Option<u64> {
    let totals = row.size.as_ref()?.totals;
    Some(totals.apparent.unwrap_or(totals.bytes))
}

async fn stream(context: &Context, engine: &Engine, plan: &Plan) -> anyhow::Result<Exit> {
    let out = rustix::io::dup(rustix::stdio::stdout()).context("cannot write to standard output")?;
    let (to, news) = mpsc::channel(64);
    let out = Box::new(File::from(out));
    let running = backup::stream(engine, plan, out, to, context.cancel.clone());
    let (ended, ()) = tokio::join!(running, follow(context, plan, news));
    match ended {
        Ok(archive) => {
            lacking(&archive);
            let name = text::printable_str(&archive.origin.name);
            writeln!(io::stderr().lock(), "{name}: {}", words(&archive))?;
            Ok(exit(&archive))
        }
        Err(BackupError::Cancelled) => Ok(Exit::Cancelled),
        // Not as an I/O error: a reader that has seen enough would make it a success.
        Err(BackupError::Failed(why)) => Err(anyhow::anyhow!("{why}; what was written is not whole")),
    }
}

/// Says how far it is.
async fn follow(context: &Context, plan: &Plan, mut news: mpsc::Receiver<Event>) {
    let mut line = Progress::new(context.output.progress);
    let (mut current, mut begun) = (usize::MAX, Instant::now());
    while let Some(event) = news.recv().await {
        let Event::Progress {
            row, bytes, written, ..
        } = event
        else {
            continue;
        };
        if row != current {
            (current, begun) = (row, Instant::now());
        }
        let Some(of) = plan.rows.get(row) else { continue };
        line.say(|| {
            let seconds = begun.elapsed().as_secs_f64().max(0.001);
            progress(of, bytes, written, seconds)
        });
    }
}

fn progress(row: &Row, bytes: u64, written: u64, seconds: f64) -> String {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate for people"
    )]
    let (rate, left) = {
        let rate = bytes as f64 / seconds;
        let left = held(row).filter(|held| *held > bytes && rate > 0.0);
        (
            rate as u64,
            left.map(|held| ((held - bytes) as f64 / rate).ceil() as u64),
        )
    };
    let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let of = held(row).filter(|held| *held >= bytes);
    let (bar, of) = match of {
        Some(held) => (
            format!("{} ", bar(whole(bytes), whole(held))),
            format!(" of {}", figures::bytes(held)),
        ),
        None => (String::new(), String::new()),
    };
    let left = left.map_or_else(String::new, |left| format!(", {} left", figures::duration(left)));
    format!(
        "copying {} {bar}{}{of} into {}, {}/s{left}",
        row.mount.name,
        figures::bytes(bytes),
        figures::bytes(written),
        figures::bytes(rate)
    )
}

/// What an archive holds, in words.
fn words(archive: &Archive) -> String {
    let partial = match archive.status {
        Status::Ok => "",
        Status::Partial => ", in part",
    };
    format!(
        "{}, {} in {}{partial}, sha256 {}",
        figures::entries(archive.entries),
        figures::bytes(archive.content_bytes),
        figures::bytes(archive.bytes),
        archive.sha256
    )
}

/// Tells what an archive lacks.
fn lacking(archive: &Archive) {
    for warning in archive.warnings.iter().take(TOLD) {
        warn(&format!("{}: {warning}", archive.origin.name));
    }
    let told = archive.warnings.len().min(TOLD) as u64;
    let more = archive.warned.max(archive.warnings.len() as u64).saturating_sub(told);
    if more > 0 {
        warn(&format!(
            "{}: {} more like these; its sidecar lists them",
            archive.origin.name,
            figures::count(more)
        ));
    }
}

fn exit(archive: &Archive) -> Exit {
    match archive.status {
        Status::Ok => Exit::Done,
        Status::Partial => Exit::Partly,
    }
}

/// Prints what came of it, where a document is wanted.
fn document(context: &Context, report: &Report) -> anyhow::Result<()> {
    if !context.output.json {
        return Ok(());
    }
    let failed = report.failed.iter();
    context.output.document(&Document {
        archives: report.archives.iter().map(ArchiveInfo::new).collect(),
        failed: failed.map(|(volume, reason)| Failed { volume, reason }).collect(),
        cancelled: report.cancelled,
    })
}

fn finish(context: &Context, report: &Report) -> anyhow::Result<Exit> {
    for (volume, why) in &report.failed {
        warn(&format!("{volume} was not copied: {why}"));
    }
    report.archives.iter().for_each(lacking);
    if report.cancelled {
        warn("cancelled");
    }
    document(context, report)?;
    let output = &context.output;
    if !output.json {
        for archive in &report.archives {
            let path = text::printable(archive.path.as_os_str().as_bytes());
            output.line(&format!("{path}: {}", words(archive)))?;
        }
    }
    if report.cancelled {
        return Ok(Exit::Cancelled);
    }
    let parts = Exit::of_parts(report.archives.len(), report.failed.len());
    let partial = report.archives.iter().any(|one| one.status == Status::Partial);
    Ok(if parts == Exit::Done && partial {
        Exit::Partly
    } else {
        parts
    })
}
