//! `vole get`: downloads a file or directory of a mount.

use anyhow::Context as _;
use serde::Serialize;
use tokio::sync::watch;

use super::args::Get;
use super::exit::{Exit, warn};
use super::json::Path;
use super::progress::Progress as Line;
use super::session::Context;
use crate::core::figures;
use crate::engine::Engine;
use crate::ops::browse;
use crate::ops::get::{self, GetError, Progress, Report};
use crate::text;

#[derive(Debug, Serialize)]
struct Document {
    destination: String,
    files: u64,
    dirs: u64,
    symlinks: u64,
    bytes: u64,
    skipped: Vec<Skipped>,
}

#[derive(Debug, Serialize)]
struct Skipped {
    #[serde(flatten)]
    path: Path,
    reason: String,
}

pub(super) async fn run(context: &Context, engine: &Engine, options: &Get) -> anyhow::Result<Exit> {
    let place = context.place(engine, &options.place).await?;
    let destination = get::final_path(&options.destination, place.path.name(), &place.mount.name)?;
    let opening = async { Ok(browse::open(engine, &place.mount).await?) };
    let open = context.until_cancelled(opening).await?;
    let (sender, receiver) = watch::channel(Progress::default());
    let at = open.place(&place.path);
    let downloading = get::run(&open.session, at, destination, sender, context.cancel.clone());
    let (ended, ()) = tokio::join!(downloading, follow(receiver, context.output.progress));
    let report = match ended {
        Err(GetError::Engine(error)) => {
            return Err(error).with_context(|| format!("cannot download from {}", place.mount.name));
        }
        ended => ended?,
    };
    tell(context, report)
}

async fn follow(mut progress: watch::Receiver<Progress>, on: bool) {
    let mut line = Line::new(on);
    while progress.changed().await.is_ok() {
        let now = *progress.borrow_and_update();
        line.say(|| {
            let bytes = figures::bytes(now.bytes);
            let of = now
                .total
                .map(|total| format!(" of {}", figures::bytes(total)))
                .unwrap_or_default();
            format!("downloading: {bytes}{of}, {}", figures::counted(now.files, "file"))
        });
    }
}

fn tell(context: &Context, report: Report) -> anyhow::Result<Exit> {
    for skipped in &report.skipped {
        let path = String::from_utf8_lossy(skipped.path.as_bytes());
        warn(&format!("left out {path}: {}", skipped.reason));
    }
    let exit = Exit::of_parts(1, report.skipped.len());
    if context.output.json {
        let skipped = report.skipped.into_iter();
        context.output.document(&Document {
            destination: report.destination.to_string_lossy().into_owned(),
            files: report.files,
            dirs: report.dirs,
            symlinks: report.symlinks,
            bytes: report.bytes,
            skipped: skipped
                .map(|one| Skipped {
                    path: Path::new(one.path.as_bytes()),
                    reason: one.reason,
                })
                .collect(),
        })?;
    } else {
        let word = if exit == Exit::Done { "" } else { ", in part" };
        let files = figures::counted(report.files, "file");
        let destination = text::printable_str(&report.destination.to_string_lossy());
        context.output.line(&format!(
            "{destination}: {files}, {}{word}",
            figures::bytes(report.bytes)
        ))?;
    }
    Ok(exit)
}
