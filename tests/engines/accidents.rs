//! The accidents on record, rebuilt on real engines: engines that lie once, changes between plan and commit. Nothing
//! precious is ever proposed as safe, and no row is removed that changed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use std::sync::Arc;

use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use vole::engine::connect::{ConnectOptions, connect};
use vole::model::VolumeName;
use vole::ops::prune::{self, Filter, Scope, Step};
use vole_test_support::{Engine, Home, IMAGE, PATIENCE, Proxy, Pty, Reply};

use crate::removal::{container, fill, hex, names, sleeping, volume};
use crate::world::{on_own_engines, vole};

on_own_engines! {
    what_was_written_deep_inside_a_plan_that_stood_for_long_stays
    the_accidents_on_record_do_not_happen
    what_changed_between_plan_and_commit_stays
    an_engine_that_lies_once_loses_nothing
    a_name_that_is_gone_never_stands_for_a_longer_one
    what_is_mounted_in_a_volume_is_never_deleted_with_it
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
    for digit in ['a', 'b', 'c', 'd', 'e'] {
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
    // A container that came, wrote and went.
    let short = format!("{}:/x", hex('e'));
    engine.run([
        "run",
        "--rm",
        "--network",
        "none",
        "-v",
        &short,
        IMAGE,
        "touch",
        "/x/only-copy",
    ]);
    pty.keys("y<enter>");
    let status = pty.wait_exit(PATIENCE);
    assert_eq!(status.exit_code(), 3, "{}", pty.text());
    let left: BTreeSet<String> = engine.volume_names().into_iter().collect();
    assert_eq!(left, BTreeSet::from(['a', 'b', 'c', 'e'].map(hex)), "{}", pty.text());
    assert!(engine.mount_point(&hex('b')).join("data").exists());
    assert!(engine.mount_point(&hex('e')).join("only-copy").exists());
    let text = pty.text();
    assert!(text.contains("used by late") && text.contains("path binds"), "{text}");
}

/// How an engine lies about its containers.
type Lie = (&'static str, fn(Value) -> Reply);

/// On its bad day.
const LIES: [Lie; 3] = [
    ("500", |_| Reply::Json(500, json!({"message": "a bad day"}))),
    ("empty", |truth| Reply::Json(200, thinned(truth, |_| false))),
    // Of the volumes those go that say something of others.
    ("half", |truth| {
        Reply::Json(
            200,
            thinned(truth, |row| {
                row["Options"].as_object().is_none_or(|all| all.is_empty()) && row["State"] != "running"
            }),
        )
    }),
];

/// A list of containers or volumes with fewer rows.
fn thinned(mut list: Value, keep: fn(&Value) -> bool) -> Value {
    let rows = if list.is_array() {
        &mut list
    } else {
        &mut list["Volumes"]
    };
    rows.as_array_mut().unwrap().retain(keep);
    list
}

fn an_engine_that_lies_once_loses_nothing(engine: &Engine) {
    // Empty ones, so that only their use keeps them: by name, by path, by a stopped container, by another volume.
    for digit in ['a', 'b', 'c', 'd'] {
        volume(engine, &[], &hex(digit));
    }
    container(engine, "stopped", &["-v", &format!("{}:/x", hex('c'))], &["true"]);
    let path = |digit: char| engine.mount_point(&hex(digit)).display().to_string();
    sleeping(engine, "by-path", &["-v", &format!("{}:/x", path('b'))]);
    sleeping(engine, "by-name", &["-v", &format!("{}:/x", hex('a'))]);
    let device = format!("device={}", path('d'));
    volume(engine, &["-o", "type=none", "-o", "o=bind", "-o", &device], "by-device");
    for list in ["/containers/json", "/volumes"] {
        let truth = vole_test_support::get(&engine.socket(), &format!("/v1.40{list}?all=1"));
        for (lie, reply) in LIES {
            // The first, the second, … such list is the lie: twice while planning, and at the commit.
            for nth in 0..4 {
                volume(engine, &[], &hex('f'));
                let (asked, truth) = (AtomicUsize::new(0), truth.clone());
                let proxy = Proxy::answering(&engine.socket(), move |request| {
                    let whole = request.path == list && !request.query.contains("dangling");
                    (whole && asked.fetch_add(1, Ordering::SeqCst) == nth).then(|| reply(truth.clone()))
                });
                let ran = vole().on(proxy.host()).run(&["prune", "--yes", "--json"]);
                let left: BTreeSet<String> = engine.volume_names().into_iter().collect();
                for kept in ['a', 'b', 'c', 'd'].map(hex) {
                    assert!(
                        left.contains(&kept),
                        "{lie} as answer {nth} of {list} lost {kept}: {}",
                        ran.text()
                    );
                }
                engine.try_run(&["volume", "rm", &hex('f')]);
            }
        }
    }
}

/// Podman would take the start of a name for the whole.
fn a_name_that_is_gone_never_stands_for_a_longer_one(engine: &Engine) {
    volume(engine, &[], "app");
    volume(engine, &[], "app_data");
    fill(engine, "app_data", &["only-copy"]);
    let asked = AtomicUsize::new(0);
    let mut faster = engine.client();
    faster.args(["volume", "rm", "app"]);
    let faster = Mutex::new(faster);
    let proxy = Proxy::answering(&engine.socket(), move |request| {
        // Somebody else is faster, after everything was listed.
        if request.path.ends_with("/volumes/app") && asked.fetch_add(1, Ordering::SeqCst) == 0 {
            let ran = faster.lock().unwrap().output().unwrap();
            assert!(ran.status.success(), "{ran:?}");
        }
        None
    });
    let ran = vole().on(proxy.host()).run(&["rm", "app", "--yes"]).expect(1);
    assert!(ran.stderr.contains("gone already"), "{}", ran.stderr);
    assert_eq!(engine.volume_names(), ["app_data"]);
}

/// A file system that is mounted somewhere in an otherwise empty volume: the engine would empty it.
fn what_is_mounted_in_a_volume_is_never_deleted_with_it(engine: &Engine) {
    volume(engine, &[], &hex('a'));
    volume(engine, &[], "named");
    let mut mounted = Vec::new();
    for name in [hex('a'), "named".to_owned()] {
        let point = engine.mount_point(&name).join("uploads");
        fs::create_dir(&point).unwrap();
        mounted.push(Mounted::tmpfs(&point));
        fs::write(point.join("only-copy"), "x").unwrap();
    }
    let on = vole().on(engine.host());
    let plan = on.run(&["prune", "--named", "--yes", "--json"]).expect(0).json();
    assert_eq!(names(&plan, "removed"), BTreeSet::new(), "{plan:#}");
    for name in [&hex('a'), "named"] {
        let row = row(&plan, name);
        assert_eq!(row["blocked"], true, "{row:#}");
        assert!(row["reason"].as_str().unwrap().contains("is mounted in it"), "{row:#}");
    }
    let _ran = on.run(&["rm", "named", "--yes", "--include", "named"]).expect(1);
    assert!(mounted.iter().all(|one| one.0.join("only-copy").exists()));
}

/// A file system that is mounted as long as the test runs.
struct Mounted(PathBuf);

impl Mounted {
    fn tmpfs(point: &Path) -> Self {
        let ran = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(point)
            .status();
        assert!(ran.unwrap().success(), "no tmpfs at {}", point.display());
        Self(point.to_owned())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let ran = Command::new("umount").arg("-l").arg(&self.0).status();
        if !ran.is_ok_and(|status| status.success()) {
            eprintln!("{} is still mounted", self.0.display());
        }
    }
}

/// A plan may stand on a screen for hours, and a container that came, wrote and went leaves the top directory as it was.
fn what_was_written_deep_inside_a_plan_that_stood_for_long_stays(engine: &Engine) {
    for digit in ['a', 'b'] {
        volume(engine, &[], &hex(digit));
        fill(engine, &hex(digit), &["node_modules/x/index.js"]);
    }
    let elsewhere = engine.dir().join("elsewhere");
    fs::create_dir_all(&elsewhere).unwrap();
    let device = format!("device={}", elsewhere.display());
    volume(engine, &["-o", "type=none", "-o", "o=bind", "-o", &device], "shown");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let report = runtime.block_on(async {
        let options = ConnectOptions {
            host: Some(engine.host()),
            no_helper: true,
            ..ConnectOptions::default()
        };
        let connected = connect(&options).await.unwrap();
        let scope = Scope::Orphans(Filter::default());
        let long_ago = OffsetDateTime::now_utc() - time::Duration::hours(1);
        let (steps, _) = tokio::sync::watch::channel(Step::default());
        let cancel = CancellationToken::new();
        let evidence = prune::gather(&connected, &scope, long_ago, steps, cancel.clone())
            .await
            .unwrap();
        let plan = prune::plan(scope, &evidence, &connected.rules);
        assert_eq!(plan.safe().len(), 2, "{plan:#?}");
        fill(engine, &hex('a'), &["node_modules/x/only-copy"]);
        // What lies elsewhere stays, so it may be written to.
        fs::write(elsewhere.join("log"), "more").unwrap();
        let (to, _news) = tokio::sync::mpsc::channel(16);
        let mut chosen = plan.safe();
        chosen.insert(VolumeName::new("shown"));
        prune::run(&connected, Arc::new(plan), chosen, to, cancel)
            .await
            .unwrap()
    });
    assert_eq!(engine.volume_names(), [hex('a')]);
    assert_eq!(report.removed.len(), 2, "{report:?}");
    assert!(engine.dir().join("elsewhere/log").exists(), "a bind's files stay");
    assert!(report.failed[0].1.contains("written to"), "{report:?}");
}
