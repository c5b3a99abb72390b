//! What is left of a backup that goes wrong: nothing, whoever is killed and whatever is full.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use vole_test_support::{Engine, Home, PATIENCE, until};

use crate::backups::{Small, archive, kept, noise, proved_whole};
use crate::removal::volume;
use crate::world::{on_own_engines, vole};

on_own_engines! {
    a_killed_backup_leaves_nothing_that_is_listed
    what_fails_leaves_nothing
}

/// What a test kills the program at.
const POINTS: [&str; 4] = [
    "backup:begun",
    "backup:streaming",
    "backup:before-rename",
    "backup:before-sidecar",
];

fn a_killed_backup_leaves_nothing_that_is_listed(engine: &Engine) {
    volume(engine, &[], "vol");
    fs::write(engine.mount_point("vol").join("file"), "contents").unwrap();
    let on = vole().on(engine.host());
    let home = Home::new();
    let listed = || {
        let ran = on.run_in(&home, &["backups", "--json"]).expect(0);
        ran.json()["archives"].as_array().unwrap().len()
    };
    for (done, point) in POINTS.iter().enumerate() {
        let killed = on
            .command(&home, &["backup", "vol"])
            .env("VOLE_FAULT", point)
            .output()
            .unwrap();
        assert_eq!(killed.status.code(), None, "{point}: {killed:?}");
        assert_eq!(listed(), done, "{point}");
        assert!(kept(&home).len() > done * 2, "{point} left nothing to be removed");
        let next = on.run_in(&home, &["backup", "vol", "--json"]).expect(0).json();
        proved_whole(&home, &archive(&next).0);
        assert_eq!(listed(), done + 1, "{point}");
        assert_eq!(kept(&home).len(), 2 * (done + 1), "{point}: {:?}", kept(&home));
    }
    let killed = on
        .command(&home, &["backup", "vol"])
        .env("VOLE_FAULT", "backup:committed")
        .output()
        .unwrap();
    assert_eq!((killed.status.code(), listed()), (None, POINTS.len() + 1));
    engine.wait_without_helpers();
}

/// A backup that has begun to write its archive and is stopped there.
fn stopped(engine: &Engine, home: &Home) -> (Child, Pid) {
    let on = vole().on(engine.host());
    let child = on
        .command(home, &["backup", "big", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = Pid::from_child(&child);
    until("its archive grows", PATIENCE, || {
        let grows = |path: &PathBuf| fs::metadata(path).is_ok_and(|meta| meta.len() > 0);
        kept(home).iter().any(grows).then_some(())
    });
    kill_process(pid, Signal::STOP).unwrap();
    assert!(
        kept(home)
            .iter()
            .all(|path| path.extension().is_some_and(|end| end == "partial")),
        "it was done before it could be stopped"
    );
    (child, pid)
}

fn what_fails_leaves_nothing(engine: &Engine) {
    volume(engine, &[], "big");
    noise(&engine.mount_point("big").join("noise"), 192);
    let on = vole().on(engine.host());
    let home = Home::new();
    let nothing_is_left = |why: &str| {
        assert!(kept(&home).is_empty(), "{why}: {:?}", kept(&home));
        engine.wait_without_helpers();
    };

    let small = Small::new(engine.dir().join("small"));
    let to = small.0.to_str().unwrap();
    let full = on.run_in(&home, &["backup", "big", "--to", to]).expect(1);
    assert!(full.stderr.contains("No space left"), "{}", full.stderr);
    assert_eq!(
        fs::read_dir(&small.0).unwrap().count(),
        0,
        "something is left on a full disk"
    );
    nothing_is_left("a full destination");
    drop(small);

    let nowhere = on
        .run_in(&home, &["backup", "big", "--to", "/nonexistent/dir"])
        .expect(1);
    assert!(nowhere.stderr.contains("make it first"), "{}", nowhere.stderr);

    let (child, pid) = stopped(engine, &home);
    kill_process(pid, Signal::INT).unwrap();
    kill_process(pid, Signal::CONT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.ends_with("vole: cancelled\n"), "{said}");
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap(),
        serde_json::json!({"archives": [], "failed": [], "cancelled": true})
    );
    nothing_is_left("an interrupt");

    let (mut child, pid) = stopped(engine, &home);
    let second = on.run_in(&home, &["backup", "big"]).expect(1);
    assert!(
        second.stderr.contains("another backup or restore of it runs"),
        "{}",
        second.stderr
    );
    // Engines wait for the end of the output, which nobody reads at the moment.
    for helper in engine.helper_ids() {
        let pid = engine.run(["inspect", "-f", "{{.State.Pid}}", helper.as_str()]);
        let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
    }
    kill_process(pid, Signal::CONT).unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{said}");
    assert!(said.contains("helper"), "{said}");
    nothing_is_left("a killed helper");

    pipes(engine, &home);
    nothing_is_left("a pipe");

    let (mut child, pid) = stopped(engine, &home);
    engine.crash();
    kill_process(pid, Signal::CONT).unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    match child.wait().unwrap().code() {
        // The helper outlived its engine, and all came through the socket past it.
        Some(0) => {
            let archive = kept(&home)
                .into_iter()
                .find(|path| path.extension().is_some_and(|end| end == "zst"));
            let archive = archive.unwrap();
            let verified = vole().run_in(&home, &["verify", archive.to_str().unwrap()]).expect(0);
            assert!(verified.text().contains(": ok: "), "{}", verified.text());
        }
        code => {
            assert_eq!(code, Some(1), "{said}");
            assert!(kept(&home).is_empty(), "an engine that is gone: {said}");
        }
    }
}

fn pipes(engine: &Engine, home: &Home) {
    let on = vole().on(engine.host());
    for wrong in [
        &["backup", "big", "--to", "-", "--json"] as &[&str],
        &["backup", "big", "other", "--to", "-"],
    ] {
        let ran = on.run_in(home, wrong).expect(2);
        assert!(ran.stdout.is_empty(), "{wrong:?}");
    }
    let whole = on.run_in(home, &["backup", "big", "--to", "-"]).expect(0);
    let file = home.path().join("piped");
    fs::write(&file, &whole.stdout).unwrap();
    let mut verify = vole().command(home, &["verify", "-"]);
    let verified = verify.stdin(File::open(&file).unwrap()).output().unwrap();
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
    let mut child = on.command(home, &["backup", "big", "--to", "-"]).spawn().unwrap();
    let mut head = vec![0; 1 << 20];
    child.stdout.take().unwrap().read_exact(&mut head).unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{said}");
    fs::write(&file, &head).unwrap();
    let verified = vole()
        .command(home, &["verify", "-"])
        .stdin(File::open(&file).unwrap())
        .stdout(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(verified.status.code(), Some(4), "{verified:?}");
    assert!(
        String::from_utf8_lossy(&verified.stdout).contains("truncated"),
        "{verified:?}"
    );
}
