//! Where an archive's names go: which are refused, what is taken away from them, which are wanted. Knows no file system.

use crate::proto::Fault;
use crate::proto::archive::Unpack;

/// Longest component that Linux file systems take.
const LONGEST: usize = 255;
/// What the names of staging directories begin with.
pub(super) const STAGING: &[u8] = b".vole-new-";

/// Where an entry goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Goes {
    /// To this path.
    To(Vec<u8>),
    /// It is a directory above one of the paths that are wanted.
    Above(Vec<u8>),
    /// It is not wanted.
    Nowhere,
    /// It has a name that staging directories have.
    Reserved,
}

/// Decides on names.
#[derive(Debug)]
pub(super) struct Names {
    strip: usize,
    /// Sorted, none beneath another.
    only: Vec<Vec<u8>>,
}

impl Names {
    pub(super) fn new(unpack: &Unpack) -> Result<Self, Fault> {
        let mut only = Vec::new();
        for path in &unpack.only {
            match clean(path) {
                Ok(path) if !path.is_empty() => only.push(path),
                Ok(_) => return Err(bad(path, "what is wanted is empty; leave it out to unpack everything")),
                Err(why) => return Err(bad(path, why)),
            }
        }
        only.sort();
        only.dedup();
        let nested: Vec<Vec<u8>> = only
            .iter()
            .filter(|path| !only.iter().any(|other| is_beneath(path, other)))
            .cloned()
            .collect();
        Ok(Self {
            strip: usize::try_from(unpack.strip).unwrap_or(usize::MAX),
            only: nested,
        })
    }

    /// How many components are taken away.
    pub(super) fn strip(&self) -> usize {
        self.strip
    }

    /// The paths that are wanted; empty for all.
    pub(super) fn only(&self) -> &[Vec<u8>] {
        &self.only
    }

    /// Where an entry goes.
    pub(super) fn of(&self, path: &[u8]) -> Result<Goes, &'static str> {
        let Some(path) = self.stripped(path)? else {
            return Ok(Goes::Nowhere);
        };
        if path.starts_with(STAGING) {
            return Ok(Goes::Reserved);
        }
        if self.only.is_empty() {
            return Ok(Goes::To(path));
        }
        let above = |wanted: &&Vec<u8>| path.is_empty() || is_beneath(wanted, &path);
        let wanted = |wanted: &&Vec<u8>| **wanted == path || is_beneath(&path, wanted);
        Ok(if self.only.iter().any(|only| wanted(&only)) {
            Goes::To(path)
        } else if self.only.iter().any(|only| above(&only)) {
            Goes::Above(path)
        } else {
            Goes::Nowhere
        })
    }

    /// A name without its first components; `None` when it has fewer.
    pub(super) fn stripped(&self, path: &[u8]) -> Result<Option<Vec<u8>>, &'static str> {
        let clean = clean(path)?;
        if self.strip == 0 {
            return Ok(Some(clean));
        }
        let parts = clean.split(|&byte| byte == b'/').filter(|part| !part.is_empty());
        let parts: Vec<&[u8]> = parts.collect();
        Ok(parts.get(self.strip..).map(|rest| rest.join(&b'/')))
    }
}

/// A name as this program makes it; `.` means nothing in it.
fn clean(path: &[u8]) -> Result<Vec<u8>, &'static str> {
    if path.is_empty() {
        return Ok(Vec::new());
    }
    if path[0] == b'/' {
        return Err("its name is absolute");
    }
    let mut out = Vec::with_capacity(path.len());
    for part in path.split(|&byte| byte == b'/') {
        match part {
            b"" => return Err("its name has an empty component"),
            b".." => return Err("its name leads out by `..`"),
            b"." => continue,
            _ if part.contains(&0) => return Err("its name has a NUL in it"),
            _ if part.len() > LONGEST => return Err("its name has a component of more than 255 bytes"),
            _ => {}
        }
        if !out.is_empty() {
            out.push(b'/');
        }
        out.extend_from_slice(part);
    }
    Ok(out)
}

/// Whether a path lies beneath another.
fn is_beneath(path: &[u8], above: &[u8]) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.first() == Some(&b'/'))
}

fn bad(path: &[u8], why: &str) -> Fault {
    super::told(path, rustix::io::Errno::INVAL, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::archive::Placing;

    fn names(strip: u32, only: &[&str]) -> Names {
        let unpack = Unpack {
            root: 0,
            placing: Placing::Fresh,
            id: "1".into(),
            strip,
            only: only.iter().map(|path| path.as_bytes().to_vec()).collect(),
            foreign: false,
        };
        Names::new(&unpack).unwrap()
    }

    fn to(path: &str) -> Goes {
        Goes::To(path.as_bytes().to_vec())
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let long = vec![b'a'; 256];
        for bad in [&b"/etc/x"[..], b"/", b"a/../b", b"..", b"a//b", b"a\0b", b"a/..", &long] {
            assert!(names(0, &[]).of(bad).is_err(), "{bad:?}");
        }
        assert_eq!(names(0, &[]).of(b"a/./b"), Ok(to("a/b")));
        assert_eq!(names(0, &[]).of(b"..a/b.."), Ok(to("..a/b..")));
        assert_eq!(names(0, &[]).of(b".vole-new-1/commit"), Ok(Goes::Reserved));
    }

    #[test]
    fn components_are_taken_away_and_paths_chosen() {
        let strip = names(1, &[]);
        assert_eq!(strip.of(b"volume"), Ok(to("")));
        assert_eq!(strip.of(b"volume/a/b"), Ok(to("a/b")));
        assert_eq!(names(2, &[]).of(b"volume"), Ok(Goes::Nowhere));
        let only = names(0, &["a/b", "a/b/c", "d"]);
        assert_eq!(only.only(), [b"a/b".to_vec(), b"d".to_vec()]);
        assert_eq!(only.of(b""), Ok(Goes::Above(Vec::new())));
        assert_eq!(only.of(b"a"), Ok(Goes::Above(b"a".to_vec())));
        assert_eq!(only.of(b"a/b/x"), Ok(to("a/b/x")));
        assert_eq!(only.of(b"a/bc"), Ok(Goes::Nowhere));
    }
}
