//! Finds and removes containers that a vole left behind, by their labels. Touches nothing without vole's label, and
//! nothing of a vole that may still live.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::Method;
use serde::Deserialize;

use super::client::{Client, LISTS, PATIENT, Payload, SHORT, encode};
use super::error::EngineError;
use super::{client_process, labels};

/// How old a container must be before another vole's sweep may remove it; younger ones may be about to start.
const OLD: Duration = Duration::from_secs(60);
/// Tries to remove one container.
const TRIES: u32 = 30;
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// A container with vole's label, as `/containers/json` lists it.
#[derive(Debug, Clone, Deserialize)]
struct Found {
    #[serde(rename = "Id")]
    id: String,
    #[serde(rename = "State", default)]
    state: Option<String>,
    /// Seconds since the epoch, by the engine's clock.
    #[serde(rename = "Created", default)]
    created: Option<i64>,
    #[serde(rename = "Labels", default)]
    labels: Option<BTreeMap<String, String>>,
}

/// Removes what earlier runs left: helpers that do not run and are older than a minute, and running ones whose vole is
/// known to be dead. Returns how many were removed.
///
/// # Errors
///
/// When they cannot be listed; one that cannot be removed is left for the next sweep.
pub(super) async fn leftovers(client: &Client) -> Result<usize, EngineError> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let mut removed = 0;
    for found in list(client, labels::HELPER).await? {
        if !is_left(&found, i64::try_from(now).unwrap_or(i64::MAX)) {
            continue;
        }
        match remove(client, &found.id).await {
            Ok(()) => removed += 1,
            Err(EngineError::Status { .. } | EngineError::Timeout { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(removed)
}

/// Whether nobody can want a container any more.
fn is_left(found: &Found, now: i64) -> bool {
    let client = found.labels.as_ref().and_then(|labels| labels.get(labels::CLIENT));
    if client.is_some_and(|name| client_process::is_gone(name)) {
        return true;
    }
    // Without an age nothing can be said.
    let Some(created) = found.created else { return false };
    let old = now.saturating_sub(created) >= OLD.as_secs() as i64;
    let runs = match found.state.as_deref().map(str::to_ascii_lowercase).as_deref() {
        Some("created" | "configured" | "initialized" | "exited" | "stopped" | "dead") => false,
        Some(_) | None => true,
    };
    old && !runs
}

/// Removes every container of one session, and volumes that the engine made for it by mistake. Returns how many
/// containers there were.
///
/// # Errors
///
/// When they cannot be listed or one cannot be removed.
pub(super) async fn remove_session(client: &Client, session: &str) -> Result<usize, EngineError> {
    let found = list(client, &format!("{}={session}", labels::HELPER)).await?;
    for one in &found {
        remove(client, &one.id).await?;
    }
    remove_ghosts(client, &format!("{session}-")).await?;
    Ok(found.len())
}

async fn list(client: &Client, label: &str) -> Result<Vec<Found>, EngineError> {
    let filters = serde_json::json!({"label": [label]}).to_string();
    let path = format!("/containers/json?all=1&filters={}", encode(&filters));
    let found: Option<Vec<Found>> = client.get_json("the list of vole's helpers", &path, LISTS).await?;
    // An engine that ignores the filter must not make us remove what is not ours.
    let key = label.split('=').next().unwrap_or(label);
    let ours = |one: &Found| one.labels.as_ref().is_some_and(|labels| labels.contains_key(key));
    let value = label.split_once('=').map(|(_, value)| value);
    let meant = |one: &Found| {
        let is = one
            .labels
            .as_ref()
            .and_then(|labels| labels.get(key))
            .map(String::as_str);
        value.is_none() || is == value
    };
    Ok(found
        .into_iter()
        .flatten()
        .filter(|one| ours(one) && meant(one))
        .collect())
}

/// Removes one container for good. Never with its volumes: podman would destroy anonymous ones that it only mounted.
///
/// # Errors
///
/// When the engine refuses, or says for seconds that a removal is under way.
pub(super) async fn remove(client: &Client, id: &str) -> Result<(), EngineError> {
    let what = "remove a helper";
    let path = format!("/containers/{}?force=1&v=0", encode(id));
    let mut tries = 0;
    loop {
        tries += 1;
        match client
            .request(
                what,
                Method::DELETE,
                &path,
                Payload::None,
                PATIENT.min(Duration::from_secs(30)),
            )
            .await
        {
            Ok(_) | Err(EngineError::Status { status: 404, .. }) => return Ok(()),
            // Removed already by its own end or somebody else: gone only when the engine says 404.
            Err(EngineError::Status { status: 409 | 500, .. }) if tries < TRIES => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(error),
        }
    }
}

/// A volume with the label of a ghost.
#[derive(Debug, Deserialize)]
struct Ghost {
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "Labels", default)]
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
struct Ghosts {
    #[serde(rename = "Volumes", default)]
    volumes: Option<Vec<Ghost>>,
}

/// Names the volumes that an engine made because a helper mounted a name that was gone; their label starts with `mark`.
///
/// # Errors
///
/// When they cannot be listed.
pub(super) async fn ghosts(client: &Client, mark: &str) -> Result<Vec<String>, EngineError> {
    let filters = serde_json::json!({"label": [labels::GHOST]}).to_string();
    let path = format!("/volumes?filters={}", encode(&filters));
    let found: Ghosts = client
        .get_json("look for volumes made by mistake", &path, LISTS)
        .await?;
    let volumes = found.volumes.into_iter().flatten();
    let marked = |ghost: &Ghost| {
        let label = ghost.labels.as_ref().and_then(|labels| labels.get(labels::GHOST));
        label.is_some_and(|value| value.starts_with(mark))
    };
    Ok(volumes.filter(marked).map(|ghost| ghost.name).collect())
}

/// Removes such volumes, each by its name and without force: one that somebody uses by now stays.
///
/// # Errors
///
/// When they cannot be listed or removed.
pub(super) async fn remove_ghosts(client: &Client, mark: &str) -> Result<(), EngineError> {
    for name in ghosts(client, mark).await? {
        let path = format!("/volumes/{}", encode(&name));
        match client
            .request(
                "remove a volume made by mistake",
                Method::DELETE,
                &path,
                Payload::None,
                SHORT,
            )
            .await
        {
            Ok(_) | Err(EngineError::Status { status: 404 | 409, .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn found(state: &str, age: i64, client: &str) -> Found {
        let labels = BTreeMap::from([(labels::CLIENT.to_owned(), client.to_owned())]);
        Found {
            id: "x".into(),
            state: Some(state.into()),
            created: Some(NOW - age),
            labels: Some(labels),
        }
    }

    #[test]
    fn only_what_is_old_and_stands_still_or_whose_vole_is_dead_is_left() {
        assert!(is_left(&found("created", 61, ""), NOW));
        assert!(is_left(&found("exited", 61, ""), NOW));
        assert!(!is_left(&found("created", 59, ""), NOW), "it may be about to start");
        assert!(!is_left(&found("running", 10_000, ""), NOW), "somebody may use it");
        assert!(!is_left(&found("something new", 10_000, ""), NOW));
        let own = client_process::own();
        assert!(!is_left(&found("running", 10_000, &own), NOW));
        let dead = format!("{}/1", own.rsplit_once('/').unwrap().0);
        assert!(is_left(&found("running", 10_000, &dead), NOW));
        assert!(is_left(&found("created", 1, &dead), NOW));
        let ageless = Found {
            created: None,
            ..found("exited", 0, "")
        };
        assert!(!is_left(&ageless, NOW));
    }
}
