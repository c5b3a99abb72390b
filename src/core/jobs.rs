//! The registry of jobs: what runs, how far it is, how it ended. Knows nothing of how a job works or is cancelled.

use std::collections::{BTreeMap, VecDeque};

use time::{Duration, OffsetDateTime};

use crate::model::JobId;

/// Finished jobs that are kept for the list.
const KEPT: usize = 50;
/// How far back the rate looks.
const WINDOW: Duration = Duration::seconds(5);

/// All jobs of this run, newest last.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Jobs {
    jobs: BTreeMap<JobId, Job>,
    last: u64,
}

/// One job.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// What it does, to what. Hostile text; sanitised when shown.
    pub title: String,
    /// When it started.
    pub started: OffsetDateTime,
    /// Where it stands.
    pub progress: Progress,
    /// Whether the operator asked it to stop.
    pub cancelling: bool,
    /// How it ended; `None` while it runs.
    pub end: Option<JobEnd>,
    /// When it ended.
    pub ended: Option<OffsetDateTime>,
    samples: VecDeque<(OffsetDateTime, u64)>,
}

/// Where a job stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// What it does at the moment.
    pub phase: String,
    /// Bytes so far.
    pub bytes: u64,
    /// Bytes in all, when that is known.
    pub bytes_total: Option<u64>,
    /// Items so far.
    pub items: u64,
    /// Items in all, when that is known.
    pub items_total: Option<u64>,
}

/// What a running job reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEvent {
    /// It moved.
    Progress(Progress),
    /// It ended.
    Ended(JobEnd),
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEnd {
    /// All of it was done; what, in words.
    Done(String),
    /// Some of it was done; what not, in words.
    Partial(String),
    /// It failed; why.
    Failed(String),
    /// The operator stopped it.
    Cancelled,
}

impl Jobs {
    /// Enters a new job.
    pub fn start(&mut self, title: impl Into<String>, now: OffsetDateTime) -> JobId {
        self.last += 1;
        let id = JobId(self.last);
        let job = Job {
            title: title.into(),
            started: now,
            progress: Progress::default(),
            cancelling: false,
            end: None,
            ended: None,
            samples: VecDeque::new(),
        };
        self.jobs.insert(id, job);
        while self.jobs.len() > KEPT {
            let Some(oldest) = self.jobs.iter().find(|(_, job)| job.end.is_some()).map(|(id, _)| *id) else {
                break;
            };
            self.jobs.remove(&oldest);
        }
        id
    }

    /// Folds an event into its job; events of jobs that ended are dropped. Returns whether something changed.
    pub fn fold(&mut self, id: JobId, event: JobEvent, now: OffsetDateTime) -> bool {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| job.end.is_none()) else {
            return false;
        };
        match event {
            JobEvent::Progress(progress) => {
                job.sample(now, progress.bytes);
                job.progress = progress;
            }
            JobEvent::Ended(end) => {
                job.end = Some(end);
                job.ended = Some(now);
            }
        }
        true
    }

    /// Marks a running job as being cancelled. Returns whether it runs and was not marked before.
    pub fn cancel(&mut self, id: JobId) -> bool {
        match self.jobs.get_mut(&id) {
            Some(job) if job.end.is_none() && !job.cancelling => {
                job.cancelling = true;
                true
            }
            _ => false,
        }
    }

    /// One job.
    pub fn get(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(&id)
    }

    /// All jobs, newest first.
    pub fn newest_first(&self) -> impl DoubleEndedIterator<Item = (JobId, &Job)> {
        self.jobs.iter().rev().map(|(id, job)| (*id, job))
    }

    /// The running jobs, oldest first.
    pub fn running(&self) -> impl Iterator<Item = (JobId, &Job)> {
        self.jobs
            .iter()
            .filter(|(_, job)| job.end.is_none())
            .map(|(id, job)| (*id, job))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }
}

impl Job {
    fn sample(&mut self, now: OffsetDateTime, bytes: u64) {
        self.samples.push_back((now, bytes));
        while self.samples.len() > 2 && self.samples.front().is_some_and(|(at, _)| now - *at > WINDOW) {
            self.samples.pop_front();
        }
        if self.samples.len() > 64 {
            self.samples.pop_front();
        }
    }

    /// Bytes per second of late; `None` before there are two reports, or when it ended.
    pub fn rate(&self) -> Option<u64> {
        let (first, last) = (self.samples.front()?, self.samples.back()?);
        let seconds = (last.0 - first.0).as_seconds_f64();
        if self.end.is_some() || seconds < 0.2 {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a rate for the eye"
        )]
        Some((last.1.saturating_sub(first.1) as f64 / seconds) as u64)
    }

    /// Seconds left by the present rate; `None` when it cannot be told.
    pub fn seconds_left(&self) -> Option<u64> {
        let total = self.progress.bytes_total?;
        let rate = self.rate().filter(|rate| *rate > 0)?;
        Some(total.saturating_sub(self.progress.bytes) / rate)
    }

    /// Done parts in a thousand, by bytes or else by items; `None` when the whole is unknown.
    pub fn permille(&self) -> Option<u16> {
        let progress = &self.progress;
        let (done, total) = match (progress.bytes_total, progress.items_total) {
            (Some(total), _) => (progress.bytes, total),
            (None, Some(total)) => (progress.items, total),
            (None, None) => return None,
        };
        if total == 0 {
            return None;
        }
        u16::try_from(u128::from(done.min(total)) * 1000 / u128::from(total)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::seconds(seconds)
    }

    fn bytes(bytes: u64, total: u64) -> JobEvent {
        JobEvent::Progress(Progress {
            bytes,
            bytes_total: Some(total),
            ..Progress::default()
        })
    }

    #[test]
    fn rate_and_time_left_follow_the_reports() {
        let mut jobs = Jobs::default();
        let id = jobs.start("measures", at(0));
        jobs.fold(id, bytes(0, 1000), at(0));
        assert_eq!(jobs.get(id).unwrap().rate(), None);
        jobs.fold(id, bytes(200, 1000), at(2));
        let job = jobs.get(id).unwrap();
        assert_eq!(
            (job.rate(), job.seconds_left(), job.permille()),
            (Some(100), Some(8), Some(200))
        );
    }

    #[test]
    fn an_ended_job_stays_as_it_ended() {
        let mut jobs = Jobs::default();
        let id = jobs.start("measures", at(0));
        assert!(jobs.cancel(id));
        assert!(!jobs.cancel(id), "cancelling twice asks once");
        assert!(jobs.fold(id, JobEvent::Ended(JobEnd::Cancelled), at(1)));
        assert!(!jobs.fold(id, bytes(1, 2), at(2)));
        assert_eq!(jobs.get(id).unwrap().end, Some(JobEnd::Cancelled));
        assert_eq!(jobs.running().count(), 0);
    }

    #[test]
    fn old_finished_jobs_are_forgotten_running_ones_never() {
        let mut jobs = Jobs::default();
        let kept = jobs.start("runs on", at(0));
        for _ in 0..80 {
            let id = jobs.start("short", at(0));
            jobs.fold(id, JobEvent::Ended(JobEnd::Done(String::new())), at(0));
        }
        assert!(jobs.len() <= KEPT + 1);
        assert!(jobs.get(kept).is_some());
    }
}
