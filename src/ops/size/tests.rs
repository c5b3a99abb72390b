//! Sizes of the demo's fleet: every subject ends exactly once, with a reason where there is no number.

use std::collections::{BTreeMap, HashMap};

use time::OffsetDateTime;

use super::*;
use crate::demo::{self, DemoOptions};
use crate::fingerprint::{Row, Rules};
use crate::model::{Scan, Worth};
use crate::ops::list::{self, Depth};

async fn mounts(engine: &Engine) -> Vec<Arc<Mount>> {
    list::load(engine, Depth::Full).await.unwrap().mounts
}

async fn measure(engine: &Engine, subjects: Vec<Subject>, depth: u32) -> (Outcome, Vec<SizeNews>) {
    let (news, mut received) = mpsc::channel(4);
    let collecting = tokio::spawn(async move {
        let mut all = Vec::new();
        while let Some(batch) = received.recv().await {
            all.extend(batch);
        }
        all
    });
    let outcome = run(engine, subjects, depth, news, CancellationToken::new()).await;
    (outcome, collecting.await.unwrap())
}

#[tokio::test]
async fn every_mount_ends_once_and_says_why_when_it_has_no_size() {
    let engine = demo::engine(DemoOptions::instant(OffsetDateTime::UNIX_EPOCH));
    let mounts = mounts(&engine).await;
    let subjects: Vec<Subject> = mounts
        .iter()
        .cloned()
        .map(|mount| Subject::whole(mount, false))
        .collect();
    let (outcome, news) = measure(&engine, subjects, 0).await;
    let mut last: HashMap<&MountId, Vec<&Size>> = HashMap::new();
    for one in news.iter().filter(|one| !matches!(one.size, Size::Measuring { .. })) {
        last.entry(&one.id).or_default().push(&one.size);
    }
    assert!(last.values().all(|sizes| sizes.len() == 1), "a subject ended twice");
    assert_eq!(last.len(), mounts.len(), "a subject never ended");
    assert_eq!(outcome.measured + outcome.failed + outcome.skipped, mounts.len());
    assert!(
        outcome.measured > 15 && outcome.failed >= 1 && outcome.skipped >= 3,
        "{outcome:?}"
    );
    for mount in &mounts {
        let expected = match (&mount.scan, last[&mount.id][0]) {
            (Scan::Never(_) | Scan::OnDemand(_), Size::Unknown(Some(why))) => !why.is_empty(),
            (Scan::Shared | Scan::Alone | Scan::InContainer(_), Size::Measured(one)) => one.source == Source::Agent,
            (Scan::Shared | Scan::Alone, Size::Failed(why)) => !why.is_empty(),
            _ => false,
        };
        assert!(expected, "{}: {:?} {:?}", mount.name, mount.scan, last[&mount.id]);
    }
}

#[tokio::test]
async fn directories_below_a_path_are_reported_within_the_mount() {
    let engine = demo::engine(DemoOptions::instant(OffsetDateTime::UNIX_EPOCH));
    let mount = mounts(&engine)
        .await
        .into_iter()
        .find(|mount| mount.name == "shop_dbdata")
        .unwrap();
    let subject = Subject {
        mount,
        path: BytePath::new(b"base"),
        asked: true,
    };
    let (outcome, news) = measure(&engine, vec![subject], 1).await;
    assert_eq!(outcome.measured, 1);
    let directories: Vec<&SizeNews> = news
        .iter()
        .filter(|one| one.path.parent() == Some(BytePath::new(b"base")))
        .collect();
    assert!(!directories.is_empty(), "{news:?}");
    assert!(news.iter().all(|one| one.path.as_bytes().starts_with(b"base")));
    let looked = |one: &SizeNews| one.size.measured().is_some_and(|measured| measured.contents.is_some());
    assert!(
        !news.iter().any(looked),
        "a part of a mount does not say what the whole is"
    );
}

#[tokio::test]
async fn a_cancelled_run_leaves_nothing_unsaid() {
    let engine = demo::engine(DemoOptions::instant(OffsetDateTime::UNIX_EPOCH));
    let subjects: Vec<Subject> = mounts(&engine)
        .await
        .into_iter()
        .map(|mount| Subject::whole(mount, false))
        .collect();
    let all = subjects.len();
    let (news, mut received) = mpsc::channel(64);
    let cancel = CancellationToken::new();
    cancel.cancel();
    let outcome = run(&engine, subjects, 0, news, cancel).await;
    assert!(outcome.cancelled);
    assert_eq!(outcome.skipped, all);
    let mut said = 0;
    while let Ok(batch) = received.try_recv() {
        said += batch
            .iter()
            .filter(|one| matches!(one.size, Size::Unknown(Some(_))))
            .count();
    }
    assert_eq!(said, all);
}

#[tokio::test]
async fn a_whole_mount_says_what_it_looks_like_by_the_rules_of_its_engine() {
    let row = Row {
        kind: "PostgreSQL".to_owned(),
        worth: Worth::Low,
        any: vec![vec!["postgresql.conf".to_owned()]],
        version: Vec::new(),
        magic: None,
        caches: Vec::new(),
        names: Vec::new(),
    };
    let rules = Rules::new(&[row], &BTreeMap::new()).unwrap();
    let demo = demo::engine(DemoOptions::instant(OffsetDateTime::UNIX_EPOCH));
    let mount = mounts(&demo)
        .await
        .into_iter()
        .find(|mount| mount.name == "shop_dbdata");
    let subject = Subject::whole(mount.unwrap(), false);
    for (engine, worth) in [
        (demo.clone(), Worth::Critical),
        (demo.with_rules(Arc::new(rules)), Worth::Low),
    ] {
        let (_, news) = measure(&engine, vec![subject.clone()], 1).await;
        let whole = news
            .iter()
            .rfind(|one| one.path.is_root())
            .and_then(|one| one.size.measured());
        let contents = whole.and_then(|measured| measured.contents.clone()).unwrap();
        assert_eq!((contents.looks[0].worth, contents.looks.len()), (worth, 1));
        let below = |one: &&SizeNews| !one.path.is_root();
        let looked = |one: &SizeNews| one.size.measured().is_some_and(|measured| measured.contents.is_some());
        assert!(!news.iter().filter(below).any(looked));
    }
}
