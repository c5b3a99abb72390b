//! A volume that is alive by its path is no orphan, however the path is written.

use std::os::unix::fs::symlink;
use std::process::Command;

use vole_test_support::IMAGE;

use crate::list::{mounts, row};
use crate::world::{World, on_engines};

on_engines! { a_container_that_binds_a_volumes_data_keeps_it }

fn a_container_that_binds_a_volumes_data_keeps_it(world: &mut World) {
    let engine = &world.engine;
    for name in ["direct", "linked", "aliased", "inside", "lonely"] {
        engine.run(["volume", "create", name]);
    }
    let data = |name: &str| engine.mount_point(name);
    let link = engine.dir().join("link");
    symlink(data("linked"), &link).unwrap();
    let alias = engine.dir().join("alias");
    std::fs::create_dir(&alias).unwrap();
    let mounted = Command::new("mount")
        .arg("--bind")
        .arg(data("aliased"))
        .arg(&alias)
        .status()
        .unwrap();
    assert!(mounted.success());
    std::fs::create_dir(data("inside").join("sub")).unwrap();
    for (index, path) in [data("direct"), link.clone(), alias.clone(), data("inside").join("sub")]
        .iter()
        .enumerate()
    {
        let (name, bind) = (format!("binds{index}"), format!("{}:/d", path.display()));
        engine.run([
            "run",
            "-d",
            "--network",
            "none",
            "--name",
            &name,
            "-v",
            &bind,
            IMAGE,
            "sleep",
            "1000000",
        ]);
    }
    let dangling = engine.dangling();
    let rows = mounts(&world.vole().run(&["ls", "--json"]).expect(0).json());
    let mut wrong = Vec::new();
    for (name, orphan) in [
        ("direct", false),
        ("linked", false),
        ("aliased", false),
        ("inside", false),
        ("lonely", true),
    ] {
        assert!(
            dangling.iter().any(|have| have == name),
            "by name alone {name} is unused"
        );
        if row(&rows, name)["orphan"] != orphan {
            wrong.push(row(&rows, name)["reason"].clone());
        }
    }
    for index in 0..4 {
        engine.run(["rm", "-f", &format!("binds{index}")]);
    }
    assert!(Command::new("umount").arg("-l").arg(&alias).status().unwrap().success());
    std::fs::remove_file(&link).unwrap();
    for name in ["direct", "linked", "aliased", "inside", "lonely"] {
        engine.run(["volume", "rm", name]);
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
