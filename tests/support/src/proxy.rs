//! A socket proxy in front of a private engine, as people put one there to forbid things.

use std::io::{BufReader, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

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
        let dir = tempfile::Builder::new()
            .prefix("vole-p-")
            .tempdir_in("/tmp")
            .expect("a directory");
        let log = Arc::new(Mutex::new(Vec::new()));
        let (upstream, lines): (PathBuf, _) = (upstream.to_owned(), Arc::clone(&log));
        let server = Server::start(dir.path().join("proxy.sock"), move |stream| {
            serve(stream, &upstream, &denied, &lines);
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
fn serve(stream: UnixStream, upstream: &Path, denied: &dyn Fn(&Request) -> bool, log: &Mutex<Vec<String>>) {
    let Ok(clone) = stream.try_clone() else { return };
    let mut reader = BufReader::new(clone);
    let Some(request) = read_request(&mut reader) else {
        return;
    };
    log.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(format!("{} {}?{}", request.method, request.path, request.query));
    let mut client = stream;
    if denied(&request) {
        let body = r#"{"message":"Forbidden by the proxy"}"#;
        let answer = format!(
            "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        // A client that hung up meanwhile needs no answer.
        let _sent = client.write_all(answer.as_bytes());
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
