//! What stands before the names of an archive of another program (`volume/` in those of the classic recipe), and when that
//! cannot be told. Pure rules over names.

use std::collections::BTreeSet;

use vole_agent::archive::{Entry, Form};

use super::Unclear;
use crate::text;

/// First components that recipes put before a volume's contents: `tar -c /volume`, vackup, `tar -C .../volumes/NAME -c _data`.
const KNOWN: [&[u8]; 3] = [b"volume", b"vackup-volume", b"_data"];
/// The first of two: `tar -c /backup/NAME`.
const BACKUP: &[u8] = b"backup";
/// Names that are kept to be shown, and to be counted.
const KEPT: usize = 6;

/// What the names of an archive begin with, gathered entry by entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// Whether there is an entry for the top itself.
    top: bool,
    /// The first components, the first few.
    first: BTreeSet<Vec<u8>>,
    /// The second ones, the first few.
    second: BTreeSet<Vec<u8>>,
    /// Whether something other than a directory stands at the first level, or at the second.
    bare: [bool; 2],
    /// Whether a hardlink leads elsewhere than all names begin.
    strays: bool,
    /// The first of the names.
    shown: Vec<String>,
}

impl Names {
    /// Takes note of an entry.
    pub(super) fn take(&mut self, entry: &Entry) {
        if self.shown.len() < KEPT {
            self.shown.push(text::printable(&entry.path));
        }
        let parts: Vec<&[u8]> = parts(&entry.path).take(3).collect();
        let [first, rest @ ..] = parts.as_slice() else {
            self.top = true;
            return;
        };
        keep(&mut self.first, first);
        let deep = |depth: usize| parts.len() > depth || matches!(entry.form, Form::Dir);
        self.bare[0] |= !deep(1);
        if let Some(second) = rest.first() {
            keep(&mut self.second, second);
            self.bare[1] |= !deep(2);
        }
        if let Form::Hardlink { target } = &entry.form {
            let target: Vec<&[u8]> = self::parts(target).take(2).collect();
            self.strays |= target.first() != Some(first) || target.get(1).is_none();
        }
    }

    /// How many components are to be taken away, and what they are; or why that cannot be told.
    pub(super) fn strip(&self) -> Result<(u32, Option<String>), Unclear> {
        let mut first = self.first.iter();
        let (Some(one), None) = (first.next(), first.next()) else {
            return match self.first.iter().find(|name| is_known(name)) {
                Some(name) if !self.top => Err(self.unclear(
                    0,
                    format!(
                        "{}/ looks as if a recipe had put it before the contents, but it is not before all of them",
                        text::printable(name)
                    ),
                )),
                _ => Ok((0, None)),
            };
        };
        if self.top || self.bare[0] {
            return Ok((0, None));
        }
        let name = text::printable(one);
        if self.strays {
            return Err(self.unclear(
                1,
                format!("all names begin with {name}/, but not all hardlinks lead there"),
            ));
        }
        if KNOWN.contains(&one.as_slice()) {
            return Ok((1, Some(format!("{name}/"))));
        }
        let mut second = self.second.iter();
        match (one.as_slice() == BACKUP, second.next(), second.next()) {
            (true, Some(below), None) if !self.bare[1] => Ok((2, Some(format!("{name}/{}/", text::printable(below))))),
            _ => Err(self.unclear(
                1,
                format!(
                    "all names begin with {name}/, which may be part of the contents or may have been put before them"
                ),
            )),
        }
    }

    fn unclear(&self, strip: u32, why: String) -> Unclear {
        Unclear {
            strip,
            why,
            seen: self.shown.clone(),
        }
    }
}

fn parts(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/')
        .filter(|part| !part.is_empty() && *part != b".")
}

fn keep(names: &mut BTreeSet<Vec<u8>>, name: &[u8]) {
    // Two are as good as a million: then nothing is before them all. Those that are known count all the same.
    if names.len() < KEPT || is_known(name) {
        names.insert(name.to_vec());
    }
}

fn is_known(name: &[u8]) -> bool {
    KNOWN.contains(&name) || name == BACKUP
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::sample::entry;

    fn names(entries: &[(&str, Option<&str>)]) -> Result<(u32, Option<String>), Unclear> {
        let mut names = Names::default();
        for (path, link) in entries {
            let form = match (path.ends_with('/'), link) {
                (_, Some(target)) => Form::Hardlink {
                    target: target.as_bytes().to_vec(),
                },
                (true, None) => Form::Dir,
                (false, None) => Form::File { size: 0, map: None },
            };
            names.take(&entry(path.trim_end_matches('/'), form));
        }
        names.strip()
    }

    #[test]
    fn what_recipes_put_before_names_is_taken_away() {
        let strip = |entries| names(entries).unwrap();
        assert_eq!(
            strip(&[("volume/", None), ("volume/a", None), ("volume/b", Some("volume/a"))]),
            (1, Some("volume/".to_owned()))
        );
        assert_eq!(strip(&[("volume/a", None), ("volume/d/b", None)]).0, 1);
        assert_eq!(
            strip(&[("backup/", None), ("backup/blog/", None), ("backup/blog/a", None)]),
            (2, Some("backup/blog/".to_owned()))
        );
        // With an entry for the top nothing was put before the names.
        assert_eq!(strip(&[("", None), ("volume/", None), ("volume/a", None)]), (0, None));
        assert_eq!(strip(&[("a", None), ("b/", None)]), (0, None));
        assert_eq!(strip(&[("only", None)]), (0, None));
        assert_eq!(strip(&[]), (0, None));
    }

    #[test]
    fn what_may_be_contents_is_asked_about() {
        for unclear in [
            &[("data/", None), ("data/a", None)][..],
            &[("volume/", None), ("volume/a", None), ("etc/", None)],
            &[("volume/", None), ("volume/b", Some("a"))],
            &[("backup/", None), ("backup/a/", None), ("backup/b/", None)],
            &[("backup/", None), ("backup/a", None)],
        ] {
            let unclear = names(unclear).unwrap_err();
            assert!(!unclear.seen.is_empty() && !unclear.why.is_empty());
        }
    }
}
