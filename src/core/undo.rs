//! The undo screen's state: what operations wrote down to be taken back, what of it is taken back, what came of it. Knows
//! journals as plain data, no engine and no file.

use std::collections::BTreeMap;
use std::sync::Arc;

use time::OffsetDateTime;

use super::details::{Line, Role, Writer};
use super::{figures, own, steps};
use crate::journal::{JournalId, Listed, Stage};
use crate::model::JobId;
use crate::ops::chown::UndoReport;

/// Whether the journals are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Answer {
    /// Nobody asked.
    #[default]
    NotAsked,
    /// Asked.
    Waiting,
    /// They cannot be listed; why.
    Failed(String),
    /// They are listed.
    Listed,
}

/// What the undo screen remembers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Undo {
    /// Whether the journals are known.
    pub answer: Answer,
    /// Files that are no journals, a line each.
    pub warnings: Vec<String>,
    /// The journal that is taken back, and the job that does it.
    pub running: Option<(JobId, JournalId)>,
    /// Whether keys that move go to the pane.
    pub pane_focused: bool,
    /// First line shown in the pane.
    pub pane_top: usize,
    outcomes: BTreeMap<JournalId, Result<Arc<UndoReport>, String>>,
    rows: Vec<Listed>,
    cursor: Option<JournalId>,
    at: usize,
    top: usize,
    height: usize,
}

impl Undo {
    /// Takes the journals; the cursor stays with its own.
    pub fn listed(&mut self, result: Result<(Vec<Listed>, Vec<String>), String>) {
        match result {
            Ok((rows, warnings)) => {
                self.rows = rows;
                self.warnings = warnings;
                self.answer = Answer::Listed;
            }
            Err(why) => {
                self.rows = Vec::new();
                self.warnings = Vec::new();
                self.answer = Answer::Failed(why);
            }
        }
        let kept = self
            .cursor
            .as_ref()
            .and_then(|id| self.rows.iter().position(|row| row.id == *id));
        self.at = kept.unwrap_or(self.at).min(self.rows.len().saturating_sub(1));
        self.scroll();
    }

    /// Takes what an undo came to.
    pub fn undone(&mut self, id: JournalId, result: Result<Arc<UndoReport>, String>) {
        self.outcomes.insert(id, result);
    }

    /// What came of a journal's undo in this run.
    pub fn outcome(&self, id: &JournalId) -> Option<&Result<Arc<UndoReport>, String>> {
        self.outcomes.get(id)
    }

    /// The journals, the latest first.
    pub fn rows(&self) -> &[Listed] {
        &self.rows
    }

    /// The journal under the cursor.
    pub fn current(&self) -> Option<&Listed> {
        self.rows.get(self.at)
    }

    /// Whether the journal under the cursor has something to take back, and nothing is taken back now.
    pub fn can_undo(&self) -> bool {
        self.running.is_none()
            && self
                .current()
                .is_some_and(|row| row.stage != Stage::Undone && row.entries > 0)
    }

    /// The cursor's line.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The first line on screen.
    pub fn top(&self) -> usize {
        self.top
    }

    /// The list is this many lines high now.
    pub fn set_height(&mut self, height: usize) {
        self.height = height;
        self.scroll();
    }

    /// Moves the cursor by so many journals. Returns whether it moved.
    pub fn step(&mut self, by: isize) -> bool {
        self.go(steps::step(self.at, by, self.rows.len(), |_| true))
    }

    /// Moves by half a screen.
    pub fn page(&mut self, down: bool) -> bool {
        self.step(steps::half(self.height, down))
    }

    /// Moves to the first or the last journal.
    pub fn edge(&mut self, last: bool) -> bool {
        let at = steps::edge(last, self.rows.len(), |_| true);
        at.is_some_and(|at| self.go(at))
    }

    fn go(&mut self, at: usize) -> bool {
        let moved = at != self.at;
        self.at = at;
        self.cursor = self.current().map(|row| row.id.clone());
        if moved {
            self.pane_top = 0;
        }
        self.scroll();
        moved
    }

    fn scroll(&mut self) {
        let height = self.height.max(1);
        self.top = self.top.min(self.at);
        if self.at >= self.top + height {
            self.top = self.at + 1 - height;
        }
        self.top = self.top.min(self.rows.len().saturating_sub(height));
    }
}

/// How far the operation of a journal came, in words.
pub fn stage_words(stage: Stage) -> &'static str {
    match stage {
        Stage::Done => "done",
        Stage::Interrupted => "cut short",
        Stage::Undone => "taken back",
        Stage::UndoneInPart => "taken back in part",
    }
}

/// Everything about the journal under the cursor, at this width.
pub fn pane(undo: &Undo, now: OffsetDateTime, width: u16) -> Vec<Line> {
    let mut out = Writer::new(width);
    let Some(row) = undo.current() else { return out.lines };
    out.text(0, Role::Title, &row.words);
    out.field("journal", Role::Plain, row.id.as_str());
    out.field("mount", Role::Plain, &row.mount.1);
    let words = format!("{}, {}", row.at.date(), figures::ago(now, row.at.min(now)));
    out.field("when", Role::Plain, &words);
    out.field("entries", Role::Plain, &figures::count(row.entries));
    let (role, words) = match row.stage {
        Stage::Done => (Role::Plain, "done; it can be taken back"),
        Stage::Interrupted => (
            Role::Warning,
            "cut short, or it still runs; what it changed can be taken back",
        ),
        Stage::Undone => (Role::Dim, "taken back"),
        Stage::UndoneInPart => (Role::Warning, "taken back in part; what changed since was left alone"),
    };
    out.field("state", role, words);
    if let Some(why) = &row.damage {
        out.field("damaged", Role::Fault, why);
    }
    match undo.outcome(&row.id) {
        None => {}
        Some(Err(why)) => out.field("outcome", Role::Fault, &format!("nothing was put back: {why}")),
        Some(Ok(report)) => {
            let words = format!(
                "{} put back, {} never changed",
                figures::count(report.restored),
                figures::count(report.already)
            );
            out.field("outcome", Role::Good, &words);
            if report.skipped > 0 {
                let words = format!("{} left alone; they stand below", figures::count(report.skipped));
                out.field("", Role::Warning, &words);
            }
            if let Some(why) = &report.stopped {
                out.field("stopped", Role::Fault, why);
            }
            own::skips(&mut out, &report.skips);
        }
    }
    out.lines
}
