//! What reaches the files screen and what it asks for: plain data, told apart by request ids so that stale
//! replies can be dropped. Knows neither sessions nor terminals.

use std::path::PathBuf;
use std::sync::Arc;

use vole_agent::proto::{Cursor, Entry, Followed, Found, Hit, Order, Page, UsageItem};

use crate::model::{BytePath, JobId, Mount};

/// Names one request of one visit of a mount. Visits differ, so a late reply never meets another mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ask {
    /// The visit: one opening of the files screen.
    pub visit: u64,
    /// Counts requests within the visit.
    pub number: u64,
}

/// Where a range of a file starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At this byte.
    At(u64),
    /// So many bytes before the end as it is now.
    BeforeEnd(u64),
}

/// A range of a file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// First byte.
    pub offset: u64,
    /// The bytes; fewer than asked when the file ends or shrank.
    pub bytes: Vec<u8>,
    /// The file's length when it was read.
    pub size: u64,
}

/// A search that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchKind {
    /// Names of entries.
    Names,
    /// Lines of files.
    Lines,
}

/// What a search found, in batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matches {
    /// Names.
    Names(Vec<Found>),
    /// Lines.
    Lines(Vec<Hit>),
}

/// What reaches the files screen.
#[derive(Debug, Clone, PartialEq)]
pub enum Msg {
    /// The mount's root could be read, or browsing cannot be: the reason.
    Opened {
        /// The visit.
        visit: u64,
        /// The root's own entry.
        result: Result<Entry, String>,
    },
    /// A page of a directory.
    Listed {
        /// The request.
        ask: Ask,
        /// The page, or why it could not be read.
        result: Result<Page, String>,
    },
    /// News of a measurement.
    Measured {
        /// The request.
        ask: Ask,
        /// Sums of the directory and of those in it.
        news: Vec<UsageItem>,
    },
    /// A measurement ended.
    MeasureEnded {
        /// The request.
        ask: Ask,
        /// Why it failed, if it did.
        error: Option<String>,
    },
    /// A range of a file.
    Read {
        /// The request.
        ask: Ask,
        /// The range, or why it could not be read.
        result: Result<Range, String>,
    },
    /// What stands at a path that was jumped to.
    Stated {
        /// The request.
        ask: Ask,
        /// The entry, or why it could not be told.
        result: Result<Entry, String>,
    },
    /// News of the followed file.
    Followed {
        /// The request.
        ask: Ask,
        /// The news.
        news: Followed,
    },
    /// Following ended.
    FollowEnded {
        /// The request.
        ask: Ask,
        /// Why.
        error: String,
    },
    /// Matches of a search.
    Matched {
        /// The request.
        ask: Ask,
        /// The matches.
        matches: Matches,
    },
    /// A search ended.
    SearchEnded {
        /// The request.
        ask: Ask,
        /// Why it failed, if it did (a pattern that makes no sense, a helper that is gone).
        error: Option<String>,
    },
}

/// What the files screen asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Stat the root of a mount; starts a helper when none runs.
    Open {
        /// The visit.
        visit: u64,
        /// The mount.
        mount: Arc<Mount>,
        /// The archive that is read in its place.
        archive: Option<PathBuf>,
    },
    /// Cancel everything of a visit.
    Close {
        /// The visit.
        visit: u64,
    },
    /// Read a page of a directory.
    List {
        /// The request.
        ask: Ask,
        /// The directory.
        at: BytePath,
        /// The order of the whole directory.
        order: Order,
        /// Where the page starts.
        after: Option<Cursor>,
        /// Entries wanted.
        limit: u32,
    },
    /// Measure a directory and each of those in it.
    Measure {
        /// The request.
        ask: Ask,
        /// The directory.
        at: BytePath,
    },
    /// Read a range of a regular file.
    Read {
        /// The request.
        ask: Ask,
        /// The file.
        at: BytePath,
        /// Where it starts.
        start: Start,
        /// Bytes wanted.
        len: u64,
    },
    /// Stat one entry.
    Stat {
        /// The request.
        ask: Ask,
        /// The entry.
        at: BytePath,
    },
    /// Follow a growing file.
    Follow {
        /// The request.
        ask: Ask,
        /// The file.
        at: BytePath,
        /// Bytes before its end to start with.
        tail: u64,
    },
    /// Search names or lines.
    Search {
        /// The request.
        ask: Ask,
        /// What for.
        kind: SearchKind,
        /// The directory.
        at: BytePath,
        /// The pattern as it was typed.
        pattern: String,
        /// Stop after so many.
        limit: u32,
    },
    /// Stop a request; its replies are not awaited any more.
    Cancel {
        /// The request.
        ask: Ask,
    },
    /// Download a file or directory to a directory of this machine.
    Download {
        /// The job to report under.
        job: JobId,
        /// The mount.
        mount: Arc<Mount>,
        /// The archive that is read in its place.
        archive: Option<PathBuf>,
        /// What to download.
        at: BytePath,
        /// The directory of this machine.
        to: String,
    },
}
