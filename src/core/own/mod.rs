//! The state of a change of owner or mode: what is asked for, its plan as it is counted, what came of it. Knows the plan
//! as plain data, no engine.

mod form;
mod lines;

use std::sync::Arc;

pub use form::Form;
pub(in crate::core) use lines::skips;
pub use lines::{block_words, lines, stage_words, why_words};

use super::state::Screen;
use crate::engine::EngineError;
use crate::model::JobId;
use crate::ops::chown::{Plan, Report, Request};
use crate::text;
use vole_agent::proto::own::Census;

/// How far a change is.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// What it would change is counted.
    Counting(Census),
    /// It could not be counted; why.
    Failed(EngineError),
    /// It can be read.
    Ready,
    /// It is being carried out, as this job.
    Changing(JobId),
    /// It was carried out, and is not used again.
    Used,
}

/// A change on screen.
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
    /// What it came to, once that is known.
    pub outcome: Option<Result<Arc<Report>, EngineError>>,
    ask: u64,
    plan: Option<Arc<Plan>>,
}

impl Review {
    /// A change whose plan is asked for.
    pub fn new(request: Request, ask: u64, from: Screen) -> Self {
        Self {
            request,
            stage: Stage::Counting(Census::default()),
            from,
            top: 0,
            outcome: None,
            ask,
            plan: None,
        }
    }

    /// Tells the answer that is awaited from earlier ones.
    pub fn ask(&self) -> u64 {
        self.ask
    }

    /// Takes what is counted so far; `false` when that is of an earlier question.
    pub fn counting(&mut self, ask: u64, census: Census) -> bool {
        let awaited = self.ask == ask && matches!(self.stage, Stage::Counting(_));
        if awaited {
            self.stage = Stage::Counting(census);
        }
        awaited
    }

    /// Takes the plan; `false` when it answers an earlier question.
    pub fn planned(&mut self, ask: u64, result: Result<Arc<Plan>, EngineError>) -> bool {
        if self.ask != ask || !matches!(self.stage, Stage::Counting(_)) {
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

    /// Whether it can be carried out: it is allowed, all was counted, and something would change.
    pub fn can_run(&self) -> bool {
        let plan = self.plan.as_ref().filter(|_| self.stage == Stage::Ready);
        plan.is_some_and(|plan| plan.refused.is_none() && plan.census.change > 0)
    }

    /// Whether the mount's name must be typed before it is carried out.
    pub fn needs_name(&self) -> bool {
        let blocks = self.plan.iter().flat_map(|plan| &plan.blocks);
        blocks.into_iter().any(crate::ops::chown::Block::needs_name)
    }

    /// The job that carries it out.
    pub fn job(&self) -> Option<JobId> {
        match self.stage {
            Stage::Changing(job) => Some(job),
            Stage::Counting(_) | Stage::Failed(_) | Stage::Ready | Stage::Used => None,
        }
    }

    /// The change in words (`chown 999:998 of blog_data`); hostile text.
    pub fn words(&self) -> String {
        words(&self.request)
    }
}

/// A change in words; hostile text.
pub fn words(request: &Request) -> String {
    let verb = if request.change.mode.is_some() {
        "chmod"
    } else {
        "chown"
    };
    let place = match request.path.is_root() {
        true => request.mount.name.clone(),
        false => format!("{}:/{}", request.mount.name, text::printable(request.path.as_bytes())),
    };
    format!("{verb} {} of {place}", request.words)
}
