//! Carries a plan out: what entries were is on this machine's disk before each batch of them is changed. Stops before the
//! next batch when it is cancelled or the journal has no room, and lets what was confirmed finish.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vole_agent::proto::Fault;
use vole_agent::proto::own::{Group, OwnItem, Skipped, Why};

use super::{Plan, Progress, Report, gather};
use crate::engine::{Engine, EngineError, Owning, Purpose, Session};
use crate::journal::{self, End, Header, Operation, Own, Site, Writer};
use crate::ops::writable::{self, Now, at, refusal};

/// Skips that a report holds.
const SKIPS: usize = 1000;
/// Room that a journal takes beside its entries, in bytes.
const SLACK: u64 = 64 << 10;
/// Batches that are written down together before the disk is waited for.
const TOGETHER: usize = 24;
/// How long a change that stops waits for what the agent has left to say of batches that were carried out.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// See [`super::run`].
pub(super) async fn run(
    engine: &Engine,
    plan: &Plan,
    store: &journal::Store,
    progress: &mpsc::Sender<Progress>,
    cancel: &CancellationToken,
) -> Result<Report, EngineError> {
    if let Some(why) = &plan.refused {
        return Err(refusal(why.clone()));
    }
    let mut report = Report {
        unchanged: plan.census.unchanged,
        skips: plan.census.skips.clone(),
        skipped: plan.census.skipped,
        ..Report::default()
    };
    if plan.census.change == 0 {
        return Ok(report);
    }
    let beginning = begin(engine, plan, store);
    let begun = cancel.run_until_cancelled(beginning).await;
    let (session, root, now, writer) = begun.unwrap_or(Err(EngineError::Cancelled))?;
    report.journal = Some(writer.id().clone());
    (report.skips, report.skipped) = (Vec::new(), 0);
    let request = &plan.request;
    let mut pump = Pump {
        owning: session.own(
            at(root, request.path.as_bytes()),
            request.change.clone(),
            now.survey.leave.clone(),
        ),
        writer: Some(writer),
        confirmed: 0,
        under_way: BTreeMap::new(),
        applied: BTreeSet::new(),
        settled: 0,
        total: plan.census.change,
        report,
        progress,
    };
    pump.pump(cancel).await;
    let ended = pump.end().await;
    let mut report = pump.report;
    report.unsure = pump.under_way.values().sum();
    report.stopped = report.stopped.or(ended);
    if report.stopped.is_none() {
        report.stopped = verify(&session, root, plan, &now, &report).await;
    }
    Ok(report)
}

/// All that precedes the first change: the same mount, the same place, and a journal with room.
async fn begin(
    engine: &Engine,
    plan: &Plan,
    store: &journal::Store,
) -> Result<(Session, u32, Now, Writer), EngineError> {
    let request = &plan.request;
    let planned = &request.mount;
    let now = writable::now(engine, &planned.id, &planned.name, planned.kind, &request.path).await?;
    let site = Site::of(planned, None, (0, 0), 0);
    if let Some(why) = site.differs(&now.mount, now.is_dated()) {
        return Err(refusal(format!(
            "{} is another one than the plan was made for: {why}",
            planned.name
        )));
    }
    if let Some(why) = &now.survey.refused {
        return Err(refusal(why.clone()));
    }
    let resolved = now
        .survey
        .resolved
        .clone()
        .or_else(|| now.survey.known.first().cloned());
    if resolved != plan.resolved {
        return Err(refusal(format!(
            "{} leads elsewhere than when the plan was made",
            planned.name
        )));
    }
    let (session, root) = writable::open(engine, &now.mount, Purpose::Own).await?;
    let (info, seen) = now.survey.check(&session, root, request.path.as_bytes()).await?;
    if plan.seen.is_some_and(|planned| planned != seen) {
        return Err(refusal(format!(
            "{} is another one than the plan was made for: another directory stands there",
            planned.name
        )));
    }
    if info.read_only {
        return Err(refusal(format!(
            "{} is on a file system that is read-only",
            planned.name
        )));
    }
    let header = Header {
        engine: engine.id.clone(),
        endpoint: engine.daemon.endpoint(),
        mount: Site {
            born: seen.born,
            ..Site::of(&now.mount, resolved, seen.dev, seen.ino)
        },
        containers: now.uses.iter().map(|one| one.container.clone()).collect(),
        operation: Operation::Own(Own {
            change: request.change.clone(),
            path: request.path.as_bytes().to_vec(),
            words: request.words.clone(),
        }),
        at: OffsetDateTime::now_utc().unix_timestamp(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        process: std::process::id(),
    };
    let room = plan.census.journal_bytes.saturating_add(plan.census.journal_bytes / 4) + SLACK;
    let store = store.clone();
    let dir = store.dir().display().to_string();
    let begun = tokio::task::spawn_blocking(move || store.begin(header, room)).await;
    let begun = begun.map_err(std::io::Error::other).and_then(|begun| begun);
    let writer = begun.map_err(|error| {
        refusal(format!(
            "the journal that would take it back cannot be written in {dir} ({room} bytes): {error}"
        ))
    })?;
    Ok((session, root, now, writer))
}

/// A change that runs.
struct Pump<'a> {
    owning: Owning,
    /// `None` after a thread that wrote it was lost.
    writer: Option<Writer>,
    /// The last batch that may be carried out.
    confirmed: u64,
    /// The entries of batches that may be carried out and of which nothing was heard yet.
    under_way: BTreeMap<u64, u64>,
    /// The batches that were, in any order; those up to [`Self::settled`] are left out.
    applied: BTreeSet<u64>,
    /// All batches up to this one were carried out.
    settled: u64,
    total: u64,
    report: Report,
    progress: &'a mpsc::Sender<Progress>,
}

impl Pump<'_> {
    async fn pump(&mut self, cancel: &CancellationToken) {
        loop {
            let stopping = self.report.stopped.is_some();
            let settled = self.settled >= self.confirmed;
            let next = tokio::select! {
                // What is there is taken before a cancel, so that none of it is lost.
                biased;
                next = self.owning.next() => next,
                // What was left alone in the last batch may take several messages.
                () = tokio::time::sleep(LAST_WORDS), if stopping && settled => return,
                () = cancel.cancelled(), if !stopping => {
                    self.stop("cancelled");
                    continue;
                }
            };
            match next {
                Ok(Some(OwnItem::Batch { number, groups })) => self.batches(number, groups, cancel).await,
                Ok(Some(item)) => self.take(item).await,
                Ok(None) => return,
                Err(error) => {
                    self.fail(&error);
                    return;
                }
            }
        }
    }

    fn fail(&mut self, error: &EngineError) {
        match error {
            EngineError::Partial { notes } => {
                let entries = crate::core::figures::entries(notes.len() as u64);
                let first = notes.first().map(crate::text::fault).unwrap_or_default();
                self.stop(&format!("{entries} changed only in part; the first: {first}"));
            }
            error => self.stop(&error.to_string()),
        }
    }

    fn stop(&mut self, why: &str) {
        self.report.stopped.get_or_insert_with(|| why.to_owned());
    }

    fn skip(&mut self, skips: Vec<Skipped>) {
        self.report.skipped += skips.len() as u64;
        let room = SKIPS.saturating_sub(self.report.skips.len());
        self.report.skips.extend(skips.into_iter().take(room));
    }

    /// Writes batches down, as many as wait, then lets the agent carry them out.
    async fn batches(&mut self, number: u64, groups: Vec<Group>, cancel: &CancellationToken) {
        let mut waiting = vec![(number, groups)];
        let mut others = Vec::new();
        while waiting.len() < TOGETHER {
            let next = futures_util::FutureExt::now_or_never(self.owning.next());
            match next {
                Some(Ok(Some(OwnItem::Batch { number, groups }))) => waiting.push((number, groups)),
                Some(Ok(Some(item))) => others.push(item),
                Some(Err(error)) => {
                    self.fail(&error);
                    break;
                }
                Some(Ok(None)) | None => break,
            }
        }
        if cancel.is_cancelled() {
            self.stop("cancelled");
        }
        if self.report.stopped.is_none() {
            self.write(waiting, cancel).await;
        }
        for item in others {
            self.take(item).await;
        }
    }

    async fn write(&mut self, waiting: Vec<(u64, Vec<Group>)>, cancel: &CancellationToken) {
        let Some(mut writer) = self.writer.take() else {
            self.stop("the journal is lost");
            return;
        };
        let through = waiting.last().map_or(0, |(number, _)| *number);
        let records = |groups: &[Group]| groups.iter().map(|group| group.records.len() as u64).sum();
        let counts: Vec<(u64, u64)> = waiting
            .iter()
            .map(|(number, groups)| (*number, records(groups)))
            .collect();
        let writing = tokio::task::spawn_blocking(move || {
            let written = waiting
                .into_iter()
                .try_for_each(|(number, groups)| writer.batch(number, groups))
                .and_then(|()| writer.sync());
            (writer, written)
        });
        match writing.await {
            Ok((writer, written)) => {
                self.writer = Some(writer);
                match written {
                    Ok(()) if cancel.is_cancelled() => self.stop("cancelled"),
                    Ok(()) => {
                        self.confirmed = through;
                        self.under_way.extend(counts);
                        self.owning.confirm(through);
                    }
                    Err(error) => self.stop(&format!("the journal cannot be written: {error}")),
                }
            }
            Err(error) => self.stop(&format!("the journal cannot be written: {error}")),
        }
    }

    async fn take(&mut self, item: OwnItem) {
        match item {
            OwnItem::Applied { number, changed, skips } => {
                self.applied.insert(number);
                self.under_way.remove(&number);
                while self.applied.remove(&(self.settled + 1)) {
                    self.settled += 1;
                }
                self.report.changed += changed;
                self.skip(skips);
                if let Some(Err(error)) = self.writer.as_mut().map(|writer| writer.applied(number, changed)) {
                    self.stop(&format!("the journal cannot be written: {error}"));
                }
                let progress = Progress {
                    done: self.report.changed,
                    total: Some(self.total),
                };
                // Who started it may have stopped listening.
                let _heard = self.progress.send(progress).await;
            }
            OwnItem::Counted(census) => {
                self.report.unchanged = census.unchanged;
                if census.complete {
                    // What was not even tried; what was refused came with its batch.
                    let listed = census.skips.len() as u64;
                    self.skip(census.skips);
                    self.report.skipped += census.skipped.saturating_sub(listed);
                }
            }
            OwnItem::Batch { .. } => self.stop("the helper's agent sent a batch out of turn"),
        }
    }

    /// Ends the journal; why it could not be, when so.
    async fn end(&mut self) -> Option<String> {
        let end = match &self.report.stopped {
            None => End::Done,
            Some(why) => End::Stopped(why.clone()),
        };
        let writer = self.writer.take()?;
        let ended = tokio::task::spawn_blocking(move || writer.end(end)).await;
        let ended = ended.map_err(std::io::Error::other).and_then(|ended| ended);
        let error = ended.err()?;
        Some(format!(
            "all was carried out, but the journal's end could not be written: {error}"
        ))
    }
}

/// Counts once more: why not all is as it should be, when so.
async fn verify(session: &Session, root: u32, plan: &Plan, now: &Now, report: &Report) -> Option<String> {
    match gather::census(session, root, &plan.request, &now.survey, |_| {}).await {
        Ok(census) if census.change <= report.skipped => None,
        Ok(census) => Some(format!(
            "{} are not as asked although all were changed: something was made or changed meanwhile; run it again",
            crate::core::figures::entries(census.change - report.skipped)
        )),
        Err(error) => Some(format!(
            "all was carried out, but what came of it could not be checked: {error}"
        )),
    }
}

/// What could not be read, as something that was left alone.
pub(super) fn skip_of(fault: &Fault) -> Skipped {
    Skipped {
        path: fault.path.clone(),
        why: Why::Refused {
            errno: fault.errno.unwrap_or_default(),
        },
    }
}
