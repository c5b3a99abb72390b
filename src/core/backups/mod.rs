//! The state of the Backups screen: the committed archives of this machine, which of them are shown, what checking them found.
//! Knows archives as plain data, no file.

mod pane;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use pane::{check_words, pane};

use super::action::Action;
use super::fuzzy::Fuzzy;
use super::input::Input;
use super::list::List;
use super::undo::Answer;
use crate::archive::{Archive, Verdict};
use crate::model::JobId;

/// What checking an archive found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// How it is.
    pub verdict: Verdict,
    /// What is wrong with it, and where first.
    pub damage: Option<String>,
}

/// The archives, and what is shown of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Backups {
    /// Whether the archives are known.
    pub answer: Answer,
    /// Files that are left out, a line each.
    pub warnings: Vec<String>,
    /// The archives that are shown, the latest first.
    pub list: List<Arc<Archive>>,
    /// Only those of this mount.
    pub about: Option<String>,
    /// Only those that fuzzily match this.
    pub filter: Input,
    /// Whether the filter is being typed.
    pub typing: bool,
    /// The archive that is checked, and the job that does it.
    pub checking: Option<(JobId, PathBuf)>,
    /// Whether keys that move go to the pane.
    pub pane_focused: bool,
    /// First line shown in the pane.
    pub pane_top: usize,
    checks: BTreeMap<PathBuf, Result<Check, String>>,
    all: Vec<Arc<Archive>>,
}

impl Backups {
    /// Takes the archives; the cursor stays with its own.
    pub fn listed(&mut self, result: Result<(Vec<Archive>, Vec<String>), String>) {
        let (archives, warnings, answer) = match result {
            Ok((archives, warnings)) => (archives, warnings, Answer::Listed),
            Err(why) => (Vec::new(), Vec::new(), Answer::Failed(why)),
        };
        let changed = |archive: &Archive| !self.all.iter().any(|old| **old == *archive);
        for archive in archives.iter().filter(|archive| changed(archive)) {
            // Another file than the one that was checked.
            self.checks.remove(&archive.path);
        }
        self.all = archives.into_iter().map(Arc::new).collect();
        (self.warnings, self.answer) = (warnings, answer);
        self.arrange();
    }

    /// Shows what the filters let through.
    pub fn arrange(&mut self) {
        let mut fuzzy = Fuzzy::new(self.filter.text());
        let about = self.about.as_deref();
        let of = |archive: &&Arc<Archive>| about.is_none_or(|name| archive.origin.name == name);
        let shown = self.all.iter().filter(of).filter(|archive| {
            // Directories are much alike, and long: they would match anything.
            let file = archive.path.file_name().unwrap_or_default().to_string_lossy();
            fuzzy.lets([archive.origin.name.as_str(), &file].into_iter())
        });
        let shown = shown.cloned().collect();
        if self.list.set(shown, |one, other| one.path == other.path) {
            self.pane_top = 0;
        }
    }

    /// The archive under the cursor.
    pub fn current(&self) -> Option<&Arc<Archive>> {
        self.list.current()
    }

    /// How many there are, shown or not.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Moves the cursor. Returns whether it is on another archive.
    pub fn go(&mut self, action: Action) -> bool {
        let moved = self.list.go(action);
        if moved {
            self.pane_top = 0;
        }
        moved
    }

    /// Takes what checking an archive found.
    pub fn checked(&mut self, path: PathBuf, result: Result<Check, String>) {
        self.checks.insert(path, result);
    }

    /// What checking an archive found in this run.
    pub fn check(&self, path: &Path) -> Option<&Result<Check, String>> {
        self.checks.get(path)
    }

    /// Whether an archive is being checked.
    pub fn is_checking(&self, path: &Path) -> bool {
        self.checking.as_ref().is_some_and(|(_, checked)| checked == path)
    }

    /// Whether a filter hides archives.
    pub fn is_filtered(&self) -> bool {
        self.about.is_some() || !self.filter.text().is_empty()
    }
}

/// How an archive is compressed, by the end of its name.
pub fn kind(path: &Path) -> &'static str {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match () {
        () if name.ends_with(".tar.zst") => "zstd",
        () if name.ends_with(".tar.gz") => "gzip",
        () if name.ends_with(".tar") => "none",
        () => "?",
    }
}
