//! Watches an engine: its events in batches, and whether it can be reached. Reconnects by itself. Sets no timer while
//! connected and quiet; knows nothing of lists or screens.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, sleep_until};

use super::daemon::{Daemon, EngineEvent};
use super::error::EngineError;

/// The first pause before connecting again; doubles up to [`LAST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause before connecting again.
const LAST_PAUSE: Duration = Duration::from_secs(30);
/// A connection that lasted this long was a good one: the pauses start anew.
const STEADY: Duration = Duration::from_secs(10);
/// How long events are gathered after the first of a burst; doubles while the burst goes on, up to [`LAST_GATHER`].
const FIRST_GATHER: Duration = Duration::from_millis(100);
/// The longest gathering of a burst.
const LAST_GATHER: Duration = Duration::from_millis(1600);
/// Events named in a batch; a batch of so many leaves further ones out. Large enough for a helper with a thousand
/// volumes, each of which Docker before Engine 23 tells as made.
pub const MAX_BATCH: usize = 4096;
/// Messages that may wait for the consumer.
const QUEUE: usize = 16;

/// What a watcher tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Watch {
    /// Events come from now on, for the first time.
    Connected,
    /// Something changed: list again. A burst is one batch, in no order, of at most [`MAX_BATCH`] events.
    Changed(Vec<EngineEvent>),
    /// The engine does not answer; what is known of it grows old.
    Lost {
        /// Why.
        error: EngineError,
        /// When it is tried again.
        retry_in: Duration,
    },
    /// The engine answers but refuses to tell events (a socket proxy): nothing comes until `retry` is notified.
    Refused(EngineError),
    /// Events come again; what happened meanwhile is unknown: list again.
    Reconnected,
}

/// Starts to watch. Ends when the receiver is dropped. `retry` ends a pause early (the operator asked to refresh).
/// Must be called within a tokio runtime.
pub fn watch(daemon: Arc<dyn Daemon>, retry: Arc<Notify>) -> mpsc::Receiver<Watch> {
    let (told, receiver) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        let watcher = Watcher { daemon, retry, told };
        tokio::select! {
            () = watcher.told.closed() => {}
            _gone = watcher.run() => {}
        }
    });
    receiver
}

type Events = BoxStream<'static, Result<EngineEvent, EngineError>>;

struct Watcher {
    daemon: Arc<dyn Daemon>,
    retry: Arc<Notify>,
    told: mpsc::Sender<Watch>,
}

/// The consumer is gone.
struct Gone;

impl From<mpsc::error::SendError<Watch>> for Gone {
    fn from(_: mpsc::error::SendError<Watch>) -> Self {
        Self
    }
}

impl Watcher {
    async fn run(&self) -> Result<(), Gone> {
        let mut pause = FIRST_PAUSE;
        let mut connected_before = false;
        loop {
            let error = match self.daemon.events().await {
                Ok(events) => {
                    self.told
                        .send(if connected_before {
                            Watch::Reconnected
                        } else {
                            Watch::Connected
                        })
                        .await?;
                    connected_before = true;
                    let since = Instant::now();
                    let error = self.pass_on(events).await?;
                    if since.elapsed() >= STEADY {
                        pause = FIRST_PAUSE;
                    }
                    error
                }
                Err(error) => error,
            };
            if is_refusal(&error) {
                self.told.send(Watch::Refused(error)).await?;
                self.retry.notified().await;
                continue;
            }
            self.told.send(Watch::Lost { error, retry_in: pause }).await?;
            tokio::select! {
                () = sleep(pause) => {}
                () = self.retry.notified() => {}
            }
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    /// Passes events on in batches until the stream fails; gives the error.
    async fn pass_on(&self, mut events: Events) -> Result<EngineError, Gone> {
        let mut batch = Batch::default();
        loop {
            // Events are read on while the consumer is slow: an engine drops who does not listen.
            tokio::select! {
                event = events.next() => match event {
                    Some(Ok(event)) => batch.add(event),
                    ended => {
                        if !batch.events.is_empty() {
                            self.told.send(Watch::Changed(batch.take())).await?;
                        }
                        return Ok(ended.and_then(Result::err).unwrap_or_else(|| self.ended()));
                    }
                },
                permit = batch.due(&self.told) => permit?.send(Watch::Changed(batch.take())),
            }
        }
    }

    fn ended(&self) -> EngineError {
        EngineError::Unreachable {
            endpoint: self.daemon.endpoint(),
            cause: "its events ended".to_owned(),
        }
    }
}

/// Whether asking again by itself is pointless.
fn is_refusal(error: &EngineError) -> bool {
    matches!(
        error,
        EngineError::Status {
            status: 400..=499 | 501,
            ..
        }
    )
}

/// Events that wait to be told, and how long.
struct Batch {
    events: HashSet<EngineEvent>,
    ready: Option<Instant>,
    gather: Duration,
    /// When the last batch was told; a batch that starts soon after continues its burst.
    told: Option<Instant>,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            events: HashSet::new(),
            ready: None,
            gather: FIRST_GATHER,
            told: None,
        }
    }
}

impl Batch {
    fn add(&mut self, event: EngineEvent) {
        if self.ready.is_none() {
            let now = Instant::now();
            let in_burst = self.told.is_some_and(|told| now < told + self.gather);
            self.gather = if in_burst {
                (self.gather * 2).min(LAST_GATHER)
            } else {
                FIRST_GATHER
            };
            self.ready = Some(now + self.gather);
        }
        if self.events.len() < MAX_BATCH {
            self.events.insert(event);
        }
    }

    fn take(&mut self) -> Vec<EngineEvent> {
        self.ready = None;
        self.told = Some(Instant::now());
        self.events.drain().collect()
    }

    /// Waits until the batch is ready and the queue has room; for ever while there is nothing to tell.
    async fn due<'a>(&self, told: &'a mpsc::Sender<Watch>) -> Result<mpsc::Permit<'a, Watch>, Gone> {
        match self.ready {
            Some(ready) => {
                sleep_until(ready).await;
                told.reserve().await.map_err(|_| Gone)
            }
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
