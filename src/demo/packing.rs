//! Packs the demo's trees into real archives, with the agent's own writer. Knows nothing of engines.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use vole_agent::archive::press::{self, Feed};
use vole_agent::archive::{Entry, Form, Writer};
use vole_agent::proto::archive::{Counts, Lack, Pack, PackItem, Packed, Want};
use vole_agent::proto::{Fault, Kind, Place, Reply};
use vole_agent::serve::{Halt, Sink};

use super::backend::Trees;
use super::tree::{Node, fault};
use super::usage::{joined, totals};

/// What is made up for an archive goes to a real disk: more than this is not.
const MOST: u64 = 512 << 20;
/// Bytes of an archive in one reply.
const CHUNK: usize = 256 << 10;
/// Bytes of a file that are made up at once.
const PART: u64 = 256 << 10;
/// Time between two words of progress.
const PROGRESS: Duration = Duration::from_millis(100);

/// Why packing ended before its end.
struct Stop(Halt);

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        let errno = error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error);
        Self(Halt::Fault(fault(errno, b"", "writing the archive")))
    }
}

/// Packs a tree.
pub(super) fn pack(trees: &Trees, pack: &Pack, sink: &Sink) -> Result<Vec<Fault>, Halt> {
    let node = trees.node(&pack.at)?;
    let size = totals(&node).apparent;
    if size > MOST {
        return Err(Halt::Fault(Fault {
            errno: None,
            path: pack.at.path.clone(),
            message: format!(
                "the demo would have to make up {} MiB and write them to this machine's disk; it copies at most {} MiB",
                size >> 20,
                MOST >> 20
            ),
        }));
    }
    let news = Mutex::new(Counts::default());
    let mut told = Instant::now();
    let packed = press::run(
        pack.compression,
        2,
        |feed, piece| {
            let mut packer = Packer {
                writer: Writer::over(feed, piece, &pack.head)?,
                packed: Packed::default(),
                leave: &pack.leave,
                links: HashMap::new(),
                news: &news,
            };
            let mut top = entry_of(&node, b"");
            if node.kind() == Kind::Dir {
                packer.writer.entry(&top)?;
                packer.contents(&node, b"")?;
            } else {
                // A file by itself stands in a directory that root owns, as the agent packs it.
                (top.form, top.mode, top.uid, top.gid) = (Form::Dir, 0o755, 0, 0);
                packer.writer.entry(&top)?;
                packer.one(&node, trees.base_name(&pack.at)?)?;
            }
            (packer.packed.counts, packer.packed.digest) = packer.writer.end(&top)?;
            Ok(packer.packed)
        },
        |bytes| {
            if sink.cancelled() {
                return Err(Stop(Halt::Cancelled));
            }
            if told.elapsed() >= PROGRESS {
                told = Instant::now();
                let counts = *news.lock().unwrap_or_else(PoisonError::into_inner);
                sink.send(Reply::Pack(PackItem::Progress(counts))).map_err(Stop)?;
            }
            let mut chunks = bytes.unwrap_or_default().chunks(CHUNK);
            chunks.try_for_each(|chunk| sink.send_packed(chunk).map_err(Stop))
        },
    );
    let packed = packed.map_err(|Stop(halt)| halt)?;
    sink.send(Reply::Pack(PackItem::Packed(packed)))?;
    Ok(Vec::new())
}

impl Trees {
    /// What a file that is packed by itself is called.
    fn base_name(&self, at: &Place) -> Result<Vec<u8>, Stop> {
        let root = usize::try_from(at.root).ok().and_then(|root| self.roots.get(root));
        let above = root.map(|root| root.path.as_bytes()).unwrap_or_default();
        let last = |path: &[u8]| path.rsplit(|&byte| byte == b'/').next().map(<[u8]>::to_vec);
        let names = [last(&at.path), last(above)].into_iter().flatten();
        let name = names.into_iter().find(|name| !name.is_empty());
        name.ok_or_else(|| {
            Stop(Halt::Fault(fault(
                Errno::INVAL,
                &at.path,
                "finding the name of the file",
            )))
        })
    }
}

/// An archive that is written.
struct Packer<'a> {
    writer: Writer<Feed>,
    packed: Packed,
    leave: &'a [Vec<u8>],
    /// First names of files with several, by inode.
    links: HashMap<u64, Vec<u8>>,
    news: &'a Mutex<Counts>,
}

impl Packer<'_> {
    fn lack(&mut self, path: &[u8], want: Want) {
        self.packed.lacking += 1;
        self.packed.partial += u64::from(want.is_partial());
        if self.packed.lacks.len() < 1000 {
            let path = path.to_vec();
            self.packed.lacks.push(Lack { path, want });
        }
    }

    /// Writes what is in a directory, or in a file.
    fn contents(&mut self, node: &Node, path: &[u8]) -> Result<(), Stop> {
        if let Some(contents) = node.contents() {
            let size = entry_of(node, path).form.stored();
            let mut at = 0;
            while at < size {
                let wanted = usize::try_from(PART.min(size - at)).unwrap_or(0);
                let part = contents.read(node.mtime(), at, wanted);
                if part.is_empty() {
                    break;
                }
                at += part.len() as u64;
                self.writer.contents(&part)?;
            }
            self.writer.zeros()?;
            *self.news.lock().unwrap_or_else(PoisonError::into_inner) = self.writer.counts();
            return Ok(());
        }
        if node.kind() != Kind::Dir {
            return Ok(());
        }
        if let Err(errno) = node.enterable() {
            self.lack(path, Want::Unreadable(errno.raw_os_error()));
            return Ok(());
        }
        let mut failed = Ok(());
        node.each_child(&mut |child| {
            failed = self.one(child, joined(path, &child.name));
            failed.is_ok()
        });
        failed
    }

    /// Writes an entry and what is in it.
    fn one(&mut self, node: &Node, path: Vec<u8>) -> Result<(), Stop> {
        if node.is_other_fs() || self.leave.contains(&path) {
            self.lack(&path, Want::OtherMount);
            return Ok(());
        }
        if node.kind() == Kind::Socket {
            self.lack(&path, Want::Socket);
            return Ok(());
        }
        let mut entry = entry_of(node, &path);
        let told = node.entry();
        if told.nlink > 1 && told.kind == Kind::File {
            if let Some(first) = self.links.get(&told.ino) {
                entry.form = Form::Hardlink { target: first.clone() };
                self.writer.entry(&entry)?;
                return Ok(());
            }
            self.links.insert(told.ino, path.clone());
        }
        self.writer.entry(&entry)?;
        self.contents(node, &path)
    }
}

/// A node as an archive's entry.
fn entry_of(node: &Node, path: &[u8]) -> Entry {
    let told = node.entry();
    let form = match told.kind {
        Kind::Dir => Form::Dir,
        Kind::Symlink => Form::Symlink {
            target: told.target.unwrap_or_default(),
        },
        Kind::Fifo => Form::Fifo,
        Kind::CharDevice => Form::CharDevice { dev: (0, 0) },
        Kind::BlockDevice => Form::BlockDevice { dev: (0, 0) },
        Kind::File | Kind::Socket | Kind::Unknown => Form::File {
            size: told.size,
            map: None,
        },
    };
    Entry {
        path: path.to_vec(),
        form,
        mode: told.mode,
        uid: told.uid,
        gid: told.gid,
        mtime: told.mtime,
        xattrs: Vec::new(),
        acl_cut: false,
    }
}
