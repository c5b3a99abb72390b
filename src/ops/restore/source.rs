//! The archive that is restored, opened once, and what a look into it says: of what it was made, whether it is whole, what
//! its names begin with. Knows files and pipes, no engine.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vole_agent::archive::read::{Damage, Opened, Pipe, Reader, Wrong};

use super::foreign::Names;
use super::part::Part;
use super::{Progress, Request};
use crate::archive::{self, Origin, Status, Verdict};
use crate::engine::EngineError;
use crate::ops::writable::refusal;

/// How many bytes of a file are read between two figures.
const TELL: u64 = 4 << 20;

/// An archive's bytes, from their start. Clones are of the same archive.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source(Option<Arc<Held>>);

#[derive(Debug)]
enum Held {
    File(File),
    Pipe(Arc<Mutex<Piped>>),
}

/// A pipe, and what was read of it to see what comes.
#[derive(Default)]
struct Piped {
    seen: Vec<u8>,
    /// `None` once it was handed on.
    rest: Option<Box<dyn Read + Send>>,
}

impl std::fmt::Debug for Piped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Piped")
            .field("seen", &self.seen.len())
            .finish_non_exhaustive()
    }
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }
}

impl Source {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, or is none.
    pub(super) fn file(path: &Path) -> Result<Self, EngineError> {
        let shown = crate::text::printable(path.as_os_str().as_encoded_bytes());
        // A named pipe without a writer would hold this up for ever.
        let no_wait = rustix::fs::OFlags::NONBLOCK.bits();
        let no_wait = i32::try_from(no_wait).map_err(|error| refusal(error.to_string()))?;
        let opened = OpenOptions::new().read(true).custom_flags(no_wait).open(path);
        let file = opened.map_err(|error| refusal(format!("cannot open {shown}: {error}")))?;
        let meta = file
            .metadata()
            .map_err(|error| refusal(format!("cannot look at {shown}: {error}")))?;
        if !meta.is_file() {
            return Err(refusal(format!(
                "{shown} is no file; what comes by a pipe is restored from -"
            )));
        }
        Ok(Self(Some(Arc::new(Held::File(file)))))
    }

    /// This process's standard input.
    pub(super) fn standard_input() -> Self {
        Self::pipe(Box::new(io::stdin()))
    }

    fn pipe(rest: Box<dyn Read + Send>) -> Self {
        let piped = Piped {
            seen: Vec::new(),
            rest: Some(rest),
        };
        Self(Some(Arc::new(Held::Pipe(Arc::new(Mutex::new(piped))))))
    }

    /// Reads from the start; of a pipe once only.
    ///
    /// # Errors
    ///
    /// When there is nothing to read, or it was read already.
    pub(super) fn reader(&self) -> Result<Box<dyn Read + Send>, EngineError> {
        let once = || refusal("the archive came by a pipe and was read already".to_owned());
        match self.0.as_deref() {
            None => Err(refusal("there is no archive to read".to_owned())),
            Some(Held::File(file)) => {
                let file = file.try_clone();
                let file = file.map_err(|error| refusal(format!("the archive could not be opened again: {error}")))?;
                Ok(Box::new(Positioned { file, at: 0 }))
            }
            Some(Held::Pipe(piped)) => {
                let mut piped = piped.lock().unwrap_or_else(PoisonError::into_inner);
                let rest = piped.rest.take().ok_or_else(once)?;
                Ok(Box::new(io::Cursor::new(std::mem::take(&mut piped.seen)).chain(rest)))
            }
        }
    }

    fn length(&self) -> Option<u64> {
        match self.0.as_deref()? {
            Held::File(file) => file.metadata().ok().map(|meta| meta.len()),
            Held::Pipe(_) => None,
        }
    }
}

/// Reads a file from its start, whoever else reads it.
struct Positioned {
    file: File,
    at: u64,
}

impl Read for Positioned {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Reads a pipe and keeps what was read.
struct Kept(Arc<Mutex<Piped>>);

impl Read for Kept {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut piped = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Piped { seen, rest: Some(rest) } = &mut *piped else {
            return Ok(0);
        };
        let count = rest.read(buffer)?;
        seen.extend_from_slice(&buffer[..count]);
        Ok(count)
    }
}

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

/// Reads a file whole, and counts what of it is asked for.
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
    let input = Watched {
        input: source.reader()?,
        read: Arc::default(),
        cancel: stop,
    };
    let (total, news) = (source.length(), news.clone());
    let path = path.to_owned();
    let mut looked = Looked {
        part: Part::of(&request.only, request.strip.unwrap_or(0)),
        stripped: request.strip.is_some(),
        ..Looked::default()
    };
    let reading = tokio::task::spawn_blocking(move || {
        let ended = looked.all(input, total, &news);
        let beside = archive::beside(&path);
        (looked, ended, beside)
    });
    let (looked, ended, beside) = reading
        .await
        .map_err(|error| refusal(format!("the archive could not be checked: {error}")))?;
    let mut checked = looked.checked(ended)?;
    checked.caveats.extend(match beside {
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

/// What was read of an archive.
#[derive(Debug, Default)]
struct Looked {
    head: Option<Vec<u8>>,
    names: Names,
    /// What is asked for, if that is not everything.
    part: Option<Part>,
    /// Whether it was said how many components are taken away.
    stripped: bool,
    counts: (u64, u64),
    digest: Option<[u8; 32]>,
}

impl Looked {
    /// Reads to the end.
    fn all(
        &mut self,
        input: Watched<Box<dyn Read + Send>>,
        total: Option<u64>,
        news: &mpsc::Sender<Progress>,
    ) -> Result<(), Damage> {
        let read = Arc::clone(&input.read);
        let start = |kind: Wrong, what: String| Damage {
            kind,
            path: Vec::new(),
            offset: 0,
            what,
        };
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
                loop {
                    let length = reader.contents()?.len();
                    let bytes = read.load(Ordering::Relaxed);
                    if bytes >= told + TELL {
                        told = bytes;
                        let progress = Progress {
                            phase: "checking",
                            entries: counts.entries,
                            bytes,
                            total,
                        };
                        // Who does not listen misses a figure.
                        let _heard = news.try_send(progress);
                    }
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
                checked.why = part.as_ref().and_then(Part::why_not);
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
    let Some(Held::Pipe(piped)) = source.0.as_deref() else {
        return Ok(Checked::default());
    };
    let input = Kept(Arc::clone(piped));
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
