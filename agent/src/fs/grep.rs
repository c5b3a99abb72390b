//! Searches regular files line by line, whatever the length of a line, in bounded memory.

use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use memchr::memchr;
use rustix::fs::OFlags;
use rustix::io::{Errno, read, retry_on_intr};

use super::Roots;
use super::meta::Meta;
use super::pattern::{Pattern, Progress};
use super::walk::{Notes, Visit, Walk};
use crate::proto::{Fault, Hit, Kind, Place, Reply};
use crate::serve::{Halt, Sink};

/// Bytes of a file in memory. A longer line is searched in pieces.
const BUFFER: usize = 256 << 10;
/// Where a NUL makes a file binary.
const HEAD: usize = 8 << 10;
/// Longest excerpt.
const EXCERPT: usize = 64 << 10;
/// Bytes of hits in one reply, well below a frame with one more on top.
const BATCH: usize = 128 << 10;
/// How long a hit waits for others.
const GATHER: Duration = Duration::from_millis(50);
const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// What a client wants to see.
pub(super) struct Wanted {
    pub(super) limit: u32,
    pub(super) max_line: u32,
    pub(super) binary: bool,
}

impl Roots {
    /// Sends the lines that match, of one file or of all files below a directory.
    pub(super) fn grep(&self, at: &Place, dfa: &[u8], wanted: &Wanted, sink: &Sink) -> Result<Vec<Fault>, Halt> {
        let mut search = Search {
            pattern: Pattern::new(dfa)?,
            sink,
            left: wanted.limit,
            half: (wanted.max_line as usize).clamp(2, EXCERPT) / 2,
            binary: wanted.binary,
            hits: Vec::new(),
            bytes: 0,
            sent: Instant::now(),
            buffer: vec![0; BUFFER],
        };
        let mut notes = Notes::default();
        if self.meta(at)?.kind() == Kind::Dir {
            let visit = |visit: &Visit<'_>, notes: &mut Notes| search.visit(self, visit, notes);
            Walk::new(self, at, sink, visit).run(&mut notes)?;
        } else {
            let (file, _) = self.regular(at)?;
            search.file(&file, &|| at.path.clone(), &mut notes)?;
        }
        search.flush()?;
        Ok(notes.0)
    }
}

/// A search and the hits that were not sent yet.
struct Search<'a> {
    pattern: Pattern<'a>,
    sink: &'a Sink,
    left: u32,
    /// Half of the longest excerpt.
    half: usize,
    binary: bool,
    hits: Vec<Hit>,
    bytes: usize,
    sent: Instant,
    buffer: Vec<u8>,
}

/// Where a file's search stands.
#[derive(Default)]
struct Position {
    /// Number of the line that `offset` begins, from 0.
    line: u64,
    /// Offset of the line's first byte.
    offset: u64,
}

/// A line that does not fit the buffer.
struct Long {
    progress: Option<Progress>,
    /// What stands in front of the next piece, for the excerpt.
    before: Vec<u8>,
    /// The excerpt around the match, once there is one.
    excerpt: Option<Vec<u8>>,
    /// Bytes of the line so far.
    len: u64,
}

impl Search<'_> {
    fn visit(&mut self, roots: &Roots, visit: &Visit<'_>, notes: &mut Notes) -> Result<ControlFlow<()>, Halt> {
        if self.left == 0 {
            return Ok(ControlFlow::Break(()));
        }
        if visit.kind == Kind::File {
            let path = || visit.path();
            match roots.resolver.child(visit.dir, visit.name, FLAGS) {
                // Another kind of file may have taken the name.
                Ok(file) if Meta::of(&file).is_ok_and(|meta| meta.kind() == Kind::File) => {
                    self.file(&file, &path, notes)?;
                }
                Ok(_) | Err(Errno::XDEV | Errno::LOOP) => {}
                Err(errno) => notes.add(path, errno, "opening the file"),
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Searches one file.
    fn file(&mut self, file: &OwnedFd, path: &dyn Fn() -> Vec<u8>, notes: &mut Notes) -> Result<(), Halt> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = self.lines(file, &mut buffer, path, notes);
        self.buffer = buffer;
        result
    }

    fn lines(
        &mut self,
        file: &OwnedFd,
        buffer: &mut [u8],
        path: &dyn Fn() -> Vec<u8>,
        notes: &mut Notes,
    ) -> Result<(), Halt> {
        let mut at = Position::default();
        let mut long: Option<Long> = None;
        let (mut held, mut first) = (0, true);
        while self.left > 0 {
            let got = match retry_on_intr(|| read(file, &mut buffer[held..])) {
                Ok(got) => got,
                Err(errno) => {
                    notes.add(path, errno, "reading the file");
                    return Ok(());
                }
            };
            held += got;
            if first && !self.binary && memchr(0, &buffer[..held.min(HEAD)]).is_some() {
                return Ok(());
            }
            first = false;
            let taken = self.buffered(&buffer[..held], &mut at, &mut long, path)?;
            buffer.copy_within(taken..held, 0);
            held -= taken;
            if got == 0 {
                return self.last_line(&buffer[..held], &mut at, long, path);
            }
            if held == buffer.len() {
                let long = long.get_or_insert_with(|| self.begin_long());
                self.piece(long, &buffer[..held]);
                held = 0;
            }
            self.pass(false)?;
        }
        Ok(())
    }

    /// Searches the lines that end within the buffer; returns the bytes that are done with.
    fn buffered(
        &mut self,
        buffer: &[u8],
        at: &mut Position,
        long: &mut Option<Long>,
        path: &dyn Fn() -> Vec<u8>,
    ) -> Result<usize, Halt> {
        let mut start = 0;
        while let Some(len) = memchr(b'\n', &buffer[start..]) {
            let line = &buffer[start..start + len];
            match long.take() {
                Some(mut long) => {
                    self.piece(&mut long, line);
                    self.end_long(long, at, path)?;
                }
                None => self.line(line, at, path)?,
            }
            start += len + 1;
            at.offset += 1;
            at.line += 1;
            if self.left == 0 {
                break;
            }
        }
        Ok(start)
    }

    /// Searches what stands behind the last line feed.
    fn last_line(
        &mut self,
        rest: &[u8],
        at: &mut Position,
        long: Option<Long>,
        path: &dyn Fn() -> Vec<u8>,
    ) -> Result<(), Halt> {
        match long {
            Some(mut long) => {
                self.piece(&mut long, rest);
                self.end_long(long, at, path)
            }
            None if rest.is_empty() || self.left == 0 => Ok(()),
            None => self.line(rest, at, path),
        }
    }

    /// Searches a line that is there as a whole, and moves behind it.
    fn line(&mut self, line: &[u8], at: &mut Position, path: &dyn Fn() -> Vec<u8>) -> Result<(), Halt> {
        if let Some(end) = self.pattern.end(line) {
            let cut = line.len() > 2 * self.half;
            let text = if cut {
                let from = end.saturating_sub(self.half);
                &line[from..line.len().min(from + 2 * self.half)]
            } else {
                line
            };
            self.hit(text.to_vec(), cut, at, path)?;
        }
        at.offset += line.len() as u64;
        Ok(())
    }

    fn begin_long(&self) -> Long {
        Long {
            progress: self.pattern.begin(),
            before: Vec::new(),
            excerpt: None,
            len: 0,
        }
    }

    /// Goes on with a line that does not fit the buffer.
    fn piece(&self, long: &mut Long, piece: &[u8]) {
        long.len += piece.len() as u64;
        if let Some(excerpt) = &mut long.excerpt {
            let missing = (2 * self.half).saturating_sub(excerpt.len());
            excerpt.extend_from_slice(&piece[..piece.len().min(missing)]);
            return;
        }
        let found = self.pattern.go_on(&mut long.progress, piece);
        let seen = found.unwrap_or(piece.len());
        long.before
            .extend_from_slice(&piece[seen.saturating_sub(self.half)..seen]);
        long.before.drain(..long.before.len().saturating_sub(self.half));
        if found.is_some() {
            let mut excerpt = std::mem::take(&mut long.before);
            let missing = 2 * self.half - excerpt.len();
            excerpt.extend_from_slice(&piece[seen..piece.len().min(seen + missing)]);
            long.excerpt = Some(excerpt);
        }
    }

    /// Ends a line that did not fit the buffer, and moves behind it.
    fn end_long(&mut self, long: Long, at: &mut Position, path: &dyn Fn() -> Vec<u8>) -> Result<(), Halt> {
        let at_end = self.pattern.finish(long.progress).then_some(long.before);
        if let Some(text) = long.excerpt.or(at_end) {
            self.hit(text, true, at, path)?;
        }
        at.offset += long.len;
        Ok(())
    }

    fn hit(&mut self, text: Vec<u8>, cut: bool, at: &Position, path: &dyn Fn() -> Vec<u8>) -> Result<(), Halt> {
        if self.left == 0 {
            return Ok(());
        }
        self.left -= 1;
        let mut path = path();
        path.truncate(EXCERPT);
        self.bytes += path.len() + text.len() + 32;
        self.hits.push(Hit {
            path,
            line: at.line + 1,
            offset: at.offset,
            text,
            cut,
        });
        self.pass(self.bytes >= BATCH)
    }

    /// Sends what waits when it is much or has waited for long.
    fn pass(&mut self, full: bool) -> Result<(), Halt> {
        if self.sink.cancelled() {
            return Err(Halt::Cancelled);
        }
        if full || self.sent.elapsed() >= GATHER {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn flush(&mut self) -> Result<(), Halt> {
        self.sent = Instant::now();
        self.bytes = 0;
        if self.hits.is_empty() {
            Ok(())
        } else {
            self.sink.send(Reply::Hits(std::mem::take(&mut self.hits)))
        }
    }
}
