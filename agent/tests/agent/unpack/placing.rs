//! Only some paths, a full disk, a cancelled client: what stands afterwards.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::io::Errno;
use vole_agent::proto::archive::{Compression, Placing, Unpack, UnpackItem};
use vole_agent::proto::{Reply, Request, ToAgent};

use super::{request, unpack};
use crate::archive::build::{compressed, little, ours};
use crate::client::Client;
use crate::dump::{Depth, assert_equal, dump};
use crate::pack::{self, pack, root, run};

fn write(top: &Path, files: &[&str], contents: &str) {
    for file in files {
        let path = top.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }
}

fn only(placing: Placing, paths: &[&str]) -> Unpack {
    Unpack {
        only: paths.iter().map(|path| path.as_bytes().to_vec()).collect(),
        ..request(placing)
    }
}

#[test]
fn only_what_is_wanted_takes_the_place_of_what_stands_there() {
    let from = tempfile::tempdir().unwrap();
    write(from.path(), &["a/b/c", "a/b/d", "a/other", "n/e/w", "z"], "new");
    let archive = pack(from.path(), pack::request(b"", Compression::Zstd))
        .unwrap()
        .archive;
    for placing in [Placing::Staged, Placing::InPlace] {
        let to = tempfile::tempdir().unwrap();
        write(to.path(), &["a/b/c", "a/b/gone", "a/other", "z"], "old");
        let unpacked = unpack(to.path(), only(placing, &["a/b", "n/e/w"]), &archive).unwrap();
        assert!(unpacked.made.entries < unpacked.held.entries);
        let read = |path: &str| fs::read_to_string(to.path().join(path)).ok();
        for (path, contents) in [
            ("a/b/c", Some("new")),
            ("a/b/d", Some("new")),
            ("a/b/gone", None),
            ("a/other", Some("old")),
            ("n/e/w", Some("new")),
            ("z", Some("old")),
        ] {
            assert_eq!(read(path).as_deref(), contents, "{placing:?} {path}");
        }
        assert_eq!(fs::read_dir(to.path()).unwrap().count(), 3, "{placing:?}");
        let before = dump(to.path(), Depth::All);
        let fault = unpack(to.path(), only(Placing::Staged, &["nowhere"]), &archive).unwrap_err();
        assert!(fault.message.contains("not in the archive"), "{fault:?}");
        assert_equal(&dump(to.path(), Depth::All), &before, "what is not there");
    }
}

#[test]
fn names_that_are_taken_away_altogether_leave_what_stands() {
    let archive = compressed(&ours(), Compression::Zstd);
    let other = crate::archive::build::Built::new()
        .add(b'5', b"./", b"", b"")
        .file(b"./d/f", b"x")
        .end();
    for (archive, foreign) in [(&archive, false), (&other, true)] {
        for (placing, old) in [(Placing::Staged, true), (Placing::Fresh, false)] {
            let to = tempfile::tempdir().unwrap();
            if old {
                write(to.path(), &["old/a"], "old");
            }
            let before = dump(to.path(), Depth::All);
            let unpacking = Unpack {
                strip: 3,
                foreign,
                ..request(placing)
            };
            let fault = unpack(to.path(), unpacking, archive).unwrap_err();
            let wanted = "nothing is left of the names once 3 components are taken away";
            assert_eq!(fault.message, wanted, "{placing:?}");
            assert_equal(&dump(to.path(), Depth::All), &before, "nothing left");
        }
    }
    // What is truly empty empties.
    let from = tempfile::tempdir().unwrap();
    let to = tempfile::tempdir().unwrap();
    write(to.path(), &["old/a"], "old");
    let empty = pack(from.path(), pack::request(b"", Compression::Zstd))
        .unwrap()
        .archive;
    unpack(to.path(), request(Placing::Staged), &empty).unwrap();
    assert_eq!(fs::read_dir(to.path()).unwrap().count(), 0);
}

#[test]
fn a_full_disk_leaves_the_old_contents_and_nothing_else() {
    if !root() {
        return;
    }
    let from = tempfile::tempdir().unwrap();
    for n in 0..40 {
        fs::write(from.path().join(format!("f{n}")), vec![7; 100_000]).unwrap();
    }
    let archive = pack(from.path(), pack::request(b"", Compression::Zstd))
        .unwrap()
        .archive;
    for options in ["size=2m", "nr_inodes=20"] {
        let to = Mounted::new(options);
        write(&to.0, &["old/a", "old/b"], "old");
        let before = dump(&to.0, Depth::All);
        let fault = unpack(&to.0, request(Placing::Staged), &archive).unwrap_err();
        assert_eq!(fault.errno, Some(Errno::NOSPC.raw_os_error()), "{fault:?}");
        assert_equal(&dump(&to.0, Depth::All), &before, options);
        fs::remove_dir_all(to.0.join("old")).unwrap();
        let before = dump(&to.0, Depth::All);
        unpack(&to.0, request(Placing::Fresh), &archive).unwrap_err();
        assert_equal(&dump(&to.0, Depth::All), &before, options);
    }
}

/// A small tmpfs, unmounted in the end.
struct Mounted(std::path::PathBuf);

impl Mounted {
    fn new(options: &str) -> Self {
        let dir = tempfile::tempdir().unwrap().keep();
        run(
            Command::new("mount")
                .args(["-t", "tmpfs", "-o", options, "tmpfs"])
                .arg(&dir),
            "mount",
        );
        Self(dir)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(&self.0).status());
        drop(fs::remove_dir(&self.0));
    }
}

#[test]
fn a_mount_beneath_the_root_is_found_before_anything_is_made() {
    if !root() {
        return;
    }
    let outer = Mounted::new("size=1m");
    let inner = outer.0.join("a/b");
    fs::create_dir_all(&inner).unwrap();
    run(
        Command::new("mount").args(["-t", "tmpfs", "tmpfs"]).arg(&inner),
        "mount",
    );
    let fault = unpack(&outer.0, request(Placing::Staged), &ours()).unwrap_err();
    run(Command::new("umount").arg(&inner), "umount");
    assert_eq!(
        (fault.errno, fault.path),
        (Some(Errno::BUSY.raw_os_error()), b"a/b".to_vec())
    );
}

#[test]
fn cancelled_before_it_is_confirmed_the_old_contents_stand() {
    let to = tempfile::tempdir().unwrap();
    write(to.path(), &["old"], "old");
    let before = dump(to.path(), Depth::All);
    let archive = compressed(&little(), Compression::Zstd);
    for whole in [false, true] {
        let mut client = Client::over(to.path());
        let id = client.start(Request::Unpack(request(Placing::Staged)));
        let sent = if whole { archive.len() } else { archive.len() / 2 };
        client.data(id, &archive[..sent]);
        if whole {
            client.data_end(id);
            let (_, reply) = client.reply();
            assert!(matches!(reply, Reply::Unpack(UnpackItem::Ready(_))), "{reply:?}");
            assert!(to.path().join(".vole-new-t-1/new/f").exists());
        }
        client.cancel(id);
        let (_, reply) = client.reply();
        assert_eq!(reply, Reply::Cancelled);
        assert_equal(&dump(to.path(), Depth::All), &before, "cancelled");
        // A client that goes is one that cancels.
        let id = client.start(Request::Unpack(request(Placing::Staged)));
        client.data(id, &archive[..sent]);
        client.hang_up();
        assert_equal(&dump(to.path(), Depth::All), &before, "gone");
    }
}

#[test]
fn what_was_left_is_mended_by_a_request() {
    let to = tempfile::tempdir().unwrap();
    write(to.path(), &["old", ".vole-new-9/new/half"], "x");
    fs::create_dir(to.path().join(".vole-new-9/old")).unwrap();
    let (mut replies, notes) = Client::over(to.path())
        .run(Request::Mend { root: 0, id: None })
        .unwrap();
    assert_eq!(notes, []);
    let Some(Reply::Mended(mended)) = replies.pop() else {
        panic!("no answer")
    };
    assert_eq!(
        mended
            .iter()
            .map(|one| (one.id.as_str(), one.finished))
            .collect::<Vec<_>>(),
        [("9", false)]
    );
    assert_eq!(fs::read_dir(to.path()).unwrap().count(), 1);
}

#[test]
fn an_archive_that_holds_a_staging_directory_does_not_bring_it_back() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(from.path(), &["a"], "x");
    write(from.path(), &["b"], "x");
    let tar = crate::archive::build::Built::new()
        .file(b"a", b"x")
        .file(b".vole-new-1/commit", b"evil")
        .end();
    let unpacked = unpack(to.path(), super::foreign(Placing::Fresh), &tar).unwrap();
    assert_eq!(unpacked.lacking, 1);
    assert_eq!(fs::read_dir(to.path()).unwrap().count(), 1);
}

impl Client {
    fn data(&mut self, id: u32, bytes: &[u8]) {
        self.tell(&ToAgent::Data {
            id,
            bytes: bytes.to_vec(),
        });
    }

    fn data_end(&mut self, id: u32) {
        self.tell(&ToAgent::End { id });
    }
}
