//! A search in a mount: what was asked, what was found so far, and the cursor in it. Asks nothing itself.

use vole_agent::proto::{Found, Hit};

use super::msg::{Ask, Matches, SearchKind};
use crate::model::BytePath;

/// Names that a search stops after.
pub const MAX_NAMES: u32 = 5000;
/// Lines that a search stops after.
pub const MAX_LINES: u32 = 2000;

/// How far a search is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It runs.
    Running,
    /// It went through everything, or found as many as it may.
    Done,
    /// The operator stopped it.
    Stopped,
    /// It failed: why. What was found before stays.
    Failed(String),
}

/// One result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A name.
    Name(Found),
    /// A line.
    Line(Hit),
}

impl Item {
    /// The entry's path.
    pub fn path(&self) -> BytePath {
        match self {
            Self::Name(found) => BytePath::new(&found.path),
            Self::Line(hit) => BytePath::new(&hit.path),
        }
    }

    /// Where the line begins that was found.
    pub fn offset(&self) -> Option<u64> {
        match self {
            Self::Name(_) => None,
            Self::Line(hit) => Some(hit.offset),
        }
    }
}

/// A search and its results.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// Names or lines.
    pub kind: SearchKind,
    /// What was typed.
    pub pattern: String,
    /// The directory it began in.
    pub at: BytePath,
    /// Its request.
    pub ask: Ask,
    /// How far it is.
    pub progress: Progress,
    /// What was found, in the order found.
    pub items: Vec<Item>,
    /// Index of the result under the cursor.
    pub cursor: usize,
    /// Index of the first result on screen.
    pub top: usize,
    height: usize,
}

impl Search {
    /// Starts a search.
    pub fn new(kind: SearchKind, pattern: String, at: BytePath, ask: Ask, height: usize) -> Self {
        Self {
            kind,
            pattern,
            at,
            ask,
            progress: Progress::Running,
            items: Vec::new(),
            cursor: 0,
            top: 0,
            height,
        }
    }

    /// After how many results it stops.
    pub fn limit(&self) -> u32 {
        match self.kind {
            SearchKind::Names => MAX_NAMES,
            SearchKind::Lines => MAX_LINES,
        }
    }

    /// Whether it found as many as it may, so that there can be more.
    pub fn is_full(&self) -> bool {
        self.items.len() >= self.limit() as usize
    }

    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        self.progress == Progress::Running
    }

    /// The result under the cursor.
    pub fn current(&self) -> Option<&Item> {
        self.items.get(self.cursor)
    }

    /// Takes what was found.
    pub fn take(&mut self, matches: Matches) {
        match matches {
            Matches::Names(found) => self.items.extend(found.into_iter().map(Item::Name)),
            Matches::Lines(hits) => self.items.extend(hits.into_iter().map(Item::Line)),
        }
        self.items.truncate(self.limit() as usize);
    }

    /// Moves the cursor.
    pub fn move_to(&mut self, index: usize) {
        self.cursor = index.min(self.items.len().saturating_sub(1));
        self.resize(self.height);
    }

    /// Tells how many results fit.
    pub fn resize(&mut self, height: usize) {
        self.height = height;
        let rows = height.max(1);
        self.top = self.top.clamp((self.cursor + 1).saturating_sub(rows), self.cursor);
    }

    /// How many results fit.
    pub fn height(&self) -> usize {
        self.height
    }
}
