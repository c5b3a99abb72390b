//! Filtering, sorting and grouping of the table's rows. Pure; runs when something changed.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::iter;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::super::fuzzy::Fuzzy;
use super::{Mounts, Sum};
use crate::model::{Class, Mount, MountKind, Orphan, Size};

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// The header of a group.
    Group {
        /// The project; `None` for mounts without one.
        project: Option<String>,
        /// Its shown mounts.
        mounts: usize,
        /// Their bytes.
        sum: Sum,
    },
    /// A mount, by its place in the inventory.
    Mount(usize),
}

/// What the table is sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Column {
    /// Allocated bytes, largest first.
    #[default]
    Size,
    /// Name, from a to z.
    Name,
    /// When it was made, oldest first.
    Age,
    /// Number of containers, most first.
    Attached,
    /// Newest change of contents, latest first.
    LastWrite,
}

impl Column {
    /// The next column of the cycle.
    pub fn next(self) -> Self {
        match self {
            Self::Size => Self::Name,
            Self::Name => Self::Age,
            Self::Age => Self::Attached,
            Self::Attached => Self::LastWrite,
            Self::LastWrite => Self::Size,
        }
    }

    /// Its word on screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Name => "name",
            Self::Age => "age",
            Self::Attached => "attached",
            Self::LastWrite => "last write",
        }
    }
}

/// The order of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// What is compared.
    pub column: Column,
    /// Whether the column's natural direction is turned round. Unknown values stay last.
    pub reverse: bool,
    /// Whether mounts stand under their projects.
    pub group: bool,
}

impl Default for Order {
    fn default() -> Self {
        Self {
            column: Column::Size,
            reverse: false,
            group: true,
        }
    }
}

/// Which class is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClassFilter {
    /// Any, and none too.
    #[default]
    All,
    /// This one.
    Is(Class),
    /// Mounts of which nobody can say it.
    Unknown,
}

impl ClassFilter {
    /// The next of the cycle, the most precious first.
    pub fn next(self) -> Self {
        match self {
            Self::All => Self::Is(Class::Critical),
            Self::Is(Class::Critical) => Self::Is(Class::Important),
            Self::Is(Class::Important) => Self::Is(Class::Temporary),
            Self::Is(Class::Temporary) => Self::Unknown,
            Self::Unknown => Self::All,
        }
    }

    /// Its word on screen; `None` when it lets everything through.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::All => None,
            Self::Is(class) => Some(class.word()),
            Self::Unknown => Some("class unknown"),
        }
    }

    /// Whether a class is shown; asked for only when that matters.
    fn lets(self, class: impl FnOnce() -> Option<Class>) -> bool {
        match self {
            Self::All => true,
            Self::Is(wanted) => class() == Some(wanted),
            Self::Unknown => class().is_none(),
        }
    }
}

/// The quick filters; those that are on are combined: kinds with or, orphans and class with and.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quick {
    /// Orphans only.
    pub orphans: bool,
    /// Anonymous volumes only.
    pub anonymous: bool,
    /// Bind mounts only.
    pub binds: bool,
    /// Mounts of this class only.
    pub class: ClassFilter,
}

impl Quick {
    /// Whether any is on.
    pub fn any(self) -> bool {
        self.orphans || self.anonymous || self.binds || self.class != ClassFilter::All
    }

    fn lets(self, mount: &Mount) -> bool {
        let kind = match mount.kind {
            _ if !self.anonymous && !self.binds => true,
            MountKind::Anonymous => self.anonymous,
            MountKind::Bind => self.binds,
            _ => false,
        };
        kind && (!self.orphans || mount.orphan == Orphan::Yes)
    }
}

/// What a mount is compared by: unknown last in either direction, then by value, then by name.
type Rank = (bool, i128);

fn rank(column: Column, mount: &Mount, size: &Size) -> Rank {
    let value = match column {
        Column::Name => Some(0),
        Column::Size => size.known_bytes().map(|bytes| -i128::from(bytes)),
        Column::Age => mount.created.map(|time| i128::from(time.unix_timestamp())),
        Column::Attached => i128::try_from(mount.attachments.len()).ok().map(|count| -count),
        Column::LastWrite => size
            .measured()
            .and_then(|measured| measured.totals.newest)
            .map(|secs| -i128::from(secs)),
    };
    (value.is_none(), value.unwrap_or(0))
}

struct Sorted<'a> {
    place: usize,
    mount: &'a Mount,
    rank: Rank,
}

fn compare(order: Order, a: &Sorted<'_>, b: &Sorted<'_>) -> Ordering {
    let turn = |ordering: Ordering| if order.reverse { ordering.reverse() } else { ordering };
    let by_name = || {
        a.mount
            .name
            .cmp(&b.mount.name)
            .then_with(|| a.mount.id.cmp(&b.mount.id))
    };
    if order.column == Column::Name {
        return turn(by_name());
    }
    a.rank
        .0
        .cmp(&b.rank.0)
        .then_with(|| turn(a.rank.1.cmp(&b.rank.1)))
        .then_with(by_name)
}

/// The rows of the table as its filters and its order say.
pub(super) fn rows(table: &Mounts, _now: OffsetDateTime) -> Vec<Row> {
    let mut filter = Fuzzy::new(table.filter.text());
    let mut sorted: Vec<Sorted<'_>> = table
        .entries()
        .enumerate()
        .filter(|(_, (mount, size))| {
            let class = || table.class(mount, size).map(|(class, _)| class);
            table.quick.lets(mount) && table.quick.class.lets(class) && filter.lets(texts(mount))
        })
        .map(|(place, (mount, size))| Sorted {
            place,
            mount,
            rank: rank(table.order.column, mount, size),
        })
        .collect();
    sorted.sort_by(|a, b| compare(table.order, a, b));
    if table.order.group && sorted.iter().any(|row| row.mount.project.is_some()) {
        grouped(table, &sorted)
    } else {
        sorted.iter().map(|row| Row::Mount(row.place)).collect()
    }
}

struct Group<'a> {
    project: Option<&'a String>,
    places: Vec<usize>,
    sum: Sum,
    /// Where its best mount stands.
    first: usize,
}

fn grouped(table: &Mounts, sorted: &[Sorted<'_>]) -> Vec<Row> {
    let mut groups: BTreeMap<Option<&String>, Group<'_>> = BTreeMap::new();
    for (at, row) in sorted.iter().enumerate() {
        let project = row.mount.project.as_ref();
        let new = || Group {
            project,
            places: Vec::new(),
            sum: Sum::default(),
            first: at,
        };
        let group = groups.entry(project).or_insert_with(new);
        group.places.push(row.place);
        if let Some((_, size)) = table.entry(row.place) {
            group.sum.add(size);
        }
    }
    let mut groups: Vec<Group<'_>> = groups.into_values().collect();
    match table.order.column {
        Column::Size if table.order.reverse => groups.sort_by_key(|group| (group.sum.bytes, group.first)),
        Column::Size => groups.sort_by_key(|group| (Reverse(group.sum.bytes), group.first)),
        // By name, mounts of no project come last in either direction.
        Column::Name if table.order.reverse => {
            groups.sort_by_key(|group| (group.project.is_none(), Reverse(group.project)));
        }
        Column::Name => groups.sort_by_key(|group| (group.project.is_none(), group.project)),
        _ => groups.sort_by_key(|group| group.first),
    }
    let mut rows = Vec::with_capacity(sorted.len() + groups.len());
    for group in groups {
        rows.push(Row::Group {
            project: group.project.cloned(),
            mounts: group.places.len(),
            sum: group.sum,
        });
        rows.extend(group.places.into_iter().map(Row::Mount));
    }
    rows
}

/// What the fuzzy filter looks at: a mount's name, project and containers.
fn texts(mount: &Mount) -> impl Iterator<Item = &str> {
    let containers = mount.attachments.iter().map(|attachment| attachment.container.as_str());
    iter::once(mount.name.as_str())
        .chain(mount.project.as_deref())
        .chain(containers)
}
