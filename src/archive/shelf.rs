//! The archives that are there: those with a sidecar that fits them, newest first. Whatever else looks like one is told,
//! never passed over. Reads no archive.

use std::cmp::Reverse;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

pub use super::draft::remove_leftovers;
use super::place::{PARTIAL, SIDECAR};
use super::{Archive, place, sidecar};

/// How deep directories are looked into: those of engines, and in them those of mounts.
const DEPTH: usize = 2;

/// What a directory holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shelf {
    /// The committed archives, newest first.
    pub archives: Vec<Archive>,
    /// What looks like an archive and is none that can be relied on, and what could not be read.
    pub warnings: Vec<String>,
}

/// Lists the archives beneath a directory.
///
/// # Errors
///
/// When the directory itself cannot be read.
pub fn list(dir: &Path) -> io::Result<Shelf> {
    let mut shelf = Shelf::default();
    shelf.read(dir, DEPTH)?;
    shelf
        .archives
        .sort_by(|a, b| (Reverse(a.origin.begun), &a.path).cmp(&(Reverse(b.origin.begun), &b.path)));
    shelf.warnings.sort();
    Ok(shelf)
}

impl Shelf {
    fn read(&mut self, dir: &Path, depth: usize) -> io::Result<()> {
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let path = entry.path();
            if !entry.file_type()?.is_dir() {
                self.file(&path, &entry.file_name());
            } else if depth > 0
                && let Err(error) = self.read(&path, depth - 1)
            {
                self.warn(&path, &format!("cannot be read: {error}"));
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, name: &OsStr) {
        let ends = |name: &'_ OsStr, end: &str| {
            let rest = name.as_bytes().strip_suffix(end.as_bytes());
            rest.map(|rest| OsStr::from_bytes(rest).to_owned())
        };
        let archive = ends(name, SIDECAR).filter(|archive| place::is_archive(archive));
        if let Some(archive) = archive {
            match told(path, &path.with_file_name(archive)) {
                Ok(archive) => self.archives.push(archive),
                Err(why) => self.warn(path, &why),
            }
            return;
        }
        let ours = |name: &OsStr| name.to_str().is_some_and(|name| place::is_ours(name, None));
        if ours(name) && fs::symlink_metadata(path.with_file_name(sidecar::name_of(name))).is_err() {
            let why =
                "has no sidecar: it was never committed, or somebody took that away; `vole verify` tells what it is";
            self.warn(path, why);
        }
        if ends(name, PARTIAL).is_some_and(|whole| ours(&whole)) {
            let why = "is not whole: a backup writes it now, or was killed; then the next one of that mount removes it";
            self.warn(path, why);
        }
    }

    fn warn(&mut self, path: &Path, why: &str) {
        self.warnings.push(format!("{} {why}", path.display()));
    }
}

/// What a sidecar says, if the archive is as it says.
fn told(sidecar: &Path, archive: &Path) -> Result<Archive, String> {
    let told = sidecar::read(sidecar, archive).map_err(|error| format!("is no sidecar that can be read: {error}"))?;
    match fs::symlink_metadata(archive) {
        Ok(meta) if !meta.is_file() => Err("is about something that is no regular file".to_owned()),
        Ok(meta) if meta.len() != told.bytes => Err(format!(
            "says that its archive has {} bytes, but it has {}: it was cut or written over",
            told.bytes,
            meta.len()
        )),
        Ok(_) => Ok(told),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err("is about an archive that is gone".to_owned()),
        Err(error) => Err(format!("is about an archive that cannot be looked at: {error}")),
    }
}
