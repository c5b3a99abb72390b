//! Removals on real engines: each accident on record rebuilt, engines that lie once, changes between plan and commit.
//! Nothing precious is ever proposed as safe, and no row is removed that changed.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use vole_test_support::{Engine, Family, Home, IMAGE, PATIENCE, Proxy, Pty, Ran, Reply};

use crate::world::{self, vole};

/// One test per family, each with an engine of its own: these remove things.
macro_rules! on_own_engines {
    ($($name:ident)*) => {
        mod docker {
            $(#[test] fn $name() {
                if let Some(engine) = crate::world::own(vole_test_support::Family::Docker) { super::$name(&engine); }
            })*
        }
        mod podman {
            $(#[test] fn $name() {
                if let Some(engine) = crate::world::own(vole_test_support::Family::Podman) { super::$name(&engine); }
            })*
        }
    };
}

on_own_engines! {
    the_accidents_on_record_do_not_happen
    what_changed_between_plan_and_commit_stays
    an_engine_that_lies_once_loses_nothing
    nothing_is_removed_without_a_word
    rm_says_who_uses_a_volume_and_takes_stopped_containers_along
    what_exists_is_never_taken_for_a_new_volume
    from_the_plan_on_the_screen_to_the_last_row
    read_only_the_screen_offers_nothing_that_changes
}

/// A name as engines generate them.
fn hex(digit: char) -> String {
    std::iter::repeat_n(digit, 64).collect()
}

fn volume(engine: &Engine, options: &[&str], name: &str) {
    engine.run(
        ["volume", "create"]
            .into_iter()
            .chain(options.iter().copied())
            .chain([name]),
    );
}

/// Writes files into a volume's directory on this machine.
fn fill(engine: &Engine, volume: &str, files: &[&str]) {
    let top = engine.mount_point(volume);
    for file in files {
        let path = top.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "15\n").unwrap();
    }
}

fn container(engine: &Engine, name: &str, options: &[&str], command: &[&str]) {
    let fixed = ["run", "-d", "--network", "none", "--name", name];
    let args = fixed.into_iter().chain(options.iter().copied()).chain([IMAGE]);
    engine.run(args.chain(command.iter().copied()));
}

fn sleeping(engine: &Engine, name: &str, options: &[&str]) {
    container(engine, name, options, &["sleep", "1000000"]);
}

fn names(document: &Value, group: &str) -> BTreeSet<String> {
    let rows = document[group]
        .as_array()
        .unwrap_or_else(|| panic!("no {group}: {document}"));
    rows.iter()
        .map(|row| row["name"].as_str().unwrap().to_owned())
        .collect()
}

fn row<'a>(document: &'a Value, name: &str) -> &'a Value {
    let groups = ["safe", "ask", "keep"]
        .iter()
        .flat_map(|group| document[*group].as_array().unwrap());
    groups
        .into_iter()
        .find(|row| row["name"] == name)
        .unwrap_or_else(|| panic!("{name} is not in the plan: {document:#}"))
}

const POSTGRES: &[&str] = &["PG_VERSION", "global/pg_control", "base/1/112"];

/// The fleet of accidents. Anonymous volumes are told by their names, so that both families have the same.
fn accidents(engine: &Engine) {
    for digit in ['a', 'b', 'c', 'd', 'e'] {
        volume(engine, &[], &hex(digit));
    }
    fill(engine, &hex('a'), POSTGRES);
    fill(
        engine,
        &hex('b'),
        &["node_modules/left-pad/index.js", "node_modules/.package-lock.json"],
    );
    // c stays empty; d is empty and bound by its path; e is held by a stopped container.
    sleeping(
        engine,
        "by-path",
        &["-v", &format!("{}:/x", engine.mount_point(&hex('d')).display())],
    );
    container(engine, "stopped", &["-v", &format!("{}:/x", hex('e'))], &["true"]);
    let project = |project: &str, volume: &str| {
        vec![
            "--label".to_owned(),
            format!("com.docker.compose.project={project}"),
            "--label".to_owned(),
            format!("com.docker.compose.volume={volume}"),
        ]
    };
    for (owner, name) in [("shop", "shop_dbdata"), ("store", "store_dbdata")] {
        let own = project(owner, "dbdata");
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        volume(engine, &own, name);
        fill(engine, name, POSTGRES);
    }
    sleeping(
        engine,
        "store-db-1",
        &[
            "-v",
            "store_dbdata:/d",
            "--label",
            "com.docker.compose.project=store",
            "--label",
            "com.docker.compose.service=db",
        ],
    );
    let data = engine.dir().join("precious");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("only-copy"), "x").unwrap();
    let device = format!("device={}", data.display());
    volume(engine, &["-o", "type=none", "-o", "o=bind", "-o", &device], "opt_bind");
    volume(engine, &[], "named_empty");
    volume(engine, &[], "named_unknown");
    fill(engine, "named_unknown", &["only-copy.bin"]);
    volume(engine, &["--label", "vole.class=critical"], "declared");
}

fn the_accidents_on_record_do_not_happen(engine: &Engine) {
    accidents(engine);
    let proxy = Proxy::start(&engine.socket(), |_| false);
    let vole = vole().on(proxy.host());
    let plan = vole.run(&["prune", "--dry-run", "--json"]).expect(0).json();
    assert_eq!(names(&plan, "safe"), BTreeSet::from([hex('b'), hex('c')]), "{plan:#}");
    assert!(names(&plan, "ask").contains("named_empty"), "{plan:#}");
    assert!(names(&plan, "ask").contains("named_unknown"), "{plan:#}");
    assert!(names(&plan, "ask").contains("opt_bind"), "{plan:#}");
    for kept in [
        &hex('a'),
        &hex('d'),
        &hex('e'),
        "shop_dbdata",
        "store_dbdata",
        "declared",
    ] {
        assert!(names(&plan, "keep").contains(kept), "{kept}: {plan:#}");
    }
    let says = |name: &str, words: &[&str]| {
        let row = row(&plan, name);
        for word in words {
            assert!(row.to_string().contains(word), "{word} is not said of {name}: {row:#}");
        }
    };
    says(&hex('a'), &["PostgreSQL 15", "anonymous"]);
    says(&hex('b'), &["JS deps"]);
    says(&hex('d'), &["by-path", "\"blocked\":true"]);
    says(&hex('e'), &["stopped", "\"blocked\":true"]);
    says(
        "shop_dbdata",
        &[
            "lives on as store",
            "re-attach",
            "volumes: { dbdata: { external: true, name: shop_dbdata } }",
        ],
    );
    says("opt_bind", &["leaves the files there"]);
    assert!(plan["removed"].as_array().unwrap().is_empty());
    let before: BTreeSet<String> = engine.volume_names().into_iter().collect();

    let done = vole.run(&["prune", "--yes", "--json"]).expect(0).json();
    assert_eq!(names(&done, "removed"), BTreeSet::from([hex('b'), hex('c')]));
    assert!(done["freed_bytes"].as_u64().unwrap() > 0);
    let gone = |more: &[&str]| -> BTreeSet<String> {
        let gone: BTreeSet<String> = more.iter().map(|name| (*name).to_owned()).collect();
        before.difference(&gone).cloned().collect()
    };
    let left = || engine.volume_names().into_iter().collect::<BTreeSet<String>>();
    assert_eq!(left(), gone(&[&hex('b'), &hex('c')]));

    let named = vole.run(&["prune", "--named", "--yes", "--json"]).expect(0).json();
    assert_eq!(names(&named, "removed"), BTreeSet::from(["named_empty".to_owned()]));
    let included = vole
        .run(&[
            "prune",
            "--yes",
            "--json",
            "--include",
            "named_unknown",
            "--include",
            "opt_bind",
        ])
        .expect(0);
    assert_eq!(names(&included.json(), "removed").len(), 2);
    assert_eq!(
        left(),
        gone(&[&hex('b'), &hex('c'), "named_empty", "named_unknown", "opt_bind"])
    );
    assert!(engine.dir().join("precious/only-copy").exists(), "a bind's files stay");

    // What was asked on the wire: exact names, nothing forced, no prune.
    let requests = proxy.requests();
    assert!(!requests.iter().any(|line| line.contains("prune")), "{requests:#?}");
    let volumes = requests.iter().filter(|line| line.starts_with("DELETE /volumes/"));
    let deleted: BTreeSet<&str> = volumes
        .clone()
        .filter_map(|line| line.split(['/', '?']).nth(2))
        .collect();
    let expected = [hex('b'), hex('c')];
    let mut expected: BTreeSet<&str> = expected.iter().map(String::as_str).collect();
    expected.extend(["named_empty", "named_unknown", "opt_bind"]);
    assert_eq!(deleted, expected);
    assert!(
        !volumes
            .into_iter()
            .any(|line| line.contains("force=1") || line.contains("force=true"))
    );
}

fn what_changed_between_plan_and_commit_stays(engine: &Engine) {
    for digit in ['a', 'b', 'c', 'd'] {
        volume(engine, &[], &hex(digit));
    }
    let home = Home::new();
    let line = vole().on(engine.host()).line(&["prune"]);
    let mut pty = Pty::start(&home, &line, 120, 40);
    pty.wait_for("[y/N]", PATIENCE);
    // Attached by name; made anew; attached by its path.
    sleeping(engine, "late", &["-v", &format!("{}:/x", hex('a'))]);
    engine.run(["volume", "rm", &hex('b')]);
    volume(engine, &[], &hex('b'));
    fill(engine, &hex('b'), &["data"]);
    sleeping(
        engine,
        "path",
        &["-v", &format!("{}:/x", engine.mount_point(&hex('c')).display())],
    );
    pty.keys("y<enter>");
    let status = pty.wait_exit(PATIENCE);
    assert_eq!(status.exit_code(), 3, "{}", pty.text());
    let left: BTreeSet<String> = engine.volume_names().into_iter().collect();
    assert_eq!(left, BTreeSet::from(['a', 'b', 'c'].map(hex)), "{}", pty.text());
    assert!(engine.mount_point(&hex('b')).join("data").exists());
    let text = pty.text();
    assert!(text.contains("used by late") && text.contains("path binds"), "{text}");
}

/// How an engine lies about its containers.
type Lie = (&'static str, fn(Value) -> Reply);

/// On its bad day.
const LIES: [Lie; 3] = [
    ("500", |_| Reply::Json(500, json!({"message": "a bad day"}))),
    ("empty", |_| Reply::Json(200, json!([]))),
    ("half", |list| {
        let half: Vec<Value> = list.as_array().into_iter().flatten().skip(1).cloned().collect();
        Reply::Json(200, Value::Array(half))
    }),
];

fn an_engine_that_lies_once_loses_nothing(engine: &Engine) {
    // Empty ones, so that only their use keeps them: by name, by path, by a stopped container.
    for digit in ['a', 'b', 'c'] {
        volume(engine, &[], &hex(digit));
    }
    container(engine, "stopped", &["-v", &format!("{}:/x", hex('c'))], &["true"]);
    sleeping(
        engine,
        "by-path",
        &["-v", &format!("{}:/x", engine.mount_point(&hex('b')).display())],
    );
    sleeping(engine, "by-name", &["-v", &format!("{}:/x", hex('a'))]);
    let truth = vole_test_support::get(&engine.socket(), "/v1.40/containers/json?all=1");
    assert_eq!(truth.as_array().unwrap().len(), 3);
    for (lie, reply) in LIES {
        // The first, the second, … list of containers is the lie: while planning, and at the commit.
        for nth in 0..5 {
            volume(engine, &[], &hex('f'));
            let (asked, truth) = (AtomicUsize::new(0), truth.clone());
            let proxy = Proxy::answering(&engine.socket(), move |request| {
                let of_containers = request.path.ends_with("/containers/json");
                (of_containers && asked.fetch_add(1, Ordering::SeqCst) == nth).then(|| reply(truth.clone()))
            });
            let ran = vole().on(proxy.host()).run(&["prune", "--yes", "--json"]);
            let left: BTreeSet<String> = engine.volume_names().into_iter().collect();
            for kept in ['a', 'b', 'c'].map(hex) {
                assert!(
                    left.contains(&kept),
                    "{lie} as answer {nth} lost {kept}: {}",
                    ran.text()
                );
            }
            engine.try_run(&["volume", "rm", &hex('f')]);
        }
    }
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
