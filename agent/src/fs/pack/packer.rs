//! Puts entries into an archive: what they all have in common, and those without contents.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::readlinkat;
use rustix::io::Errno;

use super::links::Links;
use super::xattrs::{self, Of};
use super::{Lacks, News, Stop};
use crate::archive::press::Feed;
use crate::archive::{Entry, Form, Writer};
use crate::fs::meta::Meta;
use crate::fs::resolve::Resolver;
use crate::proto::Kind;
use crate::proto::archive::{Packed, Want};

/// An archive that is written, and the tree that it is made of.
pub(super) struct Packer<'a> {
    pub(super) writer: Writer<Feed>,
    pub(super) resolver: Resolver,
    /// The packed place.
    pub(super) top: Meta,
    /// The entry whose turn it is; its path is below the place.
    pub(super) entry: Entry,
    pub(super) links: Links,
    pub(super) lacks: Lacks,
    pub(super) xattrs: xattrs::Reader,
    pub(super) news: &'a News,
    /// Whether opening without touching access times is allowed; asked anew in every directory.
    pub(super) quiet: bool,
}

/// What an inode says of its entry, but for path, contents, target and attributes.
pub(super) fn entry_of(meta: &Meta) -> Entry {
    let form = match meta.kind() {
        Kind::Dir => Form::Dir,
        Kind::Fifo => Form::Fifo,
        Kind::CharDevice => Form::CharDevice { dev: meta.rdev },
        Kind::BlockDevice => Form::BlockDevice { dev: meta.rdev },
        Kind::Symlink => Form::Symlink { target: Vec::new() },
        Kind::File | Kind::Socket | Kind::Unknown => Form::File {
            size: meta.size,
            map: None,
        },
    };
    Entry {
        path: Vec::new(),
        form,
        mode: meta.mode & 0o7777,
        uid: meta.uid,
        gid: meta.gid,
        mtime: meta.mtime,
        xattrs: Vec::new(),
        acl_cut: false,
    }
}

impl<'a> Packer<'a> {
    pub(super) fn new(writer: Writer<Feed>, resolver: Resolver, top: Meta, news: &'a News) -> Self {
        Self {
            writer,
            resolver,
            top,
            entry: entry_of(&top),
            links: Links::default(),
            lacks: Lacks::default(),
            xattrs: xattrs::Reader::default(),
            news,
            quiet: true,
        }
    }

    /// Writes an entry without contents.
    pub(super) fn put(&mut self, entry: &Entry) -> Result<(), Stop> {
        self.writer.entry(entry)?;
        self.news.tell(self.writer.counts());
        Ok(())
    }

    /// Writes the entry whose turn it is, which has no contents.
    pub(super) fn put_this(&mut self) -> io::Result<()> {
        self.writer.entry(&self.entry)?;
        self.news.tell(self.writer.counts());
        Ok(())
    }

    /// Takes everything of an inode over into the entry whose turn it is but its path, attributes and target.
    pub(super) fn take(&mut self, meta: &Meta) {
        let path = std::mem::take(&mut self.entry.path);
        let xattrs = std::mem::take(&mut self.entry.xattrs);
        self.entry = Entry {
            path,
            xattrs,
            ..entry_of(meta)
        };
    }

    /// Reads the attributes of the entry whose turn it is; what cannot be read is wanting.
    pub(super) fn read_xattrs(&mut self, of: Of<'_>) {
        if let Err(errno) = self.xattrs.read(of, &mut self.entry.xattrs) {
            self.entry.xattrs.clear();
            self.lacks.add(&self.entry.path, Want::Unreadable(errno.raw_os_error()));
        }
    }

    /// Writes the top, which is a directory.
    pub(super) fn top_dir(&mut self, dir: &OwnedFd) -> Result<Entry, Stop> {
        self.read_xattrs(Of::Open(dir.as_fd()));
        self.put_this()?;
        Ok(self.entry.clone())
    }

    /// Writes a directory below the top that was opened. Whether it belongs to the tree.
    pub(super) fn dir(&mut self, dir: BorrowedFd<'_>) -> Result<bool, Stop> {
        match Meta::of(dir) {
            Ok(meta) if self.is_foreign(&meta) => {
                self.lacks.add(&self.entry.path, Want::OtherMount);
                return Ok(false);
            }
            Ok(meta) => self.take(&meta),
            Err(errno) => {
                self.lacks.fail(&self.entry.path, errno);
                return Ok(false);
            }
        }
        self.read_xattrs(Of::Open(dir));
        self.put_this()?;
        Ok(true)
    }

    /// Writes an entry that is not opened: a link, a pipe, a device; or a directory that cannot be.
    pub(super) fn unopened(&mut self, dir: BorrowedFd<'_>, name: &CStr) -> Result<(), Stop> {
        let meta = match Meta::at(dir, name) {
            Ok(meta) => meta,
            Err(errno) => {
                self.lacks.fail(&self.entry.path, errno);
                return Ok(());
            }
        };
        if self.is_foreign(&meta) {
            self.lacks.add(&self.entry.path, Want::OtherMount);
            return Ok(());
        }
        let kind = meta.kind();
        match kind {
            Kind::Socket => {
                self.lacks.add(&self.entry.path, Want::Socket);
                return Ok(());
            }
            // A file took the name meanwhile.
            Kind::File | Kind::Unknown => {
                self.lacks.fail(&self.entry.path, Errno::NOENT);
                return Ok(());
            }
            _ if kind != Kind::Dir && self.is_linked(&meta)? => return Ok(()),
            _ => self.take(&meta),
        }
        if kind == Kind::Symlink {
            match readlinkat(dir, name, Vec::new()) {
                Ok(target) => {
                    self.entry.form = Form::Symlink {
                        target: target.into_bytes(),
                    }
                }
                Err(errno) => {
                    // It is no link any more.
                    let errno = if errno == Errno::INVAL { Errno::NOENT } else { errno };
                    self.lacks.fail(&self.entry.path, errno);
                    return Ok(());
                }
            }
        }
        self.read_xattrs(Of::Name(dir, name));
        self.put_this()?;
        self.keep_link(&meta);
        Ok(())
    }

    /// Whether something stands on another mount.
    fn is_foreign(&self, meta: &Meta) -> bool {
        let moved = matches!((meta.mount, self.top.mount), (Some(here), Some(top)) if here != top);
        moved || meta.foreign_to(&self.top)
    }

    /// Writes another name of a file that is in the archive; `false` when it is not.
    pub(super) fn is_linked(&mut self, meta: &Meta) -> Result<bool, Stop> {
        let first = if meta.nlink > 1 { self.links.first(meta) } else { None };
        let Some(target) = first else { return Ok(false) };
        self.take(meta);
        self.entry.xattrs.clear();
        self.entry.form = Form::Hardlink { target };
        self.put_this()?;
        Ok(true)
    }

    /// Keeps the name of what was just written, for other names of the same file.
    pub(super) fn keep_link(&mut self, meta: &Meta) {
        if meta.nlink > 1 && !meta.is_dir() {
            let path = &self.entry.path;
            let base = path.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
            self.links.keep(meta, &path[..base.saturating_sub(1)], &path[base..]);
        }
    }

    /// Ends the archive.
    pub(super) fn finish(mut self, top: &Entry) -> Result<Packed, Stop> {
        let (counts, digest) = self.writer.end(top)?;
        self.news.tell(counts);
        let mut packed = Packed {
            counts,
            digest,
            ..Packed::default()
        };
        self.lacks.tell(&mut packed);
        Ok(packed)
    }
}
