//! An archive's bytes as its tar stream: tells the compression by its first bytes, not by a name, and decompresses all
//! frames or members. Knows nothing of what is in the stream.

use std::io::{self, BufRead, Read};
use std::thread::Scope;

use flate2::bufread::MultiGzDecoder;

use super::damage::{Broken, Wrong};
use super::sum::Sum;
use crate::archive::digest::Digest;
use crate::archive::seal::Watch;
use crate::proto::archive::Compression;

/// Bytes read and handed on at once.
const CHUNK: usize = 128 << 10;
/// How far from the end a seal, or a trailer, is looked for.
const TAIL: usize = 4096;
/// Largest window that a zstd frame may ask for, as the `zstd` program has it by default: 128 MiB.
#[cfg(feature = "zstd")]
const WINDOW: u32 = 27;
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// First bytes of what is compressed as archives of ours are.
pub(super) const MAGICS: [&[u8]; 2] = [&ZSTD, &GZIP];
/// First bytes of what is compressed by something else, and its name.
const OTHERS: [(&[u8], &str); 5] = [
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"LZIP", "lzip"),
    (b"\x1f\x9d", "compress"),
];

/// Where the bytes of a tar stream come from.
pub trait Source {
    /// Replaces what is in `buffer` by the next bytes; none at the end.
    ///
    /// # Errors
    ///
    /// Why the stream does not go on.
    fn fill(&mut self, buffer: &mut Vec<u8>) -> Result<(), Broken>;

    /// The digest of all bytes before those that were filled in last, where the source makes it: then nobody else has to.
    fn before(&self) -> Option<&Digest> {
        None
    }

    /// What stood behind the stream; known at its end.
    fn ending(&self) -> Ending;
}

/// What stands around a tar stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// How it was compressed.
    pub compression: Compression,
    /// Whether a seal is there and right.
    pub seal: Seal,
    /// Whether its last bytes look like those of an archive of ours, whole or damaged.
    pub looks_ours: bool,
    /// SHA-256 of all bytes that were read, the whole file's at its end; only where it is made, see [`Opened::summed`].
    pub sha256: Option<[u8; 32]>,
}

/// What became of the seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seal {
    /// Right, or none is needed.
    Right,
    /// There is none.
    Absent,
    /// There is one, but it is not the last, or not of these bytes.
    Wrong,
}

/// An archive that is being decompressed.
pub struct Opened<R: Read> {
    /// What is read from; gone only when a decompressor could not be made of it.
    stream: Option<Stream<R>>,
    /// Whether it is decompressed yet: decompressors are made where they run, for want of stack elsewhere.
    started: bool,
    compression: Compression,
    ended: bool,
    broken: Option<Broken>,
}

enum Stream<R: Read> {
    Plain(Box<Raw<R>>),
    Gzip(Box<MultiGzDecoder<Raw<R>>>),
    #[cfg(feature = "zstd")]
    Zstd(Box<zstd::stream::read::Decoder<'static, Raw<R>>>),
}

impl<R: Read> std::fmt::Debug for Opened<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened")
            .field("compression", &self.compression)
            .finish_non_exhaustive()
    }
}

impl<R: Read> Opened<R> {
    /// Looks at the first bytes.
    ///
    /// # Errors
    ///
    /// When they cannot be read, or belong to a compression that is not understood here.
    pub fn new(input: R) -> Result<Self, Broken> {
        let mut raw = Raw::new(input);
        raw.start().map_err(|error| Broken::unread(&error))?;
        let first = raw.unread();
        let compression = if is_zstd(first) {
            Compression::Zstd
        } else if first.starts_with(&GZIP) {
            Compression::Gzip
        } else if let Some((_, name)) = OTHERS.iter().find(|(magic, _)| first.starts_with(magic)) {
            return Err(Broken::new(
                Wrong::Unsupported,
                format!("it is compressed by {name}; decompress it first"),
            ));
        } else {
            Compression::None
        };
        if compression == Compression::Zstd && !cfg!(feature = "zstd") {
            return Err(without_zstd());
        }
        if compression != Compression::None {
            raw.watch(compression);
        }
        Ok(Self {
            stream: Some(Stream::Plain(Box::new(raw))),
            started: false,
            compression,
            ended: false,
            broken: None,
        })
    }

    /// Makes the SHA-256 of the whole file on the way, which costs something only where no seal is watched for.
    #[must_use]
    pub fn summed(mut self) -> Self {
        if let Some(Stream::Plain(raw)) = self.stream.as_mut().filter(|_| !self.started)
            && raw.sum.is_none()
        {
            raw.watch(self.compression);
        }
        self
    }

    /// Lets a thread of this scope make what the file's bytes come to.
    ///
    /// # Errors
    ///
    /// When none can be started.
    pub(super) fn sum_beside<'scope>(&mut self, scope: &'scope Scope<'scope, '_>) -> io::Result<()> {
        let sum = self.stream.as_mut().and_then(|stream| stream.raw_mut().sum.as_mut());
        sum.map_or(Ok(()), |sum| sum.beside(scope))
    }

    /// How it is compressed.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// Passes over bytes of the input without decompressing them; whether there were any.
    pub(super) fn pass(&mut self) -> bool {
        let Some(raw) = self.stream.as_mut().map(Stream::raw_mut) else {
            return false;
        };
        // An input that cannot be read on has no end to be known.
        let count = raw.fill_buf().map_or(0, <[u8]>::len);
        raw.consume(count);
        count > 0
    }

    fn raw(&self) -> Option<&Raw<R>> {
        self.stream.as_ref().map(|stream| match stream {
            Stream::Plain(raw) => &**raw,
            Stream::Gzip(gzip) => gzip.get_ref(),
            #[cfg(feature = "zstd")]
            Stream::Zstd(zstd) => zstd.get_ref(),
        })
    }

    /// Begins to decompress.
    fn start(&mut self) -> Result<(), Broken> {
        if let Some(Stream::Plain(raw)) = self.stream.take_if(|_| !self.started) {
            self.started = true;
            self.stream = Some(Stream::new(*raw, self.compression)?);
        }
        Ok(())
    }

    /// What a decompressor's error means.
    fn reason(&self, error: &io::Error) -> Broken {
        let (failed, total) = self.raw().map_or((None, 0), |raw| (raw.failed.clone(), raw.total));
        match failed {
            Some(failed) => failed,
            None if error.kind() == io::ErrorKind::UnexpectedEof => {
                Broken::new(Wrong::Truncated, "it is cut within compressed data")
            }
            None => Broken::corrupt(format!(
                "what is compressed does not decompress near byte {total} of the file: {error}"
            )),
        }
    }
}

impl<R: Read> Stream<R> {
    fn new(raw: Raw<R>, compression: Compression) -> Result<Self, Broken> {
        match compression {
            Compression::None => Ok(Self::Plain(Box::new(raw))),
            Compression::Gzip => Ok(Self::Gzip(Box::new(MultiGzDecoder::new(raw)))),
            #[cfg(feature = "zstd")]
            Compression::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(raw)
                    .map_err(|error| Broken::new(Wrong::Unread, format!("starting to decompress: {error}")))?;
                decoder
                    .window_log_max(WINDOW)
                    .map_err(|error| Broken::new(Wrong::Unread, format!("starting to decompress: {error}")))?;
                Ok(Self::Zstd(Box::new(decoder)))
            }
            #[cfg(not(feature = "zstd"))]
            Compression::Zstd => Err(without_zstd()),
        }
    }

    fn raw_mut(&mut self) -> &mut Raw<R> {
        match self {
            Self::Plain(raw) => raw,
            Self::Gzip(gzip) => gzip.get_mut(),
            #[cfg(feature = "zstd")]
            Self::Zstd(zstd) => zstd.get_mut(),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(raw) => raw.read(buffer),
            Self::Gzip(gzip) => gzip.read(buffer),
            #[cfg(feature = "zstd")]
            Self::Zstd(zstd) => zstd.read(buffer),
        }
    }
}

impl<R: Read> Source for Opened<R> {
    fn fill(&mut self, buffer: &mut Vec<u8>) -> Result<(), Broken> {
        if let Err(broken) = self.start() {
            self.broken = Some(broken);
        }
        let mut filled = 0;
        room(buffer);
        while filled < CHUNK && !self.ended && self.broken.is_none() {
            let Some(stream) = &mut self.stream else { break };
            match stream.read(&mut buffer[filled..]) {
                Ok(0) => self.ended = true,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Not every decompressor meets the same break again.
                Err(error) => self.broken = Some(self.reason(&error)),
            }
        }
        buffer.truncate(filled);
        match &self.broken {
            // What came before the break is handed on first.
            Some(broken) if filled == 0 => Err(broken.clone()),
            _ => Ok(()),
        }
    }

    fn ending(&self) -> Ending {
        let Some(raw) = self.raw() else {
            return Ending {
                compression: self.compression,
                seal: Seal::Absent,
                looks_ours: false,
                sha256: None,
            };
        };
        let sum = raw.sum.as_ref().and_then(|sum| sum.with(&raw.buffer));
        let tail = &raw.tail;
        let has = |mark: &[u8]| memchr::memmem::find(tail, mark).is_some();
        // Either half of what every seal starts with is enough: the other one may be what is damaged.
        let marked = has(b"vole") || has(&[0x2a, 0x4d, 0x18, 36, 0, 0, 0]) || has(&[40, 0, b'V', b'O', 36, 0]);
        let seal = match self.compression {
            Compression::None => Seal::Right,
            _ if sum.clone().is_some_and(Watch::is_sealed) => Seal::Right,
            _ if marked => Seal::Wrong,
            _ => Seal::Absent,
        };
        Ending {
            compression: self.compression,
            seal,
            looks_ours: marked
                && (self.compression != Compression::None
                    || !has(b"ustar")
                    || has(crate::archive::TRAILER_MARK.as_bytes())),
            sha256: sum.as_ref().map(Watch::digest),
        }
    }
}

fn without_zstd() -> Broken {
    Broken::new(
        Wrong::Unsupported,
        "it is compressed by zstd, which this build of vole cannot read; decompress it first",
    )
}

/// Makes a buffer as long as a chunk.
fn room(buffer: &mut Vec<u8>) {
    if buffer.capacity() < CHUNK {
        *buffer = vec![0; CHUNK];
    } else {
        buffer.resize(CHUNK, 0);
    }
}

/// Whether a zstd frame starts here, or one that is skipped (as a parallel compressor may put first).
fn is_zstd(first: &[u8]) -> bool {
    first.starts_with(&ZSTD) || matches!(first, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// The archive's own bytes, as they are read.
struct Raw<R> {
    input: R,
    buffer: Vec<u8>,
    at: usize,
    /// Of all bytes before the buffer.
    sum: Option<Sum>,
    /// The last bytes.
    tail: Vec<u8>,
    total: u64,
    /// Why the input could not be read, as against what was read being wrong.
    failed: Option<Broken>,
}

impl<R: Read> Raw<R> {
    fn new(input: R) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            at: 0,
            sum: None,
            tail: Vec::new(),
            total: 0,
            failed: None,
        }
    }

    fn unread(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    /// Reads enough to tell the compression.
    fn start(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; CHUNK];
        let mut filled = 0;
        while filled < 16 {
            match self.input.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        buffer.truncate(filled);
        self.buffer = buffer;
        self.note();
        Ok(())
    }

    /// Begins to watch for a seal, before anything but the first buffer is read.
    fn watch(&mut self, compression: Compression) {
        self.sum = Some(Sum::Here(Box::new(Watch::new(compression))));
    }

    /// Takes note of a buffer that has just been read.
    fn note(&mut self) {
        let bytes = self.buffer.as_slice();
        self.total += bytes.len() as u64;
        if bytes.len() >= TAIL {
            self.tail.clear();
            self.tail.extend_from_slice(&bytes[bytes.len() - TAIL..]);
        } else {
            self.tail.extend_from_slice(bytes);
            let over = self.tail.len().saturating_sub(TAIL);
            self.tail.drain(..over);
        }
    }
}

impl<R: Read> BufRead for Raw<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at >= self.buffer.len() {
            if let Some(sum) = &mut self.sum {
                self.buffer = sum.take(std::mem::take(&mut self.buffer));
            }
            room(&mut self.buffer);
            let count = loop {
                match self.input.read(&mut self.buffer) {
                    Ok(count) => break count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => {
                        self.failed = Some(Broken::unread(&error));
                        self.buffer.clear();
                        self.at = 0;
                        return Err(error);
                    }
                }
            };
            self.buffer.truncate(count);
            self.at = 0;
            self.note();
        }
        Ok(&self.buffer[self.at..])
    }

    fn consume(&mut self, count: usize) {
        self.at += count;
    }
}

impl<R: Read> Read for Raw<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?;
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        self.consume(count);
        Ok(count)
    }
}
