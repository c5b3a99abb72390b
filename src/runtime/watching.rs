//! Hears an engine's events for the loop. Knows when to list again, not what changed.

use super::mail::Mail;
use crate::core::msg::{EngineMsg, WatchNews};
use crate::engine::Engine;

/// Reports the event stream's state and changes until the loop ends.
pub(super) async fn watch(engine: Engine, mail: Mail) {
    let _ = engine;
    mail.engine(EngineMsg::Watch(WatchNews::Live)).await;
}
