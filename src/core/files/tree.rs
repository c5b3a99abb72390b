//! The tree of one mount as far as it was read: nodes, the rows they make, and the cursor, kept by identity.
//! Knows nothing of requests; [`super::Files`] asks and hands the answers in.

use std::collections::HashMap;

use vole_agent::proto::{Entry, Kind, Page, Totals};

use super::msg::Ask;
use super::node::{Dir, Listing, Node, NodeId, Row, Sort, compare};
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

    // --- changes

    /// Opens or closes a directory.
    pub fn set_open(&mut self, id: NodeId, open: bool) {
        if let Some(dir) = self.dir_mut(id) {
            dir.open = open;
            self.rebuild();
        }
    }

    /// Takes a directory's page. A first page replaces what was read before; entries that are in both keep
    /// their node, so what is open below stays open.
    pub fn apply_page(&mut self, id: NodeId, page: Page, first: bool) {
        let Some(node) = self.node(id) else { return };
        let depth = if id == NodeId::ROOT { 0 } else { node.depth + 1 };
        let Some(dir) = self.dir_mut(id) else { return };
        dir.listing = Listing::Read;
        dir.total = page.total;
        dir.next = page.next;
        let complete = dir.next.is_none();
        let mut children = std::mem::take(&mut dir.children);
        let mut known: HashMap<Vec<u8>, NodeId> = HashMap::new();
        if first {
            for child in std::mem::take(&mut children) {
                if let Some(node) = self.node(child) {
                    known.insert(node.entry.name.clone(), child);
                }
            }
        }
        let mut early = self
            .dir_mut(id)
            .map(|dir| std::mem::take(&mut dir.early))
            .unwrap_or_default();
        let older = children.len();
        for entry in page.entries {
            let totals = early.remove(&entry.name);
            let child = match known.remove(&entry.name) {
                Some(child) => self.renew(child, entry),
                None => self.insert(Node::new(entry, Some(id), depth)),
            };
            if let Some(totals) = totals {
                self.set_totals(child, totals);
            }
            children.push(child);
        }
        for gone in known.into_values() {
            self.remove(gone);
        }
        // Who reached the row that stands for more goes on at the first of them.
        let reached = self.current() == Some(Row::More(id)) && !self.to_end;
        let goes_on = children.get(older).copied().filter(|_| reached).map(Row::Node);
        if let Some(dir) = self.dir_mut(id) {
            dir.children = children;
            dir.early = early;
        }
        // The agent cannot order by measured sums; a complete directory can be ordered here.
        if complete && self.sort == Sort::Size {
            self.sort_children(id);
        }
        self.rebuild_at(goes_on.or(self.current()));
    }

    /// Notes that a directory could not be read.
    pub fn fail(&mut self, id: NodeId, why: String) {
        if let Some(dir) = self.dir_mut(id) {
            dir.listing = Listing::Failed(why);
            self.rebuild();
        }
    }

    /// Notes measured sums of a directory.
    pub fn set_totals(&mut self, id: NodeId, totals: Totals) {
        if let Some(Some(node)) = self.nodes.get_mut(id.slot()) {
            node.totals = Some(totals);
        }
    }

    /// Takes measured sums of directories in a directory, by name.
    pub fn set_child_totals(&mut self, id: NodeId, sums: Vec<(Vec<u8>, Totals)>) {
        let Some(dir) = self.dir(id) else { return };
        let dirs = dir
            .children
            .iter()
            .filter_map(|&child| Some((child, self.node(child)?)));
        let dirs = dirs.filter(|(_, node)| node.entry.kind == Kind::Dir);
        let by_name: HashMap<&[u8], NodeId> = dirs.map(|(child, node)| (node.entry.name.as_slice(), child)).collect();
        let placed: Vec<_> = sums
            .into_iter()
            .map(|(name, totals)| (by_name.get(&name[..]).copied(), name, totals))
            .collect();
        for (child, name, totals) in placed {
            match child {
                Some(child) => self.set_totals(child, totals),
                None => {
                    if let Some(dir) = self.dir_mut(id).filter(|dir| dir.early.len() < MAX_ENTRIES) {
                        dir.early.insert(name, totals);
                    }
                }
            }
        }
    }

    /// Changes the order of what is read; directories that are read in part are to be read again and returned.
    pub fn set_sort(&mut self, sort: Sort) -> Vec<NodeId> {
        self.sort = sort;
        let dirs: Vec<NodeId> = self
            .ids()
            .filter(|&id| {
                self.dir(id)
                    .is_some_and(|dir| !dir.children.is_empty() || dir.next.is_some())
            })
            .collect();
        let mut partial = Vec::new();
        for id in dirs {
            if self.dir(id).is_some_and(|dir| dir.next.is_some()) {
                partial.push(id);
            } else {
                self.sort_children(id);
            }
        }
        self.rebuild();
        partial
    }

    /// Orders a directory again after its measurement, when the order depends on it.
    pub fn settle(&mut self, id: NodeId) {
        if self.sort == Sort::Size {
            self.sort_children(id);
            self.rebuild();
        }
    }

    /// Forgets what was read below closed directories, so that there is room for more.
    pub fn forget_closed(&mut self) {
        let closed: Vec<NodeId> = self
            .ids()
            .filter(|&id| self.dir(id).is_some_and(|dir| !dir.open && !dir.children.is_empty()))
            .collect();
        for id in closed {
            let Some(dir) = self.dir_mut(id) else { continue };
            dir.listing = Listing::Unread;
            dir.next = None;
            for child in std::mem::take(&mut dir.children) {
                self.remove(child);
            }
        }
        self.rebuild();
    }

    /// What was asked for is not awaited any more.
    pub(super) fn forget_requests(&mut self) {
        for dir in self
            .nodes
            .iter_mut()
            .flatten()
            .filter_map(|node| node.dir.as_deref_mut())
        {
            dir.measuring = None;
            match dir.listing {
                Listing::Reading(_) => dir.listing = Listing::Unread,
                Listing::ReadingMore(_) => dir.listing = Listing::Read,
                Listing::Unread | Listing::Read | Listing::Failed(_) => {}
            }
        }
        self.to_end = false;
    }

    /// All directories that are open, from the top.
    pub fn open_dirs(&self) -> Vec<NodeId> {
        self.ids()
            .filter(|&id| self.node(id).is_some_and(Node::is_open))
            .collect()
    }

    fn ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        (0..self.nodes.len() as u32)
            .map(NodeId)
            .filter(|&id| self.node(id).is_some())
    }

    fn insert(&mut self, node: Node) -> NodeId {
        self.live += 1;
        if let Some(slot) = self.free.pop()
            && let Some(place) = self.nodes.get_mut(slot as usize)
        {
            *place = Some(node);
            return NodeId(slot);
        }
        self.nodes.push(Some(node));
        NodeId(self.nodes.len() as u32 - 1)
    }

    fn renew(&mut self, id: NodeId, entry: Entry) -> NodeId {
        if let Some(Some(node)) = self.nodes.get_mut(id.slot()) {
            let was_dir = node.dir.is_some();
            let fresh = Node::new(entry, node.parent, node.depth);
            if was_dir && fresh.dir.is_some() {
                node.entry = fresh.entry;
            } else {
                let stale = std::mem::replace(node, fresh);
                for child in stale.dir.into_iter().flat_map(|dir| dir.children) {
                    self.remove(child);
                }
            }
        }
        id
    }

    fn remove(&mut self, id: NodeId) {
        let mut doomed = vec![id];
        while let Some(id) = doomed.pop() {
            if let Some(node) = self.nodes.get_mut(id.slot()).and_then(Option::take) {
                self.live -= 1;
                self.free.push(id.0);
                doomed.extend(node.dir.into_iter().flat_map(|dir| dir.children));
            }
        }
    }

    fn sort_children(&mut self, id: NodeId) {
        let Some(dir) = self.dir_mut(id) else { return };
        let mut children = std::mem::take(&mut dir.children);
        children.sort_by(|&a, &b| match (self.node(a), self.node(b)) {
            (Some(a), Some(b)) => compare(a, b, self.sort),
            (a, b) => a.is_some().cmp(&b.is_some()),
        });
        if let Some(dir) = self.dir_mut(id) {
            dir.children = children;
        }
    }

    /// Makes the rows anew; the cursor stays on its entry, and the entry on its line.
    fn rebuild(&mut self) {
        self.rebuild_at(self.current());
    }

    fn rebuild_at(&mut self, before: Option<Row>) {
        let line = self.cursor.saturating_sub(self.top);
        self.rows = self.flatten();
        let fallback = before.and_then(|row| self.nearest(row));
        match fallback.and_then(|row| self.rows.iter().position(|&other| other == row)) {
            Some(index) => {
                self.cursor = index;
                self.top = index.saturating_sub(line);
            }
            None => self.cursor = self.cursor.min(self.rows.len().saturating_sub(1)),
        }
        self.keep_in_view();
    }

    /// The row itself when it is still shown, else what stands for it: the closed directory around it, or the
    /// first entry of a directory whose note gave way.
    fn nearest(&self, row: Row) -> Option<Row> {
        match row {
            Row::Node(id) => {
                let mut shown = id;
                let mut at = self.node(id)?.parent;
                while let Some(dir) = at {
                    let node = self.node(dir)?;
                    if !node.is_open() {
                        shown = dir;
                    }
                    at = node.parent;
                }
                Some(Row::Node(shown))
            }
            Row::Note(dir) => {
                let first = self.dir(dir).and_then(|dir| dir.children.first());
                Some(first.map_or(row, |&first| Row::Node(first)))
            }
            Row::More(_) => Some(row),
        }
    }

    fn flatten(&self) -> Vec<Row> {
        let Some(root) = self.dir(NodeId::ROOT) else {
            return vec![Row::Node(NodeId::ROOT)];
        };
        let mut rows = Vec::with_capacity(self.live);
        let mut stack = vec![(NodeId::ROOT, root.children.iter())];
        if root.children.is_empty() {
            rows.push(Row::Note(NodeId::ROOT));
        }
        while let Some((id, children)) = stack.last_mut() {
            let id = *id;
            let Some(&child) = children.next() else {
                if self
                    .dir(id)
                    .is_some_and(|dir| dir.next.is_some() && !dir.children.is_empty())
                {
                    rows.push(Row::More(id));
                }
                stack.pop();
                continue;
            };
            rows.push(Row::Node(child));
            if let Some(dir) = self.dir(child)
                && dir.open
            {
                if dir.children.is_empty() {
                    rows.push(Row::Note(child));
                }
                stack.push((child, dir.children.iter()));
            }
        }
        rows
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
