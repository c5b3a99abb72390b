//! Downloads from a real agent in process, over directories that hold what may hurt.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use vole_agent::proto::{Entry, Fault, Hello, Page, Reply, Request, Time};
use vole_agent::serve::{Backend, Halt, Sink};

use super::*;

/// A session over a directory, with the agent in this process.
async fn session(dir: &Path) -> Session {
    let roots = vole_agent::fs::Roots::open([dir]);
    crate::engine::local::in_process(std::sync::Arc::new(roots))
        .await
        .unwrap()
}

async fn get(session: &Session, path: &[u8], destination: &Path) -> Result<Report, GetError> {
    let at = Place {
        root: 0,
        path: path.to_vec(),
    };
    run(
        session,
        at,
        destination.to_path_buf(),
        watch::Sender::new(Progress::default()),
        CancellationToken::new(),
    )
    .await
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| format!("{:?}", entry.unwrap().file_name()))
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_directory_comes_whole_with_links_holes_and_odd_names() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let odd = std::ffi::OsStr::from_bytes(b"a\xff\n\x1b[2J");
    fs::create_dir_all(from.path().join("d/sub")).unwrap();
    fs::write(from.path().join("d/sub").join(odd), "odd").unwrap();
    fs::write(from.path().join("d/tool"), "#!").unwrap();
    fs::set_permissions(from.path().join("d/tool"), fs::Permissions::from_mode(0o4755)).unwrap();
    symlink("/etc/passwd", from.path().join("d/link")).unwrap();
    let hole = fs::File::create(from.path().join("d/hole")).unwrap();
    hole.set_len(3 << 20).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        from.path().join("d/pipe"),
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();

    let session = session(from.path()).await;
    let report = get(&session, b"d", &to.path().join("copy")).await.unwrap();
    assert_eq!((report.files, report.dirs, report.symlinks), (3, 2, 1));
    assert_eq!(
        report.skipped,
        [Skipped {
            path: BytePath::new(b"pipe"),
            reason: "a named pipe is not downloaded".to_owned()
        }]
    );
    let copy = to.path().join("copy");
    assert_eq!(fs::read(copy.join("sub").join(odd)).unwrap(), b"odd");
    assert_eq!(fs::read_link(copy.join("link")).unwrap(), Path::new("/etc/passwd"));
    assert_eq!(fs::metadata(copy.join("hole")).unwrap().len(), 3 << 20);
    assert_eq!(
        fs::metadata(copy.join("tool")).unwrap().permissions().mode() & 0o7777,
        0o755,
        "suid is not ours to give"
    );
    assert_eq!(names(to.path()), ["\"copy\""], "nothing is left beside it");
}

/// An agent that knows of two links and a third entry only their names.
struct Forgetful;

impl Backend for Forgetful {
    fn hello(&self) -> Hello {
        vole_agent::fs::Roots::open(["/"]).hello()
    }

    fn handle(&self, request: Request, sink: &Sink) -> Result<Vec<Fault>, Halt> {
        let link = |name: &[u8], target: Option<&[u8]>| Entry {
            kind: Kind::Symlink,
            target: target.map(<[u8]>::to_vec),
            ..nothing_of(name)
        };
        let reply = match request {
            Request::Stat { at } if at.path == b"link" => Reply::Entry(link(b"link", None)),
            Request::Stat { .. } => Reply::Entry(Entry {
                kind: Kind::Dir,
                ..nothing_of(b"d")
            }),
            Request::List { .. } => Reply::Page(Page {
                entries: vec![
                    link(b"known", Some(b"there")),
                    link(b"unknown", None),
                    Entry {
                        errno: Some(5),
                        ..nothing_of(b"broken")
                    },
                ],
                total: 3,
                next: None,
            }),
            _ => return Ok(Vec::new()),
        };
        sink.send(reply).map(|()| Vec::new())
    }
}

fn nothing_of(name: &[u8]) -> Entry {
    Entry {
        name: name.to_vec(),
        kind: Kind::Unknown,
        mode: 0o700,
        uid: 0,
        gid: 0,
        size: 0,
        allocated: 0,
        mtime: Time { secs: 0, nanos: 0 },
        nlink: 1,
        ino: 1,
        target: None,
        other_fs: false,
        errno: None,
    }
}

#[tokio::test]
async fn what_is_known_by_name_alone_is_left_out_and_said() {
    let to = tempfile::tempdir().unwrap();
    let session = crate::engine::local::in_process(std::sync::Arc::new(Forgetful))
        .await
        .unwrap();
    let report = get(&session, b"d", &to.path().join("d")).await.unwrap();
    assert_eq!(report.symlinks, 1);
    assert_eq!(names(&to.path().join("d")), ["\"known\""]);
    let said: Vec<(&[u8], &str)> = report
        .skipped
        .iter()
        .map(|left| (left.path.as_bytes(), left.reason.as_str()))
        .collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].0.ends_with(b"unknown") && said[0].1.contains("points"),
        "{said:?}"
    );
    assert!(
        said[1].0.ends_with(b"broken") && said[1].1.contains("Input/output error"),
        "{said:?}"
    );

    let alone = get(&session, b"link", &to.path().join("link")).await.unwrap_err();
    assert!(alone.to_string().contains("points"), "{alone}");
    assert_eq!(names(to.path()), ["\"d\""]);
}

/// Makes directories, each in the one before, with a file in the last; deeper than a path may be long.
fn deep(dir: &Path, levels: usize) {
    let mut here = std::os::fd::OwnedFd::from(fs::File::open(dir).unwrap());
    for _ in 0..levels {
        here = dest::make_dir(&here, "some_directory".as_ref()).unwrap();
    }
    crate::store::create_new(&here, "end".as_ref()).unwrap();
}

#[tokio::test]
async fn a_tree_deeper_than_files_may_be_open_comes_whole_and_goes_again() {
    const LEVELS: usize = 1100;
    // What a login shell gives; other tests in this process need few.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let usual = limit.current.map_or(1024, |current| current.min(1024));
    let lowered = rustix::process::Rlimit {
        current: Some(usual),
        ..limit
    };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, lowered).unwrap();

    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::create_dir(from.path().join("d")).unwrap();
    deep(&from.path().join("d"), LEVELS);
    let session = session(from.path()).await;
    let report = get(&session, b"d", &to.path().join("copy")).await;
    for (dir, name) in [(&from, "d"), (&to, "copy")] {
        let dir = fs::File::open(dir.path()).unwrap();
        dest::remove_tree(dir.as_fd(), name.as_ref()).unwrap();
    }
    let report = report.unwrap();
    assert_eq!(report.skipped, []);
    assert_eq!((report.files, report.dirs), (1, LEVELS as u64 + 1));
    assert_eq!((names(from.path()).len(), names(to.path()).len()), (0, 0));
}

#[test]
fn the_way_up_leads_nowhere_else() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("a/b")).unwrap();
    fs::create_dir(dir.path().join("other")).unwrap();
    let open = |path: &str| fs::File::open(dir.path().join(path)).unwrap();
    let (above, below) = (dest::identity(open("a")).unwrap(), open("a/b"));
    assert!(dest::above(&below, above).is_ok());
    fs::rename(dir.path().join("a/b"), dir.path().join("other/b")).unwrap();
    assert_eq!(dest::above(&below, above).unwrap_err(), rustix::io::Errno::STALE);
}

#[tokio::test]
async fn nothing_is_overwritten_and_a_failure_leaves_nothing() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(from.path().join("f"), "new").unwrap();
    fs::write(to.path().join("f"), "old").unwrap();
    let session = session(from.path()).await;
    let there = to.path().join("f");
    assert_eq!(get(&session, b"f", &there).await, Err(GetError::Exists(there.clone())));
    assert_eq!(fs::read(&there).unwrap(), b"old");
    assert!(matches!(
        get(&session, b"nosuch", &to.path().join("x")).await,
        Err(GetError::Engine(_))
    ));
    assert!(matches!(
        get(&session, b"../f", &to.path().join("x")).await,
        Err(GetError::Engine(_))
    ));
    assert!(matches!(
        get(&session, b"f", &to.path().join("no/dir")).await,
        Err(GetError::Local { .. })
    ));
    assert_eq!(names(to.path()), ["\"f\""]);
}

#[test]
fn a_directory_takes_the_download_under_its_own_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &[u8], mount: &str| final_path(dir.path(), name, mount);
    assert_eq!(path(b"log", "v"), Ok(dir.path().join("log")));
    assert_eq!(path(b"", "shop_db"), Ok(dir.path().join("shop_db")));
    assert_eq!(path(b"", "/srv/media"), Ok(dir.path().join("media")));
    assert!(path(b"", "/").is_err());
    assert!(path(b"..", "v").is_err());
    assert_eq!(
        final_path(&dir.path().join("new"), b"log", "v"),
        Ok(dir.path().join("new"))
    );
}
