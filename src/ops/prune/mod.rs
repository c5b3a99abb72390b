//! Removes volumes: which can go, which are asked about, which stay, and why; then one by one, each looked at again.
//!
//! [`gather()`] asks the engine and looks into the volumes, [`plan()`] decides (pure), [`run()`] removes. Nothing is
//! removed that the plan does not name, nothing by force, nothing through a prune endpoint. What could not be learned
//! moves a volume to those that stay.

mod commit;
mod gather;
mod plan;
mod reattach;
#[cfg(test)]
mod tests;
mod verdict;

use std::collections::BTreeSet;
use std::sync::Arc;

use time::{Duration, OffsetDateTime};

pub use commit::{Event, Outcome, Report, run};
pub use gather::{Evidence, Looked, Step, gather};
pub use plan::plan;

use crate::model::{Mount, Size, VolumeName};

/// What a plan is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everything that may be left over (`prune`).
    Orphans(Filter),
    /// These volumes (`rm`), and these containers before them, by name or id.
    Named {
        /// Volumes.
        volumes: Vec<VolumeName>,
        /// Containers that do not run, to be removed first.
        containers: Vec<String>,
    },
}

/// Which leftovers are looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Last written, or when that is not known made, at least so long ago.
    pub older_than: Option<Duration>,
    /// Labels, with a value or with any.
    pub labels: Vec<(String, Option<String>)>,
    /// Of this project only.
    pub project: Option<String>,
    /// Whether volumes that somebody named may be safe too.
    pub named: bool,
}

/// Where a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Goes when the plan is confirmed.
    Safe,
    /// Goes only when its name is typed.
    Ask,
    /// Stays. What is not [`Row::blocked`] can still be taken along by its name.
    Keep,
}

/// One volume of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The volume as it was when the plan was made.
    pub mount: Arc<Mount>,
    /// Where it stands.
    pub group: Group,
    /// Why, in words. Hostile text.
    pub reason: String,
    /// Whether nothing but a new plan can take it along: it is used, or that could not be told.
    pub blocked: bool,
    /// What was measured.
    pub size: Size,
    /// Bytes that its removal frees; `None` is unknown. Zero where the data is elsewhere (a bind, a share).
    pub frees: Option<u64>,
    /// What it looks like (`PostgreSQL 15`, `empty`, `unknown`); `None` when nobody could look.
    pub fingerprint: Option<String>,
    /// When it was last written, as far as its files tell.
    pub last_write: Option<OffsetDateTime>,
    /// Who used it last, as far as anything tells.
    pub last_use: Option<String>,
    /// What to do instead of removing it: the lines for a compose file.
    pub hint: Option<String>,
    /// What has to be the same when it is removed.
    pub identity: Identity,
}

impl Row {
    /// The volume's name.
    pub fn name(&self) -> VolumeName {
        VolumeName::new(self.mount.name.as_str())
    }

    /// What the operator types to take along a row that is not safe: the name, of a generated one its first twelve digits.
    pub fn typed_name(&self) -> &str {
        let name = self.mount.name.as_str();
        // A label alone makes a volume anonymous, whatever it is called.
        match crate::inventory::is_generated(name) {
            true => name.get(..12).unwrap_or(name),
            false => name,
        }
    }
}

/// What tells a volume from another one of the same name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// Inode and birth (seconds, nanoseconds) of its directory, where this user can look at it: `CreatedAt` has whole
    /// seconds only.
    pub directory: Option<(u64, Option<(i64, u32)>)>,
    /// When that directory last changed (seconds, nanoseconds): something was made or removed in it since.
    pub changed: Option<(i64, i64)>,
}

/// A container that a plan removes before its volumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The image as it names it.
    pub image: String,
    /// Whether the plan removes it: the scope names it. Others are only offered.
    pub chosen: bool,
    /// Why it cannot be removed; `None` when it can.
    pub blocked: Option<String>,
    /// Volumes that nothing else attaches, other containers aside that the plan removes too (or offers, when it is only
    /// offered itself): its removal frees them.
    pub frees: Vec<String>,
    /// Those of them that nobody named: what `docker rm -v` would delete unseen.
    pub anonymous: Vec<String>,
}

/// What a removal would do, object by object.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What it was made for.
    pub scope: Scope,
    /// When.
    pub at: OffsetDateTime,
    /// Containers to remove first.
    pub containers: Vec<Stopped>,
    /// The volumes: safe ones first, then those to ask about, then those that stay; largest first within.
    pub rows: Vec<Row>,
    /// What was left open: lists with warnings, contents that could not be seen.
    pub warnings: Vec<String>,
}

impl Plan {
    /// The rows of a group.
    pub fn group(&self, group: Group) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.group == group)
    }

    /// A row by its volume's name.
    pub fn row(&self, name: &VolumeName) -> Option<&Row> {
        self.rows.iter().find(|row| row.mount.name == name.as_str())
    }

    /// What goes when nothing more is said: the safe rows.
    pub fn safe(&self) -> BTreeSet<VolumeName> {
        self.group(Group::Safe).map(Row::name).collect()
    }

    /// Bytes that these rows free, and how many of them nobody could measure.
    pub fn freed(&self, chosen: &BTreeSet<VolumeName>) -> (u64, usize) {
        let rows = self.rows.iter().filter(|row| chosen.contains(&row.name()));
        rows.fold((0, 0), |(sum, unknown), row| match row.frees {
            Some(bytes) => (sum.saturating_add(bytes), unknown),
            None => (sum, unknown + 1),
        })
    }
}
