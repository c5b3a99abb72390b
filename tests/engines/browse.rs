//! Every volume can be browsed, the hostile ones included, and no byte of a hostile name reaches a terminal as control.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::Command;

use vole_test_support::{Fleet, HOSTILE_CONTENT, HOSTILE_MARKS, Home, PATIENCE, Pty};

use crate::world::{World, on_engines};

on_engines! {
    errors_name_the_mount_and_the_path
    every_volume_can_be_listed
    contents_come_byte_for_byte
    a_directory_comes_whole
    lines_are_found
    no_hostile_byte_reaches_a_terminal
    what_is_no_file_is_never_opened
    a_volume_option_mount_and_a_bind_can_be_browsed
    memory_of_a_running_container_can_be_browsed
}

/// Whether nothing in what a terminal got came from a hostile name or content.
pub(crate) fn assert_clean(raw: &[u8], what: &str) {
    for mark in HOSTILE_MARKS {
        let found = raw.windows(mark.len()).any(|window| window == *mark);
        assert!(
            !found,
            "{what}: {:?} went to the terminal",
            String::from_utf8_lossy(mark)
        );
    }
    assert!(
        std::str::from_utf8(raw).is_ok(),
        "{what}: what is no UTF-8 went to the terminal"
    );
}

fn every_volume_can_be_listed(world: &mut World) {
    for volume in Fleet::LOCAL {
        let names: BTreeSet<Vec<u8>> = std::fs::read_dir(world.engine.mount_point(volume))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().as_bytes().to_owned())
            .collect();
        let ran = world.vole().run(&["tree", volume, "--depth", "1", "--json"]).expect(0);
        let document = ran.json();
        let entries = document["entries"]
            .as_array()
            .unwrap_or_else(|| panic!("no entries: {document:#}"));
        assert_eq!(entries.len(), names.len(), "{volume}: {document:#}");
        for entry in entries {
            let name = entry["path"].as_str().unwrap_or_else(|| panic!("no path: {entry}"));
            if entry.get("bytes_b64").is_none_or(serde_json::Value::is_null) {
                assert!(names.contains(name.as_bytes()), "{volume} has no {name:?}");
            }
        }
        let _text = world.vole().run(&["tree", volume, "--depth", "1"]).expect(0);
    }
}

fn contents_come_byte_for_byte(world: &mut World) {
    let ran = world.vole().run(&["cat", "weird_names:/escape-content.txt"]).expect(0);
    assert_eq!(ran.stdout, HOSTILE_CONTENT, "into a pipe bytes go as they are");
    let wal = std::fs::read(world.engine.mount_point("shop_dbdata").join("wal")).unwrap();
    let ran = world.vole().run(&["cat", "shop_dbdata:/wal"]).expect(0);
    assert!(ran.stdout == wal, "{} bytes instead of {}", ran.stdout.len(), wal.len());
    let deep: String = (0..60).map(|index| format!("/d{index}")).collect();
    assert_eq!(
        world
            .vole()
            .run(&["cat", &format!("deep_tree:{deep}/f")])
            .expect(0)
            .stdout,
        b"bottom\n"
    );
    assert!(
        world
            .vole()
            .run(&["cat", "special_files:/zero"])
            .expect(0)
            .stdout
            .is_empty()
    );
    assert_eq!(
        world.vole().run(&["cat", "special_files:/noperm"]).expect(0).stdout,
        b"n\n",
        "mode 000 is no wall"
    );
    for path in [
        "special_files:/no-such",
        "special_files:/nodir",
        "special_files:/../../etc/passwd",
    ] {
        let _refused = world.vole().run(&["cat", path]).expect(1);
    }
}

fn a_directory_comes_whole(world: &mut World) {
    let home = Home::new();
    for (volume, within) in [("weird_names", ""), ("shop_dbdata", "/base"), ("deep_tree", "")] {
        let dest = home.path().join(volume);
        let ran = world
            .vole()
            .run(&["get", &format!("{volume}:{within}/"), dest.to_str().unwrap()])
            .expect(0);
        let source = world.engine.mount_point(volume).join(within.trim_start_matches('/'));
        same_tree(&source, &dest, &ran.stderr);
        // What is there is never overwritten. Into a directory that is there goes a directory of the volume's name.
        if within.is_empty() {
            let parent = home.path().to_str().unwrap();
            let again = world.vole().run(&["get", &format!("{volume}:{within}/"), parent]);
            assert_ne!(again.code(), 0, "a second download went over the first");
            same_tree(&source, &dest, &again.stderr);
        }
    }
    let file = home.path().join("one");
    let _ran = world
        .vole()
        .run(&["get", "shop_dbdata:/base/7", file.to_str().unwrap()])
        .expect(0);
    assert_eq!(std::fs::read(&file).unwrap(), b"row7\n");
    // What is there is never overwritten.
    let again = world
        .vole()
        .run(&["get", "shop_dbdata:/base/8", file.to_str().unwrap()]);
    assert_ne!(again.code(), 0, "a second download went over the first");
    assert_eq!(std::fs::read(&file).unwrap(), b"row7\n");
}

fn same_tree(source: &Path, dest: &Path, stderr: &str) {
    let diff = Command::new("diff").arg("-r").arg(source).arg(dest).output().unwrap();
    assert!(
        diff.status.success(),
        "{}\n{stderr}",
        String::from_utf8_lossy(&diff.stdout)
    );
}

fn lines_are_found(world: &mut World) {
    let ran = world.vole().run(&["grep", "^row7.$", "shop_dbdata"]).expect(0).text();
    let lines: Vec<&str> = ran.lines().collect();
    assert_eq!(lines.len(), 10, "{ran}");
    assert!(lines.iter().all(|line| line.contains("base/7")), "{ran}");
    let json = world.vole().run(&["grep", "--json", "bottom", "deep_tree"]).expect(0);
    assert!(json.text().contains("d59"), "{}", json.text());
}

fn no_hostile_byte_reaches_a_terminal(world: &mut World) {
    let home = Home::new();
    for args in [
        ["ls"].as_slice(),
        &["tree", "weird_names"],
        &["cat", "weird_names:/escape-content.txt"],
        &["grep", "text", "weird_names"],
        &["du", "weird_names", "--depth", "2"],
        &["grep", "a", "weird_names"],
    ] {
        let mut pty = Pty::start(&home, &world.vole().line(args), 120, 40);
        pty.wait_exit(PATIENCE);
        assert_clean(&pty.raw(), &args.join(" "));
    }
    let mut pty = Pty::start(&home, &world.vole().line(&[]), 120, 40);
    pty.wait_for("weird_names", PATIENCE);
    pty.keys("/weird_names<enter>");
    pty.wait_gone("shop_uploads", PATIENCE);
    pty.keys("<enter>");
    pty.wait_for("escape-content.txt", PATIENCE);
    for _ in 0..16 {
        pty.keys("j");
    }
    pty.keys("g");
    for _ in 0..16 {
        pty.keys("<enter>j");
    }
    pty.settle(std::time::Duration::from_millis(500), PATIENCE);
    assert_clean(&pty.raw(), "the TUI");
    pty.keys("<ctrl-c>");
    pty.wait_exit(PATIENCE);
    assert!(pty.is_restored());
}

fn what_is_no_file_is_never_opened(world: &mut World) {
    // A FIFO without a writer would hang whoever opens it.
    for path in [
        "special_files:/fifo",
        "special_files:/null",
        "special_files:/dangling",
        "special_files:/loop1",
        "special_files:/abs",
    ] {
        let ran = world.vole().run(&["cat", path]).expect(1);
        assert!(!ran.text().contains("root:"), "{path} was followed out of the volume");
        assert!(!ran.stderr.is_empty());
    }
    let ran = world.vole().run(&["grep", "root", "special_files"]);
    assert!(!ran.text().contains("root:"), "grep followed a link out of the volume");
}

fn a_volume_option_mount_and_a_bind_can_be_browsed(world: &mut World) {
    assert_eq!(
        world.vole().run(&["cat", "opt_bind:/h.txt"]).expect(0).stdout,
        b"hello\n"
    );
    let bind = world.fleet.data.join("h.txt");
    let path = format!("{}:/h.txt", world.fleet.data.display());
    assert_eq!(
        world.vole().run(&["cat", &path]).expect(0).stdout,
        std::fs::read(&bind).unwrap()
    );
}

fn memory_of_a_running_container_can_be_browsed(world: &mut World) {
    let ran = world.vole().run(&["cat", "shop-web-1:/scratch/m"]);
    if world.engine.family() == vole_test_support::Family::Docker {
        assert_eq!(ran.expect(0).stdout, b"in-memory\n");
    } else if ran.code() != 0 {
        assert!(!ran.stderr.is_empty(), "podman may refuse, but says why");
    }
}

fn errors_name_the_mount_and_the_path(world: &mut World) {
    let to = tempfile::tempdir().expect("a directory");
    let to = to.path().join("to");
    let to = to.to_str().expect("it is UTF-8");
    let place = "shop_uploads:/img/none";
    for args in [
        &["cat", place][..],
        &["tree", place],
        &["grep", "x", place],
        &["get", place, to],
        &["du", place],
    ] {
        let ran = world.vole().run(args).expect(1);
        assert!(
            ran.stderr.contains("shop_uploads")
                && ran.stderr.contains("img/none")
                && ran.stderr.contains("No such file"),
            "{args:?}: {}",
            ran.stderr
        );
        assert_eq!(String::from_utf8_lossy(&ran.stdout), "", "{args:?}");
    }
}
