//! An archive that is being written: private until it is whole and on the disk, then committed in an order in which a crash
//! at any point leaves either nothing that is listed, or all of it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, AtFlags, Mode, OFlags};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use vole_agent::archive::seal::seal;
use vole_agent::proto::archive::Compression;

use super::{Archive, place, sidecar};
use crate::{fault, store};

/// Bytes that are set out for the disk at once.
const STRIDE: u64 = 8 << 20;

/// What is known of an archive's bytes while they pass: their digest, which the seal at their end holds.
#[derive(Debug, Clone)]
pub struct Seal {
    digest: Sha256,
    bytes: u64,
    compression: Compression,
}

impl Seal {
    /// For an archive of this compression.
    pub fn new(compression: Compression) -> Self {
        Self {
            digest: Sha256::new(),
            bytes: 0,
            compression,
        }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The bytes that end the archive.
    pub fn end(&mut self) -> Vec<u8> {
        let end = seal(self.compression, self.digest.clone().finalize().into());
        self.update(&end);
        end
    }

    /// SHA-256 of all bytes, in hexadecimal.
    pub fn sha256(self) -> String {
        super::hex(&self.digest.finalize())
    }
}

/// The archive. Dropped before [`Draft::commit`] has ended well, nothing of it stays.
#[derive(Debug)]
pub struct Draft {
    dir: OwnedFd,
    dir_path: PathBuf,
    /// Locked, so that nobody takes it for what a dead process left.
    file: File,
    seal: Seal,
    /// How many bytes were set out for the disk.
    set_out: u64,
    /// The name that it will have.
    name: OsString,
    mount: String,
    at: OffsetDateTime,
    /// Whether all of it is on the disk.
    secured: bool,
    /// What stands in the directory because of it.
    standing: Vec<OsString>,
}

impl Draft {
    /// Begins an archive of a mount in a directory that is there.
    ///
    /// # Errors
    ///
    /// When the directory cannot be written to.
    pub fn begin(dir: &Path, mount: &str, at: OffsetDateTime, compression: Compression) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir_fd = rustix::fs::open(dir, flags, Mode::empty())?;
        let (file, name) = Self::create(&dir_fd, mount, at, compression)?;
        let standing = vec![sidecar::partial(&name)];
        let draft = Self {
            dir: dir_fd,
            dir_path: dir.to_owned(),
            file,
            seal: Seal::new(compression),
            set_out: 0,
            name,
            mount: mount.to_owned(),
            at,
            secured: false,
            standing,
        };
        // A file system without locks: there nothing is ever taken for left over, since nobody can lock it.
        let _locked = store::lock(&draft.file);
        fault::point("backup:begun");
        Ok(draft)
    }

    fn create(
        dir: &OwnedFd,
        mount: &str,
        at: OffsetDateTime,
        compression: Compression,
    ) -> io::Result<(File, OsString)> {
        for name in place::names(mount, at, compression).map(OsString::from) {
            if !is_free(dir, &name)? {
                continue;
            }
            match store::create_new(dir, &sidecar::partial(&name)) {
                Ok(file) => return Ok((file, name)),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(io::Error::other("every name for it is taken"))
    }

    /// Where it stands until it is whole.
    pub fn partial_path(&self) -> PathBuf {
        self.dir_path.join(sidecar::partial(&self.name))
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.seal.bytes()
    }

    /// Writes the next bytes.
    ///
    /// # Errors
    ///
    /// When there is no room, or the file system fails.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.seal.update(bytes);
        self.file.write_all(bytes)?;
        self.set_out();
        fault::point("backup:streaming");
        Ok(())
    }

    /// Sets out for the disk what was written: left alone, the kernel begins after half a minute, and [`Draft::secure`] waits
    /// for all of it.
    fn set_out(&mut self) {
        let written = self.seal.bytes();
        let Some(length) = NonZeroU64::new(written - self.set_out).filter(|length| length.get() >= STRIDE) else {
            return;
        };
        // Linux begins to write back what is dirty in the range, and drops only what is clean: nothing of this stretch is. A
        // hint: where it is not taken, the sync at the end does it all.
        rustix::fs::fadvise(&self.file, self.set_out, Some(length), Advice::DontNeed).ok();
        self.set_out = written;
    }

    /// Ends it with its seal and brings all of it onto the disk.
    ///
    /// # Errors
    ///
    /// When there is no room, or the file system fails.
    pub fn secure(&mut self) -> io::Result<()> {
        if !self.secured {
            let end = self.seal.end();
            self.file.write_all(&end)?;
            self.file.sync_all()?;
            self.secured = true;
        }
        Ok(())
    }

    /// Gives it its name and its sidecar, secured if it is not yet. `archive` is what is known of it; its path, length and
    /// digest are filled in.
    ///
    /// # Errors
    ///
    /// When the file system fails; then nothing stays.
    pub fn commit(mut self, archive: Archive) -> io::Result<Archive> {
        self.secure()?;
        let mut archive = Archive {
            bytes: self.seal.bytes(),
            sha256: self.seal.clone().sha256(),
            ..archive
        };
        if self.file.metadata()?.len() != archive.bytes {
            return Err(io::Error::other("the file has not the length that was written"));
        }
        // Held until its name is final: a backup elsewhere takes what nobody holds for left over.
        let _sidecar = self.put_in_place(&archive)?;
        archive.path = self.dir_path.join(&self.name);
        rustix::fs::fsync(&self.dir)?;
        fault::point("backup:before-sidecar");
        let name = sidecar::name_of(&self.name);
        store::rename_new(&self.dir, &sidecar::partial(&name), &name)?;
        self.stands(&sidecar::partial(&name), &name);
        rustix::fs::fsync(&self.dir)?;
        self.standing.clear();
        fault::point("backup:committed");
        Ok(archive)
    }

    /// Writes the sidecar aside and gives the archive its name, the next one where somebody was quicker.
    fn put_in_place(&mut self, archive: &Archive) -> io::Result<File> {
        let from = sidecar::partial(&self.name);
        let names = place::names(&self.mount, self.at, self.seal.compression).map(OsString::from);
        let own = self.name.clone();
        for name in names.skip_while(|name| *name != own) {
            if name != own && !is_free(&self.dir, &name)? {
                continue;
            }
            let aside = sidecar::partial(&sidecar::name_of(&name));
            let file = match sidecar::write(&self.dir, archive, &name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                written => written?,
            };
            self.standing.push(aside.clone());
            fault::point("backup:before-rename");
            match store::rename_new(&self.dir, &from, &name) {
                Ok(()) => {
                    self.stands(&from, &name);
                    self.name = name;
                    return Ok(file);
                }
                Err(Errno::EXIST) => {
                    rustix::fs::unlinkat(&self.dir, &aside, AtFlags::empty())?;
                    self.standing.retain(|standing| *standing != aside);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(io::Error::other("every name for it is taken"))
    }

    /// Notes that what stood under one name has another.
    fn stands(&mut self, before: &OsStr, now: &OsStr) {
        for standing in &mut self.standing {
            if standing == before {
                *standing = now.to_owned();
            }
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // The commit marker first, so that no archive is listed that is gone.
        for name in self.standing.iter().rev() {
            // What cannot be removed is found by the next backup; there is nobody to tell in a drop.
            let _removed = rustix::fs::unlinkat(&self.dir, name, AtFlags::empty());
        }
    }
}

/// Whether neither an archive nor its sidecar has a name.
fn is_free(dir: &OwnedFd, name: &OsStr) -> io::Result<bool> {
    for name in [name.to_owned(), sidecar::name_of(name)] {
        match rustix::fs::statat(dir, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => return Ok(false),
            Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

/// Removes what backups of a mount left in a directory when they were killed: only what has a name that vole gives, and
/// that no process holds. Says what it removed.
///
/// # Errors
///
/// When the directory cannot be read, or something in it not be removed.
pub fn remove_leftovers(dir: &Path, mount: &str) -> io::Result<Vec<PathBuf>> {
    let mut removed = Vec::new();
    let mut found: Vec<(PathBuf, String)> = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let whole = name.to_str().and_then(|name| name.strip_suffix(place::PARTIAL));
        found.extend(whole.map(|whole| (entry.path(), whole.to_owned())));
    }
    // A sidecar aside says which archive was renamed and not committed; it goes behind it.
    for (path, whole) in found {
        let archive = whole.strip_suffix(place::SIDECAR).unwrap_or(&whole);
        if !place::is_ours(archive, Some(mount)) || !is_abandoned(&path)? {
            continue;
        }
        if archive != whole
            && let Some(renamed) = uncommitted(dir, archive, &path)?
        {
            fs::remove_file(&renamed)?;
            removed.push(renamed);
        }
        fs::remove_file(&path)?;
        removed.push(path);
    }
    Ok(removed)
}

/// The archive that a sidecar aside is about, when it stands under its name without having been committed.
fn uncommitted(dir: &Path, archive: &str, aside: &Path) -> io::Result<Option<PathBuf>> {
    let path = dir.join(archive);
    if fs::symlink_metadata(dir.join(sidecar::name_of(OsStr::new(archive)))).is_ok() {
        return Ok(None);
    }
    let length = match fs::symlink_metadata(&path) {
        Ok(meta) if meta.is_file() => meta.len(),
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // One that was cut short while it was written was not followed by a renaming.
    let told = sidecar::read(aside, &path).ok();
    Ok(told.filter(|told| told.bytes == length).map(|_| path))
}

/// Whether it is a file that no process holds.
fn is_abandoned(path: &Path) -> io::Result<bool> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT | Errno::LOOP) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    Ok(file.metadata()?.is_file() && store::lock(&file)?)
}

#[cfg(test)]
#[path = "draft_tests.rs"]
mod tests;
