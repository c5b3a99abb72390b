//! Just enough of HTTP/1.1 over unix sockets for fake engines and proxies: a request's head and body.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::Value;

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path without `/v1.xx` and without the query.
    pub path: String,
    /// The query, undecoded.
    pub query: String,
    /// The head as it was sent, the empty line included.
    pub head: Vec<u8>,
    /// The body, if it came with a length.
    pub body: Vec<u8>,
}

impl Request {
    /// Whether the connection is to become a raw stream.
    pub fn is_upgrade(&self) -> bool {
        String::from_utf8_lossy(&self.head)
            .lines()
            .any(|line| line.to_ascii_lowercase().starts_with("upgrade:"))
    }
}

/// Asks an engine for a document, without any client.
///
/// # Panics
///
/// When it does not answer with one.
pub fn get(socket: &Path, path: &str) -> Value {
    let mut stream = UnixStream::connect(socket).expect("the engine's socket");
    let head = format!("GET {path} HTTP/1.0\r\nHost: engine\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("it takes a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    let body = answer.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
    let body = body.and_then(|at| answer.get(at..)).unwrap_or_default();
    serde_json::from_slice(body).expect("it answers with a document")
}

/// Reads one request; `None` at the end of the connection.
pub(crate) fn read_request(reader: &mut BufReader<UnixStream>) -> Option<Request> {
    let mut head = Vec::new();
    loop {
        let from = head.len();
        if reader.read_until(b'\n', &mut head).ok()? == 0 {
            return None;
        }
        if matches!(head.get(from..), Some(b"\r\n")) {
            break;
        }
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let mut words = text.lines().next()?.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let header = |name: &str| {
        text.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
    };
    let body = match header("content-length").and_then(|length| length.parse().ok()) {
        Some(length) => {
            let mut body = vec![0; length];
            reader.read_exact(&mut body).ok()?;
            body
        }
        None if header("transfer-encoding").is_some_and(|how| how.eq_ignore_ascii_case("chunked")) => {
            read_chunked(reader)?
        }
        None => Vec::new(),
    };
    Some(Request {
        method,
        path: without_version(path).to_owned(),
        query: query.to_owned(),
        head,
        body,
    })
}

/// A chunked body as it stands on the wire: whoever forwards it needs the chunks.
fn read_chunked(reader: &mut BufReader<UnixStream>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line).ok()?;
        body.extend_from_slice(&line);
        let size = usize::from_str_radix(String::from_utf8_lossy(&line).trim(), 16).ok()?;
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).ok()?;
        body.extend_from_slice(&chunk);
        if size == 0 {
            return Some(body);
        }
    }
}

fn without_version(path: &str) -> &str {
    path.strip_prefix("/v")
        .and_then(|rest| rest.split_once('/'))
        .filter(|(version, _)| version.starts_with(|c: char| c.is_ascii_digit()))
        .map_or(path, |(version, _)| path.get(version.len() + 2..).unwrap_or(path))
}

/// A listening socket with a thread per connection; closed and removed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    socket: PathBuf,
    closed: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn start(socket: PathBuf, serve: impl Fn(UnixStream) + Send + Sync + 'static) -> Self {
        let listener = UnixListener::bind(&socket).expect("a socket");
        let closed = Arc::new(AtomicBool::new(false));
        let (serve, stop) = (Arc::new(serve), Arc::clone(&closed));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stop.load(Ordering::Acquire) {
                    return;
                }
                let serve = Arc::clone(&serve);
                thread::spawn(move || serve(stream));
            }
        });
        Self { socket, closed }
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Release);
        // Wakes the listener so that its thread ends; nobody is left to care when it does not.
        let _woken = UnixStream::connect(&self.socket);
        let _removed = std::fs::remove_file(&self.socket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_version_is_taken_off_the_path() {
        assert_eq!(without_version("/v1.41/volumes"), "/volumes");
        assert_eq!(without_version("/volumes"), "/volumes");
        assert_eq!(without_version("/version"), "/version");
    }
}
