//! Restores on real engines: what comes back, into what, and what is refused.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use vole_test_support::{Engine, Home, PATIENCE, Pty, Ran, Vole, likeness, until};

use crate::owning::awkward;
use crate::removal::{sleeping, volume};
use crate::world::{on_own_engines, vole};

on_own_engines! {
    a_volume_comes_back_as_it_was
    contents_are_replaced_only_on_demand_and_whole
    archives_of_other_programs_come_back_without_what_recipes_put_before
    a_volume_in_use_and_places_of_the_host_are_refused
    one_file_comes_back_out_of_the_files_of_its_archive
}

/// An archive of a volume, in a directory of the engine.
pub(crate) fn archive(on: &Vole, home: &Home, engine: &Engine, name: &str) -> PathBuf {
    let dir = engine.dir().join("archives");
    fs::create_dir_all(&dir).unwrap();
    let to = dir.to_str().unwrap();
    let ran = on.run_in(home, &["backup", name, "--to", to, "--yes", "--json"]);
    let made = ran.json();
    let path = made["archives"][0]["path"].as_str();
    PathBuf::from(path.unwrap_or_else(|| panic!("no archive: {made}\n{}", ran.stderr)))
}

/// Driver, labels and options of a volume.
pub(crate) fn labels(engine: &Engine, name: &str) -> Value {
    let text = engine.run(["volume", "inspect", name]);
    let all: Value = serde_json::from_str(&text).unwrap();
    // Docker says null of options that were not given, and {} of none that were.
    let pairs = |key: &str| all[0][key].as_object().cloned().unwrap_or_default();
    serde_json::json!([all[0]["Driver"], pairs("Labels"), pairs("Options")])
}

/// Runs to an end with this code.
pub(crate) fn ends(on: &Vole, home: &Home, args: &[&str], code: i32) {
    let ran = on.run_in(home, args);
    assert_eq!(ran.code(), code, "{args:?}: {}", words(&ran));
}

pub(crate) fn words(ran: &Ran) -> String {
    format!("{}{}", ran.text(), ran.stderr)
}

/// Runs with something on standard input.
pub(crate) fn fed(on: &Vole, home: &Home, args: &[&str], input: &[u8]) -> (i32, String) {
    let mut child = on.command(home, args).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // It may end before it has taken all.
    let writing = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    let words = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&words).into_owned(),
    )
}

pub(crate) fn no_staging(top: &Path) {
    let left: Vec<PathBuf> = fs::read_dir(top)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(".vole"))
        .collect();
    assert_eq!(left, Vec::<PathBuf>::new());
}

fn a_volume_comes_back_as_it_was(engine: &Engine) {
    volume(engine, &["--label", "app=blog", "--label", "empty="], "old");
    let top = engine.mount_point("old");
    awkward(&top);
    chown(&top, Some(999), Some(998)).unwrap();
    fs::set_permissions(&top, fs::Permissions::from_mode(0o700)).unwrap();
    let before = likeness(&top);
    let (on, home) = (vole().on(engine.host()), Home::new());
    let path = archive(&on, &home, engine, "old");
    let path = path.to_str().unwrap();
    // The volume is there: its name alone replaces nothing.
    let ran = on.run_in(&home, &["restore", path, "--yes"]).expect(1);
    assert!(
        words(&ran).contains("--overwrite") && words(&ran).contains("--as"),
        "{}",
        words(&ran)
    );
    let ran = on
        .run_in(&home, &["restore", path, "--as", "new", "--dry-run", "--json"])
        .expect(0);
    assert_eq!(ran.json()["restored"], false);
    assert!(
        !engine.volume_names().contains(&"new".to_owned()),
        "a dry run made a volume"
    );
    ends(&on, &home, &["restore", path, "--as", "new"], 2);
    let ran = on
        .run_in(&home, &["restore", path, "--as", "new", "--yes", "--json"])
        .expect(0);
    let done = ran.json();
    assert_eq!(
        (&done["target"], &done["verdict"]),
        (&"new".into(), &"ok".into()),
        "{done}"
    );
    assert_eq!(likeness(&engine.mount_point("new")), before);
    assert_eq!(labels(engine, "new"), labels(engine, "old"));
    // Gone and back under its own name, through a pipe.
    let bytes = fs::read(path).unwrap();
    engine.run(["volume", "rm", "old"]);
    let (code, said) = fed(&on, &home, &["restore", "-", "--yes"], &bytes);
    assert_eq!(code, 0, "{said}");
    assert_eq!(likeness(&engine.mount_point("old")), before);
    assert_eq!(labels(engine, "old"), labels(engine, "new"));
    engine.wait_without_helpers();
    let ran = on.run_in(&home, &["recover", "--json"]).expect(0);
    assert_eq!(ran.json()["unfinished"], serde_json::json!([]), "{}", words(&ran));
}

fn contents_are_replaced_only_on_demand_and_whole(engine: &Engine) {
    volume(engine, &[], "src");
    awkward(&engine.mount_point("src"));
    let new = likeness(&engine.mount_point("src"));
    volume(engine, &["--label", "keep=me"], "dst");
    let top = engine.mount_point("dst");
    fs::create_dir_all(top.join("old/deep")).unwrap();
    fs::write(top.join("old/deep/file"), "old").unwrap();
    fs::write(top.join("plain"), "old too").unwrap();
    let old = likeness(&top);
    let (on, home) = (vole().on(engine.host()), Home::new());
    let path = archive(&on, &home, engine, "src");
    let path = path.to_str().unwrap();
    for (args, code) in [
        (["restore", path, "--as", "dst", "--yes"].as_slice(), 1),
        (
            &["restore", path, "--as", "dst", "--overwrite", "--in-place", "--yes"],
            1,
        ),
        (&["restore", path, "--as", "dst", "--overwrite", "--include", "dst"], 2),
        (
            &[
                "restore",
                path,
                "--as",
                "dst",
                "--overwrite",
                "--yes",
                "--include",
                "other",
            ],
            2,
        ),
        (
            &[
                "restore",
                path,
                "--as",
                "dst",
                "--overwrite",
                "--yes",
                "--include",
                "dst",
                "--read-only",
            ],
            2,
        ),
        (&["restore", path, "--as", "dst", "--in-place", "--yes"], 2),
        (&["restore", path, "--as", "b/d", "--yes"], 1),
    ] {
        let ran = on.run_in(&home, args);
        assert_eq!(ran.code(), code, "{args:?}: {}", words(&ran));
        assert_eq!(likeness(&top), old, "{args:?}");
    }
    let over = ["restore", path, "--as", "dst", "--overwrite", "--yes"];
    // Only a part of it.
    let part = [over.as_slice(), &["--path", "dir", "--path", "plain", "--json"]].concat();
    ends(&on, &home, &part, 0);
    let mixed = likeness(&top);
    assert!(mixed.iter().any(|line| line.starts_with("dir/listed ")), "{mixed:#?}");
    assert!(
        mixed.iter().any(|line| line.starts_with("old/deep/file ")),
        "{mixed:#?}"
    );
    assert!(!mixed.iter().any(|line| line.starts_with("suid ")), "{mixed:#?}");
    ends(&on, &home, &over, 0);
    assert_eq!(likeness(&top), new);
    no_staging(&top);
    fs::write(top.join("more"), "more").unwrap();
    ends(
        &on,
        &home,
        &[over.as_slice(), &["--in-place", "--include", "dst"]].concat(),
        0,
    );
    assert_eq!(likeness(&top), new);
    no_staging(&top);
    engine.wait_without_helpers();
}

fn tar(dir: &Path, args: &[&str]) {
    let ran = Command::new("tar").current_dir(dir).args(args).output().unwrap();
    assert!(
        ran.status.success(),
        "tar {args:?}: {}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

fn archives_of_other_programs_come_back_without_what_recipes_put_before(engine: &Engine) {
    let dir = engine.dir().join("recipe");
    let inside = dir.join("volume");
    fs::create_dir_all(inside.join("d")).unwrap();
    fs::write(inside.join("a"), "a").unwrap();
    fs::hard_link(inside.join("a"), inside.join("d/b")).unwrap();
    symlink("volume/a", inside.join("kept")).unwrap();
    fs::set_permissions(&inside, fs::Permissions::from_mode(0o700)).unwrap();
    // Whole seconds, as that format has them.
    for name in ["d", "a", "."] {
        Command::new("touch")
            .args(["-d", "@1700000000"])
            .arg(inside.join(name))
            .status()
            .unwrap();
    }
    Command::new("touch")
        .args(["-h", "-d", "@1700000000"])
        .arg(inside.join("kept"))
        .status()
        .unwrap();
    let before = likeness(&inside);
    tar(&dir, &["-czf", "classic.tar.gz", "volume"]);
    tar(&inside, &["-cf", "../dotted.tar", "."]);
    fs::rename(&inside, dir.join("data")).unwrap();
    tar(&dir, &["-cf", "data.tar", "data"]);
    let (on, home) = (vole().on(engine.host()), Home::new());
    let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let (classic, dotted, data) = (path("classic.tar.gz"), path("dotted.tar"), path("data.tar"));
    ends(&on, &home, &["restore", &classic, "--yes"], 1);
    let ran = on
        .run_in(&home, &["restore", &classic, "--as", "classic", "--yes"])
        .expect(0);
    assert!(words(&ran).contains("volume/ is taken off"), "{}", words(&ran));
    assert!(words(&ran).contains("no archive of vole's"), "{}", words(&ran));
    assert_eq!(likeness(&engine.mount_point("classic")), before);
    ends(&on, &home, &["restore", &dotted, "--as", "dotted", "--yes"], 0);
    assert_eq!(likeness(&engine.mount_point("dotted")), before);
    let ran = on.run_in(&home, &["restore", &data, "--as", "data", "--yes"]).expect(2);
    assert!(
        words(&ran).contains("--strip-components") && words(&ran).contains("data/a"),
        "{}",
        words(&ran)
    );
    assert!(!engine.volume_names().contains(&"data".to_owned()));
    ends(
        &on,
        &home,
        &["restore", &data, "--as", "data", "--strip-components", "1", "--yes"],
        0,
    );
    assert_eq!(likeness(&engine.mount_point("data")), before);
    ends(
        &on,
        &home,
        &["restore", &data, "--as", "whole", "--strip-components", "0", "--yes"],
        0,
    );
    assert!(engine.mount_point("whole").join("data/d/b").exists());
    engine.wait_without_helpers();
}

fn a_volume_in_use_and_places_of_the_host_are_refused(engine: &Engine) {
    volume(engine, &[], "src");
    fs::write(engine.mount_point("src").join("new"), "new").unwrap();
    volume(engine, &[], "busy");
    let top = engine.mount_point("busy");
    fs::write(top.join("precious"), "precious").unwrap();
    sleeping(engine, "user", &["-v", "busy:/data"]);
    let (on, home) = (vole().on(engine.host()), Home::new());
    let path = archive(&on, &home, engine, "src");
    let path = path.to_str().unwrap();
    let restore = |target: &str| {
        on.run_in(
            &home,
            &[
                "restore",
                path,
                "--as",
                target,
                "--overwrite",
                "--yes",
                "--include",
                target,
            ],
        )
    };
    let before = likeness(&top);
    let ran = restore("busy").expect(1);
    assert!(words(&ran).contains("user has busy mounted"), "{}", words(&ran));
    engine.run(["pause", "user"]);
    assert_eq!(restore("busy").code(), 1);
    assert_eq!(likeness(&top), before);
    engine.run(["rm", "-f", "user"]);
    assert_eq!(restore("busy").code(), 0);
    assert!(top.join("new").exists() && !top.join("precious").exists());
    // Nothing of the host: all of these would be only asked about, but for a failure of the test.
    for place in [
        "/", "/etc", "/usr/", "/var/lib", "/root", "/home/x", "/proc", "/dev/shm",
    ] {
        let ran = on
            .run_in(
                &home,
                &["restore", path, "--as", place, "--overwrite", "--dry-run", "--json"],
            )
            .expect(1);
        assert!(words(&ran).contains("refuse"), "{place}: {}", words(&ran));
    }
    let keys = engine.dir().join("someone/.ssh");
    fs::create_dir_all(&keys).unwrap();
    fs::write(keys.join("id"), "secret").unwrap();
    let link = engine.dir().join("link");
    symlink(&keys, &link).unwrap();
    let device = format!("device={}", link.display());
    volume(engine, &["-o", "type=none", "-o", "o=bind", "-o", &device], "linked");
    for place in [keys.to_str().unwrap(), link.to_str().unwrap(), "linked"] {
        let ran = restore(place).expect(1);
        assert!(words(&ran).contains("refuse"), "{place}: {}", words(&ran));
        assert_eq!(fs::read_dir(&keys).unwrap().count(), 1, "{place}");
    }
    // A directory of the host that may be written to.
    let host = engine.dir().join("srv");
    fs::create_dir_all(&host).unwrap();
    let target = host.to_str().unwrap();
    ends(&on, &home, &["restore", path, "--as", target, "--yes"], 0);
    assert_eq!(fs::read(host.join("new")).unwrap(), b"new");
    let ran = on.run_in(&home, &["restore", path, "--as", target, "--yes"]).expect(1);
    assert!(words(&ran).contains("not empty"), "{}", words(&ran));
    engine.wait_without_helpers();
}

fn one_file_comes_back_out_of_the_files_of_its_archive(engine: &Engine) {
    volume(engine, &[], "blog");
    let top = engine.mount_point("blog");
    fs::create_dir(top.join("conf")).unwrap();
    for name in ["app.ini", "other.ini"] {
        fs::write(top.join("conf").join(name), "as it was").unwrap();
    }
    let (on, home) = (vole().on(engine.host()), Home::new());
    ends(&on, &home, &["backup", "blog", "--yes"], 0);
    fs::remove_file(top.join("conf/app.ini")).unwrap();
    fs::write(top.join("conf/other.ini"), "changed since").unwrap();
    fs::write(top.join("later"), "made since").unwrap();
    let mut pty = Pty::start(&home, &on.line(&[]), 80, 24);
    pty.wait_for("blog", PATIENCE);
    pty.keys("6");
    pty.wait_for("1 archive", PATIENCE);
    pty.keys("<enter>");
    pty.wait_for("conf/", PATIENCE);
    pty.keys("<enter>");
    pty.wait_for("app.ini", PATIENCE);
    // Nothing stands there, so nothing is asked; but what came since nobody was asked about.
    pty.keys("ju");
    pty.wait_for("nothing: none of it is there now", PATIENCE);
    fs::write(top.join("conf/app.ini"), "in between").unwrap();
    pty.keys("<enter>");
    pty.wait_for("nothing was restored", PATIENCE);
    assert_eq!(fs::read_to_string(top.join("conf/app.ini")).unwrap(), "in between");
    fs::remove_file(top.join("conf/app.ini")).unwrap();
    pty.keys("R");
    pty.wait_for("checked just now", PATIENCE);
    pty.keys("<enter>");
    pty.wait_for("1 entry restored", PATIENCE);
    let text = |name: &str| fs::read_to_string(top.join(name)).unwrap();
    assert_eq!(text("conf/app.ini"), "as it was");
    assert_eq!(text("conf/other.ini"), "changed since");
    assert_eq!(text("later"), "made since");
    // What gives way takes the volume's name; back from the plan the files stand as they were.
    pty.keys("<esc>");
    pty.wait_for("other.ini", PATIENCE);
    pty.keys("ju");
    pty.wait_for("what blog holds at conf/other.ini is replaced", PATIENCE);
    pty.keys("<enter>");
    pty.wait_for("type blog to restore to it", PATIENCE);
    pty.keys("blog<enter>");
    // For a moment neither of them stands there.
    let back = || fs::read_to_string(top.join("conf/other.ini")).is_ok_and(|text| text == "as it was");
    until("the other file is back", PATIENCE, || back().then_some(()));
    pty.wait_for("1 entry restored", PATIENCE);
    pty.keys("<ctrl-c>");
    pty.wait_exit(PATIENCE);
    no_staging(&top);
    engine.wait_without_helpers();
}
