//! Hears an engine's events for the loop and for the sightings. Knows when to list again, not what changed.

use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::Notify;

use super::mail::Mail;
use super::sightings::Lookout;
use crate::core::msg::{Change, EngineMsg, WatchNews};
use crate::engine::Engine;
use crate::engine::daemon::EngineEvent;
use crate::engine::watch::{self, MAX_BATCH, Watch};

/// Reports the event stream's state and changes until the loop ends. `retry` ends a pause before the next try.
pub(super) async fn watch(engine: Engine, retry: Arc<Notify>, lookout: Lookout, mail: Mail) {
    let mut told = watch::watch(Arc::clone(&engine.daemon), retry);
    while let Some(told) = told.recv().await {
        let news = match told {
            Watch::Connected | Watch::Reconnected => WatchNews::Live,
            Watch::Changed(events) => {
                let change = change(&events);
                lookout.events(events);
                WatchNews::Changed(change)
            }
            Watch::Refused(error) => WatchNews::Refused(error.to_string()),
            Watch::Lost { error, retry_in } => {
                lookout.events_lost();
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

fn change(events: &[EngineEvent]) -> Change {
    if events.len() >= MAX_BATCH {
        return Change::Other;
    }
    let made = |event: &EngineEvent| match event {
        EngineEvent::Volume { name, action, .. } if action == "create" => Some(name.clone()),
        _ => None,
    };
    let made: Option<Vec<String>> = events.iter().map(made).collect();
    made.map_or(Change::Other, Change::Made)
}
