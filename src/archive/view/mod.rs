//! An archive as a tree that is browsed like a volume: answers the agent's protocol out of one file, which it only reads.
//! Knows no engines and no screens.
//!
//! It is read once to learn what is in it. Contents are decompressed anew when somebody wants them: of an archive of
//! vole's from the piece on that they stand in, of another one from its start.

mod contents;
mod frames;
mod index;
mod search;
mod usage;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::Errno;
use vole_agent::archive::read::{Damage, Opened, Reader};
use vole_agent::proto::archive::Counts;
use vole_agent::proto::{Cursor, Fault, FileSystem, Hello, Kind, Order, Page, Place, Reply, Request, RootInfo};
use vole_agent::serve::{Backend, Halt, Sink};

use frames::Frames;
use index::{Builder, Index};

/// The most entries in a page.
const PAGE_LIMIT: u32 = 4096;

/// Why an archive cannot be browsed.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The file cannot be read.
    #[error("cannot read {}: {cause}", path.display())]
    Unread {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// It has more entries than are held at once.
    #[error("{} has more entries than can be browsed; vole restore --path brings single ones back", .0.display())]
    TooMany(PathBuf),
    /// Whoever opened it does not want it any more.
    #[error("cancelled")]
    Cancelled,
}

/// An archive that is browsed.
#[derive(Debug)]
pub struct View {
    path: PathBuf,
    index: Index,
    frames: Frames,
    damage: Option<Damage>,
    /// The directory that was listed last, in its order: pages of large ones come one after the other.
    listed: Mutex<Option<Listed>>,
}

#[derive(Debug)]
struct Listed {
    dir: u32,
    order: Order,
    rows: Arc<[u32]>,
}

impl View {
    /// Reads through an archive. One that is damaged is shown as far as it can be read, see [`View::damage`]. `go_on` hears
    /// what was read so far and says whether to go on.
    ///
    /// # Errors
    ///
    /// See [`ViewError`].
    pub fn open(path: &Path, mut go_on: impl FnMut(Counts) -> bool) -> Result<Self, ViewError> {
        let unread = |cause: String| ViewError::Unread {
            path: path.to_owned(),
            cause,
        };
        let file = File::open(path).map_err(|error| unread(error.to_string()))?;
        let frames = Frames::of(&file);
        let opened = Opened::new(file).map_err(|broken| unread(broken.what))?;
        let mut reader = Reader::new(opened);
        let mut builder = Builder::new();
        let damage = loop {
            match reader.next() {
                Ok(Some(entry)) => {
                    if !go_on(reader.counts()) {
                        return Err(ViewError::Cancelled);
                    }
                    let data = reader.offset();
                    builder
                        .add(entry, data)
                        .map_err(|_| ViewError::TooMany(path.to_owned()))?;
                }
                Ok(None) => break None,
                Err(damage) => break Some(damage),
            }
        };
        Ok(Self {
            path: path.to_owned(),
            index: builder.finish(),
            frames,
            damage,
            listed: Mutex::new(None),
        })
    }

    /// What is wrong with the archive; `None` when all of it was read and is whole.
    pub fn damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }

    /// Entries that are not shown, as their names lead out of the tree.
    pub fn hidden(&self) -> u64 {
        self.index.odd
    }

    fn row(&self, at: &Place) -> Result<u32, Fault> {
        let found = (at.root == 0).then(|| self.index.find(&at.path)).flatten();
        found.ok_or_else(|| fault(Errno::NOENT, &at.path, "it is not in the archive"))
    }

    fn list(&self, at: &Place, order: Order, after: Option<&Cursor>, limit: u32) -> Result<Page, Fault> {
        let dir = self.row(at)?;
        if self.index.row(dir).kind != Kind::Dir {
            return Err(fault(Errno::NOTDIR, &at.path, "it is no directory"));
        }
        let start = match after {
            None => 0,
            Some(Cursor(bytes)) => <[u8; 8]>::try_from(bytes.as_slice())
                .ok()
                .and_then(|index| usize::try_from(u64::from_le_bytes(index)).ok())
                .ok_or_else(|| fault(Errno::INVAL, &at.path, "a list is continued that was not begun"))?,
        };
        let rows = self.ordered(dir, order);
        let start = start.min(rows.len());
        let end = start
            .saturating_add(limit.clamp(1, PAGE_LIMIT) as usize)
            .min(rows.len());
        Ok(Page {
            entries: rows[start..end].iter().map(|&row| self.index.entry(row)).collect(),
            total: rows.len() as u64,
            next: (end < rows.len()).then(|| Cursor((end as u64).to_le_bytes().to_vec())),
        })
    }

    /// The entries of a directory in an order.
    fn ordered(&self, dir: u32, order: Order) -> Arc<[u32]> {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listed) = listed
            .as_ref()
            .filter(|listed| listed.dir == dir && listed.order == order)
        {
            return Arc::clone(&listed.rows);
        }
        let index = &self.index;
        let mut rows = index.children(dir).to_vec();
        // They come by name, and the sort keeps what is equal in that order.
        rows.sort_by(|&one, &other| {
            let (a, b) = (index.entry_key(one), index.entry_key(other));
            let within = match order {
                Order::Name => std::cmp::Ordering::Equal,
                Order::NameDescending => index.name(other).cmp(index.name(one)),
                Order::Size => b.allocated.cmp(&a.allocated),
                Order::Modified => b.mtime.cmp(&a.mtime),
            };
            b.is_dir.cmp(&a.is_dir).then(within)
        });
        let rows: Arc<[u32]> = rows.into();
        *listed = Some(Listed {
            dir,
            order,
            rows: Arc::clone(&rows),
        });
        rows
    }

    fn file_system(&self, root: u32) -> FileSystem {
        FileSystem {
            root,
            dev: (0, 0),
            fs_type: "archive".to_owned(),
            source: bytes_of(&self.path),
            size: 0,
            free: 0,
            available: 0,
            inodes: 0,
            inodes_free: 0,
            fault: Some(fault(Errno::NOTSUP, b"", "an archive has no free space")),
        }
    }
}

impl Backend for View {
    fn hello(&self) -> Hello {
        Hello {
            arch: std::env::consts::ARCH.to_owned(),
            kernel: String::new(),
            openat2: true,
            roots: vec![RootInfo {
                kind: Kind::Dir,
                fault: None,
                dev: (0, 0),
                fs_root: Vec::new(),
                fs_type: "archive".to_owned(),
                source: bytes_of(&self.path),
                read_only: true,
                born: None,
            }],
        }
    }

    fn handle(&self, request: Request, sink: &Sink) -> Result<Vec<Fault>, Halt> {
        match request {
            Request::List {
                at,
                order,
                after,
                limit,
            } => {
                sink.send(Reply::Page(self.list(&at, order, after.as_ref(), limit)?))?;
                Ok(Vec::new())
            }
            Request::Stat { at } => {
                sink.send(Reply::Entry(self.index.entry(self.row(&at)?)))?;
                Ok(Vec::new())
            }
            Request::Read { at, offset, len } => self.read(&at, offset, len, sink),
            Request::Usage { places, depth, .. } => self.usage(&places, depth, sink),
            Request::Find { at, dfa, limit } => self.find(&at, &dfa, limit, sink),
            Request::Grep {
                at,
                dfa,
                limit,
                max_line,
                binary,
            } => {
                let limits = search::Limits {
                    lines: limit,
                    max_line,
                    binary,
                };
                self.grep(&at, &dfa, limits, sink)
            }
            Request::FileSystems { roots } => {
                let rows = roots.into_iter().map(|root| self.file_system(root)).collect();
                sink.send(Reply::FileSystems(rows))?;
                Ok(Vec::new())
            }
            Request::Follow { at, .. } => Err(fault(Errno::NOTSUP, &at.path, "files of an archive do not grow").into()),
            Request::Probe { .. }
            | Request::Census { .. }
            | Request::Own { .. }
            | Request::Undo { .. }
            | Request::Pack(_)
            | Request::Unpack(_)
            | Request::Mend { .. } => Err(fault(Errno::ROFS, b"", "an archive is only read; restore it first").into()),
        }
    }
}

fn bytes_of(path: &Path) -> Vec<u8> {
    std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()).to_vec()
}

/// Says what is the matter with a path.
fn fault(errno: Errno, path: &[u8], message: &str) -> Fault {
    Fault {
        errno: Some(errno.raw_os_error()),
        path: path[..path.len().min(4096)].to_vec(),
        message: message.to_owned(),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
