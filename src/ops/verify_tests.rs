use time::OffsetDateTime;
use vole_agent::archive::{Entry, Form, Writer};
use vole_agent::proto::Time;
use vole_agent::proto::archive::Compression;

use super::*;
use crate::archive::{Draft, Status};
use crate::model::Mount;

fn entry(path: &str, form: Form) -> Entry {
    Entry {
        path: path.into(),
        form,
        mode: 0o700,
        uid: 1,
        gid: 2,
        mtime: Time { secs: 3, nanos: 4 },
        xattrs: Vec::new(),
        acl_cut: false,
    }
}

/// A committed archive of two entries.
fn committed(dir: &Path) -> Archive {
    let origin = Origin::of(&Mount::sample("db"), "unix:///x".to_owned(), OffsetDateTime::UNIX_EPOCH);
    let mut writer = Writer::begin(Vec::new(), &serde_json::to_vec(&origin).unwrap()).unwrap();
    let top = entry("", Form::Dir);
    writer.entry(&top).unwrap();
    writer.entry(&entry("file", Form::File { size: 4, map: None })).unwrap();
    writer.contents(b"1234").unwrap();
    let (bytes, counts, digest) = writer.finish(&top).unwrap();
    let mut draft = Draft::begin(dir, "db", OffsetDateTime::UNIX_EPOCH, Compression::None).unwrap();
    draft.write(&bytes).unwrap();
    let archive = Archive {
        path: PathBuf::new(),
        origin,
        bytes: 0,
        sha256: String::new(),
        entries: counts.entries,
        content_bytes: counts.bytes,
        digest: hex(&digest),
        status: Status::Ok,
        warnings: Vec::new(),
        warned: 0,
    };
    draft.commit(archive).unwrap()
}

async fn checked(path: &Path) -> Result<Report, VerifyError> {
    run(
        Some(path.to_owned()),
        watch::Sender::default(),
        CancellationToken::new(),
    )
    .await
}

#[tokio::test]
async fn a_whole_archive_is_what_its_sidecar_says() {
    let dir = tempfile::tempdir().unwrap();
    let archive = committed(dir.path());
    let report = checked(&archive.path).await.unwrap();
    assert_eq!(report.verdict, Verdict::Ok, "{report:?}");
    assert_eq!(
        (report.entries, report.content_bytes, report.bytes),
        (2, 4, archive.bytes)
    );
    assert_eq!(report.sha256.as_ref(), Some(&archive.sha256));
    assert_eq!(report.digest.as_ref(), Some(&archive.digest));
    assert_eq!(report.origin.as_ref(), Some(&archive.origin));
    assert_eq!((report.sidecar, report.warnings), (Some(archive), Vec::new()));
}

#[tokio::test]
async fn another_whole_archive_in_its_place_is_not_the_one_that_was_written() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let archive = committed(dir.path());
    let mut name = archive.path.clone().into_os_string();
    name.push(".json");
    let sidecar = std::fs::read_to_string(&name).unwrap();
    std::fs::write(&name, sidecar.replace(&archive.sha256, &"0".repeat(64))).unwrap();
    let report = checked(&archive.path).await.unwrap();
    assert_eq!(report.verdict, Verdict::Corrupt);
    assert!(report.damage.unwrap().contains("sidecar"));
    std::fs::write(&name, "{").unwrap();
    let report = checked(&archive.path).await.unwrap();
    assert_eq!((report.verdict, report.warnings.len()), (Verdict::Ok, 1));
    let alone = other.path().join("moved");
    std::fs::copy(&archive.path, &alone).unwrap();
    let report = checked(&alone).await.unwrap();
    assert_eq!((report.verdict, report.sidecar), (Verdict::Ok, None));
}

#[tokio::test]
async fn damage_is_named_and_what_cannot_be_read_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let archive = committed(dir.path());
    let bytes = std::fs::read(&archive.path).unwrap();
    let copy = dir.path().join("copy");
    std::fs::write(&copy, &bytes[..bytes.len() - 1]).unwrap();
    let report = checked(&copy).await.unwrap();
    assert_eq!(report.verdict, Verdict::Truncated);
    let at = bytes.windows(4).position(|four| four == b"1234").unwrap();
    let mut flipped = bytes.clone();
    flipped[at] ^= 1;
    std::fs::write(&copy, &flipped).unwrap();
    let report = checked(&copy).await.unwrap();
    assert_eq!(report.verdict, Verdict::Corrupt);
    assert!(report.damage.is_some());
    assert_eq!(report.sha256, Some(hex(&Sha256::digest(&flipped))));
    assert!(matches!(checked(dir.path()).await, Err(VerifyError::Unread { .. })));
    assert!(matches!(
        checked(&dir.path().join("none")).await,
        Err(VerifyError::Unread { .. })
    ));
    let cancel = CancellationToken::new();
    cancel.cancel();
    let cancelled = run(Some(copy), watch::Sender::default(), cancel).await;
    assert!(matches!(cancelled, Err(VerifyError::Cancelled)));
}
