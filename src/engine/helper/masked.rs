//! What an image holds where a container mounts something: read from a container of the same image that has no mounts
//! and never starts. Knows nothing of helpers' work.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::container;
use super::tar_names::TarNames;
use super::trouble::{no_helper, retried};
use crate::engine::client::{LISTS, Payload, SHORT, encode, read_while};
use crate::engine::daemon::{Daemon as _, Flavour, Masked, PathIn};
use crate::engine::error::EngineError;
use crate::engine::rest::RestDaemon;

/// How long the archive of a huge directory is read.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is needed of a container's inspect.
#[derive(Debug, Deserialize)]
struct Inspected {
    #[serde(rename = "Image")]
    image: String,
}

/// What is needed of an image's inspect.
#[derive(Debug, Deserialize)]
struct Image {
    #[serde(rename = "Config")]
    config: Option<ImageConfig>,
}

#[derive(Debug, Deserialize)]
struct ImageConfig {
    #[serde(rename = "Volumes", default)]
    volumes: Option<BTreeMap<String, Value>>,
}

/// Lists the first level of what a container's image holds at a destination; at most `limit` names.
///
/// # Errors
///
/// [`EngineError::NoHelper`] when no container can be made; otherwise as the engine answers.
pub async fn masked(
    daemon: &RestDaemon,
    container_id: &str,
    destination: &str,
    limit: usize,
) -> Result<Masked, EngineError> {
    let forbidden = |why: String| EngineError::NoHelper {
        reason: format!("what the image holds can only be read through a container of it: {why}"),
    };
    if daemon.no_helper {
        return Err(forbidden("--no-helper forbids it".to_owned()));
    }
    let path = format!("/containers/{}/json", encode(container_id));
    let inspected: Inspected = daemon.client.get_json("a container's details", &path, SHORT).await?;
    let path = format!("/images/{}/json", encode(&inspected.image));
    let image: Image = daemon.client.get_json("an image's details", &path, SHORT).await?;
    let declared: BTreeSet<String> = image
        .config
        .and_then(|config| config.volumes)
        .into_iter()
        .flatten()
        .map(|(path, _)| path)
        .collect();
    let flavour = daemon.about().await?.flavour;
    let labels = daemon.crew.owner().labels("masked");
    let document = document(flavour, &inspected.image, &declared, labels);
    let made = retried(|| container::create(daemon, document.clone())).await;
    let made = made.map_err(|error| no_helper(&error).map_or(error, forbidden))?;
    let path = format!("/containers/{}/archive?path={}", encode(&made.id), encode(destination));
    let what = "read the image's contents";
    let answer = match daemon
        .client
        .request(what, Method::GET, &path, Payload::None, LISTS)
        .await
    {
        Ok(answer) => answer,
        Err(EngineError::Status { status: 404, .. }) => return Ok(Masked::default()),
        Err(error) => return Err(error),
    };
    let mut names = TarNames::new(limit);
    // A directory too large to be read through in time is shown as far as it was read.
    let reading = read_while(what, answer.into_body(), PATIENCE, PATIENCE, |data| names.feed(data));
    let in_time = match reading.await {
        Err(EngineError::Timeout { .. }) => false,
        read => read?,
    };
    let top = names.top().map(PathIn::from);
    let (names, more) = names.finish();
    Ok(Masked {
        names,
        more: more || !in_time,
        exists: true,
        top,
    })
}

/// A container that is never started. Where the image declares volumes something else is mounted, so that the engine
/// makes none for them.
fn document(flavour: Flavour, image: &str, declared: &BTreeSet<String>, labels: Value) -> Value {
    let mounts: Vec<Value> = declared
        .iter()
        .map(|path| json!({"Type": "tmpfs", "Target": path}))
        .collect();
    json!({
        "Image": image,
        "Entrypoint": ["/nothing"],
        "Cmd": [],
        "Labels": labels,
        "HostConfig": {
            "NetworkMode": "none",
            "Mounts": mounts,
            "LogConfig": {"Type": "none", "Config": {}},
            "AutoRemove": flavour == Flavour::Docker,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_declared_volume_is_left_for_the_engine_to_make() {
        let declared = BTreeSet::from(["/data".to_owned(), "/var/lib/x".to_owned()]);
        let made = document(Flavour::Podman, "sha256:1", &declared, json!({}));
        let mounts = made["HostConfig"]["Mounts"].as_array().unwrap();
        let targets: Vec<&str> = mounts.iter().filter_map(|mount| mount["Target"].as_str()).collect();
        assert_eq!(targets, ["/data", "/var/lib/x"]);
        assert!(mounts.iter().all(|mount| mount["Type"] == "tmpfs"));
        assert_eq!(made["HostConfig"]["AutoRemove"], false);
    }
}
