//! What a restore of some paths takes of an archive: how much that is, and why it would not do. Pure rules over entries.

use vole_agent::archive::{Entry, Form};

use crate::model::BytePath;
use crate::text;

/// The wanted part of an archive, gathered entry by entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Part {
    /// The wanted paths, and whether they were met.
    only: Vec<(BytePath, bool)>,
    strip: usize,
    entries: u64,
    bytes: u64,
    /// A wanted hardlink, and the file that holds its contents and is not wanted.
    astray: Option<(Vec<u8>, Vec<u8>)>,
}

impl Part {
    /// Of these paths, once so many leading components are taken off the names; `None` for everything.
    pub(super) fn of(only: &[BytePath], strip: u32) -> Option<Self> {
        let part = Self {
            only: only.iter().map(|path| (path.clone(), false)).collect(),
            strip: usize::try_from(strip).unwrap_or(usize::MAX),
            ..Self::default()
        };
        (!only.is_empty()).then_some(part)
    }

    /// Takes note of an entry.
    pub(super) fn take(&mut self, entry: &Entry) {
        let strip = self.strip;
        let mut wanted = false;
        for (path, met) in &mut self.only {
            let here = holds(path, &entry.path, strip);
            *met |= here;
            wanted |= here;
        }
        if !wanted {
            return;
        }
        self.entries += 1;
        self.bytes += entry.form.stored();
        if let Form::Hardlink { target } = &entry.form
            && self.astray.is_none()
            && !self.only.iter().any(|(path, _)| holds(path, target, strip))
        {
            self.astray = Some((entry.path.clone(), target.clone()));
        }
    }

    /// Its entries, and the bytes of their contents.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.entries, self.bytes)
    }

    /// Why it cannot be restored, once all entries were met.
    pub(super) fn why_not(&self) -> Option<String> {
        let missing = self.only.iter().find(|(_, met)| !met);
        let missing = missing.map(|(path, _)| format!("{} is not in the archive", text::printable(path.as_bytes())));
        missing.or_else(|| {
            let (path, target) = self.astray.as_ref()?;
            Some(format!(
                "{} is a hardlink to {}, which holds its contents and is not among what is restored: restore that as well, \
                 or a directory that holds both",
                text::printable(path),
                text::printable(target)
            ))
        })
    }
}

/// Whether a name in an archive is at a path, or beneath it.
fn holds(path: &BytePath, name: &[u8], strip: usize) -> bool {
    let parts = name.split(|&byte| byte == b'/');
    let mut parts = parts.filter(|part| !part.is_empty() && *part != b".").skip(strip);
    path.components().all(|wanted| parts.next() == Some(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::sample::entry;

    fn part(only: &[&str], strip: u32, entries: &[(&str, Option<&str>)]) -> Part {
        let only: Vec<BytePath> = only.iter().map(|path| BytePath::new(path.as_bytes())).collect();
        let mut part = Part::of(&only, strip).unwrap();
        for (path, link) in entries {
            let form = match link {
                Some(target) => Form::Hardlink {
                    target: target.as_bytes().to_vec(),
                },
                None => Form::File { size: 5, map: None },
            };
            part.take(&entry(path, form));
        }
        part
    }

    #[test]
    fn what_is_at_a_path_or_beneath_it_is_counted_once() {
        let entries = [
            ("a/b", None),
            ("a/b/c", None),
            ("a/bc", None),
            ("./d", None),
            ("e", None),
        ];
        let some = part(&["a/b", "a/b/c", "d"], 0, &entries);
        assert_eq!((some.counts(), some.why_not()), ((3, 15), None));
        let stripped = part(&["b"], 1, &[("a/b", None), ("b", None)]);
        assert_eq!((stripped.counts(), stripped.why_not()), ((1, 5), None));
        assert_eq!(Part::of(&[], 0), None, "everything is no part");
    }

    #[test]
    fn what_is_not_there_and_what_lacks_its_contents_is_told_by_name() {
        let why = |only: &[&str], entries| part(only, 0, entries).why_not();
        assert_eq!(why(&["x", "a"], &[("a", None)]).unwrap(), "x is not in the archive");
        let linked = [("a", None), ("d/b", Some("a"))];
        let words = why(&["d"], &linked).unwrap();
        assert!(
            words.starts_with("d/b is a hardlink to a, which holds its contents"),
            "{words}"
        );
        assert_eq!(why(&["d", "a"], &linked), None);
    }
}
