//! Restores that are held half-way by the pipe that they read, while something happens: a rival, a signal, a killed helper.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use vole_test_support::{Engine, Home, PATIENCE, Vole, likeness, until};

use crate::owning::awkward;
use crate::removal::volume;
use crate::restores::{ends, fed, no_staging, words};
use crate::world::{on_own_engines, vole};

on_own_engines! {
    a_killed_helper_leaves_the_old
    a_signal_leaves_the_old
    a_silent_engine_holds_up_no_interrupt
    rivals_are_refused_and_disturb_nothing
    nothing_comes_over_what_was_cut_short_until_it_is_recovered
    what_was_left_is_recovered_beside_a_journal_of_another_volume
}

/// Over a volume that holds something, and into a new one.
const TARGETS: [&[&str]; 2] = [
    &[
        "restore",
        "-",
        "--as",
        "dst",
        "--overwrite",
        "--yes",
        "--include",
        "dst",
    ],
    &["restore", "-", "--as", "fresh", "--yes"],
];

/// A source, a target that holds something, and an archive.
struct Scene<'a> {
    engine: &'a Engine,
    on: Vole,
    home: Home,
    whole: Vec<u8>,
}

impl<'a> Scene<'a> {
    fn set(engine: &'a Engine) -> Self {
        volume(engine, &[], "src");
        let top = engine.mount_point("src");
        awkward(&top);
        for file in 0..64 {
            fs::write(top.join(format!("f{file}")), vec![file; 64 << 10]).unwrap();
        }
        volume(engine, &[], "dst");
        fs::write(engine.mount_point("dst").join("precious"), "precious").unwrap();
        let (on, home) = (vole().on(engine.host()), Home::new());
        let ran = on
            .run_in(&home, &["backup", "src", "--to", "-", "--compress", "none"])
            .expect(0);
        Self {
            engine,
            on,
            home,
            whole: ran.stdout,
        }
    }

    /// Starts a restore that has half of its archive, and waits until it writes.
    fn hold(&self, args: &[&str]) -> Held {
        let mut child = self.on.command(&self.home, args).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let (first, rest) = self.whole.split_at(self.whole.len() / 2);
        stdin.write_all(first).unwrap();
        let rest = rest.to_vec();
        until("it writes", PATIENCE, || self.writes().then_some(()));
        Held { child, stdin, rest }
    }

    /// A restore over the target whose helper and client die, and nobody tidies up.
    fn cut_short(&self) {
        let held = self.hold(TARGETS[0]);
        held.signal(Signal::STOP);
        for helper in self.engine.helper_ids() {
            let pid = self.engine.run(["inspect", "-f", "{{.State.Pid}}", &helper]);
            let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
            kill_process(pid, Signal::KILL).unwrap();
        }
        held.signal(Signal::KILL);
        drop(held.end());
        self.engine.wait_without_helpers();
        assert!(self.writes(), "it was tidied up");
    }

    fn writes(&self) -> bool {
        let has = |top: &Path, start: &str| {
            let entries = fs::read_dir(top).into_iter().flatten().flatten();
            entries
                .into_iter()
                .any(|entry| entry.file_name().to_string_lossy().starts_with(start))
        };
        let fresh = self.engine.volume_names().contains(&"fresh".to_owned());
        has(&self.engine.mount_point("dst"), ".vole-new-") || (fresh && has(&self.engine.mount_point("fresh"), ""))
    }
}

struct Held {
    child: Child,
    stdin: ChildStdin,
    rest: Vec<u8>,
}

impl Held {
    /// Gives it the rest, if it still takes it; how it ends, and what it says.
    fn end(mut self) -> (Option<i32>, String) {
        // It may have ended already, and then reads nothing any more.
        drop(self.stdin.write_all(&self.rest));
        drop(self.stdin);
        let output = self.child.wait_with_output().unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        )
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

fn a_killed_helper_leaves_the_old(engine: &Engine) {
    let scene = Scene::set(engine);
    let dst = engine.mount_point("dst");
    let (old, names) = (likeness(&dst), engine.volume_names());
    for args in TARGETS {
        let held = scene.hold(args);
        let helpers = engine.helper_ids();
        assert!(!helpers.is_empty());
        for helper in helpers {
            engine.try_run(&["kill", &helper]);
        }
        let (code, said) = held.end();
        assert_eq!(code, Some(1), "{said}");
        assert_eq!(likeness(&dst), old, "{said}");
        assert_eq!(engine.volume_names(), names, "{said}");
        engine.wait_without_helpers();
    }
}

fn a_signal_leaves_the_old(engine: &Engine) {
    let scene = Scene::set(engine);
    let dst = engine.mount_point("dst");
    let (old, names) = (likeness(&dst), engine.volume_names());
    for args in TARGETS {
        for signal in [Signal::INT, Signal::TERM] {
            let held = scene.hold(args);
            held.signal(signal);
            // Nothing more comes: it must not wait for that.
            let Held { child, stdin, .. } = held;
            let output = child.wait_with_output().unwrap();
            drop(stdin);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(130), "{signal:?}: {said}");
            assert_eq!(likeness(&dst), old, "{signal:?}: {said}");
            assert_eq!(engine.volume_names(), names, "{signal:?}: {said}");
            engine.wait_without_helpers();
            let recovered = scene
                .on
                .run_in(&scene.home, &["recover", "--yes", "--json"])
                .expect(0)
                .json();
            assert_eq!(recovered["recovered"], serde_json::json!([]), "{signal:?}: {said}");
        }
    }
}

/// An engine that is stopped; it goes on when dropped.
struct Silent(Pid);

impl Silent {
    fn new(engine: &Engine) -> Self {
        let pid = Pid::from_raw(engine.pid().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::STOP).unwrap();
        Self(pid)
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // One that is gone needs not go on.
        kill_process(self.0, Signal::CONT).ok();
    }
}

fn a_silent_engine_holds_up_no_interrupt(engine: &Engine) {
    let scene = Scene::set(engine);
    let dst = engine.mount_point("dst");
    let (old, names) = (likeness(&dst), engine.volume_names());
    for args in TARGETS {
        let held = scene.hold(args);
        let silent = Silent::new(engine);
        held.signal(Signal::INT);
        let Held { mut child, stdin, .. } = held;
        // Less than the engine's own timeouts take one after another.
        until("it ends", PATIENCE / 2, || child.try_wait().unwrap());
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(130), "{said}");
        assert!(said.contains("`vole recover`"), "{said}");
        drop(silent);
        engine.wait_without_helpers();
        let ran = scene.on.run_in(&scene.home, &["recover", "--yes", "--json"]).expect(0);
        assert_eq!(ran.json()["failed"], serde_json::json!([]), "{said}");
        assert_eq!(likeness(&dst), old, "{said}");
        assert_eq!(engine.volume_names(), names, "{said}");
        no_staging(&dst);
    }
}

fn rivals_are_refused_and_disturb_nothing(engine: &Engine) {
    let scene = Scene::set(engine);
    let new = likeness(&engine.mount_point("src"));
    // Another user, or another machine's client, whose locks lie elsewhere.
    let other = Home::new();
    for (args, target) in TARGETS.into_iter().zip(["dst", "fresh"]) {
        let held = scene.hold(args);
        for home in [&scene.home, &other] {
            let (code, said) = fed(&scene.on, home, args, &scene.whole);
            assert_eq!(code, 1, "{target}: {said}");
            let ran = scene.on.run_in(home, &["clone", "src", target, "--yes"]).expect(1);
            assert!(!ran.stderr.is_empty(), "{target}: {}", words(&ran));
        }
        if target == "dst" {
            for home in [&scene.home, &other] {
                let ran = scene.on.run_in(home, &["backup", target, "--to", "-"]).expect(1);
                assert!(ran.stdout.is_empty(), "a copy of a target that is half exchanged");
            }
        }
        let (code, said) = held.end();
        assert_eq!(code, Some(0), "{target}: {said}");
        assert_eq!(likeness(&engine.mount_point(target)), new, "{target}");
        no_staging(&engine.mount_point(target));
        engine.wait_without_helpers();
    }
    assert_eq!(engine.volume_names(), ["dst", "fresh", "src"]);
}

fn nothing_comes_over_what_was_cut_short_until_it_is_recovered(engine: &Engine) {
    let scene = Scene::set(engine);
    let dst = engine.mount_point("dst");
    let (old, new) = (likeness(&dst), likeness(&engine.mount_point("src")));
    let other = Home::new();
    for home in [&scene.home, &other] {
        scene.cut_short();
        let file = home.path().join("archive.tar");
        fs::write(&file, &scene.whole).unwrap();
        let file = file.to_str().unwrap();
        for more in [&[][..], &["--in-place"], &["--path", "f1"]] {
            let args = [
                &[
                    "restore",
                    file,
                    "--as",
                    "dst",
                    "--overwrite",
                    "--yes",
                    "--include",
                    "dst",
                ],
                more,
            ]
            .concat();
            let ran = scene.on.run_in(home, &args).expect(1);
            assert!(
                ran.stderr.contains("run `vole recover dst` first"),
                "{more:?}: {}",
                words(&ran)
            );
        }
        let (code, said) = fed(&scene.on, home, TARGETS[0], &scene.whole);
        assert!(code == 1 && said.contains("recover"), "{code}: {said}");
        let ran = scene.on.run_in(home, &["backup", "dst", "--to", "-"]).expect(1);
        assert!(ran.stderr.contains("run `vole recover dst` first"), "{}", words(&ran));
        // Also where the journal is another's.
        let ran = scene
            .on
            .run_in(home, &["recover", "dst", "--yes", "--json"])
            .expect(0)
            .json();
        assert_eq!(ran["recovered"][0]["volume"], "dst", "{ran}");
        assert_eq!(likeness(&dst), old, "{ran}");
        let again = scene.on.run_in(home, &["recover", "dst", "--yes"]).expect(0);
        assert!(
            words(&again).contains("nothing is to be recovered"),
            "{}",
            words(&again)
        );
        no_staging(&dst);
    }
    ends(&scene.on, &scene.home, &["recover", "--yes"], 0);
    let (code, said) = fed(&scene.on, &scene.home, TARGETS[0], &scene.whole);
    assert_eq!(code, 0, "{said}");
    assert_eq!(likeness(&dst), new);
    engine.wait_without_helpers();
}

fn what_was_left_is_recovered_beside_a_journal_of_another_volume(engine: &Engine) {
    let scene = Scene::set(engine);
    scene.cut_short();
    // Another volume of the name, in which somebody else's restore left as much.
    let (dst, aside) = (engine.mount_point("dst"), engine.dir().join("aside"));
    let copy = |from: &Path, to: &Path| {
        let done = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
        assert!(done.success());
    };
    copy(&dst, &aside);
    engine.run(["volume", "rm", "dst"]);
    volume(engine, &[], "dst");
    // Engines make it where it was: its inode may be the old one.
    fs::remove_file(aside.join("precious")).unwrap();
    copy(&aside.join("."), &dst);
    fs::write(dst.join("other"), "other").unwrap();
    let recover = |args: &[&str]| {
        let args = [&["recover", "dst", "--json"], args].concat();
        scene.on.run_in(&scene.home, &args).expect(0).json()
    };
    let planned = recover(&["--dry-run"]);
    let words = planned["unfinished"].to_string();
    assert!(words.contains("old contents are kept"), "{planned}");
    let done = recover(&["--yes"]);
    assert_eq!(done["failed"], serde_json::json!([]), "{done}");
    no_staging(&dst);
    assert_eq!(fs::read_to_string(dst.join("other")).unwrap(), "other");
    assert_eq!(recover(&["--yes"])["unfinished"], serde_json::json!([]));
    engine.wait_without_helpers();
}
