//! What a look into the archive that is restored says: of what it was made, whether it is whole, what its names begin with.
//! Changes nothing; knows no engine.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vole_agent::archive::left::Left;
use vole_agent::archive::read::{Damage, Opened, Pipe, Reader, Wrong};

use super::foreign::Names;
use super::part::Part;
use super::source::Source;
use super::{Progress, Request};
use crate::archive::{self, Archive, Origin, Status, Verdict};
use crate::engine::EngineError;
use crate::ops::writable::refusal;

/// How many bytes of a file are read between two figures.
const TELL: u64 = 4 << 20;

/// Counts what is read, and ends when it is cancelled.
struct Watched<R> {
    input: R,
    read: Arc<AtomicU64>,
    cancel: CancellationToken,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.is_cancelled() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let count = self.input.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// What a look into an archive says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Checked {
    /// `None` of a pipe, which is checked on the way.
    pub(super) verdict: Option<Verdict>,
    /// Why it is not restored: it is damaged, or has not what is asked for.
    pub(super) why: Option<String>,
    pub(super) origin: Option<Origin>,
    pub(super) counts: Option<(u64, u64)>,
    /// Entries and bytes of the paths that are wanted.
    pub(super) part: Option<(u64, u64)>,
    pub(super) digest: Option<[u8; 32]>,
    /// Of an archive of another program: its names.
    pub(super) names: Option<Names>,
    pub(super) caveats: Vec<String>,
}

/// Looks whether a file is whole. One whose bytes are, by their SHA-256, those that its sidecar was written for is: what wrote
/// them proved it. The archive is read whole where no sidecar vouches for it, where old contents would go before the new ones
/// are proved, and to count what is left of it by the part that is asked for or the components that are taken away.
///
/// # Errors
///
/// [`EngineError::Cancelled`], or when it cannot be read. That it is damaged is no error but a verdict.
pub(super) async fn check(
    source: &Source,
    path: &Path,
    request: &Request,
    news: &mpsc::Sender<Progress>,
    cancel: &CancellationToken,
) -> Result<Checked, EngineError> {
    // Whoever waits may stop waiting: then the thread stops as well.
    let stop = cancel.child_token();
    let _stopping = stop.clone().drop_guard();
    let look = Look {
        source: source.clone(),
        news: news.clone(),
        cancel: stop,
    };
    let (path, in_place) = (path.to_owned(), request.in_place);
    let strip = request.strip.unwrap_or(0);
    let whole = Whole {
        part: Part::of(&request.only, strip),
        left: (strip > 0).then(|| Left::of(usize::try_from(strip).unwrap_or(usize::MAX))),
        stripped: request.strip.is_some(),
        ..Whole::default()
    };
    let reading = tokio::task::spawn_blocking(move || look.at(&path, in_place, whole));
    reading
        .await
        .map_err(|error| refusal(format!("the archive could not be checked: {error}")))?
}

/// A look at a file.
struct Look {
    source: Source,
    news: mpsc::Sender<Progress>,
    cancel: CancellationToken,
}

impl Look {
    /// Looks, with what reads it whole where that has to be.
    fn at(&self, path: &Path, in_place: bool, mut whole: Whole) -> Result<Checked, EngineError> {
        let beside = archive::beside(path);
        let told = beside.as_ref().ok().and_then(Option::as_ref);
        let vouches = told.map(|told| self.vouches(told)).transpose()?;
        let head = match vouches {
            Some(true) if !in_place && whole.part.is_none() && whole.left.is_none() => self.head()?,
            _ => None,
        };
        let mut checked = match told.zip(head) {
            Some((told, head)) => vouched(told, &head)?,
            None => {
                let ended = whole.all(self);
                whole.checked(ended)?
            }
        };
        if vouches == Some(false) && matches!(checked.verdict, Some(Verdict::Ok | Verdict::Foreign)) {
            checked.verdict = Some(Verdict::Corrupt);
            checked.why = Some("it is not the file that the sidecar beside it was written for".to_owned());
        }
        checked.caveats.extend(match &beside {
            Ok(Some(archive)) if archive.status == Status::Partial => {
                let first = archive.warnings.first().map_or("something", String::as_str);
                Some(format!(
                    "the copy itself is partial: {}",
                    crate::text::printable_str(first)
                ))
            }
            Ok(_) => None,
            Err(why) => Some(format!("what stands beside it cannot be read: {why}")),
        });
        Ok(checked)
    }

    /// The file from its start, with a count of what is read.
    fn input(&self) -> Result<Watched<Box<dyn Read + Send>>, EngineError> {
        Ok(Watched {
            input: self.source.reader()?,
            read: Arc::default(),
            cancel: self.cancel.clone(),
        })
    }

    /// Says how far the look is, now and then.
    fn tell(&self, told: &mut u64, entries: u64, bytes: u64) {
        if bytes < *told + TELL {
            return;
        }
        *told = bytes;
        let progress = Progress {
            phase: "checking",
            entries,
            bytes,
            total: self.source.length(),
        };
        // Who does not listen misses a figure.
        let _heard = self.news.try_send(progress);
    }

    /// Whether the file is the one that a sidecar was written for.
    fn vouches(&self, told: &Archive) -> Result<bool, EngineError> {
        if self.source.length() != Some(told.bytes) {
            return Ok(false);
        }
        let (mut input, mut digest, mut at) = (self.input()?, Sha256::new(), 0);
        let mut buffer = vec![0; 1 << 20];
        loop {
            let count = match input.read(&mut buffer) {
                Ok(0) => return Ok(archive::hex(&digest.finalize()) == told.sha256),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) if self.cancel.is_cancelled() => return Err(EngineError::Cancelled),
                Err(error) => return Err(refusal(format!("the archive could not be read: {error}"))),
            };
            digest.update(&buffer[..count]);
            self.tell(&mut at, 0, input.read.load(Ordering::Relaxed));
        }
    }

    /// What the archive's head says, without the rest; `None` where it has to be read whole to say what is wrong.
    fn head(&self) -> Result<Option<Vec<u8>>, EngineError> {
        let Ok(opened) = Opened::new(self.input()?) else {
            return Ok(None);
        };
        let mut reader = Reader::new(opened);
        let next = reader.next();
        Ok(next.ok().and_then(|_| reader.head().map(<[u8]>::to_vec)))
    }
}

/// What was read of an archive that was read whole.
#[derive(Debug, Default)]
struct Whole {
    head: Option<Vec<u8>>,
    names: Names,
    /// What is asked for, if that is not everything.
    part: Option<Part>,
    /// What is left of the names, where components are taken away on demand.
    left: Option<Left>,
    /// Whether it was said how many components are taken away.
    stripped: bool,
    counts: (u64, u64),
    digest: Option<[u8; 32]>,
}

impl Whole {
    /// Reads to the end.
    fn all(&mut self, look: &Look) -> Result<(), Damage> {
        let start = |kind: Wrong, what: String| Damage {
            kind,
            path: Vec::new(),
            offset: 0,
            what,
        };
        let input = look.input().map_err(|error| start(Wrong::Unread, error.to_string()))?;
        let read = Arc::clone(&input.read);
        let opened = Opened::new(input).map_err(|broken| start(broken.kind, broken.what))?;
        std::thread::scope(|scope| {
            let pipe = Pipe::start(scope, opened).map_err(|error| start(Wrong::Unread, error.to_string()))?;
            let mut reader = Reader::new(pipe);
            let mut told = 0;
            loop {
                let next = reader.next();
                let counts = reader.counts();
                self.counts = (counts.entries, counts.bytes);
                if self.head.is_none() {
                    self.head = reader.head().map(<[u8]>::to_vec);
                }
                let Some(entry) = next? else { break };
                if self.head.is_none() {
                    self.names.take(&entry);
                }
                if let Some(part) = &mut self.part {
                    part.take(&entry);
                }
                if let Some(left) = &mut self.left {
                    left.take_name(&entry.path);
                }
                loop {
                    let length = reader.contents()?.len();
                    look.tell(&mut told, counts.entries, read.load(Ordering::Relaxed));
                    if length == 0 {
                        break;
                    }
                    reader.consume(length);
                }
            }
            self.digest = reader.digest();
            Ok(())
        })
    }

    fn checked(self, ended: Result<(), Damage>) -> Result<Checked, EngineError> {
        let origin = origin(self.head.as_deref())?;
        // Of another program's it may be found out only now what its names begin with.
        let part = self.part.filter(|_| self.head.is_some() || self.stripped);
        let mut checked = Checked {
            origin,
            counts: Some(self.counts),
            digest: self.digest,
            ..Checked::default()
        };
        let damage = match ended {
            Ok(()) => {
                checked.part = part.as_ref().map(Part::counts);
                let left = self.left.as_ref().and_then(Left::why_not);
                checked.why = left.or_else(|| part.as_ref().and_then(Part::why_not));
                if self.head.is_some() {
                    checked.verdict = Some(Verdict::Ok);
                    return Ok(checked);
                }
                checked.verdict = Some(Verdict::Foreign);
                checked.names = Some(self.names);
                let what = "it is no archive of vole's: nothing in it proves that it is whole";
                checked.caveats.push(what.to_owned());
                return Ok(checked);
            }
            Err(damage) => damage,
        };
        checked.counts = None;
        checked.verdict = Some(match damage.kind {
            Wrong::Truncated => Verdict::Truncated,
            Wrong::Corrupt => Verdict::Corrupt,
            Wrong::Cancelled => return Err(EngineError::Cancelled),
            Wrong::Unsupported | Wrong::Unread => return Err(refusal(damage.to_string())),
        });
        checked.why = Some(damage.to_string());
        Ok(checked)
    }
}

/// What is known of an archive whose sidecar vouches for it.
fn vouched(told: &Archive, head: &[u8]) -> Result<Checked, EngineError> {
    Ok(Checked {
        verdict: Some(Verdict::Ok),
        origin: origin(Some(head))?,
        counts: Some((told.entries, told.content_bytes)),
        digest: archive::digest(&told.digest),
        ..Checked::default()
    })
}

/// Reads the JSON of an archive's head.
fn origin(head: Option<&[u8]>) -> Result<Option<Origin>, EngineError> {
    let origin = head.map(serde_json::from_slice).transpose();
    origin.map_err(|error| {
        refusal(format!(
            "the archive does not say of what it was made: its head makes no sense ({error})"
        ))
    })
}

/// Looks at what comes by a pipe first, and keeps it.
///
/// # Errors
///
/// When it does not begin as an archive.
pub(super) async fn peek(source: &Source) -> Result<Checked, EngineError> {
    let Some(input) = source.peek() else {
        return Ok(Checked::default());
    };
    let reading = tokio::task::spawn_blocking(move || {
        let opened = Opened::new(input).map_err(|broken| (broken.kind, broken.what))?;
        let mut reader = Reader::new(opened);
        let next = reader.next().map_err(|damage| (damage.kind, damage.to_string()));
        next.map(|_| reader.head().map(<[u8]>::to_vec))
    });
    let looked = reading
        .await
        .map_err(|error| refusal(format!("the archive could not be looked at: {error}")))?;
    let head = match looked {
        Ok(head) => head,
        Err((Wrong::Truncated | Wrong::Corrupt, what)) => return Err(EngineError::Damaged(what)),
        Err((Wrong::Cancelled, _)) => return Err(EngineError::Cancelled),
        Err((Wrong::Unread | Wrong::Unsupported, what)) => return Err(refusal(what)),
    };
    let mut checked = Checked {
        origin: origin(head.as_deref())?,
        ..Checked::default()
    };
    let what = match checked.origin {
        Some(_) => "it comes by a pipe: whether it is whole shows at its end, and nothing is replaced before",
        None => "it comes by a pipe and is no archive of vole's: nothing will show whether it is whole",
    };
    checked.caveats.push(what.to_owned());
    Ok(checked)
}

#[cfg(test)]
#[path = "look_tests.rs"]
mod tests;
