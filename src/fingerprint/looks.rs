//! Turns what the size walk saw into what contents look like. Pure; what it is told is hostile.

use std::collections::HashSet;

use vole_agent::proto::Seen;

use super::classes::fits;
use super::table::{Kind, Set, Table};
use crate::model::{Contents, Fingerprint, Mount, Worth};
use crate::text;

/// Most paths that are kept to say why.
const EVIDENCE: usize = 4;
/// Longest of them, in columns.
const PATH: usize = 100;
/// Longest version, in columns.
const VERSION: usize = 24;

/// What the size walk told of a whole mount.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Signs that were seen, of [`super::Rules::signs`].
    pub seen: Vec<Seen>,
    /// Entries that are no directories and lie in no cache.
    pub stray: u64,
    /// Entries that are no directories, all told.
    pub files: u64,
    /// Entries that could not be read.
    pub errors: u64,
    /// Mounts within that were not entered.
    pub other_fs: u64,
}

/// A sign that was seen, with the directory that its path is relative to.
struct Sight<'a> {
    sign: usize,
    base: &'a [u8],
    path: &'a [u8],
    head: &'a [u8],
}

/// What the contents of a mount look like.
pub(super) fn contents(table: &Table, mount: &Mount, told: &Told) -> Contents {
    let sights: Vec<Sight<'_>> = told.seen.iter().filter_map(|seen| sight(table, seen)).collect();
    let claimed = claimed(table, &sights);
    let mut looks: Vec<Fingerprint> = Vec::new();
    let mut stray = told.stray;
    for kind in &table.kinds {
        let named = mount.kind.is_volume() && kind.names.iter().any(|pattern| fits(pattern, &mount.name));
        if named && kind.worth == Worth::Disposable {
            // The name speaks for all that is in the volume; something precious in there still comes first.
            stray = 0;
        }
        let evidence = match evidence(table, kind, &sights, &claimed) {
            None if named => Some((Vec::new(), None)),
            found => found,
        };
        if let Some((evidence, base)) = evidence {
            looks.push(Fingerprint {
                kind: kind.kind.clone(),
                version: base.and_then(|base| version(kind, base, &sights)),
                worth: kind.worth,
                evidence,
            });
        }
    }
    looks.sort_by_key(|look| std::cmp::Reverse(look.worth));
    let mut kinds = HashSet::new();
    looks.retain(|look| kinds.insert(look.kind.clone()));
    Contents {
        looks,
        stray,
        files: told.files,
        incomplete: incomplete(told),
    }
}

fn incomplete(told: &Told) -> Option<String> {
    match (told.errors, told.other_fs) {
        (0, 0) => None,
        (0, _) => Some("another file system is mounted within".to_owned()),
        (1, _) => Some("an entry could not be read".to_owned()),
        (errors, _) => Some(format!("{errors} entries could not be read")),
    }
}

/// Splits a path into the part that a sign names and the directory above it.
fn sight<'a>(table: &Table, seen: &'a Seen) -> Option<Sight<'a>> {
    let sign = usize::try_from(seen.sign).ok()?;
    let mut base = seen.path.as_slice();
    for _ in &table.signs.get(sign)?.path {
        if base.is_empty() {
            return None;
        }
        let slash = base.iter().rposition(|byte| *byte == b'/');
        base = &base[..slash.unwrap_or(0)];
    }
    Some(Sight {
        sign,
        base,
        path: &seen.path,
        head: &seen.head,
    })
}

/// The paths that rows recognise by more than a suffix.
fn claimed<'a>(table: &Table, sights: &[Sight<'a>]) -> HashSet<&'a [u8]> {
    let sets = table.kinds.iter().flat_map(|kind| &kind.any).filter(|set| !set.generic);
    sets.flat_map(|set| matches(set, sights))
        .flat_map(|(_, paths)| paths)
        .collect()
}

/// Every directory below which a set is whole, with its paths; the uppermost first.
fn matches<'a>(set: &Set, sights: &[Sight<'a>]) -> Vec<(&'a [u8], Vec<&'a [u8]>)> {
    let at = |sign: usize, base: &[u8]| {
        let here = sights.iter().find(|sight| sight.sign == sign && sight.base == base);
        here.map(|sight| sight.path)
    };
    let Some(first) = set.signs.first() else {
        return Vec::new();
    };
    let bases: HashSet<&[u8]> = sights
        .iter()
        .filter(|sight| sight.sign == *first)
        .map(|sight| sight.base)
        .collect();
    let whole = bases.into_iter().filter_map(|base| {
        let paths: Option<Vec<&[u8]>> = set.signs.iter().map(|sign| at(*sign, base)).collect();
        Some((base, paths?))
    });
    let mut whole: Vec<_> = whole.collect();
    whole.sort_by_key(|(base, _)| (base.iter().filter(|byte| **byte == b'/').count(), base.len(), *base));
    whole
}

/// The paths that say that contents are of a kind, and the directory that they are relative to.
fn evidence<'a>(
    table: &Table,
    kind: &Kind,
    sights: &[Sight<'a>],
    claimed: &HashSet<&[u8]>,
) -> Option<(Vec<String>, Option<&'a [u8]>)> {
    let mut paths: Vec<&[u8]> = Vec::new();
    let mut base = None;
    let mut of_roots = Vec::new();
    for set in &kind.any {
        if set.generic {
            let own = sights.iter().filter(|sight| set.signs.contains(&sight.sign));
            paths.extend(own.map(|sight| sight.path).filter(|path| !claimed.contains(path)));
        } else if let Some((found, all)) = matches(set, sights).into_iter().next() {
            base = base.or(Some(found));
            paths.extend(all);
        }
    }
    for sight in sights.iter().filter(|sight| kind.caches.contains(&sight.sign)) {
        if sight.path.is_empty() {
            let cover = table.signs.get(sight.sign).and_then(|sign| sign.cover.as_ref());
            let markers = cover.into_iter().flat_map(|cover| &cover.markers);
            let names: Vec<String> = markers.map(|marker| text::printable(&marker.name)).collect();
            of_roots.push(names.join(" or "));
        } else {
            paths.push(sight.path);
        }
    }
    let mut kept = HashSet::new();
    paths.retain(|path| kept.insert(*path));
    let printable = paths
        .into_iter()
        .map(|path| text::fit_middle(&text::printable(path), PATH, "…"));
    let evidence: Vec<String> = of_roots.into_iter().chain(printable).take(EVIDENCE).collect();
    (!evidence.is_empty()).then_some((evidence, base))
}

/// The version that the contents tell, made printable.
fn version(kind: &Kind, base: &[u8], sights: &[Sight<'_>]) -> Option<String> {
    let told = kind.version.iter().find_map(|sign| {
        let sight = sights.iter().find(|sight| sight.sign == *sign && sight.base == base)?;
        let line = sight.head.split(|byte| matches!(byte, b'\n' | b'\r' | 0)).next()?;
        Some(text::printable(line).trim().to_owned()).filter(|line| !line.is_empty())
    });
    told.map(|line| text::fit(&line, VERSION, "…"))
}
