//! Collects the first-level names of an archive, and nothing else. Knows nothing of how archives are written.

use std::collections::BTreeSet;

use crate::engine::tar::{Header, Next, Reader, Tar};

/// Collects the names below the one directory that the archive holds, bounded.
#[derive(Debug)]
pub(super) struct TarNames {
    tar: Tar,
    names: Names,
}

#[derive(Debug)]
struct Names {
    names: BTreeSet<Vec<u8>>,
    limit: usize,
    more: bool,
    /// The first header: that of the path itself.
    top: Option<Header>,
}

impl TarNames {
    /// Nothing read yet; keeps at most `limit` names.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            tar: Tar::new(),
            names: Names {
                names: BTreeSet::new(),
                limit,
                more: false,
                top: None,
            },
        }
    }

    /// Takes the next bytes; whether more are wanted.
    ///
    /// # Errors
    ///
    /// When they are no tar.
    pub(super) fn feed(&mut self, data: &[u8]) -> Result<bool, String> {
        self.tar.feed(data, &mut self.names)
    }

    /// The header of the path that the archive is of.
    pub(super) fn top(&self) -> Option<&Header> {
        self.names.top.as_ref()
    }

    /// The names in order, and whether there are more.
    pub(super) fn finish(self) -> (Vec<Vec<u8>>, bool) {
        (self.names.names.into_iter().collect(), self.names.more)
    }
}

impl Reader for Names {
    fn header(&mut self, header: Header) -> Next {
        let next = match self.note(&header.path, header.is_dir()) {
            true => Next::Header,
            false => Next::Enough,
        };
        self.top.get_or_insert(header);
        next
    }
}

impl Names {
    /// Notes the first level of an entry's path; whether there is room for more.
    fn note(&mut self, path: &[u8], is_dir: bool) -> bool {
        let mut parts = path
            .split(|&byte| byte == b'/')
            .filter(|part| !part.is_empty() && *part != b".");
        let top = parts.next();
        let name = match (parts.next(), top) {
            (Some(name), _) => name,
            // The archive of a single file holds but itself.
            (None, Some(top)) if !is_dir => top,
            (None, _) => return true,
        };
        let mut name = name.to_vec();
        if is_dir || parts.next().is_some() {
            name.push(b'/');
        }
        if self.names.contains(&name) {
            return true;
        }
        if self.names.len() >= self.limit {
            self.more = true;
            return false;
        }
        self.names.insert(name);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn archive() -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().join("data");
        std::fs::create_dir_all(top.join("sub/deeper")).unwrap();
        std::fs::write(top.join("sub/deeper/file"), [1; 2000]).unwrap();
        std::fs::write(top.join("a file"), [1; 513]).unwrap();
        std::fs::write(top.join("L".repeat(200)), "").unwrap();
        std::os::unix::fs::symlink("a file", top.join("link")).unwrap();
        let made = Command::new("tar")
            .args(["--sort=name", "-cf", "-", "-C"])
            .arg(dir.path())
            .arg("data")
            .output();
        made.unwrap().stdout
    }

    fn names(piece: usize, limit: usize) -> (Vec<Vec<u8>>, bool) {
        let mut names = TarNames::new(limit);
        for piece in archive().chunks(piece) {
            if !names.feed(piece).unwrap() {
                break;
            }
        }
        names.finish()
    }

    #[test]
    fn the_first_level_is_listed_however_the_stream_is_cut() {
        let long = "L".repeat(200).into_bytes();
        let wanted = vec![long, b"a file".to_vec(), b"link".to_vec(), b"sub/".to_vec()];
        for piece in [1, 7, 512, 100_000] {
            assert_eq!(names(piece, 100), (wanted.clone(), false), "in pieces of {piece}");
        }
    }

    #[test]
    fn the_limit_ends_the_reading() {
        let (names, more) = names(512, 2);
        assert_eq!((names.len(), more), (2, true));
    }
}
