//! Looks at some of what is beneath a probed directory, shallow entries first. Directories are read with the agent's
//! rights; only the accesses are tried as somebody else.

use std::collections::{HashMap, VecDeque};
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, RawDir};
use rustix::io::Errno;

use super::actor::{Ask, Subject, Tried, Wanted};
use super::place::{Scene, Tested, facts};
use crate::fs::meta::Meta;
use crate::fs::shortened;
use crate::fs::window::DIRENTS;
use crate::proto::Kind;
use crate::proto::probe::{Denied, Owner, Probed};
use crate::serve::{Halt, Sink};

/// Entries that are looked at, at most, whatever is asked.
const MOST: u64 = 1 << 20;
/// Names that are passed over for one that is looked at, at most: a directory may hold nothing but symlinks.
const PASSED_OVER: u64 = 8;
/// Refusals that are told.
const DENIALS: usize = 8;
/// Owners that are told.
const OWNERS: usize = 8;
/// Entries that are tried at once.
const TOGETHER: usize = 256;
/// Directories that wait to be read, at most.
const WAITING: usize = 4096;
/// How long one place is looked at.
const PATIENCE: Duration = Duration::from_secs(2);
/// What file systems keep for their repair.
const LOST: &CStr = c"lost+found";

/// A directory that is to be read.
struct Below {
    path: Vec<u8>,
    level: u32,
    passable: bool,
}

/// An entry that is to be tried.
struct Entry {
    name: std::ffi::CString,
    meta: Meta,
}

/// Looks beneath a directory.
pub(super) fn look(scene: &Scene<'_>, place: &Tested, probed: &mut Probed, sink: &Sink) -> Result<(), Halt> {
    let limit = u64::from(scene.probe.sample).min(MOST);
    let mut sampler = Sampler {
        scene,
        top: place.meta,
        limit,
        names: limit.saturating_mul(PASSED_OVER),
        until: Instant::now() + PATIENCE,
        waiting: VecDeque::new(),
        owners: HashMap::from([((place.meta.uid, place.meta.gid), 1)]),
        buffer: vec![MaybeUninit::uninit(); DIRENTS],
        probed,
        sink,
    };
    sampler.waiting.push_back(Below {
        path: scene.probe.at.path.clone(),
        level: 0,
        passable: place.passable,
    });
    while let Some(dir) = sampler.waiting.pop_front() {
        if dir.level >= scene.probe.depth {
            // Breadth first: all that follow are as deep. What is below the depth is not asked for.
            break;
        }
        if !sampler.read(&dir)? {
            sampler.probed.whole = false;
            break;
        }
    }
    let mut owners: Vec<Owner> = sampler
        .owners
        .iter()
        .map(|(&(uid, gid), &entries)| Owner { uid, gid, entries })
        .collect();
    owners.sort_by_key(|owner| (std::cmp::Reverse(owner.entries), owner.uid, owner.gid));
    owners.truncate(OWNERS);
    probed.owners = owners;
    Ok(())
}

struct Sampler<'a> {
    scene: &'a Scene<'a>,
    top: Meta,
    limit: u64,
    /// Names that may still be read.
    names: u64,
    until: Instant,
    waiting: VecDeque<Below>,
    owners: HashMap<(u32, u32), u64>,
    buffer: Vec<MaybeUninit<u8>>,
    probed: &'a mut Probed,
    sink: &'a Sink,
}

impl Sampler<'_> {
    /// Reads a directory and tries its entries; `false` when a limit was reached.
    fn read(&mut self, below: &Below) -> Result<bool, Halt> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK;
        let top = self.scene.roots.root(&self.scene.probe.at)?.fd()?;
        // Where it cannot be read, or is gone, the rest of the sample says what there is to say.
        let Ok(fd) = self.scene.roots.resolver.open(top, &below.path, flags) else {
            self.probed.whole = false;
            return Ok(true);
        };
        let fd = Arc::new(fd);
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut entries = RawDir::new(&fd, &mut buffer);
        let mut together = Vec::new();
        let mut more = true;
        while let Some(entry) = entries.next() {
            if self.sink.cancelled() {
                return Err(Halt::Cancelled);
            }
            let Ok(entry) = entry else {
                self.probed.whole = false;
                break;
            };
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            if self.probed.sampled + together.len() as u64 >= self.limit || self.names == 0 {
                more = false;
                break;
            }
            self.names -= 1;
            together.extend(self.entry(&fd, name));
            if together.len() >= TOGETHER {
                self.attempt(&fd, below, std::mem::take(&mut together));
                if Instant::now() >= self.until {
                    more = false;
                    break;
                }
            }
        }
        self.buffer = buffer;
        self.attempt(&fd, below, together);
        Ok(more && Instant::now() < self.until)
    }

    /// An entry, if it is one that is tried.
    fn entry(&mut self, dir: &Arc<OwnedFd>, name: &CStr) -> Option<Entry> {
        let meta = match Meta::at(dir, name) {
            Ok(meta) => meta,
            Err(Errno::NOENT) => return None,
            Err(_) => {
                self.probed.whole = false;
                return None;
            }
        };
        let other_mount = meta.foreign_to(&self.top);
        let lost = name == LOST && meta.is_dir() && meta.uid == 0;
        let name = name.to_owned();
        (!other_mount && !lost && meta.kind() != Kind::Symlink).then_some(Entry { name, meta })
    }

    /// Tries entries of a directory.
    fn attempt(&mut self, dir: &Arc<OwnedFd>, below: &Below, entries: Vec<Entry>) {
        let resolver = self.scene.roots.resolver;
        let mut tried = Vec::with_capacity(entries.len());
        let mut asks = Vec::with_capacity(entries.len());
        for entry in entries {
            let wanted = Wanted::Sample {
                dir: entry.meta.is_dir(),
                super_read_only: self.scene.super_read_only,
            };
            let subject = if below.passable {
                Subject::Named(Arc::clone(dir), entry.name.clone())
            } else {
                match resolver.child(dir, &entry.name, OFlags::PATH) {
                    Ok(fd) => Subject::Open(Arc::new(fd)),
                    Err(_) => continue,
                }
            };
            asks.push(Ask { subject, wanted });
            tried.push(entry);
        }
        // An actor that is gone has said nothing.
        let Ok(answers) = self.scene.who.attempt(asks) else {
            self.probed.whole = false;
            return;
        };
        for (entry, answer) in tried.into_iter().zip(answers) {
            // It went between the two looks.
            if answer.read != Errno::NOENT.raw_os_error() {
                self.count(dir, below, entry, self.scene.allowed(answer));
            }
        }
    }

    fn count(&mut self, dir: &Arc<OwnedFd>, below: &Below, entry: Entry, answer: Tried) {
        let Entry { name, meta } = entry;
        self.probed.sampled += 1;
        if self.owners.len() < WAITING {
            *self.owners.entry((meta.uid, meta.gid)).or_default() += 1;
        }
        let path = || {
            let mut path = below.path.clone();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(name.to_bytes());
            path
        };
        let denied = answer.read != 0 || answer.write != 0;
        self.probed.denied += u64::from(denied);
        if denied && self.probed.denials.len() < DENIALS {
            let opened = self.scene.roots.resolver.child(dir, &name, OFlags::PATH);
            if let Ok(facts) = opened.and_then(facts) {
                self.probed.denials.push(Denied {
                    path: shortened(&path()),
                    facts,
                    read: answer.read,
                    write: answer.write,
                });
            }
        }
        if meta.is_dir() {
            if self.waiting.len() >= WAITING {
                self.probed.whole = false;
                return;
            }
            let level = below.level + 1;
            // A directory that can be read as a whole can be passed; any other is looked into with care.
            let passable = answer.read == 0;
            self.waiting.push_back(Below {
                path: path(),
                level,
                passable,
            });
        }
    }
}
