//! What the helpers of one engine share: the image's name, the guard, and how many are being removed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, watch};

use super::image;
use super::spec::Owner;
use crate::engine::client::Client;
use crate::engine::client_process;
use crate::engine::error::EngineError;
use crate::engine::guard::Guard;

/// How long to wait for removals.
const SETTLE: Duration = Duration::from_secs(10);

/// How long to wait for them once an engine has let that time pass.
const SETTLE_AGAIN: Duration = Duration::from_secs(1);

/// How long it is believed that no helper can run: to find it out again takes seconds.
const REFUSED: Duration = Duration::from_secs(30);

/// The helpers of one engine, as a whole. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Crew {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    owner: Owner,
    guard: Guard,
    image: Mutex<Option<String>>,
    removing: watch::Sender<usize>,
    marks: AtomicU64,
    /// Whether the engine could not mount a channel's directory.
    no_channels: AtomicBool,
    /// Whether the engine let the time for removals pass.
    stalled: AtomicBool,
    /// When and why no helper could run.
    refused: StdMutex<Option<(Instant, String)>>,
}

/// A removal under way; over when dropped.
#[derive(Debug)]
pub(super) struct Removal(Crew);

impl Drop for Removal {
    fn drop(&mut self) {
        self.0.inner.removing.send_modify(|count| *count -= 1);
    }
}

impl Crew {
    /// No helpers yet.
    pub(crate) fn new(endpoint: String, session: &str) -> Self {
        let owner = Owner {
            session: session.to_owned(),
            client: client_process::own(),
        };
        let inner = Inner {
            owner,
            guard: Guard::new(endpoint, session.to_owned()),
            image: Mutex::default(),
            removing: watch::Sender::new(0),
            marks: AtomicU64::new(0),
            no_channels: AtomicBool::new(false),
            stalled: AtomicBool::new(false),
            refused: StdMutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    pub(super) fn owner(&self) -> &Owner {
        &self.inner.owner
    }

    pub(in crate::engine) fn guard(&self) -> &Guard {
        &self.inner.guard
    }

    /// A mark for the volumes that one helper might make by mistake; starts with the session's id and a dash, ends in
    /// a dot so that none is the start of another.
    pub(super) fn ghost_mark(&self) -> String {
        let count = self.inner.marks.fetch_add(1, Ordering::Relaxed);
        format!("{}-{count}.", self.inner.owner.session)
    }

    /// Whether helpers may have a way for bulk data past the engine.
    pub(super) fn has_channels(&self) -> bool {
        !self.inner.no_channels.load(Ordering::Relaxed)
    }

    /// Remembers that the engine cannot mount such a way.
    pub(super) fn forgo_channels(&self) {
        self.inner.no_channels.store(true, Ordering::Relaxed);
    }

    /// The agent's image on the engine; sent when it is not there.
    pub(super) async fn image(&self, client: &Client, arch: &str) -> Result<String, EngineError> {
        let mut known = self.inner.image.lock().await;
        if let Some(image) = known.as_ref() {
            return Ok(image.clone());
        }
        let image = image::ensure(client, arch).await?;
        *known = Some(image.clone());
        Ok(image)
    }

    /// Forgets the image: somebody removed it.
    pub(super) async fn forget_image(&self) {
        *self.inner.image.lock().await = None;
    }

    /// Why no helper could run a moment ago.
    pub(super) fn refused(&self) -> Option<String> {
        let refused = self.inner.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = refused.as_ref().filter(|(at, _)| at.elapsed() < REFUSED);
        recent.map(|(_, why)| why.clone())
    }

    /// Remembers why no helper can run.
    pub(super) fn refuse(&self, why: &str) {
        let mut refused = self.inner.refused.lock().unwrap_or_else(PoisonError::into_inner);
        *refused = Some((Instant::now(), why.to_owned()));
    }

    /// Counts a removal that starts now.
    pub(super) fn removal_starts(&self) -> Removal {
        self.inner.removing.send_modify(|count| *count += 1);
        Removal(self.clone())
    }

    /// Waits until every helper that was let go is removed; not forever, since the guard takes care of the rest.
    pub(crate) async fn settle(&self) {
        let mut removing = self.inner.removing.subscribe();
        let settled = removing.wait_for(|count| *count == 0);
        // An operation waits, and the program's end does once more: not twice as long for the same silent engine.
        let limit = match self.inner.stalled.load(Ordering::Relaxed) {
            true => SETTLE_AGAIN,
            false => SETTLE,
        };
        let in_time = tokio::time::timeout(limit, settled).await.is_ok();
        self.inner.stalled.store(!in_time, Ordering::Relaxed);
    }
}
