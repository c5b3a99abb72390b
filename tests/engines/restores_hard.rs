//! Restores on real engines that must not succeed: bad archives, cut pipes, kills, no room. What was there stays.

use std::fs;
use std::path::Path;
use std::process::Command;

use vole_test_support::{Engine, Family, Home, IMAGE, Vole, likeness};

use crate::owning::awkward;
use crate::removal::volume;
use crate::restores::{archive, ends, fed, no_staging, words};
use crate::world::{self, on_own_engines, vole};

on_own_engines! {
    what_is_no_whole_archive_changes_nothing
    a_pipe_that_is_cut_leaves_no_volume
    a_killed_restore_leaves_the_old_or_the_new
    a_new_volume_that_shows_the_host_says_what_gives_way
}

/// An archive that would write outside of what it is unpacked into.
fn evil(path: &Path) {
    let script = "import io,sys,tarfile
t=tarfile.open(sys.argv[1],'w')
def add(name,**more):
    i=tarfile.TarInfo(name)
    for k,v in more.items(): setattr(i,k,v)
    i.size=4 if i.type==tarfile.REGTYPE else 0
    t.addfile(i,io.BytesIO(b'evil') if i.size else None)
add('good')
add('out',type=tarfile.SYMTYPE,linkname=sys.argv[2])
add('out/written')
add('../climbed')
t.close()";
    let outside = path.parent().unwrap().join("outside");
    fs::create_dir_all(&outside).unwrap();
    let ran = Command::new("python3")
        .args(["-c", script])
        .arg(path)
        .arg(&outside)
        .status();
    assert!(ran.unwrap().success());
}

fn what_is_no_whole_archive_changes_nothing(engine: &Engine) {
    volume(engine, &[], "src");
    awkward(&engine.mount_point("src"));
    volume(engine, &[], "dst");
    let top = engine.mount_point("dst");
    fs::write(top.join("precious"), "precious").unwrap();
    let before = likeness(&top);
    let (on, home) = (vole().on(engine.host()), Home::new());
    let good = archive(&on, &home, engine, "src");
    let whole = fs::read(&good).unwrap();
    let dir = engine.dir().join("bad");
    fs::create_dir_all(&dir).unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let evil_path = dir.join("evil.tar");
    evil(&evil_path);
    let names = engine.volume_names();
    for (bad, codes) in [
        (file("empty", b""), [4, 1]),
        (file("garbage", &b"no archive at all\n".repeat(1000)), [4, 1]),
        (file("cut", &whole[..whole.len() / 2]), [4, 4]),
        (file("short", &whole[..whole.len() - 1]), [4, 4]),
        (file("flipped", &flipped), [4, 4]),
        (file("longer", &[whole.as_slice(), b"x"].concat()), [4, 4]),
        (evil_path, [1, 4]),
        (dir.join("no-such-file"), [1, 1]),
        (dir.clone(), [1, 1]),
    ] {
        let bad = bad.to_str().unwrap();
        for target in [["--as", "dst", "--overwrite"].as_slice(), &["--as", "fresh"]] {
            let more = ["--strip-components", "0", "--yes", "--include", target[1]];
            let ran = on.run_in(&home, &[&["restore", bad], target, &more].concat());
            assert!(
                codes.contains(&ran.code()),
                "{bad} {target:?}: {}: {}",
                ran.code(),
                words(&ran)
            );
            assert_eq!(likeness(&top), before, "{bad}: {}", words(&ran));
            assert_eq!(engine.volume_names(), names, "{bad}: {}", words(&ran));
        }
    }
    // Whole, but nothing of its names is left.
    let unproved = file("renamed", &whole);
    for bad in [good.to_str().unwrap(), unproved.to_str().unwrap()] {
        for target in [
            ["--as", "dst", "--overwrite"].as_slice(),
            &["--as", "dst", "--overwrite", "--in-place"],
            &["--as", "fresh"],
        ] {
            let more = ["--strip-components", "50", "--yes", "--include", target[1]];
            let ran = on.run_in(&home, &[&["restore", bad], target, &more].concat()).expect(1);
            assert!(words(&ran).contains("nothing is left of the names"), "{}", words(&ran));
            assert_eq!(likeness(&top), before, "{bad}: {}", words(&ran));
            assert_eq!(engine.volume_names(), names, "{bad}: {}", words(&ran));
        }
    }
    let input = [
        "restore",
        "-",
        "--as",
        "dst",
        "--overwrite",
        "--strip-components",
        "50",
        "--yes",
        "--include",
        "dst",
    ];
    let (code, said) = fed(&on, &home, &input, &whole);
    assert!(
        code == 1 && said.contains("nothing is left of the names"),
        "{code}: {said}"
    );
    assert_eq!(likeness(&top), before, "{said}");
    let outside: Vec<_> = fs::read_dir(dir.join("outside")).unwrap().collect();
    assert!(outside.is_empty() && !dir.join("climbed").exists(), "{outside:?}");
    no_staging(&top);
    engine.wait_without_helpers();
}

fn a_pipe_that_is_cut_leaves_no_volume(engine: &Engine) {
    volume(engine, &[], "src");
    let top = engine.mount_point("src");
    awkward(&top);
    let noise: Vec<u8> = (0..3_000_000_u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3])
        .collect();
    fs::write(top.join("noise"), noise).unwrap();
    volume(engine, &[], "dst");
    let old_top = engine.mount_point("dst");
    fs::write(old_top.join("precious"), "precious").unwrap();
    let old = likeness(&old_top);
    let (on, home) = (vole().on(engine.host()), Home::new());
    let whole = fs::read(archive(&on, &home, engine, "src")).unwrap();
    let names = engine.volume_names();
    for length in [0, 100, whole.len() / 2, whole.len() - 45, whole.len() - 1] {
        for (target, typed) in [
            (["--as", "w"].as_slice(), "w"),
            (&["--as", "dst", "--overwrite"], "dst"),
        ] {
            let args = [&["restore", "-", "--yes", "--include", typed], target].concat();
            let (code, said) = fed(&on, &home, &args, &whole[..length]);
            assert!(matches!(code, 1 | 4), "{length} {target:?}: {code}: {said}");
            assert_eq!(engine.volume_names(), names, "{length}: {said}");
            assert_eq!(likeness(&old_top), old, "{length}: {said}");
        }
    }
    // As the shell has it.
    let line = |args: &[&str]| on.line(args).join(" ");
    let script = format!(
        "{} | head -c 100000 | {}",
        line(&["backup", "src", "--to", "-"]),
        line(&["restore", "-", "--as", "w", "--yes"])
    );
    let ran = Command::new("bash")
        .args(["-c", &script])
        .env_clear()
        .envs(home.variables())
        .output()
        .unwrap();
    assert!(!ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(engine.volume_names(), names);
    let args = [
        "restore",
        "-",
        "--as",
        "dst",
        "--overwrite",
        "--include",
        "dst",
        "--yes",
    ];
    let (code, said) = fed(&on, &home, &args, &whole);
    assert_eq!(code, 0, "{said}");
    assert_eq!(likeness(&old_top), likeness(&top));
    engine.wait_without_helpers();
}

fn killed_at(on: &Vole, home: &Home, point: &str, args: &[&str]) {
    let status = on.command(home, args).env("VOLE_FAULT", point).status().unwrap();
    assert_eq!(status.code(), None, "{point}: it was not killed: {status}");
}

fn a_killed_restore_leaves_the_old_or_the_new(engine: &Engine) {
    volume(engine, &[], "src");
    awkward(&engine.mount_point("src"));
    let new = likeness(&engine.mount_point("src"));
    volume(engine, &[], "dst");
    let top = engine.mount_point("dst");
    let (on, home) = (vole().on(engine.host()), Home::new());
    let path = archive(&on, &home, engine, "src");
    let path = path.to_str().unwrap();
    let names = engine.volume_names();
    for point in [
        "before-create",
        "created",
        "made",
        "before-confirm",
        "confirmed",
        "placed",
    ] {
        let point = format!("restore:{point}");
        killed_at(&on, &home, &point, &["restore", path, "--as", "fresh", "--yes"]);
        engine.wait_without_helpers();
        let said = on.run_in(&home, &["ls"]).expect(0).stderr;
        if matches!(point.as_str(), "restore:confirmed" | "restore:placed") {
            // It is whole, and somebody may use it by now: nobody takes it away.
            assert!(!said.contains("vole recover"), "{point}: {said}");
            let ran = on.run_in(&home, &["recover", "--yes", "--json"]).expect(0);
            assert_eq!(ran.json()["recovered"], serde_json::json!([]), "{point}");
            assert_eq!(likeness(&engine.mount_point("fresh")), new, "{point}");
            engine.run(["volume", "rm", "fresh"]);
            continue;
        }
        assert!(said.contains("vole recover"), "{point}: {said}");
        let ran = on.run_in(&home, &["recover", "--yes", "--json"]).expect(0);
        assert_eq!(
            ran.json()["recovered"].as_array().unwrap().len(),
            1,
            "{point}: {}",
            words(&ran)
        );
        assert_eq!(engine.volume_names(), names, "{point}: {}", words(&ran));
        let again = on.run_in(&home, &["recover", "--yes", "--json"]).expect(0);
        assert_eq!(again.json()["unfinished"], serde_json::json!([]), "{point}");
    }
    for point in ["made", "before-confirm", "confirmed", "placed"] {
        for entry in fs::read_dir(&top).unwrap() {
            let entry = entry.unwrap().path();
            match entry.symlink_metadata().unwrap().is_dir() {
                true => fs::remove_dir_all(entry).unwrap(),
                false => fs::remove_file(entry).unwrap(),
            }
        }
        fs::write(top.join("precious"), "precious").unwrap();
        let old = likeness(&top);
        let point = format!("restore:{point}");
        let args = [
            "restore",
            path,
            "--as",
            "dst",
            "--overwrite",
            "--yes",
            "--include",
            "dst",
        ];
        killed_at(&on, &home, &point, &args);
        engine.wait_without_helpers();
        let ran = on.run_in(&home, &["recover", "--yes", "--json"]).expect(0);
        no_staging(&top);
        let now = likeness(&top);
        match point.as_str() {
            "restore:made" | "restore:before-confirm" => assert_eq!(now, old, "{point}: {}", words(&ran)),
            // The helper finishes what was begun, or has not begun it: never between the two.
            "restore:confirmed" => assert!(now == old || now == new, "{point}: {now:#?}"),
            _ => assert_eq!(now, new, "{point}: {}", words(&ran)),
        }
    }
}

#[test]
fn a_target_without_room_keeps_what_it_holds() {
    let Some(engine) = world::own_on_small_disk("120M") else {
        return;
    };
    let Some(other) = world::own(Family::Docker) else {
        return;
    };
    volume(&other, &[], "src");
    let noise: Vec<u8> = (0..150_000_000_u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3])
        .collect();
    fs::write(other.mount_point("src").join("noise"), noise).unwrap();
    let home = Home::new();
    let path = archive(&vole().on(other.host()), &home, &other, "src");
    let path = path.to_str().unwrap();
    let on = vole().on(engine.host());
    volume(&engine, &[], "dst");
    let top = engine.mount_point("dst");
    fs::write(top.join("precious"), "precious").unwrap();
    let (before, names) = (likeness(&top), engine.volume_names());
    for target in [
        ["--as", "dst", "--overwrite", "--include", "dst"].as_slice(),
        &["--as", "fresh"],
    ] {
        let ran = on
            .run_in(&home, &[&["restore", path, "--yes"], target].concat())
            .expect(1);
        assert!(words(&ran).contains("the contents take"), "{}", words(&ran));
        // From a pipe nobody knows before.
        let bytes = fs::read(path).unwrap();
        let (code, said) = fed(&on, &home, &[&["restore", "-", "--yes"], target].concat(), &bytes);
        assert_eq!(code, 1, "{said}");
        assert_eq!(likeness(&top), before, "{said}");
        assert_eq!(engine.volume_names(), names, "{said}");
    }
    no_staging(&top);
}

fn a_new_volume_that_shows_the_host_says_what_gives_way(engine: &Engine) {
    let host = engine.dir().join("srv");
    fs::create_dir(&host).unwrap();
    fs::write(host.join("old"), "old").unwrap();
    let device = format!("device={}", host.display());
    volume(engine, &["-o", "type=none", "-o", "o=bind", "-o", &device], "shown");
    let (on, home) = (vole().on(engine.host()), Home::new());
    let file = archive(&on, &home, engine, "shown");
    let file = file.to_str().unwrap();
    engine.run(["volume", "rm", "shown"]);
    fs::write(host.join("since"), "since").unwrap();
    let restore = |more: &[&str]| on.run_in(&home, &[&["restore", file], more].concat());
    let asks = |contents: &str| {
        let ran = restore(&["--dry-run"]).expect(0);
        assert!(words(&ran).contains(contents), "{}", words(&ran));
        // What the typed name is for is not done without it.
        let ran = restore(&["--yes"]).expect(1);
        assert!(words(&ran).contains("--include shown"), "{}", words(&ran));
        assert!(engine.volume_names().is_empty());
    };
    asks("what that holds now is replaced");
    assert_eq!(fs::read_to_string(host.join("since")).unwrap(), "since");
    let bound = format!("{}:/d", host.display());
    let run = [
        "run",
        "-d",
        "--network",
        "none",
        "--name",
        "user",
        "-v",
        &bound,
        IMAGE,
        "sleep",
        "1000000",
    ];
    engine.run(run);
    let ran = restore(&["--yes", "--include", "shown"]).expect(1);
    assert!(words(&ran).contains("user has"), "{}", words(&ran));
    assert!(engine.volume_names().is_empty() && host.join("since").exists());
    engine.run(["rm", "-f", "user"]);
    ends(&on, &home, &["restore", file, "--yes", "--include", "shown"], 0);
    assert_eq!(fs::read_to_string(host.join("old")).unwrap(), "old");
    assert!(!host.join("since").exists());
    engine.run(["volume", "rm", "shown"]);
    fs::remove_file(host.join("old")).unwrap();
    asks("which is empty");
    // An ordinary volume has nothing to do with the host.
    ends(&on, &home, &["restore", file, "--yes", "--plain"], 0);
    assert_eq!(fs::read_dir(&host).unwrap().count(), 0);
    assert_eq!(
        fs::read_to_string(engine.mount_point("shown").join("old")).unwrap(),
        "old"
    );
    engine.wait_without_helpers();
}
