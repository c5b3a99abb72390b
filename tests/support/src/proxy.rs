//! A socket proxy in front of a private engine, as people put one there to forbid things.

use std::io::{BufReader, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde_json::json;

use crate::fake::{self, Reply};
use crate::http::{Request, Server, read_request};

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    server: Server,
    log: Arc<Mutex<Vec<String>>>,
    _dir: tempfile::TempDir,
}

impl Proxy {
    /// Starts a proxy to `upstream`; what `denied` says yes to is answered with 403.
    ///
    /// # Panics
    ///
    /// When no socket can be made.
    pub fn start(upstream: &Path, denied: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Self {
        Self::answering(upstream, move |request| {
            denied(request).then(|| Reply::Json(403, json!({"message": "Forbidden by the proxy"})))
        })
    }

    /// Starts a proxy to `upstream` that answers some requests itself, as an engine on a bad day would. What `answer`
    /// does before it says `None` happens before the request is passed on.
    ///
    /// # Panics
    ///
    /// When no socket can be made.
    pub fn answering(upstream: &Path, answer: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("vole-p-")
            .tempdir_in("/tmp")
            .expect("a directory");
        let log = Arc::new(Mutex::new(Vec::new()));
        let (upstream, lines): (PathBuf, _) = (upstream.to_owned(), Arc::clone(&log));
        let server = Server::start(dir.path().join("proxy.sock"), move |stream| {
            serve(stream, &upstream, &answer, &lines);
        });
        Self { server, log, _dir: dir }
    }

    /// The endpoint as `--host` takes it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.server.socket().display())
    }

    /// The requests so far: method, path and query.
    pub fn requests(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One request per connection: the head is sent on with `Connection: close`, so that the next request comes over a new
/// connection and is looked at too.
fn serve(stream: UnixStream, upstream: &Path, answer: &dyn Fn(&Request) -> Option<Reply>, log: &Mutex<Vec<String>>) {
    let Ok(clone) = stream.try_clone() else { return };
    let mut reader = BufReader::new(clone);
    let Some(request) = read_request(&mut reader) else {
        return;
    };
    log.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(format!("{} {}?{}", request.method, request.path, request.query));
    let mut client = stream;
    if let Some(reply) = answer(&request) {
        fake::answer(&mut reader, &mut client, reply);
        return;
    }
    let Ok(mut server) = UnixStream::connect(upstream) else {
        return;
    };
    let upgrade = request.is_upgrade();
    let mut head = request.head.clone();
    if !upgrade {
        head.truncate(head.len() - 2);
        head.extend_from_slice(b"Connection: close\r\n\r\n");
    }
    head.extend_from_slice(&request.body);
    head.extend_from_slice(reader.buffer());
    if server.write_all(&head).is_err() {
        return;
    }
    let (Ok(mut from_client), Ok(mut to_server)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    thread::spawn(move || pump(&mut from_client, &mut to_server));
    pump(&mut server, &mut client);
    // For a plain request the answer's end is the connection's end.
    let _closed = client.shutdown(if upgrade { Shutdown::Write } else { Shutdown::Both });
}

fn pump(from: &mut UnixStream, to: &mut UnixStream) {
    let mut buffer = [0; 65536];
    loop {
        let got = from.read(&mut buffer).unwrap_or(0);
        if got == 0 || to.write_all(buffer.get(..got).unwrap_or(&[])).is_err() {
            // Half-close, so that the other direction can finish.
            let _closed = to.shutdown(Shutdown::Write);
            return;
        }
    }
}
