//! The harness itself: engines start with their fleet, and leave nothing behind.

use vole_test_support::{Engine, FakeEngine, FakeFleet, Family, Fleet, Proxy, Unavailable};

use crate::world::{self, World, on_engines};

on_engines! { the_fleet_stands }

fn the_fleet_stands(world: &mut World) {
    let names = world.engine.volume_names();
    for name in Fleet::LOCAL.iter().chain(Fleet::BROKEN) {
        assert!(names.iter().any(|have| have == name), "{name} is missing in {names:?}");
    }
    let dangling = world.engine.dangling();
    assert!(dangling.contains(&world.fleet.anonymous_orphan), "{dangling:?}");
    assert!(!dangling.iter().any(|name| name == "exited_vol"), "{dangling:?}");
}

#[test]
fn a_dropped_engine_leaves_no_directory_mount_or_process() {
    for family in [Family::Docker, Family::Podman] {
        let engine = match Engine::start(family) {
            Ok(engine) => engine,
            Err(why) => {
                world::skip::<()>(family, &why);
                continue;
            }
        };
        engine.run(["volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "memory"]);
        engine.run([
            "run",
            "-d",
            "--network",
            "none",
            "-v",
            "memory:/d",
            vole_test_support::IMAGE,
            "sleep",
            "1000000",
        ]);
        let (dir, pid) = (engine.dir().to_owned(), engine.pid());
        drop(engine);
        assert!(!dir.exists(), "{} is left", dir.display());
        assert!(
            !std::path::Path::new(&format!("/proc/{pid}")).exists(),
            "pid {pid} is left"
        );
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(dir.to_str().unwrap()), "mounts are left:\n{mounts}");
    }
}

#[test]
fn a_crashed_engine_comes_back_with_its_volumes() {
    let Some(mut engine) = world::own(Family::Docker) else {
        return;
    };
    engine.run(["volume", "create", "kept"]);
    engine.crash();
    assert!(!engine.try_run(&["volume", "ls"]).status.success());
    engine.restart();
    assert_eq!(engine.volume_names(), ["kept"]);
}

#[test]
fn a_proxy_passes_streams_and_denies_what_it_shall() {
    let Some(world) = world::world(Family::Docker) else {
        return;
    };
    let proxy = Proxy::start(&world.engine.socket(), |request| request.path == "/volumes/create");
    let docker = |args: &[&str]| {
        std::process::Command::new("docker")
            .arg("-H")
            .arg(proxy.host())
            .args(args)
            .output()
            .unwrap()
    };
    let echo = docker(&[
        "run",
        "--rm",
        "-i",
        "--network",
        "none",
        vole_test_support::IMAGE,
        "echo",
        "through",
    ]);
    assert_eq!(echo.stdout, b"through\n", "{}", String::from_utf8_lossy(&echo.stderr));
    let denied = docker(&["volume", "create", "denied"]);
    assert!(String::from_utf8_lossy(&denied.stderr).contains("Forbidden by the proxy"));
    assert!(proxy.requests().iter().any(|line| line.contains("/attach")));
}

#[test]
fn a_fake_engine_is_listed_by_the_engines_own_client() {
    let fleet = FakeFleet::new(12, 3);
    let fake = FakeEngine::start(move |request| fleet.reply(request));
    let docker = |args: &[&str]| {
        std::process::Command::new("docker")
            .arg("-H")
            .arg(fake.host())
            .args(args)
            .output()
    };
    let Ok(volumes) = docker(&["volume", "ls", "-q"]) else {
        let why = Unavailable("the client is not installed".to_owned());
        return world::skip(Family::Docker, &why).unwrap_or_default();
    };
    assert_eq!(String::from_utf8_lossy(&volumes.stdout).lines().count(), 12);
    let containers = docker(&["ps", "-q"]).unwrap();
    assert_eq!(String::from_utf8_lossy(&containers.stdout).lines().count(), 3);
}
