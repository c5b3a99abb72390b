//! The file of one journal: appended record by record, each with its length and checksum, read record by record. A torn
//! end is no damage: nothing was changed before its record was whole and on the disk. Knows no operation.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use serde::Serialize;

use super::record::Record;
use crate::store;

/// The first bytes of a journal: what it is, and the version of what follows.
const MAGIC: [u8; 10] = *b"VOLEJRNL\x01\x00";
/// What stands before a record's length and checksum, so that whole ones are found behind a damaged one.
const MARK: [u8; 4] = *b"\xabVJ\x0a";
/// Mark, length and checksum, in bytes.
const PREFIX: usize = 12;
/// The longest body of a record in bytes: a batch comes in a frame of at most half of it.
const MAX_BODY: usize = 2 << 20;

/// A journal that is being written. It is locked for as long.
#[derive(Debug)]
pub(super) struct Appender {
    file: File,
    /// Where the next record goes: behind the last whole one.
    end: u64,
    /// Where what is known to be on the disk ends.
    synced: u64,
}

impl Appender {
    /// Makes a file that must not exist, for its owner's eyes, and locks it.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create_new(true).mode(0o600).open(path)?;
        if let Err(error) = lock(&file).and_then(|()| file.write_all(&MAGIC)) {
            // Nothing was changed yet: what is no journal must not look like one.
            let _removed = std::fs::remove_file(path);
            return Err(error);
        }
        let end = MAGIC.len() as u64;
        Ok(Self { file, end, synced: 0 })
    }

    /// Reserves room for so many bytes behind the end. A file system that cannot do so is none without room.
    pub(super) fn reserve(&self, bytes: u64) -> io::Result<()> {
        match fallocate(&self.file, FallocateFlags::KEEP_SIZE, self.end, bytes) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
            done => Ok(done?),
        }
    }

    /// Appends a record; it is on the disk after [`Self::sync`]. What fails leaves nothing behind the last whole record.
    pub(super) fn append(&mut self, record: &Record) -> io::Result<()> {
        let bytes = encode(record)?;
        let written = self
            .file
            .seek(SeekFrom::Start(self.end))
            .and_then(|_| self.file.write_all(&bytes));
        if let Err(error) = written {
            // A torn record that cannot be cut off is written over by the next one, or ends the journal for readers.
            let _cut = self.file.set_len(self.end);
            return Err(error);
        }
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Waits until all that was appended is on the disk. What cannot get there is cut off again.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if let Err(error) = self.file.sync_data() {
            self.end = self.synced.max(MAGIC.len() as u64);
            let _cut = self.file.set_len(self.end);
            return Err(error);
        }
        self.synced = self.end;
        Ok(())
    }

    /// Gives back the room that was reserved and not used, and waits until all is on the disk.
    pub(super) fn close(self) -> io::Result<()> {
        self.file.set_len(self.end)?;
        self.file.sync_all()
    }
}

fn encode(record: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; PREFIX];
    bytes = postcard::to_extend(record, bytes).map_err(io::Error::other)?;
    let body = bytes.get(PREFIX..).unwrap_or_default();
    let (length, sum) = (body.len(), crc32fast::hash(body));
    let length = u32::try_from(length).ok().filter(|_| length <= MAX_BODY);
    let length = length.ok_or_else(|| io::Error::other("a record is too long for a journal"))?;
    let prefix = [MARK, length.to_le_bytes(), sum.to_le_bytes()].concat();
    if let Some(place) = bytes.get_mut(..PREFIX) {
        place.copy_from_slice(&prefix);
    }
    Ok(bytes)
}

/// Locks a journal against every other vole.
fn lock(file: &File) -> io::Result<()> {
    if store::lock(file)? {
        return Ok(());
    }
    let why = "another vole writes it or takes it back right now";
    Err(io::Error::new(io::ErrorKind::WouldBlock, why))
}

/// A journal that is read. Holds one record at a time.
#[derive(Debug)]
pub(super) struct Records {
    file: BufReader<File>,
    /// Where the next record starts.
    at: u64,
    ended: Option<Ending>,
}

/// How what can be read of a journal ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// With its last whole record.
    Whole,
    /// Before whole records that cannot be reached any more; at this offset in bytes.
    Damaged(u64),
}

impl Records {
    /// Opens a journal to read it only.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::of(File::open(path)?)
    }

    /// Opens a journal to take it back: locked, and [`Self::into_appender`] goes on behind its end.
    pub(super) fn open_locked(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        lock(&file)?;
        Self::of(file)
    }

    fn of(file: File) -> io::Result<Self> {
        let mut file = BufReader::with_capacity(1 << 16, file);
        let mut magic = [0; MAGIC.len()];
        match file.read_exact(&mut magic) {
            Ok(()) if magic == MAGIC => {}
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error),
            _ => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "it does not begin as a journal",
                ));
            }
        }
        let at = MAGIC.len() as u64;
        Ok(Self { file, at, ended: None })
    }

    /// Whether a vole writes it right now.
    pub(super) fn is_locked(&self) -> io::Result<bool> {
        match self.file.get_ref().try_lock() {
            Ok(()) => self.file.get_ref().unlock().map(|()| false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The next whole record; `None` at the end, and from then on.
    pub(super) fn next(&mut self) -> io::Result<Option<Record>> {
        if self.ended.is_some() {
            return Ok(None);
        }
        let Some((record, length)) = self.read()? else {
            self.ended = Some(match self.is_followed()? {
                true => Ending::Damaged(self.at),
                false => Ending::Whole,
            });
            return Ok(None);
        };
        self.at += length;
        Ok(Some(record))
    }

    /// How it ends, once [`Self::next`] has said that it does.
    pub(super) fn ending(&self) -> Option<Ending> {
        self.ended
    }

    /// Starts again at the first record.
    pub(super) fn rewind(&mut self) -> io::Result<()> {
        self.at = MAGIC.len() as u64;
        self.ended = None;
        self.file.seek(SeekFrom::Start(self.at)).map(drop)
    }

    /// Goes on writing behind the last whole record.
    pub(super) fn into_appender(self) -> io::Result<Appender> {
        let file = self.file.into_inner();
        file.set_len(self.at)?;
        Ok(Appender {
            file,
            end: self.at,
            synced: self.at,
        })
    }

    /// Reads the record at this place with its length in bytes; `None` when it is not whole.
    fn read(&mut self) -> io::Result<Option<(Record, u64)>> {
        let mut prefix = [0; PREFIX];
        if !fill(&mut self.file, &mut prefix)? {
            return Ok(None);
        }
        let (mark, rest) = prefix.split_at(MARK.len());
        let (length, sum) = rest.split_at(4);
        let (length, sum) = (word(length), word(sum));
        if mark != MARK || length as usize > MAX_BODY {
            return Ok(None);
        }
        let mut body = vec![0; length as usize];
        if !fill(&mut self.file, &mut body)? || crc32fast::hash(&body) != sum {
            return Ok(None);
        }
        let decoded = postcard::from_bytes(&body).ok();
        Ok(decoded.map(|record| (record, u64::from(length) + PREFIX as u64)))
    }

    /// Whether a whole record stands anywhere behind this place, where none does: then something was damaged, not torn.
    fn is_followed(&mut self) -> io::Result<bool> {
        let mut from = self.at + 1;
        loop {
            self.file.seek(SeekFrom::Start(from))?;
            let Some(found) = find_mark(&mut self.file, from)? else {
                return Ok(false);
            };
            self.file.seek(SeekFrom::Start(found))?;
            if self.read()?.is_some() {
                return Ok(true);
            }
            from = found + 1;
        }
    }
}

fn word(bytes: &[u8]) -> u32 {
    bytes.try_into().map(u32::from_le_bytes).unwrap_or(u32::MAX)
}

/// Fills a buffer; whether there was enough.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// The offset of the next mark, given the offset at which the reader stands.
fn find_mark(file: &mut BufReader<File>, from: u64) -> io::Result<Option<u64>> {
    let mut window = [0; MARK.len()];
    let mut seen = 0;
    for byte in file.bytes() {
        window.rotate_left(1);
        if let Some(last) = window.last_mut() {
            *last = byte?;
        }
        seen += 1;
        if window == MARK {
            return Ok(Some(from + seen - MARK.len() as u64));
        }
    }
    Ok(None)
}
