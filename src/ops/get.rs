//! Downloads a file or directory of a mount to this machine. Never overwrites, never writes outside its destination,
//! and nothing stands under the final name before it is whole.

mod dest;
mod fetch;
mod levels;

use std::path::{Path, PathBuf};

use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vole_agent::proto::{Kind, Place};

use crate::engine::{EngineError, Session};
use crate::model::BytePath;

/// How far a download is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files complete.
    pub files: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Bytes in all, once that is known.
    pub total: Option<u64>,
}

/// What a download left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its path, relative to what was asked for.
    pub path: BytePath,
    /// Why.
    pub reason: String,
}

/// What a download did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Where it stands now.
    pub destination: PathBuf,
    /// Files written.
    pub files: u64,
    /// Directories made.
    pub dirs: u64,
    /// Symlinks made as symlinks.
    pub symlinks: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// What was left out: special files, and what could not be read. When there is any, the result is partial.
    pub skipped: Vec<Skipped>,
}

/// Why nothing was downloaded.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum GetError {
    /// Something stands there already.
    #[error("{} exists already; nothing was written", .0.display())]
    Exists(PathBuf),
    /// What was asked for is neither file nor directory nor symlink.
    #[error("it is {0}, which cannot be downloaded")]
    Special(&'static str),
    /// This machine's file system refused.
    #[error("cannot {what} {}: {cause}", path.display())]
    Local {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// The engine or its agent failed, or the operator cancelled.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// The final path of a download: a directory that exists takes it under its own name.
///
/// # Errors
///
/// When the mount's root would need a name, or the name is none.
pub fn final_path(destination: &Path, name: &[u8], mount: &str) -> Result<PathBuf, GetError> {
    if !destination.is_dir() {
        return Ok(destination.to_path_buf());
    }
    // A bind's name is a path and a tmpfs's holds one: what stands behind the last slash names the directory.
    let own = if name.is_empty() {
        mount.rsplit('/').next().unwrap_or_default().as_bytes()
    } else {
        name
    };
    let name = dest::safe_name(own).ok_or_else(|| GetError::Local {
        what: "find a name for the download in",
        path: destination.to_path_buf(),
        cause: "say which name it shall have".to_owned(),
    })?;
    Ok(destination.join(name))
}

/// Downloads what stands at a place to `destination`, its final path, where nothing may stand yet. What was written so
/// far is removed when it fails or is cancelled.
///
/// # Errors
///
/// See [`GetError`]; what could not be read inside a directory is in the report instead.
pub async fn run(
    session: &Session,
    at: Place,
    destination: PathBuf,
    progress: watch::Sender<Progress>,
    cancel: CancellationToken,
) -> Result<Report, GetError> {
    let session = session.clone();
    let handle = Handle::current();
    // Writing blocks, on a slow disk for long: it has a thread of its own.
    let work = move || {
        let whole = fetch::whole(&session, at, &destination, &progress);
        handle.block_on(async {
            cancel
                .run_until_cancelled(whole)
                .await
                .unwrap_or(Err(GetError::Engine(EngineError::Cancelled)))
        })
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(ended) => ended,
        Err(error) => Err(EngineError::SessionLost(format!("the download broke off: {error}")).into()),
    }
}

/// What a kind that is neither file, directory nor symlink is called.
fn special(kind: Kind) -> &'static str {
    match kind {
        Kind::Fifo => "a named pipe",
        Kind::Socket => "a socket",
        Kind::CharDevice | Kind::BlockDevice => "a device",
        Kind::File | Kind::Dir | Kind::Symlink | Kind::Unknown => "of an unknown kind",
    }
}

#[cfg(test)]
mod tests;
