//! Copies and new names on real engines: what arrives is what was sent, and a failure leaves no copy.

use std::fs;

use vole_test_support::{Engine, Family, Home, likeness};

use crate::owning::awkward;
use crate::removal::{container, volume};
use crate::restores::{ends, labels, words};
use crate::world::{self, on_own_engines, vole};

on_own_engines! {
    a_clone_is_like_its_source
    a_volume_gets_another_name_when_nothing_knows_it
}

fn a_clone_is_like_its_source(engine: &Engine) {
    volume(engine, &["--label", "app=blog"], "src");
    let top = engine.mount_point("src");
    awkward(&top);
    let before = likeness(&top);
    let (on, home) = (vole().on(engine.host()), Home::new());
    ends(&on, &home, &["clone", "src", "copy"], 2);
    ends(&on, &home, &["clone", "src", "copy", "--yes", "--read-only"], 2);
    ends(&on, &home, &["clone", "src", "copy", "--dry-run"], 0);
    assert_eq!(engine.volume_names(), ["src"]);
    let done = on
        .run_in(&home, &["clone", "src", "copy", "--yes", "--json"])
        .expect(0)
        .json();
    assert_eq!(
        (&done["source"], &done["target"]),
        (&"src".into(), &"copy".into()),
        "{done}"
    );
    assert_eq!(likeness(&engine.mount_point("copy")), before);
    assert_eq!(labels(engine, "copy"), labels(engine, "src"));
    let ran = on.run_in(&home, &["clone", "src", "copy", "--yes"]).expect(1);
    assert!(words(&ran).contains("already"), "{}", words(&ran));
    let host = engine.dir().join("srv");
    fs::create_dir_all(host.join("d")).unwrap();
    fs::write(host.join("d/f"), "f").unwrap();
    ends(&on, &home, &["clone", host.to_str().unwrap(), "of-path", "--yes"], 0);
    assert_eq!(likeness(&engine.mount_point("of-path")), likeness(&host));
    // Options that show live data need a word.
    let device = format!("device={}", host.display());
    volume(engine, &["-o", "type=none", "-o", "o=bind", "-o", &device], "bound");
    let ran = on.run_in(&home, &["clone", "bound", "again", "--yes"]).expect(1);
    assert!(words(&ran).contains("--include again"), "{}", words(&ran));
    assert!(!engine.volume_names().contains(&"again".to_owned()));
    ends(&on, &home, &["clone", "bound", "again", "--plain", "--yes"], 0);
    assert_eq!(likeness(&engine.mount_point("again")), likeness(&host));
    let status = on
        .command(&home, &["clone", "src", "killed", "--yes"])
        .env("VOLE_FAULT", "restore:before-confirm")
        .status();
    assert_eq!(status.unwrap().code(), None);
    ends(&on, &home, &["recover", "--yes"], 0);
    assert!(!engine.volume_names().contains(&"killed".to_owned()));
    engine.wait_without_helpers();
}

fn a_volume_gets_another_name_when_nothing_knows_it(engine: &Engine) {
    volume(
        engine,
        &[
            "--label",
            "com.docker.compose.project=shop",
            "--label",
            "com.docker.compose.volume=db",
        ],
        "shop_db",
    );
    let top = engine.mount_point("shop_db");
    awkward(&top);
    let (before, was) = (likeness(&top), labels(engine, "shop_db"));
    let (on, home) = (vole().on(engine.host()), Home::new());
    container(engine, "stopped", &["-v", "shop_db:/data"], &["true"]);
    let ran = on.run_in(&home, &["rename", "shop_db", "db", "--yes"]).expect(1);
    assert!(words(&ran).contains("stopped"), "{}", words(&ran));
    assert_eq!(engine.volume_names(), ["shop_db"]);
    engine.run(["rm", "-f", "stopped"]);
    ends(&on, &home, &["rename", "shop_db", "db"], 2);
    let ran = on.run_in(&home, &["rename", "shop_db", "db", "--dry-run"]).expect(0);
    assert!(words(&ran).contains("compose"), "{}", words(&ran));
    assert_eq!(engine.volume_names(), ["shop_db"]);
    let done = on
        .run_in(&home, &["rename", "shop_db", "db", "--yes", "--json"])
        .expect(0)
        .json();
    assert_eq!(done["removed"], true, "{done}");
    assert_eq!(engine.volume_names(), ["db"]);
    assert_eq!(likeness(&engine.mount_point("db")), before);
    assert_eq!(labels(engine, "db"), was);
    // Killed between the two: both are there.
    let status = on
        .command(&home, &["rename", "db", "other", "--yes"])
        .env("VOLE_FAULT", "rename:copied")
        .status();
    assert_eq!(status.unwrap().code(), None);
    assert_eq!(engine.volume_names(), ["db", "other"]);
    assert_eq!(likeness(&engine.mount_point("other")), before);
    engine.wait_without_helpers();
}

#[test]
fn a_volume_is_cloned_to_another_engine() {
    for (from, to) in [(Family::Docker, Family::Podman), (Family::Podman, Family::Docker)] {
        let (Some(from), Some(to)) = (world::own(from), world::own(to)) else {
            continue;
        };
        volume(&from, &["--label", "app=blog"], "src");
        awkward(&from.mount_point("src"));
        let (on, home, host) = (vole().on(from.host()), Home::new(), to.host());
        let args = ["clone", "src", "copy", "--to-host", &host, "--yes", "--json"];
        let done = on.run_in(&home, &args).expect(0).json();
        assert_eq!(done["target"], "copy", "{done}");
        assert_eq!(likeness(&to.mount_point("copy")), likeness(&from.mount_point("src")));
        assert_eq!(from.volume_names(), ["src"]);
        assert_eq!(to.volume_names(), ["copy"]);
        assert_eq!((from.helper_ids().len(), to.helper_ids().len()), (0, 0));
    }
}
