//! The tree of one mount as far as it was read: nodes, the rows they make, and the cursor, kept by identity.
//! Knows nothing of requests; [`super::Files`] asks and hands the answers in.

mod changes;
mod rows;

use vole_agent::proto::{Entry, Kind};

use super::msg::Ask;
use super::node::{Dir, Listing, Node, NodeId, Row, Sort};
use crate::core::figures;
use crate::model::BytePath;

/// Entries of a mount that are kept at once; beyond it a directory says how many it does not show.
pub const MAX_ENTRIES: usize = 50_000;

/// The tree.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    nodes: Vec<Option<Node>>,
    free: Vec<u32>,
    live: usize,
    rows: Vec<Row>,
    cursor: usize,
    top: usize,
    height: usize,
    sort: Sort,
    /// Whether the cursor is to stay on the end while further pages come.
    pub(super) to_end: bool,
}

impl Tree {
    /// Starts with the root's own entry, open when it is a directory.
    pub fn new(root: Entry, sort: Sort, height: usize) -> Self {
        let mut node = Node::new(root, None, 0);
        // The root may well be a mount point of its own: that is what is being browsed.
        if node.entry.kind == Kind::Dir {
            node.dir = Some(Box::new(Dir {
                open: true,
                ..Dir::default()
            }));
        }
        let mut tree = Self {
            nodes: vec![Some(node)],
            free: Vec::new(),
            live: 1,
            rows: Vec::new(),
            cursor: 0,
            top: 0,
            height,
            sort,
            to_end: false,
        };
        tree.rebuild();
        tree
    }

    /// A node; `None` when its entry is not listed any more.
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.slot())?.as_ref()
    }

    /// What was read of a directory.
    pub fn dir(&self, id: NodeId) -> Option<&Dir> {
        self.node(id)?.dir.as_deref()
    }

    /// What was read of a directory, to be changed.
    pub(super) fn dir_mut(&mut self, id: NodeId) -> Option<&mut Dir> {
        self.nodes.get_mut(id.slot())?.as_mut()?.dir.as_deref_mut()
    }

    /// All rows, in order.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The row under the cursor.
    pub fn current(&self) -> Option<Row> {
        self.rows.get(self.cursor).copied()
    }

    /// The entry under the cursor, when it stands on one.
    pub fn current_node(&self) -> Option<NodeId> {
        match self.current()? {
            Row::Node(id) => Some(id),
            Row::More(_) | Row::Note(_) => None,
        }
    }

    /// Index of the cursor's row.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// Index of the first row on screen.
    pub fn top(&self) -> usize {
        self.top
    }

    /// Rows that fit on the screen.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The order.
    pub fn sort(&self) -> Sort {
        self.sort
    }

    /// Entries that are kept.
    pub fn live(&self) -> usize {
        self.live
    }

    /// The path of a node from the mount's root.
    pub fn path(&self, id: NodeId) -> BytePath {
        let mut parts = Vec::new();
        let mut at = id;
        while let Some(node) = self.node(at) {
            let Some(parent) = node.parent else { break };
            parts.push(node.entry.name.as_slice());
            at = parent;
        }
        parts.reverse();
        BytePath::new(&parts.join(&b'/'))
    }

    /// The directory that the cursor is in: the one under it when that is open, else the one around it.
    pub fn here(&self) -> NodeId {
        match self.current() {
            Some(Row::Node(id)) => match self.node(id) {
                Some(node) if node.is_open() => id,
                Some(node) => node.parent.unwrap_or(NodeId::ROOT),
                None => NodeId::ROOT,
            },
            Some(Row::More(dir) | Row::Note(dir)) => dir,
            None => NodeId::ROOT,
        }
    }

    /// A directory's entry of this name, when it is read.
    pub fn child(&self, dir: NodeId, name: &[u8]) -> Option<NodeId> {
        let children = &self.dir(dir)?.children;
        children
            .iter()
            .copied()
            .find(|&id| self.node(id).is_some_and(|node| node.entry.name == name))
    }

    /// The share of its directory that an entry takes, in thousandths; `None` while either is unknown.
    pub fn share(&self, id: NodeId) -> Option<u64> {
        let node = self.node(id)?;
        let whole = self.node(node.parent?)?.totals?.bytes;
        let part = node.bytes()?;
        (whole > 0).then(|| (u128::from(part) * 1000 / u128::from(whole)).min(1000) as u64)
    }

    /// Whether a further page of this directory would exceed what is kept.
    pub fn is_full(&self) -> bool {
        self.live >= MAX_ENTRIES
    }

    /// The directory whose page this request is for, and whether it is the first page.
    pub(super) fn awaiting(&self, ask: Ask) -> Option<(NodeId, bool)> {
        self.ids().find_map(|id| match self.dir(id)?.listing {
            Listing::Reading(other) if other == ask => Some((id, true)),
            Listing::ReadingMore(other) if other == ask => Some((id, false)),
            _ => None,
        })
    }

    /// The directory that this request measures.
    pub(super) fn measuring(&self, ask: Ask) -> Option<NodeId> {
        self.ids().find(|&id| {
            self.dir(id)
                .is_some_and(|dir| dir.measuring.is_some_and(|(other, _)| other == ask))
        })
    }

    /// Whether the sums of a directory, or of one that is listed in it, are not known.
    pub(super) fn lacks_totals(&self, id: NodeId) -> bool {
        let unknown = |id: NodeId| {
            self.node(id)
                .is_some_and(|node| node.dir.is_some() && node.totals.is_none())
        };
        let Some(dir) = self.dir(id) else { return false };
        dir.measuring.is_none() && (unknown(id) || dir.children.iter().any(|&child| unknown(child)))
    }

    // --- the cursor

    /// Tells how many rows fit.
    pub fn resize(&mut self, height: usize) {
        self.height = height;
        self.keep_in_view();
    }

    /// Moves the cursor to a row, or the last one before it that is there.
    pub fn move_to(&mut self, index: usize) {
        self.cursor = index.min(self.rows.len().saturating_sub(1));
        self.keep_in_view();
    }

    /// The row between the cursor and another one below it that stands for entries which can be read.
    pub fn unread_before(&self, to: usize) -> Option<usize> {
        if self.is_full() {
            return None;
        }
        let rows = self
            .rows
            .iter()
            .enumerate()
            .take(to.saturating_add(1))
            .skip(self.cursor);
        rows.into_iter()
            .find(|(_, row)| matches!(row, Row::More(_)))
            .map(|(at, _)| at)
    }

    /// Moves the cursor to a row by identity.
    pub fn select(&mut self, row: Row) -> bool {
        let found = self.rows.iter().position(|&other| other == row);
        if let Some(index) = found {
            self.move_to(index);
        }
        found.is_some()
    }

    fn keep_in_view(&mut self) {
        let height = self.height.max(1);
        if self.cursor < self.top {
            self.top = self.cursor;
        } else if self.cursor >= self.top + height {
            self.top = self.cursor + 1 - height;
        }
        self.top = self.top.min(self.rows.len().saturating_sub(height));
    }
}

/// What stands for the entries of a directory that are not read: how many, and why when they will not be.
pub fn more_words(rest: u64, full: bool) -> String {
    let rest = figures::count(rest);
    if full {
        let kept = figures::count(MAX_ENTRIES as u64);
        format!("{rest} more are not listed ({kept} are kept at once); / finds names")
    } else {
        format!("{rest} more")
    }
}
