//! What the operator does to the table: cursor, marks, order, filters. The cursor follows its mount, not its row.

use time::OffsetDateTime;

use super::super::steps;
use super::{Mounts, Order, Quick, Row, Totals, index};

/// What the operator does to the table. Each returns whether something changed.
impl Mounts {
    /// Moves the cursor by so many mounts.
    pub fn step(&mut self, by: isize) -> bool {
        let at = steps::step(self.at, by, self.rows.len(), |row| self.is_mount(row));
        self.go(at)
    }

    /// Moves by half a screen.
    pub fn page(&mut self, down: bool) -> bool {
        self.step(steps::half(self.height, down))
    }

    /// Moves to the first or the last mount.
    pub fn edge(&mut self, last: bool) -> bool {
        let at = steps::edge(last, self.rows.len(), |row| self.is_mount(row));
        at.is_some_and(|at| self.go(at))
    }

    fn is_mount(&self, row: usize) -> bool {
        matches!(self.rows[row], Row::Mount(_))
    }

    fn go(&mut self, at: usize) -> bool {
        let Some(id) = self.rows.get(at).and_then(|row| self.id_of(row)).cloned() else {
            return false;
        };
        let changed = at != self.at;
        self.at = at;
        self.cursor = Some(id);
        self.moved = true;
        self.scroll();
        if changed && self.anchor.is_some() {
            self.totals = Totals::of(self);
        }
        changed
    }

    /// Marks the mount under the cursor, or not, and moves down.
    pub fn mark(&mut self) -> bool {
        let Some(id) = self.cursor.clone() else { return false };
        if !self.marks.remove(&id) {
            self.marks.insert(id);
        }
        self.step(1);
        self.totals = Totals::of(self);
        true
    }

    /// Starts a range of marks, or ends it.
    pub fn mark_range(&mut self) -> bool {
        self.marks = self.all_marks();
        self.anchor = if self.anchor.is_some() {
            None
        } else {
            self.cursor.clone()
        };
        self.totals = Totals::of(self);
        true
    }

    /// Drops the range in the making, without its marks.
    pub fn drop_range(&mut self) -> bool {
        let had = self.anchor.take().is_some();
        self.totals = Totals::of(self);
        had
    }

    /// Takes all marks away.
    pub fn mark_none(&mut self) -> bool {
        let had = self.has_marks();
        self.marks.clear();
        self.anchor = None;
        self.totals = Totals::of(self);
        had
    }

    /// Changes the order.
    pub fn set_order(&mut self, order: Order, now: OffsetDateTime) -> bool {
        let changed = order != self.order;
        self.order = order;
        self.arrange(now);
        changed
    }

    /// Changes the quick filters.
    pub fn set_quick(&mut self, quick: Quick, now: OffsetDateTime) -> bool {
        let changed = quick != self.quick;
        self.quick = quick;
        self.arrange(now);
        changed
    }

    /// The table is this many rows high now.
    pub fn set_height(&mut self, height: usize) {
        self.height = height;
        self.scroll();
    }

    /// Computes the rows anew, keeping the mount under the cursor on its line of the screen.
    pub fn arrange(&mut self, now: OffsetDateTime) {
        let line = self.at.saturating_sub(self.top);
        self.arranged = Some(now);
        self.rows = index::rows(self, now);
        self.shown = self.rows.iter().filter(|row| matches!(row, Row::Mount(_))).count();
        let kept = self
            .cursor
            .clone()
            .filter(|_| self.moved)
            .and_then(|id| self.row_of(&id));
        match kept {
            Some(at) => {
                self.at = at;
                self.top = at.saturating_sub(line);
            }
            None => {
                // Its mount is gone or hidden: the nearest row takes its place. Untouched, it stays at the start.
                let wanted = if self.moved { self.at } else { 0 };
                self.at = self.nearest(wanted);
                self.cursor = self.rows.get(self.at).and_then(|row| self.id_of(row)).cloned();
                if !self.moved {
                    self.top = 0;
                }
            }
        }
        self.scroll();
        self.totals = Totals::of(self);
    }

    fn nearest(&self, row: usize) -> usize {
        let row = row.min(self.rows.len().saturating_sub(1));
        let is_mount = |at: &usize| matches!(self.rows[*at], Row::Mount(_));
        (row..self.rows.len())
            .find(is_mount)
            .or_else(|| (0..row).rev().find(is_mount))
            .unwrap_or(0)
    }

    /// Brings the cursor into view, with its group's header when that is the row above.
    fn scroll(&mut self) {
        let height = self.height.max(1);
        let header = self.at > 0 && matches!(self.rows.get(self.at - 1), Some(Row::Group { .. }));
        let first = if header && height > 1 { self.at - 1 } else { self.at };
        self.top = self.top.min(first);
        if self.at >= self.top + height {
            self.top = self.at + 1 - height;
        }
        self.top = self.top.min(self.rows.len().saturating_sub(height)).min(first);
    }
}
