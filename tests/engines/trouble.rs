//! Engines that are not there, refuse, stall, lie or die: each gets a clear word, and what still can be done is done.

use std::time::{Duration, Instant};

use serde_json::json;
use vole_test_support::{FakeEngine, FakeFleet, Family, Fleet, Home, PATIENCE, Proxy, Pty, Reply, Request};

use crate::list::{mounts, row};
use crate::sizes::gnu_du;
use crate::world::{self, World, on_engines, vole};

on_engines! {
    behind_a_proxy_that_denies_containers_list_and_sizes_still_work
    without_helpers_on_demand_nothing_is_created
}

#[test]
fn an_engine_that_is_not_there_is_exit_5_and_says_where_it_was_sought() {
    for args in [["ls"].as_slice(), &["du"], &["df"], &["cat", "v:/f"], &["ls", "--json"]] {
        let ran = vole().on("unix:///tmp/vole-t-no-such.sock").run(args).expect(5);
        assert!(
            ran.stderr.contains("/tmp/vole-t-no-such.sock"),
            "{args:?}: {}",
            ran.stderr
        );
        match args.contains(&"--json") {
            true => assert_eq!(ran.json()["exit"], 5),
            false => assert!(ran.stdout.is_empty()),
        }
    }
}

#[test]
fn wrong_usage_is_exit_2() {
    for args in [
        ["no-such-command"].as_slice(),
        &["--no-such-option"],
        &["cat"],
        &["grep"],
        &["ls", "--kind", "nonsense"],
        &["du", "--depth", "minus"],
        &["--demo", "grep", "(", "shop_uploads"],
    ] {
        let ran = vole().run(args).expect(2);
        assert!(!ran.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn an_engine_that_answers_500_garbage_or_nothing_ends_in_a_clear_word() {
    let broken = |message: &'static str| move |_: &Request| Reply::Json(500, json!({ "message": message }));
    let engine = FakeEngine::start(broken("the fake is broken"));
    let ran = vole().on(engine.host()).run(&["ls"]);
    assert!(matches!(ran.code(), 1 | 5), "{}", ran.status);
    assert!(ran.stderr.contains("the fake is broken"), "{}", ran.stderr);

    for garbage in [
        b"\x00\xff garbage \x1b[31m\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":[".to_vec(),
        Vec::new(),
    ] {
        let engine = FakeEngine::start(move |_| Reply::Raw(garbage.clone()));
        let ran = vole().on(engine.host()).run(&["ls", "--json"]);
        assert!(matches!(ran.code(), 1 | 5), "{}", ran.status);
        assert!(
            !ran.stderr.contains('\x1b'),
            "garbage is no control sequence: {:?}",
            ran.stderr
        );
    }
}

#[test]
fn lists_that_lie_are_errors_and_never_an_empty_fleet() {
    let fleet = FakeFleet::new(3, 2);
    let engine = FakeEngine::start(move |request| match request.path.as_str() {
        "/containers/json" => Reply::Json(200, json!([{"Id": 7, "Mounts": "none"}, 12])),
        _ => fleet.reply(request),
    });
    let ran = vole().on(engine.host()).run(&["ls", "--json"]);
    if ran.code() == 0 || ran.code() == 3 {
        for mount in mounts(&ran.json()) {
            assert_ne!(mount["orphan"], true, "missing data became unused: {mount}");
        }
    } else {
        assert_eq!(ran.code(), 1, "{}", ran.stderr);
    }
}

#[test]
fn a_slow_engine_does_not_keep_the_screen_or_a_key_waiting() {
    let fleet = FakeFleet::new(20, 5);
    let slow = FakeEngine::start(move |request| Reply::Late(Duration::from_secs(2), Box::new(fleet.reply(request))));
    let home = Home::new();
    let mut pty = Pty::start(&home, &vole().on(slow.host()).line(&[]), 80, 24);
    pty.wait_until("a first screen", Duration::from_secs(1), |screen| {
        !screen.contents().trim().is_empty()
    });
    pty.keys("?");
    pty.wait_for("keys that work here now", Duration::from_secs(1));
    pty.keys("<esc>");
    pty.wait_for("volume00005", PATIENCE);
    let stuck = FakeEngine::start(|_| Reply::Silence);
    let mut stuck_pty = Pty::start(&home, &vole().on(stuck.host()).line(&[]), 80, 24);
    stuck_pty.wait_until("a first screen", Duration::from_secs(1), |screen| {
        !screen.contents().trim().is_empty()
    });
    let asked = Instant::now();
    for pty in [&mut pty, &mut stuck_pty] {
        pty.keys("q");
        pty.wait_exit(Duration::from_secs(5));
        assert!(pty.is_restored());
    }
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "quitting waited for the engine"
    );
}

/// What a socket proxy of the usual kind denies: everything that creates.
fn creates(request: &Request) -> bool {
    request.method == "POST" && (request.path == "/containers/create" || request.path == "/images/load")
}

fn behind_a_proxy_that_denies_containers_list_and_sizes_still_work(world: &mut World) {
    let frozen = world.fleet.freeze(&world.engine);
    let proxy = Proxy::start(&world.engine.socket(), creates);
    let vole = vole().on(proxy.host());
    let rows = mounts(&vole.run(&["ls", "--json"]).expect(0).json());
    assert_eq!(row(&rows, "oldproj_pgdata")["orphan"], true);
    // This machine's own paths can be walked in process: same numbers, marked as such.
    let document = vole
        .run(&["du", "--json", "shop_uploads", "special_files"])
        .expect(0)
        .json();
    for entry in document["entries"].as_array().expect("a list") {
        let path = world.engine.mount_point(entry["volume"].as_str().expect("a name"));
        assert_eq!(
            (&entry["bytes"], &entry["source"]),
            (&gnu_du(&path, false).into(), &"local".into()),
            "{entry}"
        );
    }
    drop(frozen);
}

fn without_helpers_on_demand_nothing_is_created(world: &mut World) {
    let proxy = Proxy::start(&world.engine.socket(), |_| false);
    let vole = vole().on(proxy.host());
    let _ran = vole.run(&["--no-helper", "ls"]).expect(0);
    let _ran = vole.run(&["--no-helper", "du", "shop_uploads"]).expect(0);
    let created: Vec<String> = proxy
        .requests()
        .into_iter()
        .filter(|line| line.starts_with("POST"))
        .collect();
    assert!(created.is_empty(), "{created:?}");
}

#[test]
fn an_engine_that_dies_mid_session_is_told_and_found_again() {
    let Some(mut engine) = world::own(Family::Docker) else {
        return;
    };
    engine.run(["volume", "create", "before_the_crash"]);
    let home = Home::new();
    let mut pty = Pty::start(&home, &vole().on(engine.host()).line(&[]), 100, 30);
    pty.wait_for("before_the_crash", PATIENCE);
    engine.crash();
    pty.wait_for("reconnect", PATIENCE);
    pty.wait_for("before_the_crash", Duration::from_secs(1));
    engine.restart();
    engine.run(["volume", "create", "after_the_crash"]);
    pty.wait_for("after_the_crash", PATIENCE);
    pty.wait_gone("reconnect", PATIENCE);
    pty.keys("q");
    pty.wait_exit(PATIENCE);
    assert!(pty.is_restored());
}

/// A small file system under the engine's data, filled to the last block.
#[test]
fn on_a_full_data_root_the_list_and_sizes_still_work() {
    let Some(engine) = world::own_on_small_disk("120M") else {
        return;
    };
    for name in ["used", "unused"] {
        engine.run(["volume", "create", name]);
        std::fs::write(engine.mount_point(name).join("f"), vec![b'x'; 100_000]).unwrap();
    }
    engine.run([
        "create",
        "--name",
        "user",
        "--network",
        "none",
        "-v",
        "used:/d",
        vole_test_support::IMAGE,
        "true",
    ]);
    world::fill_disk(&engine);
    let vole = vole().on(engine.host());
    let rows = mounts(&vole.run(&["ls", "--json"]).expect(0).json());
    assert_eq!(row(&rows, "unused")["orphan"], true);
    assert_eq!(row(&rows, "used")["orphan"], false);
    let document = vole.run(&["du", "--json"]).expect(0).json();
    let entries = document["entries"].as_array().expect("a list");
    assert_eq!(entries.len(), 2, "{document:#}");
    for entry in entries {
        let path = engine.mount_point(entry["volume"].as_str().expect("a name"));
        assert_eq!(entry["bytes"], gnu_du(&path, false), "{entry}");
        assert_ne!(entry["source"], "agent", "{entry}");
    }
    let _df = vole.run(&["df"]).expect(0);
    let home = Home::new();
    let mut pty = Pty::start(&home, &vole.line(&[]), 100, 30);
    pty.wait_for("unused", PATIENCE);
    pty.keys("q");
    pty.wait_exit(PATIENCE);
    assert!(engine.helper_ids().is_empty());
}

#[test]
fn a_fleet_where_every_volume_is_unmountable_is_still_listed() {
    let Some(world) = world::world(Family::Docker) else {
        return;
    };
    let rows = mounts(&world.vole().run(&["ls", "--json"]).expect(0).json());
    for name in Fleet::BROKEN {
        assert_eq!(row(&rows, name)["kind"], "named");
    }
}
