//! The doctor screen's state: what is diagnosed, what was found so far, where the cursor is; and what the last diagnosis
//! says of each mount. Knows findings as plain data, no engine.

mod fix;
mod known;
mod pane;

use std::sync::Arc;

use time::OffsetDateTime;

pub use fix::{line as fix_line, owner_words, plan as fix_plan, request_line};
pub use known::Known;
pub use pane::{pane, words as cause_words};

use super::action::Action;
use super::list::List;
use crate::doctor::Finding;
use crate::engine::EngineError;
use crate::model::{ContainerState, JobId, Mount};
use crate::ops::doctor::{Event, Report, Scope};
use crate::ops::list::Inventory;

/// How far a diagnosis is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// It runs, as this job.
    Running(JobId),
    /// It could not be made; why.
    Failed(String),
    /// The operator stopped it: what is listed is not all.
    Cancelled,
    /// It ended.
    Done,
}

/// The last lines of a container's log.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// The container that was asked for, by the name or id that the engine was asked with.
    pub container: String,
    /// The lines, oldest first; `None` while they are awaited.
    pub lines: Option<Result<Vec<Vec<u8>>, EngineError>>,
}

/// A diagnosis on screen.
#[derive(Debug, Clone, PartialEq)]
pub struct Doctor {
    /// What is diagnosed.
    pub scope: Scope,
    /// The name of the one mount that it is about; `None` for the whole engine.
    pub about: Option<String>,
    /// How far it is.
    pub stage: Stage,
    /// When it began.
    pub at: OffsetDateTime,
    /// Whether something was changed since it ended.
    pub outdated: bool,
    /// Containers looked at so far.
    pub looked: usize,
    /// Containers to look at, once that is known.
    pub total: Option<usize>,
    /// What it came to, once it ended.
    pub report: Option<Arc<Report>>,
    /// Whether keys that move go to the pane.
    pub pane_focused: bool,
    /// First line shown in the pane.
    pub pane_top: usize,
    /// The log that the pane shows.
    pub log: Option<Log>,
    /// The findings, surest first.
    pub list: List<Arc<Finding>>,
}

impl Doctor {
    /// A diagnosis that begins.
    pub fn new(scope: Scope, about: Option<String>, job: JobId, at: OffsetDateTime) -> Self {
        Self {
            scope,
            about,
            stage: Stage::Running(job),
            at,
            outdated: false,
            looked: 0,
            total: None,
            report: None,
            pane_focused: false,
            pane_top: 0,
            log: None,
            list: List::default(),
        }
    }

    /// The job that it runs as.
    pub fn job(&self) -> Option<JobId> {
        match self.stage {
            Stage::Running(job) => Some(job),
            Stage::Failed(_) | Stage::Cancelled | Stage::Done => None,
        }
    }

    /// Takes news of the running diagnosis; `false` when they are of an earlier one.
    pub fn news(&mut self, job: JobId, events: Vec<Event>) -> bool {
        if self.job() != Some(job) {
            return false;
        }
        let mut findings = self.list.rows().to_vec();
        for event in events {
            match event {
                Event::Total(total) => self.total = Some(total),
                Event::Looked => self.looked += 1,
                Event::Found(finding) => findings.push(Arc::from(finding)),
            }
        }
        // Stable: of the same confidence, what came first stays first.
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.confidence));
        self.arrange(findings);
        true
    }

    /// Takes what the running diagnosis came to; `false` when it is that of an earlier one.
    pub fn ended(&mut self, job: JobId, report: Arc<Report>) -> bool {
        if self.job() != Some(job) {
            return false;
        }
        let findings = report.findings.iter().cloned().map(Arc::new).collect();
        self.looked = report.containers;
        self.report = Some(report);
        self.stage = Stage::Done;
        self.arrange(findings);
        true
    }

    /// The findings, surest first.
    pub fn findings(&self) -> &[Arc<Finding>] {
        self.list.rows()
    }

    /// The finding under the cursor.
    pub fn current(&self) -> Option<&Arc<Finding>> {
        self.list.current()
    }

    /// Moves the cursor. Returns whether it is on another finding.
    pub fn go(&mut self, action: Action) -> bool {
        let moved = self.list.go(action);
        self.turned(moved);
        moved
    }

    fn arrange(&mut self, findings: Vec<Arc<Finding>>) {
        let moved = self.list.set(findings, |one, other| one == other);
        self.turned(moved);
    }

    /// The pane shows another finding: another container's log would stand under it.
    fn turned(&mut self, moved: bool) {
        if moved {
            self.pane_top = 0;
            self.log = None;
        }
    }
}

/// A container that a finding is about, as far as the list of mounts knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patient {
    /// Its id; its name when no mount tells the id. Engines take both.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its state; `None` when it attaches no mount that is listed.
    pub state: Option<ContainerState>,
}

/// The container that a finding is about.
pub fn patient(finding: &Finding, inventory: Option<&Inventory>) -> Option<Patient> {
    let name = finding.container.as_ref()?;
    let mounts = inventory.into_iter().flat_map(|inventory| &inventory.mounts);
    let found = mounts
        .flat_map(|mount| &mount.attachments)
        .find(|attachment| attachment.container == *name);
    Some(Patient {
        id: found.map_or_else(|| name.clone(), |attachment| attachment.container_id.clone()),
        name: name.clone(),
        state: found.map(|attachment| attachment.state.clone()),
    })
}

/// The mount of a finding, by its id, as it is listed now.
pub fn mount_of<'a>(finding: &Finding, inventory: Option<&'a Inventory>) -> Option<&'a Arc<Mount>> {
    let (id, _) = finding.mount.as_ref()?;
    inventory?.mounts.iter().find(|mount| mount.id == *id)
}
