//! Packs a tree into an archive, as it is found while other programs work in it: what changed meanwhile is told. Opens
//! nothing for writing.
//!
//! The packed place may be a regular file (a bind mount of one): its archive has a top directory that root owns, and the
//! file in it under its own name.

mod file;
mod holes;
mod lacks;
mod links;
mod packer;
mod walk;
mod xattrs;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::archive::press;
use crate::archive::writer::Writer;
use crate::fs::leave::{Bid, Leave};
use crate::fs::meta::Meta;
use crate::fs::{Roots, fault};
use crate::proto::archive::{Counts, Pack, PackItem, Packed};
use crate::proto::{Fault, Kind, Place, Reply};
use crate::serve::{Halt, Sink};
use lacks::Lacks;
use packer::{Packer, entry_of};
use rustix::io::Errno;

/// Bytes of an archive in one reply.
const CHUNK: usize = 256 << 10;
/// Time between two words of progress.
const PROGRESS: Duration = Duration::from_millis(100);
/// Most presses by the agent's own choice: one reader feeds no more.
const PRESSES: usize = 4;

/// Why packing ended before its end.
struct Stop(Halt);

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self(Halt::Fault(Fault {
            errno: error.raw_os_error(),
            path: Vec::new(),
            message: format!("writing the archive: {error}"),
        }))
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self(Halt::Fault(fault))
    }
}

/// What was packed so far, for who delivers.
#[derive(Debug, Default)]
struct News {
    entries: AtomicU64,
    bytes: AtomicU64,
}

impl News {
    fn tell(&self, counts: Counts) {
        self.entries.store(counts.entries, Ordering::Relaxed);
        self.bytes.store(counts.bytes, Ordering::Relaxed);
    }

    fn counts(&self) -> Counts {
        Counts {
            entries: self.entries.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}

/// What comes of an archive that is written.
#[derive(Debug)]
pub enum Coming<'a> {
    /// Its next bytes, at most 256 KiB.
    Data(&'a [u8]),
    /// What else is told of it.
    News(PackItem),
    /// Nothing, for a while.
    Nothing,
}

impl Roots {
    /// See [`crate::proto::Request::Pack`].
    pub(super) fn pack(&self, pack: &Pack, sink: &Sink) -> Result<Vec<Fault>, Halt> {
        self.archive(pack, |coming| match coming {
            Coming::Data(bytes) => sink.send_packed(bytes),
            Coming::News(item) => sink.send(Reply::Pack(item)),
            Coming::Nothing if sink.cancelled() => Err(Halt::Cancelled),
            Coming::Nothing => Ok(()),
        })?;
        Ok(Vec::new())
    }

    /// Writes an archive of a tree; see [`crate::proto::Request::Pack`]. `deliver` gets it piece by piece, and nothing at
    /// least every 100 ms, so that it can cancel.
    ///
    /// # Errors
    ///
    /// What `deliver` returns; and when the place cannot be opened, the compression is not to be had, or no thread can be
    /// started.
    pub fn archive(&self, pack: &Pack, mut deliver: impl FnMut(Coming<'_>) -> Result<(), Halt>) -> Result<(), Halt> {
        let news = News::default();
        let mut told = Instant::now();
        let threads = match usize::try_from(pack.threads).unwrap_or(PRESSES) {
            0 => std::thread::available_parallelism().map_or(1, usize::from).min(PRESSES),
            threads => threads,
        };
        let packed = press::run(
            pack.compression,
            threads,
            |feed, piece| self.write(pack, Writer::over(feed, piece, &pack.head)?, &news),
            |bytes| {
                if told.elapsed() >= PROGRESS {
                    told = Instant::now();
                    deliver(Coming::News(PackItem::Progress(news.counts()))).map_err(Stop)?;
                }
                let Some(bytes) = bytes else {
                    return deliver(Coming::Nothing).map_err(Stop);
                };
                let mut chunks = bytes.chunks(CHUNK);
                chunks.try_for_each(|bytes| deliver(Coming::Data(bytes)).map_err(Stop))
            },
        );
        deliver(Coming::News(PackItem::Packed(packed.map_err(|Stop(halt)| halt)?)))
    }

    /// Writes the tree.
    fn write(&self, pack: &Pack, writer: Writer<press::Feed>, news: &News) -> Result<Packed, Stop> {
        let at = &pack.at;
        let leave = match Leave::of(&pack.leave).at(&at.path) {
            Bid::Walk(leave) => leave,
            Bid::Left => return Err(fault(&at.path, Errno::XDEV, "packing it").into()),
        };
        let found = self.meta(at)?;
        if found.is_dir() {
            let dir = self.quiet_dir(at)?;
            let top = Meta::of(&dir).map_err(|errno| fault(&at.path, errno, "looking at the directory"))?;
            let mut packer = Packer::new(writer, self.resolver, top, news);
            let top = packer.top_dir(&dir)?;
            packer.tree(dir, leave)?;
            return packer.finish(&top);
        }
        if found.kind() != Kind::File {
            let message = "it is neither a directory nor a file, and only those are packed".into();
            let path = at.path.clone();
            return Err(Fault {
                errno: None,
                path,
                message,
            }
            .into());
        }
        let mut packer = Packer::new(writer, self.resolver, found, news);
        let mut top = entry_of(&Meta {
            mode: 0o40755,
            uid: 0,
            gid: 0,
            nlink: 2,
            ..found
        });
        top.path.clear();
        packer.put(&top)?;
        packer.only_file(&self.base_name(at)?, || {
            let errno = |fault: Fault| fault.errno.map_or(Errno::IO, Errno::from_raw_os_error);
            self.regular(at).map(|(file, _)| file).map_err(errno)
        })?;
        packer.finish(&top)
    }

    /// What a file that is packed by itself is called: a root by its name on its file system, as a helper has it under
    /// another.
    fn base_name(&self, at: &Place) -> Result<Vec<u8>, Fault> {
        let last = |path: &[u8]| path.rsplit(|&byte| byte == b'/').next().unwrap_or_default().to_vec();
        let root = self.root(at)?;
        let names = [last(&at.path), last(&root.info.fs_root), root.file_name()];
        let name = names.into_iter().find(|name| !name.is_empty());
        name.ok_or_else(|| fault(&at.path, Errno::INVAL, "finding the name of the file"))
    }
}
