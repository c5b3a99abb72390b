//! Archives on this machine: their heads and sidecars, their names and places, which of them are committed, and what is wrong
//! with one. The format itself is the agent's ([`vole_agent::archive`]); engines are unknown here.
//!
//! ```text
//! NAME.partial            while it is written; locked for as long
//! NAME.json.partial       its sidecar, once all of it is on the disk
//! NAME                    renamed to where nothing stands
//! NAME.json               renamed last: from now on it is committed, and only from now on is it listed
//! ```

mod draft;
mod lock;
pub mod place;
#[cfg(test)]
pub(crate) mod sample;
pub mod shelf;
mod sidecar;

pub mod view;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub use draft::{Draft, Seal};
pub use lock::Lock;
pub use sidecar::beside;

use crate::model::{Mount, MountKind};

/// What an archive was made of: the JSON of its head and of its sidecar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Volume name, or a bind's source.
    pub name: String,
    /// Its kind.
    pub kind: MountKind,
    /// Volume driver; empty for a bind.
    pub driver: String,
    /// Driver options.
    pub options: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The engine's endpoint.
    pub engine: String,
    /// When the copy was begun.
    #[serde(with = "time::serde::rfc3339")]
    pub begun: OffsetDateTime,
    /// The version of vole.
    pub version: String,
}

impl Origin {
    /// What is known of a mount.
    pub fn of(mount: &Mount, engine: String, begun: OffsetDateTime) -> Self {
        Self {
            name: mount.name.clone(),
            kind: mount.kind,
            driver: mount.driver.clone(),
            options: mount.options.clone(),
            labels: mount
                .labels
                .iter()
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
            engine,
            begun,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// How whole an archive is, as its sidecar says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All that was to be packed is in it.
    Ok,
    /// Something could not be read, or changed while it was.
    Partial,
}

/// A committed archive: its file and what its sidecar says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// Where it is.
    pub path: PathBuf,
    /// What it was made of.
    pub origin: Origin,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// Entries, the top included.
    pub entries: u64,
    /// Bytes of contents.
    pub content_bytes: u64,
    /// SHA-256 of the tar stream before its trailer, in hexadecimal: what its contents are, however they are compressed.
    pub digest: String,
    /// How whole it is.
    pub status: Status,
    /// What it lacks, in words; the first thousand.
    pub warnings: Vec<String>,
    /// How many in all.
    pub warned: u64,
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The SHA-256 that such digits stand for; `None` when they are none, as [`hex`] writes them.
pub fn digest(hex: &str) -> Option<[u8; 32]> {
    let digits = hex.as_bytes();
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; 32];
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(bytes)
}

/// What checking an archive found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is whole.
    Ok,
    /// It ends before its end.
    Truncated,
    /// Something in it is not as it was written.
    Corrupt,
    /// It is none of vole's: nothing in it says whether it is whole.
    Foreign,
}

impl Verdict {
    /// The word that JSON shows.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Truncated => "truncated",
            Self::Corrupt => "corrupt",
            Self::Foreign => "foreign",
        }
    }
}
