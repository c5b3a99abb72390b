//! Sizes with their state: a number never stands without where it is from and how old it is.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
pub use vole_agent::proto::Totals;

/// Who counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The agent in a helper container.
    Agent,
    /// A walk in this process over the mount's path on this host.
    Local,
    /// The engine's `/system/df`; counts no files and may omit volumes with options.
    Engine,
}

/// What is known of a mount's size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Size {
    /// Never measured; the reason when there is one.
    Unknown(Option<String>),
    /// Being measured: the sums so far, and the last complete measurement if there is one.
    Measuring {
        /// Sums so far.
        so_far: Totals,
        /// The last complete measurement.
        before: Option<Measured>,
    },
    /// Measured.
    Measured(Measured),
    /// The measurement failed; the reason.
    Failed(String),
}

/// A complete measurement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// The sums. With [`Source::Engine`] only `bytes` is meaningful.
    pub totals: TotalsRow,
    /// When it was taken.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Who counted.
    pub source: Source,
}

/// Sums as they are stored and shown; `None` is unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TotalsRow {
    /// Allocated bytes.
    pub bytes: u64,
    /// Apparent bytes.
    pub apparent: Option<u64>,
    /// Entries that are no directories.
    pub files: Option<u64>,
    /// Directories.
    pub dirs: Option<u64>,
    /// Entries that could not be read; the size is then a lower bound.
    pub errors: u64,
    /// Newest change of contents, seconds since the epoch.
    pub newest: Option<i64>,
}

impl From<Totals> for TotalsRow {
    fn from(totals: Totals) -> Self {
        Self {
            bytes: totals.bytes,
            apparent: Some(totals.apparent),
            files: Some(totals.files),
            dirs: Some(totals.dirs),
            errors: totals.errors,
            newest: totals.newest.map(|time| time.secs),
        }
    }
}
