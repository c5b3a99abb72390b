//! Where vole keeps files of its own, and how it writes them so that a crash leaves the old file or the new one.
//! Knows no file's contents.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::engine::contexts::Environment;
use crate::model::EngineId;

/// Where vole keeps what can be had again: `$XDG_CACHE_HOME/vole`, else `~/.cache/vole`.
pub fn cache_dir(environment: &Environment) -> Option<PathBuf> {
    xdg(environment, "XDG_CACHE_HOME", ".cache")
}

/// Where vole keeps state that must outlive a run: `$XDG_STATE_HOME/vole`, else `~/.local/state/vole`.
pub fn state_dir(environment: &Environment) -> Option<PathBuf> {
    xdg(environment, "XDG_STATE_HOME", ".local/state")
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

fn make_dir(dir: &Path) -> io::Result<()> {
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
