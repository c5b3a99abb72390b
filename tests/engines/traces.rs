//! vole leaves nothing behind: no container, no volume, no image but its agent's; also when it is killed, and beside
//! another vole.

use std::collections::BTreeSet;
use std::process::Child;
use std::time::Duration;

use vole_test_support::{Engine, Family, Home, PATIENCE, Pty, until};

use crate::sizes::gnu_du;
use crate::world::{self, World, on_engines};

on_engines! {
    commands_leave_nothing_behind
    a_volume_that_is_not_there_is_not_made
    the_anonymous_orphan_survives_being_looked_at
    killed_commands_leave_no_container
    a_killed_tui_leaves_no_container
    an_idle_tui_holds_no_volume
    two_at_once_do_not_disturb_each_other
}

/// What stands on an engine.
#[derive(Debug, PartialEq, Eq)]
struct Standing {
    containers: Vec<String>,
    volumes: Vec<String>,
    images: BTreeSet<String>,
}

fn standing(engine: &Engine) -> Standing {
    Standing {
        containers: engine.container_ids(),
        volumes: engine.volume_names(),
        images: engine
            .image_names()
            .into_iter()
            .filter(|name| !name.starts_with("localhost/vole-agent:"))
            .collect(),
    }
}

/// Waits until the engine has no helper, then compares.
fn unchanged_within(engine: &Engine, before: &Standing, limit: Duration) {
    until("no helper container is left", limit, || {
        engine.helper_ids().is_empty().then_some(())
    });
    assert_eq!(&standing(engine), before);
}

fn commands_leave_nothing_behind(world: &mut World) {
    let before = standing(&world.engine);
    let vole = world.vole();
    for args in [
        ["ls", "--sizes"].as_slice(),
        &["du"],
        &["df"],
        &["tree", "shop_uploads", "--depth", "1"],
        &["cat", "shop_dbdata:/base/7"],
        &["grep", "row7", "shop_dbdata"],
        &["du", "opt_broken_bind"],
    ] {
        let ran = vole.run(args);
        assert!(
            matches!(ran.code(), 0 | 1 | 3),
            "{args:?}: {}: {}",
            ran.status,
            ran.stderr
        );
        // The command has ended, so its helper has too: no grace here.
        assert_eq!(standing(&world.engine), before, "after {args:?}");
    }
    let agents: Vec<String> = world
        .engine
        .image_names()
        .into_iter()
        .filter(|name| name.starts_with("localhost/vole-agent:"))
        .collect();
    assert_eq!(agents.len(), 1, "one image of the agent, loaded once: {agents:?}");
}

fn a_volume_that_is_not_there_is_not_made(world: &mut World) {
    let before = standing(&world.engine);
    for args in [
        ["du", "nosuch"].as_slice(),
        &["tree", "nosuch"],
        &["cat", "nosuch:/f"],
        &["du", "/no/such/path"],
    ] {
        let ran = world.vole().run(args).expect(1);
        assert!(ran.stderr.contains("no"), "{}", ran.stderr);
    }
    assert_eq!(standing(&world.engine), before);
}

/// podman removes an anonymous volume together with the last container that mounts it by name.
fn the_anonymous_orphan_survives_being_looked_at(world: &mut World) {
    let name = world.fleet.anonymous_orphan.clone();
    let path = world.engine.mount_point(&name);
    let bytes = gnu_du(&path, false);
    for args in [["du", name.as_str()], ["tree", name.as_str()]] {
        let _ran = world.vole().run(&args).expect(0);
    }
    let ran = world.vole().run(&["cat", &format!("{name}:/f")]).expect(0);
    assert_eq!(ran.stdout, b"lost\n");
    assert!(world.engine.volume_names().contains(&name), "{name} is gone");
    assert_eq!(gnu_du(&path, false), bytes);
}

/// When killed, a vole leaves its helper to the agent (which sees its input end) and to its guard: on Docker within
/// five seconds; on podman at the latest when vole starts again.
fn no_container_in_time(world: &World, before: &Standing) {
    let limit = Duration::from_secs(5);
    match world.engine.family() {
        Family::Docker => unchanged_within(&world.engine, before, limit),
        Family::Podman => {
            until("no helper runs any more", limit, || {
                let running = world.engine.run(["ps", "-q", "--filter", "label=vole.helper"]);
                running.is_empty().then_some(())
            });
            let _swept = world.vole().run(&["ls"]).expect(0);
            assert_eq!(standing(&world.engine), *before);
        }
    }
}

fn killed_commands_leave_no_container(world: &mut World) {
    let before = standing(&world.engine);
    let home = Home::new();
    for step in 0..10_u64 {
        let mut child: Child = world
            .vole()
            .command(&home, &["du", "--depth", "1"])
            .spawn()
            .expect("vole starts");
        // The first 1.5 seconds hold every phase: connecting, loading the image, creating, starting, scanning, removing.
        std::thread::sleep(Duration::from_millis(20 + step * 150));
        child.kill().expect("it can be killed");
        child.wait().expect("it can be waited for");
        if step % 3 == 2 {
            no_container_in_time(world, &before);
        }
    }
    no_container_in_time(world, &before);
}

fn a_killed_tui_leaves_no_container(world: &mut World) {
    let before = standing(&world.engine);
    for step in 0..10_u64 {
        let home = Home::new();
        let mut pty = Pty::start(&home, &world.vole().line(&[]), 100, 30);
        std::thread::sleep(Duration::from_millis(10 + step * 200));
        if step % 2 == 1 {
            pty.keys("<enter>");
        }
        pty.signal(rustix::process::Signal::KILL);
        pty.wait_exit(PATIENCE);
        if step % 3 == 2 {
            no_container_in_time(world, &before);
        }
    }
    no_container_in_time(world, &before);
}

fn an_idle_tui_holds_no_volume(world: &mut World) {
    world.engine.run(["volume", "create", "to_be_removed"]);
    let home = Home::new();
    let mut pty = Pty::start(&home, &world.vole().line(&[]), 100, 30);
    pty.wait_for("to_be_removed", PATIENCE);
    // Opened, so that a browsing helper holds it for a while.
    pty.keys("/to_be_removed<enter>");
    pty.wait_gone("shop_uploads", PATIENCE);
    pty.keys("<enter>");
    until(
        "a volume that nobody uses can be removed while vole is idle",
        Duration::from_secs(15),
        || {
            std::thread::sleep(Duration::from_millis(200));
            world
                .engine
                .try_run(&["volume", "rm", "to_be_removed"])
                .status
                .success()
                .then_some(())
        },
    );
    assert!(pty.is_alive());
    pty.keys("<ctrl-c>");
    pty.wait_exit(PATIENCE);
}

fn two_at_once_do_not_disturb_each_other(world: &mut World) {
    let before = standing(&world.engine);
    let home = Home::new();
    let mut pty = Pty::start(&home, &world.vole().line(&[]), 100, 30);
    pty.wait_for("shop_uploads", PATIENCE);
    let frozen = world.fleet.freeze(&world.engine);
    let runs: Vec<_> = (0..3)
        .map(|_| {
            let vole = world.vole();
            std::thread::spawn(move || vole.run(&["du", "--json", "shop_uploads", "special_files", "oldproj_pgdata"]))
        })
        .collect();
    for run in runs {
        let rows = run.join().expect("the thread ends").expect(0).json();
        for row in rows["entries"].as_array().expect("a list") {
            let path = world.engine.mount_point(row["volume"].as_str().expect("a name"));
            assert_eq!(row["bytes"], gnu_du(&path, false), "{row}");
        }
    }
    drop(frozen);
    assert!(pty.is_alive());
    pty.keys("q");
    pty.wait_exit(PATIENCE);
    unchanged_within(&world.engine, &before, Duration::from_secs(5));
}

/// Helpers of a foreign run that still work are nobody's to remove.
#[test]
fn a_starting_vole_leaves_a_running_helper_alone() {
    let Some(world) = world::world(Family::Docker) else {
        return;
    };
    let id = world.engine.run([
        "run",
        "-d",
        "--network",
        "none",
        "--label",
        "vole.helper=another-session",
        vole_test_support::IMAGE,
        "sleep",
        "1000000",
    ]);
    let _ran = world.vole().run(&["du", "empty_vol"]).expect(0);
    let _ran = world.vole().run(&["ls"]).expect(0);
    assert!(world.engine.container_ids().contains(&id));
    world.engine.run(["rm", "-f", &id]);
}
