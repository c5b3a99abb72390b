//! Proves from an archive alone that it is whole, or says where it is damaged. Asks no engine, changes nothing.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vole_agent::archive::verify::{self, Checked, State};

use crate::archive::{self, Archive, Origin, Verdict, hex};
use crate::text;

/// How often news are sent.
const EVERY: Duration = Duration::from_millis(100);

/// How far a check is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the file that were read.
    pub read: u64,
    /// Its length in bytes; `None` for a pipe.
    pub length: Option<u64>,
    /// Entries so far.
    pub entries: u64,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How whole it is.
    pub verdict: Verdict,
    /// Entries that were read, the top included.
    pub entries: u64,
    /// Bytes of their contents.
    pub content_bytes: u64,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// SHA-256 of the file, in hexadecimal; `None` when it was not read to its end.
    pub sha256: Option<String>,
    /// SHA-256 of the tar stream before its trailer, in hexadecimal; only of a whole archive of vole's.
    pub digest: Option<String>,
    /// What is wrong first, printable.
    pub damage: Option<String>,
    /// The path of the entry that it is about, where there is one.
    pub damaged: Option<Vec<u8>>,
    /// What its head says it was made of.
    pub origin: Option<Origin>,
    /// What the sidecar beside it says, if there is one that can be read.
    pub sidecar: Option<Archive>,
    /// What is wrong with the sidecar alone.
    pub warnings: Vec<String>,
}

/// Why nothing was found out.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The operator cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The file could not be read.
    #[error("cannot check {}: {cause}", text::printable(.path.as_os_str().as_bytes()))]
    Unread {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
}

/// Checks an archive from its first byte to its last; `None` for standard input.
///
/// # Errors
///
/// When it cannot be read at all, or was cancelled.
pub async fn run(
    archive: Option<PathBuf>,
    news: watch::Sender<Progress>,
    cancel: CancellationToken,
) -> Result<Report, VerifyError> {
    let path = archive.clone().unwrap_or_else(|| PathBuf::from("-"));
    let stop = cancel.clone();
    let checking = tokio::task::spawn_blocking(move || match archive {
        Some(path) => file(&path, &news, &stop),
        None => check(io::stdin(), None, &news, &stop),
    });
    // A pipe that says nothing holds a thread; that ends with the program.
    match cancel.run_until_cancelled(checking).await {
        None => Err(VerifyError::Cancelled),
        Some(Ok(Ok(report))) => Ok(report),
        Some(Ok(Err(Failure::Cancelled))) => Err(VerifyError::Cancelled),
        Some(Ok(Err(Failure::Unread(cause)))) => Err(VerifyError::Unread { path, cause }),
        Some(Err(error)) => Err(VerifyError::Unread {
            path,
            cause: io::Error::other(error),
        }),
    }
}

enum Failure {
    Cancelled,
    Unread(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Unread(error)
    }
}

fn file(path: &Path, news: &watch::Sender<Progress>, cancel: &CancellationToken) -> Result<Report, Failure> {
    // A pipe by a name would be waited for until somebody writes.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(io::Error::from)?);
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::other("it is no regular file").into());
    }
    let mut report = check(file, Some(meta.len()), news, cancel)?;
    match archive::beside(path) {
        Ok(Some(told)) => compare(&mut report, told),
        Ok(None) => {}
        Err(why) => report.warnings.push(format!("its sidecar cannot be read: {why}")),
    }
    Ok(report)
}

/// Holds an archive against its sidecar. Two whole files that differ are still two: the one that is there is not the one
/// that was written.
fn compare(report: &mut Report, told: Archive) {
    let wrong = if told.bytes != report.bytes {
        Some(format!(
            "its sidecar says {} bytes, but it has {}",
            told.bytes, report.bytes
        ))
    } else if report.sha256.as_ref().is_some_and(|sha256| *sha256 != told.sha256) {
        Some(format!("its sidecar says that its SHA-256 is {}", told.sha256))
    } else {
        None
    };
    if let (Some(wrong), Verdict::Ok) = (&wrong, report.verdict) {
        report.verdict = Verdict::Corrupt;
        report.damage = Some(wrong.clone());
    } else {
        report.warnings.extend(wrong);
    }
    report.sidecar = Some(told);
}

fn check(
    input: impl Read + Send,
    length: Option<u64>,
    news: &watch::Sender<Progress>,
    cancel: &CancellationToken,
) -> Result<Report, Failure> {
    let mut passing = Passing {
        input,
        now: Progress {
            length,
            ..Progress::default()
        },
        failed: None,
        news,
        cancel,
        told: Instant::now(),
    };
    let checked = verify::verify(&mut passing, |_| match cancel.is_cancelled() {
        true => Err(Failure::Cancelled),
        false => Ok(()),
    })?;
    if cancel.is_cancelled() {
        return Err(Failure::Cancelled);
    }
    let end = passing.drain();
    if let Some(error) = passing.failed {
        return Err(Failure::Unread(error));
    }
    end?;
    Ok(found(&checked, passing.now.read))
}

fn found(checked: &Checked, bytes: u64) -> Report {
    let verdict = match checked.state {
        State::Ok => Verdict::Ok,
        State::Truncated => Verdict::Truncated,
        State::Corrupt => Verdict::Corrupt,
        State::Foreign => Verdict::Foreign,
    };
    let mut warnings = Vec::new();
    let head = checked.head.as_deref().map(serde_json::from_slice::<Origin>);
    let origin = match head {
        Some(Ok(origin)) => Some(origin),
        Some(Err(error)) => {
            warnings.push(format!("its head cannot be understood: {error}"));
            None
        }
        None => None,
    };
    let damage = checked.damage.as_ref();
    Report {
        verdict,
        entries: checked.counts.entries,
        content_bytes: checked.counts.bytes,
        bytes,
        sha256: checked.sha256.map(|digest| hex(&digest)),
        digest: checked.digest.map(|digest| hex(&digest)),
        damage: damage.map(ToString::to_string),
        damaged: damage.map(|damage| damage.path.clone()).filter(|path| !path.is_empty()),
        origin,
        sidecar: None,
        warnings,
    }
}

/// An archive's bytes, and how many of them passed.
struct Passing<'a, R> {
    input: R,
    now: Progress,
    /// What the system said of the file: no damage of the archive.
    failed: Option<io::Error>,
    news: &'a watch::Sender<Progress>,
    cancel: &'a CancellationToken,
    told: Instant,
}

impl<R: Read> Passing<'_, R> {
    /// Reads what is behind the place at which the check stopped, for its length.
    fn drain(&mut self) -> Result<(), Failure> {
        let mut buffer = vec![0; 256 << 10];
        while self.failed.is_none() {
            if self.cancel.is_cancelled() {
                return Err(Failure::Cancelled);
            }
            match self.read(&mut buffer) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for Passing<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.is_cancelled() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let count = match self.input.read(buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => {
                let told = io::Error::new(error.kind(), error.to_string());
                self.failed = Some(error);
                return Err(told);
            }
        };
        self.now.read += count as u64;
        if self.told.elapsed() >= EVERY {
            self.told = Instant::now();
            self.news.send_replace(self.now);
        }
        Ok(count)
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
