//! Accesses tried as somebody else, over pipes: what the kernel decides, on everything that decides it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, XattrFlags, mknodat, setxattr};

use crate::client::{Client, place};
use vole_agent::fs::Roots;
use vole_agent::proto::probe::{Identity, Probe, Probed, cap};
use vole_agent::proto::{Kind, Reply, Request};

const EACCES: i32 = 13;
const EPERM: i32 = 1;

fn root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        assert!(std::env::var_os("CI").is_none(), "these tests need root");
        eprintln!("skipped: only root becomes others");
    }
    root
}

fn who(uid: u32, gid: u32, groups: &[u32], caps: u64) -> Identity {
    Identity {
        uid,
        gid,
        groups: groups.to_vec(),
        caps,
    }
}

fn at(path: &[u8], who: Identity) -> Probe {
    Probe {
        at: place(path),
        who,
        sample: 0,
        depth: 0,
    }
}

fn run(client: &mut Client, probes: Vec<Probe>) -> Vec<Probed> {
    let count = probes.len();
    let (replies, notes) = client.run(Request::Probe { probes }).unwrap();
    assert_eq!(notes, []);
    let mut probed: Vec<Probed> = replies
        .into_iter()
        .flat_map(|reply| match reply {
            Reply::Probed(probed) => probed,
            other => panic!("{other:?}"),
        })
        .collect();
    probed.sort_by_key(|probed| probed.probe);
    let numbers: Vec<u32> = probed.iter().map(|probed| probed.probe).collect();
    assert_eq!(
        numbers,
        (0..u32::try_from(count).unwrap()).collect::<Vec<_>>(),
        "each once"
    );
    probed
}

fn one(client: &mut Client, probe: Probe) -> Probed {
    run(client, vec![probe]).pop().unwrap()
}

fn errors(probed: &Probed) -> (i32, i32, i32) {
    assert_eq!(probed.fault, None);
    (probed.read, probed.write, probed.enter)
}

fn make(path: &Path, owner: (u32, u32), mode: u32) {
    chown(path, Some(owner.0), Some(owner.1)).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn owner_group_capabilities_and_mode_decide_as_the_kernel_does() {
    if !root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path();
    make(top, (999, 2000), 0o750);
    let no = EACCES;
    for (who, expected) in [
        (who(999, 999, &[], 0), (0, 0, 0)),
        (who(1000, 1000, &[], 0), (no, no, no)),
        (who(1000, 2000, &[], 0), (0, no, 0)),
        (who(1000, 1000, &[5, 2000], 0), (0, no, 0)),
        (who(0, 0, &[], 0), (no, no, no)),
        (who(0, 0, &[], cap::DAC_OVERRIDE), (0, 0, 0)),
        (who(0, 0, &[], cap::FILES), (0, 0, 0)),
        (who(0, 0, &[], cap::DAC_READ_SEARCH), (0, no, 0)),
        (who(1000, 1000, &[], cap::DAC_READ_SEARCH), (0, no, 0)),
        (who(1000, 1000, &[], cap::DAC_OVERRIDE), (0, 0, 0)),
        (who(1000, 1000, &[], cap::CHOWN | 1 << 21), (no, no, no)),
    ] {
        for resolver in ["openat2", "components"] {
            let roots = Roots::open([top]);
            let mut client = Client::of(if resolver == "openat2" {
                roots
            } else {
                roots.without_openat2()
            });
            let probed = one(&mut client, at(b"", who.clone()));
            assert_eq!(errors(&probed), expected, "{who:?}");
            assert_eq!((probed.write_as_root, probed.super_read_only), (0, false));
            let facts = probed.facts.unwrap();
            assert_eq!(
                (facts.kind, facts.mode, facts.uid, facts.gid),
                (Kind::Dir, 0o750, 999, 2000)
            );
            assert_eq!(probed.barred, None);
        }
    }
    // The agent's own threads are still who they were.
    assert!(rustix::process::geteuid().is_root());
    fs::write(top.join("as root"), "x").unwrap();
}

#[test]
fn a_list_an_attribute_and_a_bar_above_are_told() {
    if !root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path();
    make(top, (0, 0), 0o755);
    fs::create_dir_all(top.join("open/shut/in")).unwrap();
    make(&top.join("open/shut"), (5, 5), 0o700);
    make(&top.join("open/shut/in"), (1000, 1000), 0o755);
    let mut client = Client::over(top);
    let probed = one(&mut client, at(b"open/shut/in", who(1000, 1000, &[], 0)));
    assert_eq!(errors(&probed), (0, 0, 0), "the place by itself");
    let (path, facts) = probed.barred.unwrap();
    assert_eq!((path.as_slice(), facts.uid, facts.mode), (&b"open/shut"[..], 5, 0o700));
    make(top, (5, 5), 0o700);
    let probed = one(&mut client, at(b"open/shut/in", who(1000, 1000, &[], 0)));
    assert_eq!(probed.barred.unwrap().0, b"", "the root itself");
    make(top, (0, 0), 0o755);

    let mut acl = 2_u32.to_le_bytes().to_vec();
    for (tag, perm, id) in [
        (1, 7, u32::MAX),
        (2, 7, 1000),
        (4, 0, u32::MAX),
        (0x10, 4, u32::MAX),
        (0x20, 0, u32::MAX),
    ] {
        acl.extend(u16::to_le_bytes(tag));
        acl.extend(u16::to_le_bytes(perm));
        acl.extend(u32::to_le_bytes(id));
    }
    fs::create_dir(top.join("listed")).unwrap();
    setxattr(top.join("listed"), "system.posix_acl_access", &acl, XattrFlags::empty()).unwrap();
    let probed = one(&mut client, at(b"listed", who(1000, 1000, &[], 0)));
    assert_eq!(errors(&probed), (0, EACCES, EACCES), "the mask decides");
    assert_eq!(probed.facts.unwrap().acl.as_deref(), Some(acl.as_slice()));

    let fixed = top.join("fixed");
    fs::write(&fixed, "x").unwrap();
    fs::set_permissions(&fixed, fs::Permissions::from_mode(0o666)).unwrap();
    let chattr = |flag: &str| Command::new("chattr").arg(flag).arg(&fixed).status().unwrap().success();
    if chattr("+i") {
        let probed = one(&mut client, at(b"fixed", who(1000, 1000, &[], 0)));
        assert!(chattr("-i"));
        assert_eq!((probed.read, probed.write, probed.write_as_root), (0, EPERM, EPERM));
        assert!(probed.facts.unwrap().immutable);
    } else {
        eprintln!("skipped: no immutable files on this file system");
    }
    let missing = one(&mut client, at(b"none/such", who(0, 0, &[], 0)));
    assert_eq!(missing.fault.unwrap().errno, Some(2));
}

#[test]
fn files_pipes_and_links_are_tried_without_being_opened() {
    if !root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path();
    make(top, (0, 0), 0o755);
    fs::write(top.join("script"), "x").unwrap();
    make(&top.join("script"), (0, 0), 0o644);
    mknodat(CWD, top.join("pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    symlink("/etc/shadow", top.join("link")).unwrap();
    let mut client = Client::over(top);
    let nobody = || who(1000, 1000, &[], 0);
    assert_eq!(errors(&one(&mut client, at(b"script", nobody()))), (0, EACCES, EACCES));
    assert_eq!(
        errors(&one(&mut client, at(b"pipe", nobody()))),
        (EACCES, EACCES, EACCES)
    );
    assert_eq!(
        one(&mut client, at(b"link", nobody())).facts.unwrap().kind,
        Kind::Symlink
    );
    assert!(one(&mut client, at(b"link/x", nobody())).fault.is_some());
    // A root that is a file.
    let mut client = Client::over(&top.join("script"));
    let probed = one(
        &mut client,
        Probe {
            sample: 9,
            depth: 3,
            ..at(b"", nobody())
        },
    );
    assert_eq!(
        (errors(&probed), probed.sampled, probed.whole),
        ((0, EACCES, EACCES), 0, true)
    );
}

#[test]
fn what_is_refused_deep_down_is_found_and_links_are_not_tried() {
    if !root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path();
    make(top, (70, 70), 0o700);
    fs::create_dir_all(top.join("a/b/c")).unwrap();
    fs::create_dir(top.join("lost+found")).unwrap();
    for path in ["a", "a/b", "a/b/c"] {
        make(&top.join(path), (70, 70), 0o700);
    }
    for n in 0..50 {
        let path = top.join(format!("a/{n}"));
        fs::write(&path, "x").unwrap();
        make(&path, (70, 70), 0o600);
        symlink("/root", top.join(format!("a/b/l{n}"))).unwrap();
    }
    fs::write(top.join("a/b/deep"), "x").unwrap();
    make(&top.join("a/b/deep"), (0, 0), 0o600);
    let mut client = Client::over(top);
    let sample = |sample, depth, uid| Probe {
        sample,
        depth,
        ..at(b"", who(uid, uid, &[], 0))
    };
    let probed = one(&mut client, sample(1000, 3, 70));
    assert_eq!(errors(&probed), (0, 0, 0));
    assert_eq!((probed.sampled, probed.whole, probed.denied), (54, true, 1));
    assert_eq!(
        (probed.denials[0].path.as_slice(), probed.denials[0].read),
        (&b"a/b/deep"[..], EACCES)
    );
    assert_eq!(probed.denials[0].facts.uid, 0);
    let owners: Vec<_> = probed.owners.iter().map(|owner| (owner.uid, owner.entries)).collect();
    assert_eq!(owners, [(70, 54), (0, 1)]);
    assert_eq!(one(&mut client, sample(1000, 2, 70)).denied, 0);
    let cut = one(&mut client, sample(10, 3, 70));
    assert_eq!((cut.sampled, cut.whole), (10, false));
    // Who may pass nothing is told of each entry by itself.
    let other = one(&mut client, sample(1000, 3, 71));
    assert_eq!((other.denied, other.denials[0].path.as_slice()), (54, &b"a"[..]));
}

#[test]
fn a_read_only_mount_hides_nothing_and_a_read_only_file_system_is_told() {
    if !root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mount = |options: &[&str]| {
        assert!(
            Command::new("mount")
                .args(options)
                .arg(dir.path())
                .status()
                .unwrap()
                .success()
        )
    };
    mount(&["-t", "tmpfs", "-o", "mode=0700,uid=5", "none"]);
    fs::write(dir.path().join("f"), "x").unwrap();
    make(&dir.path().join("f"), (5, 5), 0o600);
    mount(&["-o", "remount,bind,ro"]);
    let sampled = |uid| Probe {
        sample: 10,
        depth: 2,
        ..at(b"", who(uid, uid, &[], 0))
    };
    let try_all = || {
        let mut client = Client::over(dir.path());
        run(&mut client, vec![sampled(5), sampled(6)])
    };
    let by_mount = try_all();
    mount(&["-o", "remount,ro"]);
    let by_super = try_all();
    // Lazily: a program that another test starts right now holds every open file until it runs.
    let unmounted = Command::new("umount").arg("-l").arg(dir.path()).status();
    assert!(unmounted.unwrap().success());
    assert_eq!(
        (errors(&by_mount[0]), by_mount[0].denied, by_mount[0].super_read_only),
        ((0, 0, 0), 0, false)
    );
    assert_eq!(
        (errors(&by_mount[1]), by_mount[1].denied),
        ((EACCES, EACCES, EACCES), 1)
    );
    assert_eq!(by_mount[0].write_as_root, 0);
    assert_eq!((errors(&by_super[0]), by_super[0].super_read_only), ((0, 30, 0), true));
    assert_eq!((by_super[0].write_as_root, by_super[0].denied), (30, 1));
}

#[test]
fn hundreds_of_places_and_identities_take_a_moment() {
    if !root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut probes = Vec::new();
    for n in 0..400 {
        let sub = dir.path().join(format!("v{n}"));
        fs::create_dir(&sub).unwrap();
        for f in 0..20 {
            fs::write(sub.join(format!("{f}")), "").unwrap();
        }
        for uid in [0, 999, 1000 + n] {
            let caps = if uid == 0 { cap::FILES } else { 0 };
            let at = at(format!("v{n}").as_bytes(), who(uid, uid, &[uid, 7], caps));
            probes.push(Probe {
                sample: 20,
                depth: 2,
                ..at
            });
        }
    }
    let begun = Instant::now();
    let probed = run(&mut Client::over(dir.path()), probes);
    // Far above what it takes, so that only another order of growth fails.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!((probed.len(), probed[0].denied, probed[1].denied), (1200, 0, 20));
    eprintln!("{:?}", begun.elapsed());
}

/// Runs the agent as nobody: it can try as itself and as nobody else.
#[test]
fn an_agent_that_may_become_nobody_tries_as_itself() {
    if !root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), (65534, 65534), 0o700);
    let mut client = Client::of_program(
        Command::new("setpriv")
            .args([
                "--reuid",
                "65534",
                "--regid",
                "65534",
                "--clear-groups",
                env!("CARGO_BIN_EXE_vole-agent"),
            ])
            .arg(dir.path()),
    );
    let probed = run(
        &mut client,
        vec![
            at(b"", who(65534, 65534, &[], 0)),
            at(b"", who(0, 0, &[], 0)),
            at(b"", who(65534, 65534, &[9], 0)),
        ],
    );
    assert_eq!(errors(&probed[0]), (0, 0, 0));
    assert_eq!(probed[0].write_as_root, 38);
    assert_eq!(probed[1].fault.as_ref().unwrap().errno, Some(EPERM));
    assert_eq!(probed[2].fault.as_ref().unwrap().errno, Some(EPERM));
}
