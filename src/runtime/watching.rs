//! Hears an engine's events for the loop. Knows when to list again, not what changed.

use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::Notify;

use super::mail::Mail;
use crate::core::msg::{Change, EngineMsg, WatchNews};
use crate::engine::Engine;
use crate::engine::daemon::EngineEvent;
use crate::engine::watch::{self, MAX_BATCH, Watch};

/// Reports the event stream's state and changes until the loop ends. `retry` ends a pause before the next try.
pub(super) async fn watch(engine: Engine, retry: Arc<Notify>, mail: Mail) {
    let mut told = watch::watch(Arc::clone(&engine.daemon), retry);
    while let Some(told) = told.recv().await {
        let news = match told {
            Watch::Connected | Watch::Reconnected => WatchNews::Live,
            Watch::Changed(events) => WatchNews::Changed(change(events)),
            Watch::Refused(error) => WatchNews::Refused(error.to_string()),
            Watch::Lost { error, retry_in } => {
                let retry_at = OffsetDateTime::now_utc() + retry_in;
                WatchNews::Lost {
                    error: error.to_string(),
                    retry_at,
                }
            }
        };
        if !mail.engine(EngineMsg::Watch(news)).await {
            return;
        }
    }
}

fn change(events: Vec<EngineEvent>) -> Change {
    if events.len() >= MAX_BATCH {
        return Change::Other;
    }
    let made = |event| match event {
        EngineEvent::Volume { name, action, .. } if action == "create" => Some(name),
        _ => None,
    };
    let made: Option<Vec<String>> = events.into_iter().map(made).collect();
    made.map_or(Change::Other, Change::Made)
}
