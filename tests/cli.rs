//! The command line against the demo: shapes that scripts rely on, exit codes, what goes to which stream.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests: what cannot be set up or read is a failed test"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Runs vole in surroundings of its own: no engine, no home, nothing of the person who tests.
fn vole_in(home: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vole"))
        .args(arguments)
        .env_clear()
        .env("HOME", home)
        .env("VOLE_DEMO_INSTANT", "1")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn vole(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    vole_in(home.path(), arguments)
}

/// Runs a command of the demo that must end with `code`; returns both streams.
fn demo(code: i32, arguments: &[&str]) -> (String, String) {
    let output = vole(&[&["--demo"], arguments].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{stdout}\n{stderr}");
    (stdout, stderr)
}

fn json(code: i32, arguments: &[&str]) -> Value {
    let (stdout, _) = demo(code, &[arguments, &["--json"]].concat());
    serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("no one document: {error}\n{stdout}"))
}

fn fields(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Times move with the demo's clock.
fn timeless(mut value: Value) -> Value {
    fn visit(value: &mut Value) {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    if matches!(key.as_str(), "created" | "modified") && value.is_string() {
                        *value = Value::from("[time]");
                    }
                    visit(value);
                }
            }
            Value::Array(array) => array.iter_mut().for_each(visit),
            _ => {}
        }
    }
    visit(&mut value);
    value
}

fn pretty(value: Value) -> String {
    serde_json::to_string_pretty(&timeless(value)).unwrap()
}

#[test]
fn ls_lists_every_mount_with_every_field() {
    let list = json(0, &["ls"]);
    assert_eq!(fields(&list), ["engine", "mounts"]);
    assert_eq!(fields(&list["engine"]), ["api", "name", "version"]);
    let mounts = list["mounts"].as_array().unwrap();
    for mount in mounts {
        let wanted = [
            "attachments",
            "class",
            "created",
            "driver",
            "files",
            "fingerprint",
            "id",
            "kind",
            "labels",
            "name",
            "options",
            "orphan",
            "project",
            "project_derived",
            "reason",
            "size_bytes",
        ];
        assert_eq!(fields(mount), wanted);
        for attachment in mount["attachments"].as_array().unwrap() {
            let wanted = [
                "container",
                "destination",
                "options",
                "propagation",
                "rw",
                "state",
                "subpath",
            ];
            assert_eq!(fields(attachment), wanted);
        }
    }
    let named = |name: &str| mounts.iter().find(|mount| mount["name"] == name).unwrap().clone();
    insta::assert_snapshot!("ls_volume", pretty(named("shop_uploads")));
    insta::assert_snapshot!("ls_alive_by_path", pretty(named("backups")));
}

#[test]
fn ls_with_sizes_says_what_contents_look_like_and_what_class_they_are() {
    let list = json(3, &["ls", "--sizes"]);
    let mounts = list["mounts"].as_array().unwrap();
    let said = |name: &str| {
        let mount = mounts.iter().find(|mount| mount["name"] == name).unwrap();
        (mount["fingerprint"].clone(), mount["class"].clone())
    };
    for (name, fingerprint, class) in [
        ("shop_dbdata", "PostgreSQL 16", Some("critical")),
        ("monitoring_prometheus", "Prometheus", Some("important")),
        ("ci_cargo", "build cache", Some("temporary")),
        ("test-data", "empty", Some("temporary")),
        ("shop_old_uploads", "unknown", None),
    ] {
        assert_eq!(said(name), (fingerprint.into(), class.into()), "{name}");
    }
    assert_eq!(said("legacy_export"), (Value::Null, Value::Null), "nobody could look");

    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("own.toml");
    fs::write(&file, "[class]\n\"shop_*\" = \"temporary\"\n").unwrap();
    let asked = ["--config", file.to_str().unwrap(), "--demo", "ls", "--json"];
    let list: Value = serde_json::from_slice(&vole_in(home.path(), &asked).stdout).unwrap();
    let mounts = list["mounts"].as_array().unwrap();
    let uploads = mounts.iter().find(|mount| mount["name"] == "shop_uploads").unwrap();
    assert_eq!(
        (&uploads["class"], &uploads["fingerprint"]),
        (&"temporary".into(), &Value::Null)
    );
    fs::write(&file, "[class]\n\"shop_*\" = \"worthless\"\n").unwrap();
    let output = vole_in(home.path(), &asked);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && stderr.contains("line 2"), "{stderr}");
}

#[test]
fn a_removal_whose_output_cannot_be_written_is_never_called_done() {
    let full = |arguments: &[&str]| {
        let home = tempfile::tempdir().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_vole"))
            .args(["--demo", "--yes"])
            .args(arguments)
            .env_clear()
            .env("HOME", home.path())
            .env("VOLE_DEMO_INSTANT", "1")
            .stdin(Stdio::null())
            .stdout(fs::File::options().write(true).open("/dev/full").unwrap())
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, stderr) = full(&["prune"]);
    assert!(code == Some(1) && stderr.contains("nothing was removed"), "{stderr}");
    let (code, stderr) = full(&["prune", "--json"]);
    assert!(code == Some(1) && stderr.contains("No space"), "{stderr}");
    let (code, stderr) = full(&["prune", "--json", "--include", "shop_dbdata"]);
    assert!(
        code == Some(3) && stderr.contains("shop_dbdata was not removed"),
        "{stderr}"
    );
    // A reader that has seen enough.
    let home = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let closed = Command::new(env!("CARGO_BIN_EXE_vole"))
        .args(["--demo", "--yes", "prune"])
        .env_clear()
        .env("HOME", home.path())
        .env("VOLE_DEMO_INSTANT", "1")
        .stdin(Stdio::null())
        .stdout(writer)
        .output()
        .unwrap();
    assert_eq!(closed.status.code(), Some(1));
}

#[test]
fn ls_filters_and_says_why() {
    let all = |arguments: &[&str]| {
        json(0, &[&["ls"], arguments].concat())["mounts"]
            .as_array()
            .unwrap()
            .clone()
    };
    let orphans = all(&["--orphans"]);
    assert!(!orphans.is_empty() && orphans.iter().all(|mount| mount["orphan"] == true));
    assert!(
        all(&["--kind", "volume"])
            .iter()
            .all(|mount| mount["kind"] == "named" || mount["kind"] == "anonymous")
    );
    for kind in ["named", "anonymous", "bind", "tmpfs"] {
        let mounts = all(&["--kind", kind]);
        assert!(
            !mounts.is_empty() && mounts.iter().all(|mount| mount["kind"] == kind),
            "{kind}"
        );
    }
    let (stdout, stderr) = demo(0, &["ls", "--orphans"]);
    assert_eq!(stderr, "");
    insta::assert_snapshot!("ls_orphans", stdout);
}

#[test]
fn du_measures_what_it_may_and_lists_what_it_could_not() {
    let usage = json(3, &["du"]);
    let entries = usage["entries"].as_array().unwrap();
    for entry in entries {
        let wanted = [
            "apparent_bytes",
            "bytes",
            "dirs",
            "errors",
            "files",
            "path",
            "source",
            "volume",
        ];
        assert_eq!(fields(entry), wanted);
    }
    assert!(entries.len() > 20);
    assert!(
        !entries.iter().any(|entry| entry["volume"] == "nas_photos"),
        "nobody asked for the network"
    );
    let (_, stderr) = demo(3, &["du"]);
    assert!(
        stderr.contains("legacy_export: error while mounting volume"),
        "{stderr}"
    );
    assert!(
        stderr.contains("measured only when named, if at all: nas_photos, /proc, /sys"),
        "{stderr}"
    );
    insta::assert_snapshot!("du_depth", pretty(json(0, &["du", "shop_dbdata", "--depth", "1"])));
    insta::assert_snapshot!(
        "du_human",
        demo(0, &["du", "--depth", "1", "shop_dbdata", "shop_redis"]).0
    );
}

#[test]
fn parts_that_fail_are_listed_and_the_rest_is_done() {
    let (stdout, stderr) = demo(3, &["du", "shop_dbdata", "nosuch"]);
    assert!(stdout.contains("shop_dbdata") && stderr.contains("no volume is called nosuch"));
    let (stdout, stderr) = demo(1, &["du", "nosuch", "--json"]);
    assert!(stdout.contains("\"error\": \"no volume is called nosuch"), "{stdout}");
    assert_eq!(stderr, "vole: no volume is called nosuch; `vole ls` lists them all\n");
    demo(1, &["du", "legacy_export"]);
    demo(1, &["tree", "/proc"]);
}

#[test]
fn a_mount_is_listed_read_searched_and_downloaded() {
    insta::assert_snapshot!("tree_human", demo(0, &["tree", "shop_dbdata", "--depth", "1"]).0);
    insta::assert_snapshot!(
        "tree_ascii",
        demo(0, &["--ascii", "tree", "blog_content", "--depth", "2"]).0
    );
    let tree = json(0, &["tree", "shop_dbdata", "--depth", "1"]);
    insta::assert_snapshot!("tree_entry", pretty(tree["entries"][0].clone()));
    assert_eq!(demo(0, &["cat", "shop_dbdata:PG_VERSION"]).0, "16\n");
    let hits = json(0, &["grep", "-F", "16", "shop_dbdata:PG_VERSION"]);
    insta::assert_snapshot!("grep", pretty(hits));
    assert_eq!(demo(0, &["grep", "no such words", "shop_dbdata:PG_VERSION"]).0, "");

    let to = tempfile::tempdir().unwrap();
    let place = to.path().join("copy");
    let got = json(0, &["get", "shop_dbdata:global", place.to_str().unwrap()]);
    assert_eq!(
        fields(&got),
        ["bytes", "destination", "dirs", "files", "skipped", "symlinks"]
    );
    assert_eq!(
        fs::read_dir(&place).unwrap().count() as u64,
        got["files"].as_u64().unwrap()
    );
    let (_, stderr) = demo(
        1,
        &[
            "get",
            "shop_dbdata:PG_VERSION",
            place.join("pg_control").to_str().unwrap(),
        ],
    );
    assert!(stderr.contains("exists already; nothing was written"), "{stderr}");
}

#[test]
fn df_knows_file_systems_and_what_is_no_volume() {
    let df = json(0, &["df"]);
    let wanted = [
        "build_cache_bytes",
        "containers_bytes",
        "file_systems",
        "images",
        "layers_bytes",
        "logs_bytes",
        "volumes_bytes",
    ];
    assert_eq!(fields(&df), wanted);
    let wanted = [
        "available_bytes",
        "free_bytes",
        "inodes",
        "inodes_free",
        "mounts",
        "size_bytes",
        "source",
        "type",
    ];
    assert_eq!(fields(&df["file_systems"][0]), wanted);
    insta::assert_snapshot!("df_human", demo(0, &["df"]).0);
}

#[test]
fn nothing_hostile_reaches_the_output() {
    let (stdout, _) = demo(0, &["tree", "imports", "--depth", "9"]);
    let hostile = |c: &char| c.is_control() && *c != '\n';
    assert_eq!(stdout.chars().find(hostile), None, "{stdout:?}");
    assert!(
        stdout.contains("\\e") && stdout.contains("\\xe9"),
        "the demo has hostile names: {stdout}"
    );
    let tree = json(0, &["tree", "imports", "--depth", "9"]);
    let entries = tree["entries"].as_array().unwrap();
    let in_full = entries.iter().filter(|entry| entry["bytes_b64"].is_string()).count();
    assert!(in_full >= 1, "names that are no UTF-8 come in full too");
}

#[test]
fn exit_codes_are_those_of_the_documents() {
    let code = |arguments: &[&str]| vole(arguments).status.code();
    assert_eq!(code(&["--host", "unix:///no/such.sock", "ls"]), Some(5));
    assert_eq!(code(&["ls"]), Some(5), "no engine anywhere");
    assert_eq!(code(&["frobnicate"]), Some(2));
    assert_eq!(code(&["ls", "--kind", "nonsense"]), Some(2));
    assert_eq!(code(&["--host", "unix:///x", "--context", "y", "ls"]), Some(2));
    assert_eq!(code(&["--demo", "grep", "(", "shop_dbdata"]), Some(2));
    assert_eq!(code(&["--demo", "cat", "shop_dbdata:PG_VERSION", "--json"]), Some(2));
    assert_eq!(code(&["--help"]), Some(0));
    assert_eq!(code(&["--version"]), Some(0));
    assert_eq!(code(&["--demo", "cat", "shop_dbdata:nosuch"]), Some(1));
}

#[test]
fn one_container_knows_a_volume_and_several_know_it() {
    let refused = |volume: &str| demo(1, &["rename", volume, "new", "--yes"]).1;
    let (one, several) = (refused("shop_redis"), refused("shop_uploads"));
    assert!(one.contains("shop-redis-1 knows it by its name"), "{one}");
    assert!(several.contains(" know it by its name"), "{several}");
    assert!(several.contains("remove the containers first"), "{several}");
}

/// The one document of a command that had none to print; its message is what stderr says last.
fn failure(output: &Output) -> Value {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    let document: Value =
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("no one document: {error}\n{stdout}\n{stderr}"));
    assert_eq!(document["exit"], Value::from(output.status.code()), "{stderr}");
    let said = document["error"].as_str().unwrap();
    let told = stderr.ends_with(&format!("vole: {said}\n"));
    assert!(
        told || output.status.code() == Some(130),
        "{said:?} is not in {stderr:?}"
    );
    document
}

#[test]
fn what_fails_before_its_document_prints_one_that_says_why() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().to_str().unwrap();
    let missing = home.path().join("missing.tar");
    let missing = missing.to_str().unwrap();
    let cases: &[(u64, &[&str])] = &[
        (1, &["restore", missing, "--yes"]),
        (1, &["restore", dir, "--as", "new", "--yes"]),
        (2, &["restore", "-", "--path", "..", "--yes"]),
        (1, &["clone", "nobody_made_it", "new", "--yes"]),
        (1, &["rename", "nobody_made_it", "new", "--yes"]),
        (1, &["backups", "/nowhere/at/all"]),
        (1, &["tree", "nobody_made_it"]),
        (1, &["tree", "shop_dbdata:nosuch"]),
        (1, &["get", "shop_dbdata:nosuch", dir]),
        (2, &["grep", "(", "shop_dbdata"]),
        (2, &["rm"]),
        (2, &["chown", "", "0:0"]),
        (2, &["--read-only", "create", "new"]),
        (1, &["undo", "nothing", "--yes"]),
        (2, &["doctor", "nobody_made_it"]),
    ];
    for (code, arguments) in cases {
        let output = vole_in(home.path(), &[&["--demo", "--json"], *arguments].concat());
        assert_eq!(fields(&failure(&output)), ["error", "exit"], "{arguments:?}");
        assert_eq!(failure(&output)["exit"], *code, "{arguments:?}");
    }
    let output = vole_in(home.path(), &["verify", missing, "--json"]);
    let document = failure(&output);
    assert_eq!(fields(&document), ["error", "exit", "path"]);
    assert_eq!((&document["exit"], &document["path"]), (&1.into(), &missing.into()));
    let output = vole_in(home.path(), &["verify", missing, missing, "--json"]);
    let both: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(both["failed"].as_array().unwrap().len(), 2, "several are a list");
}

#[test]
fn an_engine_that_cannot_be_reached_is_told_in_every_document() {
    let home = tempfile::tempdir().unwrap();
    let nowhere = format!("unix://{}", home.path().join("no.sock").display());
    let commands: &[&[&str]] = &[
        &["ls"],
        &["du"],
        &["df"],
        &["doctor"],
        &["prune", "--yes"],
        &["chown", "any", "0:0", "--yes"],
        &["backup", "any"],
        &["restore", "-", "--as", "any", "--yes"],
        &["clone", "any", "other", "--yes"],
        &["recover", "--yes"],
        &["undo"],
    ];
    for arguments in commands {
        let output = vole_in(home.path(), &[&["--host", &nowhere, "--json"], *arguments].concat());
        assert_eq!(failure(&output)["exit"], 5, "{arguments:?}");
    }
}

#[test]
fn a_document_that_was_printed_or_cannot_be_is_not_followed_by_another() {
    // Their documents tell it already.
    for (code, arguments) in [
        (1, &["backup", "shop_redis", "--to", "/nowhere/at/all"] as &[&str]),
        (2, &["prune"]),
        (1, &["chown", "/", "0:0", "--yes"]),
    ] {
        assert_eq!(json(code, arguments)["error"], Value::Null, "{arguments:?}");
    }
    // Bytes stand there.
    for arguments in [
        &["cat", "shop_dbdata:PG_VERSION", "--json"] as &[&str],
        &["backup", "nobody_made_it", "--to", "-", "--json"],
    ] {
        assert_eq!(demo(2, arguments).0, "", "{arguments:?}");
    }
}

/// Interrupts a command as soon as it hears that.
fn interrupt(child: &std::process::Child) {
    let pid = rustix::process::Pid::from_child(child);
    let status = format!("/proc/{}/status", pid.as_raw_nonzero());
    vole_test_support::until("it hears signals", vole_test_support::PATIENCE, || {
        let status = fs::read_to_string(&status).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?.trim();
        let caught = u64::from_str_radix(caught, 16).ok()?;
        (caught & (1 << (rustix::process::Signal::INT.as_raw() - 1)) != 0).then_some(())
    });
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
}

#[test]
fn a_cancelled_command_says_so_in_its_document() {
    let home = tempfile::tempdir().unwrap();
    // An engine that takes the question and never answers it.
    let socket = home.path().join("mute.sock");
    let mute = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let waiting = Command::new(env!("CARGO_BIN_EXE_vole"))
        .args(["--host", &format!("unix://{}", socket.display()), "ls", "--json"])
        .env_clear()
        .env("HOME", home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let asked = mute.accept().unwrap();
    interrupt(&waiting);
    let output = waiting.wait_with_output().unwrap();
    drop(asked);
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(failure(&output), serde_json::json!({"error": "cancelled", "exit": 130}));
}

#[test]
fn a_check_of_a_silent_pipe_is_cancelled() {
    let home = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let waiting = Command::new(env!("CARGO_BIN_EXE_vole"))
        .args(["verify", "-", "--json"])
        .env_clear()
        .env("HOME", home.path())
        .stdin(reader)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    interrupt(&waiting);
    let output = waiting.wait_with_output().unwrap();
    drop(writer);
    assert_eq!(failure(&output), serde_json::json!({"error": "cancelled", "exit": 130}));
}

#[test]
fn a_signal_cancels_with_its_own_code() {
    let home = tempfile::tempdir().unwrap();
    let mut following = Command::new(env!("CARGO_BIN_EXE_vole"))
        .args(["--demo", "cat", "--follow", "shop_logs:access.log"])
        .env_clear()
        .env("HOME", home.path())
        .env("VOLE_DEMO_INSTANT", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // The first byte says that it runs.
    let mut first = [0];
    std::io::Read::read_exact(following.stdout.as_mut().unwrap(), &mut first).unwrap();
    let pid = rustix::process::Pid::from_child(&following);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    // Its output is read to the end, so that it never waits for us.
    std::io::copy(following.stdout.as_mut().unwrap(), &mut std::io::sink()).unwrap();
    assert_eq!(following.wait().unwrap().code(), Some(130));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let home = tempfile::tempdir().unwrap();
    let mut listing = Command::new(env!("CARGO_BIN_EXE_vole"))
        .args(["--demo", "cat", "shop_logs:access.log"])
        .env_clear()
        .env("HOME", home.path())
        .env("VOLE_DEMO_INSTANT", "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(listing.stdout.take());
    let output = listing.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn keys_come_from_the_table_of_actions() {
    let keys = json(0, &["keys"]);
    let rows = keys["keys"].as_array().unwrap();
    assert_eq!(fields(&rows[0]), ["action", "doc", "keys", "section"]);
    let (markdown, _) = demo(0, &["keys", "--markdown"]);
    assert_eq!(markdown.lines().count(), rows.len() + 2);
    assert!(markdown.contains("| Everywhere | `?` `f1` |"), "{markdown}");
    assert!(demo(0, &["completions", "bash"]).0.contains("vole"));
}

#[test]
fn the_demo_keeps_nothing_and_config_says_where_things_are() {
    let home = tempfile::tempdir().unwrap();
    vole_in(home.path(), &["--demo", "du"]);
    assert_eq!(
        fs::read_dir(home.path()).unwrap().count(),
        0,
        "made-up sizes are not worth keeping"
    );
    let output = vole_in(home.path(), &["config", "--json"]);
    let config: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        config["config"]["path"],
        home.path().join(".config/vole/config.toml").to_str().unwrap()
    );
    assert_eq!(config["config"]["exists"], false);
    assert_eq!(config["values"]["sort"], "size");
}

#[test]
fn the_configuration_is_shown_as_it_counts_and_a_bad_one_is_a_usage_error() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("own.toml");
    let run = |text: &str, arguments: &[&str]| {
        fs::write(&file, text).unwrap();
        let output = vole_in(
            home.path(),
            &[&["--config", file.to_str().unwrap()], arguments].concat(),
        );
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), text)
    };
    let good = "sort = \"last-write\"\n[keys]\nhelp = [\"H\"]\n";
    let (code, text) = run(good, &["config"]);
    assert!(code == Some(0) && text.contains("sort = \"last-write\""), "{text}");
    let (code, text) = run(good, &["keys", "--json"]);
    let keys: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &keys["keys"][0]["keys"]), (Some(0), &serde_json::json!(["H"])));
    let (code, text) = run("\nsort = 7\n", &["config"]);
    assert!(code == Some(2) && text.contains("line 2"), "{text}");
}

#[test]
fn the_guard_has_a_session_of_its_own_before_it_says_that_it_is_ready() {
    use std::io::Read as _;
    use std::process::{Command, Stdio};
    let mut guard = Command::new(env!("CARGO_BIN_EXE_vole"))
        .args(["__guard", "unix:///nowhere/x.sock", "00ff"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0];
    guard.stdout.take().unwrap().read_exact(&mut said).unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", guard.id())).unwrap();
    // Behind the name in brackets: state, parent, group, session, terminal.
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    assert_eq!((fields[3], fields[4]), (guard.id().to_string().as_str(), "0"), "{stat}");
    drop(guard.stdin.take());
    assert!(
        guard.wait().unwrap().success(),
        "nothing was made, so there is nothing to do"
    );
}

#[test]
fn owners_and_modes_that_make_no_sense_are_usage_errors() {
    for owner in ["root", "-1", "4294967295", "1:", ":", "1:2:3"] {
        let (stdout, stderr) = demo(2, &["chown", "shop_dbdata", owner]);
        assert_eq!(stdout, "", "{owner}");
        assert!(!stderr.is_empty(), "{owner}");
    }
    for mode in ["9", "u", "rwx", "77777"] {
        demo(2, &["chmod", "shop_dbdata", mode]);
    }
    demo(2, &["--read-only", "chown", "shop_dbdata", "1", "--yes"]);
    demo(2, &["--read-only", "undo", "--yes"]);
}

#[test]
fn undo_lists_without_a_terminal_and_knows_no_strangers_journal() {
    assert_eq!(json(0, &["undo"]), serde_json::json!({ "journals": [] }));
    assert_eq!(json(0, &["undo", "--list"]), serde_json::json!({ "journals": [] }));
    let (_, stderr) = demo(1, &["undo", "../../etc/passwd", "--yes"]);
    assert!(stderr.contains("there is no journal"), "{stderr}");
    let (_, stderr) = demo(1, &["undo", "--yes"]);
    assert!(stderr.contains("nothing to take back"), "{stderr}");
}

#[test]
fn what_belongs_to_the_host_is_refused_with_its_reason() {
    let refused = json(1, &["chown", "/etc", "999", "--yes"]);
    let expected = [
        "blocks",
        "caveats",
        "change",
        "changed",
        "dry_run",
        "journal",
        "mount",
        "path",
        "refused",
        "resolved",
        "sample",
        "skipped",
        "skipped_count",
        "stopped",
        "to",
        "unchanged",
        "unsure",
    ];
    assert_eq!(fields(&refused), expected);
    assert!(refused["refused"].as_str().unwrap().contains("/etc"), "{refused}");
    assert_eq!(
        (&refused["journal"], &refused["changed"]),
        (&Value::Null, &Value::from(0))
    );
}

#[test]
fn archives_are_listed_and_checked_without_an_engine() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name).to_string_lossy().into_owned();
    let run = |code: i32, arguments: &[&str]| {
        // An endpoint at which nothing answers.
        let nowhere = format!("unix://{}", at("no.sock"));
        let output = vole_in(home.path(), &[&["--host", &nowhere], arguments].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{stderr}");
        (String::from_utf8(output.stdout).unwrap(), stderr)
    };
    let document = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let (none, _) = run(0, &["backups", "--json"]);
    assert_eq!(document(&none), serde_json::json!({"archives": [], "warnings": []}));
    assert_eq!(run(0, &["backups"]).0, "");
    assert!(run(1, &["backups", &at("nowhere")]).1.contains("nowhere"));
    fs::write(home.path().join("text"), "no archive\n".repeat(100)).unwrap();
    let (found, _) = run(4, &["verify", &at("text"), "--json"]);
    let found = document(&found);
    let expected = [
        "bytes",
        "content_bytes",
        "damage",
        "damaged",
        "digest",
        "entries",
        "origin",
        "path",
        "sha256",
        "sidecar",
        "status",
        "warnings",
    ];
    assert_eq!(
        (fields(&found), &found["status"]),
        (expected.to_vec(), &Value::from("foreign"))
    );
    assert!(run(4, &["verify", &at("text")]).0.contains(": foreign: "));
    fs::write(home.path().join("few"), "hello\n").unwrap();
    assert!(run(4, &["verify", &at("few")]).0.contains(": foreign: "));
    assert!(run(1, &["verify", &at("nothing")]).1.contains("nothing"));
    assert!(run(1, &["verify", &at("")]).1.contains("no regular file"));
    run(2, &["verify", "-", "-"]);
    run(2, &["verify"]);
    run(5, &["backup", "any"]);
}

#[test]
fn an_archive_that_goes_into_a_pipe_goes_alone() {
    for arguments in [
        &["backup", "shop_dbdata", "--to", "-", "--json"] as &[&str],
        &["backup", "shop_dbdata", "shop_uploads", "--to", "-"],
    ] {
        let (stdout, stderr) = demo(2, arguments);
        assert!(stdout.is_empty() && stderr.contains("--to -"), "{stderr}");
    }
}

#[test]
fn a_backup_of_which_nothing_comes_tells_so_in_its_document() {
    let failed = |arguments: &[&str]| {
        let document = json(1, arguments);
        assert_eq!(
            (fields(&document), &document["archives"]),
            (
                vec!["archives", "cancelled", "failed"],
                &Value::from(Vec::<Value>::new())
            )
        );
        assert_eq!(document["cancelled"], false);
        let failed = document["failed"].as_array().unwrap().iter();
        let pairs = failed.map(|one| {
            assert_eq!(fields(one), ["reason", "volume"]);
            [&one["volume"], &one["reason"]].map(|text| text.as_str().unwrap().to_owned())
        });
        pairs.collect::<Vec<_>>()
    };
    let missing = failed(&["backup", "nobody_made_it"]);
    assert_eq!(missing[0][0], "nobody_made_it");
    assert!(missing[0][1].contains("no volume is called"), "{missing:?}");
    let refused = failed(&["backup", "/nowhere/at/all"]);
    assert_eq!((refused.len(), refused[0][0].as_str()), (1, "/nowhere/at/all"));
    let unplanned = failed(&["backup", "shop_redis", "nobody_made_it", "--to", "/nowhere/at/all"]);
    assert_eq!([&unplanned[0][0], &unplanned[1][0]], ["shop_redis", "nobody_made_it"]);
    assert!(unplanned[0][1].contains("make it first"), "{unplanned:?}");
    let (stdout, stderr) = demo(1, &["backup", "nobody_made_it"]);
    assert!(stdout.is_empty() && stderr.contains("no volume is called"), "{stderr}");
}

#[test]
fn the_demos_volumes_are_copied_checked_and_come_back_and_some_archives_are_there_from_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().to_str().unwrap();
    let made = json(0, &["backup", "shop_redis", "--to", to]);
    let archive = &made["archives"][0];
    assert_eq!(
        (&archive["status"], &archive["volume"]),
        (&Value::from("ok"), &Value::from("shop_redis"))
    );
    let path = archive["path"].as_str().unwrap();
    assert_eq!(json(0, &["verify", path])["status"], "ok");
    let restored = json(0, &["restore", path, "--as", "copied", "--yes"]);
    assert_eq!(restored["entries"], archive["entries"], "{restored}");
    let (_, stderr) = demo(1, &["restore", path, "--overwrite", "--yes"]);
    assert!(
        stderr.contains("shop-redis-1"),
        "a container that runs has it: {stderr}"
    );
    let (_, stderr) = demo(1, &["restore", path, "--as", "copied", "--path", "nothing", "--yes"]);
    assert!(stderr.contains("nothing is not in the archive"), "{stderr}");
    let part = [
        "restore",
        path,
        "--as",
        "test-data",
        "--path",
        "dump.rdb",
        "--overwrite",
        "--yes",
    ];
    assert_eq!(json(0, &part)["entries"], 1);
    let listed = json(0, &["backups"]);
    let volumes: Vec<&str> = listed["archives"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["volume"].as_str())
        .collect();
    assert_eq!(volumes, ["shop_redis", "blog_content", "shop_redis"]);
    let cut = dir.path().join("cut.tar.zst");
    let whole = fs::read(path).unwrap();
    fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let cut = cut.to_str().unwrap();
    assert_eq!(json(4, &["verify", cut])["status"], "truncated");
    let (_, stderr) = demo(4, &["restore", cut, "--as", "copied", "--yes"]);
    assert!(!stderr.is_empty());
}

#[test]
fn a_file_of_the_demo_is_copied_by_its_name() {
    let (home, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = "/opt/monitoring/prometheus.yml";
    let to = out.path().to_str().unwrap();
    let backup = ["--demo", "backup", path, "--to", to, "--compress", "none", "--json"];
    let made = vole_in(home.path(), &backup);
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let one = &made["archives"][0];
    assert_eq!((&one["status"], &one["entries"]), (&"ok".into(), &2.into()));
    let archive = one["path"].as_str().unwrap();
    assert_eq!(vole_in(home.path(), &["verify", archive]).status.code(), Some(0));
    let listed = std::process::Command::new("tar")
        .args(["-tf", archive])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&listed.stdout), "./\n./prometheus.yml\n./\n");
}
