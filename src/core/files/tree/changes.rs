//! What changes the tree: pages, measured sums, orders, what is forgotten. The cursor stays on its entry.

use std::collections::HashMap;

use vole_agent::proto::{Entry, Kind, Page, Totals};

use super::super::node::{Listing, Node, NodeId, Row, Sort, compare};
use super::{MAX_ENTRIES, Tree};

impl Tree {
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
    pub(in crate::core::files) fn forget_requests(&mut self) {
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

    pub(super) fn ids(&self) -> impl Iterator<Item = NodeId> + '_ {
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
}
