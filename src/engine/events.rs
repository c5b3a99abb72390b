//! The engine's events as a stream that ends with an error when the engine goes away. Reconnecting is
//! [`super::watch`]'s part.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use http_body_util::BodyExt as _;
use hyper::Method;
use hyper::body::Incoming;

use super::client::{Client, Payload, SHORT, encode};
use super::daemon::EngineEvent;
use super::error::EngineError;
use super::helpers_seen::HelpersSeen;
use super::wire::{self, Noticed};

const WHAT: &str = "the engine's events";
/// An unfiltered stream dies on podman at the first event of type `system`.
const FILTERS: &str = r#"{"type":["volume","container"]}"#;
/// The longest line that is an event, in bytes (labels are in it).
const MAX_LINE: usize = 1 << 20;

/// Subscribes. Events of vole's own helpers, and of volumes that they mount, are left out.
///
/// # Errors
///
/// When the engine cannot be reached or refuses. An engine that sends nothing before its first event is fine.
pub(super) async fn subscribe(
    client: &Client,
    helpers: &HelpersSeen,
) -> Result<BoxStream<'static, Result<EngineEvent, EngineError>>, EngineError> {
    let path = format!("/events?filters={}", encode(FILTERS));
    let response = client.request(WHAT, Method::GET, &path, Payload::None, SHORT).await?;
    let endpoint = client.endpoint().to_string();
    let lines = Lines {
        endpoint,
        body: response.into_body(),
        buffer: BytesMut::new(),
        ended: false,
    };
    let helpers = helpers.clone();
    let events = stream::unfold(lines, |mut lines| async {
        lines.next().await.map(|line| (line, lines))
    });
    Ok(events
        .filter_map(move |line| std::future::ready(relevant(line, &helpers)))
        .boxed())
}

fn relevant(line: Result<Bytes, EngineError>, helpers: &HelpersSeen) -> Option<Result<EngineEvent, EngineError>> {
    match line.and_then(|line| wire::event(&line)) {
        Ok(Noticed::Change {
            container: Some(id), ..
        }) if helpers.contains(&id) => None,
        Ok(Noticed::Change { event, .. }) => Some(Ok(event)),
        Ok(Noticed::Helper(id)) => {
            // A mount's event names its container but not the labels: remember whose it is.
            helpers.add(&id);
            None
        }
        Ok(Noticed::Nothing) => None,
        Err(error) => Some(Err(error)),
    }
}

/// Cuts a body into lines.
struct Lines {
    endpoint: String,
    body: Incoming,
    buffer: BytesMut,
    ended: bool,
}

impl Lines {
    /// The next line that is not blank; an error is the last item.
    async fn next(&mut self) -> Option<Result<Bytes, EngineError>> {
        loop {
            if self.ended {
                return None;
            }
            if let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') {
                let line = self.buffer.split_to(end + 1).freeze();
                if !line.trim_ascii().is_empty() {
                    return Some(Ok(line));
                }
                continue;
            }
            let error = match self.body.frame().await {
                Some(Ok(frame)) => {
                    self.buffer.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new()));
                    if self.buffer.len() <= MAX_LINE {
                        continue;
                    }
                    EngineError::Garbage {
                        what: WHAT.to_owned(),
                        cause: "a line is too long".to_owned(),
                    }
                }
                Some(Err(error)) => self.lost(format!("its events broke off: {error}")),
                None => self.lost("it ended its events; it may be restarting".to_owned()),
            };
            self.ended = true;
            return Some(Err(error));
        }
    }

    fn lost(&self, cause: String) -> EngineError {
        EngineError::Unreachable {
            endpoint: self.endpoint.clone(),
            cause,
        }
    }
}
