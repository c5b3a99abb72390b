//! Engines that are none: a socket that answers what the test says, well or badly.

use std::io::{BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::http::{Request, Server, read_request};

/// What a fake engine does with a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Answers with this status and JSON.
    Json(u16, Value),
    /// Answers after a while.
    Late(Duration, Box<Reply>),
    /// Never answers, and keeps the connection open.
    Silence,
    /// Answers with a head and then nothing more, as an event stream without events.
    Stream,
    /// Sends these bytes and closes.
    Raw(Vec<u8>),
}

/// A fake engine.
#[derive(Debug)]
pub struct FakeEngine {
    server: Server,
    log: Arc<Mutex<Vec<String>>>,
    _dir: tempfile::TempDir,
}

impl FakeEngine {
    /// Starts one that answers as `handler` says.
    ///
    /// # Panics
    ///
    /// When no socket can be made.
    pub fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("vole-f-")
            .tempdir_in("/tmp")
            .expect("a directory");
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&log);
        let server = Server::start(dir.path().join("fake.sock"), move |stream| {
            let Ok(clone) = stream.try_clone() else { return };
            let (mut reader, mut writer) = (BufReader::new(clone), stream);
            while let Some(request) = read_request(&mut reader) {
                lines
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(format!("{} {}", request.method, request.path));
                if !answer(&mut reader, &mut writer, handler(&request)) {
                    return;
                }
            }
        });
        Self { server, log, _dir: dir }
    }

    /// The endpoint as `--host` takes it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.server.socket().display())
    }

    /// The requests so far: method and path.
    pub fn requests(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Sends a reply; whether the connection goes on.
pub(crate) fn answer(reader: &mut BufReader<UnixStream>, writer: &mut UnixStream, reply: Reply) -> bool {
    match reply {
        Reply::Json(status, value) => {
            let body = value.to_string();
            let head = format!(
                "HTTP/1.1 {status} Fake\r\nApi-Version: 1.41\r\nOstype: linux\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            writer
                .write_all(head.as_bytes())
                .and_then(|()| writer.write_all(body.as_bytes()))
                .is_ok()
        }
        Reply::Late(wait, reply) => {
            std::thread::sleep(wait);
            answer(reader, writer, *reply)
        }
        Reply::Silence => {
            hold(reader);
            false
        }
        Reply::Stream => {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
            if writer.write_all(head.as_bytes()).is_ok() {
                hold(reader);
            }
            false
        }
        Reply::Raw(bytes) => {
            // A client that hung up meanwhile needs no answer.
            let _sent = writer.write_all(&bytes);
            false
        }
    }
}

/// Reads until the client hangs up.
fn hold(reader: &mut BufReader<UnixStream>) {
    let mut buffer = [0; 256];
    while reader.read(&mut buffer).is_ok_and(|got| got > 0) {}
}

/// A generated fleet for fake engines: any number of volumes and containers, deterministic.
#[derive(Debug, Clone)]
pub struct Fleet {
    volumes: Value,
    containers: Value,
    details: Vec<Value>,
}

impl Fleet {
    /// A fleet of this size. Every container attaches two volumes and one bind; the rest are orphans.
    pub fn new(volumes: usize, containers: usize) -> Self {
        let name = |index: usize| format!("project{:03}_volume{index:05}", index % 97);
        let rows: Vec<Value> = (0..volumes)
            .map(|index| {
                json!({
                    "Name": name(index), "Driver": "local", "Scope": "local", "Options": null,
                    "Mountpoint": format!("/var/lib/fake/volumes/{}/_data", name(index)),
                    "CreatedAt": format!("2024-{:02}-{:02}T10:00:00Z", index % 12 + 1, index % 28 + 1),
                    "Labels": {"com.docker.compose.project": format!("project{:03}", index % 97),
                               "com.docker.compose.volume": format!("volume{index:05}")},
                })
            })
            .collect();
        let mounts = |index: usize| {
            let volume = |offset: usize| {
                let name = name((index * 2 + offset) % volumes.max(1));
                json!({"Type": "volume", "Name": name, "Driver": "local", "Mode": "z", "RW": offset == 0, "Propagation": "",
                       "Source": format!("/var/lib/fake/volumes/{name}/_data"), "Destination": format!("/data{offset}")})
            };
            json!([volume(0), volume(1),
                   {"Type": "bind", "Source": format!("/srv/fake/{index}"), "Destination": "/etc/app", "Mode": "ro",
                    "RW": false, "Propagation": "rprivate"}])
        };
        let id = |index: usize| format!("{index:064x}");
        let labels = |index: usize| json!({"com.docker.compose.project": format!("project{:03}", index % 97), "com.docker.compose.service": "app"});
        let list = (0..containers)
            .map(|index| {
                json!({
                    "Id": id(index), "Names": [format!("/fake-app-{index}")], "Image": "fake:1", "ImageID": "sha256:00",
                    "Command": "app", "Created": 1_700_000_000 + index, "State": "running", "Status": "Up 3 hours", "Ports": [],
                    "Labels": labels(index), "HostConfig": {"NetworkMode": "none"}, "Mounts": mounts(index),
                })
            })
            .collect();
        let details = (0..containers)
            .map(|index| {
                json!({
                    "Id": id(index), "Name": format!("/fake-app-{index}"), "Image": "sha256:00",
                    "State": {"Status": "running", "Running": true, "Pid": 0}, "Mounts": mounts(index),
                    "Config": {"Image": "fake:1", "Labels": labels(index), "Tty": false},
                    "HostConfig": {"Binds": null, "Mounts": null, "Tmpfs": null, "NetworkMode": "none"},
                })
            })
            .collect();
        Self {
            volumes: json!({"Volumes": rows, "Warnings": null}),
            containers: Value::Array(list),
            details,
        }
    }

    /// The answer of a quiet engine with this fleet that refuses to make containers, sends no event, and knows no sizes.
    pub fn reply(&self, request: &Request) -> Reply {
        let path = request.path.as_str();
        match (request.method.as_str(), path) {
            (_, "/_ping") => Reply::Raw(
                b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nOstype: linux\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK"
                    .to_vec(),
            ),
            ("GET", "/version") => Reply::Json(
                200,
                json!({"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12", "Os": "linux", "Arch": "amd64",
                       "KernelVersion": "6.1.0", "Components": [{"Name": "Engine", "Version": "20.10.24"}]}),
            ),
            ("GET", "/info") => Reply::Json(
                200,
                json!({"ID": "FAKE:ENGINE", "Name": "fake-host", "ServerVersion": "20.10.24", "Driver": "overlay2",
                       "OSType": "linux", "Architecture": "x86_64", "OperatingSystem": "Fake Linux", "KernelVersion": "6.1.0",
                       "DockerRootDir": "/var/lib/fake", "SecurityOptions": ["name=seccomp,profile=default"],
                       "Containers": self.details.len(), "ContainersRunning": self.details.len(), "Images": 1,
                       "NCPU": 2, "MemTotal": 8_000_000_000_u64}),
            ),
            ("GET", "/volumes") => Reply::Json(200, self.volumes.clone()),
            ("GET", "/containers/json") => Reply::Json(200, self.containers.clone()),
            ("GET", "/events") => Reply::Stream,
            ("GET", "/system/df") => Reply::Json(
                200,
                json!({"LayersSize": 123_456, "Images": [], "Containers": [], "Volumes": [], "BuildCache": []}),
            ),
            ("GET", "/images/json") => Reply::Json(200, json!([])),
            ("GET", _) => {
                let index = path
                    .strip_prefix("/containers/")
                    .and_then(|rest| rest.strip_suffix("/json"))
                    .and_then(|id| usize::from_str_radix(id, 16).ok());
                match index.and_then(|index| self.details.get(index)) {
                    Some(detail) => Reply::Json(200, detail.clone()),
                    None => Reply::Json(404, json!({"message": "no such thing"})),
                }
            }
            _ => Reply::Json(403, json!({"message": "this engine is a fake"})),
        }
    }
}
