use crate::archive::sample::committed;

use sha2::{Digest as _, Sha256};

use super::*;

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
