//! What changes volumes and containers over the REST side, and what is asked right before. Nothing here is ever forced,
//! and no prune endpoint is known: below API 1.42 that one removes named volumes too (measured on 20.10 and podman).

use std::collections::HashSet;
use std::time::Duration;

use hyper::Method;
use serde_json::json;

use super::client::{Client, LISTS, MAX_BODY, Payload, SHORT, encode, read_body};
use super::daemon::{NewVolume, VolumeRow};
use super::error::EngineError;
use super::wire;
use crate::model::VolumeName;

/// How long a removal may take: an engine deletes the files before it answers, and a million take minutes.
const REMOVAL: Duration = Duration::from_secs(60 * 60);

/// Names of the volumes that no container attaches, as the engine sees it.
pub(super) async fn dangling(client: &Client) -> Result<HashSet<String>, EngineError> {
    let filters = encode(&json!({"dangling": ["true"]}).to_string());
    let what = "the list of volumes that no container attaches";
    let body = client
        .get_bytes(what, &format!("/volumes?filters={filters}"), LISTS)
        .await?;
    Ok(wire::volumes(&body)?.rows.into_iter().map(|row| row.name).collect())
}

/// The engine's own count of containers.
pub(super) async fn container_count(client: &Client) -> Result<Option<usize>, EngineError> {
    match client.get_bytes("the engine's description", "/info", SHORT).await {
        Ok(body) => wire::container_count(&body),
        // A socket proxy may hide it.
        Err(EngineError::Status { status, .. }) if status < 500 => Ok(None),
        Err(error) => Err(error),
    }
}

/// Inspects a volume.
pub(super) async fn volume(client: &Client, name: &VolumeName) -> Result<Option<VolumeRow>, EngineError> {
    let what = format!("volume {name}");
    match client.get_bytes(&what, &path(name)?, SHORT).await {
        Ok(body) => wire::volume(&body).map(Some),
        Err(EngineError::Status { status: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes a volume.
pub(super) async fn remove_volume(client: &Client, name: &VolumeName) -> Result<(), EngineError> {
    let what = format!("removing volume {name}");
    let path = path(name)?;
    client
        .request(&what, Method::DELETE, &path, Payload::None, REMOVAL)
        .await
        .map(drop)
}

/// Makes a volume.
pub(super) async fn create_volume(client: &Client, wanted: &NewVolume) -> Result<VolumeRow, EngineError> {
    let what = format!("making volume {}", wanted.name);
    let driver = wanted.driver.as_deref().unwrap_or("local");
    let body = json!({
        "Name": wanted.name, "Driver": driver, "DriverOpts": wanted.options, "Labels": wanted.labels,
    });
    let response = client
        .request(&what, Method::POST, "/volumes/create", Payload::Json(body), LISTS)
        .await?;
    wire::volume(&read_body(&what, response.into_body(), MAX_BODY, LISTS).await?)
}

/// Removes a container that does not run. `v=0` is said on purpose: podman and Docker take anonymous volumes along
/// with `v=1`, unseen by any plan.
pub(super) async fn remove_container(client: &Client, id: &str) -> Result<(), EngineError> {
    let path = format!("/containers/{}?v=0&force=0", encode(id));
    client
        .request("removing a container", Method::DELETE, &path, Payload::None, REMOVAL)
        .await
        .map(drop)
}

/// The path of a volume. An empty name would be the path of the list.
fn path(name: &VolumeName) -> Result<String, EngineError> {
    if name.as_str().is_empty() {
        return Err(EngineError::Garbage {
            what: "a volume's name".to_owned(),
            cause: "it is empty".to_owned(),
        });
    }
    Ok(format!("/volumes/{}", encode(name.as_str())))
}
