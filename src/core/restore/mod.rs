//! The state of a restore: which archive goes where, how its check came out, what came of it. Knows the plan as plain data,
//! no engine and no file.

mod form;
mod lines;

use std::sync::Arc;

pub use form::{Asked, Field};
pub use lines::{lines, stage_words};

use super::figures;
use super::state::Screen;
use crate::engine::EngineError;
use crate::model::JobId;
use crate::ops::restore::{Into, Plan, Progress, Report, Request};
use crate::text;

/// How far a restore is.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// The archive is checked, and the plan is made.
    Planning(Progress),
    /// No plan could be made; why.
    Failed(EngineError),
    /// It can be read.
    Ready,
    /// It is being carried out, as this job.
    Restoring(JobId),
    /// It was carried out, and is not used again.
    Used,
}

/// A restore on screen.
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
    /// A restore whose plan is asked for.
    pub fn new(request: Request, ask: u64, from: Screen) -> Self {
        Self {
            request,
            stage: Stage::Planning(Progress::default()),
            from,
            top: 0,
            outcome: None,
            ask,
            plan: None,
        }
    }

    /// Takes how far the check is; `false` when that is of an earlier question.
    pub fn checking(&mut self, ask: u64, progress: Progress) -> bool {
        let awaited = self.ask == ask && matches!(self.stage, Stage::Planning(_));
        if awaited {
            self.stage = Stage::Planning(progress);
        }
        awaited
    }

    /// Takes the plan; `false` when it answers an earlier question.
    pub fn planned(&mut self, ask: u64, result: Result<Arc<Plan>, EngineError>) -> bool {
        if self.ask != ask || !matches!(self.stage, Stage::Planning(_)) {
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

    /// Whether it can be carried out.
    pub fn can_run(&self) -> bool {
        let plan = self.plan.as_ref().filter(|_| self.stage == Stage::Ready);
        plan.is_some_and(|plan| plan.refused.is_none() && plan.unclear.is_none())
    }

    /// The job that carries it out.
    pub fn job(&self) -> Option<JobId> {
        match self.stage {
            Stage::Restoring(job) => Some(job),
            Stage::Planning(_) | Stage::Failed(_) | Stage::Ready | Stage::Used => None,
        }
    }

    /// The name of where it goes, as far as that is known; hostile text.
    pub fn target(&self) -> Option<&str> {
        match &self.plan {
            // An archive of another program names no volume.
            Some(plan) => Some(target_of(plan)).filter(|name| !name.is_empty()),
            None => self.request.target.as_deref(),
        }
    }

    /// The restore in words (`restore blog_data`, `restore conf/app.ini to blog_data`); hostile text.
    pub fn words(&self) -> String {
        let part = match self.request.only.as_slice() {
            [] => None,
            [path] => Some(text::printable(path.as_bytes())),
            paths => Some(figures::counted(paths.len() as u64, "path")),
        };
        match (part, self.target()) {
            (None, Some(name)) => format!("restore {name}"),
            (None, None) => "restore an archive".to_owned(),
            (Some(part), Some(name)) => format!("restore {part} to {name}"),
            (Some(part), None) => format!("restore {part} out of an archive"),
        }
    }
}

/// The name of where a plan's contents go.
pub fn target_of(plan: &Plan) -> &str {
    match &plan.into {
        Into::New(volume) => &volume.name,
        Into::Existing(mount) => &mount.name,
    }
}
