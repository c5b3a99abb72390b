//! Runs measurements as jobs and keeps their sizes, for the loop. Knows the operation's messages, not its work.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::mail::Mail;
use super::telling::{self, Fold, QUEUE};
use crate::core::figures;
use crate::core::jobs::{JobEnd, Progress};
use crate::core::msg::{EngineMsg, Notice};
use crate::engine::Engine;
use crate::engine::contexts::Environment;
use crate::model::size::Measured;
use crate::model::{JobId, Mount, MountId, Size};
use crate::ops::list::Inventory;
use crate::ops::size::{self, Outcome, SizeNews, Subject};
use crate::ops::sizes::SizeCache;

/// Measures mounts; sizes and progress go to the loop at most ten times a second.
pub(super) async fn run(
    engine: Engine,
    job: JobId,
    mounts: Vec<Arc<Mount>>,
    asked: bool,
    mail: Mail,
    cancel: CancellationToken,
) {
    let total = mounts.len() as u64;
    let subjects = mounts.into_iter().map(|mount| Subject::whole(mount, asked)).collect();
    let (to, news) = mpsc::channel(QUEUE);
    let measuring = size::run(&engine, subjects, 0, to, cancel);
    let telling = Telling {
        job,
        mail: &mail,
        fresh: HashMap::new(),
        known: HashMap::new(),
        total,
    };
    let (outcome, told) = tokio::join!(measuring, telling::folded(telling, news));
    let bytes = told.bytes();
    mail.ended(job, end(outcome, bytes)).await;
}

fn end(outcome: Outcome, bytes: u64) -> JobEnd {
    let measured = format!(
        "{} in {}",
        figures::bytes(bytes),
        figures::counted(outcome.measured as u64, "mount")
    );
    match outcome {
        Outcome { cancelled: true, .. } => JobEnd::Cancelled,
        Outcome {
            failed: 0, skipped: 0, ..
        } => JobEnd::Done(measured),
        Outcome {
            measured: 0, failed, ..
        } if failed > 0 => JobEnd::Failed(format!("{failed} could not be measured; details say why")),
        Outcome { failed, skipped, .. } => {
            let part = |count: usize, word| {
                if count > 0 {
                    format!(", {count} {word}")
                } else {
                    String::new()
                }
            };
            let rest = format!("{}{}", part(failed, "failed"), part(skipped, "left out"));
            JobEnd::Partial(format!("{measured}{rest}; details say why"))
        }
    }
}

/// Folds news into the latest size of each mount and passes it on in batches.
struct Telling<'a> {
    job: JobId,
    mail: &'a Mail,
    fresh: HashMap<MountId, Size>,
    /// Bytes, and whether that is the last word.
    known: HashMap<MountId, (u64, bool)>,
    total: u64,
}

impl Telling<'_> {
    /// The bytes of all mounts.
    fn bytes(&self) -> u64 {
        self.known
            .values()
            .map(|(bytes, _)| bytes)
            .fold(0, |sum, bytes| sum.saturating_add(*bytes))
    }
}

impl Fold for Telling<'_> {
    type News = Vec<SizeNews>;

    fn take(&mut self, batch: Vec<SizeNews>) {
        for news in batch {
            let last = !matches!(news.size, Size::Measuring { .. });
            self.known
                .insert(news.id.clone(), (news.size.known_bytes().unwrap_or(0), last));
            self.fresh.insert(news.id, news.size);
        }
    }

    async fn tell(&mut self) {
        let progress = Progress {
            bytes: self.bytes(),
            items: self.known.values().filter(|(_, last)| *last).count() as u64,
            items_total: Some(self.total),
            ..Progress::default()
        };
        let sizes = self.fresh.drain().collect();
        // A loop that has ended cancels the measurement; nothing is to be done about it here.
        let _listened = self.mail.engine(EngineMsg::Sizes(self.job, sizes)).await;
        let _listened = self.mail.progress(self.job, progress).await;
    }
}

/// Reads the sizes of earlier starts.
pub(super) async fn read_sizes(engine: Engine, inventory: Arc<Inventory>, mail: Mail) {
    let read = tokio::task::spawn_blocking(move || {
        let cache = SizeCache::open(&engine.id, &Environment::of_process());
        let known = |mount: &Mount| Some((mount.id.clone(), cache.get(mount)?.clone()));
        inventory.mounts.iter().map(Arc::as_ref).filter_map(known).collect()
    });
    let sizes = match read.await {
        Ok(sizes) => sizes,
        Err(error) => {
            mail.notice(Notice::warning(format!(
                "the sizes of earlier starts could not be read: {error}"
            )))
            .await;
            Vec::new()
        }
    };
    mail.engine(EngineMsg::Cached(sizes)).await;
}

/// Keeps sizes for later starts.
pub(super) async fn write_sizes(
    engine: Engine,
    inventory: Arc<Inventory>,
    sizes: Vec<(MountId, Measured)>,
    mail: Mail,
) {
    let written = tokio::task::spawn_blocking(move || {
        let mut cache = SizeCache::open(&engine.id, &Environment::of_process());
        let mounts: HashMap<&MountId, &Arc<Mount>> = inventory.mounts.iter().map(|mount| (&mount.id, mount)).collect();
        for (id, size) in sizes {
            if let Some(mount) = mounts.get(&id) {
                cache.put(mount, size);
            }
        }
        cache.prune(&inventory);
        cache.save()
    });
    let error = match written.await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    mail.notice(Notice::warning(format!(
        "sizes could not be kept for the next start: {error}"
    )))
    .await;
}
