//! Listing, looking and reading over pipes, on real directories with everything hostile in them.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::client::{Client, place};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use vole_agent::fs::Roots;
use vole_agent::proto::{Followed, Kind, Order, Reply, Request};

fn touch(dir: &Path, name: &[u8]) {
    File::create(dir.join(OsStr::from_bytes(name))).unwrap();
}

fn fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
}

#[test]
fn hostile_names_are_listed_as_bytes_directories_first() {
    let dir = tempfile::tempdir().unwrap();
    let long = [b'x'; 255];
    let names: [&[u8]; 6] = [
        b"a\nb",
        b"\x1b[31mred",
        b"\xff\xfe",
        b"-rf *",
        "\u{202e}gpj".as_bytes(),
        &long,
    ];
    for name in names {
        touch(dir.path(), name);
    }
    fs::create_dir(dir.path().join("zz")).unwrap();
    let mut client = Client::over(dir.path());
    let listed: Vec<Vec<u8>> = client
        .list(b"", Order::Name, 2)
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    let mut wanted: Vec<Vec<u8>> = names.iter().map(|name| name.to_vec()).collect();
    wanted.sort();
    wanted.insert(0, b"zz".to_vec());
    assert_eq!(listed, wanted);
    for name in names {
        assert_eq!(client.stat(name).unwrap().name, name);
    }
}

#[test]
fn pages_through_a_small_window_equal_the_sorted_whole() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..3000_u32 {
        touch(dir.path(), format!("{:x}-{n}", n.wrapping_mul(0x9E37_79B9)).as_bytes());
    }
    for n in 0..40 {
        fs::create_dir(dir.path().join(format!("d{n}"))).unwrap();
    }
    let file = dir.path().join("big");
    fs::write(&file, vec![1; 100_000]).unwrap();
    // The window holds some hundred names only.
    let mut client = Client::of(Roots::open([dir.path()]).with_window(8 << 10));
    let mut whole = Client::over(dir.path());
    for order in [Order::Name, Order::NameDescending, Order::Size, Order::Modified] {
        let mut wanted = whole.list(b"", order, 4096);
        assert_eq!(client.list(b"", order, 97), wanted, "{order:?}");
        assert_eq!(wanted.len(), 3041);
        wanted.sort_by(|a, b| {
            let dirs = (b.kind == Kind::Dir).cmp(&(a.kind == Kind::Dir));
            dirs.then_with(|| match order {
                Order::Name => a.name.cmp(&b.name),
                Order::NameDescending => b.name.cmp(&a.name),
                Order::Size => b.allocated.cmp(&a.allocated).then_with(|| a.name.cmp(&b.name)),
                Order::Modified => b.mtime.cmp(&a.mtime).then_with(|| a.name.cmp(&b.name)),
            })
        });
        assert_eq!(whole.list(b"", order, 1000), wanted, "{order:?}");
        assert_eq!(client.page(b"", order, None, 1).total, 3041);
    }
}

#[test]
fn a_first_page_is_fresh_and_later_ones_pass_over_what_went() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c", "d"] {
        touch(dir.path(), name.as_bytes());
    }
    let mut client = Client::over(dir.path());
    let page = client.page(b"", Order::Name, None, 2);
    fs::remove_file(dir.path().join("c")).unwrap();
    let rest = client.page(b"", Order::Name, page.next, 2);
    assert_eq!(
        rest.entries
            .iter()
            .map(|entry| entry.name.as_slice())
            .collect::<Vec<_>>(),
        [b"d"]
    );
    assert_eq!(client.page(b"", Order::Name, None, 10).total, 3);
}

#[test]
fn symlinks_are_shown_and_never_followed() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("real")).unwrap();
    fs::write(dir.path().join("real/f"), "inside").unwrap();
    symlink("/etc", dir.path().join("out")).unwrap();
    symlink("real", dir.path().join("in")).unwrap();
    symlink("loop", dir.path().join("loop")).unwrap();
    for roots in [Roots::open([dir.path()]), Roots::open([dir.path()]).without_openat2()] {
        let mut client = Client::of(roots);
        let link = client.stat(b"out").unwrap();
        assert_eq!((link.kind, link.target.as_deref()), (Kind::Symlink, Some(&b"/etc"[..])));
        for path in [
            &b"out/passwd"[..],
            b"in/f",
            b"loop",
            b"out",
            b"../etc/passwd",
            b"real/../real/f",
            b"/etc/passwd",
        ] {
            assert!(client.read(path, 0, 10).is_err(), "{path:?}");
        }
        assert_eq!(client.read(b"real/f", 0, u64::MAX).unwrap(), b"inside");
        assert!(
            client
                .run(Request::List {
                    at: place(b"in"),
                    order: Order::Name,
                    after: None,
                    limit: 9
                })
                .is_err()
        );
    }
}

#[test]
fn special_files_are_refused_without_being_opened() {
    let dir = tempfile::tempdir().unwrap();
    fifo(&dir.path().join("pipe"));
    let socket = std::os::unix::net::UnixListener::bind(dir.path().join("sock")).unwrap();
    let mut client = Client::over(dir.path());
    assert_eq!(client.stat(b"pipe").unwrap().kind, Kind::Fifo);
    assert!(client.read(b"pipe", 0, 1).unwrap_err().message.contains("named pipe"));
    assert!(client.read(b"sock", 0, 1).unwrap_err().message.contains("socket"));
    drop(socket);
}

#[test]
fn ranges_sparse_files_and_files_that_shrink() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("f"), b"0123456789").unwrap();
    let sparse = File::create(dir.path().join("sparse")).unwrap();
    sparse.set_len(1 << 40).unwrap();
    let mut client = Client::over(dir.path());
    assert_eq!(client.read(b"f", 3, 4).unwrap(), b"3456");
    assert_eq!(client.read(b"f", 8, u64::MAX).unwrap(), b"89");
    assert_eq!(client.read(b"f", u64::MAX, 5).unwrap(), b"");
    assert_eq!(client.read(b"sparse", (1 << 40) - 3, 100).unwrap(), [0; 3]);
    let entry = client.stat(b"sparse").unwrap();
    assert_eq!((entry.size, entry.allocated), (1 << 40, 0));

    // A file of a terabyte is cancelled, and one that is cut short while it is read just ends.
    let id = client.start(Request::Read {
        at: place(b"sparse"),
        offset: 0,
        len: u64::MAX,
    });
    assert!(matches!(client.reply(), (_, Reply::Data(_))));
    sparse.set_len(1 << 20).unwrap();
    while !matches!(client.reply(), (of, Reply::Done { .. }) if of == id) {}
    sparse.set_len(1 << 40).unwrap();
    let id = client.start(Request::Read {
        at: place(b"sparse"),
        offset: 0,
        len: u64::MAX,
    });
    client.cancel(id);
    while !matches!(client.reply(), (of, Reply::Cancelled) if of == id) {}
}

#[test]
fn a_root_may_be_a_file_or_missing() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("f"), "text").unwrap();
    let mut client = Client::of(Roots::open([dir.path().join("f"), dir.path().join("none")]));
    assert_eq!(client.hello.roots[0].kind, Kind::File);
    assert_eq!(client.hello.roots[0].fault, None);
    assert!(client.hello.roots[0].fs_root.ends_with(b"/f"));
    assert!(client.hello.roots[1].fault.is_some());
    assert_eq!(client.read(b"", 0, 9).unwrap(), b"text");
    let mut missing = place(b"");
    missing.root = 1;
    assert!(client.run(Request::Stat { at: missing.clone() }).is_err());
    missing.root = 7;
    assert!(
        client
            .run(Request::Stat { at: missing })
            .unwrap_err()
            .message
            .contains("root 7")
    );
}

#[test]
fn paths_longer_than_path_max_work_both_ways() {
    let dir = tempfile::tempdir().unwrap();
    let name = "n".repeat(200);
    let mut path = Vec::new();
    let mut here = rustix::fs::open(dir.path(), rustix::fs::OFlags::PATH, Mode::empty()).unwrap();
    for _ in 0..60 {
        rustix::fs::mkdirat(&here, name.as_str(), Mode::RWXU).unwrap();
        here = rustix::fs::openat(&here, name.as_str(), rustix::fs::OFlags::PATH, Mode::empty()).unwrap();
        path.extend_from_slice(name.as_bytes());
        path.push(b'/');
    }
    let flags = rustix::fs::OFlags::CREATE | rustix::fs::OFlags::WRONLY;
    let file = rustix::fs::openat(&here, "f", flags, Mode::RWXU).unwrap();
    rustix::io::write(&file, b"deep").unwrap();
    path.push(b'f');
    for roots in [Roots::open([dir.path()]), Roots::open([dir.path()]).without_openat2()] {
        let mut client = Client::of(roots);
        assert_eq!(client.read(&path, 0, 9).unwrap(), b"deep");
        assert_eq!(client.list(&path[..path.len() - 2], Order::Name, 10).len(), 1);
    }
}

/// The next news of a followed file.
fn news(client: &mut Client) -> Followed {
    match client.reply() {
        (_, Reply::Followed(news)) => news,
        other => panic!("{other:?}"),
    }
}

#[test]
fn following_survives_truncation_rotation_and_absence() {
    use std::io::Write;
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    fs::write(&log, b"old line\n").unwrap();
    let mut client = Client::over(dir.path());
    let id = client.start(Request::Follow {
        at: place(b"log"),
        tail: 5,
    });
    assert_eq!(
        news(&mut client),
        Followed::Data {
            offset: 4,
            bytes: b"line\n".to_vec()
        }
    );
    let mut file = File::options().append(true).open(&log).unwrap();
    file.write_all(b"more\n").unwrap();
    assert_eq!(
        news(&mut client),
        Followed::Data {
            offset: 9,
            bytes: b"more\n".to_vec()
        }
    );

    file.set_len(0).unwrap();
    assert_eq!(news(&mut client), Followed::Truncated);
    file.write_all(b"x\n").unwrap();
    assert_eq!(
        news(&mut client),
        Followed::Data {
            offset: 0,
            bytes: b"x\n".to_vec()
        }
    );

    // What the old file got before it was replaced still comes first.
    file.write_all(b"last\n").unwrap();
    fs::rename(&log, dir.path().join("log.1")).unwrap();
    assert_eq!(
        news(&mut client),
        Followed::Data {
            offset: 2,
            bytes: b"last\n".to_vec()
        }
    );
    assert_eq!(news(&mut client), Followed::Gone);
    fs::write(dir.path().join("new"), b"fresh\n").unwrap();
    fs::rename(dir.path().join("new"), &log).unwrap();
    assert_eq!(news(&mut client), Followed::Rotated);
    assert_eq!(
        news(&mut client),
        Followed::Data {
            offset: 0,
            bytes: b"fresh\n".to_vec()
        }
    );
    client.cancel(id);
    assert_eq!(client.reply(), (id, Reply::Cancelled));
}

#[test]
fn file_systems_agree_with_the_hello() {
    let dir = tempfile::tempdir().unwrap();
    let mut client = Client::over(dir.path());
    let (replies, _) = client.run(Request::FileSystems { roots: vec![0, 3] }).unwrap();
    let [Reply::FileSystems(found)] = replies.as_slice() else {
        panic!("{replies:?}")
    };
    assert_eq!(found[0].dev, client.hello.roots[0].dev);
    assert!(found[0].size >= found[0].free && found[0].free >= found[0].available && found[0].size > 0);
    assert!(found[1].fault.is_some());
}
