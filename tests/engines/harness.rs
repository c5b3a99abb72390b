//! The harness itself: engines start with their fleet, and leave nothing behind.

use vole_test_support::{Engine, Family, Fleet};

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
