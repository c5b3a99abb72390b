//! Changes of owner and mode: counted, carried out batch by batch as the client confirms, and taken back. This file sees
//! to order and threads; [`surveyor`] finds what is to change, [`apply`] changes it, [`restore`] puts it back.

mod apply;
mod batch;
mod entry;
mod links;
mod restore;
mod stamp;
mod surveyor;
mod tally;

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, Builder, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::parallel::{self, Pool};
use super::root::Root;
use super::{Roots, fault};
use crate::fs::leave::{Bid, Leave};
use crate::proto::own::{Census, Change, Group, OwnItem, Skipped, Undone};
use crate::proto::{Fault, Place, Reply};
use crate::serve::{Halt, Sink, lock};
use apply::Outcome;
use batch::Batch;
use links::Locks;
use stamp::Clock;
use surveyor::{Context, Looker, Tree};
use tally::Tally;

/// How often counts are sent.
const TICK: Duration = Duration::from_millis(100);
/// Threads that change entries, at most.
const APPLIERS: usize = 4;
/// Batches that wait for walkers' sake.
const WAITING: usize = 2;
/// Batches that are told and wait to be confirmed, some 20 MB at most: the client's disk is waited for once for many of
/// them. A sync waits for all that a file system has to write down, the changes of owner among it.
const TOLD: usize = 24;
/// Faults that are told.
const FAULTS: usize = 16;
/// Bytes of paths in one reply, well below a frame.
const BYTES: usize = 512 << 10;
/// Stack of an applier: it does not recurse.
const STACK: usize = 128 << 10;

impl Roots {
    /// Counts what a change would do.
    pub(super) fn census(&self, at: &Place, change: &Change, leave: &[Vec<u8>], sink: &Sink) -> Result<(), Halt> {
        let tell = |census: Census| sink.send(Reply::Census(census));
        let tree = match self.tree(at, change, leave)? {
            Some(tree) => tree,
            None => return tell(left(at)),
        };
        let pool = Pool::new(1);
        thread::scope(|scope| {
            let news = self.walk(scope, &tree, &pool, false)?;
            let result = each_tick(&news, sink, || tell(tree.tally.progress()), |_| Ok(()));
            pool.stop();
            result
        })?;
        tell(tree.tally.complete())
    }

    /// Changes what is to change; what could be changed only in part is in the notes.
    pub(super) fn own(&self, at: &Place, change: &Change, leave: &[Vec<u8>], sink: &Sink) -> Result<Vec<Fault>, Halt> {
        let root = self.writable(at)?;
        let tell = |item: OwnItem| sink.send(Reply::Own(item));
        let tree = match self.tree(at, change, leave)? {
            Some(tree) => tree,
            None => return tell(OwnItem::Counted(left(at))).map(|()| Vec::new()),
        };
        let (pool, locks, faults) = (Pool::new(1), Locks::default(), Mutex::default());
        thread::scope(|scope| {
            let news = self.walk(scope, &tree, &pool, true)?;
            let worker = Applier {
                roots: self,
                root,
                change,
                locks: &locks,
                sink,
                faults: &faults,
            };
            let result = match worker.start(scope) {
                Ok((work, appliers)) => {
                    let count = || tell(OwnItem::Counted(tree.tally.progress()));
                    let mut number = 0;
                    let told = each_tick(&news, sink, count, |batch: Batch| {
                        number += 1;
                        let groups = batch.groups.clone();
                        tell(OwnItem::Batch { number, groups })?;
                        // Appliers end early when the request was cancelled.
                        work.send((number, batch)).map_err(|_| Halt::Cancelled)
                    });
                    drop(work);
                    finish(told, appliers)
                }
                Err(halt) => Err(halt),
            };
            pool.stop();
            // Walkers that wait to hand on end when nobody listens any more.
            drop(news);
            result
        })?;
        tell(OwnItem::Counted(tree.tally.complete()))?;
        Ok(std::mem::take(&mut *lock(&faults)))
    }

    /// Puts entries back.
    pub(super) fn undo(&self, index: u32, change: &Change, groups: &[Group], sink: &Sink) -> Result<Undone, Halt> {
        let root = self.writable(&Place {
            root: index,
            path: Vec::new(),
        })?;
        let locks = Locks::default();
        let cancelled = || sink.cancelled();
        let parts = groups.chunks(groups.len().div_ceil(APPLIERS).max(1));
        let restore = |part| restore::restore(self.resolver, root, change, &locks, part, &cancelled);
        let undone: Vec<Option<Undone>> = thread::scope(|scope| {
            let threads: Vec<_> = parts
                .map(|part| {
                    (
                        part,
                        Builder::new()
                            .stack_size(STACK)
                            .spawn_scoped(scope, move || restore(part)),
                    )
                })
                .collect();
            let ended = threads.into_iter().map(|(part, thread)| match thread {
                Ok(thread) => thread.join().map_err(|_| broken("putting entries back")),
                // A pids limit.
                Err(_) => Ok(restore(part)),
            });
            ended.collect::<Result<_, Fault>>()
        })?;
        let mut all = Undone::default();
        for part in undone {
            let part = part.ok_or(Halt::Cancelled)?;
            all.restored += part.restored;
            all.already += part.already;
            all.skips.extend(part.skips);
            all.faults.extend(part.faults);
        }
        Ok(bounded(all))
    }

    /// The root of a place, if it can be written to.
    fn writable(&self, at: &Place) -> Result<&Root, Fault> {
        let root = self.root(at)?;
        root.fd()?;
        match root.info.read_only {
            true => Err(fault(&at.path, Errno::ROFS, "changing owners")),
            false => Ok(root),
        }
    }

    /// The tree of a request; `None` when all of it is left alone.
    fn tree<'a>(&'a self, at: &'a Place, change: &'a Change, leave: &[Vec<u8>]) -> Result<Option<Tree<'a>>, Fault> {
        // All bits set means "leave it" to the kernel.
        if change.uid == Some(u32::MAX) || change.gid == Some(u32::MAX) {
            return Err(fault(
                &at.path,
                Errno::INVAL,
                "changing owners to a number that is none",
            ));
        }
        let top = self.meta(at)?;
        let leave = match Leave::of(leave).at(&at.path) {
            Bid::Left => return Ok(None),
            Bid::Walk(leave) => leave,
        };
        // What stands there may be a mount itself; only a root may be.
        if !at.path.is_empty() {
            let opened = self
                .resolver
                .open(self.root(at)?.fd()?, &at.path, rustix::fs::OFlags::PATH);
            opened.map_err(|errno| fault(&at.path, errno, "looking at the entry"))?;
        }
        Ok(Some(Tree {
            roots: self,
            at,
            top,
            change,
            leave,
            clock: Clock::new(&self.root(at)?.info.fs_type),
            tally: Tally::default(),
        }))
    }

    /// Starts the walkers; what they hand on ends when all of them did.
    fn walk<'scope>(
        &self,
        scope: &'scope Scope<'scope, '_>,
        tree: &'scope Tree<'scope>,
        pool: &'scope Pool<Context>,
        records: bool,
    ) -> Result<Receiver<Batch>, Halt> {
        let (batches, news) = sync_channel(WAITING);
        let looker = || Looker::new(tree, pool, batches.clone(), records);
        parallel::start(scope, parallel::threads(0), pool, self.resolver, looker)?;
        Ok(news)
    }
}

/// A census of a place that is left alone as a whole.
fn left(at: &Place) -> Census {
    let tally = Tally::default();
    tally.skip(&at.path, crate::proto::own::Why::Left);
    tally.complete()
}

/// Hands on what walkers found until all have ended, and tells counts now and then.
fn each_tick(
    news: &Receiver<Batch>,
    sink: &Sink,
    mut count: impl FnMut() -> Result<(), Halt>,
    mut found: impl FnMut(Batch) -> Result<(), Halt>,
) -> Result<(), Halt> {
    let mut tick = Instant::now() + TICK;
    loop {
        match news.recv_timeout(tick.saturating_duration_since(Instant::now())) {
            Ok(batch) => found(batch)?,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        if Instant::now() >= tick {
            if sink.cancelled() {
                return Err(Halt::Cancelled);
            }
            count()?;
            tick = Instant::now() + TICK;
        }
    }
}

/// A batch on its way to an applier.
type Numbered = (u64, Batch);

/// Changes batches, each once the client has confirmed it.
#[derive(Clone, Copy)]
struct Applier<'a> {
    roots: &'a Roots,
    root: &'a Root,
    change: &'a Change,
    locks: &'a Locks,
    sink: &'a Sink,
    faults: &'a Mutex<Vec<Fault>>,
}

impl<'a> Applier<'a> {
    /// Starts appliers; they end when the sender is dropped, or with the request.
    fn start<'scope>(self, scope: &'scope Scope<'scope, '_>) -> Result<(SyncSender<Numbered>, Appliers<'scope>), Halt>
    where
        'a: 'scope,
    {
        let (work, batches) = sync_channel::<Numbered>(TOLD);
        let batches = Arc::new(Mutex::new(batches));
        let threads = thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, APPLIERS));
        let mut running = Vec::new();
        let mut refused = None;
        for _ in 0..threads {
            let batches = Arc::clone(&batches);
            match Builder::new()
                .stack_size(STACK)
                .spawn_scoped(scope, move || self.run(&batches))
            {
                Ok(thread) => running.push(thread),
                Err(error) => refused = error.raw_os_error(),
            }
        }
        match (running.is_empty(), refused) {
            (true, code) => {
                let errno = Errno::from_raw_os_error(code.unwrap_or(0));
                Err(fault(b"", errno, "starting a thread").into())
            }
            (false, _) => Ok((work, running)),
        }
    }

    fn run(self, batches: &Mutex<Receiver<Numbered>>) -> Result<(), Halt> {
        loop {
            let next = lock(batches).recv();
            let Ok((number, batch)) = next else {
                return Ok(());
            };
            self.sink.confirmed(number)?;
            // From here on it is carried out, whatever becomes of the client.
            let Some(_begun) = self.sink.begin() else {
                return Err(Halt::Cancelled);
            };
            let outcome = apply::apply(self.roots.resolver, self.root, self.change, self.locks, &batch);
            self.tell(number, outcome)?;
        }
    }

    /// Tells what came of a batch, in as many replies as its skips take.
    fn tell(self, number: u64, outcome: Outcome) -> Result<(), Halt> {
        let Outcome {
            mut changed,
            skips,
            faults,
        } = outcome;
        let mut told = lock(self.faults);
        let room = FAULTS.saturating_sub(told.len());
        told.extend(faults.into_iter().take(room));
        drop(told);
        let (mut part, mut bytes) = (Vec::new(), 0);
        for skip in skips {
            bytes += size(&skip);
            part.push(skip);
            if bytes >= BYTES {
                let skips = std::mem::take(&mut part);
                let changed = std::mem::take(&mut changed);
                self.sink
                    .send(Reply::Own(OwnItem::Applied { number, changed, skips }))?;
                bytes = 0;
            }
        }
        let skips = part;
        self.sink.send(Reply::Own(OwnItem::Applied { number, changed, skips }))
    }
}

/// Threads that apply.
type Appliers<'scope> = Vec<ScopedJoinHandle<'scope, Result<(), Halt>>>;

/// Waits for the appliers. What they met counts first: it is why nothing could be told.
fn finish(told: Result<(), Halt>, appliers: Appliers<'_>) -> Result<(), Halt> {
    let ended = appliers.into_iter().map(|thread| match thread.join() {
        Ok(result) => result,
        Err(_) => Err(broken("changing owners").into()),
    });
    let ended: Vec<Result<(), Halt>> = ended.collect();
    ended.into_iter().collect::<Result<(), Halt>>().and(told)
}

fn broken(tried: &str) -> Fault {
    fault(b"", Errno::IO, tried)
}

/// About the bytes that a skip takes in a frame.
fn size(skip: &Skipped) -> usize {
    skip.path.len() + 16
}

/// Makes an answer fit a frame: of what was left alone, the first are named.
fn bounded(mut undone: Undone) -> Undone {
    let mut bytes = 0;
    let kept = undone.skips.iter().position(|skip| {
        bytes += size(skip);
        bytes >= BYTES
    });
    if let Some(kept) = kept {
        let more = undone.skips.len() - kept;
        undone.skips.truncate(kept);
        undone.faults.truncate(FAULTS);
        undone.faults.push(Fault {
            errno: None,
            path: Vec::new(),
            message: format!("{more} more entries were left alone, with names too long to tell"),
        });
    }
    let mut bytes = 0;
    undone.faults.retain(|fault| {
        bytes += fault.path.len() + fault.message.len() + 16;
        bytes < BYTES / 2
    });
    undone
}
