//! What a failed start says of the next one: whether it passes by itself, or no helper can run on this engine. Knows
//! errors, not what was started.

use std::time::Duration;

use super::image;
use crate::engine::error::EngineError;

/// Pauses before a start that failed in passing is tried again.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];

/// What engines say of a fault that the next try need not meet: podman's race between a container's start and its
/// cleanup, two requests that get into each other's way, a store that is locked, a broken connection.
const PASSING: [&str; 16] = [
    "container state improper",
    "container not running",
    "is not running",
    "already in progress",
    "database is locked",
    "connection reset",
    "connection refused",
    "broken pipe",
    "unexpected eof",
    "temporarily unavailable",
    "try again",
    "device or resource busy",
    "text file busy",
    "deadline exceeded",
    "context canceled",
    "shutting down",
];

/// What runtimes and engines say when they cannot run such a container at all.
const LASTING: [&str; 8] = [
    "oci runtime",
    "unknown runtime",
    "exec format error",
    "operation not permitted",
    "permission denied",
    "read-only file system",
    "not supported",
    "unsupported",
];

/// Tries what may fail in passing, and tries it again after a short pause when it did.
///
/// # Errors
///
/// The first error that does not pass, or the one that is still there after the last pause.
pub(super) async fn retried<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, EngineError>
where
    F: Future<Output = Result<T, EngineError>>,
{
    for pause in PAUSES {
        match attempt().await {
            Err(error) if passes(&error) => tokio::time::sleep(pause).await,
            ended => return ended,
        }
    }
    attempt().await
}

/// Whether the next try may do better. A timeout may too, but after a minute of waiting nobody wants another.
fn passes(error: &EngineError) -> bool {
    match error {
        // The connection broke, or the helper was killed before it spoke.
        EngineError::Unreachable { .. } | EngineError::SessionLost(_) => true,
        EngineError::Status { message, .. } if is_full(message) => false,
        EngineError::Status {
            status: 408 | 409 | 425 | 429 | 502..=504,
            ..
        } => true,
        EngineError::Status { status, message, .. } => *status >= 500 && says(message, &PASSING),
        _ => false,
    }
}

/// Whether an error says that helpers will not run for a while, so that trying again soon is only waiting. What is not
/// known to last is not taken to last.
pub(super) fn lasts(error: &EngineError) -> bool {
    match error {
        EngineError::NoHelper { .. } => true,
        EngineError::Status { what, status, message } => {
            let forbidden = matches!(status, 401 | 403 | 405 | 501);
            let said = what == image::LOADING || says(message, &LASTING);
            is_full(message) || forbidden || (said && !passes(error))
        }
        _ => false,
    }
}

/// Why an error means that no helper runs on this engine now; `None` when it means something else.
pub(super) fn no_helper(error: &EngineError) -> Option<String> {
    match error {
        EngineError::NoHelper { reason } => Some(reason.clone()),
        EngineError::Status {
            status: 401 | 403 | 405,
            message,
            ..
        } => Some(format!(
            "the engine, or a proxy before it, forbids making one ({message})"
        )),
        EngineError::Status { message, .. } if is_full(message) => {
            Some(format!("the engine's disk is full ({message})"))
        }
        EngineError::Status { what, message, .. } => Some(format!("the engine cannot {what}: {message}")),
        // The engine said yes to everything, and then no agent answered: a runtime that cannot run it.
        EngineError::SessionLost(reason) => Some(format!("it ended at once: {reason}")),
        _ => None,
    }
}

/// Whether an engine's message says that its disk is full.
pub(super) fn is_full(message: &str) -> bool {
    says(message, &["no space left on device", "disk quota exceeded"])
}

fn says(message: &str, words: &[&str]) -> bool {
    let message = message.to_ascii_lowercase();
    words.iter().any(|word| message.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16, message: &str) -> EngineError {
        EngineError::Status {
            what: "start a helper".to_owned(),
            status,
            message: message.to_owned(),
        }
    }

    fn lost() -> EngineError {
        EngineError::SessionLost("the connection ended".to_owned())
    }

    fn unreachable() -> EngineError {
        EngineError::Unreachable {
            endpoint: "unix:///x".to_owned(),
            cause: "start a helper: the connection broke: Connection reset by peer".to_owned(),
        }
    }

    fn timeout() -> EngineError {
        EngineError::Timeout {
            what: "wait for the helper's agent".to_owned(),
            seconds: 60,
        }
    }

    #[test]
    fn what_passes_is_tried_again_and_never_taken_to_last() {
        for error in [
            status(500, "container 12ab is not running: container state improper"),
            status(500, "unable to start container: Container not running"),
            status(409, "the container name is already in use"),
            status(500, "crun: OCI runtime error: fork: Resource temporarily unavailable"),
            status(503, "overloaded"),
            lost(),
            unreachable(),
        ] {
            assert!(passes(&error) && !lasts(&error), "{error}");
        }
        assert!(!passes(&timeout()) && !lasts(&timeout()), "one long wait is enough");
    }

    #[test]
    fn what_lasts_is_not_tried_again_and_the_unknown_is_neither() {
        let load = EngineError::Status {
            what: image::LOADING.to_owned(),
            status: 500,
            message: "archive/tar: invalid tar header".to_owned(),
        };
        let no_agent = EngineError::NoHelper {
            reason: "this vole carries no agent for it".to_owned(),
        };
        for error in [
            load,
            no_agent,
            status(403, "forbidden by the proxy, try again"),
            status(405, ""),
            status(500, "mkdir /x: no space left on device"),
            status(409, "mkdir /x: No space left on device"),
            status(500, "OCI runtime create failed: exec format error: unknown"),
        ] {
            assert!(lasts(&error) && !passes(&error), "{error}");
        }
        let unknown = status(500, "something else");
        assert!(!lasts(&unknown) && !passes(&unknown));
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_is_tried_three_times_and_only_while_its_fault_passes() {
        async fn run(mut errors: Vec<EngineError>) -> (Result<(), EngineError>, usize) {
            errors.reverse();
            let mut tried = 0;
            let ended = retried(|| {
                tried += 1;
                std::future::ready(errors.pop().map_or(Ok(()), Err))
            })
            .await;
            (ended, tried)
        }
        let improper = || status(500, "container state improper");
        assert_eq!(run(vec![]).await, (Ok(()), 1));
        assert_eq!(run(vec![improper(), lost()]).await, (Ok(()), 3));
        assert_eq!(
            run(vec![improper(), improper(), improper()]).await,
            (Err(improper()), 3)
        );
        let full = status(500, "no space left on device");
        assert_eq!(run(vec![improper(), full.clone()]).await, (Err(full), 2));
    }
}
