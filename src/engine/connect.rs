//! From options and surroundings to a connected engine, or to a list of what was tried. Knows no API but "who are you".

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use thiserror::Error;

use super::client::Client;
use super::contexts::{Choice, Environment, Origin, choose};
use super::endpoint::Endpoint;
use super::error::EngineError;
use super::rest::RestDaemon;
use super::{Engine, identity};
use crate::store;

/// What an operator asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectOptions {
    /// `--host`.
    pub host: Option<String>,
    /// `--context`.
    pub context: Option<String>,
    /// `--no-helper`: never start a helper container.
    pub no_helper: bool,
}

/// Why there is no engine.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum ConnectError {
    /// The options contradict each other.
    #[error("{0}")]
    Usage(&'static str),
    /// Nothing that was tried answered as an engine.
    #[error("{0}")]
    NotConnected(NotConnected),
}

/// Everything that was tried, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotConnected {
    /// The attempts.
    pub tried: Vec<Tried>,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The endpoint, or what was to name one (a context, a file).
    pub endpoint: String,
    /// Why it was tried (`DOCKER_HOST`, `podman's socket`).
    pub origin: String,
    /// What happened, with a hint.
    pub outcome: String,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.endpoint, self.origin, self.outcome)
    }
}

impl fmt::Display for NotConnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no engine answers; tried:")?;
        self.tried.iter().try_for_each(|tried| write!(f, "\n  {tried}"))
    }
}

/// Finds the engine that is meant, asks it what it is, and gives it its identity.
///
/// # Errors
///
/// [`ConnectError::Usage`] when `host` and `context` are both given; [`ConnectError::NotConnected`] with every attempt.
/// What an operator chose and fails is not replaced by another engine.
pub async fn connect(options: &ConnectOptions) -> Result<Engine, ConnectError> {
    connect_in(options, &Environment::of_process()).await
}

/// As [`connect`], in given surroundings.
///
/// # Errors
///
/// As [`connect`].
pub async fn connect_in(options: &ConnectOptions, environment: &Environment) -> Result<Engine, ConnectError> {
    if options.host.is_some() && options.context.is_some() {
        return Err(ConnectError::Usage(
            "--host and --context name two engines; give one of them",
        ));
    }
    let mut not = NotConnected::default();
    match choose(options.host.as_deref(), options.context.as_deref(), environment) {
        Choice::Explicit { origin, text, endpoint } => match endpoint {
            Ok(endpoint) => match reach(endpoint, options, environment).await {
                Ok(engine) => return Ok(engine),
                Err(error) => not.add(text, &origin, outcome(error)),
            },
            Err(reason) => not.add(text, &origin, reason),
        },
        Choice::Search { candidates, unreadable } => {
            if let Some((file, reason)) = unreadable {
                not.add(file.display().to_string(), &Origin::Configuration, reason);
            }
            for (origin, endpoint) in candidates {
                let text = endpoint.to_string();
                match reach(endpoint, options, environment).await {
                    Ok(engine) => return Ok(engine),
                    Err(error) => not.add(text, &origin, outcome(error)),
                }
            }
        }
    }
    Err(ConnectError::NotConnected(not))
}

impl NotConnected {
    fn add(&mut self, endpoint: String, origin: &Origin, outcome: String) {
        self.tried.push(Tried {
            endpoint,
            origin: origin.to_string(),
            outcome,
        });
    }
}

/// An attempt names its endpoint already.
fn outcome(error: EngineError) -> String {
    match error {
        EngineError::Unreachable { cause, .. } => cause,
        other => other.to_string(),
    }
}

async fn reach(endpoint: Endpoint, options: &ConnectOptions, environment: &Environment) -> Result<Engine, EngineError> {
    let text = endpoint.to_string();
    let unreachable = |error: std::io::Error| EngineError::Unreachable {
        endpoint: text.clone(),
        cause: format!("no random number could be had: {error}"),
    };
    let daemon = RestDaemon::new(Client::new(endpoint), options.no_helper).map_err(unreachable)?;
    let (about, stable_id) = daemon.about_and_id().await?;
    daemon.remember(about).await;
    let state = store::state_dir(environment);
    super::helper::sweep_in_background(&daemon);
    let id = identity::engine_id(&text, stable_id, state.as_deref().map(Path::new));
    Ok(Engine::new(id, Arc::new(daemon)))
}
