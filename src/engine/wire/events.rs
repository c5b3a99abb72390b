//! Reads one line of `/events`, and which container a volume's event is about.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Text, TextMap, document};
use crate::engine::daemon::EngineEvent;
use crate::engine::error::EngineError;
use crate::engine::labels;

#[derive(Deserialize)]
struct Line {
    #[serde(default, rename = "Type")]
    kind: Text,
    #[serde(default, rename = "Action")]
    action: Text,
    #[serde(default, rename = "Actor")]
    actor: Option<Actor>,
}

#[derive(Deserialize, Default)]
struct Actor {
    #[serde(default, rename = "ID")]
    id: Text,
    #[serde(default, rename = "Attributes")]
    attributes: TextMap,
}

/// What a line of `/events` means to vole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Noticed {
    /// Something that changes what a list shows. `container` is whose doing it was.
    Change {
        /// The event.
        event: EngineEvent,
        /// The container that it is about, or that mounted the volume.
        container: Option<String>,
    },
    /// A container of vole's own, by its label.
    Helper(String),
    /// Something that changes no list (health checks, execs, other types).
    Nothing,
}

/// Reads one line of `/events`.
///
/// # Errors
///
/// [`EngineError::Garbage`] when it is no event.
pub fn event(line: &[u8]) -> Result<Noticed, EngineError> {
    let line: Line = document("an event", line)?;
    let Actor {
        id: Text(id),
        attributes: TextMap(attributes),
    } = line.actor.unwrap_or_default();
    let action = line.action.0;
    match line.kind.0.as_str() {
        "container" if attributes.contains_key(labels::HELPER) => Ok(Noticed::Helper(id)),
        "container" if changes_a_list(&action) => Ok(Noticed::Change {
            container: Some(id.clone()),
            event: EngineEvent::Container {
                id,
                action,
                name: said(&attributes, "name"),
                image: said(&attributes, "image"),
            },
        }),
        "volume" => {
            // Podman leaves the id empty and names the volume in an attribute.
            let name = if id.is_empty() {
                attributes.get("name").cloned()
            } else {
                Some(id)
            };
            let Some(name) = name else { return Ok(Noticed::Nothing) };
            let container = said(&attributes, "container");
            Ok(Noticed::Change {
                container: container.clone(),
                event: EngineEvent::Volume {
                    name,
                    action,
                    container,
                },
            })
        }
        _ => Ok(Noticed::Nothing),
    }
}

/// What an attribute says; podman writes those that say nothing as empty ones.
fn said(attributes: &BTreeMap<String, String>, key: &str) -> Option<String> {
    attributes.get(key).filter(|value| !value.is_empty()).cloned()
}

/// Whether a container's event changes its row or its mounts; health checks and execs come every few seconds.
fn changes_a_list(action: &str) -> bool {
    matches!(
        action,
        "create"
            | "start"
            | "restart"
            | "die"
            | "died"
            | "stop"
            | "kill"
            | "pause"
            | "unpause"
            | "rename"
            | "destroy"
            | "remove"
            | "cleanup"
            | "init"
            | "oom"
            | "restore"
            | "sync"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(json: &str) -> (EngineEvent, Option<String>) {
        match event(json.as_bytes()).unwrap() {
            Noticed::Change { event, container } => (event, container),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn docker_events_are_read() {
        let (read, container) = change(
            r#"{"Type":"volume","Action":"mount","Actor":{"ID":"zz","Attributes":{"container":"a5f4","destination":"/q","driver":"local","read/write":"true"}},"scope":"local","time":1}"#,
        );
        assert_eq!(
            read,
            EngineEvent::Volume {
                name: "zz".to_owned(),
                action: "mount".to_owned(),
                container: Some("a5f4".to_owned()),
            }
        );
        assert_eq!(container.as_deref(), Some("a5f4"));
        let (read, _) = change(
            r#"{"status":"die","Type":"container","Action":"die","Actor":{"ID":"a5","Attributes":{"exitCode":"0"}}}"#,
        );
        assert_eq!(
            read,
            EngineEvent::Container {
                id: "a5".to_owned(),
                action: "die".to_owned(),
                name: None,
                image: None,
            }
        );
    }

    #[test]
    fn podman_names_volumes_in_an_attribute() {
        let (read, container) = change(
            r#"{"status":"create","Type":"volume","Action":"create","Actor":{"ID":"","Attributes":{"containerExitCode":"0","image":"","name":"va","podId":""}}}"#,
        );
        assert_eq!(
            read,
            EngineEvent::Volume {
                name: "va".to_owned(),
                action: "create".to_owned(),
                container: None,
            }
        );
        assert_eq!(container, None);
    }

    /// The labels of a container stand among the attributes, so any of them may be anything.
    #[test]
    fn containers_tell_their_name_and_image() {
        let told = |json: &str| match change(json) {
            (EngineEvent::Container { id, name, image, .. }, Some(container)) => {
                assert_eq!(id, container);
                (name, image)
            }
            other => panic!("{other:?}"),
        };
        let docker = r#"{"status":"start","id":"a5","from":"postgres:15","Type":"container","Action":"start","Actor":{"ID":"a5","Attributes":{"com.docker.compose.service":"db","image":"postgres:15","name":"shop-db-1"}},"scope":"local","time":1700000000,"timeNano":1700000000000000000}"#;
        let podman = r#"{"status":"died","id":"3e","from":"localhost/bb:1","Type":"container","Action":"died","Actor":{"ID":"3e","Attributes":{"containerExitCode":"0","image":"localhost/bb:1","name":"run1","podId":""}},"scope":"local"}"#;
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(told(docker), (some("shop-db-1"), some("postgres:15")));
        assert_eq!(told(podman), (some("run1"), some("localhost/bb:1")));
        let odd = r#"{"Type":"container","Action":"create","Actor":{"ID":"x","Attributes":{"name":7,"image":null}}}"#;
        assert_eq!(told(odd), (some("7"), None));
        let none = r#"{"Type":"container","Action":"create","Actor":{"ID":"x","Attributes":null}}"#;
        assert_eq!(told(none), (None, None));
        let hostile = r#"{"Type":"container","Action":"start","Actor":{"ID":"x","Attributes":{"name":"\u001b[2J\n","image":"\u202egpj"}}}"#;
        assert_eq!(told(hostile), (some("\u{1b}[2J\n"), some("\u{202e}gpj")));
    }

    #[test]
    fn helpers_and_chatter_are_told_apart_from_changes() {
        let helper = br#"{"Type":"container","Action":"create","Actor":{"ID":"h1","Attributes":{"vole.helper":"me"}}}"#;
        assert_eq!(event(helper), Ok(Noticed::Helper("h1".to_owned())));
        for chatter in [
            r#"{"Type":"container","Action":"exec_create: sh","Actor":{"ID":"x"}}"#,
            r#"{"Type":"container","Action":"health_status: healthy","Actor":{"ID":"x"}}"#,
            r#"{"Type":"system","Action":"refresh"}"#,
            r#"{"Type":"volume","Action":"create","Actor":null}"#,
            "{}",
        ] {
            assert_eq!(event(chatter.as_bytes()), Ok(Noticed::Nothing), "{chatter}");
        }
        assert!(event(b"7").is_err() && event(b"{").is_err());
    }
}
