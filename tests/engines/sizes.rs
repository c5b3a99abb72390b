//! Sizes agree with GNU `du` to the byte, on every volume that can be walked.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use vole_test_support::{Fleet, Home, IMAGE};

use crate::list::text;
use crate::world::{World, on_engines};

on_engines! {
    sizes_are_those_of_gnu_du
    directories_are_those_of_gnu_du
    a_volume_that_cannot_be_mounted_says_why_and_the_others_are_measured
    an_empty_volume_stays_empty_and_keeps_its_owner
    sizes_of_ls_are_those_of_du
    data_that_was_moved_to_another_disk_is_measured_where_it_is
    measuring_uses_no_volume
}

/// What GNU `du` counts.
pub(crate) fn gnu_du(path: &Path, apparent: bool) -> u64 {
    let mut du = Command::new("du");
    du.args(["-s", "-x", "--block-size=1"]).arg(path);
    if apparent {
        du.arg("--apparent-size");
    }
    let output = du.output().expect("GNU du runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let line = String::from_utf8_lossy(&output.stdout).into_owned();
    line.split_whitespace()
        .next()
        .and_then(|word| word.parse().ok())
        .expect("du prints a number")
}

/// What `find` counts.
fn count(path: &Path, test: &[&str]) -> u64 {
    let output = Command::new("find")
        .arg(path)
        .arg("-xdev")
        .args(test)
        .args(["-printf", "x"])
        .output()
        .expect("find runs");
    output.stdout.len() as u64
}

fn entries(document: &Value) -> Vec<Value> {
    document["entries"].as_array().expect("entries are a list").clone()
}

fn sizes_are_those_of_gnu_du(world: &mut World) {
    let frozen = world.fleet.freeze(&world.engine);
    let bind = world.fleet.bind.display().to_string();
    let mut args = vec!["du", "--json"];
    args.extend(Fleet::LOCAL);
    args.extend([world.fleet.anonymous_orphan.as_str(), bind.as_str()]);
    let document = world.vole().run(&args).expect(0).json();
    let rows = entries(&document);
    assert_eq!(rows.len(), args.len() - 2, "{document:#}");
    for row in &rows {
        let name = text(&row["volume"]);
        let path = if name == bind {
            world.fleet.bind.clone()
        } else {
            world.engine.mount_point(&name)
        };
        assert_eq!(row["bytes"], gnu_du(&path, false), "allocated bytes of {name}");
        assert_eq!(row["apparent_bytes"], gnu_du(&path, true), "apparent bytes of {name}");
        assert_eq!(row["files"], count(&path, &["!", "-type", "d"]), "files of {name}");
        assert_eq!(row["dirs"], count(&path, &["-type", "d"]), "directories of {name}");
        assert_eq!(row["errors"], 0, "{name}");
        assert_eq!(row["source"], "agent", "{name}");
        assert_eq!(row["path"], "", "{name}");
    }
    drop(frozen);
}

fn directories_are_those_of_gnu_du(world: &mut World) {
    let root = world.engine.mount_point("deep_tree");
    let document = world
        .vole()
        .run(&["du", "deep_tree", "--depth", "3", "--json"])
        .expect(0)
        .json();
    for path in ["", "d0", "d0/d1", "d0/d1/d2"] {
        let rows = entries(&document);
        let row = rows
            .iter()
            .find(|row| row["path"] == path)
            .unwrap_or_else(|| panic!("{path}: {document:#}"));
        assert_eq!(row["bytes"], gnu_du(&root.join(path), false), "{path}");
    }
    let document = world
        .vole()
        .run(&["du", "shop_uploads:/img", "--json"])
        .expect(0)
        .json();
    let img = world.engine.mount_point("shop_uploads").join("img");
    assert_eq!(document["entries"][0]["bytes"], gnu_du(&img, false), "{document:#}");
}

fn a_volume_that_cannot_be_mounted_says_why_and_the_others_are_measured(world: &mut World) {
    let ran = world
        .vole()
        .run(&["du", "--json", "shop_uploads", "opt_broken_bind", "blog_data"])
        .expect(3);
    let rows = entries(&ran.json());
    for name in ["shop_uploads", "blog_data"] {
        let row = rows
            .iter()
            .find(|row| row["volume"] == name)
            .unwrap_or_else(|| panic!("{name} was not measured"));
        assert_eq!(row["bytes"], gnu_du(&world.engine.mount_point(name), false), "{name}");
    }
    assert!(ran.stderr.contains("opt_broken_bind"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("/no/such/dir") || ran.stderr.contains("no such file"),
        "{}",
        ran.stderr
    );
    let _alone = world.vole().run(&["du", "--json", "opt_broken_bind"]).expect(1);
}

/// The copy-up trap: an engine fills an empty volume from the image at the mount's path, also read-only.
fn an_empty_volume_stays_empty_and_keeps_its_owner(world: &mut World) {
    world.engine.run(["volume", "create", "untouched"]);
    let path = world.engine.mount_point("untouched");
    std::os::unix::fs::chown(&path, Some(4321), Some(1234)).expect("root may chown");
    let before = std::fs::metadata(&path).unwrap();
    let measured = world.vole().run(&["du", "--json", "untouched"]).expect(0).json();
    assert_eq!(
        measured["entries"][0]["source"], "agent",
        "a helper mounted it: {measured:#}"
    );
    let _looked = world.vole().run(&["tree", "untouched"]).expect(0);
    let after = std::fs::metadata(&path).unwrap();
    use std::os::unix::fs::MetadataExt as _;
    assert_eq!((after.uid(), after.gid(), after.mode()), (4321, 1234, before.mode()));
    assert_eq!(after.mtime_nsec(), before.mtime_nsec());
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0);
    // And what the image holds at a path is still copied for others, so the trap was armed.
    world.engine.run([
        "run",
        "--rm",
        "--network",
        "none",
        "-v",
        "untouched:/var/lib/seeded",
        IMAGE,
        "true",
    ]);
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), 1);
    world.engine.run(["volume", "rm", "untouched"]);
}

fn sizes_of_ls_are_those_of_du(world: &mut World) {
    let frozen = world.fleet.freeze(&world.engine);
    let ran = world.vole().run(&["ls", "--sizes", "--json"]);
    assert!(matches!(ran.code(), 0 | 3), "{}: {}", ran.status, ran.stderr);
    let rows = crate::list::mounts(&ran.json());
    for name in Fleet::LOCAL {
        let row = crate::list::row(&rows, name);
        assert_eq!(
            row["size_bytes"],
            gnu_du(&world.engine.mount_point(name), false),
            "{name}"
        );
    }
    for name in Fleet::BROKEN {
        let row = crate::list::row(&rows, name);
        assert!(row["size_bytes"].is_null(), "unknown is no number: {row}");
    }
    drop(frozen);
}

/// Operators move a volume that grew too large and put a link or a mount in its place.
fn data_that_was_moved_to_another_disk_is_measured_where_it_is(world: &mut World) {
    let disk = tempfile::tempdir().expect("a directory");
    let (linked, mounted) = (disk.path().join("linked"), disk.path().join("mounted"));
    for (volume, place) in [("moved_linked", &linked), ("moved_mounted", &mounted)] {
        world.engine.run(["volume", "create", volume]);
        std::fs::create_dir(place).expect("a directory can be made");
        std::fs::write(place.join("payload"), vec![1; 300_000]).expect("a file can be written");
    }
    let point = world.engine.mount_point("moved_linked");
    std::fs::remove_dir(&point).expect("it is empty");
    std::os::unix::fs::symlink(&linked, &point).expect("a link can be made");
    let over = world.engine.mount_point("moved_mounted");
    let covered = Covered::with(&mounted, &over);
    let ran = world
        .vole()
        .run(&["du", "--json", "moved_linked", "moved_mounted", "shop_uploads"]);
    drop(covered);
    let sizes: Vec<(String, Value)> = entries(&ran.json())
        .iter()
        .map(|row| (text(&row["volume"]), row["bytes"].clone()))
        .collect();
    let expected = [
        ("moved_linked", &linked),
        ("moved_mounted", &mounted),
        ("shop_uploads", &world.engine.mount_point("shop_uploads")),
    ];
    let expected = expected.map(|(name, path)| (name.to_owned(), Value::from(gnu_du(path, false))));
    assert_eq!(sizes, expected, "{}", ran.stderr);
    std::fs::remove_file(&point).expect("the link can be removed");
    std::fs::create_dir(&point).expect("a directory can be made");
    world.engine.run(["volume", "rm", "moved_linked", "moved_mounted"]);
}

/// A directory that is mounted over another until this is dropped.
struct Covered<'a>(&'a Path);

impl<'a> Covered<'a> {
    fn with(directory: &Path, point: &'a Path) -> Self {
        let status = Command::new("mount").arg("--bind").args([directory, point]).status();
        assert!(status.expect("mount runs").success());
        Self(point)
    }
}

impl Drop for Covered<'_> {
    fn drop(&mut self) {
        let status = Command::new("umount").arg("--lazy").arg(self.0).status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "{:?} stays mounted",
            self.0
        );
    }
}

/// While everything is measured, nothing of it counts as used: others can remove what is not needed.
fn measuring_uses_no_volume(world: &mut World) {
    let before = world.engine.dangling();
    let home = Home::new();
    let mut measuring = world
        .vole()
        .command(&home, &["du", "--json", "oldproj_pgdata", "deep_tree"])
        .stdout(Stdio::null())
        .spawn()
        .expect("vole starts");
    while measuring.try_wait().expect("vole can be waited for").is_none() {
        assert_eq!(world.engine.dangling(), before);
    }
}
