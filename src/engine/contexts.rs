//! Which engine is meant: options, environment and Docker's contexts, in Docker's own order. Reads files, connects to
//! nothing; the environment is given, so that tests bring their own.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::endpoint::Endpoint;

/// The part of a process's surroundings that decides which engine is meant.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// Variables; an empty one counts as unset.
    pub variables: BTreeMap<String, String>,
    /// The effective user id.
    pub uid: u32,
    /// Where the host's absolute paths begin; empty but in tests.
    pub root: PathBuf,
}

impl Environment {
    /// This process's surroundings. Variables that are no UTF-8 are left out.
    pub fn of_process() -> Self {
        let variables =
            std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
        Self {
            variables: variables.collect(),
            uid: rustix::process::geteuid().as_raw(),
            root: PathBuf::new(),
        }
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    fn docker_config(&self) -> Option<PathBuf> {
        let from_home = || self.get("HOME").map(|home| Path::new(home).join(".docker"));
        self.get("DOCKER_CONFIG").map(PathBuf::from).or_else(from_home)
    }
}

/// Why an endpoint is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `--host`.
    HostOption,
    /// `DOCKER_HOST`.
    HostVariable,
    /// `--context`; its name.
    ContextOption(String),
    /// `DOCKER_CONTEXT`; its name.
    ContextVariable(String),
    /// Docker's current context; its name.
    CurrentContext(String),
    /// Docker's configuration file, which could not be read.
    Configuration,
    /// A well-known socket; whose.
    WellKnown(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostOption => f.write_str("--host"),
            Self::HostVariable => f.write_str("DOCKER_HOST"),
            Self::ContextOption(name) => write!(f, "--context {name}"),
            Self::ContextVariable(name) => write!(f, "DOCKER_CONTEXT={name}"),
            Self::CurrentContext(name) => write!(f, "current Docker context {name}"),
            Self::Configuration => f.write_str("Docker's configuration"),
            Self::WellKnown(whose) => write!(f, "{whose} socket"),
        }
    }
}

/// What is to be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Somebody chose this one: if it fails, that is the answer.
    Explicit {
        /// Who chose.
        origin: Origin,
        /// The endpoint's text, or the name of the context when there is none.
        text: String,
        /// The endpoint, or what is wrong with it.
        endpoint: Result<Endpoint, String>,
    },
    /// Nobody chose: the first of these that answers.
    Search {
        /// Well-known sockets, each once.
        candidates: Vec<(Origin, Endpoint)>,
        /// Docker's configuration file and why it could not be read; it might have named another engine.
        unreadable: Option<(PathBuf, String)>,
    },
}

/// Says which engine is meant. Options go before the environment, as with Docker's own client: `--host`, `--context`,
/// `DOCKER_HOST`, `DOCKER_CONTEXT`, the current context, the sockets. The context `default` means `DOCKER_HOST` or
/// the sockets.
pub fn choose(host: Option<&str>, context: Option<&str>, environment: &Environment) -> Choice {
    if let Some(host) = host {
        return explicit_host(Origin::HostOption, host, environment);
    }
    if let Some(name) = context
        && !is_default(name)
    {
        return explicit_context(Origin::ContextOption(name.to_owned()), name, environment);
    }
    if let Some(host) = environment.get("DOCKER_HOST") {
        return explicit_host(Origin::HostVariable, host, environment);
    }
    if context.is_some() {
        return search(environment, None);
    }
    if let Some(name) = environment.get("DOCKER_CONTEXT") {
        if is_default(name) {
            return search(environment, None);
        }
        return explicit_context(Origin::ContextVariable(name.to_owned()), name, environment);
    }
    match current_context(environment) {
        Ok(Some(name)) => explicit_context(Origin::CurrentContext(name.clone()), &name, environment),
        Ok(None) => search(environment, None),
        Err(unreadable) => search(environment, Some(unreadable)),
    }
}

fn is_default(name: &str) -> bool {
    name == "default"
}

fn explicit_host(origin: Origin, text: &str, environment: &Environment) -> Choice {
    let tls = environment.get("DOCKER_TLS_VERIFY").is_some();
    let endpoint = Endpoint::parse(text, tls).map_err(|error| error.to_string());
    Choice::Explicit {
        origin,
        text: text.to_owned(),
        endpoint,
    }
}

fn explicit_context(origin: Origin, name: &str, environment: &Environment) -> Choice {
    match read_context(name, environment) {
        Ok((host, tls)) => {
            let endpoint = Endpoint::parse(&host, tls).map_err(|error| error.to_string());
            Choice::Explicit {
                origin,
                text: host,
                endpoint,
            }
        }
        Err(reason) => Choice::Explicit {
            origin,
            text: name.to_owned(),
            endpoint: Err(reason),
        },
    }
}

#[derive(Deserialize)]
struct Configuration {
    #[serde(default, rename = "currentContext")]
    current_context: Option<String>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "Endpoints")]
    endpoints: BTreeMap<String, MetaEndpoint>,
}

#[derive(Deserialize)]
struct MetaEndpoint {
    #[serde(default, rename = "Host")]
    host: Option<String>,
}

/// The current context's name, `None` for the default; or the file that could not be read, and why.
fn current_context(environment: &Environment) -> Result<Option<String>, (PathBuf, String)> {
    let Some(file) = environment.docker_config().map(|dir| dir.join("config.json")) else {
        return Ok(None);
    };
    let text = match fs::read(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err((file, error.to_string())),
    };
    match serde_json::from_slice::<Configuration>(&text) {
        Ok(found) => Ok(found
            .current_context
            .filter(|name| !name.is_empty() && !is_default(name))),
        Err(error) => Err((file, error.to_string())),
    }
}

/// The endpoint of a context as Docker stores it, and whether it has TLS material.
fn read_context(name: &str, environment: &Environment) -> Result<(String, bool), String> {
    let store = environment
        .docker_config()
        .ok_or("neither DOCKER_CONFIG nor HOME is set, so there are no contexts")?;
    let hash: String = Sha256::digest(name.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let contexts = store.join("contexts");
    let file = contexts.join("meta").join(&hash).join("meta.json");
    let text = fs::read(&file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "there is no such context; `docker context ls` lists them".to_owned(),
        _ => format!("{}: {error}", file.display()),
    })?;
    let meta: Meta = serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    let docker = meta
        .endpoints
        .get("docker")
        .ok_or("the context has no Docker endpoint")?;
    let host = docker
        .host
        .clone()
        .filter(|host| !host.is_empty())
        .ok_or("the context's Docker endpoint has no host")?;
    Ok((host, contexts.join("tls").join(&hash).join("docker").is_dir()))
}

/// The sockets that engines are known to use on this host, each once.
fn search(environment: &Environment, unreadable: Option<(PathBuf, String)>) -> Choice {
    let runtime = environment.get("XDG_RUNTIME_DIR").map(PathBuf::from);
    let home = environment.get("HOME").map(PathBuf::from);
    let places = [
        ("Docker's", Some(environment.root.join("var/run/docker.sock"))),
        ("rootless Docker's", runtime.as_ref().map(|dir| dir.join("docker.sock"))),
        (
            "rootless Docker's",
            home.as_ref().map(|dir| dir.join(".docker/run/docker.sock")),
        ),
        (
            "Docker Desktop's",
            home.as_ref().map(|dir| dir.join(".docker/desktop/docker.sock")),
        ),
        ("podman's", runtime.map(|dir| dir.join("podman/podman.sock"))),
        (
            "podman's",
            Some(
                environment
                    .root
                    .join(format!("run/user/{}/podman/podman.sock", environment.uid)),
            ),
        ),
        ("podman's", Some(environment.root.join("run/podman/podman.sock"))),
    ];
    let mut candidates: Vec<(Origin, Endpoint)> = Vec::new();
    for (whose, path) in places {
        let Some(path) = path else { continue };
        // Without a root of their own the host's paths start at `/`.
        let path = if path.is_absolute() {
            path
        } else {
            Path::new("/").join(path)
        };
        let endpoint = Endpoint::Unix(path);
        if candidates.iter().all(|(_, known)| *known != endpoint) {
            candidates.push((Origin::WellKnown(whose), endpoint));
        }
    }
    Choice::Search { candidates, unreadable }
}

#[cfg(test)]
#[path = "contexts_tests.rs"]
mod tests;
