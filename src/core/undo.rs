//! The undo screen's state: what operations wrote down to be taken back, what of it is taken back, what came of it. Knows
//! journals as plain data, no engine and no file.

use std::collections::BTreeMap;
use std::sync::Arc;

use time::OffsetDateTime;

use super::action::Action;
use super::details::{Line, Role, Writer};
use super::list::List;
use super::{figures, own};
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
    /// The journals, the latest first.
    pub list: List<Listed>,
    outcomes: BTreeMap<JournalId, Result<Arc<UndoReport>, String>>,
}

impl Undo {
    /// Takes the journals; the cursor stays with its own.
    pub fn listed(&mut self, result: Result<(Vec<Listed>, Vec<String>), String>) {
        let (rows, warnings, answer) = match result {
            Ok((rows, warnings)) => (rows, warnings, Answer::Listed),
            Err(why) => (Vec::new(), Vec::new(), Answer::Failed(why)),
        };
        (self.warnings, self.answer) = (warnings, answer);
        if self.list.set(rows, |one, other| one.id == other.id) {
            self.pane_top = 0;
        }
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
        self.list.rows()
    }

    /// The journal under the cursor.
    pub fn current(&self) -> Option<&Listed> {
        self.list.current()
    }

    /// Whether the journal under the cursor has something to take back, and nothing is taken back now.
    pub fn can_undo(&self) -> bool {
        self.running.is_none()
            && self
                .current()
                .is_some_and(|row| row.stage != Stage::Undone && row.entries > 0)
    }

    /// Moves the cursor. Returns whether it is on another journal.
    pub fn go(&mut self, action: Action) -> bool {
        let moved = self.list.go(action);
        if moved {
            self.pane_top = 0;
        }
        moved
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
