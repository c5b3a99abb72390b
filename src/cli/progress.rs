//! One line on stderr that says how far a command is; nothing when stderr is no terminal.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use crate::text;

/// How often the line changes.
const EVERY: Duration = Duration::from_millis(100);

/// The line.
#[derive(Debug)]
pub(super) struct Progress {
    on: bool,
    shown: bool,
    last: Option<Instant>,
}

impl Progress {
    pub(super) fn new(on: bool) -> Self {
        Self {
            on,
            shown: false,
            last: None,
        }
    }

    /// Says how far it is, now and then.
    pub(super) fn say(&mut self, line: impl FnOnce() -> String) {
        if !self.on || self.last.is_some_and(|last| last.elapsed() < EVERY) {
            return;
        }
        self.last = Some(Instant::now());
        self.shown = true;
        let columns = crossterm::terminal::size().map_or(80, |(columns, _)| usize::from(columns));
        let line = text::fit(&text::printable_str(&line()), columns.saturating_sub(1), "...");
        self.write(&format!("\r\x1b[K{line}"));
    }

    fn write(&self, text: &str) {
        let mut stderr = io::stderr().lock();
        // Progress that cannot be shown is not worth an error.
        let _written = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
    }
}

/// A bar of twenty columns in ASCII, for any terminal.
pub(super) fn bar(done: usize, total: usize) -> String {
    const COLUMNS: usize = 20;
    let full = (done.min(total) * COLUMNS).checked_div(total).unwrap_or(0);
    format!("[{}{}]", "#".repeat(full), "-".repeat(COLUMNS - full))
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            self.write("\r\x1b[K");
        }
    }
}
