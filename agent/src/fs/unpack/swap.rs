//! The exchange of old contents for new ones by renaming, in steps that can each be done again: whoever is killed between
//! two of them left a state from which [`Staging::forward`] goes on, or [`Staging::back`] returns.
//!
//! ```text
//! .vole-new-ID/before    what the root was, for who takes back
//! .vole-new-ID/new/      what was unpacked
//! .vole-new-ID/commit    the plan: old contents go to old/
//! .vole-new-ID/moved     the same file renamed: new contents go to the root
//! .vole-new-ID.done      the directory renamed: all that is left of it is removed
//! ```

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, RenameFlags, fsync, mkdirat, renameat, renameat_with, syncfs};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::names::STAGING;
use super::stamp::{Stamp, set_mtime};
use super::{LOST_AND_FOUND, clear, is_reserved, told, tree};
use crate::fs::fault;
use crate::fs::meta::Meta;
use crate::fs::resolve::Resolver;
use crate::proto::{Fault, Time};
use crate::serve::Halt;

const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);
const BEFORE: &CStr = c"before";
const NEW: &CStr = c"new";
const OLD: &CStr = c"old";
pub(super) const WRITING: &CStr = c"writing";
pub(super) const COMMIT: &CStr = c"commit";
pub(super) const MOVED: &CStr = c"moved";
/// Names that are renamed between two looks at a directory.
const BATCH: usize = 1000;

/// Why an exchange ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// As if this process had been killed: nothing is tidied up. Only tests do that.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "nothing but a test stops an exchange and leaves it")
    )]
    Dead,
    /// Something failed.
    Fault(Fault),
}

impl Stop {
    pub(super) fn fault(self) -> Fault {
        match self {
            Self::Dead => told(b"", Errno::CANCELED, "stopped"),
            Self::Fault(fault) => fault,
        }
    }

    pub(super) fn halt(self) -> Halt {
        self.fault().into()
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What is exchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    /// Only these paths; `None` for everything.
    pub(super) paths: Option<Vec<Vec<u8>>>,
    /// What the root gets.
    pub(super) top: Option<Stamp>,
}

/// Where an exchange is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Old contents move out.
    Commit,
    /// New contents move in.
    Moved,
}

/// Is asked before each step.
pub(super) type Ask<'a> = Box<dyn FnMut() -> Result<(), Stop> + 'a>;

/// A staging directory.
pub(super) struct Staging<'a> {
    pub(super) resolver: Resolver,
    pub(super) root: &'a OwnedFd,
    pub(super) name: CString,
    pub(super) dir: OwnedFd,
    pub(super) ask: Ask<'a>,
}

impl<'a> Staging<'a> {
    /// Makes one in a root.
    pub(super) fn create(resolver: Resolver, root: &'a OwnedFd, id: &str) -> Result<Self, Fault> {
        let name = CString::new([STAGING, id.as_bytes()].concat());
        let name = name.map_err(|_| told(b"", Errno::INVAL, "the name of the staging directory is none"))?;
        let made = |errno| fault(name.to_bytes(), errno, "making the staging directory");
        let before = Stamp::read(root).map_err(made)?;
        mkdirat(root, name.as_c_str(), Mode::RWXU).map_err(made)?;
        // At once, see `set_root_mtime`. Where that is refused it is refused at the end as well, and told then.
        set_mtime(root, before.mtime).ok();
        let dir = resolver.child(root, &name, FLAGS).map_err(made)?;
        let staging = Self {
            resolver,
            root,
            name: name.clone(),
            dir,
            ask: Box::new(|| Ok(())),
        };
        let prepared = tree::open_up(&staging.dir)
            .and_then(|_| mkdirat(&staging.dir, NEW, Mode::RWXU))
            .and_then(|()| mkdirat(&staging.dir, OLD, Mode::RWXU))
            .map_err(made)
            .and_then(|()| staging.write(BEFORE, &before).map_err(Stop::fault));
        match prepared {
            Ok(()) => Ok(staging),
            Err(fault) => {
                let cleared = clear::tree(resolver, root, &name, &mut || Ok(()))
                    .map_err(|(_, errno)| (errno, "removing the staging directory"))
                    .and_then(|()| set_mtime(root, before.mtime).map_err(|errno| (errno, "setting the root's time")));
                Err(match cleared {
                    Ok(()) => fault,
                    Err((errno, what)) => told(
                        name.to_bytes(),
                        errno,
                        &format!("{}; then, {what}: {errno}", fault.message),
                    ),
                })
            }
        }
    }

    /// One that was found.
    pub(super) fn found(resolver: Resolver, root: &'a OwnedFd, name: CString) -> Result<Self, Errno> {
        let dir = resolver.child(root, &name, FLAGS)?;
        Ok(Self {
            resolver,
            root,
            name,
            dir,
            ask: Box::new(|| Ok(())),
        })
    }

    /// Whether all that is in it is what this module puts there.
    pub(super) fn is_ours(&self) -> Result<bool, Errno> {
        let mut ours = true;
        let known = [BEFORE, NEW, OLD, WRITING, COMMIT, MOVED];
        clear::each(&self.dir, |name| {
            ours &= known.contains(&name);
            ours
        })?;
        Ok(ours)
    }

    pub(super) fn fail(&self, errno: Errno, tried: &str) -> Stop {
        Stop::Fault(fault(self.name.to_bytes(), errno, tried))
    }

    fn sub(&self, name: &CStr) -> Result<OwnedFd, Stop> {
        let opened = self.resolver.child(&self.dir, name, FLAGS);
        opened.map_err(|errno| self.fail(errno, "opening the staging directory"))
    }

    /// The directory that takes the new contents.
    pub(super) fn new_dir(&self) -> Result<OwnedFd, Fault> {
        self.sub(NEW).map_err(Stop::fault)
    }

    pub(super) fn parent(&self, top: &OwnedFd, path: &[u8]) -> Result<(OwnedFd, CString), Stop> {
        let found = self.resolver.parent(top, path);
        found.map_err(|errno| fault(path, errno, "opening the directory of what is exchanged").into())
    }

    /// Exchanges: from here on it is finished by whoever comes, or taken back. What came out less than perfect is told.
    pub(super) fn swap(&mut self, plan: &Plan) -> Result<Vec<Fault>, Stop> {
        (self.ask)()?;
        self.write(COMMIT, plan)?;
        match self.forward(plan, Phase::Commit) {
            Ok(notes) => Ok(notes),
            Err(Stop::Dead) => Err(Stop::Dead),
            Err(Stop::Fault(why)) => match self.back(plan) {
                Ok(()) => Err(why.into()),
                Err(Stop::Dead) => Err(Stop::Dead),
                Err(Stop::Fault(after)) => Err(Fault {
                    message: format!("{}; then, taking it back: {}", why.message, after.message),
                    ..why
                }
                .into()),
            },
        }
    }

    /// Goes on from a phase to the end.
    pub(super) fn forward(&mut self, plan: &Plan, phase: Phase) -> Result<Vec<Fault>, Stop> {
        let mut notes = Vec::new();
        if phase == Phase::Commit {
            self.out(plan)?;
            self.settle()?;
            self.mark(COMMIT, MOVED)?;
        }
        self.bring_in(plan)?;
        if let Some(top) = &plan.top {
            (self.ask)()?;
            let given = top.give_root(self.root, &mut |errno| {
                notes.push(fault(b"", errno, "setting the root's owner, mode or attributes"));
            });
            given.map_err(|errno| fault(b"", errno, "setting the root's owner, mode and time"))?;
        }
        self.settle()?;
        let done = CString::new([self.name.to_bytes(), b".done"].concat()).unwrap_or_default();
        let (root, name) = (self.root, self.name.clone());
        let mtime = self.root_mtime()?;
        self.rename((root, &name), (root, &done))?;
        self.name = done;
        // The new contents stand; what cannot be removed now is removed by who mends.
        let set = self.set_root_mtime(mtime);
        match set.and_then(|()| self.remove(&mut || Ok(()))) {
            Ok(()) => {}
            Err(Stop::Dead) => return Err(Stop::Dead),
            Err(Stop::Fault(fault)) => notes.push(fault),
        }
        Ok(notes)
    }

    fn out(&mut self, plan: &Plan) -> Result<(), Stop> {
        let (root, old) = (self.root, self.sub(OLD)?);
        match &plan.paths {
            None => self.all(root, &old, &is_reserved),
            Some(paths) => {
                for (at, path) in paths.iter().enumerate() {
                    let (dir, name) = self.parent(root, path)?;
                    let kept = number(at);
                    if Meta::at(&dir, &name).is_ok() && Meta::at(&old, &kept) == Err(Errno::NOENT) {
                        self.rename((&dir, &name), (&old, &kept))?;
                    }
                }
                Ok(())
            }
        }
    }

    fn bring_in(&mut self, plan: &Plan) -> Result<(), Stop> {
        let (root, new) = (self.root, self.sub(NEW)?);
        match &plan.paths {
            None => {
                let has_lost = Meta::at(root, LOST_AND_FOUND).is_ok();
                self.all(&new, root, &|name| has_lost && name == LOST_AND_FOUND)
            }
            Some(paths) => self.each_path(paths, &new, root),
        }
    }

    /// Moves paths from one tree to the other, where they are still there.
    fn each_path(&mut self, paths: &[Vec<u8>], from: &OwnedFd, to: &OwnedFd) -> Result<(), Stop> {
        for path in paths {
            let (source, name) = match self.resolver.parent(from, path) {
                Ok(found) => found,
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(fault(path, errno, "opening what is exchanged").into()),
            };
            if Meta::at(&source, &name).is_ok() {
                let (target, _) = self.parent(to, path)?;
                self.rename((&source, &name), (&target, &name))?;
            }
        }
        Ok(())
    }

    /// Takes an exchange back, from whichever phase it is in.
    pub(super) fn back(&mut self, plan: &Plan) -> Result<(), Stop> {
        let (root, old) = (self.root, self.sub(OLD)?);
        if Meta::at(&self.dir, MOVED).is_ok() {
            let new = self.sub(NEW)?;
            match &plan.paths {
                // What never moved in is still there: its name in the root is somebody else's.
                None => self.all(root, &new, &|name| is_reserved(name) || Meta::at(&new, name).is_ok())?,
                Some(paths) => {
                    for path in paths {
                        let (target, name) = self.parent(&new, path)?;
                        if Meta::at(&target, &name) == Err(Errno::NOENT) {
                            self.each_path(std::slice::from_ref(path), root, &new)?;
                        }
                    }
                }
            }
            self.settle()?;
            self.mark(MOVED, COMMIT)?;
        }
        match &plan.paths {
            None => self.all(&old, root, &|_| false)?,
            Some(paths) => {
                for (at, path) in paths.iter().enumerate() {
                    let kept = number(at);
                    if Meta::at(&old, &kept).is_ok() {
                        let (dir, name) = self.parent(root, path)?;
                        self.rename((&old, &kept), (&dir, &name))?;
                    }
                }
            }
        }
        (self.ask)()?;
        if let Some(before) = self.read::<Stamp>(BEFORE)? {
            let given = before.give_root(self.root, &mut |_| {});
            given.map_err(|errno| fault(b"", errno, "giving the root back its owner and mode"))?;
        }
        self.settle()?;
        self.mark(COMMIT, WRITING)
    }

    /// Moves everything from one directory to another.
    fn all(&mut self, from: &OwnedFd, to: &OwnedFd, spare: &dyn Fn(&CStr) -> bool) -> Result<(), Stop> {
        loop {
            let mut names = Vec::new();
            let looked = clear::each(from, |name| {
                if !spare(name) {
                    names.push(name.to_owned());
                }
                names.len() < BATCH
            });
            looked.map_err(|errno| self.fail(errno, "looking at what is exchanged"))?;
            if names.is_empty() {
                return Ok(());
            }
            for name in &names {
                self.rename((from, name), (to, name))?;
            }
        }
    }

    /// Renames, never over something.
    fn rename(&mut self, from: (&OwnedFd, &CStr), to: (&OwnedFd, &CStr)) -> Result<(), Stop> {
        (self.ask)()?;
        let renamed = match renameat_with(from.0, from.1, to.0, to.1, RenameFlags::NOREPLACE) {
            // Not every file system and kernel knows the flag.
            Err(Errno::INVAL | Errno::NOSYS) => match Meta::at(to.0, to.1) {
                Ok(_) => Err(Errno::EXIST),
                Err(Errno::NOENT) => renameat(from.0, from.1, to.0, to.1),
                Err(errno) => Err(errno),
            },
            renamed => renamed,
        };
        renamed.map_err(|errno| fault(from.1.to_bytes(), errno, "exchanging old contents for new ones").into())
    }

    /// Renames a record.
    fn mark(&mut self, from: &CStr, to: &CStr) -> Result<(), Stop> {
        (self.ask)()?;
        let marked = renameat(&self.dir, from, &self.dir, to).and_then(|()| fsync(&self.dir));
        marked.map_err(|errno| self.fail(errno, "noting how far the exchange is"))
    }

    /// Waits until all that was renamed is on the disk.
    fn settle(&self) -> Result<(), Stop> {
        syncfs(self.root).map_err(|errno| self.fail(errno, "waiting for the disk"))
    }

    /// Whether an exchange was begun and not taken back.
    pub(super) fn is_committed(&self) -> bool {
        let there = |name| Meta::at(&self.dir, name) != Err(Errno::NOENT);
        self.name.to_bytes().ends_with(b".done") || there(COMMIT) || there(MOVED)
    }

    fn root_mtime(&self) -> Result<Time, Stop> {
        let meta = Meta::of(self.root).map_err(|errno| self.fail(errno, "looking at the root"))?;
        Ok(meta.mtime)
    }

    /// Sets the time that the root had before its staging directory came, moved or went. That is done at once, with no
    /// step in between: whoever goes on after a kill finds the root's time as it shall be, and need not know it.
    fn set_root_mtime(&self, mtime: Time) -> Result<(), Stop> {
        set_mtime(self.root, mtime).map_err(|errno| fault(b"", errno, "setting the root's time").into())
    }

    /// Removes the staging directory and all that is in it; the root's time stays what it was.
    pub(super) fn remove(&mut self, tick: &mut dyn FnMut() -> Result<(), Errno>) -> Result<(), Stop> {
        let mtime = self.root_mtime()?;
        let (mut stopped, ask) = (None, &mut self.ask);
        let mut step = || {
            tick()?;
            ask().map_err(|stop| {
                stopped = Some(stop);
                Errno::CANCELED
            })
        };
        let removed = clear::tree(self.resolver, self.root.as_fd(), &self.name, &mut step);
        if let Some(stop) = stopped {
            return Err(stop);
        }
        removed.map_err(|(path, errno)| fault(&path, errno, "removing the staging directory"))?;
        self.set_root_mtime(mtime)
    }
}

/// The name that what stood at a path has in `old`.
fn number(at: usize) -> CString {
    CString::new(at.to_string()).unwrap_or_default()
}
