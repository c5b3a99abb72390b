//! The sidecar of an archive: what it is, in JSON beside it. It is written last, so it says too that the archive is whole.
//! What is read may have been written by anybody.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

use super::place::{PARTIAL, SIDECAR};
use super::{Archive, Origin, Status};
use crate::store;

/// What a sidecar says it is.
const WHAT: &str = "vole.sidecar";
/// The format's version; a file of another one is not read. The digest of version 1, of builds before the first release, was
/// SHA-256.
const VERSION: u32 = 2;
/// Larger files are not read, in bytes: they are not ours.
const LARGEST: u64 = 16 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct Sidecar {
    what: String,
    version: u32,
    bytes: u64,
    sha256: String,
    entries: u64,
    content_bytes: u64,
    digest: String,
    status: Status,
    consistency: String,
    warnings: Vec<String>,
    warned: u64,
    origin: Origin,
}

/// The name of an archive's sidecar.
pub(super) fn name_of(archive: &OsStr) -> OsString {
    let mut name = archive.to_owned();
    name.push(SIDECAR);
    name
}

/// The name of what is not whole yet.
pub(super) fn partial(name: &OsStr) -> OsString {
    let mut name = name.to_owned();
    name.push(PARTIAL);
    name
}

/// Writes an archive's sidecar under the name of one that is not whole yet, locked, and onto the disk. What fails leaves
/// nothing.
pub(super) fn write(dir: impl AsFd, archive: &Archive, name: &OsStr) -> io::Result<File> {
    let sidecar = Sidecar {
        what: WHAT.to_owned(),
        version: VERSION,
        bytes: archive.bytes,
        sha256: archive.sha256.clone(),
        entries: archive.entries,
        content_bytes: archive.content_bytes,
        digest: archive.digest.clone(),
        status: archive.status,
        consistency: "live".to_owned(),
        warnings: archive.warnings.clone(),
        warned: archive.warned,
        origin: archive.origin.clone(),
    };
    let mut bytes = serde_json::to_vec_pretty(&sidecar)?;
    bytes.push(b'\n');
    let partial = partial(&name_of(name));
    let mut file = store::create_new(&dir, &partial)?;
    // As the archive's: where there are no locks, nothing is taken for left over.
    let _locked = store::lock(&file);
    let written = file.write_all(&bytes).and_then(|()| file.sync_all());
    if let Err(error) = written {
        // What cannot be removed now is found by the next backup.
        let _removed = rustix::fs::unlinkat(&dir, &partial, rustix::fs::AtFlags::empty());
        return Err(error);
    }
    Ok(file)
}

/// What stands in the sidecar beside an archive; `None` when there is none.
///
/// # Errors
///
/// In words: what makes it unreadable.
pub fn beside(archive: &Path) -> Result<Option<Archive>, String> {
    let mut sidecar = archive.as_os_str().to_owned();
    sidecar.push(SIDECAR);
    match read(Path::new(&sidecar), archive) {
        Ok(archive) => Ok(Some(archive)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// Reads a sidecar.
pub(super) fn read(sidecar: &Path, archive: &Path) -> io::Result<Archive> {
    // A pipe in its place would be waited for.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(sidecar, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other("it is too large for a sidecar"));
    }
    let sidecar = parse(&bytes).map_err(io::Error::other)?;
    Ok(Archive {
        path: archive.to_owned(),
        origin: sidecar.origin,
        bytes: sidecar.bytes,
        sha256: sidecar.sha256,
        entries: sidecar.entries,
        content_bytes: sidecar.content_bytes,
        digest: sidecar.digest,
        status: sidecar.status,
        warnings: sidecar.warnings,
        warned: sidecar.warned,
    })
}

fn parse(bytes: &[u8]) -> Result<Sidecar, String> {
    /// Alone what says whether the rest can be understood.
    #[derive(Deserialize)]
    struct Head {
        what: String,
        version: u32,
    }
    let head: Head = serde_json::from_slice(bytes).map_err(|error| format!("it is no sidecar of vole's: {error}"))?;
    if head.what != WHAT {
        return Err("it is no sidecar of vole's".to_owned());
    }
    if head.version != VERSION {
        return Err(format!("another version of vole wrote it (format {})", head.version));
    }
    let sidecar: Sidecar =
        serde_json::from_slice(bytes).map_err(|error| format!("it cannot be understood: {error}"))?;
    for (what, digest) in [("sha256", &sidecar.sha256), ("digest", &sidecar.digest)] {
        if super::digest(digest).is_none() {
            return Err(format!("its {what} is no digest"));
        }
    }
    Ok(sidecar)
}
