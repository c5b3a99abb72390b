//! What can be wrong with an archive, in words and by kind. Knows nothing of how it was found.

use std::fmt;

/// Kinds of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wrong {
    /// It ends before its end.
    Truncated,
    /// Something in it is not as it was written, or was never an archive.
    Corrupt,
    /// It may be whole, but holds what is not understood here.
    Unsupported,
    /// Its bytes could not be read.
    Unread,
    /// Whoever reads it was cancelled.
    Cancelled,
}

/// Why an archive's bytes do not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The kind.
    pub kind: Wrong,
    /// What was met.
    pub what: String,
}

impl Broken {
    pub(crate) fn new(kind: Wrong, what: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
        }
    }

    /// An input's error.
    pub(crate) fn unread(error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::ConnectionAborted => Self::new(Wrong::Cancelled, "cancelled"),
            _ => Self::new(Wrong::Unread, error.to_string()),
        }
    }

    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Self::new(Wrong::Corrupt, what)
    }

    /// Says where it is.
    pub(crate) fn at(self, path: &[u8], offset: u64) -> Damage {
        Damage {
            kind: self.kind,
            path: path.to_vec(),
            offset,
            what: self.what,
        }
    }
}

/// What is wrong with an archive, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The kind.
    pub kind: Wrong,
    /// The entry that was being read, or the last one before; empty before the first and for the top. Raw bytes.
    pub path: Vec<u8>,
    /// Where, in bytes of the tar stream.
    pub offset: u64,
    /// What was met.
    pub what: String,
}

impl fmt::Display for Damage {
    /// Without control characters, so that it may be shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Wrong::Truncated => write!(f, "the archive ends too early: {}", self.what)?,
            Wrong::Corrupt => write!(f, "the archive is damaged: {}", self.what)?,
            Wrong::Unsupported => write!(f, "the archive cannot be read here: {}", self.what)?,
            Wrong::Unread => write!(f, "the archive could not be read: {}", self.what)?,
            Wrong::Cancelled => write!(f, "cancelled")?,
        }
        if self.path.is_empty() {
            write!(f, " (byte {} of the tar)", self.offset)
        } else {
            write!(f, " (at {}, byte {} of the tar)", shown(&self.path), self.offset)
        }
    }
}

impl std::error::Error for Damage {}

/// A name for people: what is no text, and control characters, escaped; the end of a long one left out.
pub(crate) fn shown(path: &[u8]) -> String {
    const LONGEST: usize = 300;
    let (path, more) = match path.get(..LONGEST) {
        Some(start) => (start, "…"),
        None => (path, ""),
    };
    format!("\"{}{more}\"", String::from_utf8_lossy(path).escape_debug())
}
