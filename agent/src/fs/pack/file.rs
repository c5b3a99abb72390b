//! Puts regular files into an archive, whole, while others may write to them.
//!
//! A file is read to the length that it had when it was opened, and looked at again. When it changed, it is read anew: a
//! small one is taken back out of the piece that is being filled; a large one follows as a later entry of the same name,
//! which takes the place of the earlier one at an extraction.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::OFlags;
use rustix::io::{Errno, pread, retry_on_intr};

use super::packer::Packer;
use super::xattrs::Of;
use super::{Stop, holes};
use crate::archive::Form;
use crate::fs::meta::Meta;
use crate::fs::node::quietly;
use crate::proto::Kind;
use crate::proto::archive::Want;

/// How often a file is read that changes each time.
const TRIES: u32 = 3;
/// A larger file is not written twice.
const RETRIED: u64 = 256 << 20;
/// Reading never waits and never makes a terminal ours, whatever a race puts under the name.
pub(super) const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// How a file's contents came into the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    /// As they are.
    Whole,
    /// They changed meanwhile, and were taken out again.
    Undone,
    /// They changed meanwhile.
    Changed,
    /// Some could not be read; zeros stand in their place.
    Failed(Errno),
}

impl Packer<'_> {
    /// Writes the file under a name in an open directory.
    pub(super) fn file(&mut self, dir: BorrowedFd<'_>, name: &std::ffi::CStr) -> Result<(), Stop> {
        let resolver = self.resolver;
        let quiet = std::cell::Cell::new(self.quiet);
        let written = self.opened(|| {
            if !quiet.get() {
                return resolver.child(dir, name, FLAGS);
            }
            quietly(FLAGS, |flags| {
                quiet.set(flags.contains(OFlags::NOATIME));
                resolver.child(dir, name, flags)
            })
        });
        self.quiet = quiet.get();
        written
    }

    /// Writes a file that stands alone in its archive.
    pub(super) fn only_file(&mut self, name: &[u8], open: impl Fn() -> Result<OwnedFd, Errno>) -> Result<(), Stop> {
        self.entry.path = name.to_vec();
        self.opened(open)
    }

    /// Writes the file that `open` opens.
    fn opened(&mut self, open: impl Fn() -> Result<OwnedFd, Errno>) -> Result<(), Stop> {
        let mut written = None;
        for left in (0..TRIES).rev() {
            let looked = open().and_then(|file| Ok((Meta::of(&file)?, file)));
            let (meta, file) = match looked {
                Ok((meta, file)) if meta.kind() == Kind::File => (meta, file),
                // Something else took the name.
                Ok(_) => return self.lost(written, Errno::NOENT),
                Err(errno) => return self.lost(written, errno),
            };
            if written.is_none() && self.is_linked(&meta)? {
                return Ok(());
            }
            let came = self.contents(file.as_fd(), &meta, left > 0)?;
            if came == Came::Undone {
                continue;
            }
            written = Some(meta);
            match came {
                Came::Changed if left > 0 && meta.size <= RETRIED => continue,
                Came::Changed => self.lacks.add(&self.entry.path, Want::Changed),
                Came::Failed(errno) => self.lacks.add(&self.entry.path, Want::Unreadable(errno.raw_os_error())),
                Came::Whole | Came::Undone => {}
            }
            self.keep_link(&meta);
            return Ok(());
        }
        Ok(())
    }

    /// A file cannot be opened, or not again: when it was written it was already changing.
    fn lost(&mut self, written: Option<Meta>, errno: Errno) -> Result<(), Stop> {
        match written {
            Some(meta) => {
                self.lacks.add(&self.entry.path, Want::Changed);
                self.keep_link(&meta);
            }
            None => self.lacks.fail(&self.entry.path, errno),
        }
        Ok(())
    }

    fn contents(&mut self, file: BorrowedFd<'_>, meta: &Meta, again: bool) -> Result<Came, Stop> {
        // Where holes cannot be found it is read as it stands, and that says what is wrong.
        let map = holes::map(file, meta).unwrap_or(None);
        let all = [(0, meta.size)];
        let segments = map.as_deref().unwrap_or(&all);
        self.take(meta);
        self.read_xattrs(Of::Open(file));
        self.entry.form = Form::File {
            size: meta.size,
            map: map.clone(),
        };
        let came = match self.writer.whole_entry(&self.entry)? {
            Some(mark) => {
                let came = self.small(file, meta, segments, again)?;
                if came == Came::Undone {
                    self.writer.return_to(mark)?;
                }
                came
            }
            None => {
                self.writer.entry(&self.entry)?;
                self.large(file, meta, segments)?
            }
        };
        self.news.tell(self.writer.counts());
        Ok(came)
    }

    /// Reads a file of which all fits the piece that is being filled.
    fn small(&mut self, file: BorrowedFd<'_>, meta: &Meta, segments: &[(u64, u64)], again: bool) -> Result<Came, Stop> {
        let mut rest = self.writer.room()?;
        let whole = rest.len();
        let mut got = Ok(Read::Whole);
        for &(offset, length) in segments {
            let length = usize::try_from(length).unwrap_or(usize::MAX).min(rest.len());
            let (room, behind) = rest.split_at_mut(length);
            got = worse(got, fill(file, room, offset));
            rest = behind;
        }
        let came = came(file, meta, got);
        if again && came == Came::Changed {
            return Ok(Came::Undone);
        }
        self.writer.filled(whole)?;
        Ok(came)
    }

    /// Reads a file piece by piece.
    fn large(&mut self, file: BorrowedFd<'_>, meta: &Meta, segments: &[(u64, u64)]) -> Result<Came, Stop> {
        let mut got = Ok(Read::Whole);
        for &(mut offset, mut length) in segments {
            while length > 0 {
                let room = self.writer.room()?;
                let count = room.len().min(usize::try_from(length).unwrap_or(usize::MAX));
                got = worse(got, fill(file, &mut room[..count], offset));
                self.writer.filled(count)?;
                self.news.tell(self.writer.counts());
                offset += count as u64;
                length -= count as u64;
            }
        }
        Ok(came(file, meta, got))
    }
}

/// What reading gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    /// All that was wanted.
    Whole,
    /// The file ended before; zeros stand in place of the rest.
    Short,
}

/// Fills room with what stands at an offset of a file, and with zeros where there is nothing or it cannot be read.
fn fill(file: BorrowedFd<'_>, room: &mut [u8], mut offset: u64) -> Result<Read, Errno> {
    let mut rest = room;
    while !rest.is_empty() {
        let count = match retry_on_intr(|| pread(file, &mut *rest, offset)) {
            Ok(count) => count,
            Err(errno) => {
                rest.fill(0);
                return Err(errno);
            }
        };
        if count == 0 {
            rest.fill(0);
            return Ok(Read::Short);
        }
        offset += count as u64;
        rest = &mut rest[count..];
    }
    Ok(Read::Whole)
}

/// The first error, else the first end.
fn worse(one: Result<Read, Errno>, other: Result<Read, Errno>) -> Result<Read, Errno> {
    match (one, other) {
        (Err(errno), _) | (_, Err(errno)) => Err(errno),
        (Ok(Read::Whole), other) => other,
        (short, _) => short,
    }
}

/// Whether a file that was read is as it was when it was opened. An empty one was read by looking at it.
fn came(file: BorrowedFd<'_>, then: &Meta, got: Result<Read, Errno>) -> Came {
    match got {
        Err(errno) => Came::Failed(errno),
        Ok(Read::Whole) if then.size == 0 => Came::Whole,
        Ok(read) => match Meta::of(file) {
            Err(errno) => Came::Failed(errno),
            Ok(now) => {
                let same = (now.size, now.mtime, now.ctime) == (then.size, then.mtime, then.ctime);
                if same && read == Read::Whole {
                    Came::Whole
                } else {
                    Came::Changed
                }
            }
        },
    }
}
