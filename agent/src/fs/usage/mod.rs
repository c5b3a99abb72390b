//! Sizes of trees: all places in one pool of threads, with the sums that `du -x` gives. This file sends
//! the news; [`walker`] counts, [`account`] adds up, [`super::parallel`] walks.

mod account;
mod inodes;
mod look;
mod walker;

use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::Roots;
use super::parallel::{self, Pool};
use crate::proto::{Place, UsageItem};
use crate::serve::Halt;
use crate::signs::Signs;
use account::Trees;
use walker::Counter;

/// How often running totals are sent.
const TICK: Duration = Duration::from_millis(100);
/// How long news waits for more, so that a thousand small volumes do not make a thousand frames.
const GATHER: Duration = Duration::from_millis(5);
/// News that may wait before walkers do.
const WAITING: usize = 1024;
/// Bytes of a batch, well below a frame with one more item on top.
const BATCH: usize = 128 << 10;
/// Measures all places.
pub(super) fn run(
    roots: &Roots,
    places: &[Place],
    depth: u32,
    threads: u32,
    signs: &Signs,
    mut deliver: impl FnMut(Vec<UsageItem>) -> Result<(), Halt>,
) -> Result<(), Halt> {
    let pool = Pool::new(places.len());
    let trees = Trees::default();
    let (report, news) = sync_channel(WAITING);
    thread::scope(|scope| {
        parallel::start(scope, parallel::threads(threads), &pool, roots.resolver, || Counter {
            roots,
            places,
            depth,
            signs,
            pool: &pool,
            trees: &trees,
            report: report.clone(),
        })?;
        drop(report);
        let result = gather(&news, &trees, &mut deliver);
        pool.stop();
        // Walkers that wait to report end when nobody listens any more.
        drop(news);
        result
    })
}

/// Passes news on in batches until all walkers have ended.
fn gather(
    news: &Receiver<UsageItem>,
    trees: &Trees,
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
            trees.progress().into_iter().for_each(|item| batch.add(item));
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
