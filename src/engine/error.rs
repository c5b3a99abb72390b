//! What can go wrong with an engine, typed where a caller decides by it.

use thiserror::Error;

use crate::text;

/// An error of the engine side.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum EngineError {
    /// Nothing answers at the endpoint.
    #[error("cannot reach the engine at {endpoint}: {cause}")]
    Unreachable {
        /// The endpoint as configured.
        endpoint: String,
        /// What happened, with a hint (for a socket without permission: the group to join).
        cause: String,
    },
    /// The engine answered with an error status.
    #[error("{what}: the engine answered {status}: {message}")]
    Status {
        /// What was asked, for people.
        what: String,
        /// The HTTP status.
        status: u16,
        /// The engine's message.
        message: String,
    },
    /// The engine's answer could not be understood.
    #[error("{what}: the engine's answer makes no sense: {cause}")]
    Garbage {
        /// What was asked, for people.
        what: String,
        /// What was wrong with it.
        cause: String,
    },
    /// The engine did not answer in time.
    #[error("{what}: no answer within {seconds} s")]
    Timeout {
        /// What was asked, for people.
        what: String,
        /// How long was waited, in seconds.
        seconds: u64,
    },
    /// No helper container can run here, and nothing else can do its work.
    #[error("{reason}")]
    NoHelper {
        /// Why, and what to try.
        reason: String,
    },
    /// The agent reported a fault about one path.
    #[error("{}", text::fault(.0))]
    Agent(vole_agent::proto::Fault),
    /// The session ended before the answer (helper killed, engine gone).
    #[error("the helper is gone: {0}")]
    SessionLost(String),
    /// Everything else was delivered, but this could not be read.
    #[error("{} could not be read; the first: {}", count(.notes), first(.notes))]
    Partial {
        /// What could not be read; never empty.
        notes: Vec<vole_agent::proto::Fault>,
    },
    /// An operation was not begun, so nothing was changed.
    #[error("{reason}; nothing was changed")]
    Refused {
        /// Why, and what to try.
        reason: String,
    },
    /// An archive is not whole, so what it was to replace stands as it was.
    #[error("{0}; nothing was changed")]
    Damaged(String),
    /// An operation failed and left something that it should not have.
    #[error("{why}; {left}")]
    Left {
        /// Why it failed.
        why: String,
        /// What is left, and what to do about it.
        left: String,
    },
    /// The operator named what is not there.
    #[error("{0}")]
    NotFound(String),
    /// The operator started vole with `--read-only`.
    #[error("vole was started with --read-only: nothing is changed")]
    ReadOnly,
    /// The operator cancelled.
    #[error("cancelled")]
    Cancelled,
}

fn count(notes: &[vole_agent::proto::Fault]) -> String {
    match notes.len() {
        1 => "one path".to_owned(),
        n => format!("{n} paths"),
    }
}

fn first(notes: &[vole_agent::proto::Fault]) -> String {
    notes.first().map_or_else(|| "unknown".to_owned(), text::fault)
}
