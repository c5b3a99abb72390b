//! Diagnoses an engine: gathers the evidence on each container, tries the accesses, and lets the rules of
//! [`crate::doctor`] speak. Changes nothing.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use futures_util::{StreamExt, stream};
use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::doctor::Finding;
use crate::engine::{Engine, EngineError};
use crate::model::MountId;

mod accounts;
mod caps;
mod gather;
mod named;
mod processes;
mod scope;
mod tries;
mod who;
mod world;

use gather::Gather;
use world::World;

/// Containers looked at, at once.
const AT_ONCE: usize = 8;

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
    let diagnosed = cancel.run_until_cancelled(look(engine, scope, at, &events)).await;
    engine.release().await;
    diagnosed.unwrap_or(Err(EngineError::Cancelled))
}

async fn look(
    engine: &Engine,
    scope: &Scope,
    at: OffsetDateTime,
    events: &mpsc::Sender<Event>,
) -> Result<Report, EngineError> {
    let world = World::ask(engine).await?;
    let (chosen, alone) = scope::chosen(scope, &world.rows, &world.mounts)?;
    tell(events, Event::Total(chosen.len())).await?;
    let who = who::all(&world, &with_sharers(&world, &chosen)).await;
    let ids: Vec<&str> = chosen.iter().map(|at| world.rows[*at].id.as_str()).collect();
    let tried = tries::all(&world, scope, &ids, &who).await;
    let gather = Gather {
        world: &world,
        who: &who,
        tried: &tried,
        at,
        started: Instant::now(),
        images: Mutex::default(),
        left_out: Mutex::default(),
    };
    let mut report = Report {
        containers: chosen.len(),
        left_out: world.warnings.iter().cloned().chain(alone).collect(),
        ..Report::default()
    };
    report.left_out.extend(tried.left_out.iter().cloned());
    // Collected, because a closure that is held across an await is not `Send` for every lifetime.
    let looks: Vec<_> = chosen.iter().map(|at| gather.container(&world.rows[*at])).collect();
    let mut looks = stream::iter(looks).buffer_unordered(AT_ONCE);
    while let Some((findings, mounts)) = looks.next().await {
        report.mounts += mounts;
        for finding in findings {
            tell(events, Event::Found(Box::new(finding.clone()))).await?;
            report.findings.push(finding);
        }
        tell(events, Event::Looked).await?;
    }
    drop(looks);
    report.findings.sort_by_cached_key(order);
    let left_out = gather.left_out.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.left_out.extend(left_out);
    report.left_out.sort();
    report.left_out.dedup();
    Ok(report)
}

/// The chosen containers, and those that share a mount with them: whose access matters too.
fn with_sharers(world: &World<'_>, chosen: &[usize]) -> BTreeSet<usize> {
    let is_chosen = |id: &str| chosen.iter().any(|at| world.rows[*at].id == id);
    let shared = world
        .mounts
        .iter()
        .filter(|mount| mount.attachments.iter().any(|one| is_chosen(&one.container_id)));
    let sharers: BTreeSet<&str> = shared
        .flat_map(|mount| mount.attachments.iter().filter(|one| one.state.is_live()))
        .map(|one| one.container_id.as_str())
        .collect();
    let places = (0..world.rows.len()).filter(|at| sharers.contains(world.rows[*at].id.as_str()));
    places.chain(chosen.iter().copied()).collect()
}

/// The surest first, then by cause, container and mount.
fn order(finding: &Finding) -> impl Ord + use<> {
    let mount = finding.mount.as_ref().map(|(_, name)| name.clone());
    (
        Reverse(finding.confidence),
        finding.cause,
        finding.container.clone(),
        mount,
    )
}

/// Tells an event; who listens no more wants nothing more.
async fn tell(events: &mpsc::Sender<Event>, event: Event) -> Result<(), EngineError> {
    events.send(event).await.map_err(|_| EngineError::Cancelled)
}
