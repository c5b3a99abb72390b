//! Changes of owner over pipes: what changes, what must not, and that an undo gives back the identical state from every
//! step at which a change can have been cut short.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{CWD, FileType, Mode, XattrFlags, lgetxattr, mknodat, setxattr};

use crate::client::{Client, place};
use vole_agent::fs::Roots;
use vole_agent::proto::own::{Census, Change, Group, ModeChange, OwnItem, Record, Skipped, Undone, Why};
use vole_agent::proto::{Fault, Place, Reply, Request};

const CAPABILITY: &str = "security.capability";
const ACL: &str = "system.posix_acl_access";
const DEFAULT_ACL: &str = "system.posix_acl_default";
/// `cap_net_raw+ep`, as `setcap` writes it.
const NET_RAW: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Whether owners can be changed here; a test that cannot run says so.
fn root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        assert!(std::env::var_os("CI").is_none(), "these tests need root");
        eprintln!("skipped: only root changes owners");
    }
    root
}

/// A list that gives user 1234 something, with this mask and this for everybody.
fn acl(mask: u16, others: u16) -> Vec<u8> {
    let entries = [
        (1, 7, u32::MAX),
        (2, 7, 1234),
        (4, 5, u32::MAX),
        (0x10, mask, u32::MAX),
        (0x20, others, u32::MAX),
    ];
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, perm, id) in entries {
        bytes.extend(u16::to_le_bytes(tag));
        bytes.extend(u16::to_le_bytes(perm));
        bytes.extend(u32::to_le_bytes(id));
    }
    bytes
}

fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 4096];
    let len = lgetxattr(path, name, &mut value[..]).ok()?;
    value.truncate(len);
    Some(value)
}

fn set(path: &Path, name: &str, value: &[u8]) {
    setxattr(path, name, value, XattrFlags::empty()).unwrap();
}

type State = (u32, u32, u32, Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>);

fn state(path: &Path) -> State {
    let meta = fs::symlink_metadata(path).unwrap();
    let get = |name| attribute(path, name);
    (
        meta.uid(),
        meta.gid(),
        meta.mode(),
        get(CAPABILITY),
        get(ACL),
        get(DEFAULT_ACL),
    )
}

/// What everything in a tree is, and when it was last touched.
fn states(top: &Path) -> BTreeMap<Vec<u8>, State> {
    let mut all = BTreeMap::new();
    let mut dirs = vec![top.to_owned()];
    while let Some(dir) = dirs.pop() {
        all.insert(dir.as_os_str().as_bytes().to_vec(), state(&dir));
        for entry in fs::read_dir(&dir).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                dirs.push(entry.path());
            } else {
                all.insert(entry.path().into_os_string().into_vec(), state(&entry.path()));
            }
        }
    }
    all
}

fn to(uid: u32, gid: u32) -> Change {
    Change {
        uid: Some(uid),
        gid: Some(gid),
        recursive: true,
        ..Change::default()
    }
}

/// What came of a change.
#[derive(Debug, Default)]
struct Came {
    groups: Vec<Group>,
    changed: u64,
    skips: Vec<Skipped>,
    census: Census,
    notes: Vec<Fault>,
}

impl Came {
    fn records(&self) -> usize {
        self.groups.iter().map(|group| group.records.len()).sum()
    }

    fn why(&self, path: &[u8]) -> Option<&Why> {
        self.skips.iter().find(|skip| skip.path == path).map(|skip| &skip.why)
    }
}

fn own(client: &mut Client, change: &Change, leave: &[&[u8]]) -> Came {
    own_at(client, b"", change, leave, |_| {})
}

/// Runs a change; `between` sees each batch before it is confirmed.
fn own_at(
    client: &mut Client,
    path: &[u8],
    change: &Change,
    leave: &[&[u8]],
    mut between: impl FnMut(&[Group]),
) -> Came {
    let id = client.start(Request::Own {
        at: place(path),
        change: change.clone(),
        leave: leave.iter().map(|path| path.to_vec()).collect(),
    });
    let (mut came, mut last) = (Came::default(), 0);
    loop {
        match client.reply() {
            (_, Reply::Own(OwnItem::Batch { number, groups })) => {
                assert_eq!(number, last + 1, "batches are numbered without gaps");
                last = number;
                between(&groups);
                came.groups.extend(groups);
                client.confirm(id, number);
            }
            (_, Reply::Own(OwnItem::Applied { changed, skips, .. })) => {
                came.changed += changed;
                came.skips.extend(skips);
            }
            (_, Reply::Own(OwnItem::Counted(census))) => came.census = census,
            (_, Reply::Done { notes }) => {
                came.notes = notes;
                assert!(came.census.complete);
                came.skips.extend(came.census.skips.clone());
                return came;
            }
            (_, reply) => panic!("{reply:?}"),
        }
    }
}

fn census(client: &mut Client, path: &[u8], change: &Change, leave: &[&[u8]]) -> Census {
    let (mut replies, _) = client
        .run(Request::Census {
            at: place(path),
            change: change.clone(),
            leave: leave.iter().map(|path| path.to_vec()).collect(),
        })
        .unwrap();
    match replies.pop() {
        Some(Reply::Census(census)) if census.complete => census,
        other => panic!("{other:?}"),
    }
}

fn undo(client: &mut Client, change: &Change, groups: &[Group]) -> Undone {
    let (mut replies, _) = client
        .run(Request::Undo {
            root: 0,
            change: change.clone(),
            groups: groups.to_vec(),
        })
        .unwrap();
    match replies.pop() {
        Some(Reply::Undone(undone)) => undone,
        other => panic!("{other:?}"),
    }
}

/// Everything that is hard to change and to give back.
fn furnish(top: &Path) {
    for n in 0..30 {
        let dir = top.join(format!("d{n}/e"));
        fs::create_dir_all(&dir).unwrap();
        for m in 0..20 {
            fs::write(dir.join(format!("f{m}")), "x").unwrap();
        }
    }
    for (name, mode) in [
        ("suid", 0o4755),
        ("sgid", 0o2755),
        ("both", 0o6711),
        ("lock", 0o2644),
        ("sticky", 0o1600),
    ] {
        fs::write(top.join(name), "x").unwrap();
        fs::set_permissions(top.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::create_dir(top.join("sgid dir")).unwrap();
    fs::set_permissions(top.join("sgid dir"), fs::Permissions::from_mode(0o3775)).unwrap();
    set(&top.join("sgid dir"), ACL, &acl(7, 5));
    set(&top.join("sgid dir"), DEFAULT_ACL, &acl(5, 0));
    fs::write(top.join("capable"), "x").unwrap();
    fs::set_permissions(top.join("capable"), fs::Permissions::from_mode(0o4755)).unwrap();
    set(&top.join("capable"), CAPABILITY, &NET_RAW);
    fs::write(top.join("listed"), "x").unwrap();
    set(&top.join("listed"), ACL, &acl(6, 0));
    for name in [&b"\xff\xfe"[..], b"new\nline", b"-rf", "ü".repeat(120).as_bytes()] {
        fs::write(top.join(OsStr::from_bytes(name)), "x").unwrap();
    }
    symlink("/etc/passwd", top.join("out")).unwrap();
    symlink("nowhere", top.join("dangling")).unwrap();
    mknodat(CWD, top.join("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    lchown(top.join("d1/e/f1"), Some(77), Some(78)).unwrap();
}

#[test]
fn everything_changes_and_an_undo_gives_back_the_identical_state() {
    if !root() {
        return;
    }
    let mode = Some(ModeChange {
        file_clear: 0o077,
        dir_clear: 0o007,
        dir_set: 0o2070,
        executable_set: 0o100,
        ..ModeChange::default()
    });
    let changes = [
        to(4001, 4002),
        Change { mode, ..to(4001, 4002) },
        Change {
            mode,
            recursive: true,
            ..Change::default()
        },
    ];
    for change in changes {
        for resolver in ["openat2", "components"] {
            let dir = tempfile::tempdir().unwrap();
            furnish(dir.path());
            let before = states(dir.path());
            let passwd = state(Path::new("/etc/passwd"));
            let roots = Roots::open([dir.path()]);
            let mut client = Client::of(if resolver == "openat2" {
                roots
            } else {
                roots.without_openat2()
            });
            let counted = census(&mut client, b"", &change, &[]);
            assert_eq!(states(dir.path()), before, "a census changes nothing");

            let came = own(&mut client, &change, &[]);
            assert_eq!((&came.skips, &came.notes), (&vec![], &vec![]));
            assert_eq!(came.changed, counted.change);
            assert_eq!(came.records() as u64, counted.change);
            assert_eq!(
                (came.census.entries, counted.entries),
                (before.len() as u64, before.len() as u64)
            );
            for (path, now) in states(dir.path()) {
                let was = &before[&path];
                let bits = match &change.mode {
                    Some(mode) if was.2 & 0o170_000 != 0o120_000 => mode.of(was.2, was.2 & 0o170_000 == 0o040_000),
                    _ => was.2 & 0o7777,
                };
                let owner = (change.uid.unwrap_or(was.0), change.gid.unwrap_or(was.1));
                let shown = String::from_utf8_lossy(&path);
                assert_eq!(((now.0, now.1), now.2 & 0o7777), (owner, bits), "{shown}");
                assert_eq!((&now.3, &now.5), (&was.3, &was.5), "{shown}");
            }
            assert_eq!(state(Path::new("/etc/passwd")), passwd, "a symlink is changed itself");

            let undone = undo(&mut client, &change, &came.groups);
            assert_eq!((undone.restored, undone.already), (came.changed, 0), "{undone:?}");
            assert_eq!((&undone.skips, &undone.faults), (&vec![], &vec![]));
            assert_eq!(states(dir.path()), before);
            let again = undo(&mut client, &change, &came.groups);
            assert_eq!((again.restored, again.already), (0, came.changed), "{again:?}");
        }
    }
}

#[test]
fn what_is_right_already_is_not_touched() {
    if !root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    furnish(dir.path());
    let mut client = Client::over(dir.path());
    own(&mut client, &to(4001, 4002), &[]);
    // ctime would tell of a chown that changes nothing.
    let touched = |name: &str| {
        fs::symlink_metadata(dir.path().join(name))
            .map(|m| (m.ctime(), m.ctime_nsec()))
            .unwrap()
    };
    let before = (states(dir.path()), touched("capable"), touched("d1/e"));
    let came = own(&mut client, &to(4001, 4002), &[]);
    assert_eq!((came.changed, came.records(), came.census.change), (0, 0, 0));
    assert_eq!(came.census.unchanged, came.census.entries);
    assert_eq!((states(dir.path()), touched("capable"), touched("d1/e")), before);
}

/// A change that is cut short between two steps, by hand.
#[test]
fn an_undo_gives_back_the_same_from_every_step_of_a_change_and_of_an_undo() {
    if !root() {
        return;
    }
    let strict = Some(ModeChange {
        file_clear: 0o070,
        dir_clear: 0o070,
        ..ModeChange::default()
    });
    type Step = fn(&Path);
    let chowned: Step = |path| chown(path, Some(4001), Some(4002)).unwrap();
    let back: Step = |path| chown(path, Some(0), Some(0)).unwrap();
    let changed: Step = |path| fs::set_permissions(path, fs::Permissions::from_mode(0o6705)).unwrap();
    let unchanged: Step = |path| fs::set_permissions(path, fs::Permissions::from_mode(0o6775)).unwrap();
    let listed: Step = |path| set(path, ACL, &acl(7, 5));
    let capable: Step = |path| set(path, CAPABILITY, &NET_RAW);
    let halfway: [&[Step]; 10] = [
        &[],
        &[chowned],
        &[chowned, changed],
        &[chowned, changed, capable],
        // An undo was cut short.
        &[chowned, changed, capable, back],
        &[chowned, changed, capable, back, unchanged],
        &[chowned, changed, capable, back, unchanged, listed],
        // The change was taken back by itself, and that was cut short.
        &[chowned, back],
        &[chowned, changed, back],
        &[chowned, changed, back, unchanged],
    ];
    for (index, steps) in halfway.into_iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        fs::write(&path, "x").unwrap();
        listed(&path);
        unchanged(&path);
        capable(&path);
        let before = state(&path);
        assert_eq!(
            (before.2 & 0o7777, before.3.is_some(), before.4.is_some()),
            (0o6775, true, true)
        );
        let meta = fs::metadata(&path).unwrap();
        let change = Change {
            mode: strict,
            ..to(4001, 4002)
        };
        let record = Record {
            name: b"f".to_vec(),
            dev: (rustix::fs::major(meta.dev()), rustix::fs::minor(meta.dev())),
            ino: meta.ino(),
            kind: vole_agent::proto::Kind::File,
            nlink: 1,
            uid: 0,
            gid: 0,
            mode: 0o6775,
            capability: before.3.clone(),
            acl: before.4.clone(),
            default_acl: None,
        };
        let groups = [Group {
            dir: Vec::new(),
            records: vec![record],
        }];
        for step in steps {
            step(&path);
        }
        let undone = undo(&mut Client::over(dir.path()), &change, &groups);
        assert_eq!((&undone.skips, &undone.faults), (&vec![], &vec![]), "after {index}");
        assert_eq!(undone.restored + undone.already, 1, "after {index}");
        assert_eq!(state(&path), before, "after {index}");

        // Whatever else somebody made of it stays theirs.
        let owner: Step = |path| chown(path, Some(9), None).unwrap();
        let bits: Step = |path| fs::set_permissions(path, fs::Permissions::from_mode(0o6700)).unwrap();
        let list: Step = |path| rustix::fs::removexattr(path, ACL).unwrap();
        for foreign in [owner, bits, list] {
            foreign(&path);
            let theirs = state(&path);
            let undone = undo(&mut Client::over(dir.path()), &change, &groups);
            assert_eq!(
                undone.skips.first().map(|skip| &skip.why),
                Some(&Why::Changed),
                "after {index}"
            );
            assert_eq!(state(&path), theirs, "after {index}");
            back(&path);
            unchanged(&path);
            capable(&path);
        }
    }
}

#[test]
fn what_changed_hands_between_the_record_and_the_change_is_left_alone() {
    if !root() {
        return;
    }
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir(outside.path().join("d")).unwrap();
    fs::write(outside.path().join("d/victim"), "x").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path();
    for name in ["d/victim", "gone", "replaced", "stolen", "powers", "fine"] {
        fs::create_dir_all(top.join("d")).unwrap();
        fs::write(top.join(name), "x").unwrap();
    }
    let mut client = Client::over(top);
    let came = own_at(&mut client, b"", &to(4001, 4002), &[], |_| {
        fs::rename(top.join("d"), top.join("moved")).unwrap();
        symlink(outside.path().join("d"), top.join("d")).unwrap();
        fs::remove_file(top.join("gone")).unwrap();
        fs::write(top.join("new"), "x").unwrap();
        fs::rename(top.join("new"), top.join("replaced")).unwrap();
        chown(top.join("stolen"), Some(5), None).unwrap();
        set(&top.join("powers"), CAPABILITY, &NET_RAW);
    });
    for (path, why) in [
        (&b"d"[..], Why::Replaced),
        (b"d/victim", Why::Replaced),
        (b"gone", Why::Gone),
        (b"replaced", Why::Replaced),
        (b"stolen", Why::Changed),
        (b"powers", Why::Changed),
    ] {
        assert_eq!(came.why(path), Some(&why), "{}", String::from_utf8_lossy(path));
    }
    assert_eq!(
        state(&outside.path().join("d/victim")).0,
        0,
        "nothing outside is reached"
    );
    assert_eq!(state(&outside.path().join("d")).0, 0);
    assert_eq!(state(&top.join("replaced")).0, 0);
    assert_eq!(state(&top.join("stolen")).0, 5);
    assert_eq!(state(&top.join("powers")).3.as_deref(), Some(&NET_RAW[..]));
    assert_eq!((state(&top.join("fine")).0, came.changed), (4001, 2));
}

#[test]
fn a_file_with_many_names_changes_once_and_names_outside_are_counted() {
    if !root() {
        return;
    }
    let outside = tempfile::tempdir_in("/tmp").unwrap();
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    let top = dir.path();
    fs::create_dir_all(top.join("a/b")).unwrap();
    for n in 0..500 {
        let first = top.join(format!("{n}"));
        fs::write(&first, "x").unwrap();
        fs::set_permissions(&first, fs::Permissions::from_mode(0o4755)).unwrap();
        fs::hard_link(&first, top.join(format!("a/{n}"))).unwrap();
        fs::hard_link(&first, top.join(format!("a/b/{n}"))).unwrap();
    }
    fs::hard_link(top.join("7"), outside.path().join("seven")).unwrap();
    let before = states(top);
    let mode = Some(ModeChange {
        file_set: 0o020,
        ..ModeChange::default()
    });
    let change = Change { mode, ..to(4001, 4002) };
    let mut client = Client::over(top);
    let counted = census(&mut client, b"", &change, &[]);
    assert_eq!((counted.change, counted.entries), (503, 1503));
    assert_eq!((counted.linked_outside, counted.linked.len()), (1, 1));
    assert_eq!(counted.privileged, 500);
    assert!(counted.linked[0].ends_with(b"7"));
    let came = own(&mut client, &change, &[]);
    assert_eq!((came.changed, &came.skips), (503, &vec![]));
    assert_eq!(came.census.linked_outside, 1);
    assert!(states(top).values().all(|state| state.0 == 4001));
    assert_eq!(undo(&mut client, &change, &came.groups).restored, 503);
    assert_eq!(states(top), before);
}

#[test]
fn a_mount_and_what_is_left_are_not_touched() {
    if !root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path();
    for path in ["mounted", "left/below", "other/left", "source"] {
        fs::create_dir_all(top.join(path)).unwrap();
        fs::write(top.join(path).join("f"), "x").unwrap();
    }
    fs::write(top.join("file"), "x").unwrap();
    // Of the same file system, so that only the mount's number tells.
    let source = tempfile::tempdir().unwrap();
    fs::write(source.path().join("inside"), "x").unwrap();
    let made = Command::new("mount")
        .arg("--bind")
        .args([source.path(), &top.join("mounted")])
        .status()
        .unwrap();
    assert!(made.success());
    fs::write(source.path().join("a file"), "x").unwrap();
    fs::write(top.join("file mount"), "x").unwrap();
    let file = source.path().join("a file");
    let made = Command::new("mount")
        .arg("--bind")
        .args([&file, &top.join("file mount")])
        .status()
        .unwrap();
    assert!(made.success());
    let came = own(&mut Client::over(top), &to(4001, 4002), &[b"left", b"other/left"]);
    let (inside, mounted, file) = (state(&source.path().join("inside")), state(source.path()), state(&file));
    for at in ["mounted", "file mount"] {
        assert!(
            Command::new("umount")
                .arg("-l")
                .arg(top.join(at))
                .status()
                .unwrap()
                .success()
        );
    }
    assert_eq!((inside.0, mounted.0, file.0), (0, 0, 0), "another mount is not entered");
    for (path, why) in [
        (&b"mounted"[..], Why::OtherMount),
        (b"file mount", Why::OtherMount),
        (b"left", Why::Left),
        (b"other/left", Why::Left),
    ] {
        assert_eq!(came.why(path), Some(&why), "{}", String::from_utf8_lossy(path));
    }
    assert_eq!((came.skips.len(), came.census.skipped), (4, 4));
    for untouched in ["left", "left/below", "left/below/f", "other/left/f", "mounted/f"] {
        assert_eq!(state(&top.join(untouched)).0, 0, "{untouched}");
    }
    for changed in ["other", "source/f", "file", ""] {
        assert_eq!(state(&top.join(changed)).0, 4001, "{changed}");
    }
}

#[test]
fn only_the_place_changes_when_that_is_asked_and_only_whose_it_is() {
    if !root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path();
    fs::create_dir_all(top.join("a/b/c")).unwrap();
    fs::write(top.join("a/b/f"), "x").unwrap();
    let mut client = Client::over(top);
    let place_alone = Change {
        recursive: false,
        ..to(4001, 4002)
    };
    let came = own_at(&mut client, b"a/b", &place_alone, &[], |_| {});
    assert_eq!(
        (came.changed, state(&top.join("a/b")).0, state(&top.join("a/b/f")).0),
        (1, 4001, 0)
    );
    assert_eq!(
        (came.groups[0].dir.as_slice(), came.groups[0].records[0].name.as_slice()),
        (&b"a"[..], &b"b"[..])
    );
    assert_eq!(own_at(&mut client, b"a/b/f", &to(4001, 4002), &[], |_| {}).changed, 1);
    let from = Change {
        from_uid: Some(4001),
        ..to(5, 6)
    };
    let came = own(&mut client, &from, &[]);
    assert_eq!(
        (came.changed, state(&top.join("a")).0, state(&top.join("a/b/f")).0),
        (2, 0, 5)
    );
    // A root that is a file.
    let mut client = Client::over(&top.join("a/b/f"));
    let came = own(&mut client, &to(9, 9), &[]);
    assert_eq!((came.changed, state(&top.join("a/b/f")).0), (1, 9));
    assert_eq!(undo(&mut client, &to(9, 9), &came.groups).restored, 1);
    assert_eq!(state(&top.join("a/b/f")).0, 5);
}

#[test]
fn nothing_changes_before_it_is_confirmed_nor_after_a_cancel() {
    if !root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for n in 0..20_000 {
        fs::write(dir.path().join(format!("{n}")), "").unwrap();
    }
    let before = states(dir.path());
    let mut client = Client::over(dir.path());
    let id = client.start(Request::Own {
        at: place(b""),
        change: to(4001, 4002),
        leave: Vec::new(),
    });
    let mut batches = 0;
    while batches < 3 {
        batches += u32::from(matches!(client.reply(), (_, Reply::Own(OwnItem::Batch { .. }))));
    }
    assert_eq!(states(dir.path()), before);
    client.confirm(id, 1);
    loop {
        if let (_, Reply::Own(OwnItem::Applied { number, changed, .. })) = client.reply() {
            assert_eq!((number, changed), (1, 4096));
            break;
        }
    }
    client.cancel(id);
    while client.reply() != (id, Reply::Cancelled) {}
    let changed = states(dir.path()).values().filter(|state| state.0 == 4001).count();
    assert_eq!(changed, 4096);
}

#[test]
fn what_was_begun_is_finished_when_the_client_goes() {
    if !root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for n in 0..20_000 {
        fs::write(dir.path().join(format!("{n}")), "").unwrap();
    }
    let mut program = Command::new(env!("CARGO_BIN_EXE_vole-agent"));
    let mut client = Client::of_program(program.arg(dir.path()));
    let id = client.start(Request::Own {
        at: place(b""),
        change: to(4001, 4002),
        leave: Vec::new(),
    });
    let mut batches = Vec::new();
    while batches.len() < 4 {
        if let (_, Reply::Own(OwnItem::Batch { groups, .. })) = client.reply() {
            batches.push(groups);
        }
    }
    client.confirm(id, 4);
    let name = &batches[0].last().unwrap().records[0].name;
    let first = dir.path().join(OsStr::from_bytes(name));
    while fs::metadata(&first).unwrap().uid() != 4001 {}
    client.hang_up();
    for (number, groups) in (1..).zip(&batches) {
        let records = groups.iter().flat_map(|group| &group.records);
        let of = |record: &Record| state(&dir.path().join(OsStr::from_bytes(&record.name))).0;
        let changed = records.clone().filter(|record| of(record) == 4001).count();
        // Whole batches or nothing of them, and the first one for certain.
        let whole = records.count();
        assert!(
            changed == whole || (changed == 0 && number > 1),
            "batch {number}: {changed} of {whole}"
        );
    }
}

#[test]
fn an_attribute_that_came_after_the_record_is_not_lost() {
    if !root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (same, other) = (dir.path().join("same"), dir.path().join("other"));
    fs::write(&same, "").unwrap();
    fs::write(&other, "").unwrap();
    // Old enough that their times of change are trusted: more than two whole seconds.
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let changed: u64 = fs::metadata(&other).unwrap().ctime().try_into().unwrap();
    while now() <= 3 + changed {
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut client = Client::over(dir.path());
    let came = own_at(&mut client, b"", &to(4001, 4002), &[], |_| {
        set(&other, CAPABILITY, &NET_RAW)
    });
    assert_eq!((state(&same).0, state(&other).0), (4001, 0));
    assert_eq!(attribute(&other, CAPABILITY).as_deref(), Some(&NET_RAW[..]));
    assert_eq!(came.skips.len(), 1);
    assert_eq!(
        (came.skips[0].path.as_slice(), &came.skips[0].why),
        (&b"other"[..], &Why::Changed)
    );
}

#[test]
fn hostile_names_in_an_undo_reach_nothing() {
    if !root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("root/a")).unwrap();
    let victim = dir.path().join("victim");
    fs::write(&victim, "x").unwrap();
    chown(&victim, Some(4001), Some(4002)).unwrap();
    let meta = fs::metadata(&victim).unwrap();
    let record = |name: &[u8]| Record {
        name: name.to_vec(),
        dev: (rustix::fs::major(meta.dev()), rustix::fs::minor(meta.dev())),
        ino: meta.ino(),
        kind: vole_agent::proto::Kind::File,
        nlink: 1,
        uid: 0,
        gid: 0,
        mode: 0o644,
        capability: None,
        acl: None,
        default_acl: None,
    };
    let mut client = Client::over(&dir.path().join("root"));
    for (at, name) in [
        (&b""[..], &b"../victim"[..]),
        (b"..", b"victim"),
        (b"a/../..", b"victim"),
        (b"", b".."),
        (b"/", b"x"),
    ] {
        let groups = [Group {
            dir: at.to_vec(),
            records: vec![record(name)],
        }];
        let undone = undo(&mut client, &to(4001, 4002), &groups);
        assert_eq!((undone.restored, undone.skips.len()), (0, 1), "{at:?} {name:?}");
    }
    assert_eq!(state(&victim).0, 4001);
}

#[test]
fn a_number_that_is_none_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let request = Request::Own {
        at: Place {
            root: 0,
            path: Vec::new(),
        },
        change: to(u32::MAX, 0),
        leave: Vec::new(),
    };
    assert_eq!(Client::over(dir.path()).run(request).unwrap_err().errno, Some(22));
}
