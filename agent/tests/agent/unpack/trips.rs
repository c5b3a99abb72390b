//! Round trips: what is packed and unpacked again is the same tree in every respect.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use vole_agent::fs::Roots;
use vole_agent::proto::archive::{Compression, Lack, Placing, Want};

use super::{foreign, request, unpack};
use crate::client::Client;
use crate::dump::{Depth, assert_equal, dump};
use crate::pack::{self, pack, plain_tree, rich_tree, root};

/// Comparing reads all of the sparse file many times.
fn shorten(top: &Path) {
    let holes = fs::File::options().write(true).open(top.join("holes")).unwrap();
    holes.set_len(100 << 20).unwrap();
}

#[test]
fn every_kind_of_entry_comes_back_as_it_was() {
    if !root() {
        return;
    }
    let from = tempfile::tempdir().unwrap();
    plain_tree(from.path());
    rich_tree(from.path());
    shorten(from.path());
    let want = dump(from.path(), Depth::All);
    for compression in [Compression::Zstd, Compression::Gzip, Compression::None] {
        let archive = pack(from.path(), pack::request(b"", compression)).unwrap().archive;
        for placing in [Placing::Fresh, Placing::Staged, Placing::InPlace] {
            let to = tempfile::tempdir().unwrap();
            if placing != Placing::Fresh {
                fs::create_dir_all(to.path().join("old/er")).unwrap();
                fs::write(to.path().join("old/file"), "old").unwrap();
            }
            let unpacked = unpack(to.path(), request(placing), &archive).unwrap();
            assert_eq!(
                (unpacked.lacking, unpacked.made),
                (0, unpacked.held),
                "{:?}",
                unpacked.lacks
            );
            assert!(unpacked.digest.is_some());
            assert_equal(
                &dump(to.path(), Depth::All),
                &want,
                &format!("{compression:?} {placing:?}"),
            );
        }
        let to = tempfile::tempdir().unwrap();
        let mut client = Client::of(Roots::open([to.path()]).without_openat2());
        client.unpack(request(Placing::Fresh), &archive).unwrap();
        assert_equal(&dump(to.path(), Depth::All), &want, "without openat2");
    }
}

#[test]
fn an_empty_volume_comes_back_empty_with_its_owner() {
    if !root() {
        return;
    }
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::os::unix::fs::chown(from.path(), Some(999), Some(998)).unwrap();
    fs::set_permissions(from.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let archive = pack(from.path(), pack::request(b"", Compression::Zstd))
        .unwrap()
        .archive;
    unpack(to.path(), request(Placing::Fresh), &archive).unwrap();
    assert_equal(&dump(to.path(), Depth::All), &dump(from.path(), Depth::All), "empty");
}

#[test]
fn what_gnu_tar_packs_comes_back_and_its_prefix_goes() {
    if !root() {
        return;
    }
    let from = tempfile::tempdir().unwrap();
    let volume = from.path().join("volume");
    fs::create_dir(&volume).unwrap();
    plain_tree(&volume);
    rich_tree(&volume);
    shorten(&volume);
    let want = dump(&volume, Depth::All);
    let tar = |arguments: &[&str]| {
        let flags = ["--xattrs", "--xattrs-include=*", "--format=posix", "-S"];
        let out = Command::new("tar")
            .arg("-C")
            .arg(from.path())
            .args(flags)
            .args(arguments)
            .output()
            .unwrap();
        assert!(!out.stdout.is_empty());
        out.stdout
    };
    let to = tempfile::tempdir().unwrap();
    let strip = vole_agent::proto::archive::Unpack {
        strip: 1,
        ..foreign(Placing::Fresh)
    };
    unpack(to.path(), strip, &tar(&["-c", "volume"])).unwrap();
    assert_equal(&dump(to.path(), Depth::All), &want, "stripped");
    let to = tempfile::tempdir().unwrap();
    unpack(to.path(), foreign(Placing::Staged), &tar(&["-cz", "-C", "volume", "."])).unwrap();
    assert_equal(&dump(to.path(), Depth::All), &want, "with a top");
}

const ACCESS: &str = "system.posix_acl_access";
const DEFAULT: &str = "system.posix_acl_default";

/// An access control list: the owner all, these users all, the group nothing, the mask all, others nothing.
fn list(users: &[u32]) -> Vec<u8> {
    let entry =
        |tag: u16, permits: u16, id: u32| [&tag.to_le_bytes()[..], &permits.to_le_bytes(), &id.to_le_bytes()].concat();
    let mut list = [2_u32.to_le_bytes().to_vec(), entry(1, 7, u32::MAX)].concat();
    users.iter().for_each(|id| list.extend(entry(2, 7, *id)));
    list.extend(
        [
            entry(4, 0, u32::MAX),
            entry(0x10, 7, u32::MAX),
            entry(0x20, 0, u32::MAX),
        ]
        .concat(),
    );
    list
}

/// What GNU tar makes of a file and a directory with a list.
fn packed_with(list: &[u8]) -> (tempfile::TempDir, Vec<u8>) {
    let from = tempfile::tempdir().unwrap();
    let dir = from.path().join("dir");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("file"), "x").unwrap();
    fs::write(from.path().join("plain"), "y").unwrap();
    pack::set(&dir.join("file"), ACCESS, list);
    pack::set(&dir, DEFAULT, list);
    let tar = Command::new("tar")
        .current_dir(from.path())
        .args(["-c", "--acls", "."])
        .output();
    let tar = tar.unwrap();
    assert!(tar.status.success(), "{}", String::from_utf8_lossy(&tar.stderr));
    (from, tar.stdout)
}

#[test]
fn lists_that_gnu_tar_writes_by_number_come_back_and_names_alone_are_told() {
    if !root() {
        return;
    }
    // Who has no name is written by his number.
    let (from, archive) = packed_with(&list(&[54_321]));
    for placing in [Placing::Fresh, Placing::Staged] {
        let to = tempfile::tempdir().unwrap();
        let unpacked = unpack(to.path(), foreign(placing), &archive).unwrap();
        assert_eq!(unpacked.lacks, []);
        assert_equal(
            &dump(to.path(), Depth::All),
            &dump(from.path(), Depth::All),
            "by number",
        );
        assert_eq!(get(&to.path().join("dir"), DEFAULT), list(&[54_321]));
    }
    // 1 has one on every system that these tests run on.
    let (_from, archive) = packed_with(&list(&[1, 54_321]));
    let to = tempfile::tempdir().unwrap();
    let mut unpacked = unpack(to.path(), foreign(Placing::Fresh), &archive).unwrap();
    unpacked.lacks.sort_by(|one, other| one.path.cmp(&other.path));
    let told = ["dir", "dir/file"].map(|path| Lack {
        path: path.as_bytes().to_vec(),
        want: Want::AccessList,
    });
    assert_eq!((unpacked.lacks.as_slice(), unpacked.lacking), (&told[..], 2));
    assert!(Want::AccessList.is_partial());
    assert_eq!(get(&to.path().join("dir/file"), ACCESS), list(&[54_321]));
    assert_eq!(get(&to.path().join("dir"), DEFAULT), list(&[54_321]));
    // With nobody left on it the list stands: the permission bits alone would give the group what the mask permits.
    let (_from, archive) = packed_with(&list(&[1]));
    let to = tempfile::tempdir().unwrap();
    assert_eq!(unpack(to.path(), foreign(Placing::Fresh), &archive).unwrap().lacking, 2);
    assert_eq!(get(&to.path().join("dir/file"), ACCESS), list(&[]));
}

fn get(path: &Path, name: &str) -> Vec<u8> {
    let mut value = vec![0; 4096];
    let length = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap();
    value.truncate(length);
    value
}

#[test]
fn the_parents_bits_and_lists_do_not_leak_into_what_is_made() {
    if !root() {
        return;
    }
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    plain_tree(from.path());
    let archive = pack(from.path(), pack::request(b"", Compression::Zstd))
        .unwrap()
        .archive;
    let acl = "u:1234:rwx";
    for placing in [Placing::Staged, Placing::InPlace] {
        fs::set_permissions(to.path(), fs::Permissions::from_mode(0o2777)).unwrap();
        std::os::unix::fs::chown(to.path(), None, Some(4321)).unwrap();
        // Where there is no setfacl, the bits are still looked at.
        drop(Command::new("setfacl").args(["-d", "-m", acl]).arg(to.path()).status());
        unpack(to.path(), request(placing), &archive).unwrap();
        assert_equal(&dump(to.path(), Depth::All), &dump(from.path(), Depth::All), "leaks");
    }
}

#[test]
fn holes_stay_holes() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = fs::File::create(from.path().join("sparse")).unwrap();
    file.set_len(9 << 30).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"x", 5 << 30).unwrap();
    let archive = pack(from.path(), pack::request(b"", Compression::Zstd))
        .unwrap()
        .archive;
    unpack(to.path(), request(Placing::Fresh), &archive).unwrap();
    let made = fs::metadata(to.path().join("sparse")).unwrap();
    assert_eq!(made.len(), 9 << 30);
    assert!(made.blocks() < 2048, "{} blocks", made.blocks());
}
