//! The contract on the demo: what holds for every engine holds there, with no engine at all.

use vole_test_support::Ran;

use crate::list::{mounts, text};
use crate::world::vole;

fn demo(args: &[&str]) -> Ran {
    let args: Vec<&str> = ["--demo"].iter().chain(args).copied().collect();
    vole().run(&args)
}

#[test]
fn every_row_has_a_reason_and_orphans_have_no_attachment() {
    let rows = mounts(&demo(&["ls", "--json"]).expect(0).json());
    assert!(rows.len() >= 25, "{} rows", rows.len());
    for row in &rows {
        assert!(!text(&row["reason"]).is_empty(), "{row}");
        if row["orphan"] == true {
            assert_eq!(row["attachments"].as_array().expect("a list").len(), 0, "{row}");
        }
    }
    for kind in ["named", "anonymous", "bind", "tmpfs"] {
        assert!(rows.iter().any(|row| row["kind"] == kind), "no {kind}");
    }
}

#[test]
fn every_volume_can_be_measured_and_browsed_or_says_why_not() {
    let ran = demo(&["du", "--json"]);
    assert_eq!(
        ran.code(),
        3,
        "one of the demo's volumes cannot be mounted: {}",
        ran.stderr
    );
    let document = ran.json();
    let entries = document["entries"].as_array().expect("a list");
    assert!(entries.len() >= 15, "{document:#}");
    for entry in entries {
        let name = text(&entry["volume"]);
        if entry["dirs"] != 0 {
            let tree = demo(&["tree", &name, "--depth", "1", "--json"]).expect(0).json();
            assert!(tree["entries"].is_array(), "{name}: {tree:#}");
        }
    }
}

#[test]
fn the_same_question_has_the_same_answer() {
    assert_eq!(demo(&["du", "--json"]).stdout, demo(&["du", "--json"]).stdout);
}
