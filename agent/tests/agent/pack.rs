//! Trees that are packed over pipes: that every `tar` makes the same tree of the archive, and what becomes of files that
//! change meanwhile.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags, makedev, mknodat, setxattr, utimensat,
};
use sha2::{Digest as _, Sha256};

use crate::client::{Client, place};
use crate::dump::{Depth, assert_equal, dump};
use vole_agent::archive::seal::seal;
use vole_agent::archive::{END, Entry, Form, trailer};
use vole_agent::proto::archive::{Compression, Lack, Pack, PackItem, Packed, Want};
use vole_agent::proto::{Fault, Reply, Request, Time};

const NET_RAW: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// More than a client lets an agent send ahead and the agent holds itself.
const LARGE: u64 = 96 << 20;

pub(crate) fn root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        assert!(std::env::var_os("CI").is_none(), "these tests need root");
        eprintln!("skipped: only root makes every kind of entry");
    }
    root
}

/// Whether a program is here; a test that wants it says so when it is not.
fn has(program: &str) -> bool {
    let found = Command::new(program)
        .arg("--help")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    if !found {
        assert!(std::env::var_os("CI").is_none(), "{program} is wanted");
        eprintln!("skipped: {program} is not installed");
    }
    found
}

pub(crate) fn request(path: &[u8], compression: Compression) -> Pack {
    Pack {
        at: place(path),
        leave: Vec::new(),
        compression,
        head: br#"{"name":"data"}"#.to_vec(),
        threads: 2,
    }
}

/// What came of packing.
#[derive(Debug, Default)]
pub(crate) struct Came {
    pub(crate) archive: Vec<u8>,
    packed: Packed,
}

impl Came {
    fn take(&mut self, reply: Reply) {
        match reply {
            Reply::Pack(PackItem::Data(bytes)) => {
                assert!(bytes.len() <= 256 << 10);
                self.archive.extend(bytes);
            }
            Reply::Pack(PackItem::Packed(packed)) => self.packed = packed,
            Reply::Pack(PackItem::Progress(_)) => {}
            other => panic!("{other:?}"),
        }
    }

    fn want(&self, path: &[u8]) -> Option<Want> {
        self.packed
            .lacks
            .iter()
            .find(|lack| lack.path == path)
            .map(|lack| lack.want)
    }
}

pub(crate) fn pack(top: &Path, pack: Pack) -> Result<Came, Fault> {
    let mut came = Came::default();
    let compression = pack.compression;
    let (replies, notes) = Client::over(top).run(Request::Pack(pack))?;
    assert_eq!(notes, []);
    replies.into_iter().for_each(|reply| came.take(reply));
    let digest = Sha256::digest(&came.archive).into();
    came.archive.extend(seal(compression, digest));
    Ok(came)
}

pub(crate) fn run(program: &mut Command, what: &str) {
    let output = program.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {}", &said[..said.len().min(1000)]);
}

/// Extracts by a program that is given the archive's path last.
fn extract(archive: &[u8], program: &str, arguments: &[&str]) -> tempfile::TempDir {
    let into = tempfile::tempdir().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), archive).unwrap();
    run(
        Command::new(program)
            .args(arguments)
            .arg(file.path())
            .current_dir(into.path()),
        program,
    );
    into
}

fn gnu_tar(archive: &[u8]) -> tempfile::TempDir {
    extract(
        archive,
        "tar",
        &["--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf"],
    )
}

fn set_time(path: &Path, secs: i64, nanos: i64) {
    let time = Timespec {
        tv_sec: secs,
        tv_nsec: nanos,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

pub(crate) fn set(path: &Path, name: &str, value: &[u8]) {
    setxattr(path, name, value, XattrFlags::empty()).unwrap();
}

fn write(path: &Path, contents: impl AsRef<[u8]>) {
    fs::write(path, contents).unwrap();
}

/// What every `tar` keeps.
pub(crate) fn plain_tree(top: &Path) {
    for dir in [
        "a",
        "a/b",
        "empty",
        "closed",
        &format!("deep/{}", vec!["d".repeat(120); 20].join("/")),
    ] {
        fs::create_dir_all(top.join(dir)).unwrap();
    }
    write(&top.join("a/file"), "contents");
    write(&top.join("a/b/block"), [7; 512]);
    write(&top.join("a/nothing"), "");
    write(
        &top.join("large"),
        (0..3_000_000_u32)
            .map(|n| (n.wrapping_mul(n) >> 7) as u8)
            .collect::<Vec<_>>(),
    );
    write(&top.join("-leading dash"), "x");
    // What bsdtar takes for roots of Windows, and takes away, unless something stands before it.
    for name in ["c:foo", r"\srv", r"\\?\UNC\a", r"\\?\c:\b", r"\\.\dev"] {
        write(&top.join(name), name);
    }
    for dir in ["c:", "d:", r"\\?\UNC"] {
        fs::create_dir_all(top.join(dir)).unwrap();
        write(&top.join(dir).join("x"), dir);
    }
    fs::hard_link(top.join("c:/x"), top.join("d:/the same")).unwrap();
    fs::hard_link(top.join("c:foo"), top.join("link to c:foo")).unwrap();
    symlink("c:foo", top.join("c:link")).unwrap();
    write(&top.join(OsStr::from_bytes(b"not \xff utf-8\nbut a newline")), "x");
    for length in [96, 97, 98, 99, 100, 101, 255] {
        write(&top.join("n".repeat(length)), "x");
        fs::hard_link(top.join("n".repeat(length)), top.join(format!("to {length}"))).unwrap();
    }
    for length in [96, 97, 98] {
        fs::create_dir(top.join("e".repeat(length))).unwrap();
    }
    fs::hard_link(top.join("a/file"), top.join("a/b/other name")).unwrap();
    fs::hard_link(top.join("a/file"), top.join("name at the top")).unwrap();
    symlink("nowhere", top.join("dangling")).unwrap();
    symlink("/etc/passwd", top.join("absolute")).unwrap();
    symlink("t".repeat(300), top.join("long link")).unwrap();
    mknodat(CWD, top.join("fifo"), FileType::Fifo, Mode::from_raw_mode(0o640), 0).unwrap();
    let dev = makedev(5, 300);
    mknodat(
        CWD,
        top.join("device"),
        FileType::CharacterDevice,
        Mode::from_raw_mode(0o600),
        dev,
    )
    .unwrap();
    mknodat(
        CWD,
        top.join("disk"),
        FileType::BlockDevice,
        Mode::from_raw_mode(0o600),
        dev,
    )
    .unwrap();
    chown(top.join("large"), Some(3_000_000), Some(4_294_967_294)).unwrap();
    for (path, mode) in [
        ("a/file", 0o6755),
        ("a/nothing", 0),
        ("empty", 0o1777),
        ("a/b", 0o2750),
        ("closed", 0),
        ("a", 0o555),
    ] {
        fs::set_permissions(top.join(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    chown(top, Some(999), Some(998)).unwrap();
    fs::set_permissions(top, fs::Permissions::from_mode(0o700)).unwrap();
    for (path, secs, nanos) in [
        ("large", 5, 999_999_999),
        ("dangling", 77, 1),
        ("a/b/block", 1 << 34, 0),
        ("a", 1, 2),
        ("", 9, 8),
    ] {
        set_time(&top.join(path), secs, nanos);
    }
}

/// What only some keep.
pub(crate) fn rich_tree(top: &Path) {
    set(&top.join("large"), "user.lines", b"a\nb\0c=d");
    set(&top.join("large"), "user.a=b%c", b"");
    set(&top.join("large"), "security.capability", &NET_RAW);
    set(&top.join("a"), "user.of a directory", &[0xff; 2000]);
    let acl: Vec<u8> = [
        &2_u32.to_le_bytes()[..],
        &[
            1, 0, 7, 0, 255, 255, 255, 255, 2, 0, 7, 0, 210, 4, 0, 0, 4, 0, 5, 0, 255, 255, 255, 255,
        ],
        &[0x10, 0, 7, 0, 255, 255, 255, 255, 0x20, 0, 0, 0, 255, 255, 255, 255],
    ]
    .concat();
    set(&top.join("a/b/block"), "system.posix_acl_access", &acl);
    set(&top.join("empty"), "system.posix_acl_default", &acl);
    let holes = fs::File::create(top.join("holes")).unwrap();
    for at in 0..40 {
        std::os::unix::fs::FileExt::write_at(&holes, b"data", at * (1 << 21)).unwrap();
    }
    holes.set_len(9 << 30).unwrap();
    fs::File::create(top.join("one hole"))
        .unwrap()
        .set_len(2 << 20)
        .unwrap();
    // Busybox gives links to nobody.
    lchown(top.join("dangling"), Some(5), Some(6)).unwrap();
    set_time(&top.join("holes"), -2, 500_000_000);
    set_time(&top.join("a"), 1, 2);
    set_time(top, -9, 0);
}

#[test]
fn gnu_tar_makes_the_same_tree_in_every_way() {
    if !root() {
        return;
    }
    let tree = tempfile::tempdir().unwrap();
    plain_tree(tree.path());
    rich_tree(tree.path());
    // It would take a while to read nine gigabytes of nothing three times over.
    let want = |top: &Path| {
        let meta = fs::metadata(top.join("holes")).unwrap();
        assert_eq!(meta.size(), 9 << 30);
        assert!(meta.blocks() < 1 << 12, "its holes are holes");
        fs::OpenOptions::new()
            .write(true)
            .open(top.join("holes"))
            .unwrap()
            .set_len(100 << 20)
            .unwrap();
        set_time(&top.join("holes"), 3, 3);
        dump(top, Depth::All)
    };
    let archives: Vec<Came> = [Compression::None, Compression::Zstd, Compression::Gzip]
        .map(|compression| pack(tree.path(), request(b"", compression)).unwrap())
        .into();
    let wanted = want(tree.path());
    for came in &archives {
        assert_eq!(came.packed.lacks, []);
        let got = gnu_tar(&came.archive);
        assert_equal(&want(got.path()), &wanted, "GNU tar");
    }
}

#[test]
fn a_path_longer_than_the_kernel_takes_is_packed() {
    let tree = tempfile::tempdir().unwrap();
    let mut dir = rustix::fs::open(tree.path(), rustix::fs::OFlags::RDONLY, Mode::empty()).unwrap();
    let name = "d".repeat(200);
    for _ in 0..40 {
        rustix::fs::mkdirat(&dir, &name, Mode::from_raw_mode(0o755)).unwrap();
        dir = rustix::fs::openat(&dir, &name, rustix::fs::OFlags::RDONLY, Mode::empty()).unwrap();
    }
    let came = pack(tree.path(), request(b"", Compression::None)).unwrap();
    assert_eq!((came.packed.counts.entries, came.packed.lacking), (41, 0));
    let deepest = vec!["d".repeat(200); 40].join("/");
    assert!(contains(&came.archive, deepest.as_bytes()));
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn bsdtar_busybox_and_python_make_the_same_tree_of_what_they_keep() {
    if !root() || !has("bsdtar") || !has("busybox") || !has("python3") {
        return;
    }
    let tree = tempfile::tempdir().unwrap();
    plain_tree(tree.path());
    set(&tree.path().join("large"), "security.capability", &NET_RAW);
    set(&tree.path().join("large"), "user.lines", b"a\nb\0c=d");
    let plain = pack(tree.path(), request(b"", Compression::None)).unwrap().archive;
    let gzip = pack(tree.path(), request(b"", Compression::Gzip)).unwrap().archive;
    let zstd = pack(tree.path(), request(b"", Compression::Zstd)).unwrap().archive;
    let want = |depth| dump(tree.path(), depth);
    for archive in [&plain, &gzip, &zstd] {
        let got = extract(archive, "bsdtar", &["--numeric-owner", "-xpf"]);
        assert_equal(&dump(got.path(), Depth::All), &want(Depth::All), "bsdtar");
    }
    // It sets no times of links, nor of directories once something was put into them.
    for (archive, arguments) in [(&plain, ["tar", "-xpf"]), (&gzip, ["tar", "-xzpf"])] {
        let got = extract(archive, "busybox", &arguments);
        assert_equal(&dump(got.path(), Depth::Timeless), &want(Depth::Timeless), "busybox");
    }
    let script = "import sys, tarfile\ntarfile.open(sys.argv[1], errorlevel=2).extractall('.', numeric_owner=True)";
    for archive in [&plain, &gzip] {
        let got = extract(archive, "python3", &["-c", script]);
        // It sets no times of links, and those of files by a fraction of floating point.
        assert_equal(&dump(got.path(), Depth::Timeless), &want(Depth::Timeless), "Python");
    }
}

#[test]
fn the_trailer_says_what_stands_before_it() {
    let tree = tempfile::tempdir().unwrap();
    write(&tree.path().join("f"), "12345");
    set_time(tree.path(), 1000, 5);
    let came = pack(tree.path(), request(b"", Compression::None)).unwrap();
    let meta = fs::metadata(tree.path()).unwrap();
    let top = Entry {
        path: Vec::new(),
        form: Form::Dir,
        mode: meta.mode() & 0o7777,
        uid: meta.uid(),
        gid: meta.gid(),
        mtime: Time { secs: 1000, nanos: 5 },
        xattrs: Vec::new(),
        acl_cut: false,
    };
    let Packed { counts, digest, .. } = came.packed;
    assert_eq!((counts.entries, counts.bytes), (2, 5));
    let end = [trailer(&top, counts, digest), END.to_vec()].concat();
    let (before, last) = came.archive.split_at(came.archive.len() - end.len());
    assert_eq!(last.escape_ascii().to_string(), end.escape_ascii().to_string());
    assert_eq!(digest, *blake3::hash(before).as_bytes());
    assert!(contains(before, br#"vole.archive.2 {"name":"data"}"#));
}

#[test]
fn sockets_and_what_is_left_out_are_told_and_make_no_partial_archive() {
    let tree = tempfile::tempdir().unwrap();
    for dir in ["mnt/below", "kept"] {
        fs::create_dir_all(tree.path().join(dir)).unwrap();
    }
    let _socket = std::os::unix::net::UnixListener::bind(tree.path().join("kept/socket")).unwrap();
    let left = Pack {
        leave: vec![b"mnt/below".to_vec()],
        ..request(b"", Compression::None)
    };
    let came = pack(tree.path(), left.clone()).unwrap();
    assert_eq!(came.want(b"kept/socket"), Some(Want::Socket));
    assert_eq!(came.want(b"mnt/below"), Some(Want::OtherMount));
    assert_eq!(
        (came.packed.lacking, came.packed.partial, came.packed.counts.entries),
        (2, 0, 3)
    );
    let below = Pack {
        at: place(b"mnt"),
        ..left
    };
    let came = pack(tree.path(), below).unwrap();
    assert_eq!(
        came.packed.lacks,
        [Lack {
            path: b"below".to_vec(),
            want: Want::OtherMount
        }]
    );
}

#[test]
fn another_mount_is_told_and_not_entered() {
    if !root() {
        return;
    }
    let (tree, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(&other.path().join("not of this tree"), "x");
    fs::create_dir(tree.path().join("mounted")).unwrap();
    write(&tree.path().join("file"), "x");
    let pairs = [
        (other.path().to_owned(), tree.path().join("mounted")),
        (other.path().join("not of this tree"), tree.path().join("file")),
    ];
    for (from, to) in &pairs {
        run(Command::new("mount").arg("--bind").args([from, to]), "mount");
    }
    let came = pack(tree.path(), request(b"", Compression::None));
    for (_, to) in &pairs {
        run(Command::new("umount").arg(to), "umount");
    }
    let came = came.unwrap();
    assert_eq!(came.want(b"mounted"), Some(Want::OtherMount));
    assert_eq!(came.want(b"file"), Some(Want::OtherMount));
    assert_eq!((came.packed.counts.entries, came.packed.partial), (1, 0));
}

#[test]
fn a_path_below_the_root_and_a_single_file_are_packed_by_themselves() {
    let tree = tempfile::tempdir().unwrap();
    fs::create_dir_all(tree.path().join("a/b")).unwrap();
    write(&tree.path().join("a/b/f"), "deep");
    let below = pack(tree.path(), request(b"a", Compression::None)).unwrap();
    let got = gnu_tar(&below.archive);
    assert_equal(
        &dump(got.path(), Depth::All),
        &dump(&tree.path().join("a"), Depth::All),
        "a/",
    );
    for came in [
        pack(tree.path(), request(b"a/b/f", Compression::None)).unwrap(),
        pack(&tree.path().join("a/b/f"), request(b"", Compression::None)).unwrap(),
    ] {
        let got = gnu_tar(&came.archive);
        assert_eq!(fs::read(got.path().join("f")).unwrap(), b"deep");
        assert_eq!(came.packed.counts.entries, 2);
    }
    let link = tree.path().join("link");
    symlink("a", &link).unwrap();
    for (path, said) in [
        (&b"link"[..], "neither a directory nor a file"),
        (b"gone", "No such file"),
    ] {
        let fault = pack(tree.path(), request(path, Compression::None)).unwrap_err();
        assert!(fault.message.contains(said), "{fault:?}");
    }
}

/// Packs a tree whose large file is being read when `change` gets its hands on the tree: the client gives no credit
/// before. It is told which of two large files that is.
fn packed_while(top: &Path, change: impl FnOnce(&str, &str)) -> Came {
    let mut client = Client::over(top);
    let id = client.start(Request::Pack(request(b"", Compression::None)));
    let mut came = Came::default();
    while !contains(&came.archive, b"large-") || came.archive.len() < 2 << 20 {
        let (_, reply) = client.unpaid();
        came.take(reply);
    }
    let first = contains(&came.archive, b"large-1");
    let names = ["large-1", "large-2"];
    change(names[usize::from(!first)], names[usize::from(first)]);
    loop {
        match client.reply() {
            (of, Reply::Done { .. }) if of == id => return came,
            (_, reply) => came.take(reply),
        }
    }
}

fn two_large(top: &Path) {
    for name in ["large-1", "large-2"] {
        // No holes, or it would be read in no time.
        let mut file = fs::File::create(top.join(name)).unwrap();
        for _ in 0..LARGE >> 20 {
            file.write_all(&[1; 1 << 20]).unwrap();
        }
    }
}

#[test]
fn a_file_that_grows_shrinks_or_goes_while_it_is_read_is_told_and_breaks_nothing() {
    let tree = tempfile::tempdir().unwrap();
    let top = tree.path();
    two_large(top);
    // One that is read changes once: it is read again.
    let came = packed_while(top, |read, _| {
        let mut file = fs::OpenOptions::new().append(true).open(top.join(read)).unwrap();
        file.write_all(b"more").unwrap();
    });
    assert_eq!(came.packed.lacks, []);
    assert_eq!(came.packed.counts.entries, 4);
    let got = gnu_tar(&came.archive);
    assert_equal(&dump(got.path(), Depth::All), &dump(top, Depth::All), "grown");

    // One that is read shrinks, another goes before its turn.
    let mut gone = String::new();
    let came = packed_while(top, |read, next| {
        let file = fs::OpenOptions::new().write(true).open(top.join(read)).unwrap();
        file.set_len(1 << 20).unwrap();
        fs::remove_file(top.join(next)).unwrap();
        gone = next.to_owned();
    });
    assert_eq!(
        came.packed.lacks,
        [Lack {
            path: gone.into_bytes(),
            want: Want::Vanished
        }]
    );
    assert_eq!(came.packed.partial, 1);
    let got = gnu_tar(&came.archive);
    let without_top = |top: &Path| {
        let mut dumped = dump(top, Depth::All);
        dumped.remove(&b""[..]);
        dumped
    };
    assert_equal(&without_top(got.path()), &without_top(top), "shrunk");
}

#[test]
fn a_file_that_goes_while_it_is_read_stays_in_the_archive_as_changed() {
    let tree = tempfile::tempdir().unwrap();
    two_large(tree.path());
    let mut changed = String::new();
    let came = packed_while(tree.path(), |read, _| {
        fs::remove_file(tree.path().join(read)).unwrap();
        changed = read.to_owned();
    });
    assert_eq!(came.want(changed.as_bytes()), Some(Want::Changed));
    let got = gnu_tar(&came.archive);
    assert_eq!(fs::metadata(got.path().join(changed)).unwrap().len(), LARGE);
}

#[test]
fn a_file_that_never_stops_changing_is_recorded_and_the_archive_stays_sound() {
    let tree = tempfile::tempdir().unwrap();
    let path = tree.path().join("busy");
    write(&path, vec![0; 400 << 10]);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
            let mut length = 400 << 10;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                length = if length > 300 << 10 { length - 1 } else { 400 << 10 };
                file.set_len(length).unwrap();
            }
        });
        let came = (0..200)
            .map(|_| pack(tree.path(), request(b"", Compression::None)).unwrap())
            .find(|came| came.want(b"busy") == Some(Want::Changed));
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let came = came.unwrap();
        assert_eq!((came.packed.counts.entries, came.packed.partial), (2, 1));
        assert!(gnu_tar(&came.archive).path().join("busy").exists());
    });
}

#[test]
fn what_may_not_be_read_is_told_and_the_rest_is_there() {
    if !root() {
        return;
    }
    let tree = tempfile::tempdir().unwrap();
    fs::set_permissions(tree.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(tree.path().join("closed/inside")).unwrap();
    for file in ["open", "secret"] {
        write(&tree.path().join(file), "x");
    }
    for closed in ["closed", "secret"] {
        fs::set_permissions(tree.path().join(closed), fs::Permissions::from_mode(0o700)).unwrap();
    }
    let program = tempfile::NamedTempFile::new().unwrap();
    fs::copy(env!("CARGO_BIN_EXE_vole-agent"), program.path()).unwrap();
    fs::set_permissions(program.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = program.into_temp_path();
    let mut command = Command::new(&program);
    std::os::unix::process::CommandExt::uid(&mut command, 65_534);
    let mut client = Client::of_program(command.arg(tree.path()));
    let mut came = Came::default();
    let (replies, _) = client.run(Request::Pack(request(b"", Compression::None))).unwrap();
    replies.into_iter().for_each(|reply| came.take(reply));
    for closed in [&b"closed"[..], b"secret"] {
        assert_eq!(
            came.want(closed),
            Some(Want::Unreadable(13)),
            "{}",
            closed.escape_ascii()
        );
    }
    let got: BTreeMap<_, _> = dump(gnu_tar(&came.archive).path(), Depth::Timeless);
    let names: Vec<&[u8]> = got.keys().map(Vec::as_slice).collect();
    assert_eq!(names, [&b""[..], b"closed", b"open"]);
    assert_eq!(came.packed.partial, 2);
}

#[test]
fn a_cancelled_archive_ends_at_once() {
    let tree = tempfile::tempdir().unwrap();
    two_large(tree.path());
    let mut client = Client::over(tree.path());
    let id = client.start(Request::Pack(request(b"", Compression::Zstd)));
    client.cancel(id);
    loop {
        match client.reply() {
            (of, Reply::Cancelled) if of == id => return,
            (_, Reply::Pack(_)) => {}
            (_, other) => panic!("{other:?}"),
        }
    }
}
