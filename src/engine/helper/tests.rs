//! Which failures of a helper's start are remembered, over engines that fail as scripted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use vole_test_support::{FakeEngine, FakeFleet, Reply};

use super::*;
use crate::engine::client::Client;
use crate::engine::endpoint::Endpoint;

/// An engine that answers every question for the agent's image like this.
fn engine(status: u16, message: &'static str) -> (FakeEngine, RestDaemon) {
    engine_that(move || Reply::Json(status, json!({"message": message})))
}

fn engine_that(answer: impl Fn() -> Reply + Send + Sync + 'static) -> (FakeEngine, RestDaemon) {
    let fleet = FakeFleet::new(1, 1);
    let engine = FakeEngine::start(move |request| match request.path.as_str() {
        path if path.starts_with("/images/localhost") => answer(),
        path if path.starts_with("/volumes/") => Reply::Json(200, json!({})),
        _ => fleet.reply(request),
    });
    let endpoint = Endpoint::parse(&engine.host(), false).unwrap();
    let daemon = RestDaemon::new(Client::new(endpoint), false).unwrap();
    (engine, daemon)
}

/// Tries to open a volume that cannot be read without a helper.
async fn try_to_open(daemon: &RestDaemon) -> String {
    let target = Target::Volume {
        name: "v".to_owned(),
        mountpoint: None,
    };
    let spec = OpenSpec {
        targets: vec![target],
        purpose: Purpose::Browse,
        through_store: false,
    };
    open(daemon, spec).await.unwrap_err().to_string()
}

fn looks_for_the_image(engine: &FakeEngine) -> usize {
    let asked = engine.requests();
    asked.iter().filter(|line| line.contains("/images/localhost")).count()
}

#[tokio::test]
async fn a_passing_fault_is_tried_again_and_not_remembered() {
    let (engine, daemon) = engine(500, "container state improper");
    let said = try_to_open(&daemon).await;
    assert!(said.contains("container state improper"), "{said}");
    assert_eq!(daemon.crew.refused(), None, "the next call tries again");
    let asked = looks_for_the_image(&engine);
    assert!(asked >= 3, "asked {asked} times");
}

#[tokio::test]
async fn a_fault_that_passed_does_not_turn_up_again() {
    let failed = Arc::new(AtomicBool::new(false));
    let (engine, daemon) = engine_that(move || match failed.swap(true, Ordering::SeqCst) {
        false => Reply::Json(503, json!({"message": "starting"})),
        true => Reply::Json(403, json!({"message": "the second answer"})),
    });
    let said = try_to_open(&daemon).await;
    assert!(
        said.contains("the second answer") && !said.contains("starting"),
        "{said}"
    );
    assert_eq!(looks_for_the_image(&engine), 2);
}

#[tokio::test]
async fn a_lasting_fault_is_found_once_and_remembered() {
    for (status, message) in [(403, "no"), (500, "write /x: no space left on device")] {
        let (engine, daemon) = engine(status, message);
        let first = try_to_open(&daemon).await;
        assert!(daemon.crew.refused().is_some_and(|why| why.contains(message)));
        assert_eq!(try_to_open(&daemon).await, first);
        assert_eq!(
            looks_for_the_image(&engine),
            1,
            "{message}: the second call asks nobody"
        );
    }
}

#[tokio::test]
async fn who_writes_or_tries_as_others_is_never_served_without_a_helper() {
    let dir = tempfile::tempdir().unwrap();
    let (_engine, daemon) = engine(403, "no");
    for (purpose, words) in [
        (Purpose::Own, "changing owners needs a helper"),
        (
            Purpose::Probe { host_users: false },
            "trying an access as somebody else needs",
        ),
    ] {
        let spec = OpenSpec {
            targets: vec![Target::Path(dir.path().display().to_string())],
            purpose,
            through_store: true,
        };
        let refused = open(&daemon, spec).await.unwrap_err();
        assert!(
            matches!(&refused, EngineError::NoHelper { reason } if reason.starts_with(words)),
            "{refused}"
        );
    }
}
