//! The client against servers that misbehave, and a real engine's daemon over a scripted server.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use super::*;
use crate::engine::Daemon as _;
use crate::engine::connect::{ConnectError, ConnectOptions, connect_in};
use crate::engine::contexts::Environment;
use crate::engine::daemon::EngineEvent;
use crate::engine::rest::RestDaemon;
use crate::engine::session::{OpenSpec, Purpose, Target};

const SOON: Duration = Duration::from_millis(300);

/// A server on a socket of its own that answers each connection's first request with bytes as they are.
struct Server {
    dir: tempfile::TempDir,
}

impl Server {
    /// `answer` gives the bytes for a request's first line; `hold` keeps the connection open behind them.
    fn start(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static, hold: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("s")).unwrap();
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let answer = Arc::clone(&answer);
                tokio::spawn(async move {
                    let head = read_head(&mut stream).await;
                    let line = head.lines().next().unwrap_or_default().to_owned();
                    // The client may have gone away: that is the test's business.
                    drop(stream.write_all(&answer(&line)).await);
                    if hold {
                        drop(stream.read_to_end(&mut Vec::new()).await);
                    }
                });
            }
        });
        Self { dir }
    }

    fn fixed(answer: &str) -> Self {
        let answer = answer.as_bytes().to_vec();
        Self::start(move |_| answer.clone(), false)
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    fn client(&self) -> Client {
        Client::new(Endpoint::Unix(self.path()))
    }

    fn daemon(&self) -> RestDaemon {
        RestDaemon::new(self.client(), false).unwrap()
    }
}

async fn read_head(stream: &mut UnixStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

fn json(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn ask(server: &Server) -> Result<serde_json::Value, EngineError> {
    server.client().get_json("the test", "/x?y=z", SOON).await
}

#[tokio::test]
async fn an_answer_is_read_and_the_request_is_well_formed() {
    let server = Server::start(|line| json("200 OK", &format!("{:?}", line)).into_bytes(), false);
    assert_eq!(ask(&server).await.unwrap(), "GET /x?y=z HTTP/1.1");
    let mut chunked = String::from("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    chunked.push_str("1\r\n[\r\n2\r\n7]\r\n0\r\n\r\n");
    assert_eq!(ask(&Server::fixed(&chunked)).await.unwrap(), serde_json::json!([7]));
}

#[tokio::test]
async fn errors_carry_the_engines_message() {
    for (body, expected) in [
        (r#"{"message":"no such thing"}"#, "no such thing"),
        (r#"{"cause":"c","message":"podman says","response":500}"#, "podman says"),
        ("plain words\n", "plain words"),
        ("", "(no message)"),
    ] {
        let error = ask(&Server::fixed(&json("500 Oops", body))).await.unwrap_err();
        let EngineError::Status { status, message, what } = error else {
            panic!("{error}")
        };
        assert_eq!((status, message.as_str(), what.as_str()), (500, expected, "the test"));
    }
}

#[tokio::test]
async fn garbage_and_half_answers_are_told_apart_from_silence() {
    for garbage in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde",
        "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"half\":",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    ] {
        let error = ask(&Server::fixed(garbage)).await.unwrap_err();
        assert!(matches!(error, EngineError::Garbage { .. }), "{garbage}: {error}");
    }
    let hung_up = ask(&Server::fixed("")).await.unwrap_err();
    assert!(matches!(hung_up, EngineError::Unreachable { .. }), "{hung_up}");
}

#[tokio::test]
async fn silence_is_a_timeout_before_and_within_the_answer() {
    for start in [
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",
    ] {
        let server = Server::start(move |_| start.as_bytes().to_vec(), true);
        let error = ask(&server).await.unwrap_err();
        assert!(matches!(error, EngineError::Timeout { .. }), "{start}: {error}");
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let server = Server::fixed(&json("200 OK", &"x".repeat(2000)));
    let response = server
        .client()
        .request("the test", Method::GET, "/", Payload::None, SOON)
        .await
        .unwrap();
    let error = read_body("the test", response.into_body(), 1000, SOON)
        .await
        .unwrap_err();
    assert!(matches!(error, EngineError::Garbage { .. }), "{error}");
}

#[tokio::test]
async fn dropping_a_question_closes_its_connection() {
    let dir = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(dir.path().join("s")).unwrap();
    let client = Client::new(Endpoint::Unix(dir.path().join("s")));
    let question = tokio::spawn(async move { client.get_bytes("the test", "/", PATIENT).await });
    let (mut stream, _) = listener.accept().await.unwrap();
    read_head(&mut stream).await;
    question.abort();
    assert_eq!(
        stream.read(&mut [0; 8]).await.unwrap(),
        0,
        "the engine sees that nobody waits"
    );
}

#[tokio::test]
async fn a_tar_is_streamed() {
    let dir = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(dir.path().join("s")).unwrap();
    let client = Client::new(Endpoint::Unix(dir.path().join("s")));
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        let mut body = Vec::new();
        while !body.ends_with(b"0\r\n\r\n") {
            body.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        (head, String::from_utf8_lossy(&body).into_owned())
    });
    let pieces = futures_util::stream::iter([Ok(Bytes::from("one")), Ok(Bytes::from("two"))]).boxed();
    client
        .request("the test", Method::POST, "/images/load", Payload::Tar(pieces), SOON)
        .await
        .unwrap();
    let (head, body) = server.await.unwrap();
    assert!(
        head.starts_with("POST /images/load HTTP/1.1") && head.contains("application/x-tar"),
        "{head}"
    );
    assert!(body.contains("one") && body.contains("two"));
}

/// Answers as Docker 20.10 did.
fn recorded(line: &str) -> Vec<u8> {
    let path = line.split(' ').nth(1).unwrap_or_default();
    let body = match path {
        "/_ping" => {
            let head = "Api-Version: 1.41\r\nServer: Docker/20.10.24+dfsg1 (linux)\r\nContent-Length: 2";
            return format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\nOK").into_bytes();
        }
        "/version" => include_str!("../../tests/data/docker-20.10-version.json"),
        "/info" => include_str!("../../tests/data/docker-20.10-info.json"),
        "/volumes" => include_str!("../../tests/data/docker-20.10-volumes.json"),
        path if path.starts_with("/system/df") => include_str!("../../tests/data/docker-20.10-df.json"),
        "/containers/json?all=1" => {
            r#"[{"Id":"h1","Labels":{"vole.helper":"other"},"Mounts":[{"Type":"volume","Name":"v"}]},{"Id":"c1","Mounts":null}]"#
        }
        _ => return json("404 Not Found", r#"{"message":"no such container"}"#).into_bytes(),
    };
    json("200 OK", body).into_bytes()
}

#[tokio::test]
async fn a_daemon_answers_from_its_engine_and_hides_helpers() {
    let server = Server::start(recorded, false);
    let daemon = server.daemon();
    assert_eq!(daemon.volumes().await.unwrap().warnings, Vec::<String>::new());
    let rows = daemon.containers().await.unwrap().rows;
    assert_eq!(rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["c1"]);
    assert!(daemon.helpers.contains("h1"));
    assert_eq!(daemon.container("gone/../x").await, Ok(None));
    assert!(!daemon.disk_usage().await.unwrap().volumes.is_empty());
}

#[tokio::test]
async fn events_leave_out_helpers_and_what_they_mount_and_end_with_an_error() {
    let lines = [
        r#"{"Type":"container","Action":"create","Actor":{"ID":"h1","Attributes":{"vole.helper":"x"}}}"#,
        r#"{"Type":"volume","Action":"mount","Actor":{"ID":"v","Attributes":{"container":"h1"}}}"#,
        "",
        r#"{"Type":"volume","Action":"mount","Actor":{"ID":"v","Attributes":{"container":"c1"}}}"#,
        "",
    ];
    let body = lines.join("\n");
    let server = Server::fixed(&json("200 OK", &body));
    let events: Vec<_> = server.daemon().events().await.unwrap().collect().await;
    let mounted = EngineEvent::Volume {
        name: "v".to_owned(),
        action: "mount".to_owned(),
        container: Some("c1".to_owned()),
    };
    assert_eq!(events.len(), 2, "{events:?}");
    assert_eq!(events[0], Ok(mounted));
    assert!(matches!(events[1], Err(EngineError::Unreachable { .. })));
}

#[tokio::test]
async fn a_second_disk_usage_waits_for_the_first_to_end() {
    let busy = r#"{"message":"a disk usage operation is already running"}"#;
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let answer = move |line: &str| match line.contains("/system/df") && counter.fetch_add(1, Ordering::SeqCst) == 0 {
        true => json("500 Oops", busy).into_bytes(),
        false => recorded(line),
    };
    let server = Server::start(answer, false);
    assert!(server.daemon().disk_usage().await.is_ok());
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

fn surroundings(home: &tempfile::TempDir) -> Environment {
    let home_text = home.path().display().to_string();
    let variables = [("HOME".to_owned(), home_text)].into();
    Environment {
        variables,
        uid: 7,
        root: home.path().join("root"),
    }
}

#[tokio::test]
async fn what_the_engine_is_is_asked_once_and_again_when_its_events_broke_off() {
    let home = tempfile::tempdir().unwrap();
    let descriptions = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&descriptions);
    let answer = move |line: &str| {
        if [" /version ", " /_ping ", " /info "]
            .iter()
            .any(|path| line.contains(path))
        {
            counter.fetch_add(1, Ordering::SeqCst);
        }
        recorded(line)
    };
    let server = Server::start(answer, false);
    let host = format!("unix://{}", server.path().display());
    let options = ConnectOptions {
        host: Some(host.clone()),
        ..ConnectOptions::default()
    };
    let engine = connect_in(&options, &surroundings(&home)).await.unwrap();
    assert!(engine.id.as_str().starts_with(&format!("{host}#")), "{}", engine.id);
    let asked = || descriptions.load(Ordering::SeqCst);
    let first = engine.daemon.about().await.unwrap();
    let spec = OpenSpec {
        targets: vec![Target::Path("/x.sock".to_owned())],
        purpose: Purpose::Browse,
        through_store: false,
    };
    // Whatever comes of it: it needs to know the engine.
    drop(engine.open(spec).await);
    drop(engine.daemon.events().await);
    assert_eq!(engine.daemon.about().await.unwrap(), first);
    assert_eq!(asked(), 2, "/_ping and /info, once each");
    drop(engine.daemon.events().await);
    assert_eq!(engine.daemon.about().await.unwrap(), first);
    assert_eq!(asked(), 4, "it may be another version by now");
}

#[tokio::test]
async fn the_version_is_asked_where_greeting_or_description_do_not_tell() {
    let without = |hidden: &'static str| {
        let answer = move |line: &str| match line.contains(hidden) {
            true => json("403 Forbidden", "{}").into_bytes(),
            false => recorded(line),
        };
        Server::start(answer, false)
    };
    let about = async |server: Server| server.daemon().about().await.unwrap();
    let greeted = about(without(" /version ")).await;
    assert_eq!(about(without(" /_ping ")).await, greeted);
    let hidden = about(without(" /info ")).await;
    assert_eq!(
        (hidden.arch, hidden.kernel),
        (greeted.arch, greeted.kernel),
        "the version tells them as well"
    );
}

#[tokio::test]
async fn what_was_chosen_and_fails_is_the_answer_and_a_search_tells_every_attempt() {
    let home = tempfile::tempdir().unwrap();
    let environment = surroundings(&home);
    let live = Server::start(recorded, false);
    std::fs::create_dir_all(home.path().join("root/var/run")).unwrap();
    let well_known = home.path().join("root/var/run/docker.sock");
    std::os::unix::fs::symlink(live.path(), &well_known).unwrap();

    let chosen = ConnectOptions {
        host: Some("unix:///nowhere/x.sock".to_owned()),
        ..ConnectOptions::default()
    };
    let Err(ConnectError::NotConnected(not)) = connect_in(&chosen, &environment).await else {
        panic!()
    };
    assert_eq!(not.tried.len(), 1, "{not}");
    assert!(
        connect_in(&ConnectOptions::default(), &environment).await.is_ok(),
        "nobody chose: the socket is found"
    );

    std::fs::remove_file(&well_known).unwrap();
    let Err(ConnectError::NotConnected(not)) = connect_in(&ConnectOptions::default(), &environment).await else {
        panic!()
    };
    assert!(
        not.tried.len() >= 4 && not.tried.iter().all(|tried| tried.outcome.contains("no such socket")),
        "{not}"
    );

    let both = ConnectOptions {
        host: Some("unix:///x".into()),
        context: Some("y".into()),
        no_helper: false,
    };
    assert!(matches!(
        connect_in(&both, &environment).await,
        Err(ConnectError::Usage(_))
    ));
}
