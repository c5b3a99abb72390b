//! Matches entries of a tree against signs. Knows names alone: no descriptors and no file systems, so that every walk of
//! a tree can use it. [`Finds`] keeps what was seen.

mod finds;

use std::collections::HashMap;

use crate::proto::{Cover, Kind, Sign};

pub use finds::Finds;

/// Most bytes of a file that are read for a sign.
const HEAD: usize = 64;
/// Most components of a sign.
const COMPONENTS: usize = 8;

/// Whether a directory's entries are spoken for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Covered {
    /// By nothing.
    #[default]
    No,
    /// By a marker in the root: a claim. Signs that prove something are looked for all the same.
    Claimed,
    /// By the name of a directory: nothing beneath is looked at.
    Yes,
}

/// Signs, arranged so that an entry that matches none costs next to nothing.
#[derive(Debug, Clone)]
pub struct Signs {
    signs: Vec<Sign>,
    /// Signs by their last component, where that is literal.
    literal: HashMap<Box<[u8]>, Vec<usize>>,
    /// For each first byte of those, the lengths as bits; 63 stands for all longer ones.
    lengths: Box<[u64; 256]>,
    /// Signs whose last component ends, or else starts, with a byte, or neither.
    by_last: Vec<Vec<usize>>,
    by_first: Vec<Vec<usize>>,
    anything: Vec<usize>,
    /// Levels below the place at which anything can match, the place's entries being at 1.
    deepest: usize,
    /// Signs of the root itself.
    root: Vec<usize>,
}

impl Signs {
    /// Arranges signs. Those that make no sense never match.
    #[must_use]
    pub fn new(signs: Vec<Sign>) -> Self {
        let mut all = Self {
            literal: HashMap::new(),
            lengths: Box::new([0; 256]),
            by_last: vec![Vec::new(); 256],
            by_first: vec![Vec::new(); 256],
            anything: Vec::new(),
            deepest: 0,
            root: Vec::new(),
            signs,
        };
        for (at, sign) in all.signs.iter().enumerate() {
            let Some(last) = sign.path.last() else {
                if sign.cover.as_ref().is_some_and(|cover| !cover.markers.is_empty()) {
                    all.root.push(at);
                }
                continue;
            };
            if sign.path.len() > COMPONENTS {
                continue;
            }
            all.deepest = all.deepest.max(sign.path.len() + usize::from(sign.levels));
            match (star(last), last.first(), last.last()) {
                (None, Some(first), _) => {
                    all.lengths[usize::from(*first)] |= 1 << last.len().min(63);
                    all.literal.entry(last.as_slice().into()).or_default().push(at);
                }
                (Some(_), _, Some(end)) if *end != b'*' => all.by_last[usize::from(*end)].push(at),
                (Some(_), Some(first), _) if *first != b'*' => all.by_first[usize::from(*first)].push(at),
                _ => all.anything.push(at),
            }
        }
        all
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.signs.is_empty()
    }

    /// A sign by its index.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<&Sign> {
        self.signs.get(at)
    }

    /// Whether entries so many levels below the place can match: 1 for those of the place itself.
    #[must_use]
    pub fn reach(&self, level: usize) -> bool {
        level <= self.deepest
    }

    /// Calls `each` with every sign that an entry matches. `above` gives the names of the directories above it, the
    /// nearest first, up to and without the place.
    pub fn matching<'a, I: Iterator<Item = &'a [u8]>>(
        &self,
        entry: &Entry<'_>,
        above: impl Fn() -> I,
        mut each: impl FnMut(usize),
    ) {
        let (Some(first), Some(end)) = (entry.name.first(), entry.name.last()) else {
            return;
        };
        let mut check = |at: &usize| {
            if self.matches(&self.signs[*at], entry, &above) {
                each(*at);
            }
        };
        if self.lengths[usize::from(*first)] >> entry.name.len().min(63) & 1 == 1 {
            self.literal.get(entry.name).into_iter().flatten().for_each(&mut check);
        }
        self.by_last[usize::from(*end)].iter().for_each(&mut check);
        self.by_first[usize::from(*first)].iter().for_each(&mut check);
        self.anything.iter().for_each(&mut check);
    }

    fn matches<'a, I: Iterator<Item = &'a [u8]>>(
        &self,
        sign: &Sign,
        entry: &Entry<'_>,
        above: &impl Fn() -> I,
    ) -> bool {
        let count = sign.path.len();
        let kind = if sign.dir { Kind::Dir } else { Kind::File };
        let within = (count..=count + usize::from(sign.levels)).contains(&entry.level);
        let (Some((last, upper)), true) = (sign.path.split_last(), entry.kind == kind && within) else {
            return false;
        };
        // In a root that only claims to be a cache a mere suffix proves nothing: packages bring keys and archives along.
        if entry.covered == Covered::Claimed && star(last).is_some() && sign.magic.is_empty() {
            return false;
        }
        let mut names = above();
        fits(last, entry.name)
            && upper
                .iter()
                .rev()
                .all(|part| names.next().is_some_and(|name| fits(part, name)))
    }

    /// Whether an entry is stray although its root claims to be a cache: caches keep no files of their own beside their
    /// directories but hidden ones, and the markers. Links are there in plenty.
    #[must_use]
    pub fn loose(&self, entry: &Entry<'_>) -> bool {
        let mark = |at: &usize| {
            let cover = self.signs[*at].cover.as_ref();
            cover.is_some_and(|cover| cover.markers.iter().any(|marker| marker.name == entry.name))
        };
        entry.covered == Covered::Claimed
            && (entry.level, entry.kind) == (1, Kind::File)
            && !entry.name.starts_with(b".")
            && !self.root.iter().any(mark)
    }

    /// The signs of the root itself that hold, given what its files start with.
    pub fn of_root(&self, mut head: impl FnMut(&[u8], usize) -> Option<Vec<u8>>) -> Vec<usize> {
        let marked = |at: &&usize| {
            let cover = self.signs[**at].cover.as_ref();
            cover.is_some_and(|cover| self::marked(cover, &mut head))
        };
        self.root.iter().filter(marked).copied().collect()
    }
}

/// Whether a directory has one of a cover's markers, or needs none. `head` reads so many bytes of a regular file in it.
pub fn marked(cover: &Cover, mut head: impl FnMut(&[u8], usize) -> Option<Vec<u8>>) -> bool {
    cover.markers.is_empty()
        || cover.markers.iter().any(|marker| {
            let want = marker.magic.len().min(HEAD);
            head(&marker.name, want).is_some_and(|found| found.starts_with(&marker.magic))
        })
}

/// An entry as the matcher sees it.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Its base name.
    pub name: &'a [u8],
    /// What it is.
    pub kind: Kind,
    /// Levels below the place; 1 for the place's own entries.
    pub level: usize,
    /// Whether its directory is spoken for.
    pub covered: Covered,
}

/// Where a pattern's `*` is.
fn star(pattern: &[u8]) -> Option<usize> {
    pattern.iter().position(|byte| *byte == b'*')
}

/// Whether a component fits its pattern.
#[must_use]
pub fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match star(pattern) {
        None => pattern == name,
        Some(at) => {
            let (start, end) = (&pattern[..at], &pattern[at + 1..]);
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(path: &str, dir: bool) -> Sign {
        Sign {
            path: path.split('/').map(|part| part.as_bytes().to_vec()).collect(),
            dir,
            levels: 2,
            head: 0,
            magic: Vec::new(),
            cover: None,
        }
    }

    fn matching(signs: &Signs, path: &str, kind: Kind, covered: Covered) -> Vec<usize> {
        let parts: Vec<&[u8]> = path.split('/').map(str::as_bytes).collect();
        let entry = Entry {
            name: parts[parts.len() - 1],
            kind,
            level: parts.len(),
            covered,
        };
        let mut found = Vec::new();
        let above = || parts[..parts.len() - 1].iter().rev().copied();
        signs.matching(&entry, above, |at| found.push(at));
        found
    }

    #[test]
    fn literals_and_stars_match_by_all_their_components_and_no_deeper_than_they_may() {
        let names = [
            "global/pg_control",
            "*.db",
            "live/*/privkey.pem",
            "rsa_key.*",
            "docker/registry/v2",
        ];
        let signs = Signs::new(
            names
                .iter()
                .map(|name| sign(name, *name == "docker/registry/v2"))
                .collect(),
        );
        let file = |path: &str| matching(&signs, path, Kind::File, Covered::No);
        assert_eq!(file("global/pg_control"), [0]);
        assert_eq!(file("18/docker/global/pg_control"), [0]);
        assert_eq!(file("a/18/docker/global/pg_control"), Vec::<usize>::new());
        assert_eq!(file("pg_control"), Vec::<usize>::new());
        assert_eq!(file("other/pg_control"), Vec::<usize>::new());
        assert_eq!(file("x.db"), [1]);
        assert_eq!(file(".db"), [1]);
        assert_eq!(file("db"), Vec::<usize>::new());
        assert_eq!(file("live/example.org/privkey.pem"), [2]);
        assert_eq!(file("live/privkey.pem"), Vec::<usize>::new());
        assert_eq!(file("rsa_key.pem"), [3]);
        assert_eq!(matching(&signs, "docker/registry/v2", Kind::Dir, Covered::No), [4]);
        assert_eq!(file("docker/registry/v2"), Vec::<usize>::new());
        assert_eq!(
            matching(&signs, "x.db", Kind::Symlink, Covered::No),
            Vec::<usize>::new()
        );
    }

    #[test]
    fn in_a_root_that_claims_to_be_a_cache_only_what_proves_something_counts() {
        let magic = Sign {
            magic: b"SQLite".to_vec(),
            ..sign("*.db", false)
        };
        let signs = Signs::new(vec![sign("*.pem", false), magic, sign("PG_VERSION", false)]);
        let found = |path: &str| matching(&signs, path, Kind::File, Covered::Claimed);
        assert_eq!(
            (found("a.pem"), found("a.db"), found("PG_VERSION")),
            (vec![], vec![1], vec![2])
        );
    }
}
