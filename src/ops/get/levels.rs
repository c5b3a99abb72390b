//! The directories of a download that are being filled, each in the one before. Only the deepest few are open, however
//! deep the tree is; the others are opened again from below. Knows nothing of what goes into them.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use vole_agent::proto::{Cursor, Entry};

use super::dest::{self, Identity};
use crate::model::BytePath;

/// Directories that are open at once; a process may have 1024 files open, and has others.
const OPEN: usize = 64;

/// A directory that is being filled.
#[derive(Debug)]
pub(super) struct Level {
    /// Where it stands in the mount.
    pub(super) path: BytePath,
    /// What it is there.
    pub(super) entry: Entry,
    /// Where its last page ended.
    pub(super) after: Option<Cursor>,
    /// Whether that was the last page.
    pub(super) ended: bool,
    /// What is left of the page, last first.
    pub(super) below: Vec<Entry>,
}

impl Level {
    /// A directory of which nothing was asked yet.
    pub(super) fn new(path: BytePath, entry: Entry) -> Self {
        Self {
            path,
            entry,
            after: None,
            ended: false,
            below: Vec::new(),
        }
    }
}

/// The directories from the top to the one that is being filled.
#[derive(Debug, Default)]
pub(super) struct Levels {
    all: Vec<(Level, Identity)>,
    /// The deepest of them.
    open: VecDeque<OwnedFd>,
}

impl Levels {
    /// The deepest directory; `None` when all are full.
    pub(super) fn deepest(&mut self) -> Option<(&mut Level, &OwnedFd)> {
        self.all.last_mut().map(|(level, _)| level).zip(self.open.back())
    }

    /// Goes down into a directory.
    pub(super) fn push(&mut self, level: Level, dir: OwnedFd) -> rustix::io::Result<()> {
        self.all.push((level, dest::identity(&dir)?));
        self.open.push_back(dir);
        if self.open.len() > OPEN {
            self.open.pop_front();
        }
        Ok(())
    }

    /// Goes up from the deepest directory.
    ///
    /// # Errors
    ///
    /// When the one above cannot be opened, or is another than it was.
    pub(super) fn pop(&mut self) -> rustix::io::Result<()> {
        self.all.pop();
        let left = self.open.pop_back();
        if let (true, Some(left), Some((_, identity))) = (self.open.is_empty(), left, self.all.last()) {
            self.open.push_back(dest::above(left, *identity)?);
        }
        Ok(())
    }
}
