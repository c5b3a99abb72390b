//! What every command that asks an engine shares: connecting, listing, finding what an argument means, cancelling.

use std::ffi::{OsStr, OsString};
use std::future::Future;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use time::OffsetDateTime;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::args::Globals;
use super::exit::{UsageError, warn};
use super::output::Output;
use super::place::{self, Place};
use crate::config::Config;
use crate::demo::{self, DemoOptions};
use crate::engine::connect::{ConnectOptions, connect};
use crate::engine::contexts::Environment;
use crate::engine::{Engine, EngineError};
use crate::ops::list::{self, Depth, Inventory};
use crate::ops::sightings::{Heard, Sightings};

/// How long the end of a command waits for what is written beside it.
const PARTING: Duration = Duration::from_secs(1);

/// One run of the program.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) globals: Globals,
    pub(super) output: Arc<Output>,
    pub(super) cancel: CancellationToken,
    /// What is written beside the command's own work; the end gives it a moment.
    pub(super) beside: TaskTracker,
}

impl Context {
    /// Connects to the engine that is meant, with the rules of the operator's configuration.
    pub(super) async fn connect(&self) -> anyhow::Result<Engine> {
        let config = Config::load(self.globals.config.as_deref()).map_err(|error| UsageError(error.to_string()))?;
        let engine = if self.globals.demo {
            demo::engine(DemoOptions::from_env(demo::now()))
        } else {
            let options = self.globals.connect_options();
            self.until_cancelled(async { Ok(connect(&options).await?) }).await?
        };
        Ok(engine.with_rules(config.rules()).read_only(self.globals.read_only))
    }

    /// Connects to another engine than the one that is meant.
    pub(super) async fn connect_to(&self, host: &str) -> anyhow::Result<Engine> {
        let config = Config::load(self.globals.config.as_deref()).map_err(|error| UsageError(error.to_string()))?;
        let options = ConnectOptions {
            host: Some(host.to_owned()),
            context: None,
            no_helper: self.globals.no_helper,
        };
        let engine = self.until_cancelled(async { Ok(connect(&options).await?) }).await?;
        Ok(engine.with_rules(config.rules()).read_only(self.globals.read_only))
    }

    /// Waits for something unless a signal comes first.
    pub(super) async fn until_cancelled<T>(
        &self,
        waiting: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        self.cancel
            .run_until_cancelled(waiting)
            .await
            .unwrap_or_else(|| Err(EngineError::Cancelled.into()))
    }

    /// Lists the mounts and tells the warnings.
    pub(super) async fn inventory(&self, engine: &Engine, depth: Depth) -> anyhow::Result<Inventory> {
        let listing = async { list::load(engine, depth).await.context("cannot list the mounts") };
        let inventory = self.until_cancelled(listing).await?;
        for warning in &inventory.warnings {
            warn(warning);
        }
        if depth == Depth::Full {
            self.note(engine, &inventory);
        }
        Ok(inventory)
    }

    /// Remembers who uses which volume, beside the command: that never delays or fails it.
    fn note(&self, engine: &Engine, inventory: &Inventory) {
        let (engine, inventory) = (engine.id.clone(), inventory.clone());
        self.beside.spawn_blocking(move || {
            let now = OffsetDateTime::now_utc();
            let mut sightings = Sightings::open(&engine, &Environment::of_process());
            sightings.note(&inventory, &Heard::default(), now);
            sightings.prune(&inventory, now);
            // A script on a read-only system should not hear at every list what it did not ask for.
            sightings.save().ok();
        });
    }

    /// Waits a moment for what is written beside the command.
    pub(super) async fn settle(&self) {
        self.beside.close();
        // What is cut off leaves the old file.
        timeout(PARTING, self.beside.wait()).await.ok();
    }

    /// Finds what arguments mean, each on its own. Nothing is made on the engine for a name that it does not know.
    pub(super) async fn places(
        &self,
        engine: &Engine,
        arguments: &[OsString],
    ) -> anyhow::Result<Vec<anyhow::Result<Place>>> {
        // Only a tmpfs needs every container inspected, and only CONTAINER:/destination names one.
        let tmpfs = |argument: &OsString| argument.as_bytes().windows(2).any(|two| two == b":/");
        let depth = if arguments.iter().any(tmpfs) {
            Depth::Full
        } else {
            Depth::Rows
        };
        let inventory = self.inventory(engine, depth).await?;
        Ok(arguments
            .iter()
            .map(|argument| place::resolve(argument, &inventory))
            .collect())
    }

    /// Finds what one argument means.
    pub(super) async fn place(&self, engine: &Engine, argument: &OsStr) -> anyhow::Result<Place> {
        let mut places = self.places(engine, &[argument.to_owned()]).await?;
        places.pop().context("no place was named")?
    }
}
