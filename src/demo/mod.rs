//! The demo: a made-up fleet behind the same [`Daemon`](crate::engine::Daemon) and session code as a real
//! engine, for people without Docker, for tests of frames and for screenshots. Everything is made in memory and
//! by rule: no file is written, nothing is random, and all times hang on the present that it is given.
//!
//! `tree` and `contents` hold the files, `backend` answers the agent's protocol out of them, `fleet` says what
//! there is, `daemon` answers for the engine. Knows nothing of screens.

mod access;
mod backend;
mod changes;
mod contents;
mod daemon;
mod fleet;
mod insides;
mod lines;
mod owners;
mod packing;
mod search;
mod shelf;
#[cfg(test)]
mod tests;
mod tree;
mod unpacking;
mod usage;

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub use daemon::DemoDaemon;
pub use shelf::fill as fill_shelf;

use crate::engine::Engine;
use crate::model::EngineId;

/// The architecture that the demo says it has, as `uname -m` prints it.
const ARCH: &str = "x86_64";
/// The kernel that the demo says it has.
const KERNEL: &str = "6.12.41+deb13-amd64";

/// How the demo behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemoOptions {
    /// The present: every age in the demo is counted back from it.
    pub now: OffsetDateTime,
    /// Whether measurements and helpers answer at once instead of taking a moment, as tests want it.
    pub instant: bool,
}

impl DemoOptions {
    /// Options for people: sizes stream in over a second and a half.
    pub fn new(now: OffsetDateTime) -> Self {
        Self { now, instant: false }
    }

    /// Options for tests: nothing waits.
    pub fn instant(now: OffsetDateTime) -> Self {
        Self { now, instant: true }
    }

    /// Options for people, unless `VOLE_DEMO_INSTANT` is set and not empty: then those for tests.
    pub fn from_env(now: OffsetDateTime) -> Self {
        let instant = std::env::var_os("VOLE_DEMO_INSTANT").is_some_and(|value| !value.is_empty());
        Self { now, instant }
    }

    /// How often a log that somebody follows gains a line.
    fn tick(self) -> Duration {
        Duration::from_millis(if self.instant { 20 } else { 1000 })
    }
}

/// The demo's present: the machine's clock, unless `VOLE_DEMO_NOW` stops it at a time (RFC 3339), so that pictures of the
/// demo are always the same.
pub fn now() -> OffsetDateTime {
    std::env::var("VOLE_DEMO_NOW")
        .ok()
        .and_then(|time| OffsetDateTime::parse(&time, &Rfc3339).ok())
        .unwrap_or_else(OffsetDateTime::now_utc)
}

/// Makes the demo's engine.
pub fn engine(options: DemoOptions) -> Engine {
    Engine::new(EngineId::new("demo"), Arc::new(DemoDaemon::new(options)))
}
