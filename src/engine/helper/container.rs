//! One helper container's life: made, attached, started, spoken to, removed. Knows no targets.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use bollard::query_parameters::AttachContainerOptionsBuilder;
use hyper::Method;
use serde::Deserialize;
use serde_json::Value;
use tokio::runtime::Handle;

use super::attach::Attached;
use super::channel::Channel;
use super::spec::{self, Mounting, Plan};
use crate::engine::client::{PATIENT, Payload, SHORT, encode, read_body};
use crate::engine::daemon::Flavour;
use crate::engine::error::EngineError;
use crate::engine::rest::RestDaemon;
use crate::engine::session::{Carrier, Session};
use crate::engine::sweep;

/// How long making a container may take.
const CREATE: Duration = Duration::from_secs(60);
/// How long a helper may take from its start to its hello. It looks at every root before.
const HELLO: Duration = Duration::from_secs(60);

/// A container that exists. Dropping it removes it, in the background.
pub(super) struct Container {
    pub(super) id: String,
    daemon: RestDaemon,
    runtime: Handle,
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Container").field(&self.id).finish()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let daemon = self.daemon.clone();
        let id = std::mem::take(&mut self.id);
        let removal = daemon.crew.removal_starts();
        self.runtime.spawn(async move {
            // What cannot be removed now stays counted with the guard, which tries again at the end.
            if sweep::remove(&daemon.client, &id).await.is_ok() {
                daemon.crew.guard().is_gone();
            }
            drop(removal);
        });
    }
}

/// Makes a container. Once the engine was asked this runs to its end: a caller that goes away meanwhile does not
/// leave a container behind.
///
/// # Errors
///
/// As the engine answers, and [`EngineError::NoHelper`] when no guard can be started for it.
pub(super) async fn create(daemon: &RestDaemon, document: Value) -> Result<Container, EngineError> {
    let crew = daemon.crew.clone();
    crew.guard().will_make().map_err(|error| EngineError::NoHelper {
        reason: format!("cannot start the process that removes helpers if vole is killed: {error}"),
    })?;
    let daemon = daemon.clone();
    let made = tokio::spawn(async move {
        let id = post_create(&daemon, document).await;
        // Only a refusal means that nothing was made; after a broken connection nobody knows.
        if let Err(EngineError::Status { .. }) = &id {
            daemon.crew.guard().is_gone();
        }
        let id = id?;
        daemon.helpers.add(&id);
        Ok(Container {
            id,
            daemon,
            runtime: Handle::current(),
        })
    });
    made.await
        .map_err(|error| EngineError::SessionLost(format!("making a helper was interrupted: {error}")))?
}

async fn post_create(daemon: &RestDaemon, document: Value) -> Result<String, EngineError> {
    #[derive(Deserialize)]
    struct Made {
        #[serde(rename = "Id")]
        id: String,
    }
    let what = "make a helper container";
    let path = "/containers/create";
    let answer = daemon
        .client
        .request(what, Method::POST, path, Payload::Json(document), CREATE)
        .await?;
    let body = read_body(what, answer.into_body(), 1 << 20, SHORT).await?;
    let made: Made = serde_json::from_slice(&body).map_err(|error| EngineError::Garbage {
        what: what.to_owned(),
        cause: error.to_string(),
    })?;
    Ok(made.id)
}

/// Makes a helper as planned, starts it and speaks to its agent. The container lives as long as the session.
///
/// # Errors
///
/// As the engine answers; [`EngineError::Garbage`] and [`EngineError::SessionLost`] when no agent answers.
pub(super) async fn start(
    daemon: &RestDaemon,
    plan: &Plan<'_>,
    channel: Option<&Channel>,
) -> Result<Session, EngineError> {
    let container = create(daemon, spec::document(plan)).await?;
    refuse_ghosts(daemon, plan, &container).await?;
    let docker = daemon
        .client
        .bollard(PATIENT)
        .map_err(|error| from_bollard("prepare to attach", error))?;
    let options = AttachContainerOptionsBuilder::default()
        .stdin(true)
        .stdout(true)
        .stderr(true)
        .stream(true)
        .build();
    // Attached before the start, or the agent's first words are lost.
    let attached = docker.attach_container(&container.id, Some(options)).await;
    let attached = attached.map_err(|error| from_bollard("attach to a helper", error))?;
    let path = format!("/containers/{}/start", encode(&container.id));
    daemon
        .client
        .request("start a helper", Method::POST, &path, Payload::None, PATIENT)
        .await?;
    let connecting = async {
        let carrier = carrier(Attached::new(attached), channel).await;
        Session::connect(carrier, Box::new(container)).await
    };
    let session = tokio::time::timeout(HELLO, connecting)
        .await
        .map_err(|_| EngineError::Timeout {
            what: "wait for the helper's agent".to_owned(),
            seconds: HELLO.as_secs(),
        })??;
    if session.hello().roots.len() == plan.mounts.len() {
        Ok(session)
    } else {
        Err(EngineError::Garbage {
            what: "speak to the helper's agent".to_owned(),
            cause: "it serves other roots than it was started with".to_owned(),
        })
    }
}

/// What the agent speaks through: the channel when it comes that way, else the attached stream.
async fn carrier(mut attached: Attached, channel: Option<&Channel>) -> Pin<Box<dyn Carrier>> {
    let Some(channel) = channel else {
        return Box::pin(attached);
    };
    tokio::select! {
        Ok(stream) = channel.accept() => Box::pin(stream),
        () = attached.speaks() => Box::pin(attached),
    }
}

/// Docker makes a volume that a container names and that is gone; such ones are removed again.
async fn refuse_ghosts(daemon: &RestDaemon, plan: &Plan<'_>, container: &Container) -> Result<(), EngineError> {
    let by_name = plan
        .mounts
        .iter()
        .any(|mounting| matches!(mounting, Mounting::Volume(_)));
    if plan.flavour != Flavour::Docker || !by_name {
        return Ok(());
    }
    let ghosts = sweep::ghosts(&daemon.client, plan.ghost).await?;
    if ghosts.is_empty() {
        return Ok(());
    }
    sweep::remove(&daemon.client, &container.id).await?;
    sweep::remove_ghosts(&daemon.client, plan.ghost).await?;
    Err(gone(&ghosts))
}

/// The error that names volumes which are gone, each in quotes, as engines name what they cannot mount.
pub(super) fn gone(names: &[String]) -> EngineError {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    EngineError::Status {
        what: "mount volumes".to_owned(),
        status: 404,
        message: format!("the volume is gone: {}", quoted.join(", ")),
    }
}

fn from_bollard(what: &str, error: bollard::errors::Error) -> EngineError {
    match error {
        bollard::errors::Error::DockerResponseServerError { status_code, message } => EngineError::Status {
            what: what.to_owned(),
            status: status_code,
            message,
        },
        error => EngineError::SessionLost(format!("{what}: {error}")),
    }
}
