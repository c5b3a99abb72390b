//! `vole` without a command: the TUI. Hands over what the command line says; knows nothing of screens.

use super::args::Globals;
use super::exit::Exit;
use crate::config::Config;
use crate::engine::connect::ConnectOptions;
use crate::runtime::{self, Ended, Options};

/// Runs the TUI until the operator ends it.
pub(super) async fn run(globals: Globals) -> anyhow::Result<Exit> {
    let options = Options {
        connect: ConnectOptions {
            host: globals.host,
            context: globals.context,
            no_helper: globals.no_helper,
        },
        demo: globals.demo,
        read_only: globals.read_only,
        no_color: globals.no_color,
        ascii: globals.ascii,
        config: Config::load(globals.config.as_deref())?,
    };
    match runtime::run(options).await? {
        Ended::Quit => Ok(Exit::Done),
        Ended::Signal(_) => Ok(Exit::Cancelled),
    }
}
