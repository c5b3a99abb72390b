//! The way from tasks back to the loop: one bounded channel of messages. Knows nothing of what they mean.

use tokio::sync::mpsc;

use crate::core::files;
use crate::core::jobs::{JobEnd, JobEvent, Progress};
use crate::core::msg::{EngineMsg, Msg, Notice};
use crate::model::{EngineId, JobId};

/// Messages that may wait for the loop before tasks wait for it.
pub const CAPACITY: usize = 256;

/// A task's way to the loop, for one engine. Cheap to clone. When the loop has ended, messages are dropped:
/// nobody is left to see them.
#[derive(Debug, Clone)]
pub struct Mail {
    engine: EngineId,
    to: mpsc::Sender<Msg>,
}

impl Mail {
    /// A way to the loop for one engine.
    pub fn new(engine: EngineId, to: mpsc::Sender<Msg>) -> Self {
        Self { engine, to }
    }

    /// Sends a message about the engine. Returns whether the loop still runs.
    pub async fn engine(&self, msg: EngineMsg) -> bool {
        self.to.send(Msg::Engine(self.engine.clone(), msg)).await.is_ok()
    }

    /// Sends a message to the files screen. Returns whether the loop still runs.
    pub async fn files(&self, msg: files::Msg) -> bool {
        self.engine(EngineMsg::Files(msg)).await
    }

    /// Reports how far a job is.
    pub async fn progress(&self, job: JobId, progress: Progress) -> bool {
        self.to.send(Msg::Job(job, JobEvent::Progress(progress))).await.is_ok()
    }

    /// Reports how a job ended.
    pub async fn ended(&self, job: JobId, end: JobEnd) -> bool {
        self.to.send(Msg::Job(job, JobEvent::Ended(end))).await.is_ok()
    }

    /// Tells the operator something.
    pub async fn notice(&self, notice: Notice) -> bool {
        self.to.send(Msg::Notice(notice)).await.is_ok()
    }
}
