//! Helper containers (a stub until the session side lands).

use super::daemon::Masked;
use super::error::EngineError;
use super::rest::RestDaemon;
use super::session::{OpenSpec, Opened};

/// Starts an agent with these targets and connects to it.
pub async fn open(_daemon: &RestDaemon, _spec: OpenSpec) -> Result<Opened, EngineError> {
    Err(EngineError::NoHelper {
        reason: "helpers are not built yet".to_owned(),
    })
}

/// Lists the first level of what a container's image holds at a destination.
pub async fn masked(
    _daemon: &RestDaemon,
    _container_id: &str,
    _destination: &str,
    _limit: usize,
) -> Result<Masked, EngineError> {
    Err(EngineError::NoHelper {
        reason: "helpers are not built yet".to_owned(),
    })
}
