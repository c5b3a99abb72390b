//! What fills the disk: file systems, sums of the mounts, what could be had back, what else takes space, what grew; as
//! lines, so that scrolling is computed without drawing. Knows no colours and no engine.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use time::OffsetDateTime;

use super::details::Role;
use super::figures;
use super::mounts::Sum;
use super::state::EngineState;
use crate::engine::EngineError;
use crate::fingerprint::Rules;
use crate::model::{Class, Mount, MountKind, Orphan, Size};
use crate::ops::df::{Backing, FileSystems, NotVolumes};
use crate::text;

/// Rows of a list that are shown; the others are one row.
const ROWS: usize = 8;
/// Columns of a row's label.
pub const LABEL: usize = 26;

/// What the disk screen remembers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Disk {
    /// First line shown.
    pub top: usize,
    /// The file systems behind the mounts.
    pub systems: Answer<FileSystems>,
    /// What takes space beside the mounts.
    pub others: Answer<NotVolumes>,
}

/// An answer of the engine, or how far it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Answer<T> {
    /// Nobody asked.
    #[default]
    NotAsked,
    /// Asked.
    Waiting,
    /// Answered.
    Is(Result<Arc<T>, EngineError>),
}

/// A line of the screen; all text is printable already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// An empty line.
    Gap,
    /// A heading, and words about it.
    Heading(String, String),
    /// Words.
    Text(Role, String),
    /// A label, a share in a thousand, a size and words about it.
    Share {
        /// What.
        label: String,
        /// The bar.
        parts: u16,
        /// Bytes in words.
        size: String,
        /// More about it.
        note: String,
    },
}

impl Disk {
    /// Whether the engine counts what takes space beside the mounts.
    pub fn is_counting(&self) -> bool {
        self.others == Answer::Waiting
    }
}

/// The lines of the screen at this width.
pub fn lines(engine: &EngineState, rules: &Rules, now: OffsetDateTime, width: u16) -> Vec<Line> {
    let mut out = Page {
        lines: Vec::new(),
        width: usize::from(width),
    };
    systems(&mut out, &engine.disk.systems);
    let table = &engine.mounts;
    let all = table.totals().all;
    out.heading("Mounts", &sum(all));
    let of_kind = |mount: &Mount, _: &Size| Some(kind(mount.kind).to_owned());
    out.sums("by kind", sums(engine, of_kind));
    let of_class = |mount: &Mount, size: &Size| {
        let contents = size.measured().and_then(|measured| measured.contents.as_ref());
        let class = rules.class(mount, contents).map(|(class, _)| class.word());
        Some(class.unwrap_or("class unknown").to_owned())
    };
    out.sums("by class", sums(engine, of_class));
    let of_project = |mount: &Mount, _: &Size| {
        let project = mount.project.as_deref().map(text::printable_str);
        Some(project.unwrap_or_else(|| "no project".to_owned()))
    };
    out.sums("by project", sums(engine, of_project));
    reclaimable(&mut out, engine, rules);
    others(&mut out, &engine.disk.others);
    growth(&mut out, engine, now);
    out.lines
}

struct Page {
    lines: Vec<Line>,
    width: usize,
}

impl Page {
    fn heading(&mut self, title: &str, words: &str) {
        if !self.lines.is_empty() {
            self.lines.push(Line::Gap);
        }
        self.lines.push(Line::Heading(title.to_owned(), words.to_owned()));
    }

    fn text(&mut self, role: Role, words: &str) {
        let words = text::wrap(&text::printable_str(words), self.width.saturating_sub(2).max(8));
        self.lines.extend(words.into_iter().map(|line| Line::Text(role, line)));
    }

    fn share(&mut self, label: &str, bytes: u64, of: u64, note: String) {
        let label = text::fit(label, LABEL, "…");
        let parts = (u128::from(bytes) * 1000).checked_div(u128::from(of)).unwrap_or(0);
        let parts = u16::try_from(parts).unwrap_or(1000);
        let size = figures::bytes(bytes);
        self.lines.push(Line::Share {
            label,
            parts,
            size,
            note,
        });
    }

    /// Sums by something, largest first; what is left over in one row.
    fn sums(&mut self, title: &str, sums: BTreeMap<String, Sum>) {
        let mut rows: Vec<(String, Sum)> = sums.into_iter().collect();
        rows.sort_by_key(|(_, sum)| Reverse(sum.bytes));
        if rows.len() > ROWS + 1 {
            let rest = rows.split_off(ROWS);
            let count = rest.len();
            let add = |all: Sum, (_, one): (String, Sum)| Sum {
                mounts: all.mounts + one.mounts,
                bytes: all.bytes.saturating_add(one.bytes),
                unknown: all.unknown + one.unknown,
                measuring: all.measuring + one.measuring,
            };
            let rest = rest.into_iter().fold(Sum::default(), add);
            rows.push((format!("{count} others"), rest));
        }
        let whole = rows.iter().map(|(_, sum)| sum.bytes).sum();
        self.text(Role::Dim, title);
        for (label, sum) in rows {
            let mut note = figures::counted(sum.mounts as u64, "mount");
            if sum.unknown > 0 {
                note += &format!(", {} of unknown size", sum.unknown);
            }
            self.share(&label, sum.bytes, whole, note);
        }
    }
}

fn sum(sum: Sum) -> String {
    let mounts = figures::counted(sum.mounts as u64, "mount");
    match sum.unknown {
        0 => format!("{} in {mounts}", figures::bytes(sum.bytes)),
        unknown if unknown == sum.mounts => format!("{mounts}, none of known size"),
        unknown => format!(
            "{} in {mounts}, {unknown} of them of unknown size",
            figures::bytes(sum.bytes)
        ),
    }
}

fn sums(engine: &EngineState, of: impl Fn(&Mount, &Size) -> Option<String>) -> BTreeMap<String, Sum> {
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    for (mount, size) in engine.mounts.entries() {
        if let Some(key) = of(mount, size) {
            sums.entry(key).or_default().add(size);
        }
    }
    sums
}

fn kind(kind: MountKind) -> &'static str {
    match kind {
        MountKind::Named => "named volumes",
        MountKind::Anonymous => "anonymous volumes",
        MountKind::Bind => "binds of host paths",
        MountKind::Tmpfs => "tmpfs (memory)",
        MountKind::Cluster => "cluster volumes",
        MountKind::Image => "images",
    }
}

fn systems(out: &mut Page, answer: &Answer<FileSystems>) {
    out.heading("File systems", "behind the mounts");
    match answer {
        Answer::NotAsked => out.text(Role::Dim, "not asked; R asks"),
        Answer::Waiting => out.text(Role::Dim, "asking"),
        Answer::Is(Err(error)) => out.text(Role::Fault, &format!("unknown: {error}; R asks again")),
        Answer::Is(Ok(found)) => {
            if found.rows.is_empty() {
                out.text(Role::Dim, "no mount lies on one that could be asked");
            }
            found.rows.iter().for_each(|row| system(out, row));
            for why in &found.left_out {
                out.text(Role::Warning, why);
            }
        }
    }
}

fn system(out: &mut Page, row: &Backing) {
    let source = text::printable(&row.source);
    let label = match (source.as_str(), row.fs_type.as_str()) {
        ("", "") => "the engine's data".to_owned(),
        ("", kind) => text::printable_str(kind),
        (source, kind) => format!("{source} {}", text::printable_str(kind)),
    };
    let used = row.size.saturating_sub(row.free);
    let note = format!("used of {}", figures::bytes(row.size));
    out.share(label.trim_end(), used, row.size, note);
    let mut more = vec![format!("{} free", figures::bytes(row.available))];
    if !row.mounts.is_empty() {
        more.push(figures::counted(row.mounts.len() as u64, "mount"));
    }
    if let Some((all, free)) = row.inodes {
        let used = all.saturating_sub(free);
        let percent = (u128::from(used) * 100).checked_div(u128::from(all)).unwrap_or(0);
        more.push(format!("{percent}% of {} inodes used", figures::count(all)));
    }
    let (role, words) = match row.inodes {
        Some((all, free)) if all > 0 && free < all / 20 => (Role::Warning, more.join(", ")),
        _ => (Role::Dim, more.join(", ")),
    };
    out.text(role, &words);
}

/// What nothing refers to, by what it is worth.
fn reclaimable(out: &mut Page, engine: &EngineState, rules: &Rules) {
    let orphans = engine.mounts.totals().orphans;
    let untold = engine.mounts.entries();
    let untold = untold.filter(|(mount, _)| mount.kind.is_volume() && mount.orphan == Orphan::Unknown);
    let untold = untold.count();
    let words = match orphans.mounts {
        0 => "nothing: no volume is orphaned".to_owned(),
        _ => format!("orphans: {}", sum(orphans)),
    };
    out.heading("Could be had back", &words);
    if orphans.mounts > 0 {
        let by_class = sums(engine, |mount, size| {
            let contents = size.measured().and_then(|measured| measured.contents.as_ref());
            let words = match rules.class(mount, contents).map(|(class, _)| class) {
                Some(Class::Temporary) => "empty or caches",
                Some(Class::Important) => "important: look first",
                Some(Class::Critical) => "critical: keep a copy",
                None => "contents unknown",
            };
            (mount.orphan == Orphan::Yes).then(|| words.to_owned())
        });
        out.sums("nothing refers to them; P on the mounts plans which can go", by_class);
    }
    if untold > 0 {
        let volumes = figures::counted(untold as u64, "volume");
        out.text(
            Role::Warning,
            &format!("of {volumes} it could not be told whether something uses them"),
        );
    }
}

fn others(out: &mut Page, answer: &Answer<NotVolumes>) {
    out.heading("Beside the mounts", "");
    let found = match answer {
        Answer::NotAsked => {
            return out.text(Role::Dim, "not asked: r lets the engine count, which may take minutes");
        }
        Answer::Waiting => return out.text(Role::Dim, "the engine counts, which may take minutes"),
        Answer::Is(Err(error)) => return out.text(Role::Fault, &format!("unknown: {error}; r asks again")),
        Answer::Is(Ok(found)) => found,
    };
    let usage = found.usage.as_ref();
    let rows = [
        ("images", usage.and_then(|usage| usage.layers)),
        ("containers' own layers", usage.and_then(|usage| usage.containers)),
        ("build cache", usage.and_then(|usage| usage.build_cache)),
        ("containers' logs", found.logs),
    ];
    let whole = rows.iter().filter_map(|(_, bytes)| *bytes).sum();
    for (label, bytes) in rows {
        match bytes {
            Some(bytes) => out.share(label, bytes, whole, String::new()),
            None => out.text(Role::Dim, &format!("{label}: unknown")),
        }
    }
    if let Some(why) = &found.usage_failed {
        out.text(Role::Warning, &format!("the engine did not count: {why}"));
    }
}

fn growth(out: &mut Page, engine: &EngineState, now: OffsetDateTime) {
    let table = &engine.mounts;
    let told = table
        .entries()
        .filter_map(|(mount, _)| Some((mount, table.grown(&mount.id)?)));
    let mut told: Vec<_> = told.collect();
    if told.is_empty() {
        out.heading("Grown", "");
        return out.text(Role::Dim, "nothing was measured twice yet");
    }
    let sum: i128 = told.iter().map(|(_, growth)| i128::from(growth.bytes)).sum();
    let since = told.iter().map(|(_, growth)| growth.since).min().unwrap_or(now);
    let words = format!(
        "{} in {} since the measurement before, {} at the earliest",
        signed(sum),
        figures::counted(told.len() as u64, "mount"),
        figures::ago(now, since.min(now))
    );
    out.heading("Grown", &words);
    told.retain(|(_, growth)| growth.bytes != 0);
    told.sort_by_key(|(mount, growth)| (Reverse(growth.bytes.unsigned_abs()), mount.name.clone()));
    let most = told.first().map_or(0, |(_, growth)| growth.bytes.unsigned_abs());
    for (mount, growth) in told.iter().take(ROWS) {
        let name = text::printable_str(&mount.name);
        let since = format!("since {}", figures::ago(now, growth.since.min(now)));
        out.share(&name, growth.bytes.unsigned_abs(), most, since);
        if let Some(Line::Share { size, .. }) = out.lines.last_mut() {
            *size = signed(i128::from(growth.bytes));
        }
    }
}

/// Bytes with their sign (`+3.4 MiB`).
fn signed(bytes: i128) -> String {
    let sign = match bytes {
        0 => "",
        bytes if bytes < 0 => "-",
        _ => "+",
    };
    let bytes = u64::try_from(bytes.unsigned_abs()).unwrap_or(u64::MAX);
    format!("{sign}{}", figures::bytes(bytes))
}
