//! Reads what an engine says of itself: `/info`, and with it the greeting on `/_ping` or else `/version`.

use hyper::HeaderMap;
use serde::Deserialize;
use serde_json::Value;

use super::{Flag, Number, Text, document};
use crate::engine::daemon::{About, Flavour};
use crate::engine::error::EngineError;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    #[serde(default)]
    components: Option<Vec<Component>>,
    #[serde(default)]
    version: Text,
    #[serde(default)]
    api_version: Text,
    #[serde(default)]
    arch: Text,
    #[serde(default)]
    os: Text,
    #[serde(default)]
    kernel_version: Text,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Component {
    #[serde(default)]
    name: Text,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Info {
    #[serde(rename = "ID")]
    id: Text,
    name: Text,
    docker_root_dir: Text,
    operating_system: Text,
    architecture: Text,
    kernel_version: Text,
    security_options: Option<Vec<Value>>,
    rootless: Flag,
}

/// What an engine says of itself beside its description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    flavour: Flavour,
    version: String,
    api: String,
    arch: String,
    os: String,
    kernel: String,
}

/// Reads the head of the answer to `/_ping`: `Server: Docker/20.10.24+dfsg1 (linux)` or `Libpod/4.3.1 (linux)`, and
/// `Api-Version: 1.41`. `None` where it does not tell what answers (a proxy puts its own name there).
pub fn greeting(head: &HeaderMap) -> Option<Greeting> {
    let said = |name| head.get(name)?.to_str().ok();
    let (name, version) = said("server")?.split_once('/')?;
    let flavour = match name {
        "Docker" => Flavour::Docker,
        "Libpod" => Flavour::Podman,
        _ => return None,
    };
    Some(Greeting {
        flavour,
        version: version.split_whitespace().next()?.to_owned(),
        api: said("api-version").filter(|api| !api.is_empty())?.to_owned(),
        arch: String::new(),
        os: String::new(),
        kernel: String::new(),
    })
}

/// Reads the answer to `/version`.
///
/// # Errors
///
/// [`EngineError::Garbage`] when it is no such answer.
pub fn version(body: &[u8]) -> Result<Greeting, EngineError> {
    let version: Version = document("the engine's version", body)?;
    if version.version.0.is_empty() && version.api_version.0.is_empty() {
        let cause = "it names no version; this may be no container engine".to_owned();
        return Err(EngineError::Garbage {
            what: "the engine's version".to_owned(),
            cause,
        });
    }
    let is_podman = version
        .components
        .iter()
        .flatten()
        .any(|component| component.name.0.starts_with("Podman"));
    Ok(Greeting {
        flavour: if is_podman { Flavour::Podman } else { Flavour::Docker },
        version: version.version.0,
        api: version.api_version.0,
        arch: version.arch.0,
        os: version.os.0,
        kernel: version.kernel_version.0,
    })
}

/// What an engine is, and its own id where that is stable (podman's differs at every call). `info` is the answer to
/// `/info`, `None` when the engine would not say (a socket proxy). Whether it runs on this host is left open (`false`).
///
/// # Errors
///
/// [`EngineError::Garbage`] when `info` is no such answer.
pub fn about(greeting: Greeting, info: Option<&[u8]>) -> Result<(About, Option<String>), EngineError> {
    let info: Info = info
        .map(|info| document("the engine's description", info))
        .transpose()?
        .unwrap_or_default();
    let flavour = greeting.flavour;
    let security: Vec<String> = info
        .security_options
        .iter()
        .flatten()
        .filter_map(security_option)
        .collect();
    let rootless_option = security.iter().any(|option| option.starts_with("name=rootless"));
    let about = About {
        name: info.name.0,
        flavour,
        version: greeting.version,
        api: greeting.api,
        arch: machine(first(info.architecture.0, greeting.arch)),
        kernel: first(info.kernel_version.0, greeting.kernel),
        os: first(info.operating_system.0, greeting.os),
        root_dir: info.docker_root_dir.0,
        same_host: false,
        rootless: rootless_option || info.rootless.0 == Some(true),
        security,
    };
    let id = Some(info.id.0).filter(|id| flavour == Flavour::Docker && !id.is_empty());
    Ok((about, id))
}

/// A security option as `name=x,…`; some engines write it as an object.
fn security_option(option: &Value) -> Option<String> {
    match option {
        Value::String(text) => Some(text.clone()),
        Value::Object(fields) => {
            let name = fields.get("Name").or_else(|| fields.get("name"))?.as_str()?;
            Some(format!("name={name}"))
        }
        _ => None,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Counts {
    containers: Option<Number>,
}

/// Reads how many containers an engine counts, running or not; `None` when it does not say.
///
/// # Errors
///
/// [`EngineError::Garbage`] when it is no such answer.
pub fn container_count(info: &[u8]) -> Result<Option<usize>, EngineError> {
    let counts: Counts = document("the engine's description", info)?;
    let count = counts.containers.and_then(Number::bytes);
    Ok(count.and_then(|count| usize::try_from(count).ok()))
}

fn first(preferred: String, other: String) -> String {
    if preferred.is_empty() { other } else { preferred }
}

/// Turns Go's words for architectures into those of `uname -m`.
fn machine(arch: String) -> String {
    match arch.as_str() {
        "amd64" => "x86_64".to_owned(),
        "arm64" => "aarch64".to_owned(),
        "arm" => "armv7l".to_owned(),
        "386" => "i686".to_owned(),
        _ => arch,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(version_said: &[u8], info: Option<&[u8]>) -> Result<(About, Option<String>), EngineError> {
        about(version(version_said)?, info)
    }

    #[test]
    fn docker_and_podman_are_told_apart() {
        let (docker, id) = told(
            include_bytes!("../../../tests/data/docker-20.10-version.json"),
            Some(include_bytes!("../../../tests/data/docker-20.10-info.json")),
        )
        .unwrap();
        assert_eq!(
            (docker.flavour, docker.version.as_str(), docker.api.as_str()),
            (Flavour::Docker, "20.10.24+dfsg1", "1.41")
        );
        assert_eq!(docker.arch, "x86_64");
        assert_eq!(docker.security, ["name=seccomp,profile=default"]);
        assert!(!docker.rootless && id.is_some() && !docker.root_dir.is_empty());

        let (podman, id) = told(
            include_bytes!("../../../tests/data/podman-4.3-version.json"),
            Some(include_bytes!("../../../tests/data/podman-4.3-info.json")),
        )
        .unwrap();
        assert_eq!(
            (podman.flavour, podman.version.as_str(), podman.arch.as_str()),
            (Flavour::Podman, "4.3.1", "x86_64")
        );
        assert_eq!(id, None, "podman's id differs at every call");
    }

    #[test]
    fn a_proxy_that_hides_the_description_is_no_failure_but_another_server_is() {
        let (hidden, id) = told(
            br#"{"Version":"27.0","ApiVersion":"1.46","Arch":"arm64","Os":"linux"}"#,
            None,
        )
        .unwrap();
        assert_eq!((hidden.arch.as_str(), hidden.name.as_str(), id), ("aarch64", "", None));
        let odd = br#"{"SecurityOptions":["name=userns",{"Name":"selinux"},7]}"#;
        let (odd, _) = told(br#"{"Version":"27.0"}"#, Some(odd)).unwrap();
        assert_eq!(odd.security, ["name=userns", "name=selinux"]);
        assert!(told(b"{}", None).is_err());
        assert!(told(b"<html>", None).is_err());
    }

    /// As Docker 20.10 and podman 4.3 send it.
    #[test]
    fn a_greeting_tells_as_much_as_the_version_beside_a_description() {
        let head = |lines: &[(&'static str, &str)]| {
            let lines = lines.iter().map(|(name, value)| {
                let name = hyper::header::HeaderName::from_static(name);
                (name, value.parse().unwrap())
            });
            HeaderMap::from_iter(lines)
        };
        let docker = head(&[("server", "Docker/20.10.24+dfsg1 (linux)"), ("api-version", "1.41")]);
        let podman = head(&[("server", "Libpod/4.3.1 (linux)"), ("api-version", "1.41")]);
        let recorded: [(HeaderMap, &[u8], &[u8]); 2] = [
            (
                docker,
                include_bytes!("../../../tests/data/docker-20.10-version.json"),
                include_bytes!("../../../tests/data/docker-20.10-info.json"),
            ),
            (
                podman,
                include_bytes!("../../../tests/data/podman-4.3-version.json"),
                include_bytes!("../../../tests/data/podman-4.3-info.json"),
            ),
        ];
        for (head, version, info) in recorded {
            let greeted = about(greeting(&head).unwrap(), Some(info)).unwrap();
            assert_eq!(greeted, told(version, Some(info)).unwrap());
        }
        for unclear in [
            head(&[("api-version", "1.41")]),
            head(&[("server", "Docker/20.10.24 (linux)")]),
            head(&[("server", "Docker/20.10.24 (linux)"), ("api-version", "")]),
            head(&[("server", "Docker/ "), ("api-version", "1.41")]),
            head(&[("server", "nginx/1.22"), ("api-version", "1.41")]),
            head(&[("server", "nginx"), ("api-version", "1.41")]),
        ] {
            assert_eq!(greeting(&unclear), None, "{unclear:?}");
        }
    }
}
