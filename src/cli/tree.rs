//! `vole tree`: what is in a directory of a mount and below it.

use std::collections::VecDeque;
use std::io;

use anyhow::Context as _;
use serde::Serialize;
use time::OffsetDateTime;
use vole_agent::proto::{Cursor, Entry, Kind, Order};

use super::args::Tree;
use super::exit::{Exit, warn};
use super::json::{Path, b64_unless_text};
use super::output::Output;
use super::place::Place;
use super::session::Context;
use crate::core::figures;
use crate::engine::{Engine, EngineError};
use crate::model::BytePath;
use crate::ops::browse::{self, Open};
use crate::text;

/// Entries of a directory asked for at once.
const PAGE: u32 = 1024;

#[derive(Debug, Serialize)]
struct Document {
    volume: String,
    #[serde(flatten)]
    path: Path,
    entries: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    name: Name,
    /// The whole path, lossy where it is no UTF-8.
    path: String,
    /// The whole path in base64, only when it is no UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    path_b64: Option<String>,
    kind: &'static str,
    bytes: u64,
    allocated_bytes: u64,
    mode: String,
    uid: u32,
    gid: u32,
    #[serde(with = "time::serde::rfc3339::option")]
    modified: Option<OffsetDateTime>,
    target: Option<Name>,
    other_fs: bool,
}

/// A name or a symlink's target.
#[derive(Debug, Serialize)]
struct Name {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_b64: Option<String>,
}

impl Name {
    fn new(bytes: &[u8]) -> Self {
        Self {
            name: String::from_utf8_lossy(bytes).into_owned(),
            bytes_b64: b64_unless_text(bytes),
        }
    }
}

impl Row {
    fn new(path: &BytePath, entry: &Entry) -> Self {
        let since_epoch = i128::from(entry.mtime.secs) * 1_000_000_000 + i128::from(entry.mtime.nanos);
        Self {
            name: Name::new(&entry.name),
            path: String::from_utf8_lossy(path.as_bytes()).into_owned(),
            path_b64: b64_unless_text(path.as_bytes()),
            kind: kind_word(entry.kind),
            bytes: entry.size,
            allocated_bytes: entry.allocated,
            mode: format!("{:04o}", entry.mode),
            uid: entry.uid,
            gid: entry.gid,
            modified: OffsetDateTime::from_unix_timestamp_nanos(since_epoch).ok(),
            target: entry.target.as_deref().map(Name::new),
            other_fs: entry.other_fs,
        }
    }
}

/// Where entries go as they are found.
enum Sink<'a> {
    Rows(Vec<Row>),
    Lines(&'a Output),
}

pub(super) async fn run(context: &Context, engine: &Engine, options: &Tree) -> anyhow::Result<Exit> {
    let place = context.place(engine, &options.place).await?;
    context
        .until_cancelled(async {
            let open = browse::open(engine, &place.mount).await?;
            let json = context.output.json;
            let sink = if json {
                Sink::Rows(Vec::new())
            } else {
                Sink::Lines(&context.output)
            };
            let mut walk = Walk {
                open: &open,
                sink,
                failed: 0,
            };
            walk.run(&place, options.depth).await?;
            let failed = walk.failed;
            if let Sink::Rows(entries) = walk.sink {
                let path = Path::new(place.path.as_bytes());
                context.output.document(&Document {
                    volume: place.mount.name.clone(),
                    path,
                    entries,
                })?;
            }
            Ok(Exit::of_parts(1, failed))
        })
        .await
        .with_context(|| place.blamed())
}

/// A directory that is being listed, a page at a time.
struct Level {
    path: BytePath,
    entries: VecDeque<Entry>,
    next: Option<Cursor>,
    /// What stands before its entries' own branch.
    indent: String,
}

struct Walk<'a> {
    open: &'a Open,
    sink: Sink<'a>,
    failed: usize,
}

impl Walk<'_> {
    /// Names the place above its entries, once it is known to be there.
    fn head(&self, place: &Place) -> io::Result<()> {
        let Sink::Lines(output) = &self.sink else {
            return Ok(());
        };
        let colon = if place.path.is_root() { "" } else { ":" };
        let top = [place.mount.name.as_bytes(), colon.as_bytes(), place.path.as_bytes()].concat();
        output.line(&text::printable(&top))
    }

    /// Walks from a place. A mount may be a file, which is then called as the mount is.
    async fn run(&mut self, place: &Place, depth: u32) -> anyhow::Result<()> {
        let top = &place.path;
        let mut entry = self.open.session.stat(self.open.place(top)).await?;
        if entry.kind != Kind::Dir {
            if entry.name.is_empty() {
                let own_name = place.mount.name.rsplit('/').next().unwrap_or_default();
                entry.name = own_name.as_bytes().to_vec();
            }
            self.head(place)?;
            self.tell(top, &entry, "", true)?;
            return Ok(());
        }
        let mut levels: Vec<Level> = Vec::new();
        // The top must be a directory that can be read; below it, one that cannot is told and passed over.
        if depth > 0 {
            let (entries, next) = self.page(top, None).await?;
            levels.push(Level {
                path: top.clone(),
                entries,
                next,
                indent: String::new(),
            });
        }
        self.head(place)?;
        while let Some(level) = levels.last_mut() {
            let Some(entry) = level.entries.pop_front() else {
                match level.next.take() {
                    Some(next) => (level.entries, level.next) = self.page(&level.path, Some(next)).await?,
                    None => drop(levels.pop()),
                }
                continue;
            };
            let last = level.entries.is_empty() && level.next.is_none();
            let path = level.path.join(&entry.name);
            let indent = self.tell(&path, &entry, &level.indent, last)?;
            let deeper = u32::try_from(levels.len()).is_ok_and(|at| at < depth);
            if entry.kind == Kind::Dir && !entry.other_fs && deeper {
                match self.page(&path, None).await {
                    Ok((entries, next)) => levels.push(Level {
                        path,
                        entries,
                        next,
                        indent,
                    }),
                    Err(EngineError::Agent(fault)) => {
                        self.failed += 1;
                        warn(&text::fault(&fault));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    async fn page(
        &self,
        path: &BytePath,
        after: Option<Cursor>,
    ) -> Result<(VecDeque<Entry>, Option<Cursor>), EngineError> {
        let page = self
            .open
            .session
            .list(self.open.place(path), Order::Name, after, PAGE)
            .await?;
        Ok((page.entries.into(), page.next))
    }

    /// Tells one entry; returns what stands before the branches below it.
    fn tell(&mut self, path: &BytePath, entry: &Entry, indent: &str, last: bool) -> anyhow::Result<String> {
        match &mut self.sink {
            Sink::Rows(rows) => {
                rows.push(Row::new(path, entry));
                Ok(String::new())
            }
            Sink::Lines(output) => {
                let (branch, trunk) = match (output.ascii, last) {
                    (true, true) => ("`-- ", "    "),
                    (true, false) => ("|-- ", "|   "),
                    (false, true) => ("└── ", "    "),
                    (false, false) => ("├── ", "│   "),
                };
                output.line(&format!("{indent}{branch}{}", line(entry)))?;
                Ok(format!("{indent}{trunk}"))
            }
        }
    }
}

fn line(entry: &Entry) -> String {
    let name = text::printable(&entry.name);
    let target = || entry.target.as_deref().map_or_else(|| "?".to_owned(), text::printable);
    if let Some(errno) = entry.errno {
        return format!("{name}  ({})", std::io::Error::from_raw_os_error(errno));
    }
    match entry.kind {
        Kind::Dir if entry.other_fs => format!("{name}/  (another file system)"),
        Kind::Dir => format!("{name}/"),
        Kind::File => format!("{name}  {}", figures::bytes(entry.size)),
        Kind::Symlink => format!("{name} -> {}", target()),
        kind => format!("{name}  ({})", kind_word(kind)),
    }
}

fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Dir => "dir",
        Kind::Symlink => "symlink",
        Kind::Fifo => "fifo",
        Kind::Socket => "socket",
        Kind::CharDevice => "char_device",
        Kind::BlockDevice => "block_device",
        Kind::Unknown => "unknown",
    }
}
