//! The table of mounts: what is listed, in which order, what is marked, where the cursor is. Knows mounts and
//! sizes, not how they are drawn. The rows are computed when something changes, never when drawing.

mod index;
mod totals;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use time::{Duration, OffsetDateTime};

pub use index::{Column, Order, Quick, Row};
pub use totals::{Sum, Totals};

use super::input::Input;
use crate::model::size::Measured;
use crate::model::{Mount, MountId, Scan, Size};
use crate::ops::list::Inventory;

/// While sizes stream in, rows change their places at most once in this time.
const SETTLE: Duration = Duration::seconds(1);

/// The table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mounts {
    inventory: Option<Arc<Inventory>>,
    /// In step with the inventory's mounts.
    sizes: Vec<Size>,
    places: HashMap<MountId, usize>,
    order: Order,
    quick: Quick,
    /// The fuzzy filter.
    pub filter: Input,
    /// Whether keys go to the filter.
    pub typing: bool,
    rows: Vec<Row>,
    shown: usize,
    cursor: Option<MountId>,
    /// The cursor's row; always on a mount when there is one.
    at: usize,
    top: usize,
    height: usize,
    /// Whether the operator moved the cursor: from then on it follows its mount.
    moved: bool,
    marks: HashSet<MountId>,
    anchor: Option<MountId>,
    arranged: Option<OffsetDateTime>,
    totals: Totals,
}

impl Mounts {
    /// An empty table in this order.
    pub fn new(order: Order) -> Self {
        Self {
            order,
            ..Self::default()
        }
    }

    /// What is listed; `None` until the engine has answered.
    pub fn inventory(&self) -> Option<&Arc<Inventory>> {
        self.inventory.as_ref()
    }

    /// Takes a new list. Sizes stay with their mounts, but not with a volume that was made anew under its old name.
    pub fn set_inventory(&mut self, inventory: Arc<Inventory>, now: OffsetDateTime) {
        let mut old: HashMap<&MountId, (&Mount, &Size)> = HashMap::new();
        if let Some(before) = &self.inventory {
            old.extend(
                before
                    .mounts
                    .iter()
                    .zip(&self.sizes)
                    .map(|(mount, size)| (&mount.id, (mount, size))),
            );
        }
        let kept = |mount: &Mount| match old.get(&mount.id) {
            Some((before, size)) if before.created == mount.created => (*size).clone(),
            _ => Size::Unknown(None),
        };
        self.sizes = inventory.mounts.iter().map(kept).collect();
        self.places = inventory
            .mounts
            .iter()
            .enumerate()
            .map(|(at, mount)| (mount.id.clone(), at))
            .collect();
        self.inventory = Some(inventory);
        self.marks.retain(|id| self.places.contains_key(id));
        self.anchor = self.anchor.take().filter(|id| self.places.contains_key(id));
        self.arrange(now);
    }

    /// Takes sizes of an earlier start for mounts that have none yet.
    pub fn set_cached(&mut self, cached: Vec<(MountId, Measured)>, now: OffsetDateTime) {
        for (id, measured) in cached {
            if let Some(size) = self.places.get(&id).and_then(|at| self.sizes.get_mut(*at)) {
                match size {
                    Size::Unknown(_) => *size = Size::Measured(measured),
                    Size::Measuring {
                        before: before @ None, ..
                    } => *before = Some(measured),
                    _ => {}
                }
            }
        }
        self.arrange(now);
    }

    /// Takes sizes of a running measurement. A row that was measured before keeps that until the new sum is complete.
    pub fn set_sizes(&mut self, news: Vec<(MountId, Size)>, now: OffsetDateTime) {
        for (id, new) in news {
            let Some(size) = self.places.get(&id).and_then(|at| self.sizes.get_mut(*at)) else {
                continue;
            };
            let before = size.measured().cloned();
            *size = match (new, before) {
                (Size::Measuring { so_far, before: None }, before) => Size::Measuring { so_far, before },
                // Left out this time (cancelled, say): what was known stays known.
                (Size::Unknown(_), Some(before)) => Size::Measured(before),
                (new, _) => new,
            };
        }
        if self.arranged.is_none_or(|then| now - then >= SETTLE) {
            self.arrange(now);
        } else {
            self.totals = Totals::of(self);
        }
    }

    /// A measurement ended: what still counts as being measured goes back to what was known before.
    pub fn settle(&mut self, why: Option<&str>, now: OffsetDateTime) {
        for size in &mut self.sizes {
            if let Size::Measuring { before, .. } = size {
                *size = match before.take() {
                    Some(measured) => Size::Measured(measured),
                    None => Size::Unknown(why.map(str::to_owned)),
                };
            }
        }
        self.arrange(now);
    }

    /// Mounts that may be measured unasked and were not, or not since `fresh`.
    pub fn unmeasured(&self, fresh: OffsetDateTime) -> Vec<Mount> {
        self.select(|mount, size| {
            matches!(mount.scan, Scan::Shared | Scan::Alone | Scan::InContainer(_))
                && match size {
                    Size::Unknown(None) => true,
                    Size::Measured(measured) => measured.at < fresh,
                    _ => false,
                }
        })
    }

    /// All mounts that may be measured unasked.
    pub fn measurable(&self) -> Vec<Mount> {
        self.select(|mount, _| matches!(mount.scan, Scan::Shared | Scan::Alone | Scan::InContainer(_)))
    }

    /// The marked mounts, or else the one under the cursor, without those that are never measured.
    pub fn chosen(&self) -> Vec<Mount> {
        let marks = self.all_marks();
        let chosen = |mount: &Mount| {
            if marks.is_empty() {
                Some(&mount.id) == self.cursor.as_ref()
            } else {
                marks.contains(&mount.id)
            }
        };
        self.select(|mount, _| !matches!(mount.scan, Scan::Never(_)) && chosen(mount))
    }

    /// Complete measurements, to be kept for later starts.
    pub fn measured(&self) -> Vec<(MountId, Measured)> {
        self.entries()
            .filter_map(|(mount, size)| Some((mount.id.clone(), size.measured()?.clone())))
            .collect()
    }

    fn select(&self, wanted: impl Fn(&Mount, &Size) -> bool) -> Vec<Mount> {
        self.entries()
            .filter(|(mount, size)| wanted(mount, size))
            .map(|(mount, _)| mount.clone())
            .collect()
    }

    fn entries(&self) -> impl Iterator<Item = (&Mount, &Size)> {
        self.inventory
            .iter()
            .flat_map(|inventory| &inventory.mounts)
            .zip(&self.sizes)
    }

    /// A mount and its size, by its place in the inventory.
    pub fn entry(&self, place: usize) -> Option<(&Mount, &Size)> {
        Some((self.inventory.as_ref()?.mounts.get(place)?, self.sizes.get(place)?))
    }

    /// The mount under the cursor and its size.
    pub fn current(&self) -> Option<(&Mount, &Size)> {
        self.entry(*self.places.get(self.cursor.as_ref()?)?)
    }

    /// The rows, group headers included.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The row of the cursor.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The first row on screen.
    pub fn top(&self) -> usize {
        self.top
    }

    /// Mounts that the filters let through, and mounts in all.
    pub fn counts(&self) -> (usize, usize) {
        (self.shown, self.sizes.len())
    }

    /// The cursor's position among the shown mounts, from 1; 0 when there is none.
    pub fn position(&self) -> usize {
        self.rows
            .iter()
            .take(self.at + 1)
            .filter(|row| matches!(row, Row::Mount(_)))
            .count()
            .min(self.shown)
    }

    /// The order of the rows.
    pub fn order(&self) -> Order {
        self.order
    }

    /// The quick filters.
    pub fn quick(&self) -> Quick {
        self.quick
    }

    /// Running totals.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Whether a mount is marked, the range in the making included.
    pub fn is_marked(&self, row: usize, id: &MountId) -> bool {
        self.marks.contains(id) || self.range().is_some_and(|range| range.contains(&row))
    }

    /// Whether something is marked.
    pub fn has_marks(&self) -> bool {
        !self.marks.is_empty() || self.anchor.is_some()
    }

    /// Whether a range of marks is in the making.
    pub fn in_range(&self) -> bool {
        self.anchor.is_some()
    }

    fn range(&self) -> Option<std::ops::RangeInclusive<usize>> {
        let anchor = self.row_of(self.anchor.as_ref()?)?;
        Some(anchor.min(self.at)..=anchor.max(self.at))
    }

    fn row_of(&self, id: &MountId) -> Option<usize> {
        let place = *self.places.get(id)?;
        self.rows.iter().position(|row| *row == Row::Mount(place))
    }

    /// The marks, with those of the range in the making.
    pub fn all_marks(&self) -> HashSet<MountId> {
        let mut marks = self.marks.clone();
        if let Some(range) = self.range() {
            marks.extend(self.rows[range].iter().filter_map(|row| self.id_of(row).cloned()));
        }
        marks
    }

    fn id_of(&self, row: &Row) -> Option<&MountId> {
        match row {
            Row::Mount(place) => self.entry(*place).map(|(mount, _)| &mount.id),
            Row::Group { .. } => None,
        }
    }
}

/// What the operator does to the table. Each returns whether something changed.
impl Mounts {
    /// Moves the cursor by so many mounts.
    pub fn step(&mut self, by: isize) -> bool {
        let mut at = self.at;
        for _ in 0..by.unsigned_abs() {
            let next = if by > 0 {
                (at + 1..self.rows.len()).find(|row| matches!(self.rows[*row], Row::Mount(_)))
            } else {
                (0..at).rev().find(|row| matches!(self.rows[*row], Row::Mount(_)))
            };
            match next {
                Some(row) => at = row,
                None => break,
            }
        }
        self.go(at)
    }

    /// Moves by half a screen.
    pub fn page(&mut self, down: bool) -> bool {
        let by = (self.height / 2).max(1).cast_signed();
        self.step(if down { by } else { -by })
    }

    /// Moves to the first or the last mount.
    pub fn edge(&mut self, last: bool) -> bool {
        let is_mount = |row: &Row| matches!(row, Row::Mount(_));
        let at = if last {
            self.rows.iter().rposition(is_mount)
        } else {
            self.rows.iter().position(is_mount)
        };
        at.is_some_and(|at| self.go(at))
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

#[cfg(test)]
mod tests;
