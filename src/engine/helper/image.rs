//! The helper's image: one made of the agent alone, sent to each engine once. Knows nothing of what runs in it.
//!
//! The archive is a function of the agent's bytes and the architecture, so its tag, which carries the agent's hash,
//! names its contents.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use hyper::Method;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::engine::client::{self, Client, Payload};
use crate::engine::embedded::{self, Embedded};
use crate::engine::error::EngineError;

/// The agent's path in its image.
pub(super) const AGENT_PATH: &str = "/vole-agent";
/// What is being done while the image is sent, for people.
pub(super) const LOADING: &str = "load the agent's image";
/// The image's repository; `localhost/` keeps engines from looking for it anywhere else.
const REPOSITORY: &str = "localhost/vole-agent";
/// How long sending the image may take until the engine starts to answer.
const LOAD: Duration = Duration::from_secs(120);
/// The most that is read of the engine's answer to a load, in bytes.
const MAX_ANSWER: usize = 1 << 20;
/// The size of the pieces in which an image is sent, in bytes.
const PIECE: usize = 64 << 10;
const BLOCK: usize = 512;

/// Makes sure that the engine has the agent's image and gives its reference.
///
/// # Errors
///
/// [`EngineError::NoHelper`] when this program carries no agent for the architecture; otherwise as the engine answers.
pub(super) async fn ensure(client: &Client, arch: &str) -> Result<String, EngineError> {
    let agent = embedded::agent(arch).ok_or_else(|| no_agent(arch))?;
    let reference = format!("{REPOSITORY}:{}", agent.hash);
    if exists(client, &reference).await? {
        return Ok(reference);
    }
    let archive = Bytes::from(docker_archive(&agent, arch, &reference)?);
    load(client, archive).await?;
    if exists(client, &reference).await? {
        return Ok(reference);
    }
    Err(EngineError::NoHelper {
        reason: "the engine took the agent's image but does not have it".to_owned(),
    })
}

fn no_agent(arch: &str) -> EngineError {
    let variable = format!("VOLE_AGENT_{}", arch.to_ascii_uppercase().replace('-', "_"));
    let reason = if arch.is_empty() {
        "the engine does not say which architecture it runs on, so no agent can be chosen for it".to_owned()
    } else {
        format!(
            "this vole carries no agent for an engine on {arch}: build vole where the Rust target \
             {arch}-unknown-linux-musl is installed, or with {variable}=/path/to/a/static/vole-agent"
        )
    };
    EngineError::NoHelper { reason }
}

async fn exists(client: &Client, reference: &str) -> Result<bool, EngineError> {
    let path = format!("/images/{reference}/json");
    match client
        .get_bytes("look for the agent's image", &path, client::SHORT)
        .await
    {
        Ok(_) => Ok(true),
        Err(EngineError::Status { status: 404, .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn load(client: &Client, archive: Bytes) -> Result<(), EngineError> {
    let what = LOADING;
    let pieces = (0..archive.len()).step_by(PIECE).map(move |at| {
        let end = archive.len().min(at + PIECE);
        io::Result::Ok(archive.slice(at..end))
    });
    let payload = Payload::Tar(stream::iter(pieces).boxed());
    let answer = client
        .request(what, Method::POST, "/images/load?quiet=1", payload, LOAD)
        .await?;
    let said = client::read_body(what, answer.into_body(), MAX_ANSWER, LOAD).await?;
    match load_error(&said) {
        Some(message) => Err(EngineError::Status {
            what: what.to_owned(),
            status: 200,
            message,
        }),
        None => Ok(()),
    }
}

/// The error among the lines of a load's answer: engines report it behind a status of 200.
fn load_error(said: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Line {
        error: Option<String>,
    }
    let lines = said.split(|&byte| byte == b'\n');
    lines
        .filter_map(|line| serde_json::from_slice::<Line>(line).ok())
        .find_map(|line| line.error)
}

/// An image of one layer with one file, in the format of `docker save`.
fn docker_archive(agent: &Embedded, arch: &str, reference: &str) -> Result<Vec<u8>, EngineError> {
    let mut layer = Vec::with_capacity(agent.bytes.len() + 4 * BLOCK);
    append_file(&mut layer, AGENT_PATH.trim_start_matches('/'), 0o755, agent.bytes)?;
    finish(&mut layer);
    let config = json!({
        "architecture": go_arch(arch),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {"Entrypoint": [AGENT_PATH]},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", sha256(&layer))]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "vole"}],
    })
    .to_string();
    let config_name = format!("{}.json", sha256(config.as_bytes()));
    let manifest = json!([{"Config": config_name, "RepoTags": [reference], "Layers": ["layer.tar"]}]).to_string();
    let mut archive = Vec::with_capacity(layer.len() + 16 * BLOCK);
    append_file(&mut archive, "layer.tar", 0o644, &layer)?;
    append_file(&mut archive, &config_name, 0o644, config.as_bytes())?;
    append_file(&mut archive, "manifest.json", 0o644, manifest.as_bytes())?;
    finish(&mut archive);
    Ok(archive)
}

/// Go's name of an architecture, which image configurations use.
fn go_arch(arch: &str) -> &str {
    match arch {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "armv7l" => "arm",
        other => other,
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Appends a regular file in the ustar format; names are short and ours.
fn append_file(tar: &mut Vec<u8>, name: &str, mode: u32, contents: &[u8]) -> Result<(), EngineError> {
    let mut header = [0u8; BLOCK];
    let fields = [
        (0, name.to_owned()),
        (100, format!("{mode:07o}")),
        (108, format!("{:07o}", 0)),
        (116, format!("{:07o}", 0)),
        (124, format!("{:011o}", contents.len())),
        (136, format!("{:011o}", 0)),
        (148, " ".repeat(8)),
        (156, "0".to_owned()),
        (257, "ustar\u{0}00".to_owned()),
    ];
    for (at, text) in fields {
        let field = header
            .get_mut(at..at + text.len())
            .ok_or_else(|| EngineError::NoHelper {
                reason: format!("cannot pack the agent's image: the name {name} is too long"),
            })?;
        field.copy_from_slice(text.as_bytes());
    }
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\u{0} ").as_bytes());
    tar.extend_from_slice(&header);
    tar.extend_from_slice(contents);
    tar.resize(tar.len().next_multiple_of(BLOCK), 0);
    Ok(())
}

fn finish(tar: &mut Vec<u8>) {
    tar.resize(tar.len() + 2 * BLOCK, 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const AGENT: Embedded = Embedded {
        bytes: b"\x7fELF and so on",
        hash: "0123456789abcdef",
        target: "given",
    };

    #[test]
    fn the_archive_is_deterministic_and_a_tar_that_others_read() {
        let archive = docker_archive(&AGENT, "x86_64", "localhost/vole-agent:1").unwrap();
        assert_eq!(
            archive,
            docker_archive(&AGENT, "x86_64", "localhost/vole-agent:1").unwrap()
        );
        let dir = tempfile::tempdir().unwrap();
        let unpack = |bytes: &[u8]| {
            let file = dir.path().join("in.tar");
            std::fs::write(&file, bytes).unwrap();
            let status = Command::new("tar")
                .arg("-xf")
                .arg(&file)
                .current_dir(dir.path())
                .status()
                .unwrap();
            assert!(status.success());
        };
        unpack(&archive);
        let manifest: serde_json::Value =
            serde_json::from_slice(&std::fs::read(dir.path().join("manifest.json")).unwrap()).unwrap();
        assert_eq!(manifest[0]["RepoTags"][0], "localhost/vole-agent:1");
        let config = std::fs::read(dir.path().join(manifest[0]["Config"].as_str().unwrap())).unwrap();
        let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
        let layer = std::fs::read(dir.path().join("layer.tar")).unwrap();
        assert_eq!(config["rootfs"]["diff_ids"][0], format!("sha256:{}", sha256(&layer)));
        assert_eq!(config["architecture"], "amd64");
        unpack(&layer);
        assert_eq!(std::fs::read(dir.path().join("vole-agent")).unwrap(), AGENT.bytes);
    }

    #[test]
    fn an_error_behind_a_status_of_200_is_found() {
        let said = b"{\"stream\":\"Loading\"}\n{\"errorDetail\":{},\"error\":\"no space left on device\"}\n";
        assert_eq!(load_error(said).as_deref(), Some("no space left on device"));
        assert_eq!(load_error(b"{\"stream\":\"Loaded image: x\"}\ngarbage"), None);
    }

    #[test]
    fn a_missing_architecture_says_what_to_do() {
        let said = no_agent("riscv64").to_string();
        assert!(
            said.contains("VOLE_AGENT_RISCV64=") && said.contains("riscv64-unknown-linux-musl"),
            "{said}"
        );
    }
}
