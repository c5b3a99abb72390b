//! Measures mounts: many plain ones in one helper, odd ones in helpers of their own, streamed as it goes. One bad mount
//! fails alone. Where no helper can run, what the engine itself measured is the last resort.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;
use time::OffsetDateTime;
use tokio::sync::{OnceCell, mpsc};
use tokio_util::sync::CancellationToken;
use vole_agent::proto::{Fault, Place, UsageItem};

use crate::engine::daemon::DiskUsage;
use crate::engine::session::Replies;
use crate::engine::{Engine, EngineError, OpenSpec, Opened, Purpose};
use crate::model::size::{Measured, TotalsRow};
use crate::model::{BytePath, Mount, MountId, Size, Source};

mod groups;
#[cfg(test)]
mod tests;

use groups::Group;

/// Helpers that measure at once.
const HELPERS: usize = 4;

/// One tree to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The mount.
    pub mount: Arc<Mount>,
    /// The directory or file in it.
    pub path: BytePath,
    /// Whether the operator named it: then what is [`crate::model::Scan::OnDemand`] is measured too.
    pub asked: bool,
}

impl Subject {
    /// A whole mount.
    pub fn whole(mount: Arc<Mount>, asked: bool) -> Self {
        Self {
            mount,
            path: BytePath::root(),
            asked,
        }
    }
}

/// News of one subject, or of a directory in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SizeNews {
    /// The mount.
    pub id: MountId,
    /// The subject's path, or that of a directory below it, within the mount.
    pub path: BytePath,
    /// What is known now. [`Size::Measuring`] carries no earlier measurement: the receiver knows it.
    pub size: Size,
    /// The first few paths that could not be read.
    pub faults: Vec<Fault>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Subjects measured.
    pub measured: usize,
    /// Subjects that failed.
    pub failed: usize,
    /// Subjects left out because they are not measured unasked, or never, or because of the cancelling.
    pub skipped: usize,
    /// Whether it was cancelled.
    pub cancelled: bool,
}

/// Measures subjects. Every subject gets exactly one last news: measured, failed, or unknown with the reason. Batches
/// of news go to `news`; a receiver that is gone cancels the run. `depth` is how far below its path each directory is
/// reported of its own, 0 for totals only.
pub async fn run(
    engine: &Engine,
    subjects: Vec<Subject>,
    depth: u32,
    news: mpsc::Sender<Vec<SizeNews>>,
    cancel: CancellationToken,
) -> Outcome {
    // It only decides how many share a helper; an engine that does not answer says so to the first of them.
    let about = cancel.run_until_cancelled(engine.daemon.about()).await;
    let same_host = matches!(about, Some(Ok(about)) if about.same_host);
    let groups = groups::plan(subjects, same_host);
    let run = Run {
        engine: engine.clone(),
        depth,
        news,
        cancel,
        engine_sizes: Arc::new(OnceCell::new()),
    };
    let mut outcome = Outcome {
        skipped: groups.skipped.len(),
        ..Outcome::default()
    };
    let skipped = groups
        .skipped
        .into_iter()
        .map(|(subject, why)| subject.news(Size::Unknown(Some(why))))
        .collect();
    run.send(skipped).await;
    let running = stream::iter(groups.helpers).map(|group| run.group(group));
    let ended: Vec<Outcome> = running.buffer_unordered(HELPERS).collect().await;
    for one in ended {
        outcome.measured += one.measured;
        outcome.failed += one.failed;
        outcome.skipped += one.skipped;
    }
    outcome.cancelled = run.cancel.is_cancelled();
    outcome
}

impl Subject {
    fn news(&self, size: Size) -> SizeNews {
        SizeNews {
            id: self.mount.id.clone(),
            path: self.path.clone(),
            size,
            faults: Vec::new(),
        }
    }
}

/// What all helpers of a run share.
struct Run {
    engine: Engine,
    depth: u32,
    news: mpsc::Sender<Vec<SizeNews>>,
    cancel: CancellationToken,
    /// What `/system/df` says: asked once, and only when nothing else can answer.
    engine_sizes: Arc<OnceCell<Result<DiskUsage, String>>>,
}

impl Run {
    async fn send(&self, news: Vec<SizeNews>) {
        if !news.is_empty() && self.news.send(news).await.is_err() {
            self.cancel.cancel();
        }
    }

    async fn group(&self, subjects: Vec<Subject>) -> Outcome {
        let mut group = Group::new(subjects, Arc::clone(&self.engine.rules));
        let done = self.cancel.run_until_cancelled(self.measure(&mut group)).await;
        let rest = match done {
            Some(Ok(())) => Size::Failed("the helper ended without an answer".to_owned()),
            Some(Err(error)) => Size::Failed(error.to_string()),
            None => Size::Unknown(Some("cancelled".to_owned())),
        };
        let last = group
            .unsettled()
            .into_iter()
            .map(|at| group.settle(at, rest.clone()))
            .collect();
        self.send(last).await;
        group.outcome
    }

    /// Measures a group; what it leaves unsettled is for the caller to settle.
    async fn measure(&self, group: &mut Group) -> Result<(), EngineError> {
        let targets = group.targets().map_err(|reason| EngineError::NoHelper { reason })?;
        let spec = OpenSpec {
            targets,
            purpose: Purpose::Measure,
            through_store: true,
        };
        let opened = match self.engine.daemon.open(spec).await {
            Ok(opened) => opened,
            Err(error @ (EngineError::Cancelled | EngineError::Unreachable { .. })) => return Err(error),
            Err(error) => {
                let all = (0..group.subjects.len()).map(|at| (at, error.to_string())).collect();
                self.ask_engine(group, all).await;
                return Ok(());
            }
        };
        group.source = opened.source;
        let (places, owners) = self.places(group, &opened).await;
        if places.is_empty() {
            return Ok(());
        }
        let replies = opened.session.usage(places, self.depth, self.engine.rules.signs());
        self.follow(group, replies, &owners).await
    }

    /// The places to measure and the subject of each. What could not be mounted is settled at once.
    async fn places(&self, group: &mut Group, opened: &Opened) -> (Vec<Place>, Vec<usize>) {
        let (mut places, mut owners, mut bad) = (Vec::new(), Vec::new(), Vec::new());
        for (at, subject) in group.subjects.iter().enumerate() {
            match opened.roots.get(at) {
                Some(Ok(root)) => {
                    places.push(Place {
                        root: *root,
                        path: subject.path.as_bytes().to_vec(),
                    });
                    owners.push(at);
                }
                Some(Err(why)) => bad.push((at, why.clone())),
                None => bad.push((at, "the helper does not know it".to_owned())),
            }
        }
        match opened.source {
            // The helper ran, so what it could not mount cannot be mounted.
            Source::Agent => {
                let failed = bad
                    .into_iter()
                    .map(|(at, why)| group.settle(at, Size::Failed(why)))
                    .collect();
                self.send(failed).await;
            }
            Source::Local | Source::Engine => self.ask_engine(group, bad).await,
        }
        (places, owners)
    }

    async fn follow(
        &self,
        group: &mut Group,
        mut replies: Replies<Vec<UsageItem>>,
        owners: &[usize],
    ) -> Result<(), EngineError> {
        while let Some(reply) = replies.next().await {
            let items = match reply {
                Ok(items) => items,
                // Everything was delivered; what could not be read is counted in the totals.
                Err(EngineError::Partial { .. }) => break,
                Err(error) => return Err(error),
            };
            let now = OffsetDateTime::now_utc();
            let news = items
                .into_iter()
                .filter_map(|item| group.fold(item, owners, now))
                .collect();
            self.send(news).await;
        }
        Ok(())
    }

    /// Settles subjects for which no helper could be had with what the engine measured, if it did.
    async fn ask_engine(&self, group: &mut Group, subjects: Vec<(usize, String)>) {
        let may_know = |at: &usize| self.depth == 0 && engine_may_know(&group.subjects[*at]);
        let mut sizes = None;
        if subjects.iter().any(|(at, _)| may_know(at)) {
            let ask = async { self.engine.daemon.disk_usage().await.map_err(|error| error.to_string()) };
            sizes = Some(self.engine_sizes.get_or_init(|| ask).await);
        }
        let now = OffsetDateTime::now_utc();
        let mut news = Vec::new();
        for (at, why) in subjects {
            let known = match sizes {
                Some(Ok(usage)) if self.depth == 0 && engine_may_know(&group.subjects[at]) => {
                    usage.volumes.get(&group.subjects[at].mount.name)
                }
                _ => None,
            };
            let size = known.map_or(Size::Failed(why), |bytes| {
                let totals = TotalsRow {
                    bytes: *bytes,
                    ..TotalsRow::default()
                };
                Size::Measured(Measured {
                    totals,
                    at: now,
                    source: Source::Engine,
                    contents: None,
                })
            });
            news.push(group.settle(at, size));
        }
        self.send(news).await;
    }
}

/// Whether `/system/df` can say the size: whole volumes only.
fn engine_may_know(subject: &Subject) -> bool {
    subject.mount.kind.is_volume() && subject.path.is_root()
}
