//! Makes the entries of an archive in a root, so that either the old or the new contents stand there whatever happens.
//! This file sees to the order of things; [`make`] makes entries, [`swap`] exchanges old for new, [`mend`] finishes what was
//! killed.
//!
//! Staged, all is made in `.vole-new-ID/new` in the root. A `commit` record is the point of no return: before it, whoever
//! mends removes the staging directory; after it, he goes on. Names that begin with `.vole-new-`, and `lost+found`, are no
//! contents of a root.

mod clear;
mod lacks;
mod make;
mod mend;
mod names;
mod plan;
mod record;
mod stamp;
mod swap;
#[cfg(test)]
mod swap_tests;
mod tree;

use std::cell::RefCell;
use std::ffi::CStr;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::thread;

use rustix::fs::{FlockOperation, OFlags, flock, syncfs};
use rustix::io::Errno;

use self::lacks::Lacks;
use self::make::Maker;
use self::names::{Names, STAGING};
use self::stamp::Stamp;
use self::swap::{Staging, Stop};
use self::tree::{Failed, Tree};
use super::{Roots, fault, mounts};
use crate::archive::read::{Broken, Damage, Opened, Pipe, Reader, Wrong, shown};
use crate::fs::resolve::Resolver;
use crate::proto::archive::{Placing, Unpack, UnpackItem, Unpacked};
use crate::proto::{Fault, Place, Reply};
use crate::serve::{Halt, Sink};

/// See [`proto::archive::TAKEN`](crate::proto::archive::TAKEN).
const TAKEN: Errno = Errno::ALREADY;
/// Where an ext file system puts what it finds again.
const LOST_AND_FOUND: &CStr = c"lost+found";

impl Roots {
    /// See [`crate::proto::Request::Unpack`]. In place, what was there is gone when it fails.
    pub(super) fn unpack(&self, unpack: &Unpack, sink: &Sink) -> Result<Vec<Fault>, Halt> {
        // What is half made is taken away again even when the client is gone.
        let Some(_begun) = sink.begin() else {
            return Err(Halt::Cancelled);
        };
        self.extract(unpack, sink.input(), sink)
    }

    /// Makes the entries of an archive that `input` reads, for whoever `client` is.
    ///
    /// # Errors
    ///
    /// Why the old contents stand, or none; or what `client` returns.
    pub fn extract(&self, unpack: &Unpack, input: impl Read + Send, client: &dyn Client) -> Result<Vec<Fault>, Halt> {
        let names = Names::new(unpack)?;
        let fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if unpack.id.is_empty() || unpack.id.len() > 64 || !unpack.id.bytes().all(fit) {
            return Err(told(b"", Errno::INVAL, "the name of the staging directory is none").into());
        }
        let root = self.landing(unpack.root)?;
        // Whoever mends the earlier one later would bring its contents in the place of these.
        if let Some(left) = mend::left(&root)? {
            let why = "an earlier restore into it was cut short; `vole recover` has to bring that to an end first";
            return Err(told(&left, TAKEN, why).into());
        }
        let job = Job {
            resolver: self.resolver,
            root,
            unpack,
            names: &names,
            client,
        };
        match unpack.placing {
            Placing::Fresh | Placing::InPlace => job.direct(input),
            Placing::Staged => job.staged(input),
        }
    }

    /// Opens a root to make something in it.
    fn landing(&self, index: u32) -> Result<OwnedFd, Fault> {
        let at = Place {
            root: index,
            path: Vec::new(),
        };
        let root = self.root(&at)?;
        let top = root.fd()?;
        if root.info.read_only {
            return Err(fault(b"", Errno::ROFS, "unpacking"));
        }
        if let Some(point) = mounts::beneath(top) {
            return Err(told(
                &point,
                Errno::BUSY,
                "something is mounted there; unmount it first",
            ));
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let opened = self.resolver.open(top, b"", flags);
        let dir = opened.map_err(|errno| fault(b"", errno, "opening the root"))?;
        // Held as long as the directory is open, so it goes with a process that is killed.
        match flock(&dir, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::AGAIN) => Err(told(b"", TAKEN, "another restore writes to it")),
            // A file system without locks has none to break.
            Ok(()) | Err(_) => Ok(dir),
        }
    }
}

/// Whoever wants an archive unpacked.
pub trait Client {
    /// Takes news.
    ///
    /// # Errors
    ///
    /// [`Halt::Cancelled`] when nobody takes them any more.
    fn tell(&self, item: UnpackItem) -> Result<(), Halt>;

    /// Whether it does not want it any more.
    fn is_cancelled(&self) -> bool;

    /// Waits until the new contents may take the place of the old ones.
    ///
    /// # Errors
    ///
    /// [`Halt::Cancelled`] when they may not.
    fn confirmed(&self) -> Result<(), Halt>;

    /// No more of the archive is wanted: whoever waits for its bytes sees its end.
    fn close_input(&self);
}

impl Client for Sink {
    fn tell(&self, item: UnpackItem) -> Result<(), Halt> {
        self.send(Reply::Unpack(item))
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled()
    }

    fn confirmed(&self) -> Result<(), Halt> {
        Self::confirmed(self, 1)
    }

    fn close_input(&self) {
        Self::close_input(self);
    }
}

/// One unpacking.
struct Job<'a> {
    resolver: Resolver,
    root: OwnedFd,
    unpack: &'a Unpack,
    names: &'a Names,
    client: &'a dyn Client,
}

/// What was made.
struct Filled {
    tree: Tree,
    top: Option<Stamp>,
    unpacked: Unpacked,
}

impl Job<'_> {
    /// Makes the entries where they stay.
    fn direct(&self, input: impl Read + Send) -> Result<Vec<Fault>, Halt> {
        let before = RefCell::new(None);
        let result = self.fill(input, || {
            let stamp = Stamp::read(&self.root).map_err(|errno| fault(b"", errno, "looking at the root"))?;
            self.await_room()?;
            // From here on a failure takes back what was done.
            *before.borrow_mut() = Some(stamp);
            if self.unpack.placing == Placing::InPlace {
                self.remove()?;
            }
            tree::open_up(&self.root).map_err(|errno| fault(b"", errno, "preparing the root"))?;
            let base = self.root.try_clone();
            let base = base.map_err(|error| fault(b"", code(&error), "opening the root"))?;
            let shared = self.unpack.placing == Placing::InPlace && !self.names.only().is_empty();
            Ok(Tree::new(self.resolver, base, shared))
        });
        let Some(before) = before.into_inner() else {
            return result.map(|_| Vec::new());
        };
        let result = result.and_then(|filled| self.settle(filled, &before));
        match result {
            Ok(()) => Ok(Vec::new()),
            Err(halt) => Err(self.unmake(&before, halt)),
        }
    }

    /// Makes sure that there is nothing in the way, or that it may be removed.
    fn await_room(&self) -> Result<(), Halt> {
        if self.unpack.placing == Placing::InPlace {
            return self.client.confirmed();
        }
        let mut there = None;
        let looked = clear::each(&self.root, |name| {
            let counts = name != LOST_AND_FOUND;
            there = counts.then(|| name.to_bytes().to_vec());
            !counts
        });
        looked.map_err(|errno| fault(b"", errno, "looking at what is there"))?;
        match there {
            Some(name) => Err(told(&name, TAKEN, "something is there already").into()),
            None => Ok(()),
        }
    }

    /// Removes what is unpacked anew, or what was.
    fn remove(&self) -> Result<(), Fault> {
        let left = |(path, errno): clear::Left| fault(&path, errno, "removing what is there");
        if self.names.only().is_empty() {
            return clear::contents(self.resolver, &self.root, &is_reserved, &mut || Ok(())).map_err(left);
        }
        for path in self.names.only() {
            match self.resolver.parent(&self.root, path) {
                Ok((dir, name)) => clear::tree(self.resolver, &dir, &name, &mut || Ok(())).map_err(left)?,
                Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(errno) => return Err(fault(path, errno, "removing what is there")),
            }
        }
        Ok(())
    }

    /// Gives the root what it gets, and waits for the disk.
    fn settle(&self, mut filled: Filled, before: &Stamp) -> Result<(), Halt> {
        let whole = self.names.only().is_empty() || self.unpack.placing == Placing::Fresh;
        let stamp = filled.top.as_ref().filter(|_| whole).unwrap_or(before);
        let lacks = &mut filled.tree.lacks;
        let given = stamp.give_root(&self.root, &mut |errno| lacks.refused(b"", errno));
        given.map_err(|errno| fault(b"", errno, "setting the root's owner, mode and time"))?;
        self.ready(filled)
    }

    fn ready(&self, filled: Filled) -> Result<(), Halt> {
        syncfs(&self.root).map_err(|errno| fault(b"", errno, "waiting for the disk"))?;
        let lacks = filled.tree.lacks;
        let unpacked = Unpacked {
            lacking: lacks.count,
            lacks: lacks.first,
            ..filled.unpacked
        };
        self.client.tell(UnpackItem::Ready(unpacked))
    }

    /// Takes away again what was made before it failed.
    fn unmake(&self, before: &Stamp, halt: Halt) -> Halt {
        let cleared = self.remove().and_then(|()| {
            let given = before.give_root(&self.root, &mut |_| {});
            given.map_err(|errno| fault(b"", errno, "giving the root back its owner and mode"))
        });
        and_then_failed(halt, cleared)
    }

    /// Makes the entries aside, and exchanges them for what is there.
    fn staged(&self, input: impl Read + Send) -> Result<Vec<Fault>, Halt> {
        let staging = RefCell::new(None);
        let filled = self.fill(input, || {
            let made = Staging::create(self.resolver, &self.root, &self.unpack.id)?;
            let base = made.new_dir()?;
            *staging.borrow_mut() = Some(made);
            Ok(Tree::new(self.resolver, base, false))
        });
        let Some(mut staging) = staging.into_inner() else {
            return filled.map(|_| Vec::new());
        };
        let swapped = filled.and_then(|mut filled| {
            let top = filled.top.take();
            let plan = staging.plan(self.names.only(), top)?;
            self.ready(filled)?;
            self.client.confirmed()?;
            if self.client.is_cancelled() {
                return Err(Halt::Cancelled);
            }
            staging.swap(&plan).map_err(Stop::halt)
        });
        match swapped {
            Ok(notes) => Ok(notes),
            // What was committed and could not be taken back is left to whoever mends.
            Err(halt) if staging.is_committed() => Err(halt),
            Err(halt) => {
                let removed = staging.remove(&mut || Ok(())).map_err(Stop::fault);
                Err(and_then_failed(halt, removed))
            }
        }
    }

    /// Reads the archive to its end and makes what is in it. `prepare` is called once its first entry is known.
    fn fill(&self, input: impl Read + Send, prepare: impl FnOnce() -> Result<Tree, Halt>) -> Result<Filled, Halt> {
        let opened = Opened::new(input).map_err(|Broken { kind, what }| {
            broken(Damage {
                kind,
                path: Vec::new(),
                offset: 0,
                what,
            })
        })?;
        thread::scope(|scope| {
            let pipe = Pipe::start(scope, opened);
            let pipe = pipe.map_err(|error| fault(b"", code(&error), "starting a thread"))?;
            let filled = self.entries(Reader::new(pipe), prepare);
            if filled.is_err() {
                // The thread may wait for bytes that nobody needs any more.
                self.client.close_input();
            }
            filled
        })
    }

    fn entries(&self, mut reader: Reader<Pipe>, prepare: impl FnOnce() -> Result<Tree, Halt>) -> Result<Filled, Halt> {
        let first = reader.next().map_err(broken)?;
        if reader.head().is_none() && !self.unpack.foreign {
            let why = "it was not written by vole: nothing in it tells whether it is whole";
            return Err(told(b"", Errno::BADMSG, why).into());
        }
        let Some(first) = first else {
            return Err(told(b"", Errno::BADMSG, "there is nothing in the archive").into());
        };
        let mut maker = Maker::new(prepare()?, self.names, self.client);
        let mut next = Some(first);
        while let Some(entry) = next {
            maker.entry(&entry, &mut reader)?;
            next = reader.next().map_err(broken)?;
        }
        maker.complete()?;
        let Maker { tree, top, made, .. } = maker;
        let unpacked = Unpacked {
            made,
            held: reader.counts(),
            digest: reader.digest(),
            ..Unpacked::default()
        };
        Ok(Filled { tree, top, unpacked })
    }
}

/// Whether a name at the top of a root is none of its contents.
fn is_reserved(name: &CStr) -> bool {
    name == LOST_AND_FOUND || name.to_bytes().starts_with(STAGING)
}

/// A fault with an error number and words of its own.
fn told(path: &[u8], errno: Errno, message: &str) -> Fault {
    Fault {
        errno: Some(errno.raw_os_error()),
        path: super::shortened(path),
        message: message.to_owned(),
    }
}

fn failed((path, tried, errno): Failed) -> Halt {
    fault(&path, errno, tried).into()
}

/// What is wrong with the archive: `EBADMSG` says that it is the archive, `ENOTSUP` that it is not understood.
fn broken(damage: Damage) -> Halt {
    let errno = match damage.kind {
        Wrong::Cancelled => return Halt::Cancelled,
        Wrong::Truncated | Wrong::Corrupt => Errno::BADMSG,
        Wrong::Unsupported => Errno::NOTSUP,
        Wrong::Unread => Errno::IO,
    };
    told(&damage.path, errno, &damage.to_string()).into()
}

/// What failed, and what failed when it was to be taken back.
fn and_then_failed(halt: Halt, taken_back: Result<(), Fault>) -> Halt {
    match (halt, taken_back) {
        (halt, Ok(())) => halt,
        (Halt::Fault(mut fault), Err(after)) => {
            fault.message = format!("{}; then, taking it back: {}", fault.message, after.message);
            fault.into()
        }
        (Halt::Cancelled, Err(after)) => after.into(),
    }
}

fn code(error: &std::io::Error) -> Errno {
    Errno::from_raw_os_error(error.raw_os_error().unwrap_or(0))
}
