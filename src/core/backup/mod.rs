//! The state of a backup: which mounts are copied where, how far that is, what came of each. Knows the plan as plain data, no
//! engine.

mod lines;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use lines::{lines, stage_words};
pub(in crate::core) use lines::{size_words, warnings};
use vole_agent::proto::archive::Compression;

use super::state::Screen;
use crate::archive::{Archive, Status};
use crate::engine::EngineError;
use crate::model::JobId;
use crate::model::size::Measured;
use crate::ops::backup::{Plan, Request, Row};

/// How far a backup is.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// Its plan is made.
    Planning,
    /// No plan could be made; why.
    Failed(EngineError),
    /// It can be read.
    Ready,
    /// It is being carried out, as this job.
    Copying(JobId),
    /// It was carried out, and is not used again.
    Used,
}

/// What became of a mount's copy.
pub type Outcome = Result<Arc<Archive>, String>;

/// A backup on screen.
#[derive(Debug, Clone, PartialEq)]
pub struct Review {
    /// What is asked for.
    pub request: Request,
    /// How far it is.
    pub stage: Stage,
    /// Where the operator came from.
    pub from: Screen,
    /// First line shown.
    pub top: usize,
    /// What became of the rows so far, by their place in the plan.
    pub outcomes: BTreeMap<usize, Outcome>,
    ask: u64,
    plan: Option<Arc<Plan>>,
}

impl Review {
    /// A backup whose plan is asked for.
    pub fn new(request: Request, ask: u64, from: Screen) -> Self {
        Self {
            request,
            stage: Stage::Planning,
            from,
            top: 0,
            outcomes: BTreeMap::new(),
            ask,
            plan: None,
        }
    }

    /// Takes the plan; `false` when it answers an earlier question.
    pub fn planned(&mut self, ask: u64, result: Result<Arc<Plan>, EngineError>) -> bool {
        if self.ask != ask || self.stage != Stage::Planning {
            return false;
        }
        match result {
            Ok(plan) => {
                self.plan = Some(plan);
                self.stage = Stage::Ready;
            }
            Err(error) => self.stage = Stage::Failed(error),
        }
        true
    }

    /// The plan, once it is made.
    pub fn plan(&self) -> Option<&Arc<Plan>> {
        self.plan.as_ref()
    }

    /// The rows that are copied.
    pub fn copied(&self) -> impl Iterator<Item = &Row> {
        let rows = self.plan.iter().flat_map(|plan| &plan.rows);
        rows.filter(|row| row.refused.is_none())
    }

    /// Whether it can be carried out: at least one mount is not refused.
    pub fn can_run(&self) -> bool {
        self.stage == Stage::Ready && self.copied().next().is_some()
    }

    /// The job that carries it out.
    pub fn job(&self) -> Option<JobId> {
        match self.stage {
            Stage::Copying(job) => Some(job),
            Stage::Planning | Stage::Failed(_) | Stage::Ready | Stage::Used => None,
        }
    }

    /// The backup in words (`back up blog_data`); hostile text.
    pub fn words(&self) -> String {
        match self.request.mounts.as_slice() {
            [one] => format!("back up {}", one.name),
            many => format!("back up {} mounts", many.len()),
        }
    }

    /// Bytes of contents that were copied.
    pub fn done(&self) -> u64 {
        let archives = self.outcomes.values().filter_map(|outcome| outcome.as_ref().ok());
        archives.map(|archive| archive.content_bytes).sum()
    }
}

/// The bytes that a copy of what was measured holds: neither holes nor the ends of blocks.
pub fn expected(size: &Measured) -> u64 {
    let totals = &size.totals;
    totals
        .apparent
        .map_or(totals.bytes, |apparent| apparent.min(totals.bytes))
}

/// The bytes that all of these rows hold; `None` when one of them was not measured.
pub fn expected_of<'a>(mut rows: impl Iterator<Item = &'a Row>) -> Option<u64> {
    rows.try_fold(0_u64, |sum, row| Some(sum.saturating_add(expected(row.size.as_ref()?))))
}

/// The compression behind this one, round and round.
pub fn next(compression: Compression) -> Compression {
    match compression {
        Compression::Zstd => Compression::Gzip,
        Compression::Gzip => Compression::None,
        Compression::None => Compression::Zstd,
    }
}

/// A compression's word.
pub fn compression_word(compression: Compression) -> &'static str {
    match compression {
        Compression::Zstd => "zstd",
        Compression::Gzip => "gzip",
        Compression::None => "none",
    }
}

/// A status's sign and word.
pub fn status_words(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Partial => "! partial",
    }
}
