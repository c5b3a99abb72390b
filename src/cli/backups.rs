//! `vole backups`: lists the archives that are there. Asks no engine and reads no archive.

use std::io;
use std::os::unix::ffi::OsStrExt as _;

use anyhow::Context as _;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::args::Backups;
use super::exit::{Exit, warn};
use super::json::Path;
use super::session::Context;
use super::table::{Align, Table};
use crate::archive::shelf::{self, Shelf};
use crate::archive::{Archive, Origin, Status, place};
use crate::core::figures;
use crate::demo;
use crate::engine::contexts::Environment;
use crate::text;

/// An archive in JSON.
#[derive(Debug, Serialize)]
pub(super) struct ArchiveInfo<'a> {
    volume: &'a str,
    #[serde(flatten)]
    path: Path,
    bytes: u64,
    sha256: &'a str,
    entries: u64,
    content_bytes: u64,
    digest: &'a str,
    status: Status,
    created: Option<String>,
    engine: &'a str,
    origin: &'a Origin,
    warnings: &'a [String],
    warnings_count: u64,
}

impl<'a> ArchiveInfo<'a> {
    pub(super) fn new(archive: &'a Archive) -> Self {
        Self {
            volume: &archive.origin.name,
            path: Path::new(archive.path.as_os_str().as_bytes()),
            bytes: archive.bytes,
            sha256: &archive.sha256,
            entries: archive.entries,
            content_bytes: archive.content_bytes,
            digest: &archive.digest,
            status: archive.status,
            created: archive.origin.begun.format(&Rfc3339).ok(),
            engine: &archive.origin.engine,
            origin: &archive.origin,
            warnings: &archive.warnings,
            warnings_count: archive.warned,
        }
    }
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    archives: Vec<ArchiveInfo<'a>>,
    warnings: &'a [String],
}

pub(super) async fn run(context: &Context, options: &Backups) -> anyhow::Result<Exit> {
    let given = options.dir.clone();
    // The demo has some from the start; they go with its engine.
    let demo = match context.globals.demo && given.is_none() {
        true => Some(context.connect().await?),
        false => None,
    };
    if let Some(engine) = &demo {
        context
            .until_cancelled(async { Ok(demo::fill_shelf(engine).await?) })
            .await?;
    }
    let usual = match context.globals.demo {
        true => Some(place::demo()),
        false => place::all(&Environment::of_process()),
    };
    let dir = given.clone().or(usual);
    let dir = dir.context("there is no place for archives: set HOME or XDG_DATA_HOME, or name a directory")?;
    let shown = text::printable(dir.as_os_str().as_bytes());
    let listing = tokio::task::spawn_blocking(move || shelf::list(&dir));
    let listed = context.until_cancelled(async { Ok(listing.await?) }).await?;
    let shelf = match listed {
        // Nothing was ever put into the usual place.
        Err(error) if error.kind() == io::ErrorKind::NotFound && given.is_none() => Shelf::default(),
        listed => listed.with_context(|| format!("cannot list the archives in {shown}"))?,
    };
    for warning in &shelf.warnings {
        warn(warning);
    }
    let output = &context.output;
    if output.json {
        output.document(&Document {
            archives: shelf.archives.iter().map(ArchiveInfo::new).collect(),
            warnings: &shelf.warnings,
        })?;
    } else if !shelf.archives.is_empty() {
        let lines = table(&shelf.archives).lines(None, output.ellipsis());
        output.lines(&lines)?;
    }
    Ok(Exit::Done)
}

fn table(archives: &[Archive]) -> Table {
    let now = OffsetDateTime::now_utc();
    let mut table = Table::new(&[
        ("AGE", Align::Right),
        ("SIZE", Align::Right),
        ("STATUS", Align::Left),
        ("VOLUME", Align::Left),
        ("PATH", Align::Left),
    ]);
    for archive in archives {
        table.row(vec![
            figures::age(now, archive.origin.begun),
            figures::bytes(archive.bytes),
            status(archive.status).to_owned(),
            text::printable_str(&archive.origin.name),
            text::printable(archive.path.as_os_str().as_bytes()),
        ]);
    }
    table
}

/// The word for how whole an archive is.
pub(super) fn status(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Partial => "partial",
    }
}
