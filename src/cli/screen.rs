//! `vole` without a command: opens the TUI and turns its end into an exit code.

use super::args::Globals;
use super::exit::{Exit, UsageError};
use crate::config::Config;

use crate::runtime::{self, Ended, Options};

/// Runs the TUI until its end.
pub(super) async fn run(globals: &Globals) -> anyhow::Result<Exit> {
    let config = Config::load(globals.config.as_deref()).map_err(|error| UsageError(error.to_string()))?;
    let options = Options {
        connect: globals.connect_options(),
        demo: globals.demo,
        read_only: globals.read_only,
        no_color: globals.no_color,
        ascii: globals.ascii,
        config,
    };
    match runtime::run(options).await? {
        Ended::Quit => Ok(Exit::Done),
        Ended::Signal(_) => Ok(Exit::Cancelled),
    }
}
