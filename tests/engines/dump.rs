//! What a tree is, byte for byte: everything that `lstat` tells but the time of the last change of the inode, and every
//! extended attribute. Two dumps are equal when nothing was changed, or everything was put back.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{lgetxattr, llistxattr};

/// One line per entry, sorted by path, the top included.
pub(crate) fn dump(top: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut left = vec![top.to_owned()];
    while let Some(path) = left.pop() {
        lines.push(line(top, &path));
        if std::fs::symlink_metadata(&path).unwrap().is_dir() {
            left.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    lines.sort();
    lines
}

fn line(top: &Path, path: &Path) -> String {
    let meta = std::fs::symlink_metadata(path).unwrap();
    let name = path.strip_prefix(top).unwrap().as_os_str().as_bytes().escape_ascii();
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
        attributes(path),
    )
}

/// Names and values of all extended attributes.
pub(crate) fn attributes(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut names = vec![0; 64 << 10];
    let length = llistxattr(path, names.as_mut_slice()).unwrap();
    let names = names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let mut found: Vec<(String, Vec<u8>)> = names
        .map(|name| {
            let mut value = vec![0; 64 << 10];
            let length = lgetxattr(path, CString::new(name).unwrap().as_c_str(), value.as_mut_slice()).unwrap();
            value.truncate(length);
            (String::from_utf8_lossy(name).into_owned(), value)
        })
        .collect();
    found.sort();
    found
}

/// What a tree holds, wherever it stands: as [`dump()`], without what a copy cannot keep (device, inode), with the contents,
/// with where symlinks lead, and with the other names of a file instead of its number of links.
pub(crate) fn likeness(top: &Path) -> Vec<String> {
    let mut names: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let mut entries = Vec::new();
    let mut left = vec![top.to_owned()];
    while let Some(path) = left.pop() {
        let meta = std::fs::symlink_metadata(&path).unwrap();
        let name = path.strip_prefix(top).unwrap().as_os_str().as_bytes().escape_ascii();
        if !meta.is_dir() {
            names.entry(meta.ino()).or_default().push(name.to_string());
        }
        if meta.is_dir() {
            left.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        entries.push((name.to_string(), path, meta));
    }
    names.values_mut().for_each(|names| names.sort());
    let mut lines: Vec<String> = entries
        .iter()
        .map(|(name, path, meta)| {
            let contents = match meta.file_type() {
                kind if kind.is_file() => format!("{:x}", crc32fast::hash(&std::fs::read(path).unwrap())),
                kind if kind.is_symlink() => format!("{:?}", std::fs::read_link(path).unwrap()),
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
        })
        .collect();
    lines.sort();
    lines
}
