//! One entry of the tree, what was read of a directory, and the rows and orders they make. Plain data.

use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;

use vole_agent::proto::{Cursor, Entry, Kind, Order, Totals};

use super::msg::Ask;

/// Names a node; stays the same while its entry is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(super) u32);

impl NodeId {
    /// The mount's root.
    pub const ROOT: Self = Self(0);

    pub(super) fn slot(self) -> usize {
        self.0 as usize
    }
}

/// One entry and, for a directory, what was read of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The entry as the agent sent it.
    pub entry: Entry,
    /// The directory that holds it; `None` for the root.
    pub parent: Option<NodeId>,
    /// Steps below the root's own entries; 0 for them and for the root.
    pub depth: usize,
    /// Measured sums of its subtree.
    pub totals: Option<Totals>,
    /// For directories, what was read.
    pub dir: Option<Box<Dir>>,
}

impl Node {
    pub(super) fn new(entry: Entry, parent: Option<NodeId>, depth: usize) -> Self {
        let dir = (entry.kind == Kind::Dir && !entry.other_fs).then(Box::default);
        Self {
            entry,
            parent,
            depth,
            totals: None,
            dir,
        }
    }

    /// Allocated bytes: measured for a directory (`None` until then), its own for all others.
    pub fn bytes(&self) -> Option<u64> {
        if self.entry.errno.is_some() {
            return None;
        }
        match self.entry.kind {
            Kind::Dir => self.totals.map(|totals| totals.bytes),
            _ => Some(self.entry.allocated),
        }
    }

    /// Whether it is a directory that is open.
    pub fn is_open(&self) -> bool {
        self.dir.as_ref().is_some_and(|dir| dir.open)
    }
}

/// What was read of a directory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dir {
    /// Whether its entries are shown.
    pub open: bool,
    /// How far it was read.
    pub listing: Listing,
    /// Its entries in the order shown.
    pub children: Vec<NodeId>,
    /// Entries in all, as the last page said.
    pub total: u64,
    /// Where the next page starts.
    pub next: Option<Cursor>,
    /// A running measurement and its sums so far.
    pub measuring: Option<(Ask, Totals)>,
    /// Why the last measurement failed.
    pub measure_error: Option<String>,
    /// Measured sums of directories in it whose entries are not read yet, by name.
    pub(super) early: HashMap<Vec<u8>, Totals>,
}

/// How far a directory was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Listing {
    /// Not yet.
    #[default]
    Unread,
    /// The first page is on its way.
    Reading(Ask),
    /// Read, all or some pages of it.
    Read,
    /// A further page is on its way.
    ReadingMore(Ask),
    /// It could not be read: why.
    Failed(String),
}

/// One row of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Row {
    /// An entry.
    Node(NodeId),
    /// Stands for the entries of a directory that are not read yet.
    More(NodeId),
    /// Says that a directory is being read, is empty, or could not be read.
    Note(NodeId),
}

/// Orders of the tree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Sort {
    /// By name, directories first.
    #[default]
    Name,
    /// Largest first, measured sums of directories among the files.
    Size,
    /// Latest change first, directories first.
    Modified,
}

impl Sort {
    /// The next one.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Name => Self::Size,
            Self::Size => Self::Modified,
            Self::Modified => Self::Name,
        }
    }

    /// Its word on screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Size => "size",
            Self::Modified => "last change",
        }
    }

    /// What the agent is asked for.
    pub fn order(self) -> Order {
        match self {
            Self::Name => Order::Name,
            Self::Size => Order::Size,
            Self::Modified => Order::Modified,
        }
    }
}

/// Orders two entries of one directory.
pub(super) fn compare(a: &Node, b: &Node, sort: Sort) -> Ordering {
    let dirs_first = |node: &Node| node.entry.kind != Kind::Dir;
    let by_name = || a.entry.name.cmp(&b.entry.name);
    match sort {
        Sort::Name => dirs_first(a).cmp(&dirs_first(b)).then_with(by_name),
        Sort::Size => {
            let weight = |node: &Node| Reverse(node.bytes().unwrap_or(node.entry.allocated));
            weight(a).cmp(&weight(b)).then_with(by_name)
        }
        Sort::Modified => dirs_first(a)
            .cmp(&dirs_first(b))
            .then_with(|| b.entry.mtime.cmp(&a.entry.mtime))
            .then_with(by_name),
    }
}
