//! Leases: sessions for browsing, one per mount, that end by themselves when nobody uses them. Knows sessions, not what
//! carries them.
//!
//! A helper makes its volume "in use" for everybody, so a lease ends by idleness, not when its last holder lets go: a
//! screen that stands open holds nothing. There is a timer only while there is a lease.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::time::{Instant, sleep_until};

use super::daemon::Daemon;
use super::error::EngineError;
use super::mux::Activity;
use super::session::{OpenSpec, Purpose, Session, Target};
use crate::model::{Mount, MountId, Source};

/// How long a session may be without a request before its helper is removed.
pub const IDLE: Duration = Duration::from_secs(10);
/// Idle sessions that are kept at once; opening another ends the one that was idle longest.
const KEPT: usize = 4;
const RELEASED: &str = "it was not used for a while, so it was released";

/// A leased session for one mount, good for one operation: after [`IDLE`] without a request its session is lost, and
/// [`super::Engine::browse`] opens another. A running stream keeps it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The session.
    pub session: Session,
    /// The mount's root in that session.
    pub root: u32,
    /// Who reads: the agent in a helper, or this process.
    pub source: Source,
}

/// One mount's lease; locked while its session is being opened.
type Cell = AsyncMutex<Option<Lease>>;

/// The leases of one engine.
#[derive(Debug, Default)]
pub(super) struct Leases {
    cells: Mutex<BTreeMap<MountId, Arc<Cell>>>,
}

impl Leases {
    /// Takes up the lease of a mount, or opens one.
    ///
    /// # Errors
    ///
    /// [`EngineError::NoHelper`] with the reason when its contents cannot be reached; otherwise as the engine answers.
    pub(super) async fn take(&self, daemon: &dyn Daemon, mount: &Mount) -> Result<Lease, EngineError> {
        let target = Target::of(mount).map_err(|reason| EngineError::NoHelper { reason })?;
        let cell = self.cell(&mount.id);
        let mut held = cell.lock().await;
        if let Some(lease) = held.as_ref().filter(|lease| lease.session.touch()) {
            return Ok(lease.clone());
        }
        self.make_room().await;
        let opened = daemon
            .open(OpenSpec {
                targets: vec![target],
                purpose: Purpose::Browse,
                through_store: false,
            })
            .await?;
        let root = match opened.roots.into_iter().next() {
            Some(Ok(root)) => root,
            Some(Err(reason)) => return Err(EngineError::NoHelper { reason }),
            None => return Err(EngineError::SessionLost("it serves nothing".to_owned())),
        };
        let lease = Lease {
            session: opened.session,
            root,
            source: opened.source,
        };
        tokio::spawn(expire(lease.session.activity(), Arc::downgrade(&cell)));
        *held = Some(lease.clone());
        Ok(lease)
    }

    /// Ends every lease at once.
    pub(super) async fn release(&self) {
        let cells = std::mem::take(&mut *self.cells.lock().unwrap_or_else(PoisonError::into_inner));
        for cell in cells.into_values() {
            // One that is being opened has a helper as well: it is waited for.
            if let Some(lease) = cell.lock().await.take() {
                lease.session.close(RELEASED);
            }
        }
    }

    fn cell(&self, id: &MountId) -> Arc<Cell> {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(cells.entry(id.clone()).or_default())
    }

    /// Ends the lease that was idle longest when there are enough. Busy ones stay.
    async fn make_room(&self) {
        let cells: Vec<Arc<Cell>> = {
            let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
            // What ended by itself and is held by nobody.
            cells.retain(|_, cell| Arc::strong_count(cell) > 1 || cell.try_lock().map_or(true, |held| held.is_some()));
            cells.values().cloned().collect()
        };
        let mut idle: Vec<(Instant, Session)> = Vec::new();
        let mut kept = 0;
        for cell in cells {
            let Ok(held) = cell.try_lock() else { continue };
            let Some(lease) = held.as_ref() else { continue };
            kept += 1;
            if let Activity::IdleSince(since) = *lease.session.activity().borrow() {
                idle.push((since, lease.session.clone()));
            }
        }
        if kept >= KEPT
            && let Some((_, session)) = idle.into_iter().min_by_key(|(since, _)| *since)
        {
            session.close(RELEASED);
        }
    }
}

/// Waits until a session was idle for long enough, or is lost, and lets go of it.
async fn expire(mut activity: watch::Receiver<Activity>, cell: Weak<Cell>) {
    loop {
        idle_for_long(&mut activity).await;
        let Some(cell) = cell.upgrade() else { return };
        let mut held = cell.lock().await;
        let now = *activity.borrow();
        // Taken up again between the timer's end and the lock.
        let taken_up = match now {
            Activity::Busy => true,
            Activity::IdleSince(since) => since.elapsed() < IDLE,
            Activity::Lost => false,
        };
        if taken_up {
            continue;
        }
        // Of a session that was lost another may stand in the cell by now; that one has its own timer.
        if let Some(lease) = held.take_if(|lease| lease.session.activity().same_channel(&activity)) {
            lease.session.close(RELEASED);
        }
        return;
    }
}

async fn idle_for_long(activity: &mut watch::Receiver<Activity>) {
    loop {
        let now = *activity.borrow_and_update();
        let changed = match now {
            Activity::Busy => activity.changed().await,
            Activity::IdleSince(since) => tokio::select! {
                changed = activity.changed() => changed,
                () = sleep_until(since + IDLE) => return,
            },
            Activity::Lost => return,
        };
        if changed.is_err() {
            return;
        }
    }
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
