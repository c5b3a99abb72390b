//! How a command ends: exit codes, and errors in words on stderr.

use std::io::{self, Write};
use std::process::ExitCode;

use serde::Serialize;

use super::output::Output;
use crate::engine::EngineError;
use crate::engine::connect::ConnectError;
use crate::text;

/// Exit codes that scripts may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// Failed.
    Failed,
    /// The arguments make no sense.
    Usage,
    /// Done in part; what was not done is listed on stderr.
    Partly,
    /// Something was found to be wrong.
    Findings,
    /// The engine cannot be reached.
    Unreachable,
    /// Cancelled by a signal.
    Cancelled,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Partly => 3,
            Self::Findings => 4,
            Self::Unreachable => 5,
            Self::Cancelled => 130,
        }
    }

    /// The end of something that has many parts.
    pub(super) fn of_parts(done: usize, failed: usize) -> Self {
        match (done, failed) {
            (_, 0) => Self::Done,
            (0, _) => Self::Failed,
            _ => Self::Partly,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Arguments that clap accepts and that make no sense all the same.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct UsageError(pub(super) String);

/// Prints what clap has to say: help and version to stdout, errors to stderr.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    // Nobody is left to tell when stderr is closed.
    let _printed = error.print();
    if error.use_stderr() {
        Exit::Usage.into()
    } else {
        Exit::Done.into()
    }
}

/// What a command's end is told with.
#[derive(Debug)]
pub(super) struct Ending<'a> {
    /// Whether a signal cancelled it.
    pub(super) cancelled: bool,
    /// Where its document goes; `None` where none is wanted.
    pub(super) document: Option<&'a Output>,
}

/// The document of a command that has ended before it had one to print.
#[derive(Debug, Serialize)]
struct Failure<'a> {
    error: &'a str,
    exit: u8,
}

/// Tells an error on stderr, and in a document where one is wanted, and finds its exit code.
pub(super) fn report(ended: anyhow::Result<Exit>, ending: &Ending<'_>) -> Exit {
    let (exit, error) = match ended {
        Ok(exit) => (exit, None),
        Err(error) => (code_of(&error), Some(error)),
    };
    let exit = if ending.cancelled { Exit::Cancelled } else { exit };
    let said = error.filter(|error| match exit {
        // A reader that has seen enough is no error (`vole ls | head`).
        Exit::Done => false,
        // A cancelling person knows what happened, but not what was left.
        Exit::Cancelled => matches!(error.downcast_ref(), Some(EngineError::Left { .. })),
        _ => true,
    });
    let said = said.map(|error| format!("{error:#}"));
    if let Some(said) = &said {
        warn(said);
    }
    if let Some(output) = ending.document {
        document(output, exit, said.as_deref());
    }
    exit
}

/// Prints the document of a command that has none to print any more. Without `said`, nothing was said on stderr.
pub(super) fn document(output: &Output, exit: Exit, said: Option<&str>) {
    if exit == Exit::Done || output.begin() {
        return;
    }
    let said = harmless(said.unwrap_or(match exit {
        Exit::Cancelled => "cancelled",
        _ => "failed",
    }));
    // The exit code tells it to whom nothing can be printed.
    let _printed = output.document(&Failure {
        error: &said,
        exit: exit.code(),
    });
}

fn code_of(error: &anyhow::Error) -> Exit {
    if error.is::<UsageError>() {
        return Exit::Usage;
    }
    match error.downcast_ref::<ConnectError>() {
        Some(ConnectError::Usage(_)) => return Exit::Usage,
        Some(ConnectError::NotConnected(_)) => return Exit::Unreachable,
        None => {}
    }
    match error.downcast_ref::<EngineError>() {
        Some(EngineError::Unreachable { .. }) => return Exit::Unreachable,
        Some(EngineError::Cancelled) => return Exit::Cancelled,
        Some(EngineError::Damaged(_)) => return Exit::Findings,
        Some(EngineError::ReadOnly) => return Exit::Usage,
        _ => {}
    }
    match error.downcast_ref::<io::Error>() {
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
        _ => Exit::Failed,
    }
}

/// Tells one thing on stderr, hostile text made harmless.
pub(super) fn warn(message: &str) {
    // Nobody is left to tell when stderr is closed.
    let _written = writeln!(io::stderr().lock(), "vole: {}", harmless(message));
}

fn harmless(message: &str) -> String {
    let lines: Vec<String> = message.lines().map(text::printable_str).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_find_their_code_through_their_context() {
        let unreachable = EngineError::Unreachable {
            endpoint: "unix:///x".to_owned(),
            cause: "no".to_owned(),
        };
        let code = |error: anyhow::Error| code_of(&error.context("listing mounts"));
        assert_eq!(code(unreachable.into()), Exit::Unreachable);
        assert_eq!(code(io::Error::from(io::ErrorKind::BrokenPipe).into()), Exit::Done);
        assert_eq!(code(EngineError::SessionLost("x".to_owned()).into()), Exit::Failed);
        assert_eq!(code(ConnectError::Usage("two engines").into()), Exit::Usage);
        assert_eq!(code(UsageError("x".to_owned()).into()), Exit::Usage);
    }

    #[test]
    fn parts_decide_between_done_partly_and_failed() {
        assert_eq!([Exit::of_parts(0, 0), Exit::of_parts(3, 0)], [Exit::Done; 2]);
        assert_eq!(Exit::of_parts(2, 1), Exit::Partly);
        assert_eq!(Exit::of_parts(0, 1), Exit::Failed);
    }
}
