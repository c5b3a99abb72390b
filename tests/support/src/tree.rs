//! What a tree is, byte for byte: everything that `lstat` tells but the time of the last change of the inode, and every
//! extended attribute. Two dumps are equal when nothing was changed, or everything was put back.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{lgetxattr, llistxattr};

/// One line per entry, sorted by path, the top included.
///
/// # Panics
///
/// When something of it cannot be read.
pub fn dump(top: &Path) -> Vec<String> {
    let line = |(name, path, meta): (String, PathBuf, Metadata)| {
        format!(
            "{name} dev {} ino {} mode {:o} links {} owner {}:{} rdev {} size {} mtime {}.{} {:?}",
            meta.dev(),
            meta.ino(),
            meta.mode(),
            meta.nlink(),
            meta.uid(),
            meta.gid(),
            meta.rdev(),
            meta.size(),
            meta.mtime(),
            meta.mtime_nsec(),
            attributes(&path),
        )
    };
    let mut lines: Vec<String> = entries(top).into_iter().map(line).collect();
    lines.sort();
    lines
}

/// All entries of a tree, the top included: escaped name, path, and what `lstat` tells.
fn entries(top: &Path) -> Vec<(String, PathBuf, Metadata)> {
    let (mut found, mut left) = (Vec::new(), vec![top.to_owned()]);
    while let Some(path) = left.pop() {
        let meta = of(&path, std::fs::symlink_metadata(&path));
        if meta.is_dir() {
            left.extend(of(&path, std::fs::read_dir(&path)).map(|entry| of(&path, entry).path()));
        }
        let name = path.strip_prefix(top).unwrap_or(&path).as_os_str().as_bytes();
        found.push((name.escape_ascii().to_string(), path, meta));
    }
    found
}

/// Names and values of all extended attributes.
///
/// # Panics
///
/// When they cannot be read.
pub fn attributes(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut names = vec![0; 64 << 10];
    let length = of(path, llistxattr(path, names.as_mut_slice()));
    names.truncate(length);
    let names = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let mut found: Vec<(String, Vec<u8>)> = names
        .map(|name| {
            let text = String::from_utf8_lossy(name).into_owned();
            let name = of(path, CString::new(name).map_err(io::Error::from));
            let mut value = vec![0; 64 << 10];
            let length = of(path, lgetxattr(path, name.as_c_str(), value.as_mut_slice()));
            value.truncate(length);
            (text, value)
        })
        .collect();
    found.sort();
    found
}

/// What a tree holds, wherever it stands: as [`dump()`], without what a copy cannot keep (device, inode), with the contents,
/// with where symlinks lead, and with the other names of a file instead of its number of links.
///
/// # Panics
///
/// When something of it cannot be read.
pub fn likeness(top: &Path) -> Vec<String> {
    let entries = entries(top);
    let mut names: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
    for (name, _, meta) in entries.iter().filter(|(_, _, meta)| !meta.is_dir()) {
        names.entry(meta.ino()).or_default().push(name);
    }
    names.values_mut().for_each(|names| names.sort_unstable());
    let line = |(name, path, meta): &(String, PathBuf, Metadata)| {
        let contents = match meta.file_type() {
            kind if kind.is_file() => format!("{:x}", crc32fast::hash(&of(path, std::fs::read(path)))),
            kind if kind.is_symlink() => format!("{:?}", of(path, std::fs::read_link(path))),
            _ => String::new(),
        };
        format!(
            "{name} mode {:o} owner {}:{} rdev {} size {} mtime {}.{} {contents} {:?} {:?}",
            meta.mode(),
            meta.uid(),
            meta.gid(),
            meta.rdev(),
            if meta.is_dir() { 0 } else { meta.size() },
            meta.mtime(),
            meta.mtime_nsec(),
            names.get(&meta.ino()),
            attributes(path),
        )
    };
    let mut lines: Vec<String> = entries.iter().map(line).collect();
    lines.sort();
    lines
}

/// What was read of this path.
fn of<T, E: std::fmt::Display>(path: &Path, read: Result<T, E>) -> T {
    read.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use rustix::fs::{XattrFlags, lsetxattr};

    use super::*;

    #[test]
    fn attributes_contents_links_and_other_names_make_a_difference() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        let (one, other) = (dir.path().join("one"), dir.path().join("other"));
        for top in [&one, &other] {
            std::fs::create_dir(top)?;
            std::fs::write(top.join("a"), "a")?;
            std::fs::write(top.join("b"), "b")?;
            std::os::unix::fs::symlink("a", top.join("link"))?;
        }
        let mut seen = vec![likeness(&one)];
        let mut differs = |what: &str| {
            let now = likeness(&one);
            assert!(!seen.contains(&now), "{what}: {now:?}");
            seen.push(now);
        };
        lsetxattr(one.join("a"), "user.note", b"kept", XattrFlags::empty())?;
        assert_eq!(attributes(&one.join("a")), [("user.note".to_owned(), b"kept".to_vec())]);
        differs("an attribute");
        let time = std::fs::metadata(one.join("a"))?.modified()?;
        std::fs::write(one.join("a"), "A")?;
        std::fs::File::open(one.join("a"))?.set_modified(time)?;
        differs("contents");
        std::fs::hard_link(one.join("a"), one.join("c"))?;
        differs("another name");
        std::fs::remove_file(one.join("link"))?;
        std::os::unix::fs::symlink("b", one.join("link"))?;
        differs("where a link leads");
        assert_eq!(attributes(&other.join("a")), []);
        Ok(())
    }
}
