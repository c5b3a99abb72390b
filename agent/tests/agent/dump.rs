//! A tree as text: everything of every entry that a copy must have, so that two trees can be compared.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CString, OsString};
use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, Mode, OFlags, lgetxattr, llistxattr, open, openat};
use sha2::{Digest as _, Sha256};

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Everything.
    All,
    /// Not the extended attributes, nor any time.
    Timeless,
}

/// Every entry of a tree by its path, described; the top is the empty path. Goes to any depth.
pub(crate) fn dump(top: &Path, depth: Depth) -> BTreeMap<Vec<u8>, String> {
    let mut dumped = BTreeMap::new();
    let mut inodes = HashMap::new();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    dumped.insert(Vec::new(), describe(top, b"", depth, &mut inodes));
    let mut dirs: Vec<(Vec<u8>, OwnedFd)> = vec![(Vec::new(), open(top, flags, Mode::empty()).unwrap())];
    while let Some((path, dir)) = dirs.pop() {
        let mut names: Vec<CString> = Dir::read_from(&dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_owned())
            .filter(|name| !matches!(name.to_bytes(), b"." | b".."))
            .collect();
        names.sort();
        for name in names {
            let at = PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd()))
                .join(OsString::from_vec(name.to_bytes().to_vec()));
            let mut below = path.clone();
            if !below.is_empty() {
                below.push(b'/');
            }
            below.extend(name.to_bytes());
            dumped.insert(below.clone(), describe(&at, &below, depth, &mut inodes));
            if fs::symlink_metadata(&at).unwrap().is_dir() {
                let child = openat(&dir, name.as_c_str(), flags | OFlags::NOFOLLOW, Mode::empty()).unwrap();
                dirs.push((below, child));
            }
        }
    }
    dumped
}

fn describe(at: &Path, path: &[u8], depth: Depth, inodes: &mut HashMap<(u64, u64), Vec<u8>>) -> String {
    let meta = fs::symlink_metadata(at).unwrap();
    let mut text = format!("{:o} {}:{}", meta.mode(), meta.uid(), meta.gid());
    let kind = meta.file_type();
    match depth {
        Depth::All => write!(text, " {}.{:09}", meta.mtime(), meta.mtime_nsec()).unwrap(),
        Depth::Timeless => {}
    }
    if kind.is_file() {
        write!(text, " {} {}", meta.len(), digest(at)).unwrap();
    } else if kind.is_symlink() {
        write!(text, " -> {:?}", fs::read_link(at).unwrap()).unwrap();
    } else if kind.is_char_device() || kind.is_block_device() {
        write!(text, " device {:x}", meta.rdev()).unwrap();
    }
    if !kind.is_dir() && meta.nlink() > 1 {
        let first = inodes.entry((meta.dev(), meta.ino())).or_insert_with(|| path.to_vec());
        write!(text, " {} names, first {}", meta.nlink(), first.escape_ascii()).unwrap();
    }
    if depth == Depth::All {
        for (name, value) in xattrs(at) {
            write!(text, " {}={}", name.escape_ascii(), value.escape_ascii()).unwrap();
        }
    }
    text
}

fn digest(at: &Path) -> String {
    let mut file = fs::File::open(at).unwrap();
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer).unwrap() {
            0 => return hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect(),
            count => hash.update(&buffer[..count]),
        }
    }
}

fn xattrs(at: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut list = vec![0; 64 << 10];
    let length = llistxattr(at, &mut list[..]).unwrap();
    let mut found = Vec::new();
    for name in list[..length].split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 64 << 10];
        let length = lgetxattr(at, name, &mut value[..]).unwrap();
        found.push((name.to_vec(), value[..length].to_vec()));
    }
    found.sort();
    found
}

/// Fails with the entries that differ, and only those.
pub(crate) fn assert_equal(got: &BTreeMap<Vec<u8>, String>, want: &BTreeMap<Vec<u8>, String>, what: &str) {
    let mut text = String::new();
    for path in got.keys().chain(want.keys()) {
        let (got, want) = (got.get(path), want.get(path));
        if got != want {
            let name = path[path.len().saturating_sub(200)..].escape_ascii().to_string();
            writeln!(text, "{name}:\n   got {got:?}\n  want {want:?}").unwrap();
        }
    }
    assert!(text.is_empty(), "{what}: not the same tree\n{text}");
}
