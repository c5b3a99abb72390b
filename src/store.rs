//! Where vole keeps files of its own, and how it writes them so that a crash leaves the old file or the new one.
//! Knows no file's contents.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use crate::engine::contexts::Environment;
use crate::model::EngineId;

/// How often a lock that is taken is tried again.
const LOCK_TRIES: u32 = 20;
/// The pause between two tries.
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Where vole keeps what can be had again: `$XDG_CACHE_HOME/vole`, else `~/.cache/vole`.
pub fn cache_dir(environment: &Environment) -> Option<PathBuf> {
    xdg(environment, "XDG_CACHE_HOME", ".cache")
}

/// Where vole keeps state that must outlive a run: `$XDG_STATE_HOME/vole`, else `~/.local/state/vole`.
pub fn state_dir(environment: &Environment) -> Option<PathBuf> {
    xdg(environment, "XDG_STATE_HOME", ".local/state")
}

/// Where vole keeps the operator's own data, archives above all: `$XDG_DATA_HOME/vole`, else `~/.local/share/vole`.
pub fn data_dir(environment: &Environment) -> Option<PathBuf> {
    xdg(environment, "XDG_DATA_HOME", ".local/share")
}

fn xdg(environment: &Environment, variable: &str, fallback: &str) -> Option<PathBuf> {
    let given = environment
        .get(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let base = given.or_else(|| environment.get("HOME").map(|home| Path::new(home).join(fallback)));
    base.map(|base| base.join("vole"))
}

/// The directory within `base` where files about one engine are kept; none without a base, and none for the demo, of
/// which nothing is kept.
pub fn kept_dir(base: Option<PathBuf>, engine: &EngineId) -> Option<PathBuf> {
    let base = base.filter(|_| engine.as_str() != "demo")?;
    Some(engine_dir(&base, engine))
}

/// The directory within `base` that belongs to one engine. An id may hold anything, so its digest names it.
fn engine_dir(base: &Path, engine: &EngineId) -> PathBuf {
    let digest = Sha256::digest(engine.as_str().as_bytes());
    base.join(
        digest
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>(),
    )
}

/// Writes a file whole, for its owner's eyes (mode 0600): beside its place first, then renamed over it. Makes its
/// directory (mode 0700).
///
/// # Errors
///
/// When the file system refuses or is full; then the old file stands.
pub fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = file
        .parent()
        .ok_or_else(|| io::Error::other("no directory to write to"))?;
    make_dir(dir)?;
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let beside = dir.join(name);
    let written = write(&beside, bytes).and_then(|()| fs::rename(&beside, file));
    if written.is_err() {
        // What cannot be removed now is overwritten by the next process of this id.
        let _leftover = fs::remove_file(&beside);
    }
    written
}

/// Locks a file against every other vole; whether it could be. A process that was just started from this one holds what
/// was let go until it runs its own program, so a lock that is taken is tried again for a moment.
///
/// # Errors
///
/// When the file system has no locks.
pub fn lock(file: &File) -> io::Result<bool> {
    let mut tries = 0;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) if tries < LOCK_TRIES => {
                tries += 1;
                std::thread::sleep(LOCK_PAUSE);
            }
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Creates a file that was not there, for its owner alone (mode 0600).
///
/// # Errors
///
/// [`Errno::EXIST`] when something stands there, a symlink too.
pub fn create_new(dir: impl AsFd, name: &OsStr) -> rustix::io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(dir, name, flags, Mode::RUSR | Mode::WUSR).map(File::from)
}

/// Renames within a directory, to where nothing stands.
///
/// # Errors
///
/// [`Errno::EXIST`] when something stands there: it is never replaced.
pub fn rename_new(dir: impl AsFd, name: &OsStr, place: &OsStr) -> rustix::io::Result<()> {
    match rustix::fs::renameat_with(&dir, name, &dir, place, RenameFlags::NOREPLACE) {
        // A file system without that flag: a hard link never replaces either, but only files have them.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => link_new(dir, name, place),
        other => other,
    }
}

fn link_new(dir: impl AsFd, name: &OsStr, place: &OsStr) -> rustix::io::Result<()> {
    let kind = rustix::fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(kind.st_mode).is_dir() {
        // `mkdir` never replaces, and `rename` onto the empty directory that it made does no harm.
        rustix::fs::mkdirat(&dir, place, Mode::RWXU)?;
        return rustix::fs::renameat(&dir, name, &dir, place);
    }
    rustix::fs::linkat(&dir, name, &dir, place, AtFlags::empty())?;
    rustix::fs::unlinkat(&dir, name, AtFlags::empty())
}

/// Makes a directory and those above it that are missing, for their owner alone (mode 0700).
///
/// # Errors
///
/// When the file system refuses, or something else stands there.
pub fn make_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a/b/sizes.json");
        replace(&file, b"one").unwrap();
        replace(&file, b"two").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(&dir.path().join("a"))), (0o600, 0o700));
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
        fs::create_dir(dir.path().join("a/b/taken")).unwrap();
        replace(&dir.path().join("a/b/taken"), b"x").unwrap_err();
        assert_eq!(
            fs::read_dir(file.parent().unwrap()).unwrap().count(),
            2,
            "a failed write leaves nothing"
        );
    }

    #[test]
    fn engines_have_directories_of_their_own_whatever_their_ids_hold() {
        let one = engine_dir(Path::new("/c"), &EngineId::new("unix:///a#../../x"));
        let two = engine_dir(Path::new("/c"), &EngineId::new("unix:///b"));
        assert_ne!(one, two);
        assert_eq!(one.parent(), Some(Path::new("/c")));
    }
}
