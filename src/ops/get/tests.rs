//! Downloads from a real agent in process, over directories that hold what may hurt.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

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
