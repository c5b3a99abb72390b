//! Makes one entry of an archive after the other, in the order that keeps what each step gives: data, owner, mode,
//! attributes, time.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ftruncate, linkat, makedev, mknodat, openat, symlinkat};
use rustix::io::{Errno, pwrite, write};

use super::names::{Goes, Names};
use super::stamp::{Stamp, is_grave};
use super::tree::{Tree, split};
use super::{Client, broken, failed, told};
use crate::archive::left::Left;
use crate::archive::read::{Pipe, Reader};
use crate::archive::{Entry, Form};
use crate::fs::meta::Meta;
use crate::proto::archive::{Counts, UnpackItem, Want};
use crate::serve::Halt;

/// How often counts are sent.
const TICK: Duration = Duration::from_millis(100);

/// Makes entries.
pub(super) struct Maker<'a> {
    pub(super) tree: Tree,
    names: &'a Names,
    client: &'a dyn Client,
    /// What the top is to get.
    pub(super) top: Option<Stamp>,
    pub(super) made: Counts,
    /// Which of the wanted paths were met.
    met: Vec<bool>,
    /// What is left of names.
    left: Left,
    next: Instant,
}

impl<'a> Maker<'a> {
    pub(super) fn new(tree: Tree, names: &'a Names, client: &'a dyn Client) -> Self {
        Self {
            tree,
            names,
            client,
            top: None,
            made: Counts::default(),
            met: vec![false; names.only().len()],
            left: Left::of(names.strip()),
            next: Instant::now() + TICK,
        }
    }

    /// Makes an entry where it goes.
    pub(super) fn entry(&mut self, entry: &Entry, reader: &mut Reader<Pipe>) -> Result<(), Halt> {
        self.beat(reader.counts())?;
        let goes = self.names.of(&entry.path);
        match goes.map_err(|why| told(&entry.path, Errno::INVAL, why))? {
            Goes::Nowhere => Ok(()),
            Goes::Reserved => {
                self.tree.lacks.refused(&entry.path, Errno::EXIST);
                Ok(())
            }
            Goes::Above(path) => match entry.form {
                Form::Dir if path.is_empty() => {
                    self.top = Some(Stamp::of(entry));
                    Ok(())
                }
                Form::Dir => self.tree.make(&path, Stamp::of(entry)).map_err(failed),
                _ => Ok(()),
            },
            Goes::To(path) => {
                self.meet(&path);
                self.left.take(path.is_empty());
                self.made.entries += 1;
                self.made.bytes += entry.form.stored();
                if entry.acl_cut {
                    self.tree.lacks.add(&path, Want::AccessList);
                }
                self.make(&path, entry, reader)
            }
        }
    }

    /// Takes note that a wanted path is there.
    fn meet(&mut self, path: &[u8]) {
        for (met, only) in self.met.iter_mut().zip(self.names.only()) {
            let rest = path.strip_prefix(only.as_slice());
            *met = *met || rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/');
        }
    }

    /// Behind the last entry: whether all that was wanted was there.
    pub(super) fn complete(&mut self) -> Result<(), Halt> {
        let missing = self.met.iter().zip(self.names.only()).find(|(met, _)| !**met);
        if let Some((_, path)) = missing {
            return Err(told(path, Errno::NOENT, "it is wanted, but not in the archive").into());
        }
        if let Some(why) = self.left.why_not() {
            return Err(told(b"", Errno::INVAL, &why).into());
        }
        self.tree.finish().map_err(failed)
    }

    /// Tells how far it is, now and then.
    fn beat(&mut self, counts: Counts) -> Result<(), Halt> {
        if self.client.is_cancelled() {
            return Err(Halt::Cancelled);
        }
        if Instant::now() < self.next {
            return Ok(());
        }
        self.next = Instant::now() + TICK;
        self.client.tell(UnpackItem::Progress(counts))
    }

    fn make(&mut self, path: &[u8], entry: &Entry, reader: &mut Reader<Pipe>) -> Result<(), Halt> {
        let stamp = Stamp::of(entry);
        if path.is_empty() {
            if entry.form != Form::Dir {
                return Err(told(&entry.path, Errno::NOTDIR, "the top of the archive is no directory").into());
            }
            self.top = Some(stamp);
            return Ok(());
        }
        match &entry.form {
            Form::Dir => self.tree.make(path, stamp).map_err(failed),
            Form::File { size, map } => self.file(path, &stamp, (*size, map.as_deref()), reader),
            Form::Hardlink { target } => self.link(path, target),
            form => self.special(path, &stamp, form),
        }
    }

    /// Makes a name in its directory; what stands there from an earlier entry is replaced.
    fn named<T>(
        &mut self,
        path: &[u8],
        tried: &'static str,
        make: impl Fn(&OwnedFd, &CStr) -> Result<T, Errno>,
    ) -> Result<Result<T, Errno>, Halt> {
        let (above, name) = split(path);
        let name = CString::new(name).map_err(|_| told(path, Errno::INVAL, tried))?;
        let dir = self.tree.dir(above).map_err(failed)?;
        match make(dir, &name) {
            Err(Errno::EXIST) => {
                self.tree.replace(&name).map_err(failed)?;
                let dir = self.tree.dir(above).map_err(failed)?;
                Ok(make(dir, &name))
            }
            result => Ok(result),
        }
    }

    fn file(
        &mut self,
        path: &[u8],
        stamp: &Stamp,
        (size, map): (u64, Option<&[(u64, u64)]>),
        reader: &mut Reader<Pipe>,
    ) -> Result<(), Halt> {
        const TRIED: &str = "making the file";
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // Often these are the bits that it gets in the end, which saves a call.
        let mode = Mode::from_raw_mode(stamp.mode & 0o777);
        let made = self.named(path, TRIED, |dir, name| openat(dir, name, flags, mode))?;
        let fd = made.map_err(|errno| failed((path.to_vec(), TRIED, errno)))?;
        match map {
            None => self.copy(&fd, path, None, size, reader)?,
            Some(map) => {
                for &(offset, len) in map {
                    self.copy(&fd, path, Some(offset), len, reader)?;
                }
                ftruncate(&fd, size).map_err(|errno| failed((path.to_vec(), "making the sparse file", errno)))?;
            }
        }
        let lacks = &mut self.tree.lacks;
        let given = stamp.give(&fd, &mut |errno| lacks.refused(path, errno));
        given.map_err(|errno| failed((path.to_vec(), "setting its owner, mode and time", errno)))
    }

    /// Copies contents, from an offset or one piece after the other.
    fn copy(
        &mut self,
        fd: &OwnedFd,
        path: &[u8],
        mut offset: Option<u64>,
        mut left: u64,
        reader: &mut Reader<Pipe>,
    ) -> Result<(), Halt> {
        while left > 0 {
            let counts = reader.counts();
            let bytes = reader.contents().map_err(broken)?;
            let most = usize::try_from(left).unwrap_or(usize::MAX);
            let bytes = &bytes[..bytes.len().min(most)];
            let count = bytes.len();
            put(fd.as_fd(), bytes, offset).map_err(|errno| failed((path.to_vec(), "writing the file", errno)))?;
            if count == 0 {
                // The reader sees to it that what a file's length says follows.
                return Err(told(path, Errno::BADMSG, "its contents are too short").into());
            }
            reader.consume(count);
            left -= count as u64;
            offset = offset.map(|offset| offset + count as u64);
            self.beat(counts)?;
        }
        Ok(())
    }

    fn link(&mut self, path: &[u8], target: &[u8]) -> Result<(), Halt> {
        const TRIED: &str = "making the hardlink";
        let missing = |why: &str| Halt::from(told(path, Errno::NOENT, &format!("{why}: {}", super::shown(target))));
        let wanted = match self.names.of(target).map_err(|why| told(target, Errno::INVAL, why))? {
            Goes::To(wanted) if wanted != path && !wanted.is_empty() => wanted,
            Goes::To(_) | Goes::Reserved => return Err(missing("it is a hardlink that leads nowhere")),
            Goes::Above(_) | Goes::Nowhere => {
                return Err(missing(
                    "it is a hardlink to a file that is not among what is unpacked; add that as well",
                ));
            }
        };
        let (resolver, base) = (self.tree.resolver(), self.tree.base());
        let found = resolver.parent(base, &wanted).and_then(|(dir, name)| {
            let meta = Meta::at(&dir, &name)?;
            Ok((dir, name, meta))
        });
        let (target_dir, target_name, meta) = match found {
            Ok(found) => found,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
                return Err(missing("it is a hardlink to a file that does not come before it"));
            }
            Err(errno) => return Err(failed((path.to_vec(), TRIED, errno))),
        };
        if meta.is_dir() {
            return Err(missing("it is a hardlink to a directory"));
        }
        let made = self.named(path, TRIED, |dir, name| {
            linkat(&target_dir, target_name.as_c_str(), dir, name, AtFlags::empty())
        })?;
        self.accept(path, TRIED, made)
    }

    /// Takes it that the kernel refuses an entry, but not that the disk fails.
    fn accept(&mut self, path: &[u8], tried: &'static str, made: Result<(), Errno>) -> Result<(), Halt> {
        match made {
            Ok(()) => Ok(()),
            Err(errno) if is_grave(errno) || errno == Errno::EXIST => Err(failed((path.to_vec(), tried, errno))),
            Err(errno) => {
                self.made.entries -= 1;
                self.tree.lacks.refused(path, errno);
                Ok(())
            }
        }
    }

    fn special(&mut self, path: &[u8], stamp: &Stamp, form: &Form) -> Result<(), Halt> {
        const TRIED: &str = "making the entry";
        let made = self.named(path, TRIED, |dir, name| {
            let node = |kind, (major, minor): (u32, u32)| {
                mknodat(dir, name, kind, Mode::from_raw_mode(0o600), makedev(major, minor))
            };
            match form {
                Form::Symlink { target } => symlinkat(target.as_slice(), dir, name),
                Form::CharDevice { dev } => node(FileType::CharacterDevice, *dev),
                Form::BlockDevice { dev } => node(FileType::BlockDevice, *dev),
                _ => node(FileType::Fifo, (0, 0)),
            }
        })?;
        let there = made.is_ok();
        self.accept(path, TRIED, made)?;
        if !there {
            return Ok(());
        }
        let (above, name) = split(path);
        let name = CString::new(name).map_err(|_| told(path, Errno::INVAL, TRIED))?;
        let mut refused = Vec::new();
        let link = matches!(form, Form::Symlink { .. });
        let dir = self.tree.dir(above).map_err(failed)?;
        let given = stamp.give_name(dir, &name, link, &mut |errno| refused.push(errno));
        given.map_err(|errno| failed((path.to_vec(), "setting its owner, mode and time", errno)))?;
        refused
            .into_iter()
            .for_each(|errno| self.tree.lacks.refused(path, errno));
        Ok(())
    }
}

/// Writes all of some bytes.
fn put(fd: impl AsFd, mut bytes: &[u8], mut offset: Option<u64>) -> Result<(), Errno> {
    let fd = fd.as_fd();
    while !bytes.is_empty() {
        let written = match offset {
            Some(offset) => pwrite(fd, bytes, offset),
            None => write(fd, bytes),
        };
        let count = match written {
            Ok(0) => return Err(Errno::IO),
            Ok(count) => count,
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno),
        };
        bytes = &bytes[count..];
        offset = offset.map(|offset| offset + count as u64);
    }
    Ok(())
}
