//! The rows of the tree, made anew after a change so that the cursor stays on its entry and the entry on its line.

use super::super::node::{NodeId, Row};
use super::Tree;

impl Tree {
    /// Makes the rows anew; the cursor stays on its entry, and the entry on its line.
    pub(super) fn rebuild(&mut self) {
        self.rebuild_at(self.current());
    }

    pub(super) fn rebuild_at(&mut self, before: Option<Row>) {
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
