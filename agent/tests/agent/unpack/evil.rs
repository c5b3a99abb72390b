//! Archives that are damaged or evil: refused with words, nothing outside touched, the old contents as they were.

use std::fs;
use std::path::Path;

use rustix::io::Errno;
use vole_agent::proto::Fault;
use vole_agent::proto::archive::{Compression, Placing, TAKEN};

use super::{foreign, request, unpack};
use crate::archive::build::{Built, compressed, little, ours};
use crate::dump::{Depth, assert_equal, dump};

/// A directory with a root in it, and something beside that nobody may touch.
fn place() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    fs::create_dir_all(root.join("kept/deep")).unwrap();
    fs::write(root.join("kept/file"), "kept").unwrap();
    fs::write(dir.path().join("outside"), "outside").unwrap();
    fs::create_dir(dir.path().join("elsewhere")).unwrap();
    (dir, root)
}

/// Unpacks where something is, and into an empty directory; both times all stays as it was.
fn refused(archive: &[u8], what: &str) -> Fault {
    let (dir, root) = place();
    let before = dump(dir.path(), Depth::All);
    let fault = unpack(&root, foreign(Placing::Staged), archive)
        .map(|_| what)
        .unwrap_err();
    assert_equal(&dump(dir.path(), Depth::All), &before, what);
    fs::remove_dir_all(root.join("kept")).unwrap();
    let before = dump(dir.path(), Depth::All);
    let fresh = unpack(&root, foreign(Placing::Fresh), archive).map(|_| what);
    fresh.unwrap_err();
    assert_equal(&dump(dir.path(), Depth::All), &before, what);
    fault
}

#[test]
fn names_that_lead_out_are_refused() {
    let good = || Built::new().file(b"good", b"x");
    for (name, what) in [
        (&b"../outside"[..], "up"),
        (b"a/../../outside", "up from within"),
        (b"/tmp/vole-evil", "absolute"),
        (b"a//b", "empty"),
        (b"..", "up alone"),
    ] {
        let fault = refused(&good().file(name, b"evil").end(), what);
        assert_eq!(fault.path, name, "{fault:?}");
        refused(&good().add(b'5', name, b"", b"").end(), what);
        refused(&good().add(b'1', b"link", name, b"").end(), what);
    }
    let nul = good().pax(&[("path", b"a\0b")]).file(b"x", b"").end();
    assert!(refused(&nul, "nul").message.contains("NUL"));
    let long = vec![b'l'; 300];
    assert!(
        refused(&good().pax(&[("path", &long)]).file(b"x", b"").end(), "long")
            .message
            .contains("255")
    );
    assert!(!Path::new("/tmp/vole-evil").exists());
}

#[test]
fn nothing_is_made_through_what_the_archive_made() {
    let (dir, _) = place();
    let elsewhere = dir.path().join("elsewhere");
    let target = elsewhere.as_os_str().as_encoded_bytes();
    let link = || Built::new().add(b'2', b"link", target, b"");
    refused(&link().file(b"link/evil", b"x").end(), "file through a link");
    refused(
        &link().add(b'5', b"link/evil", b"", b"").end(),
        "directory through a link",
    );
    refused(&link().add(b'2', b"link/evil", b"x", b"").end(), "link through a link");
    refused(
        &link().add(b'1', b"hard", b"link/evil", b"").end(),
        "hardlink through a link",
    );
    refused(
        &Built::new()
            .add(b'2', b"link", b"..", b"")
            .file(b"link/outside", b"x")
            .end(),
        "up through a link",
    );
    refused(
        &Built::new().file(b"f", b"").file(b"f/evil", b"x").end(),
        "beneath a file",
    );
    refused(
        &Built::new().add(b'1', b"hard", b"nowhere", b"").end(),
        "hardlink to nothing",
    );
    refused(
        &Built::new()
            .add(b'5', b"d", b"", b"")
            .add(b'1', b"hard", b"d", b"")
            .end(),
        "hardlink to a directory",
    );
    refused(
        &Built::new().file(b"a", b"").add(b'1', b"a", b"a", b"").end(),
        "hardlink to itself",
    );
    assert!(fs::read_dir(elsewhere).unwrap().next().is_none());
}

#[test]
fn a_link_that_is_replaced_is_not_followed() {
    let (dir, root) = place();
    let target = dir.path().join("outside");
    let archive = Built::new()
        .add(b'2', b"a", target.as_os_str().as_encoded_bytes(), b"")
        .file(b"a", b"new")
        .end();
    unpack(&root, foreign(Placing::Staged), &archive).unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"outside");
    assert!(fs::symlink_metadata(root.join("a")).unwrap().is_file());
    assert_eq!(fs::read(root.join("a")).unwrap(), b"new");
    // A directory by a later entry of the same name keeps to the root as well.
    let archive = Built::new()
        .add(b'2', b"d", b"..", b"")
        .add(b'5', b"d", b"", b"")
        .file(b"d/f", b"in")
        .end();
    unpack(&root, foreign(Placing::Staged), &archive).unwrap();
    assert_eq!(fs::read(root.join("d/f")).unwrap(), b"in");
    let archive = Built::new()
        .file(b"d/f", b"x")
        .file(b"d/g/h", b"x")
        .file(b"d", b"file now")
        .end();
    unpack(&root, foreign(Placing::Staged), &archive).unwrap();
    assert_eq!(fs::read(root.join("d")).unwrap(), b"file now");
}

#[test]
fn whatever_is_damaged_the_old_contents_stand() {
    let (dir, root) = place();
    let before = dump(dir.path(), Depth::All);
    let attempt = |archive: &[u8], what: &str| {
        let fault = unpack(&root, request(Placing::Staged), archive)
            .map(|_| what)
            .unwrap_err();
        assert_eq!(fault.errno, Some(Errno::BADMSG.raw_os_error()), "{what}: {fault:?}");
        assert_equal(&dump(dir.path(), Depth::All), &before, what);
    };
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let whole = compressed(&little(), compression);
        for cut in (0..whole.len()).step_by(37).chain([whole.len() - 1, whole.len() - 44]) {
            attempt(&whole[..cut], &format!("{compression:?} cut at {cut}"));
        }
        for at in (0..whole.len()).step_by(41) {
            let mut flipped = whole.clone();
            flipped[at] ^= 4;
            attempt(&flipped, &format!("{compression:?} flipped at {at}"));
        }
        attempt(&[&whole, &b"x"[..]].concat(), "something follows");
    }
    attempt(&[0x55; 5000], "garbage");
    attempt(b"", "nothing");
    attempt(&Built::new().file(b"a", b"x").end(), "foreign");
    let fault = unpack(&root, foreign(Placing::Staged), &[0; 1024]).unwrap_err();
    assert!(fault.message.contains("nothing in the archive"), "{fault:?}");
}

#[test]
fn a_damaged_archive_does_not_even_empty_what_is_unpacked_in_place() {
    let (dir, root) = place();
    let before = dump(dir.path(), Depth::All);
    unpack(&root, request(Placing::InPlace), &[0x55; 5000]).unwrap_err();
    assert_equal(&dump(dir.path(), Depth::All), &before, "garbage");
}

#[test]
fn fresh_means_empty() {
    let (dir, root) = place();
    let before = dump(dir.path(), Depth::All);
    let fault = unpack(&root, request(Placing::Fresh), &ours()).unwrap_err();
    assert_eq!(fault.errno, Some(TAKEN));
    assert_equal(&dump(dir.path(), Depth::All), &before, "not empty");
    fs::remove_dir_all(root.join("kept")).unwrap();
    fs::create_dir(root.join("lost+found")).unwrap();
    unpack(&root, request(Placing::Fresh), &ours()).unwrap();
    assert!(root.join("lost+found").exists() && root.join("hard").exists());
}

#[test]
fn two_restores_never_write_to_one_root() {
    let (dir, root) = place();
    let before = dump(dir.path(), Depth::All);
    let other = fs::File::open(&root).unwrap();
    other.lock().unwrap();
    for placing in [Placing::Fresh, Placing::Staged, Placing::InPlace] {
        let fault = unpack(&root, request(placing), &ours()).unwrap_err();
        assert_eq!(fault.errno, Some(TAKEN), "{fault:?}");
        assert_equal(&dump(dir.path(), Depth::All), &before, "taken");
    }
    drop(other);
    unpack(&root, request(Placing::Staged), &ours()).unwrap();
    assert_eq!(TAKEN, Errno::ALREADY.raw_os_error());
}
