//! Changing owners and taking that back on real engines: what is refused, what is kept, what a kill leaves.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{XattrFlags, lsetxattr};
use vole_test_support::{Engine, Family, Home, PATIENCE, Pty, attributes, dump, until};

use crate::removal::{container, sleeping, volume};
use crate::world::{self, on_own_engines, vole};

on_own_engines! {
    what_chown_clears_is_kept_and_undo_gives_it_back
    dangerous_paths_are_refused_however_they_are_reached
    nothing_changes_without_a_word
    a_killed_chown_is_taken_back
    what_changed_since_is_left_alone_by_undo
}

/// A tree with everything that a chown can spoil.
pub(crate) fn awkward(top: &Path) {
    let file = |name: &str, mode: u32, owner: (u32, u32)| {
        let path = top.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, name).unwrap();
        chown(&path, Some(owner.0), Some(owner.1)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    file("plain", 0o644, (0, 0));
    file("right", 0o4755, (1000, 1000));
    file("suid", 0o4755, (0, 0));
    file("sgid", 0o2755, (0, 5));
    file("capable", 0o755, (0, 0));
    // cap_net_bind_service=ep, as the kernel keeps it.
    let mut capability = 0x0200_0001_u32.to_le_bytes().to_vec();
    capability.extend([0x400_u32, 0, 0, 0].iter().flat_map(|word| word.to_le_bytes()));
    lsetxattr(
        top.join("capable"),
        "security.capability",
        &capability,
        XattrFlags::empty(),
    )
    .unwrap();
    file("dir/listed", 0o640, (7, 8));
    for (name, entry) in [
        ("dir/listed", "system.posix_acl_access"),
        ("dir", "system.posix_acl_default"),
    ] {
        lsetxattr(top.join(name), entry, &list(), XattrFlags::empty()).unwrap();
    }
    lsetxattr(top.join("plain"), "user.note", b"kept", XattrFlags::empty()).unwrap();
    fs::set_permissions(top.join("dir"), fs::Permissions::from_mode(0o3775)).unwrap();
    fs::hard_link(top.join("plain"), top.join("dir/again")).unwrap();
    symlink("/etc/passwd", top.join("away")).unwrap();
    symlink("dir", top.join("inside")).unwrap();
    file("odd/latin1", 0o600, (3, 3));
    let odd: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"nl\n\xff\x1b[31m");
    fs::rename(top.join("odd/latin1"), top.join("odd").join(odd)).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        top.join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
}

fn list() -> Vec<u8> {
    let none = u32::MAX;
    let mut raw = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in [
        (1_u16, 6_u16, none),
        (2, 6, 33),
        (4, 4, none),
        (0x10, 6, none),
        (0x20, 0, none),
    ] {
        raw.extend(tag.to_le_bytes());
        raw.extend(permissions.to_le_bytes());
        raw.extend(id.to_le_bytes());
    }
    raw
}

/// A tmpfs in a tree of the host, with a file; unmounted when dropped.
struct Submount(PathBuf);

impl Submount {
    fn new(at: PathBuf) -> Self {
        fs::create_dir_all(&at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "below"])
            .arg(&at)
            .status()
            .unwrap();
        assert!(mounted.success());
        let submount = Self(at);
        fs::write(submount.0.join("theirs"), "theirs").unwrap();
        submount
    }
}

impl Drop for Submount {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(
            unmounted.is_ok_and(|status| status.success()),
            "{} stays mounted",
            self.0.display()
        );
    }
}

fn what_chown_clears_is_kept_and_undo_gives_it_back(engine: &Engine) {
    let host = engine.dir().join("tree");
    fs::create_dir(&host).unwrap();
    volume(engine, &[], "plainvol");
    let device = format!("device={}", host.display());
    volume(engine, &["-o", "type=none", "-o", "o=bind", "-o", &device], "bindvol");
    let inside = engine.mount_point("plainvol");
    awkward(&host);
    awkward(&inside);
    let _on_host = Submount::new(host.join("mounted"));
    let _in_volume = Submount::new(inside.join("mounted"));
    let on = vole().on(engine.host());
    let home = Home::new();
    for (name, top) in [
        ("plainvol", &inside),
        ("bindvol", &host),
        (host.to_str().unwrap(), &host),
    ] {
        let before = dump(top);
        let dry = on
            .run_in(&home, &["chown", name, "1000:1000", "--dry-run", "--json"])
            .expect(0)
            .json();
        assert_eq!(dump(top), before, "{name}: a dry run changed something");
        assert!(dry["journal"].is_null(), "{dry}");
        let done = on
            .run_in(&home, &["chown", name, "1000:1000", "--yes", "--json"])
            .run_code(&[0, 3]);
        assert_eq!(done["change"], dry["change"], "{name}: {dry} {done}");
        for entry in [
            "plain",
            "suid",
            "sgid",
            "capable",
            "dir",
            "dir/listed",
            "away",
            "inside",
            "pipe",
            ".",
        ] {
            let meta = fs::symlink_metadata(top.join(entry)).unwrap();
            assert_eq!((meta.uid(), meta.gid()), (1000, 1000), "{name}: {entry}");
        }
        let mode = |entry: &str| fs::symlink_metadata(top.join(entry)).unwrap().mode() & 0o7777;
        assert_eq!(
            (mode("suid"), mode("sgid"), mode("dir"), mode("right")),
            (0o4755, 0o2755, 0o3775, 0o4755),
            "{name}"
        );
        let kept =
            |entry: &str, attribute: &str| attributes(&top.join(entry)).iter().any(|(name, _)| name == attribute);
        assert!(
            kept("capable", "security.capability") && kept("plain", "user.note"),
            "{name}"
        );
        assert!(
            kept("dir", "system.posix_acl_default") && kept("dir/listed", "system.posix_acl_access"),
            "{name}"
        );
        for below in ["mounted", "mounted/theirs"] {
            let meta = fs::symlink_metadata(top.join(below)).unwrap();
            assert_eq!(
                (meta.uid(), meta.gid()),
                (0, 0),
                "{name}: {below} is another file system's"
            );
        }
        assert_eq!(fs::metadata("/etc/passwd").unwrap().uid(), 0, "a symlink was followed");
        let journal = done["journal"].as_str().unwrap();
        let undone = on.run_in(&home, &["undo", journal, "--yes", "--json"]).expect(0).json();
        assert_eq!(undone["restored"], done["change"], "{name}: {undone}");
        assert_eq!(dump(top), before, "{name}: undone");
        let again = on.run_in(&home, &["undo", journal, "--yes", "--json"]);
        assert_eq!(again.json()["restored"], 0, "{name}: undone twice");
        assert_eq!(dump(top), before);
    }
    assert_eq!(engine.helper_ids(), Vec::<String>::new());
}

trait RunCode {
    fn run_code(self, codes: &[i32]) -> serde_json::Value;
}

impl RunCode for vole_test_support::Ran {
    fn run_code(self, codes: &[i32]) -> serde_json::Value {
        assert!(
            codes.contains(&self.code()),
            "ended with {}: {}{}",
            self.code(),
            self.text(),
            self.stderr
        );
        self.json()
    }
}

fn dangerous_paths_are_refused_however_they_are_reached(engine: &Engine) {
    // Places that are refused, and hold nothing of worth should the refusal fail.
    let keys = engine.dir().join("someone/.ssh");
    fs::create_dir_all(keys.join("deep")).unwrap();
    fs::write(keys.join("id"), "secret").unwrap();
    let link = engine.dir().join("link");
    symlink(&keys, &link).unwrap();
    let device = |path: &Path| format!("device={}", path.display());
    let options = ["-o", "type=none", "-o", "o=bind", "-o"];
    for (name, path) in [
        ("direct", keys.clone()),
        ("linked", link.clone()),
        ("deep", keys.join("deep")),
    ] {
        let device = device(&path);
        volume(engine, &[options.as_slice(), &[device.as_str()]].concat(), name);
    }
    let bind = format!("{}:/data", link.display());
    sleeping(engine, "user", &["-v", &bind]);
    let on = vole().on(engine.host());
    let before = dump(&keys);
    let data = engine.dir().join("data");
    let (link, keys_name, data) = (link.to_str().unwrap(), keys.to_str().unwrap(), data.to_str().unwrap());
    let dotted = format!("{keys_name}/../.ssh/./");
    for name in ["direct", "linked", "deep", link, keys_name, &dotted] {
        let ran = on.run(&["chown", name, "1234:1234", "--yes"]);
        assert_eq!(ran.code(), 1, "{name}: {}{}", ran.text(), ran.stderr);
        assert!(
            format!("{}{}", ran.text(), ran.stderr).contains("refuse"),
            "{name}: {}{}",
            ran.text(),
            ran.stderr
        );
        assert_eq!(dump(&keys), before, "{name}");
    }
    // These are only asked about: a failure must cost nothing.
    for name in [
        "/",
        "/etc",
        "/etc/",
        "//usr",
        "/var",
        "/boot",
        "/home",
        "/root",
        "/proc",
        "/sys",
        "/dev",
        "/etc/../etc",
        data,
    ] {
        let ran = on.run(&["chown", name, "1234:1234", "--dry-run", "--json"]).expect(1);
        assert!(
            format!("{}{}", ran.text(), ran.stderr).contains("refuse"),
            "{name}: {}{}",
            ran.text(),
            ran.stderr
        );
    }
    volume(engine, &[options.as_slice(), &["device=/etc"]].concat(), "etc");
    let ran = on.run(&["chown", "etc", "1234:1234", "--dry-run", "--json"]).expect(1);
    assert!(format!("{}{}", ran.text(), ran.stderr).contains("/etc"));
}

fn nothing_changes_without_a_word(engine: &Engine) {
    volume(engine, &[], "vol");
    let top = engine.mount_point("vol");
    fs::write(top.join("f"), "x").unwrap();
    // Beside the volume: a link cannot leave the file system that its mount shows.
    let outside = top.parent().unwrap().join("outside");
    let before = dump(&top);
    let on = vole().on(engine.host());
    for (args, code) in [
        (["chown", "vol", "1000:1000"].as_slice(), 2),
        (&["chown", "vol", "1000:1000", "--json"], 2),
        (&["chown", "vol", "1000:1000", "--dry-run"], 0),
        (&["chown", "vol", "1000:1000", "--yes", "--read-only"], 2),
        (&["chown", "vol", "app:app", "--yes"], 2),
        (&["chown", "vol", "-1:0", "--yes"], 2),
        (&["chown", "vol", "4294967295:0", "--yes"], 2),
        (&["chown", "vol", "99999999999:0", "--yes"], 2),
        (&["chown", "vol", "", "--yes"], 2),
        (&["chown", "vol", ":", "--yes"], 2),
        (&["chown", "vol:no/such", "1:1", "--yes"], 1),
        (&["chown", "vol:../..", "1:1", "--yes"], 2),
        (&["chown", "no-such-volume", "1:1", "--yes"], 1),
        (&["chmod", "vol", "u+q", "--yes"], 2),
        (&["chmod", "vol", "9777", "--yes"], 2),
        (&["undo", "no-such-journal", "--yes"], 1),
    ] {
        let ran = on.run(args);
        assert_eq!(ran.code(), code, "{args:?}: {}{}", ran.text(), ran.stderr);
        assert_eq!(dump(&top), before, "{args:?}");
    }
    // A file with a name outside needs the mount's name.
    fs::hard_link(top.join("f"), &outside).unwrap();
    let before = dump(&top);
    let ran = on.run(&["chown", "vol", "1000:1000", "--yes"]);
    assert_eq!(ran.code(), 1, "{}{}", ran.text(), ran.stderr);
    assert_eq!(dump(&top), before);
    let home = Home::new();
    let done = on
        .run_in(
            &home,
            &["chown", "vol", "1000:1000", "--yes", "--include", "vol", "--json"],
        )
        .expect(0)
        .json();
    assert_eq!(fs::metadata(&outside).unwrap().uid(), 1000);
    let undone = on.run_in(&home, &["undo", done["journal"].as_str().unwrap(), "--yes", "--json"]);
    assert_eq!(undone.code(), 0, "{}{}", undone.text(), undone.stderr);
    assert_eq!(dump(&top), before);
    // So does one whose other user would lose it.
    fs::remove_file(&outside).unwrap();
    container(
        engine,
        "other",
        &["-u", "2000:2000", "-v", "vol:/d"],
        &["sleep", "1000000"],
    );
    let ran = on.run(&["chown", "vol", "1000:1000", "--yes"]);
    assert_eq!(ran.code(), 1, "{}{}", ran.text(), ran.stderr);
    assert!(
        format!("{}{}", ran.text(), ran.stderr).contains("other"),
        "{}{}",
        ran.text(),
        ran.stderr
    );
}

/// Many files in many directories, made quickly.
fn many(top: &Path, dirs: usize, files: usize) {
    for dir in 0..dirs {
        let dir = top.join(format!("d{dir}"));
        fs::create_dir(&dir).unwrap();
        for file in 0..files {
            fs::File::create(dir.join(format!("f{file}"))).unwrap();
        }
    }
}

fn a_killed_chown_is_taken_back(engine: &Engine) {
    volume(engine, &[], "vol");
    let top = engine.mount_point("vol");
    many(&top, 100, 300);
    let before = dump(&top);
    let on = vole().on(engine.host());
    let home = Home::new();
    let changed = || {
        dump(&top)
            .iter()
            .filter(|line| line.contains("owner 1000:1000"))
            .count()
    };
    let mut child = on
        .command(&home, &["chown", "vol", "1000:1000", "--yes"])
        .spawn()
        .unwrap();
    until("the chown is under way", PATIENCE, || {
        (fs::symlink_metadata(top.join("d0")).unwrap().uid() == 1000 || changed() > 0).then_some(())
    });
    child.kill().unwrap();
    child.wait().unwrap();
    engine.wait_without_helpers();
    let listed = on.run_in(&home, &["undo", "--list", "--json"]).expect(0).json();
    assert_eq!(listed["journals"].as_array().unwrap().len(), 1, "{listed}");
    let reached = changed();
    let undone = on.run_in(&home, &["undo", "--yes", "--json"]).expect(0).json();
    assert_eq!(undone["restored"], reached, "{undone}");
    assert_eq!(dump(&top), before);
}

fn what_changed_since_is_left_alone_by_undo(engine: &Engine) {
    volume(engine, &[], "vol");
    let top = engine.mount_point("vol");
    for name in ["kept", "replaced", "moved", "given", "gone"] {
        fs::write(top.join(name), name).unwrap();
    }
    let on = vole().on(engine.host());
    let home = Home::new();
    let done = on
        .run_in(&home, &["chown", "vol", "1000:1000", "--yes", "--json"])
        .expect(0)
        .json();
    fs::write(top.join("new"), "new").unwrap();
    fs::rename(top.join("new"), top.join("replaced")).unwrap();
    chown(top.join("replaced"), Some(1000), Some(1000)).unwrap();
    chown(top.join("given"), Some(7), Some(7)).unwrap();
    fs::remove_file(top.join("gone")).unwrap();
    let ran = on
        .run_in(&home, &["undo", done["journal"].as_str().unwrap(), "--yes", "--json"])
        .expect(3);
    let undone = ran.json();
    let owner = |name: &str| fs::metadata(top.join(name)).unwrap().uid();
    assert_eq!(
        (owner("kept"), owner("moved"), owner("replaced"), owner("given")),
        (0, 0, 1000, 7)
    );
    let skipped = undone["skipped"].as_array().unwrap();
    assert_eq!(skipped.len(), 3, "{undone}");
    for name in ["replaced", "given", "gone"] {
        assert!(
            skipped.iter().any(|entry| entry.to_string().contains(name)),
            "{name}: {undone}"
        );
    }
}

#[test]
fn a_fix_is_made_and_taken_back_on_the_screen() {
    let Some(engine) = world::own(Family::Docker) else {
        return;
    };
    volume(&engine, &[], "data");
    let top = engine.mount_point("data");
    fs::write(top.join("f"), "x").unwrap();
    container(
        &engine,
        "app",
        &["-u", "1000:1000", "-v", "data:/data"],
        &["sh", "-c", "echo x > /data/new"],
    );
    let before = dump(&top);
    let home = Home::new();
    let mut pty = Pty::start(&home, &vole().on(engine.host()).line(&[]), 80, 24);
    pty.wait_for("data", PATIENCE);
    pty.keys("D");
    pty.wait_for("ownership", PATIENCE);
    pty.keys("o");
    pty.wait_for("1000:1000", PATIENCE);
    pty.wait_for("For instance", PATIENCE);
    pty.keys("<enter>");
    pty.wait_for("leave everything", PATIENCE);
    pty.keys("y");
    until("the owner is changed", PATIENCE, || {
        (fs::metadata(top.join("f")).unwrap().uid() == 1000).then_some(())
    });
    engine.run(["start", "app"]);
    until("the container can write", PATIENCE, || {
        top.join("new").exists().then_some(())
    });
    fs::remove_file(top.join("new")).unwrap();
    pty.settle(std::time::Duration::from_millis(300), PATIENCE);
    pty.keys("<esc><esc>");
    pty.settle(std::time::Duration::from_millis(300), PATIENCE);
    pty.keys("z");
    pty.wait_for("chown 1000:1000", PATIENCE);
    pty.keys("<enter>");
    pty.settle(std::time::Duration::from_millis(300), PATIENCE);
    pty.keys("y");
    until("it is taken back", PATIENCE, || {
        (fs::metadata(top.join("f")).unwrap().uid() == 0).then_some(())
    });
    let owners = |lines: &[String]| -> Vec<String> {
        lines
            .iter()
            .map(|line| line.split(" size ").next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(owners(&dump(&top)), owners(&before));
    pty.keys("q");
    pty.settle(std::time::Duration::from_millis(300), PATIENCE);
}
