//! Sizes with their state: a number never stands without where it is from and how old it is.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
pub use vole_agent::proto::Totals;

use super::Contents;

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
    /// What the contents look like; `None` when nobody looked (the engine counted, or only a part was measured).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contents: Option<Contents>,
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

impl Size {
    /// The last complete measurement, if there is one.
    pub fn measured(&self) -> Option<&Measured> {
        match self {
            Self::Measured(measured)
            | Self::Measuring {
                before: Some(measured), ..
            } => Some(measured),
            _ => None,
        }
    }

    /// The best number that is known: the last complete measurement, or the sum so far when it is larger.
    pub fn known_bytes(&self) -> Option<u64> {
        match self {
            Self::Measured(measured) => Some(measured.totals.bytes),
            // Nothing counted yet is not "0 B".
            Self::Measuring { so_far, before: None } if so_far.files + so_far.dirs == 0 => None,
            Self::Measuring { so_far, before } => Some(
                before
                    .as_ref()
                    .map_or(0, |measured| measured.totals.bytes)
                    .max(so_far.bytes),
            ),
            Self::Unknown(_) | Self::Failed(_) => None,
        }
    }
}
