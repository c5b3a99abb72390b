//! Removing and making volumes on real engines: what is asked, what is said, on the command line and on the screen.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use vole_test_support::{Engine, Family, Home, IMAGE, PATIENCE, Proxy, Pty, Ran, Reply};

use crate::world::{self, on_own_engines, vole};

on_own_engines! {
    nothing_is_removed_without_a_word
    rm_says_who_uses_a_volume_and_takes_stopped_containers_along
    what_exists_is_never_taken_for_a_new_volume
    from_the_plan_on_the_screen_to_the_last_row
    read_only_the_screen_offers_nothing_that_changes
}

/// A name as engines generate them.
pub(crate) fn hex(digit: char) -> String {
    std::iter::repeat_n(digit, 64).collect()
}

pub(crate) fn volume(engine: &Engine, options: &[&str], name: &str) {
    engine.run(
        ["volume", "create"]
            .into_iter()
            .chain(options.iter().copied())
            .chain([name]),
    );
}

/// Writes files into a volume's directory on this machine.
pub(crate) fn fill(engine: &Engine, volume: &str, files: &[&str]) {
    let top = engine.mount_point(volume);
    for file in files {
        let path = top.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "15\n").unwrap();
    }
}

pub(crate) fn container(engine: &Engine, name: &str, options: &[&str], command: &[&str]) {
    let fixed = ["run", "-d", "--network", "none", "--name", name];
    let args = fixed.into_iter().chain(options.iter().copied()).chain([IMAGE]);
    engine.run(args.chain(command.iter().copied()));
}

pub(crate) fn sleeping(engine: &Engine, name: &str, options: &[&str]) {
    container(engine, name, options, &["sleep", "1000000"]);
}

pub(crate) fn names(document: &Value, group: &str) -> BTreeSet<String> {
    let rows = document[group]
        .as_array()
        .unwrap_or_else(|| panic!("no {group}: {document}"));
    rows.iter()
        .map(|row| row["name"].as_str().unwrap().to_owned())
        .collect()
}

fn unchanged(engine: &Engine, before: &[String], ran: &Ran) {
    assert_eq!(engine.volume_names(), before, "{}{}", ran.text(), ran.stderr);
}

fn nothing_is_removed_without_a_word(engine: &Engine) {
    volume(engine, &[], &hex('a'));
    volume(engine, &[], "named");
    fill(engine, "named", &["file"]);
    let before = engine.volume_names();
    let on = vole().on(engine.host());
    for (args, code) in [
        (["prune"].as_slice(), 2),
        (&["prune", "--json"], 2),
        (&["prune", "--dry-run"], 0),
        (&["prune", "--read-only", "--yes"], 2),
        (&["prune", "--read-only", "--dry-run"], 0),
        (&["rm", "named"], 2),
        (&["rm", "named", "--yes"], 1),
        (&["rm", "named", "--read-only", "--yes", "--include", "named"], 2),
        (&["rm", "no-such-volume", "--yes"], 1),
        (&["rm", "named", "no-such-volume", "--yes", "--include", "named"], 1),
        (&["rm", "/var/lib", "--yes"], 2),
        (&["rm", "--yes"], 2),
        (&["prune", "--yes", "--include", "no-such-volume"], 2),
        (&["create", "other", "--read-only"], 2),
    ] {
        let ran = on.run(args).expect(code);
        unchanged(engine, &before, &ran);
    }
    // A person who thinks again.
    let home = Home::new();
    let mut pty = Pty::start(&home, &on.line(&["prune"]), 100, 30);
    pty.wait_for("[y/N]", PATIENCE);
    pty.keys("<enter>");
    assert_eq!(pty.wait_exit(PATIENCE).exit_code(), 130, "{}", pty.text());
    let mut pty = Pty::start(&home, &on.line(&["prune"]), 100, 30);
    pty.wait_for("[y/N]", PATIENCE);
    pty.keys("<ctrl-c>");
    assert_eq!(pty.wait_exit(PATIENCE).exit_code(), 130, "one interrupt is enough");
    let mut pty = Pty::start(&home, &on.line(&["rm", "named"]), 100, 30);
    pty.wait_for("Type named", PATIENCE);
    pty.keys("other<enter>");
    pty.wait_exit(PATIENCE);
    assert_eq!(engine.volume_names(), before);
    let mut pty = Pty::start(&home, &on.line(&["rm", "named"]), 100, 30);
    pty.wait_for("Type named", PATIENCE);
    pty.keys("named<enter>");
    pty.wait_for("[y/N]", PATIENCE);
    pty.keys("y<enter>");
    assert_eq!(pty.wait_exit(PATIENCE).exit_code(), 0, "{}", pty.text());
    assert_eq!(engine.volume_names(), [hex('a')]);
}

fn rm_says_who_uses_a_volume_and_takes_stopped_containers_along(engine: &Engine) {
    for name in ["live", "held", "free"] {
        volume(engine, &[], name);
    }
    volume(engine, &[], &hex('a'));
    sleeping(engine, "web", &["-v", "live:/d"]);
    let both = format!("{}:/cache", hex('a'));
    container(engine, "old", &["-v", "held:/d", "-v", &both], &["true"]);
    let on = vole().on(engine.host());
    let ran = on.run(&["rm", "live", "--yes"]).expect(1);
    assert!(ran.stderr.contains("used by web"), "{}", ran.stderr);
    let ran = on.run(&["rm", "live", "free", "--yes", "--json"]).expect(3).json();
    assert_eq!(names(&ran, "removed"), BTreeSet::from(["free".to_owned()]));
    assert_eq!(names(&ran, "failed"), BTreeSet::from(["live".to_owned()]));

    // A stopped container in the way is offered, with what it holds.
    let plan = on.run(&["rm", "held", "--dry-run", "--json"]).expect(0).json();
    let offered = &plan["containers"][0];
    assert_eq!(
        (&offered["name"], &offered["chosen"]),
        (&json!("old"), &json!(false)),
        "{plan:#}"
    );
    assert_eq!(
        offered["anonymous"],
        json!([hex('a')]),
        "what `rm -v` would delete unseen"
    );
    let _ran = on.run(&["rm", "held", "--container", "web", "--yes"]).expect(1);
    let ran = on
        .run(&["rm", "held", "--container", "old", "--yes", "--json"])
        .expect(0)
        .json();
    assert_eq!(ran["containers_removed"], json!(["old"]));
    assert_eq!(names(&ran, "removed"), BTreeSet::from(["held".to_owned()]));
    assert_eq!(
        engine.volume_names(),
        [hex('a'), "live".to_owned()],
        "volumes of the container stay"
    );
    assert_eq!(engine.container_ids().len(), 1);
}

fn what_exists_is_never_taken_for_a_new_volume(engine: &Engine) {
    let on = vole().on(engine.host());
    let _ran = on
        .run(&[
            "create",
            "fresh",
            "--label",
            "team=infra",
            "-o",
            "type=tmpfs",
            "-o",
            "device=tmpfs",
        ])
        .expect(0);
    let list = on.run(&["ls", "--json"]).expect(0).json();
    let row = &list["mounts"][0];
    assert_eq!(
        (&row["name"], &row["labels"]["team"]),
        (&json!("fresh"), &json!("infra"))
    );
    assert_eq!(row["options"]["type"], "tmpfs");
    let ran = on.run(&["create", "fresh"]).expect(1);
    assert!(ran.stderr.contains("already"), "{}", ran.stderr);
    let _ran = on.run(&["create", "no/name"]).expect(2);
    assert_eq!(engine.volume_names(), ["fresh"]);
}

fn from_the_plan_on_the_screen_to_the_last_row(engine: &Engine) {
    for (round, (columns, rows)) in [(80, 24), (120, 40)].into_iter().enumerate() {
        for digit in ['a', 'b', 'c'] {
            volume(engine, &[], &hex(digit));
        }
        volume(engine, &[], "dump");
        fill(engine, "dump", &["old.bin"]);
        fill(engine, &hex('b'), &["node_modules/x/index.js"]);
        let home = Home::new();
        let mut pty = Pty::start(&home, &vole().on(engine.host()).line(&[]), columns, rows);
        pty.wait_for("dump", PATIENCE);
        pty.keys("P");
        pty.wait_for("3 chosen", PATIENCE);
        pty.wait_for("JS deps", PATIENCE);
        // The one that is asked about: a wrong name is refused, the right one is taken.
        pty.keys("/dump<enter>");
        pty.wait_gone("JS deps", PATIENCE);
        pty.keys("<space>");
        pty.wait_for("type dump", PATIENCE);
        pty.keys("dumb<enter>");
        pty.settle(Duration::from_millis(200), PATIENCE);
        assert!(pty.text().contains("type dump"), "{}", pty.text());
        pty.keys("<ctrl-u>dump<enter>");
        pty.wait_for("4 chosen", PATIENCE);
        pty.keys("<esc>");
        // In between somebody takes one.
        let user = format!("user{round}");
        sleeping(engine, &user, &["-v", &format!("{}:/x", hex('c'))]);
        pty.keys("<enter>");
        pty.wait_for("cannot be undone", PATIENCE);
        pty.keys("<enter>");
        pty.wait_gone("cannot be undone", PATIENCE);
        assert_eq!(engine.volume_names().len(), 4, "enter is no yes");
        pty.keys("<enter>");
        pty.wait_for("cannot be undone", PATIENCE);
        pty.keys("y");
        pty.wait_for("removed in part: 3 volumes", PATIENCE);
        assert_eq!(engine.volume_names(), [hex('c')], "{}", pty.text());
        pty.keys("<ctrl-c>");
        assert_eq!(pty.wait_exit(PATIENCE).exit_code(), 0);
        assert!(pty.is_restored());
        engine.run(["rm", "-f", &user]);
        engine.run(["volume", "rm", &hex('c')]);
    }
}

fn read_only_the_screen_offers_nothing_that_changes(engine: &Engine) {
    volume(engine, &[], &hex('a'));
    let home = Home::new();
    let mut pty = Pty::start(&home, &vole().on(engine.host()).line(&["--read-only"]), 120, 40);
    pty.wait_for("aaaaaaaaaaaa", PATIENCE);
    pty.keys("n");
    pty.settle(Duration::from_millis(200), PATIENCE);
    assert!(!pty.text().contains("new volume"), "{}", pty.text());
    pty.keys("P");
    pty.wait_for("Safe", PATIENCE);
    for keys in ["<space>", "<enter>", "y", "d"] {
        pty.keys(keys);
        pty.settle(Duration::from_millis(150), PATIENCE);
        assert!(!pty.text().contains("cannot be undone"), "{keys}: {}", pty.text());
    }
    pty.keys("?");
    pty.wait_for("keys that work here", PATIENCE);
    assert!(!pty.text().contains("Removes"), "{}", pty.text());
    pty.keys("<esc><ctrl-c>");
    pty.wait_exit(PATIENCE);
    assert_eq!(engine.volume_names(), [hex('a')]);
}

/// An engine that goes away half way: what was not tried is said, and said at once.
#[test]
fn without_the_engine_the_rest_is_not_tried_one_by_one() {
    let Some(engine) = world::own(Family::Docker) else {
        return;
    };
    for at in 0..40 {
        volume(&engine, &[], &format!("{at:064x}"));
    }
    let removed = AtomicUsize::new(0);
    let proxy = Proxy::answering(&engine.socket(), move |request| {
        let gone = removed.load(Ordering::SeqCst) >= 5;
        if request.method == "DELETE" {
            removed.fetch_add(1, Ordering::SeqCst);
        }
        gone.then_some(Reply::Raw(Vec::new()))
    });
    let ran = vole().on(proxy.host()).run(&["prune", "--yes", "--json"]).expect(3);
    let left = engine.volume_names().len();
    let done = ran.json();
    assert_eq!(names(&done, "removed").len() + names(&done, "failed").len(), 40);
    assert!(left >= 35 && names(&done, "removed").len() <= 5, "{left} are left");
    assert!(
        done["failed"][6]["reason"].as_str().unwrap().contains("not tried"),
        "{done:#}"
    );
}

/// A full data root takes no helper, no image and no event; removals are what people need then.
#[test]
fn with_the_data_root_full_prune_still_frees_it() {
    let Some(engine) = world::own_on_small_disk("120M") else {
        return;
    };
    volume(&engine, &[], &hex('a'));
    volume(&engine, &[], &hex('b'));
    let cache = engine.mount_point(&hex('a')).join("node_modules/big");
    fs::create_dir_all(&cache).unwrap();
    fs::write(cache.join("blob"), vec![7; 8 << 20]).unwrap();
    world::fill_disk(&engine);
    let probe = engine.dir().join("data/probe");
    assert!(fs::write(&probe, vec![7; 1 << 20]).is_err());
    let done = vole()
        .on(engine.host())
        .run(&["prune", "--yes", "--json"])
        .expect(0)
        .json();
    assert_eq!(
        names(&done, "removed"),
        BTreeSet::from([hex('a'), hex('b')]),
        "{done:#}"
    );
    assert!(done["freed_bytes"].as_u64().unwrap() >= 8 << 20, "{done:#}");
    fs::write(&probe, vec![7; 1 << 20]).unwrap();
}

#[test]
fn a_removal_that_is_interrupted_says_what_is_done() {
    let Some(engine) = world::own(Family::Docker) else {
        return;
    };
    for at in 0..60 {
        volume(&engine, &[], &format!("{at:064x}"));
    }
    let (seen, slow) = (AtomicUsize::new(0), Duration::from_millis(60));
    let proxy = Proxy::answering(&engine.socket(), move |request| {
        if request.method == "DELETE" {
            seen.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(slow);
        }
        None
    });
    let home = Home::new();
    let mut pty = Pty::start(&home, &vole().on(proxy.host()).line(&["prune", "--yes"]), 120, 40);
    pty.wait_for("/60", PATIENCE);
    pty.keys("<ctrl-c>");
    assert_eq!(pty.wait_exit(PATIENCE).exit_code(), 130, "{}", pty.text());
    let left = engine.volume_names().len();
    assert!(left > 0 && left < 60, "{left} are left");
    assert!(
        pty.text().contains(&format!("removed {} volume", 60 - left)),
        "{}",
        pty.text()
    );
    assert!(pty.text().contains("cancelled"), "{}", pty.text());
}
