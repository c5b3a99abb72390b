//! Reading, following and searching.

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt};
use vole_agent::proto::Followed;

use super::{at, open_one, read};
use crate::ops::search::{self, Reading};

fn dfa(pattern: &str) -> Vec<u8> {
    search::compile(pattern, Reading::default()).unwrap().dfa
}

#[tokio::test]
async fn any_split_of_a_read_gives_the_same_bytes() {
    for (name, path) in [
        ("shop_logs", "access.log"),
        ("shop_logs", "error.log"),
        ("shop_dbdata", "base/16384/16385"),
        ("shop_dbdata", "log/postgresql-Mon.log"),
        ("imports", "events.ndjson"),
        ("imports", "sparse.img"),
        ("media_library", "films/Metropolis (1927)/Metropolis (1927).mkv"),
    ] {
        let session = open_one(name).await;
        let path = path.as_bytes();
        let all = read(&session, path, 0, 40_000).await;
        assert_eq!(all.len(), 40_000);
        for split in [1, 7, 4095, 4096, 4097, 8192, 39_999] {
            let head = read(&session, path, 0, split).await;
            let tail = read(&session, path, split, 40_000 - split).await;
            assert!([head, tail].concat() == all, "{name}: split at {split}");
        }
        let size = session.stat(at(path)).await.unwrap().size;
        assert_eq!(read(&session, path, size - 5, u64::MAX).await.len(), 5);
        assert_eq!(read(&session, path, size, 10).await, b"");
        assert_eq!(read(&session, path, u64::MAX, u64::MAX).await, b"");
    }
}

#[tokio::test]
async fn forty_gigabytes_are_readable_at_their_end() {
    let session = open_one("media_library").await;
    let path = b"films/Metropolis (1927)/Metropolis (1927).mkv";
    let end = read(&session, path, 9_000 << 20, 4096).await;
    assert_eq!(end.len(), 4096);
    assert_ne!(end, read(&session, path, 9_001 << 20, 4096).await);
}

#[tokio::test]
async fn logs_are_whole_lines_of_text() {
    let session = open_one("shop_logs").await;
    let log = read(&session, b"access.log.1", 0, u64::MAX).await;
    assert_eq!(log.len(), 5 << 20);
    assert_eq!(log.last(), Some(&b'\n'));
    assert!(
        std::str::from_utf8(&log)
            .unwrap()
            .lines()
            .all(|line| line.contains("HTTP/1.1") && line.len() < 700)
    );
}

#[tokio::test]
async fn a_followed_log_gains_lines_that_can_be_read_again() {
    let session = open_one("shop_logs").await;
    let log = at("access.log");
    let size = session.stat(log.clone()).await.unwrap().size;
    let mut news = session.follow(log.clone(), 100);
    let mut got = Vec::new();
    while got.len() < 100 + 3 * 192 {
        let Some(Ok(Followed::Data { offset, bytes })) = news.next().await else {
            panic!("the log ended");
        };
        assert_eq!(offset, size - 100 + got.len() as u64);
        got.extend(bytes);
    }
    drop(news);
    assert!(read(&session, b"access.log", size - 100, got.len() as u64).await == got);
    assert_eq!(got.last(), Some(&b'\n'));
    assert!(session.stat(log).await.unwrap().size >= size + 3 * 192);
}

#[tokio::test]
async fn find_and_grep_find_what_is_there_up_to_their_limits() {
    let session = open_one("shop_dbdata").await;
    let found = session
        .find(at(""), dfa(r"^pg_(hba|control)"), 10)
        .try_concat()
        .await
        .unwrap();
    let paths: BTreeSet<Vec<u8>> = found.into_iter().map(|found| found.path).collect();
    assert_eq!(
        paths,
        BTreeSet::from([b"global/pg_control".to_vec(), b"pg_hba.conf".to_vec()])
    );
    let hits = session
        .grep(at(""), dfa("scram-sha-256"), 10, 200, false)
        .try_concat()
        .await
        .unwrap();
    assert_eq!(hits.len(), 1);
    assert_eq!(
        (hits[0].path.as_slice(), hits[0].line, hits[0].cut),
        (&b"pg_hba.conf"[..], 4, false)
    );
    let line = read(&session, b"pg_hba.conf", hits[0].offset, hits[0].text.len() as u64).await;
    assert_eq!(line, hits[0].text);
    let hits = session
        .grep(at("log/postgresql-Mon.log"), dfa("SELECT"), 70, 30, false)
        .try_concat()
        .await
        .unwrap();
    assert_eq!(hits.len(), 70);
    assert!(hits.iter().all(|hit| hit.text.len() == 30 && hit.cut));
    assert!(
        session
            .find(at(""), b"no automaton".to_vec(), 1)
            .try_concat()
            .await
            .is_err()
    );
}

#[tokio::test]
async fn grep_passes_over_binaries_unless_asked_and_copes_with_long_lines() {
    let session = open_one("imports").await;
    let quiet = session
        .grep(at("report-final.pdf"), dfa("%PDF"), 9, 80, false)
        .try_concat()
        .await
        .unwrap();
    assert_eq!(quiet, []);
    let loud = session
        .grep(at("report-final.pdf"), dfa("%PDF"), 9, 80, true)
        .try_concat()
        .await
        .unwrap();
    assert_eq!(loud.len(), 1);
    let long = session
        .grep(at("one-line.json"), dfa("items"), 9, 80, false)
        .try_concat()
        .await
        .unwrap();
    assert_eq!((long.len(), long[0].text.len(), long[0].cut), (1, 80, true));
}
