//! A thread that is somebody else for as long as it lives: tries accesses with that identity's rights, and nothing more.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Builder;

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;
use rustix::process::{Gid, Uid, getegid, geteuid, getgid, getgroups, getuid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_keep_capabilities, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid,
};

use crate::fs::attributes;
use crate::proto::probe::{Identity, cap};

/// Stack of an actor: it does not recurse and holds no buffers.
const STACK: usize = 64 << 10;
/// Capabilities on which an access check depends.
const DECISIVE: u64 = cap::DAC_OVERRIDE | cap::DAC_READ_SEARCH;

/// What is tried.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) subject: Subject,
    pub(super) wanted: Wanted,
}

/// What it is tried on.
#[derive(Debug)]
pub(super) enum Subject {
    /// What is open.
    Open(Arc<OwnedFd>),
    /// A name in an open directory that the actor may pass.
    Named(Arc<OwnedFd>, CString),
}

/// Which accesses are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Passing a directory.
    Pass,
    /// Reading, writing, and executing or entering, each by itself.
    Each,
    /// Reading and writing; of a directory, reading is listing and entering.
    Sample {
        /// Whether it is a directory.
        dir: bool,
        /// Whether the file system itself is read-only: the kernel says so before it says anything else then.
        super_read_only: bool,
    },
}

/// What came of it: error numbers, 0 for allowed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tried {
    pub(super) read: i32,
    pub(super) write: i32,
    pub(super) enter: i32,
}

/// A thread with another identity. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Actor {
    asks: SyncSender<Vec<Ask>>,
    answers: Receiver<Vec<Tried>>,
}

impl Actor {
    /// Starts a thread that is this identity.
    ///
    /// # Errors
    ///
    /// `EPERM` when the agent cannot become it, `ENOSYS` when this kernel cannot try as it, and when there is no thread.
    pub(super) fn start(identity: &Identity) -> Result<Self, Errno> {
        let (asks, asked) = sync_channel::<Vec<Ask>>(1);
        let (answer, answers) = sync_channel(1);
        let (ready, became) = sync_channel(1);
        let identity = identity.clone();
        let act = move || {
            let flags = access_flags();
            let became = turn_into(&identity, flags);
            let failed = became.is_err();
            if ready.send(became).is_err() || failed {
                return;
            }
            while let Ok(asks) = asked.recv() {
                let tried = asks.iter().map(|ask| attempt(ask, flags)).collect();
                if answer.send(tried).is_err() {
                    return;
                }
            }
        };
        let started = Builder::new().stack_size(STACK).spawn(act);
        started.map_err(|error| Errno::from_raw_os_error(error.raw_os_error().unwrap_or(0)))?;
        became.recv().map_err(|_| Errno::IO)??;
        Ok(Self { asks, answers })
    }

    /// Tries accesses, in order.
    pub(super) fn attempt(&self, asks: Vec<Ask>) -> Result<Vec<Tried>, Errno> {
        self.asks.send(asks).map_err(|_| Errno::IO)?;
        self.answers.recv().map_err(|_| Errno::IO)
    }
}

/// How access is asked with the effective identity: `faccessat2` (Linux 5.8) does, where no seccomp profile forbids it.
/// Else with the real one, which is the same here.
fn access_flags() -> AtFlags {
    match accessat(CWD, c"/", Access::EXISTS, AtFlags::EACCESS | AtFlags::SYMLINK_NOFOLLOW) {
        Ok(()) => AtFlags::EACCESS,
        Err(_) => AtFlags::empty(),
    }
}

/// Makes this thread, and no other, an identity.
fn turn_into(identity: &Identity, flags: AtFlags) -> Result<(), Errno> {
    let wanted = identity.caps & cap::FILES;
    // The old call drops the capabilities of everybody but root.
    if flags.is_empty() && identity.uid != 0 && wanted & DECISIVE != 0 {
        return Err(Errno::NOSYS);
    }
    let no_number = |id: &u32| *id == u32::MAX;
    if no_number(&identity.uid) || no_number(&identity.gid) || identity.groups.iter().any(no_number) {
        return Err(Errno::INVAL);
    }
    let has = capabilities(None)?;
    if !has.effective.contains(CapabilitySet::SETUID | CapabilitySet::SETGID) && is_already(identity, &has)? {
        return Ok(());
    }
    let permitted = has.permitted.bits();
    if wanted & DECISIVE & !permitted != 0 {
        return Err(Errno::PERM);
    }
    set_keep_capabilities(true)?;
    let groups: Vec<Gid> = identity.groups.iter().map(|&group| Gid::from_raw(group)).collect();
    set_thread_groups(&groups)?;
    let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)?;
    let caps = CapabilitySet::from_bits_retain(wanted & permitted);
    set_capabilities(
        None,
        CapabilitySets {
            effective: caps,
            permitted: caps,
            inheritable: CapabilitySet::empty(),
        },
    )
}

/// Whether the agent is that identity without doing anything.
fn is_already(identity: &Identity, has: &CapabilitySets) -> Result<bool, Errno> {
    let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
    let set = |groups: &mut dyn Iterator<Item = u32>| {
        let mut groups: Vec<u32> = groups.filter(|&group| group != identity.gid).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    };
    let own = set(&mut getgroups()?.into_iter().map(Gid::as_raw));
    Ok(geteuid() == uid
        && getuid() == uid
        && getegid() == gid
        && getgid() == gid
        && own == set(&mut identity.groups.iter().copied())
        && has.effective.bits() & DECISIVE == identity.caps & DECISIVE)
}

fn attempt(ask: &Ask, flags: AtFlags) -> Tried {
    let can = |access: Access| {
        let asked = match &ask.subject {
            Subject::Open(fd) => accessat(CWD, attributes::path_of(fd), access, flags),
            Subject::Named(dir, name) if flags.is_empty() => {
                accessat(CWD, attributes::path_in(dir, name), access, flags)
            }
            Subject::Named(dir, name) => accessat(dir, name.as_c_str(), access, flags | AtFlags::SYMLINK_NOFOLLOW),
        };
        asked.map_or_else(Errno::raw_os_error, |()| 0)
    };
    match ask.wanted {
        Wanted::Pass => Tried {
            enter: can(Access::EXEC_OK),
            ..Tried::default()
        },
        Wanted::Each => Tried {
            read: can(Access::READ_OK),
            write: can(Access::WRITE_OK),
            enter: can(Access::EXEC_OK),
        },
        Wanted::Sample { dir, super_read_only } => {
            let read = if dir {
                Access::READ_OK | Access::EXEC_OK
            } else {
                Access::READ_OK
            };
            let both = can(read | Access::WRITE_OK);
            // A read-only mount is the last thing that the kernel minds: all else is allowed.
            let only_mount = both == Errno::ROFS.raw_os_error() && !super_read_only;
            if both == 0 || only_mount {
                return Tried::default();
            }
            Tried {
                read: can(read),
                write: can(Access::WRITE_OK),
                enter: 0,
            }
        }
    }
}
