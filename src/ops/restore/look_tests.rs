use std::fs;
use std::path::PathBuf;

use super::*;
use crate::archive::sample::committed;
use crate::model::BytePath;

/// A whole restore, or one in place, which wants more than a sidecar's word.
fn request(path: &Path, in_place: bool) -> Request {
    Request {
        in_place,
        ..Request::of(path.to_owned())
    }
}

async fn look(path: &Path, in_place: bool) -> Result<Checked, EngineError> {
    let source = Source::file(path)?;
    let (news, _none) = mpsc::channel(1);
    check(
        &source,
        path,
        &request(path, in_place),
        &news,
        &CancellationToken::new(),
    )
    .await
}

fn sidecar(archive: &Archive) -> PathBuf {
    let mut name = archive.path.clone().into_os_string();
    name.push(".json");
    name.into()
}

/// A sidecar that is right about the file, and wrong about what only who reads all of it can know.
fn lie(archive: &Archive) {
    let text = fs::read_to_string(sidecar(archive)).unwrap();
    let lie = text.replace("\"entries\": 2", "\"entries\": 3");
    assert_ne!(lie, text);
    fs::write(sidecar(archive), lie).unwrap();
}

#[tokio::test]
async fn a_sidecar_vouches_for_its_file_and_all_is_read_on_demand_and_without_one() {
    let dir = tempfile::tempdir().unwrap();
    let archive = committed(dir.path());
    let thorough = look(&archive.path, true).await.unwrap();
    assert_eq!(thorough.verdict, Some(Verdict::Ok));
    assert_eq!(
        (thorough.counts, thorough.digest),
        (Some((2, 4)), archive::digest(&archive.digest))
    );
    assert_eq!(thorough.origin.as_ref(), Some(&archive.origin));
    assert_eq!(look(&archive.path, false).await.unwrap(), thorough);
    lie(&archive);
    assert_eq!(look(&archive.path, false).await.unwrap().counts, Some((3, 4)));
    assert_eq!(look(&archive.path, true).await.unwrap(), thorough);
    // A part is counted, which no sidecar can say.
    let part = Request {
        only: vec![BytePath::new(b"file".as_slice())],
        ..request(&archive.path, false)
    };
    let (news, _none) = mpsc::channel(1);
    let source = Source::file(&archive.path).unwrap();
    let checked = check(&source, &archive.path, &part, &news, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!((checked.part, checked.counts), (Some((1, 4)), Some((2, 4))));
    fs::remove_file(sidecar(&archive)).unwrap();
    assert_eq!(look(&archive.path, false).await.unwrap(), thorough);
}

#[tokio::test]
async fn names_that_are_taken_away_altogether_are_told_before_anything_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let archive = committed(dir.path());
    for (strip, in_place) in [(2, false), (9, true)] {
        let request = Request {
            strip: Some(strip),
            ..request(&archive.path, in_place)
        };
        let (news, _none) = mpsc::channel(1);
        let source = Source::file(&archive.path).unwrap();
        let checked = check(&source, &archive.path, &request, &news, &CancellationToken::new())
            .await
            .unwrap();
        assert_eq!(checked.verdict, Some(Verdict::Ok));
        assert!(checked.why.unwrap().contains("nothing is left of the names"));
    }
}

#[tokio::test]
async fn a_file_that_its_sidecar_was_not_written_for_is_not_restored() {
    let dir = tempfile::tempdir().unwrap();
    let archive = committed(dir.path());
    let bytes = fs::read(&archive.path).unwrap();
    // A bit of what is in it: read whole, which names the entry.
    let mut flipped = bytes.clone();
    let at = bytes.windows(4).position(|four| four == b"1234").unwrap();
    flipped[at] ^= 1;
    fs::write(&archive.path, &flipped).unwrap();
    let checked = look(&archive.path, false).await.unwrap();
    assert_eq!(checked.verdict, Some(Verdict::Corrupt));
    assert!(checked.why.is_some());
    fs::write(&archive.path, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(
        look(&archive.path, false).await.unwrap().verdict,
        Some(Verdict::Truncated)
    );
    // Whole, and another one.
    fs::write(&archive.path, &bytes).unwrap();
    let text = fs::read_to_string(sidecar(&archive)).unwrap();
    fs::write(sidecar(&archive), text.replace(&archive.sha256, &"0".repeat(64))).unwrap();
    for in_place in [false, true] {
        let checked = look(&archive.path, in_place).await.unwrap();
        assert_eq!(checked.verdict, Some(Verdict::Corrupt));
        assert!(checked.why.unwrap().contains("sidecar"));
    }
}

#[tokio::test]
async fn a_look_that_nobody_waits_for_ends() {
    let dir = tempfile::tempdir().unwrap();
    let archive = committed(dir.path());
    let source = Source::file(&archive.path).unwrap();
    let (news, _none) = mpsc::channel(1);
    let cancel = CancellationToken::new();
    cancel.cancel();
    for in_place in [false, true] {
        let request = request(&archive.path, in_place);
        let ended = check(&source, &archive.path, &request, &news, &cancel).await;
        assert_eq!(ended.unwrap_err(), EngineError::Cancelled);
    }
}
