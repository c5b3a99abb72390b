//! Writes the tar stream of an archive: headers, contents, trailer. Knows no files and no compression.

use std::io::{self, Write};

use super::digest::Digest;
use super::header::Encoder;
use super::{BLOCK, END, Entry, Form};
use crate::proto::archive::Counts;

/// Bytes that a plain archive gathers before they are written.
const GATHER: usize = 64 << 10;

/// Bytes of the stream that go on together.
#[derive(Debug)]
pub struct Piece {
    /// Room for them; all of it is initialised.
    pub bytes: Vec<u8>,
    /// How many there are.
    pub filled: usize,
}

impl Piece {
    /// An empty one with room for so many bytes.
    pub fn with_room(room: usize) -> Self {
        Self {
            bytes: vec![0; room],
            filled: 0,
        }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

/// What takes the stream's pieces and knows the digest of all of them.
pub trait Pieces {
    /// Takes a piece and leaves an empty one.
    ///
    /// # Errors
    ///
    /// When it goes no further.
    fn take(&mut self, piece: &mut Piece) -> io::Result<()>;

    /// The digest of everything that it took.
    ///
    /// # Errors
    ///
    /// When it goes no further.
    fn digest(&mut self) -> io::Result<[u8; 32]>;
}

/// Pieces written one after the other.
#[derive(Debug)]
pub struct Plain<W> {
    out: W,
    digest: Digest,
}

impl<W: Write> Pieces for Plain<W> {
    fn take(&mut self, piece: &mut Piece) -> io::Result<()> {
        self.digest.update(piece.as_bytes());
        self.out.write_all(piece.as_bytes())?;
        piece.filled = 0;
        Ok(())
    }

    fn digest(&mut self) -> io::Result<[u8; 32]> {
        Ok(self.digest.sum())
    }
}

/// The trailer of an archive, without the zeros ([`END`]) behind it.
pub fn trailer(top: &Entry, counts: Counts, digest: [u8; 32]) -> Vec<u8> {
    let mut out = Vec::new();
    Encoder::default().trailer(top, counts, digest, &mut out);
    out
}

/// Writes an archive.
#[derive(Debug)]
pub struct Writer<P> {
    pieces: P,
    piece: Piece,
    /// Pieces that went on.
    gone: u64,
    encoder: Encoder,
    header: Vec<u8>,
    counts: Counts,
    /// Bytes of contents that the last entry still wants.
    left: u64,
    /// Zeros that fill up its last block.
    padding: usize,
}

/// A place in the stream that a [`Writer`] can return to.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    gone: u64,
    filled: usize,
    counts: Counts,
}

impl<W: Write> Writer<Plain<W>> {
    /// Begins an archive with this text in its head.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn begin(out: W, head: &[u8]) -> io::Result<Self> {
        let digest = Digest::default();
        Self::over(Plain { out, digest }, Piece::with_room(GATHER), head)
    }

    /// Ends the archive; `top` is the first entry again. What it holds and its digest, and where it was written.
    ///
    /// # Errors
    ///
    /// When it cannot be written, or the last entry's contents are not complete.
    pub fn finish(mut self, top: &Entry) -> io::Result<(W, Counts, [u8; 32])> {
        let (counts, digest) = self.end(top)?;
        self.pieces.out.flush()?;
        Ok((self.pieces.out, counts, digest))
    }
}

impl<P: Pieces> Writer<P> {
    /// Begins an archive that goes on in pieces.
    ///
    /// # Errors
    ///
    /// As `pieces` has them.
    pub fn over(pieces: P, piece: Piece, head: &[u8]) -> io::Result<Self> {
        let mut writer = Self {
            pieces,
            piece,
            gone: 0,
            encoder: Encoder::default(),
            header: Vec::new(),
            counts: Counts::default(),
            left: 0,
            padding: 0,
        };
        writer.encoder.head(head, &mut writer.header);
        writer.put_header()?;
        Ok(writer)
    }

    /// What was written so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Writes an entry's headers. Its contents, if it has any, come next.
    ///
    /// # Errors
    ///
    /// When it cannot be written, or the contents of the entry before are not complete.
    pub fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        self.encode(entry)?;
        self.begin_entry(entry)
    }

    /// As [`Writer::entry`], for one whose contents are read into [`Writer::room`] as a whole: until they are, the writer
    /// can return to the mark. `None`, and nothing is written, when it is too large for a piece.
    ///
    /// # Errors
    ///
    /// As [`Writer::entry`].
    pub fn whole_entry(&mut self, entry: &Entry) -> io::Result<Option<Mark>> {
        self.encode(entry)?;
        let contents = usize::try_from(entry.form.stored()).unwrap_or(usize::MAX);
        let all = contents.saturating_add(self.header.len() + BLOCK);
        if all > self.piece.bytes.len() {
            return Ok(None);
        }
        if all > self.piece.bytes.len() - self.piece.filled {
            self.go_on()?;
        }
        let mark = Mark {
            gone: self.gone,
            filled: self.piece.filled,
            counts: self.counts,
        };
        self.begin_entry(entry)?;
        Ok(Some(mark))
    }

    /// Forgets what was written since the mark.
    ///
    /// # Errors
    ///
    /// When some of it went on already.
    pub fn return_to(&mut self, mark: Mark) -> io::Result<()> {
        if mark.gone != self.gone {
            return Err(io::Error::other("bytes of an archive cannot be taken back"));
        }
        self.piece.filled = mark.filled;
        self.counts = mark.counts;
        self.left = 0;
        Ok(())
    }

    /// Writes contents of the last entry.
    ///
    /// # Errors
    ///
    /// When they cannot be written, or are more than the entry said.
    pub fn contents(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let room = self.room()?;
            if room.is_empty() {
                return Err(misuse("an entry has more contents than its header says"));
            }
            let count = room.len().min(bytes.len());
            room[..count].copy_from_slice(&bytes[..count]);
            self.filled(count)?;
            bytes = &bytes[count..];
        }
        Ok(())
    }

    /// Writes zeros in place of the contents that the last entry still wants.
    ///
    /// # Errors
    ///
    /// When they cannot be written.
    pub fn zeros(&mut self) -> io::Result<()> {
        while self.left > 0 {
            let room = self.room()?;
            room.fill(0);
            let count = room.len();
            self.filled(count)?;
        }
        Ok(())
    }

    /// Room for the next contents of the last entry: to be filled and then said with [`Writer::filled`]. Empty when it has
    /// all.
    ///
    /// # Errors
    ///
    /// When what is there already cannot be written.
    pub fn room(&mut self) -> io::Result<&mut [u8]> {
        if self.left > 0 && self.piece.filled == self.piece.bytes.len() {
            self.go_on()?;
        }
        let room = &mut self.piece.bytes[self.piece.filled..];
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(room.len());
        Ok(&mut room[..most])
    }

    /// Says that so many bytes of the [`Writer::room`] are contents now.
    ///
    /// # Errors
    ///
    /// When they are more than there was room for, or the stream goes no further.
    pub fn filled(&mut self, count: usize) -> io::Result<()> {
        let room = self.piece.bytes.len() - self.piece.filled;
        if count > room || count as u64 > self.left {
            return Err(misuse("an entry has more contents than its header says"));
        }
        self.piece.filled += count;
        self.left -= count as u64;
        self.counts.bytes += count as u64;
        if self.left == 0 {
            let padding = std::mem::take(&mut self.padding);
            self.put(&[0; BLOCK][..padding])?;
        }
        Ok(())
    }

    /// Writes the trailer and the end; what the archive holds, and its digest.
    ///
    /// # Errors
    ///
    /// When it cannot be written, the last entry's contents are not complete, or `top` is no directory.
    pub fn end(&mut self, top: &Entry) -> io::Result<(Counts, [u8; 32])> {
        self.complete()?;
        if !top.path.is_empty() || top.form != Form::Dir {
            return Err(misuse("what an archive begins and ends with is a directory"));
        }
        self.go_on()?;
        let digest = self.pieces.digest()?;
        self.put(&trailer(top, self.counts, digest))?;
        self.put(&END)?;
        self.go_on()?;
        Ok((self.counts, digest))
    }

    fn encode(&mut self, entry: &Entry) -> io::Result<()> {
        self.complete()?;
        self.header.clear();
        self.encoder.entry(entry, &mut self.header);
        Ok(())
    }

    fn begin_entry(&mut self, entry: &Entry) -> io::Result<()> {
        self.put_header()?;
        self.counts.entries += 1;
        self.left = entry.form.stored();
        self.padding = (BLOCK - (self.left % BLOCK as u64) as usize) % BLOCK;
        Ok(())
    }

    fn complete(&self) -> io::Result<()> {
        match self.left {
            0 => Ok(()),
            _ => Err(misuse("an entry has less contents than its header says")),
        }
    }

    fn put_header(&mut self) -> io::Result<()> {
        let header = std::mem::take(&mut self.header);
        self.put(&header)?;
        self.header = header;
        Ok(())
    }

    fn put(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.piece.filled == self.piece.bytes.len() {
                self.go_on()?;
            }
            let room = &mut self.piece.bytes[self.piece.filled..];
            let count = room.len().min(bytes.len());
            room[..count].copy_from_slice(&bytes[..count]);
            self.piece.filled += count;
            bytes = &bytes[count..];
        }
        Ok(())
    }

    fn go_on(&mut self) -> io::Result<()> {
        if self.piece.filled > 0 {
            self.gone += 1;
            self.pieces.take(&mut self.piece)?;
        }
        Ok(())
    }
}

fn misuse(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}
