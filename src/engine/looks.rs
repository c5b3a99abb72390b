//! Looks into single containers over the REST side: paths and small files, processes, the writable layer. Reading the
//! answers is [`super::wire`]'s part; nothing is changed but by [`switch`].

use std::time::Duration;

use bytes::BytesMut;
use hyper::Method;

use super::client::{Client, LISTS, PATIENT, Payload, SHORT, encode, read_while};
use super::daemon::{Flavour, Layer, PathIn, Process, Switch};
use super::error::EngineError;
use super::tar::{Header, Next, Reader, Tar};
use super::wire;

/// The most that is read of a file, in bytes.
const MAX_FILE: usize = 1 << 20;
/// Symlinks that are followed to a file.
const HOPS: usize = 8;
/// The most that is read of a list of changes, in bytes.
const MAX_CHANGES: usize = 8 << 20;
/// What Docker hands to `ps`, see [`wire::processes`].
const PS_DOCKER: &str = "-eo pid,uid,gid,supgid,args";
/// What podman 4.3 takes instead: it answers `null` to Docker's.
const PS_PODMAN: &str = "pid,huser,hgroup,user,group,args";

/// What an archive of one path starts with.
#[derive(Debug, Default)]
struct First {
    header: Option<Header>,
    wants_contents: bool,
    contents: Vec<u8>,
}

impl Reader for First {
    fn header(&mut self, header: Header) -> Next {
        if self.header.is_some() {
            return Next::Enough;
        }
        let next = match self.wants_contents && header.is_file() {
            true => Next::Contents,
            false => Next::Enough,
        };
        self.header = Some(header);
        next
    }

    fn contents(&mut self, piece: &[u8]) -> bool {
        let room = MAX_FILE - self.contents.len();
        self.contents.extend_from_slice(&piece[..piece.len().min(room)]);
        self.contents.len() < MAX_FILE
    }
}

/// Reads the start of the archive of a path, and lets the rest go; `None` when there is no such path.
async fn first(client: &Client, id: &str, path: &str, wants_contents: bool) -> Result<Option<First>, EngineError> {
    let what = "a path of a container";
    let query = format!("/containers/{}/archive?path={}", encode(id), encode(path));
    let answer = match client.request(what, Method::GET, &query, Payload::None, LISTS).await {
        Ok(answer) => answer,
        Err(EngineError::Status { status: 404, .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut first = First {
        wants_contents,
        ..First::default()
    };
    let mut tar = Tar::new();
    let read = read_while(what, answer.into_body(), SHORT, LISTS, |data| {
        tar.feed(data, &mut first)
    });
    if !read.await? {
        return Err(EngineError::Timeout {
            what: what.to_owned(),
            seconds: LISTS.as_secs(),
        });
    }
    Ok(Some(first))
}

/// What stands at a path.
pub(super) async fn path_in(client: &Client, id: &str, path: &str) -> Result<Option<PathIn>, EngineError> {
    let header = first(client, id, path, false).await?.and_then(|first| first.header);
    Ok(header.as_ref().map(PathIn::from))
}

impl From<&Header> for PathIn {
    fn from(header: &Header) -> Self {
        let link = header
            .is_symlink()
            .then(|| String::from_utf8_lossy(&header.link).into_owned());
        Self {
            is_dir: header.is_dir(),
            mode: header.mode,
            uid: header.uid,
            gid: header.gid,
            link,
        }
    }
}

/// A small file, symlinks followed within the container.
pub(super) async fn file_in(client: &Client, id: &str, path: &str) -> Result<Option<Vec<u8>>, EngineError> {
    let mut path = path.to_owned();
    for _ in 0..=HOPS {
        let Some(first) = first(client, id, &path, true).await? else {
            return Ok(None);
        };
        match first.header {
            Some(header) if header.is_symlink() => match led_to(&path, &header.link) {
                Some(next) => path = next,
                None => return Ok(None),
            },
            Some(header) if header.is_file() => return Ok(Some(first.contents)),
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// Where a symlink at a path leads, within the container's root; `None` when its target is no text.
fn led_to(path: &str, link: &[u8]) -> Option<String> {
    let link = std::str::from_utf8(link).ok()?;
    let directory = if link.starts_with('/') {
        ""
    } else {
        path.rsplit_once('/').map_or("", |(directory, _)| directory)
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in directory.split('/').chain(link.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Some(format!("/{}", parts.join("/")))
}

/// The processes of a container.
pub(super) async fn processes(client: &Client, flavour: Flavour, id: &str) -> Result<Vec<Process>, EngineError> {
    let told = top(client, flavour, id, PS_DOCKER).await?;
    match flavour {
        Flavour::Podman if told.is_empty() => top(client, flavour, id, PS_PODMAN).await,
        _ => Ok(told),
    }
}

async fn top(client: &Client, flavour: Flavour, id: &str, columns: &str) -> Result<Vec<Process>, EngineError> {
    let path = format!("/containers/{}/top?ps_args={}", encode(id), encode(columns));
    match client.get_bytes("a container's processes", &path, SHORT).await {
        Ok(body) => wire::processes(&body, flavour),
        Err(EngineError::Status { status: 409, .. }) => Ok(Vec::new()),
        Err(EngineError::Status {
            status: 500, message, ..
        }) if is_not_running(&message) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Whether an engine says that a container has no processes, rather than that it could not look.
fn is_not_running(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["not running", "running containers", "is restarting", "not been started"]
        .iter()
        .any(|words| message.contains(words))
}

/// What the writable layer holds.
pub(super) async fn layer(client: &Client, id: &str, limit: usize) -> Result<Layer, EngineError> {
    let what = "what a container changed";
    let path = format!("/containers/{}/changes", encode(id));
    let answer = client.request(what, Method::GET, &path, Payload::None, LISTS).await?;
    let mut body = BytesMut::new();
    let read = read_while(what, answer.into_body(), SHORT, LISTS, |data| {
        body.extend_from_slice(data);
        Ok(body.len() <= MAX_CHANGES)
    });
    let whole = read.await? && body.len() <= MAX_CHANGES;
    let mut layer = wire::layer(&body, whole, limit)?;
    let path = format!("/containers/{}/json?size=1", encode(id));
    // The engine adds files up for it, which may take longer than anybody waits: then it is unknown.
    layer.bytes = match client.get_bytes("a container's size", &path, SIZE).await {
        Ok(body) => wire::container(&body)?.run.size_rw,
        Err(EngineError::Timeout { .. } | EngineError::Status { .. }) => None,
        Err(error) => return Err(error),
    };
    Ok(layer)
}

/// How long an engine may add up a writable layer.
const SIZE: Duration = Duration::from_secs(5);

/// Starts, stops or restarts a container. The engine answers when it is done: a stop takes as long as the container's
/// grace, whatever that is.
pub(super) async fn switch(client: &Client, id: &str, switch: Switch) -> Result<(), EngineError> {
    let (word, what) = match switch {
        Switch::Start => ("start", "starting a container"),
        Switch::Stop => ("stop", "stopping a container"),
        Switch::Restart => ("restart", "restarting a container"),
    };
    let path = format!("/containers/{}/{word}", encode(id));
    let answer = client.request(what, Method::POST, &path, Payload::None, PATIENT).await;
    answer.map(drop)
}

#[cfg(test)]
#[path = "looks_tests.rs"]
mod tests;
