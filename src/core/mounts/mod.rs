//! The table of mounts: what is listed, in which order, what is marked, where the cursor is. Knows mounts and
//! sizes, not how they are drawn. The rows are computed when something changes, never when drawing.

mod cursor;
mod index;
mod totals;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use time::{Duration, OffsetDateTime};

pub use index::{ClassFilter, Column, Order, Quick, Row};
pub use totals::{Sum, Totals};

use super::input::Input;
use crate::fingerprint::{ClassFrom, Rules};
use crate::model::size::Measured;
use crate::model::{Class, Mount, MountId, Scan, Size, VolumeName};
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
    rules: Arc<Rules>,
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
    /// What newer measurements found beside older ones.
    grown: HashMap<MountId, Growth>,
    totals: Totals,
}

/// How a mount grew between its two latest measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth {
    /// Bytes more, or less.
    pub bytes: i64,
    /// When the earlier measurement was taken.
    pub since: OffsetDateTime,
}

impl Growth {
    /// `None` when the two cannot be compared: one is a lower bound, or somebody else counted.
    fn between(before: &Measured, now: &Measured) -> Option<Self> {
        let comparable = before.source == now.source && before.totals.errors + now.totals.errors == 0;
        let bytes = i128::from(now.totals.bytes) - i128::from(before.totals.bytes);
        Some(Self {
            bytes: i64::try_from(bytes).ok()?,
            since: before.at,
        })
        .filter(|_| comparable && before.at < now.at)
    }
}

impl Mounts {
    /// An empty table in this order, whose mounts have the classes that these rules give them.
    pub fn new(order: Order, rules: Arc<Rules>) -> Self {
        Self {
            order,
            rules,
            ..Self::default()
        }
    }

    /// What is listed; `None` until the engine has answered.
    pub fn inventory(&self) -> Option<&Arc<Inventory>> {
        self.inventory.as_ref()
    }

    /// Takes a new list. Sizes stay with their mounts, but not with a volume that was made anew under its old name.
    pub fn set_inventory(&mut self, inventory: Arc<Inventory>, now: OffsetDateTime) {
        let mut old: HashMap<&MountId, (&Arc<Mount>, &Size)> = HashMap::new();
        if let Some(before) = &self.inventory {
            old.extend(
                before
                    .mounts
                    .iter()
                    .zip(&self.sizes)
                    .map(|(mount, size)| (&mount.id, (mount, size))),
            );
        }
        let kept = |mount: &Arc<Mount>| match old.get(&mount.id) {
            Some((before, size)) if before.created == mount.created => (*size).clone(),
            _ => Size::Unknown(None),
        };
        let same = |mount: &Arc<Mount>| {
            old.get(&mount.id)
                .is_some_and(|(before, _)| before.created == mount.created)
        };
        let still: HashSet<&MountId> = inventory
            .mounts
            .iter()
            .filter(|mount| same(mount))
            .map(|mount| &mount.id)
            .collect();
        self.grown.retain(|id, _| still.contains(id));
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
            if let (Size::Measured(now), Some(before)) = (&new, &before)
                && let Some(growth) = Growth::between(before, now)
            {
                self.grown.insert(id, growth);
            }
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

    /// The contents of mounts of this name were replaced: what was measured is not what is there now.
    pub fn forget(&mut self, name: &str) {
        let replaced = self.select(|mount, _| mount.name == name);
        for mount in replaced {
            if let Some(size) = self.places.get(&mount.id).and_then(|at| self.sizes.get_mut(*at)) {
                *size = Size::Unknown(None);
            }
        }
        self.totals = Totals::of(self);
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
    pub fn unmeasured(&self, fresh: OffsetDateTime) -> Vec<Arc<Mount>> {
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
    pub fn measurable(&self) -> Vec<Arc<Mount>> {
        self.select(|mount, _| matches!(mount.scan, Scan::Shared | Scan::Alone | Scan::InContainer(_)))
    }

    /// The marked mounts, or else the one under the cursor, without those that are never measured.
    pub fn chosen(&self) -> Vec<Arc<Mount>> {
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

    /// The marked mounts, or else the one under the cursor, whatever they are.
    pub fn meant(&self) -> Vec<Arc<Mount>> {
        let marks = self.all_marks();
        self.select(|mount, _| match marks.is_empty() {
            true => Some(&mount.id) == self.cursor.as_ref(),
            false => marks.contains(&mount.id),
        })
    }

    /// Names of the marked volumes, or else of the one under the cursor, and how many that is not of volumes.
    pub fn chosen_volumes(&self) -> (Vec<VolumeName>, usize) {
        let marks = self.all_marks();
        let all: Vec<&Mount> = if marks.is_empty() {
            self.current().map(|(mount, _)| mount).into_iter().collect()
        } else {
            let marked = self.entries().filter(|(mount, _)| marks.contains(&mount.id));
            marked.map(|(mount, _)| &**mount).collect()
        };
        let count = all.len();
        let volumes = all.into_iter().filter(|mount| mount.kind.is_volume());
        let names: Vec<VolumeName> = volumes.map(|mount| VolumeName::new(mount.name.as_str())).collect();
        let others = count - names.len();
        (names, others)
    }

    /// Complete measurements, to be kept for later starts.
    pub fn measured(&self) -> Vec<(MountId, Measured)> {
        self.entries()
            .filter_map(|(mount, size)| Some((mount.id.clone(), size.measured()?.clone())))
            .collect()
    }

    /// Whether all of these volumes are listed.
    pub fn has_volumes(&self, names: &[String]) -> bool {
        let listed: HashSet<&str> = self
            .entries()
            .filter(|(mount, _)| mount.kind.is_volume())
            .map(|(mount, _)| mount.name.as_str())
            .collect();
        names.iter().all(|name| listed.contains(name.as_str()))
    }

    fn select(&self, wanted: impl Fn(&Mount, &Size) -> bool) -> Vec<Arc<Mount>> {
        self.entries()
            .filter(|(mount, size)| wanted(mount, size))
            .map(|(mount, _)| Arc::clone(mount))
            .collect()
    }

    /// How a mount grew, when two measurements tell.
    pub fn grown(&self, id: &MountId) -> Option<Growth> {
        self.grown.get(id).copied()
    }

    /// The mounts and their sizes.
    pub fn entries(&self) -> impl Iterator<Item = (&Arc<Mount>, &Size)> {
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

    /// The order of the rows.
    pub fn order(&self) -> Order {
        self.order
    }

    /// The quick filters.
    pub fn quick(&self) -> Quick {
        self.quick
    }

    /// The class of a mount with what is known of it, and who says so.
    pub fn class(&self, mount: &Mount, size: &Size) -> Option<(Class, ClassFrom)> {
        let contents = size.measured().and_then(|measured| measured.contents.as_ref());
        self.rules.class(mount, contents)
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

#[cfg(test)]
mod tests;
