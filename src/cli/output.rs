//! Standard output: text made harmless, bytes as they are, one JSON document. Knows no command.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use super::args::Globals;

/// Where results go.
#[derive(Debug)]
pub(super) struct Output {
    /// Whether results are to be one JSON document.
    pub(super) json: bool,
    /// Whether stdout is a terminal.
    pub(super) terminal: bool,
    /// Columns of that terminal; `None` for anything else, which takes lines of any length.
    pub(super) columns: Option<usize>,
    /// Whether to draw with ASCII alone.
    pub(super) ascii: bool,
    /// Whether progress may be shown on stderr.
    pub(super) progress: bool,
    /// Whether anything was printed.
    begun: AtomicBool,
}

impl Output {
    /// This process's output.
    pub(super) fn of_process(globals: &Globals) -> Self {
        let terminal = io::stdout().is_terminal();
        let columns = terminal
            .then(crossterm::terminal::size)
            .and_then(Result::ok)
            .map(|(columns, _)| columns.into());
        Self {
            json: globals.json,
            terminal,
            columns: columns.filter(|columns| *columns > 0),
            ascii: globals.ascii || !locale_is_utf8(),
            progress: io::stderr().is_terminal(),
            begun: AtomicBool::new(false),
        }
    }

    /// Prints a line of text that holds nothing hostile any more.
    pub(super) fn line(&self, line: &str) -> io::Result<()> {
        self.begin();
        writeln!(io::stdout().lock(), "{line}")
    }

    /// Prints lines of text that hold nothing hostile any more, all at once.
    pub(super) fn lines(&self, lines: &[String]) -> io::Result<()> {
        let mut text = lines.join("\n");
        text.push('\n');
        self.raw(text.as_bytes())
    }

    /// Prints bytes as they are.
    pub(super) fn raw(&self, bytes: &[u8]) -> io::Result<()> {
        self.begin();
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        stdout.flush()
    }

    /// Prints a document.
    pub(super) fn document(&self, document: &impl Serialize) -> anyhow::Result<()> {
        let mut bytes = serde_json::to_vec_pretty(document)?;
        bytes.push(b'\n');
        Ok(self.raw(&bytes)?)
    }

    /// Notes that something is printed, before it is: a part of it may come out and the rest fail. Whether something was
    /// before.
    pub(super) fn begin(&self) -> bool {
        self.begun.swap(true, Ordering::Relaxed)
    }

    /// The sign for something cut off.
    pub(super) fn ellipsis(&self) -> &'static str {
        if self.ascii { "..." } else { "…" }
    }
}

fn locale_is_utf8() -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok());
    let locale = set.into_iter().find(|value| !value.is_empty());
    locale.is_none_or(|value| {
        let value = value.to_ascii_lowercase();
        value.contains("utf-8") || value.contains("utf8")
    })
}
