//! What is asked of an engine about single containers, and what is made of its answers.

use std::process::Command;

use serde_json::json;
use vole_test_support::{FakeEngine, Reply};

use super::*;
use crate::engine::endpoint::Endpoint;

fn client(engine: &FakeEngine) -> Client {
    Client::new(Endpoint::parse(&engine.host(), false).unwrap())
}

/// An answer with a body of these bytes.
fn raw(kind: &str, body: &[u8]) -> Reply {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    Reply::Raw([head.as_bytes(), body].concat())
}

/// What `tar` makes of an entry of a directory.
fn archive(dir: &std::path::Path, name: &str) -> Reply {
    let packed = Command::new("tar")
        .arg("-cf")
        .arg("-")
        .arg("-C")
        .arg(dir)
        .arg(name)
        .output();
    raw("application/x-tar", &packed.unwrap().stdout)
}

/// An engine with one container that holds `/etc/passwd`, as a file behind two symlinks, and `/loop`.
fn with_files() -> FakeEngine {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("etc")).unwrap();
    std::fs::write(dir.path().join("etc/real"), "root:x:0:0::/:/bin/sh\n").unwrap();
    std::os::unix::fs::symlink("/usr/../etc/middle", dir.path().join("etc/passwd")).unwrap();
    std::os::unix::fs::symlink("../etc/./real", dir.path().join("etc/middle")).unwrap();
    std::os::unix::fs::symlink("loop", dir.path().join("loop")).unwrap();
    FakeEngine::start(move |request| {
        let path = request
            .query
            .strip_prefix("path=")
            .unwrap_or_default()
            .replace("%2F", "/");
        let (parent, name) = path.rsplit_once('/').unwrap_or_default();
        let parent = dir.path().join(parent.trim_start_matches('/'));
        match std::fs::symlink_metadata(parent.join(name)) {
            Ok(_) => archive(&parent, name),
            Err(_) => Reply::Json(404, json!({"message": "Could not find the file"})),
        }
    })
}

#[tokio::test]
async fn a_file_is_found_behind_its_symlinks_and_a_loop_ends() {
    let engine = with_files();
    let client = client(&engine);
    let read = file_in(&client, "c", "/etc/passwd").await.unwrap();
    assert_eq!(read.as_deref(), Some(b"root:x:0:0::/:/bin/sh\n".as_slice()));
    assert_eq!(file_in(&client, "c", "/loop").await, Ok(None));
    assert_eq!(file_in(&client, "c", "/etc").await, Ok(None), "a directory is no file");
    assert_eq!(file_in(&client, "c", "/none").await, Ok(None));
}

#[tokio::test]
async fn what_stands_at_a_path_is_told_and_a_symlink_is_not_followed() {
    let engine = with_files();
    let client = client(&engine);
    let etc = path_in(&client, "c", "/etc").await.unwrap().unwrap();
    assert!(etc.is_dir && etc.link.is_none() && etc.mode & 0o700 == 0o700);
    let link = path_in(&client, "c", "/loop").await.unwrap().unwrap();
    assert_eq!((link.is_dir, link.link.as_deref()), (false, Some("loop")));
    assert_eq!(path_in(&client, "c", "/none").await, Ok(None));
}

#[tokio::test]
async fn only_the_start_of_a_huge_directory_is_read() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("d")).unwrap();
    let packed = Command::new("tar")
        .arg("-cf")
        .arg("-")
        .arg("-C")
        .arg(dir.path())
        .arg("d")
        .output();
    let start = packed.unwrap().stdout[..512].to_vec();
    // A body that is never finished: who waited for its end would wait for ever.
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n".as_slice();
    let engine = FakeEngine::start(move |_| Reply::Raw([head, &start].concat()));
    assert!(path_in(&client(&engine), "c", "/d").await.unwrap().unwrap().is_dir);
}

#[test]
fn links_lead_nowhere_outside_of_the_container() {
    for (path, link, led) in [
        ("/etc/passwd", "/usr/lib/passwd", "/usr/lib/passwd"),
        ("/etc/passwd", "../../../x", "/x"),
        ("/etc/passwd", "./y", "/etc/y"),
        ("/a", "b", "/b"),
    ] {
        assert_eq!(led_to(path, link.as_bytes()).as_deref(), Some(led));
    }
    assert_eq!(led_to("/a", b"\xff"), None);
}

#[tokio::test]
async fn podman_is_asked_again_in_its_own_words() {
    let engine = FakeEngine::start(|request| match request.query.contains("huser") {
        true => Reply::Json(
            200,
            json!({"Titles": ["PID", "HUSER", "HGROUP", "USER", "GROUP", "COMMAND"],
                "Processes": [["1", "999", "998", "app", "appg", "sleep"]]}),
        ),
        false => Reply::Json(200, json!(null)),
    });
    let told = processes(&client(&engine), Flavour::Podman, "c").await.unwrap();
    assert_eq!((told.len(), told[0].uid, told[0].host_ids), (1, 999, true));
    assert_eq!(processes(&client(&engine), Flavour::Docker, "c").await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_container_that_does_not_run_has_no_processes_and_what_cannot_be_asked_is_an_error() {
    let asked = |status, message: &'static str| async move {
        let engine = FakeEngine::start(move |_| Reply::Json(status, json!({"message": message})));
        processes(&client(&engine), Flavour::Docker, "c").await
    };
    assert_eq!(asked(409, "Container c is restarting, wait").await, Ok(Vec::new()));
    assert_eq!(asked(500, "Container c is not running").await, Ok(Vec::new()));
    assert!(asked(500, "ps: bad option").await.is_err());
}

#[tokio::test]
async fn a_layer_is_told_with_its_size_or_without() {
    let engine = |size: u16| {
        FakeEngine::start(move |request| match request.path.ends_with("/changes") {
            true => Reply::Json(200, json!([{"Path": "/data", "Kind": 1}, {"Path": "/x", "Kind": 2}])),
            false => Reply::Json(size, json!({"Id": "c", "Mounts": [], "HostConfig": {}, "SizeRw": 77})),
        })
    };
    let known = engine(200);
    let told = layer(&client(&known), "c", 10).await.unwrap();
    assert_eq!(
        (told.paths, told.more, told.bytes),
        (vec!["/data".to_owned()], false, Some(77))
    );
    assert!(known.requests().iter().any(|line| line.contains("/json")));
    let unknown = engine(500);
    assert_eq!(layer(&client(&unknown), "c", 10).await.unwrap().bytes, None);
}

#[tokio::test]
async fn what_is_as_wanted_already_is_no_error() {
    let engine = FakeEngine::start(|request| match request.path.rsplit('/').next() {
        Some("start") => Reply::Raw(b"HTTP/1.1 304 Not Modified\r\n\r\n".to_vec()),
        Some("stop") => Reply::Raw(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        _ => Reply::Json(404, json!({"message": "No such container"})),
    });
    let client = client(&engine);
    assert_eq!(switch(&client, "a/b", Switch::Start).await, Ok(()));
    assert_eq!(switch(&client, "c", Switch::Stop).await, Ok(()));
    assert!(switch(&client, "c", Switch::Restart).await.is_err());
    assert!(
        engine.requests()[0].starts_with("POST /containers/a%2Fb/start"),
        "{:?}",
        engine.requests()
    );
}
