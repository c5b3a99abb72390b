//! What a mount's contents look like, and what that says of their worth. Plain data: the rules are
//! [`crate::fingerprint`]'s.

use serde::{Deserialize, Serialize};

/// How much is lost with contents of a kind, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Worth {
    /// Can be had again by a command: caches.
    Disposable,
    /// Settings and tools that are tedious to make again.
    Low,
    /// Data that one may want to keep.
    Medium,
    /// Data that is hard to get again.
    High,
    /// Data that may exist once.
    Critical,
}

/// One kind of contents that was recognised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// What it looks like (`PostgreSQL`).
    pub kind: String,
    /// The version that the contents tell. Hostile text.
    pub version: Option<String>,
    /// What would be lost.
    pub worth: Worth,
    /// The paths that say so, relative to the mount, made printable.
    pub evidence: Vec<String>,
}

impl Fingerprint {
    /// Kind and version in words.
    pub fn words(&self) -> String {
        match &self.version {
            Some(version) => format!("{} {version}", self.kind),
            None => self.kind.clone(),
        }
    }
}

/// What the size walk saw of a whole mount's contents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// What it looks like, most precious first; empty when nothing was recognised.
    pub looks: Vec<Fingerprint>,
    /// Entries that are no directories and lie in no recognised cache.
    pub stray: u64,
    /// Entries that are no directories, all told.
    pub files: u64,
    /// Why the look was incomplete: something could not be read, or another file system is mounted within.
    pub incomplete: Option<String>,
}

/// What contents amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged<'a> {
    /// Not a single file, and all of it was seen.
    Empty,
    /// Recognised caches and nothing beside them, and all of it was seen; the first of them.
    Caches(&'a Fingerprint),
    /// Recognised; the most precious of it.
    Looks(&'a Fingerprint),
    /// Not recognised, or not all of it was seen: precious.
    Unknown,
}

impl Contents {
    /// What they amount to. Something recognised as precious counts even when not all was seen.
    pub fn judge(&self) -> Judged<'_> {
        let best = self.looks.first();
        match best {
            Some(look) if look.worth > Worth::Disposable => Judged::Looks(look),
            _ if self.incomplete.is_some() => Judged::Unknown,
            _ if self.files == 0 => Judged::Empty,
            Some(look) if self.stray == 0 => Judged::Caches(look),
            _ => Judged::Unknown,
        }
    }

    /// The word for screens and JSON: `PostgreSQL 15`, `empty`, `unknown`.
    pub fn words(&self) -> String {
        match self.judge() {
            Judged::Empty => "empty".to_owned(),
            Judged::Caches(look) | Judged::Looks(look) => look.words(),
            Judged::Unknown => "unknown".to_owned(),
        }
    }
}

/// How a volume is to be treated: by its label `vole.class`, else by the operator's configuration, else by its contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// May go.
    Temporary,
    /// Asked about.
    Important,
    /// Stays.
    Critical,
}

/// The label that says a volume's class.
pub const CLASS_LABEL: &str = "vole.class";

impl Class {
    /// Reads the word of a label or of a configuration.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "critical" => Some(Self::Critical),
            "important" => Some(Self::Important),
            "temporary" => Some(Self::Temporary),
            _ => None,
        }
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Temporary => "temporary",
            Self::Important => "important",
            Self::Critical => "critical",
        }
    }
}

impl From<Worth> for Class {
    fn from(worth: Worth) -> Self {
        match worth {
            Worth::Disposable => Self::Temporary,
            Worth::Low | Worth::Medium | Worth::High => Self::Important,
            Worth::Critical => Self::Critical,
        }
    }
}
