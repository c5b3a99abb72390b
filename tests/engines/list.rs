//! The list agrees in full with the engine's own answers: names, kinds, attachments, orphans.

use std::collections::BTreeSet;

use serde_json::Value;
use vole_test_support::Family;

use crate::world::{World, on_engines};

on_engines! {
    names_and_kinds_are_the_engines_own
    attachments_are_the_engines_own
    orphans_are_what_the_engine_calls_dangling
    projects_states_and_options_are_told
    filters_of_ls_agree_with_the_whole_list
}

/// A mount's use: name, container, destination, writable.
type Use = (String, String, String, bool);

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

pub(crate) fn mounts(document: &Value) -> Vec<Value> {
    document["mounts"].as_array().expect("mounts are a list").clone()
}

fn is_volume(mount: &Value) -> bool {
    matches!(mount["kind"].as_str(), Some("named" | "anonymous" | "cluster"))
}

pub(crate) fn row<'a>(mounts: &'a [Value], name: &str) -> &'a Value {
    mounts
        .iter()
        .find(|mount| mount["name"] == name)
        .unwrap_or_else(|| panic!("{name} is not in the list"))
}

fn list(world: &World) -> Vec<Value> {
    mounts(&world.vole().run(&["ls", "--json"]).expect(0).json())
}

fn names_and_kinds_are_the_engines_own(world: &mut World) {
    let document = world.vole().run(&["ls", "--json"]).expect(0).json();
    for field in ["name", "version", "api"] {
        assert!(
            document["engine"][field].is_string(),
            "engine.{field}: {}",
            document["engine"]
        );
    }
    let rows = mounts(&document);
    let mut names: Vec<String> = rows
        .iter()
        .filter(|row| is_volume(row))
        .map(|row| text(&row["name"]))
        .collect();
    names.sort();
    assert_eq!(names, world.engine.volume_names());
    let fields = [
        "id",
        "kind",
        "name",
        "driver",
        "options",
        "labels",
        "project",
        "project_derived",
        "created",
        "size_bytes",
        "files",
        "orphan",
        "reason",
        "attachments",
    ];
    let mut ids = BTreeSet::new();
    for row in &rows {
        for field in fields {
            assert!(row.get(field).is_some(), "{field} is missing in {row}");
        }
        assert!(!text(&row["reason"]).is_empty(), "no reason: {row}");
        assert!(ids.insert(text(&row["id"])), "two rows have the id of {row}");
        let name = text(&row["name"]);
        let hex = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_volume(row) {
            assert_eq!(row["kind"] == "anonymous", hex, "{row}");
        }
    }
}

/// The engine's own view of who uses what, from inspecting every container.
fn inspected(world: &World) -> BTreeSet<Use> {
    let ids = world.engine.container_ids();
    let args = ["inspect"].into_iter().chain(ids.iter().map(String::as_str));
    let all: Value = serde_json::from_str(&world.engine.run(args)).expect("inspect prints JSON");
    let mut uses = BTreeSet::new();
    for container in all.as_array().expect("a list") {
        let who = text(&container["Name"]).trim_start_matches('/').to_owned();
        for mount in container["Mounts"].as_array().expect("a list") {
            let to = text(&mount["Destination"]);
            let name = match mount["Type"].as_str() {
                Some("volume") => text(&mount["Name"]),
                Some("bind") => text(&mount["Source"]),
                _ => format!("{who}:{to}"),
            };
            uses.insert((name, who.clone(), to, mount["RW"] == true));
        }
        for to in container["HostConfig"]["Tmpfs"]
            .as_object()
            .into_iter()
            .flat_map(|tmpfs| tmpfs.keys())
        {
            uses.insert((format!("{who}:{to}"), who.clone(), to.clone(), true));
        }
    }
    uses
}

fn attachments_are_the_engines_own(world: &mut World) {
    let mut uses = BTreeSet::new();
    for row in list(world) {
        for attachment in row["attachments"].as_array().expect("a list") {
            let (who, to) = (text(&attachment["container"]), text(&attachment["destination"]));
            let new = uses.insert((text(&row["name"]), who, to, attachment["rw"] == true));
            assert!(new, "twice in the list: {row}");
        }
    }
    assert_eq!(uses, inspected(world));
}

fn orphans_are_what_the_engine_calls_dangling(world: &mut World) {
    let rows = list(world);
    let mut orphans: Vec<String> = rows
        .iter()
        .filter(|row| row["orphan"] == true)
        .map(|row| text(&row["name"]))
        .collect();
    orphans.sort();
    assert_eq!(orphans, world.engine.dangling());
    assert!(
        rows.iter().all(|row| row["orphan"].is_boolean()),
        "on a healthy engine nothing is unknown"
    );
}

fn projects_states_and_options_are_told(world: &mut World) {
    let rows = list(world);
    let uploads = row(&rows, "shop_uploads");
    assert_eq!(
        (&uploads["project"], &uploads["project_derived"]),
        (&"shop".into(), &false.into())
    );
    let bind = row(&rows, world.fleet.bind.to_str().expect("a path of ours"));
    assert_eq!(bind["kind"], "bind");
    assert_eq!(
        (&bind["project"], &bind["project_derived"]),
        (&"shop".into(), &true.into())
    );
    let state = |name: &str| text(&row(&rows, name)["attachments"][0]["state"]);
    assert_eq!(state("paused_vol"), "paused");
    assert_eq!(state("exited_vol"), "exited");
    assert_eq!(state("created_vol"), "created");
    assert_eq!(state("shared_by_many"), "running");
    assert_eq!(
        text(&row(&rows, "opt_broken_bind")["options"]["device"]),
        "/no/such/dir"
    );
    assert_eq!(text(&row(&rows, "labelled")["labels"]["note"]), "ünïcode ✓");
    assert_eq!(row(&rows, "shop-web-1:/scratch")["kind"], "tmpfs");
    if world.engine.family() == Family::Docker {
        assert_eq!(row(&rows, "memory:/mem")["kind"], "tmpfs");
    }
}

fn filters_of_ls_agree_with_the_whole_list(world: &mut World) {
    let all = list(world);
    let names = |rows: &[Value], keep: &dyn Fn(&Value) -> bool| -> BTreeSet<String> {
        rows.iter()
            .filter(|row| keep(row))
            .map(|row| text(&row["name"]))
            .collect()
    };
    let filtered = |args: &[&str]| names(&mounts(&world.vole().run(args).expect(0).json()), &|_| true);
    assert_eq!(
        filtered(&["ls", "--orphans", "--json"]),
        names(&all, &|row| row["orphan"] == true)
    );
    for kind in ["named", "anonymous", "bind", "tmpfs"] {
        assert_eq!(
            filtered(&["ls", "--kind", kind, "--json"]),
            names(&all, &|row| row["kind"] == kind),
            "{kind}"
        );
    }
    let table = world.vole().run(&["ls"]).expect(0).text();
    assert!(
        table.contains("shop_uploads") && table.contains("shop-web-1"),
        "{table}"
    );
    assert!(!table.contains('\x1b'), "no colour goes into a pipe");
}
