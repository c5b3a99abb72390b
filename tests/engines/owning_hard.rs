//! Changing owners while the world does its worst: other names of the same place, volumes made anew, killed programs,
//! containers that write meanwhile, no room for the journal.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use vole_test_support::{Engine, Family, Home, PATIENCE, Proxy, dump, until};

use crate::removal::volume;
use crate::world::{on_own_engines, vole};

on_own_engines! { the_worst_changes_nothing_that_was_not_asked_for }

/// One engine for all of it: to start one takes longer than any of the cases.
fn the_worst_changes_nothing_that_was_not_asked_for(engine: &Engine) {
    another_name_of_a_place_is_refused(engine);
    what_names_no_place_is_a_mistake(engine);
    a_volume_made_anew_is_left_alone(engine);
    a_file_system_of_its_own_is_changed_and_taken_back(engine);
    nothing_is_opened_for_writing_unasked(engine);
    no_room_for_the_journal_is_no_change(engine);
    a_helper_that_outlives_its_vole_is_gone_before_an_undo(engine);
    what_a_container_makes_of_its_tree_stays_in_it(engine);
    engine.wait_without_helpers();
}

/// Something mounted on this host, until dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn at(at: &Path, how: &[&str]) -> Self {
        fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount").args(how).arg(at).status().unwrap();
        assert!(mounted.success(), "{how:?}");
        Self(at.to_owned())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(
            unmounted.is_ok_and(|status| status.success()),
            "{} stays mounted",
            self.0.display()
        );
    }
}

fn another_name_of_a_place_is_refused(engine: &Engine) {
    let on = vole().on(engine.host());
    let data = engine.dir().join("data");
    // Only asked about: a failure must cost nothing.
    for (place, name) in [(Path::new("/etc"), "alias/etc"), (data.as_path(), "alias/engine")] {
        let at = engine.dir().join(name);
        let _mounted = Mounted::at(&at, &["--bind", place.to_str().unwrap()]);
        let asked = ["chown", at.to_str().unwrap(), "1234:1234", "--dry-run", "--json"];
        let ran = on.run(&asked).expect(1);
        assert!(ran.stderr.contains("refuse"), "{name}: {}", ran.stderr);
        assert_eq!(ran.json()["change"], 0, "{name}");
    }
}

fn what_names_no_place_is_a_mistake(engine: &Engine) {
    volume(engine, &[], "mistaken");
    let top = engine.mount_point("mistaken");
    fs::create_dir(top.join("a")).unwrap();
    let before = dump(engine.dir());
    let on = vole().on(engine.host());
    for place in [
        "mistaken:../..",
        "mistaken:a/..",
        "mistaken:/../a",
        "mistaken:a/../../..",
        "mistaken:",
        "",
    ] {
        drop(on.run(&["chown", place, "1234:1234", "--yes"]).expect(2));
    }
    let owners = |lines: &[String]| -> usize { lines.iter().filter(|line| line.contains("owner 1234")).count() };
    assert_eq!((owners(&before), owners(&dump(&top))), (0, 0));
}

fn a_volume_made_anew_is_left_alone(engine: &Engine) {
    let on = vole().on(engine.host());
    let home = Home::new();
    let make = || {
        volume(engine, &[], "anew");
        let top = engine.mount_point("anew");
        fs::write(top.join("f"), "x").unwrap();
        top
    };
    make();
    drop(on.run_in(&home, &["chown", "anew", "1000:1000", "--yes"]).expect(0));
    engine.run(["volume", "rm", "anew"]);
    // Numbers of directories are given again at once, and the owners are those that the change gave.
    let top = make();
    for path in [top.clone(), top.join("f")] {
        chown(path, Some(1000), Some(1000)).unwrap();
    }
    let before = dump(&top);
    let ran = on.run_in(&home, &["undo", "--yes"]).expect(1);
    assert!(ran.stderr.contains("not the one that was changed"), "{}", ran.stderr);
    assert_eq!(dump(&top), before);
}

fn a_file_system_of_its_own_is_changed_and_taken_back(engine: &Engine) {
    if engine.family() == Family::Podman {
        // Its volumes are reached by their directories, where such a one is not mounted while nobody uses it.
        return;
    }
    let image = engine.dir().join("disk.img");
    let script = "truncate -s 8M $1 && mkfs.ext4 -q $1 && losetup -f --show $1";
    let output = Command::new("bash")
        .args(["-euc", script, "disk"])
        .arg(&image)
        .output()
        .unwrap();
    let device = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    assert!(device.starts_with("/dev/loop"), "{device}");
    let option = format!("device={device}");
    volume(engine, &["-o", "type=ext4", "-o", &option], "disk");
    let on = vole().on(engine.host());
    let home = Home::new();
    let done = on.run_in(&home, &["chown", "disk", "1000:1000", "--yes", "--json"]);
    let undone = on.run_in(&home, &["undo", "--yes", "--json"]);
    engine.run(["volume", "rm", "disk"]);
    assert!(
        Command::new("losetup")
            .args(["-d", &device])
            .status()
            .unwrap()
            .success()
    );
    let (done, undone) = (done.expect(0).json(), undone.expect(0).json());
    // The root and lost+found.
    assert_eq!(
        (&done["changed"], &undone["restored"]),
        (&2.into(), &2.into()),
        "{done} {undone}"
    );
}

fn nothing_is_opened_for_writing_unasked(engine: &Engine) {
    volume(engine, &[], "unasked");
    fs::write(engine.mount_point("unasked").join("f"), "x").unwrap();
    let before = dump(&engine.mount_point("unasked"));
    let home = Home::new();
    let denied = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = std::sync::Arc::clone(&denied);
    let proxy = Proxy::start(&engine.socket(), move |request| {
        let body = String::from_utf8_lossy(&request.body);
        let writes = body.contains("\"ReadOnly\":false") || body.contains("\"CHOWN\"");
        if request.path.contains("/containers/create") && writes {
            seen.lock().unwrap().push(body.into_owned());
        }
        false
    });
    let through = vole().on(proxy.host());
    for (args, code) in [
        (["chown", "unasked", "7:7", "--dry-run"].as_slice(), 0),
        (&["chown", "unasked", "7:7", "--read-only", "--dry-run"], 0),
        (&["chown", "unasked", "7:7", "--read-only", "--yes"], 2),
        (&["chown", "unasked", "7:7", "--no-helper", "--yes"], 1),
        (&["chown", "unasked", "7:7", "--no-helper", "--dry-run"], 0),
        (&["chown", "unasked", "7:7"], 2),
        (&["undo", "--list"], 0),
    ] {
        drop(through.run_in(&home, args).expect(code));
    }
    assert_eq!(*denied.lock().unwrap(), Vec::<String>::new());
    assert_eq!(dump(&engine.mount_point("unasked")), before);
    // What is looked for would have been found.
    drop(through.run_in(&home, &["chown", "unasked", "7:7", "--yes"]).expect(0));
    assert_eq!(denied.lock().unwrap().len(), 1);
    drop(through.run_in(&home, &["undo", "--yes", "--read-only"]).expect(2));
    assert_eq!(denied.lock().unwrap().len(), 1);
}

fn no_room_for_the_journal_is_no_change(engine: &Engine) {
    volume(engine, &[], "roomless");
    let top = engine.mount_point("roomless");
    fs::write(top.join("f"), "x").unwrap();
    let before = dump(&top);
    let home = Home::new();
    let small = engine.dir().join("state");
    let _mounted = Mounted::at(&small, &["-t", "tmpfs", "-o", "size=16k", "state"]);
    let on = |args: &[&str], state: &Path| {
        let mut command = vole().on(engine.host()).command(&home, args);
        command.env("XDG_STATE_HOME", state).output().unwrap()
    };
    let file = engine.dir().join("no-directory");
    fs::write(&file, "").unwrap();
    for state in [&small, &file] {
        let ran = on(&["chown", "roomless", "1000:1000", "--yes"], state);
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(1), "{said}");
        assert!(said.contains("journal"), "{said}");
        assert_eq!(dump(&top), before);
    }
    // To the last byte: not even the first bytes of a journal have room.
    let filled = fs::write(small.join("ballast"), vec![0; 1 << 16]);
    assert!(filled.is_err());
    on(&["chown", "roomless", "1000:1000", "--yes"], &small);
    fs::remove_file(small.join("ballast")).unwrap();
    let listed = on(&["undo", "--list"], &small);
    assert_eq!(listed.status.code(), Some(0));
    assert_eq!((listed.stdout, listed.stderr), (Vec::new(), Vec::new()));
    assert_eq!(dump(&top), before);
}

/// Many files in few directories.
fn many(top: &Path) {
    for dir in 0..60 {
        let dir = top.join(format!("d{dir}"));
        fs::create_dir(&dir).unwrap();
        for file in 0..300 {
            fs::File::create(dir.join(format!("f{file}"))).unwrap();
        }
    }
}

fn a_helper_that_outlives_its_vole_is_gone_before_an_undo(engine: &Engine) {
    volume(engine, &[], "outlived");
    let top = engine.mount_point("outlived");
    many(&top);
    let before = dump(&top);
    let changed = || {
        dump(&top)
            .iter()
            .filter(|line| line.contains("owner 1000:1000"))
            .count()
    };
    let on = vole().on(engine.host());
    let home = Home::new();
    let mut child = on
        .command(&home, &["chown", "outlived", "1000:1000", "--yes"])
        .spawn()
        .unwrap();
    until("the chown is under way", PATIENCE, || (changed() > 0).then_some(()));
    // What it was about to do waits for the thaw.
    let helpers = engine.helper_ids();
    for helper in &helpers {
        engine.try_run(&["pause", helper]);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    drop(on.run_in(&home, &["undo", "--yes"]).expect(0));
    for helper in &helpers {
        engine.try_run(&["unpause", helper]);
    }
    assert!(engine.helper_ids().iter().all(|helper| !helpers.contains(helper)));
    assert_eq!(dump(&top), before);
}

fn what_a_container_makes_of_its_tree_stays_in_it(engine: &Engine) {
    volume(engine, &[], "storm");
    let top = engine.mount_point("storm");
    many(&top);
    let outside = engine.dir().join("outside");
    fs::create_dir(&outside).unwrap();
    for file in 0..300 {
        fs::write(outside.join(format!("f{file}")), "theirs").unwrap();
    }
    let untouched = dump(&outside);
    let storm = format!(
        "(while :; do for d in 1 2 3 4 5 6 7 8; do mv /d/d$d /d/moved; ln -s ../../../../../..{} /d/d$d; rm /d/d$d; \
         ln -s d9 /d/d$d; rm /d/d$d; mv /d/moved /d/d$d; done; done) & \
         (while :; do i=$((i+1)); echo > /d/new$((i%500)); ln /d/new$((i%500)) /d/d10/l$i; rm -f /d/d10/l$((i-50)); done) & \
         sleep 1000000",
        outside.display()
    );
    crate::removal::container(engine, "storms", &["-v", "storm:/d"], &["sh", "-c", &storm]);
    let on = vole().on(engine.host());
    let home = Home::new();
    let args = ["chown", "storm", "1000:1000", "--yes", "--include", "storm", "--json"];
    let ran = on.run_in(&home, &args);
    assert!(matches!(ran.code(), 0 | 3), "{}", ran.stderr);
    engine.run(["rm", "-f", "storms"]);
    assert_eq!(dump(&outside), untouched);
    let journal = ran.json()["journal"].as_str().unwrap().to_owned();
    let undone = on.run_in(&home, &["undo", &journal, "--yes", "--json"]);
    assert!(matches!(undone.code(), 0 | 3), "{}", undone.stderr);
    assert_eq!(dump(&outside), untouched);
    // What did not move since is as before; what did is among what is listed.
    for dir in 11..60 {
        for entry in fs::read_dir(top.join(format!("d{dir}"))).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name();
            let meta = fs::symlink_metadata(entry.path()).unwrap();
            assert_eq!(meta.uid(), 0, "d{dir}/{}", String::from_utf8_lossy(name.as_bytes()));
        }
    }
    let skipped = undone.json()["skipped_count"].as_u64().unwrap();
    let left = fs::read_dir(&top).unwrap().filter(|entry| {
        let meta = entry.as_ref().unwrap().metadata().unwrap();
        meta.uid() == 1000
    });
    assert!(left.count() as u64 <= skipped, "{skipped} are listed");
}
