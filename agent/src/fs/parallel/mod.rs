//! Walks trees on many threads: who reads directories, in which order, and how work changes hands. What is done with
//! entries is a [`Surveyor`]'s.

mod pool;
mod walker;

use std::ffi::CStr;
use std::fmt;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread::{self, Builder, Scope};

use rustix::io::Errno;

use super::fault;
use super::node::Node;
use super::resolve::Resolver;
use crate::serve::Halt;
pub(super) use pool::Pool;
use walker::Walker;

/// Threads at least: warm, more than there are cores cost nothing; cold, eight are twice as fast as two.
const THREADS: usize = 8;
/// Most threads that a client may ask for.
const MOST_THREADS: u32 = 64;
/// Stack of a walker: it does not recurse, and its buffer is on the heap.
const STACK: usize = 128 << 10;

/// What one thread of a walk does with what it comes upon. Directories are entered but through here.
pub(super) trait Surveyor {
    /// What a directory that is to be read knows of where it stands.
    type Context: Clone + Send + fmt::Debug;
    /// What one reading of a directory came upon.
    type Found: Default;
    /// Whether reading directories is to leave their access times alone, where that is allowed.
    const QUIET: bool = false;

    /// Begins a place, by its index; the directory to read, unless there is none or it cannot be read.
    fn begin(&mut self, index: usize) -> Option<(OwnedFd, Self::Context)>;

    /// A directory was opened and is read next.
    fn enter(&mut self, _node: &Node, _dir: BorrowedFd<'_>, _context: &mut Self::Context) {}

    /// Looks at an entry; a directory that is to be read later gets a context.
    fn look(
        &mut self,
        node: &Node,
        dir: BorrowedFd<'_>,
        name: &CStr,
        context: &Self::Context,
        found: &mut Self::Found,
    ) -> Option<Self::Context>;

    /// A directory (`name` in `node`, or `node` itself when it is empty) could not be opened or read to its end.
    fn fail(
        &mut self,
        node: &Node,
        name: &CStr,
        failure: (Errno, &str),
        context: &Self::Context,
        found: &mut Self::Found,
    );

    /// A directory was read, or a part of it: `rest` says that it is a task again. Comes before its directories can be
    /// taken over by others.
    fn read(&mut self, node: &Node, context: &Self::Context, found: Self::Found, rest: bool);

    /// A directory's task is at its end, however it went.
    fn close(&mut self, _context: Self::Context) {}

    /// All is walked. Not told when the walk was stopped.
    fn end(&mut self) {}
}

/// How many threads walk, given what was asked for (0 leaves it to the agent).
pub(super) fn threads(asked: u32) -> usize {
    match asked {
        0 => thread::available_parallelism().map_or(THREADS, |cores| cores.get().clamp(THREADS, 64)),
        asked => asked.min(MOST_THREADS) as usize,
    }
}

/// Starts walkers, each with a surveyor of its own. They end when all places are walked, or soon after the pool was
/// stopped.
///
/// # Errors
///
/// When not one thread can be started.
pub(super) fn start<'scope, S>(
    scope: &'scope Scope<'scope, '_>,
    threads: usize,
    pool: &'scope Pool<S::Context>,
    resolver: Resolver,
    mut surveyor: impl FnMut() -> S,
) -> Result<(), Halt>
where
    S: Surveyor + Send + 'scope,
    S::Context: 'scope,
{
    let mut started = 0;
    let mut refused = None;
    for _ in 0..threads {
        let surveyor = surveyor();
        let work = move || Walker::new(surveyor, pool, resolver).run();
        match Builder::new().stack_size(STACK).spawn_scoped(scope, work) {
            Ok(_) => started += 1,
            // A pids limit: go on with those that there are.
            Err(error) => refused = Some(error),
        }
    }
    match (started, refused) {
        (0, Some(error)) => {
            let errno = Errno::from_raw_os_error(error.raw_os_error().unwrap_or(0));
            Err(fault(b"", errno, "starting a thread").into())
        }
        _ => Ok(()),
    }
}

/// A directory that is to be walked.
#[derive(Debug)]
struct Task<C> {
    what: What,
    context: C,
}

#[derive(Debug)]
enum What {
    /// A directory that is not open yet.
    Enter { parent: Arc<Node>, name: std::ffi::CString },
    /// A directory that was read in part; its descriptor knows where to go on.
    Continue(Arc<Node>),
}
