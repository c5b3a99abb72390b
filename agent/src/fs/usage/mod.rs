//! Sizes of trees: all places in one pool of threads, with the sums that `du -x` gives. This file deals out the work
//! and sends the news; [`walker`] walks, [`account`] adds up.

mod account;
mod inodes;
mod look;
mod pool;
mod walker;

use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::{self, Builder};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::{Roots, fault};
use crate::proto::{Place, UsageItem};
use crate::serve::Halt;
use crate::signs::Signs;
use pool::Pool;
use walker::Walker;

/// How often running totals are sent.
const TICK: Duration = Duration::from_millis(100);
/// How long news waits for more, so that a thousand small volumes do not make a thousand frames.
const GATHER: Duration = Duration::from_millis(5);
/// News that may wait before walkers do.
const WAITING: usize = 1024;
/// Bytes of a batch, well below a frame with one more item on top.
const BATCH: usize = 128 << 10;
/// Threads at least: warm, more than there are cores cost nothing; cold, eight are twice as fast as two.
const THREADS: usize = 8;
/// Most threads that a client may ask for.
const MOST_THREADS: u32 = 64;
/// Stack of a walker: it does not recurse, and its buffer is on the heap.
const STACK: usize = 128 << 10;

/// Measures all places.
pub(super) fn run(
    roots: &Roots,
    places: &[Place],
    depth: u32,
    threads: u32,
    signs: &Signs,
    mut deliver: impl FnMut(Vec<UsageItem>) -> Result<(), Halt>,
) -> Result<(), Halt> {
    let threads = match threads {
        0 => thread::available_parallelism().map_or(THREADS, |cores| cores.get().clamp(THREADS, 64)),
        asked => asked.min(MOST_THREADS) as usize,
    };
    let pool = Pool::new(places.len());
    let (report, news) = sync_channel(WAITING);
    thread::scope(|scope| {
        let mut started = 0;
        let mut refused = None;
        for _ in 0..threads {
            let walker = Walker::new(roots, places, depth, signs, &pool, report.clone());
            match Builder::new()
                .stack_size(STACK)
                .spawn_scoped(scope, move || walker.run())
            {
                Ok(_) => started += 1,
                // A pids limit: go on with those that there are.
                Err(error) => refused = Some(error),
            }
        }
        drop(report);
        if let (0, Some(error)) = (started, refused) {
            let errno = Errno::from_raw_os_error(error.raw_os_error().unwrap_or(0));
            return Err(fault(b"", errno, "starting a thread").into());
        }
        let result = gather(&news, &pool, &mut deliver);
        pool.stop();
        // Walkers that wait to report end when nobody listens any more.
        drop(news);
        result
    })
}

/// Passes news on in batches until all walkers have ended.
fn gather(
    news: &Receiver<UsageItem>,
    pool: &Pool,
    deliver: &mut impl FnMut(Vec<UsageItem>) -> Result<(), Halt>,
) -> Result<(), Halt> {
    let mut tick = Instant::now() + TICK;
    loop {
        let first = match news.recv_timeout(tick.saturating_duration_since(Instant::now())) {
            Ok(item) => Some(item),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        let mut batch = Batch::default();
        if let Some(item) = first {
            batch.add(item);
            let until = Instant::now() + GATHER;
            while batch.bytes < BATCH {
                match news.recv_timeout(until.saturating_duration_since(Instant::now())) {
                    Ok(item) => batch.add(item),
                    Err(_) => break,
                }
            }
        }
        if Instant::now() >= tick {
            pool.progress().into_iter().for_each(|item| batch.add(item));
            tick = Instant::now() + TICK;
        }
        deliver(batch.items)?;
    }
}

#[derive(Default)]
struct Batch {
    items: Vec<UsageItem>,
    bytes: usize,
}

impl Batch {
    fn add(&mut self, item: UsageItem) {
        self.bytes += 64
            + match &item {
                UsageItem::Progress { .. } => 0,
                UsageItem::Dir { path, .. } => path.len(),
                UsageItem::Complete { faults, seen, .. } => {
                    let faults: usize = faults.iter().map(|f| f.path.len() + f.message.len() + 16).sum();
                    faults + seen.iter().map(|s| s.path.len() + s.head.len() + 16).sum::<usize>()
                }
                UsageItem::Failed { fault, .. } => fault.path.len() + fault.message.len(),
            };
        self.items.push(item);
    }
}
