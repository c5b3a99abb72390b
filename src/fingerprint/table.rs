//! The table of fingerprints: its rows as they are written in TOML, checked, and turned into signs for the size walk.
//! Knows no contents.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use vole_agent::proto::{Cover, Marker, Sign};

use crate::model::Worth;

/// Directories that may stand above what a row names.
const LEVELS: u8 = 2;
/// Bytes that are read of a file that tells a version.
const HEAD: u16 = 64;
/// Most components of a path.
const COMPONENTS: usize = 8;
/// Most signs in all: each place keeps some of every one.
const SIGNS: usize = 512;
/// A marker that counts only with its signature (<https://bford.info/cachedir/>).
const CACHE_TAG: (&str, &[u8]) = ("CACHEDIR.TAG", b"Signature: 8a477f597d28d172789f06886806bc55");

/// One row of the table, as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// What it looks like, in words.
    pub kind: String,
    /// What would be lost.
    pub worth: Worth,
    /// Alternatives of paths that have to be there together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub any: Vec<Vec<String>>,
    /// Files whose first line is the version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub version: Vec<String>,
    /// How the files of `any` have to start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub magic: Option<String>,
    /// Directories that hold caches alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caches: Vec<Cache>,
    /// Names of volumes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// A directory that holds nothing but what can be had again.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// Its path; empty for the root of the volume.
    pub dir: String,
    /// Files of which one has to be in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<String>,
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("fingerprint {row} (\u{201c}{kind}\u{201d}): {wrong}")]
pub struct BadRow {
    /// Its number, from 1.
    pub row: usize,
    /// Its kind. Hostile text no more: made printable.
    pub kind: String,
    /// What is wrong.
    pub wrong: String,
}

/// A row whose paths are signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) kind: String,
    pub(super) worth: Worth,
    pub(super) any: Vec<Set>,
    pub(super) version: Vec<usize>,
    pub(super) caches: Vec<usize>,
    pub(super) names: Vec<String>,
}

/// Signs that have to be seen together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Set {
    pub(super) signs: Vec<usize>,
    /// Whether it is a suffix alone, which does not count for a file that another row has recognised.
    pub(super) generic: bool,
}

/// Rows and the signs that they need, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) kinds: Vec<Kind>,
    pub(super) signs: Vec<Sign>,
}

/// What tells signs apart.
type Key = (Vec<Vec<u8>>, bool, Vec<u8>, Option<Cover>);

/// Signs while rows are read.
#[derive(Default)]
struct Signs {
    signs: Vec<Sign>,
    index: HashMap<Key, usize>,
}

impl Signs {
    fn add(&mut self, sign: Sign) -> usize {
        let key = (sign.path.clone(), sign.dir, sign.magic.clone(), sign.cover.clone());
        let at = *self.index.entry(key).or_insert(self.signs.len());
        match self.signs.get_mut(at) {
            Some(there) => there.head = there.head.max(sign.head),
            None => self.signs.push(sign),
        }
        at
    }
}

impl Table {
    /// Checks rows and turns them into signs.
    pub(super) fn new(rows: &[Row]) -> Result<Self, BadRow> {
        let mut signs = Signs::default();
        let mut kinds = Vec::with_capacity(rows.len());
        for (index, row) in rows.iter().enumerate() {
            let bad = |wrong: String| BadRow {
                row: index + 1,
                kind: crate::text::printable_str(&row.kind),
                wrong,
            };
            kinds.push(kind(row, &mut signs).map_err(bad)?);
            if signs.signs.len() > SIGNS {
                return Err(bad(format!("more than {SIGNS} different paths in all")));
            }
        }
        Ok(Self {
            kinds,
            signs: signs.signs,
        })
    }
}

fn kind(row: &Row, signs: &mut Signs) -> Result<Kind, String> {
    let disposable = row.worth == Worth::Disposable;
    if row.kind.trim().is_empty() {
        return Err("it needs a kind".to_owned());
    }
    if row.any.is_empty() && row.caches.is_empty() && row.names.is_empty() {
        return Err("it needs `any`, `caches` or `names`".to_owned());
    }
    // A file in a directory proves that directory's other files no cache.
    if disposable && !row.any.is_empty() {
        return Err("what is disposable is told by `caches` or `names`, not by `any`".to_owned());
    }
    if !disposable && !row.caches.is_empty() {
        return Err("`caches` are disposable; its worth is not".to_owned());
    }
    if let Some(name) = row.names.iter().find(|name| name.trim_matches('*').is_empty()) {
        return Err(format!("the name \u{201c}{name}\u{201d} would be any volume's"));
    }
    let magic = row.magic.as_deref().unwrap_or_default().as_bytes();
    if magic.len() > usize::from(HEAD) {
        return Err(format!("`magic` is longer than {HEAD} bytes"));
    }
    let mut any = Vec::with_capacity(row.any.len());
    for paths in &row.any {
        let parsed = paths
            .iter()
            .map(|path| sign(path))
            .collect::<Result<Vec<Sign>, String>>()?;
        if parsed.is_empty() {
            return Err("an alternative of `any` is empty".to_owned());
        }
        let generic =
            matches!(parsed.as_slice(), [one] if !one.dir && one.path.len() == 1 && one.path[0].starts_with(b"*"));
        let parsed = parsed.into_iter().map(|sign| match sign.dir {
            true => sign,
            false => Sign {
                magic: magic.to_vec(),
                ..sign
            },
        });
        any.push(Set {
            signs: parsed.map(|sign| signs.add(sign)).collect(),
            generic,
        });
    }
    let mut version = Vec::new();
    for path in &row.version {
        let sign = sign(path)?;
        if sign.dir {
            return Err(format!("\u{201c}{path}\u{201d} is a directory and tells no version"));
        }
        version.push(signs.add(Sign { head: HEAD, ..sign }));
    }
    let caches = row.caches.iter().map(|cache| Ok(signs.add(covering(cache)?)));
    Ok(Kind {
        kind: row.kind.clone(),
        worth: row.worth,
        any,
        version,
        caches: caches.collect::<Result<_, String>>()?,
        names: row.names.clone(),
    })
}

/// The sign of a cache.
fn covering(cache: &Cache) -> Result<Sign, String> {
    let whole = cache.dir.is_empty();
    if whole && cache.with.is_empty() {
        return Err("the root of a volume is a cache only `with` a file that says so".to_owned());
    }
    let markers = cache.with.iter().map(|name| {
        let wrong = name.is_empty() || name.contains(['/', '*', '\0']) || name == "." || name == "..";
        match wrong {
            true => Err(format!("`with` needs names of files, not \u{201c}{name}\u{201d}")),
            false => Ok(Marker {
                name: name.as_bytes().to_vec(),
                magic: if name == CACHE_TAG.0 {
                    CACHE_TAG.1.to_vec()
                } else {
                    Vec::new()
                },
            }),
        }
    });
    let cover = Some(Cover {
        markers: markers.collect::<Result<_, String>>()?,
    });
    let path = if whole {
        Vec::new()
    } else {
        components(cache.dir.trim_end_matches('/'))?
    };
    if path.iter().any(|part| part.contains(&b'*')) {
        return Err(format!("a cache is named in full, not \u{201c}{}\u{201d}", cache.dir));
    }
    Ok(Sign {
        path,
        dir: true,
        levels: LEVELS,
        head: 0,
        magic: Vec::new(),
        cover,
    })
}

fn sign(path: &str) -> Result<Sign, String> {
    let (path, dir) = match path.strip_suffix('/') {
        Some(path) => (path, true),
        None => (path, false),
    };
    let path = components(path)?;
    if path.last().is_some_and(|last| last.as_slice() == b"*") {
        return Err("a path that ends in `*` is any file".to_owned());
    }
    Ok(Sign {
        path,
        dir,
        levels: LEVELS,
        head: 0,
        magic: Vec::new(),
        cover: None,
    })
}

fn components(path: &str) -> Result<Vec<Vec<u8>>, String> {
    let parts: Vec<&str> = path.split('/').collect();
    let wrong = |part: &&str| part.is_empty() || *part == "." || *part == ".." || part.contains('\0');
    if parts.iter().any(wrong) {
        return Err(format!("\u{201c}{path}\u{201d} is no path below a volume"));
    }
    if parts.len() > COMPONENTS {
        return Err(format!("\u{201c}{path}\u{201d} has more than {COMPONENTS} components"));
    }
    if parts.iter().any(|part| part.matches('*').count() > 1) {
        return Err(format!("a component of \u{201c}{path}\u{201d} has more than one `*`"));
    }
    Ok(parts.into_iter().map(|part| part.as_bytes().to_vec()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> String {
        #[derive(Deserialize)]
        struct Rows {
            fingerprint: Vec<Row>,
        }
        let rows: Rows = toml::from_str(&format!("[[fingerprint]]\nkind = 'x'\n{text}")).unwrap();
        Table::new(&rows.fingerprint).unwrap_err().to_string()
    }

    #[test]
    fn rows_that_would_prove_too_much_are_refused() {
        assert!(wrong("worth = 'low'").contains("fingerprint 1 (“x”): it needs"));
        assert!(wrong("worth = 'disposable'\nany = [['x']]").contains("not by `any`"));
        assert!(wrong("worth = 'high'\ncaches = [{dir = 'x'}]").contains("disposable"));
        assert!(wrong("worth = 'disposable'\ncaches = [{dir = ''}]").contains("only `with`"));
        assert!(wrong("worth = 'disposable'\ncaches = [{dir = '*'}]").contains("in full"));
        assert!(wrong("worth = 'disposable'\ncaches = [{dir = 'x', with = ['a/b']}]").contains("a/b"));
        assert!(wrong("worth = 'disposable'\nnames = ['*']").contains("any volume's"));
        for path in ["", "/etc", "a//b", "../x", "a/*", "a*b*c", "1/2/3/4/5/6/7/8/9"] {
            assert!(
                !wrong(&format!("worth = 'low'\nany = [['{path}']]")).is_empty(),
                "{path}"
            );
        }
    }

    #[test]
    fn one_path_in_two_rows_is_one_sign() {
        let row = |kind: &str, version: &[&str]| Row {
            kind: kind.to_owned(),
            worth: Worth::Low,
            any: vec![vec!["a/b".to_owned()]],
            version: version.iter().map(|path| (*path).to_owned()).collect(),
            magic: None,
            caches: Vec::new(),
            names: Vec::new(),
        };
        let table = Table::new(&[row("x", &[]), row("y", &["a/b"])]).unwrap();
        assert_eq!(table.signs.len(), 1);
        assert_eq!(table.signs[0].head, HEAD);
    }
}
