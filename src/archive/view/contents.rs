//! Contents of an archive's files: decompressed from a frame before them on, holes as zeros.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};

use rustix::io::Errno;
use vole_agent::archive::read::{Opened, Source as _};
use vole_agent::proto::{Fault, Kind, Place, Reply};
use vole_agent::serve::{Halt, Sink};

use super::{View, fault};

/// The most bytes in one [`Reply::Data`].
const CHUNK: usize = 256 << 10;

/// The tar stream from some place on.
pub(super) struct Stream {
    source: Opened<File>,
    buffer: Vec<u8>,
    used: usize,
    /// Where the next byte stands.
    at: u64,
}

impl Stream {
    /// Where what is decompressed ends.
    fn end(&self) -> u64 {
        self.at + (self.buffer.len() - self.used) as u64
    }

    /// The next bytes from `at` on, at least one and at most so many; `None` at the end of the stream.
    fn bytes(&mut self, at: u64, most: u64, sink: &Sink) -> Result<Option<&[u8]>, Halt> {
        loop {
            let left = (self.buffer.len() - self.used) as u64;
            if at < self.at + left {
                break;
            }
            if sink.cancelled() {
                return Err(Halt::Cancelled);
            }
            self.at += left;
            self.used = 0;
            let filled = self.source.fill(&mut self.buffer);
            filled.map_err(|broken| fault(Errno::IO, b"", &format!("reading the archive: {}", broken.what)))?;
            if self.buffer.is_empty() {
                return Ok(None);
            }
        }
        let skipped = usize::try_from(at - self.at).unwrap_or(usize::MAX);
        self.used += skipped;
        let most = usize::try_from(most)
            .unwrap_or(usize::MAX)
            .min(self.buffer.len() - self.used);
        let from = self.used;
        self.used += most;
        self.at = at + most as u64;
        Ok(Some(&self.buffer[from..from + most]))
    }
}

impl View {
    /// Sends a range of a file.
    pub(super) fn read(&self, at: &Place, offset: u64, len: u64, sink: &Sink) -> Result<Vec<Fault>, Halt> {
        let row = self.row(at)?;
        if self.index.row(row).kind != Kind::File {
            return Err(not_regular(&at.path, self.index.row(row).kind).into());
        }
        self.each_chunk(row, (offset, len), &mut None, sink, |bytes| {
            for chunk in bytes.chunks(CHUNK) {
                sink.send(Reply::Data(chunk.to_vec()))?;
            }
            Ok(true)
        })
        .map_err(|halt| named(halt, &at.path))?;
        Ok(Vec::new())
    }

    /// Lets `take` have a range of a file's contents in pieces, until it says that it has enough. `stream` is where an
    /// earlier file was read, and goes on from there when this one comes behind it.
    pub(super) fn each_chunk(
        &self,
        row: u32,
        (offset, len): (u64, u64),
        stream: &mut Option<Stream>,
        sink: &Sink,
        mut take: impl FnMut(&[u8]) -> Result<bool, Halt>,
    ) -> Result<(), Halt> {
        let file = self.index.row(row).file;
        let row = self.index.row(file);
        let end = offset.saturating_add(len).min(row.size);
        let whole = [(0, row.size)];
        let segments = self.index.map(file).unwrap_or(&whole);
        let zeros = [0; 64 << 10];
        let (mut at, mut data) = (offset, row.data);
        for &(from, length) in segments {
            let to = from.saturating_add(length);
            while at < from.min(end) {
                let count = (from.min(end) - at).min(zeros.len() as u64);
                if !take(&zeros[..count as usize])? {
                    return Ok(());
                }
                at += count;
            }
            while at < to.min(end) {
                let wanted = data + (at - from);
                let reaches = |stream: &Stream| stream.at <= wanted && self.frames.before(wanted).0 <= stream.end();
                let stream = match stream.take().filter(reaches) {
                    Some(before) => stream.insert(before),
                    None => stream.insert(self.stream(wanted)?),
                };
                let Some(bytes) = stream.bytes(wanted, to.min(end) - at, sink)? else {
                    return Err(fault(Errno::IO, b"", "the archive ends before this file does").into());
                };
                at += bytes.len() as u64;
                if !take(bytes)? {
                    return Ok(());
                }
            }
            data += length;
        }
        while at < end {
            let count = (end - at).min(zeros.len() as u64);
            if !take(&zeros[..count as usize])? {
                return Ok(());
            }
            at += count;
        }
        Ok(())
    }

    fn stream(&self, offset: u64) -> Result<Stream, Fault> {
        let reading = |why: String| fault(Errno::IO, b"", &format!("reading the archive: {why}"));
        let (at, from) = self.frames.before(offset);
        let mut file = File::open(&self.path).map_err(|error| reading(error.to_string()))?;
        file.seek(SeekFrom::Start(from))
            .map_err(|error| reading(error.to_string()))?;
        let source = Opened::new(file).map_err(|broken| reading(broken.what))?;
        Ok(Stream {
            source,
            buffer: Vec::new(),
            used: 0,
            at,
        })
    }
}

/// Says which file it was.
fn named(halt: Halt, path: &[u8]) -> Halt {
    match halt {
        Halt::Fault(fault) => Halt::Fault(Fault {
            path: path[..path.len().min(4096)].to_vec(),
            ..fault
        }),
        Halt::Cancelled => Halt::Cancelled,
    }
}

fn not_regular(path: &[u8], kind: Kind) -> Fault {
    let (errno, what) = match kind {
        Kind::Dir => (Errno::ISDIR, "it is a directory"),
        Kind::Symlink => (Errno::LOOP, "it is a symbolic link, which is not followed"),
        Kind::Unknown => (Errno::NOENT, "it is another name of a file that is not in the archive"),
        _ => (Errno::INVAL, "it is no regular file"),
    };
    fault(errno, path, what)
}
