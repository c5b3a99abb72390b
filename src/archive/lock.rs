//! One backup or restore of a mount at a time, whoever makes it on this machine. The lock goes with the process that holds it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::engine::contexts::Environment;
use crate::model::{EngineId, MountId};
use crate::store;

/// A lock that is held; let go when dropped.
#[derive(Debug)]
pub struct Lock {
    _file: Option<File>,
}

impl Lock {
    /// Why a mount is refused whose lock is taken.
    pub const TAKEN: &str = "another backup or restore of it runs on this machine";

    /// Locks a mount of an engine; `None` while another vole has it. Nothing is kept of the demo, so there is nothing to
    /// lock.
    ///
    /// # Errors
    ///
    /// When there is no place for the lock's file, or the file system has no locks.
    pub fn take(environment: &Environment, engine: &EngineId, mount: &MountId) -> io::Result<Option<Self>> {
        if engine.as_str() == "demo" {
            return Ok(Some(Self { _file: None }));
        }
        let dir = store::kept_dir(store::state_dir(environment), engine)
            .ok_or_else(|| io::Error::other("there is no place for it: set HOME or XDG_STATE_HOME"))?;
        Self::at(&dir.join("backups"), mount)
    }

    fn at(dir: &Path, mount: &MountId) -> io::Result<Option<Self>> {
        store::make_dir(dir)?;
        let digest = Sha256::digest(mount.as_str().as_bytes());
        let path = dir.join(format!("{}.lock", super::hex(&digest[..16])));
        // It stays: a file that is removed could be locked by two, each with another.
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        Ok(store::lock(&file)?.then_some(Self { _file: Some(file) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_locked_once_and_freed_with_its_holder() {
        let dir = tempfile::tempdir().unwrap();
        let take = |name: &str| Lock::at(dir.path(), &MountId::new(name)).unwrap();
        let held = take("volume:a").unwrap();
        assert!(take("volume:a").is_none());
        assert!(take("volume:b").is_some());
        drop(held);
        assert!(take("volume:a").is_some());
    }
}
