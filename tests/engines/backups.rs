//! Archives of real mounts: what is in them, that other programs read them, and which mounts are copied.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use vole_test_support::{Engine, Home, attributes};

use crate::owning::awkward;
use crate::removal::{sleeping, volume};
use crate::world::{on_own_engines, vole};

on_own_engines! {
    an_archive_is_the_volume_and_proves_it
    every_kind_of_mount_is_copied_or_refused
}

/// What an archive must bring back: everything but the numbers that a file system gives.
fn tree(top: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut left = vec![top.to_owned()];
    while let Some(path) = left.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        if meta.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        let contents = match meta.file_type() {
            kind if kind.is_file() => format!("{:x?}", vole_sum(&path)),
            kind if kind.is_symlink() => format!("-> {}", fs::read_link(&path).unwrap().display()),
            _ => String::new(),
        };
        let links = if meta.is_dir() { 0 } else { meta.nlink() };
        lines.push(format!(
            "{:?} {:o} {}:{} {links} {}.{} {:?} {contents}",
            path.strip_prefix(top).unwrap(),
            meta.mode(),
            meta.uid(),
            meta.gid(),
            meta.mtime(),
            meta.mtime_nsec(),
            attributes(&path),
        ));
    }
    lines.sort();
    lines
}

/// Length and a sum of a file's contents.
fn vole_sum(path: &Path) -> (u64, u64) {
    let mut file = File::open(path).unwrap();
    let (mut length, mut sum) = (0, 0_u64);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = file.read(&mut buffer).unwrap();
        if count == 0 {
            return (length, sum);
        }
        length += count as u64;
        for byte in &buffer[..count] {
            sum = sum.rotate_left(5).wrapping_mul(31).wrapping_add(u64::from(*byte));
        }
    }
}

fn harder(top: &Path) {
    awkward(top);
    let sparse = File::create(top.join("sparse")).unwrap();
    sparse.set_len(40 << 20).unwrap();
    sparse.write_all_at(b"middle", 20 << 20).unwrap();
    fs::write(top.join("x".repeat(255)), "long").unwrap();
    let deep = top.join(["d"; 90].join("/"));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("y".repeat(200)), "deep").unwrap();
    fs::create_dir(top.join("closed")).unwrap();
    fs::write(top.join("closed/secret"), "secret").unwrap();
    fs::set_permissions(top.join("closed/secret"), fs::Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(top.join("closed"), fs::Permissions::from_mode(0o555)).unwrap();
    fs::write(top.join("-rf"), vec![7; 1_000_000]).unwrap();
    symlink("z".repeat(300), top.join("dangling")).unwrap();
    fs::set_permissions(top, fs::Permissions::from_mode(0o700)).unwrap();
    std::os::unix::fs::chown(top, Some(999), Some(998)).unwrap();
}

/// Everything beneath the directories for archives of a home.
pub(crate) fn kept(home: &Home) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![home.path().join("data/vole/backups")];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => left.push(path),
                false => found.push(path),
            }
        }
    }
    found.sort();
    found
}

pub(crate) fn archive(document: &Value) -> (PathBuf, &Value) {
    let [one] = document["archives"].as_array().unwrap().as_slice() else {
        panic!("not one archive: {document}")
    };
    (PathBuf::from(one["path"].as_str().unwrap()), one)
}

fn an_archive_is_the_volume_and_proves_it(engine: &Engine) {
    volume(engine, &["--label", "team=blue"], "hard");
    let top = engine.mount_point("hard");
    harder(&top);
    let _socket = UnixListener::bind(top.join("closed.sock")).unwrap();
    let on = vole().on(engine.host());
    for (compress, program) in [("zstd", "zstd"), ("gzip", "gzip"), ("none", "cat")] {
        let home = Home::new();
        let made = on
            .run_in(
                &home,
                &["--read-only", "backup", "hard", "--compress", compress, "--json"],
            )
            .expect(0)
            .json();
        let (path, one) = archive(&made);
        assert_eq!(
            (&one["volume"], &one["status"]),
            (&"hard".into(), &"ok".into()),
            "{one}"
        );
        assert_eq!(one["origin"]["labels"]["team"], "blue");
        assert!(one["warnings"][0].as_str().unwrap().contains("socket"), "{one}");
        assert_eq!(one["bytes"], fs::metadata(&path).unwrap().len());
        assert_eq!(kept(&home).len(), 2, "{:?}", kept(&home));
        let listed = on.run_in(&home, &["backups", "--json"]).expect(0).json();
        assert_eq!(archive(&listed).1["sha256"], one["sha256"]);
        read_by_others(engine, &top, &path, program);
        proved(&home, &path, one);
    }
}

/// GNU tar makes the same tree of it.
fn read_by_others(engine: &Engine, top: &Path, archive: &Path, program: &str) {
    let out = engine.dir().join("out");
    fs::create_dir(&out).unwrap();
    let script = "$1 -dc <\"$2\" | tar -C \"$3\" --numeric-owner --xattrs --xattrs-include='*' -xpf -";
    let script = if program == "cat" {
        script.replace(" -dc", "")
    } else {
        script.to_owned()
    };
    let output = Command::new("bash")
        .args(["-o", "pipefail", "-c", &script, "read", program])
        .arg(archive)
        .arg(&out)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let socket = |line: &String| !line.starts_with("\"closed.sock\"");
    let was: Vec<String> = tree(top).into_iter().filter(socket).collect();
    let is = tree(&out);
    for (is, was) in is.iter().zip(&was) {
        assert_eq!(is, was);
    }
    assert_eq!(is.len(), was.len());
    fs::remove_dir_all(&out).unwrap();
}

/// It is whole, and any change shows, with and without its sidecar.
fn proved(home: &Home, path: &Path, one: &Value) {
    let check = |path: &Path, code: i32| {
        let ran = vole().run_in(home, &["verify", path.to_str().unwrap(), "--json"]);
        ran.expect(code).json()
    };
    let whole = check(path, 0);
    assert_eq!(whole["status"], "ok");
    for field in ["entries", "bytes", "sha256", "digest"] {
        assert_eq!(whole[field], one[field], "{field}");
    }
    assert_eq!(
        (&whole["sidecar"], &whole["origin"]["name"]),
        (&true.into(), &"hard".into())
    );
    let bytes = fs::read(path).unwrap();
    let copy = home.path().join("copy");
    for cut in [1, 30, 500, bytes.len() / 2, bytes.len() - 100] {
        fs::write(&copy, &bytes[..bytes.len() - cut]).unwrap();
        assert_eq!(check(&copy, 4)["status"], "truncated", "cut by {cut}");
    }
    for at in [bytes.len() / 3, bytes.len() / 2, bytes.len() - 700, bytes.len() - 1] {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        fs::write(&copy, &flipped).unwrap();
        let found = check(&copy, 4);
        assert_eq!(
            found["status"],
            "corrupt",
            "flipped at {at} of {}: {found}",
            bytes.len()
        );
        assert!(found["damage"].is_string(), "{found}");
    }
    fs::write(&copy, "some text that was never an archive\n".repeat(100)).unwrap();
    assert_eq!(check(&copy, 4)["status"], "foreign");
}

pub(crate) fn proved_whole(home: &Home, path: &Path) {
    let ran = vole().run_in(home, &["verify", path.to_str().unwrap()]).expect(0);
    assert!(ran.text().contains(": ok: "), "{}", ran.text());
}

/// A small file system of this machine; unmounted when dropped.
pub(crate) struct Small(pub(crate) PathBuf);

impl Small {
    pub(crate) fn new(at: PathBuf) -> Self {
        fs::create_dir(&at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "small"])
            .arg(&at)
            .status()
            .unwrap();
        assert!(mounted.success());
        Self(at)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.0).status();
        assert!(
            unmounted.is_ok_and(|status| status.success()),
            "{} stays mounted",
            self.0.display()
        );
    }
}

/// Bytes that nothing compresses.
pub(crate) fn noise(path: &Path, megabytes: usize) {
    let mut random = File::open("/dev/urandom").unwrap().take((megabytes as u64) << 20);
    std::io::copy(&mut random, &mut File::create(path).unwrap()).unwrap();
}

fn every_kind_of_mount_is_copied_or_refused(engine: &Engine) {
    let on = vole().on(engine.host());
    let home = Home::new();
    let host = engine.dir().join("free");
    fs::create_dir(&host).unwrap();
    fs::write(host.join("file"), "free-standing").unwrap();
    let path = host.to_str().unwrap();
    let made = on.run_in(&home, &["backup", path, "--json"]).expect(0).json();
    let (archived, one) = archive(&made);
    assert_eq!(
        (&one["origin"]["kind"], &one["entries"]),
        (&"bind".into(), &2.into()),
        "{one}"
    );
    proved_whole(&home, &archived);
    // An archive would hold itself.
    let inside = on.run_in(&home, &["backup", path, "--to", path]).expect(1);
    assert!(inside.stderr.contains("written into it"), "{}", inside.stderr);
    let file = host.join("file");
    let made = on
        .run_in(&home, &["backup", file.to_str().unwrap(), "--json"])
        .expect(0)
        .json();
    let (archived, one) = archive(&made);
    assert_eq!(
        (&one["entries"], &one["content_bytes"]),
        (&2.into(), &13.into()),
        "{one}"
    );
    proved_whole(&home, &archived);
    // What is mounted beneath on this host is not in it.
    let submount = Small::new(host.join("mounted"));
    fs::write(submount.0.join("theirs"), "theirs").unwrap();
    let made = on.run_in(&home, &["backup", path, "--json"]).expect(0).json();
    let (_, one) = archive(&made);
    assert_eq!(one["content_bytes"], 13, "{one}");
    assert!(one["warnings"][0].as_str().unwrap().contains("another mount"), "{one}");
    drop(submount);

    sleeping(engine, "memory", &["--tmpfs", "/scratch"]);
    engine.run(["exec", "memory", "sh", "-c", "echo kept >/scratch/file"]);
    let made = on
        .run_in(&home, &["backup", "memory:/scratch", "--json"])
        .expect(0)
        .json();
    assert_eq!(archive(&made).1["entries"], 2, "{made}");
    engine.run(["kill", "memory"]);
    let gone = on.run_in(&home, &["backup", "memory:/scratch"]).expect(1);
    assert!(gone.stderr.contains("memory"), "{}", gone.stderr);

    volume(engine, &[], "empty");
    let some = on.run_in(&home, &["backup", "nosuch", "empty", "--json"]).expect(3);
    assert_eq!(archive(&some.json()).1["volume"], "empty");
    assert!(some.stderr.contains("nosuch"), "{}", some.stderr);
    on.run_in(&home, &["backup", "nosuch"]).expect(1).text();
    let part = on.run_in(&home, &["backup", "empty:sub"]).expect(1);
    assert!(part.stderr.contains("whole mount"), "{}", part.stderr);
    assert!(!engine.volume_names().iter().any(|name| name == "nosuch"));

    fs::create_dir(engine.mount_point("empty").join(".vole-new-x1")).unwrap();
    let cut = on.run_in(&home, &["backup", "empty"]).expect(1);
    assert!(cut.stderr.contains("vole recover"), "{}", cut.stderr);

    changing(engine, &home);
    engine.wait_without_helpers();
}

/// A file that never stands still is copied as well as can be, and that is told.
fn changing(engine: &Engine, home: &Home) {
    const MB: usize = 64;
    volume(engine, &[], "busy");
    let top = engine.mount_point("busy");
    // Read so slowly that who writes has his turn each time, whatever else runs.
    noise(&top.join("log"), MB);
    let (stop, path) = (AtomicBool::new(false), top.join("log"));
    let ran = std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let file = File::options().write(true).open(&path).unwrap();
            let mut at = 0;
            while !stop.load(Ordering::Relaxed) {
                at = (at + 4099) % ((MB as u64) << 20);
                file.write_all_at(b"!", at).unwrap();
            }
        });
        let ran = vole().on(engine.host()).run_in(home, &["backup", "busy", "--json"]);
        stop.store(true, Ordering::Relaxed);
        writing.join().unwrap();
        ran
    });
    let document = ran.expect(3).json();
    let (path, one) = archive(&document);
    assert_eq!(one["status"], "partial");
    assert!(one["warnings"][0].as_str().unwrap().contains("log"), "{one}");
    proved_whole(home, &path);
}
