//! What there is in the fleet, as the inventory of a real engine shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vole_agent::proto::Order;

use super::super::{DemoOptions, engine};
use super::{NOW, at, daemon, open, open_one, volume, whole};
use crate::engine::Target;
use crate::engine::daemon::{Daemon, EngineEvent, Switch};
use crate::model::{Mount, MountId, MountKind, Orphan, Scan};
use crate::ops::list::{self, Depth};
use crate::ops::size::{self, Subject};

async fn mounts() -> Vec<Arc<Mount>> {
    let inventory = list::load(&engine(DemoOptions::instant(NOW)), Depth::Full)
        .await
        .unwrap();
    assert_eq!(inventory.warnings, Vec::<String>::new());
    inventory.mounts
}

#[tokio::test]
async fn the_fleet_has_what_a_newcomer_should_meet() {
    let mounts = mounts().await;
    assert!(mounts.len() >= 30, "only {} mounts", mounts.len());
    let orphans: BTreeSet<&str> = mounts
        .iter()
        .filter(|mount| mount.orphan == Orphan::Yes && mount.kind == MountKind::Named)
        .map(|mount| mount.name.as_str())
        .collect();
    let expected = [
        "buildx_buildkit_ci0_state",
        "ci_cargo",
        "frontend_node_modules",
        "shop_old_dbdata",
        "shop_old_uploads",
        "test-data",
    ];
    assert_eq!(orphans, BTreeSet::from(expected));
    let anonymous = |orphan| {
        mounts
            .iter()
            .filter(|m| m.kind == MountKind::Anonymous && m.orphan == orphan)
            .count()
    };
    assert_eq!((anonymous(Orphan::Yes), anonymous(Orphan::No)), (5, 2));
    let scan = |name: &str| &mounts.iter().find(|mount| mount.name == name).unwrap().scan;
    assert!(matches!(scan("nas_photos"), Scan::OnDemand(_)));
    assert!(matches!(scan("legacy_export"), Scan::Alone));
    assert!(matches!(scan("/var/run/docker.sock"), Scan::Never(_)));
    assert!(matches!(scan("/proc"), Scan::Never(_)));
    assert_eq!(mounts.iter().filter(|mount| mount.kind == MountKind::Tmpfs).count(), 2);
    let states: BTreeSet<&str> = mounts
        .iter()
        .flat_map(|m| &m.attachments)
        .map(|a| a.state.word())
        .collect();
    assert_eq!(
        states,
        BTreeSet::from(["created", "exited", "paused", "restarting", "running"])
    );
    assert!(
        mounts
            .iter()
            .flat_map(|m| &m.attachments)
            .any(|a| a.subpath.as_deref() == Some("thumbs"))
    );
}

#[tokio::test]
async fn contents_are_recognised_as_they_are_on_a_real_engine() {
    let engine = engine(DemoOptions::instant(NOW));
    let all = list::load(&engine, Depth::Full).await.unwrap().mounts;
    let subjects = all
        .iter()
        .map(|mount| Subject::whole(Arc::clone(mount), true))
        .collect();
    let (news, mut received) = mpsc::channel(1000);
    size::run(&engine, subjects, 0, news, CancellationToken::new()).await;
    let mut words: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let name = |id: &MountId| all.iter().find(|mount| &mount.id == id).unwrap();
    while let Some(batch) = received.recv().await {
        for one in batch {
            if let Some(contents) = one.size.measured().and_then(|measured| measured.contents.clone()) {
                let mount = name(&one.id);
                let key = if mount.kind == MountKind::Anonymous {
                    "anonymous"
                } else {
                    &mount.name
                };
                words.entry(key).or_default().push(contents.words());
            }
        }
    }
    let mut anonymous = words.remove("anonymous").unwrap();
    anonymous.sort();
    let expected = [
        "JS deps",
        "MySQL/MariaDB",
        "PostgreSQL 15",
        "Redis/Valkey",
        "empty",
        "unknown",
    ];
    assert!(
        expected.iter().all(|one| anonymous.iter().any(|word| word == one)),
        "{anonymous:?}"
    );
    for (name, expected) in [
        ("buildx_buildkit_ci0_state", "BuildKit state"),
        ("ci_cargo", "build cache"),
        ("frontend_node_modules", "JS deps"),
        ("monitoring_grafana", "Grafana"),
        ("monitoring_prometheus", "Prometheus"),
        ("shop_dbdata", "PostgreSQL 16"),
        ("shop_old_dbdata", "PostgreSQL 16"),
        ("shop_old_uploads", "unknown"),
        ("shop_redis", "Redis/Valkey"),
        ("shop_search", "Elasticsearch/OpenSearch"),
        ("test-data", "empty"),
        ("traefik_acme", "TLS keys"),
        ("backups", "backups"),
        ("nas_photos", "unknown"),
    ] {
        assert_eq!(words[name], [expected], "{name}");
    }
}

#[tokio::test]
async fn every_mount_that_may_be_scanned_opens_and_only_the_broken_one_fails() {
    for mount in mounts().await {
        let target = match (&mount.scan, mount.kind) {
            (Scan::Never(_), _) => continue,
            (Scan::InContainer(container), _) => Target::InContainer {
                container: container.clone(),
                destination: mount.attachments[0].destination.clone(),
            },
            (_, MountKind::Bind) => Target::Path(mount.name.clone()),
            (_, _) => volume(&mount.name),
        };
        let (session, roots) = open(vec![target, volume("test-data")]).await;
        assert!(roots[1].is_ok());
        match &roots[0] {
            Ok(root) => {
                assert_eq!((*root, roots[1].clone()), (0, Ok(1)));
                let root = session.stat(at("")).await.unwrap();
                assert_eq!(root.name, b"");
                assert_eq!(session.hello().roots[0].kind, root.kind);
            }
            Err(why) => {
                assert_eq!(mount.name, "legacy_export");
                assert!(
                    why.contains("/mnt/usb-backup") && why.ends_with("no such file or directory"),
                    "{why}"
                );
            }
        }
    }
}

#[tokio::test]
async fn two_demos_of_the_same_moment_are_the_same() {
    let (one, two) = (daemon(), daemon());
    assert_eq!(one.volumes().await.unwrap(), two.volumes().await.unwrap());
    assert_eq!(one.containers().await.unwrap(), two.containers().await.unwrap());
    let (a, b) = (open_one("imports").await, open_one("imports").await);
    assert_eq!(
        whole(&a, b"", Order::Name, 99).await,
        whole(&b, b"", Order::Name, 99).await
    );
}

#[tokio::test]
async fn file_systems_are_told_and_hold_what_is_in_them() {
    let (session, _) = open(vec![
        volume("shop_dbdata"),
        Target::Path("/srv/media".to_owned()),
        volume("shop_cache"),
    ])
    .await;
    let rows = session.file_systems(vec![0, 1, 2]).await.unwrap();
    let types: Vec<&str> = rows.iter().map(|row| row.fs_type.as_str()).collect();
    assert_eq!(types, ["ext4", "xfs", "tmpfs"]);
    let used = (rows[0].size - rows[0].available) * 100 / rows[0].size;
    assert_eq!(used, 78);
    let volumes: u64 = daemon().disk_usage().await.unwrap().volumes.values().sum();
    assert!(
        volumes < rows[0].size - rows[0].free,
        "more in volumes than the disk holds"
    );
}

#[tokio::test]
async fn images_hide_what_they_hold_beneath_mounts() {
    let daemon = daemon();
    let rows = daemon.containers().await.unwrap().rows;
    let id = &rows.iter().find(|row| row.name == "shop-web-1").unwrap().id;
    let masked = daemon.masked(id, "/srv/uploads", 1).await.unwrap();
    assert_eq!((masked.names.len(), masked.more, masked.exists), (1, true, true));
    assert!(!daemon.masked(id, "/nowhere", 9).await.unwrap().exists);
}

#[tokio::test]
async fn the_demo_tells_no_event_of_itself() {
    let daemon = daemon();
    let mut events = daemon.events().await.unwrap();
    assert_eq!(events.next().now_or_never(), None);
    let event = EngineEvent::Volume {
        name: "new".to_owned(),
        action: "create".to_owned(),
        container: None,
    };
    daemon.tell(event.clone());
    assert_eq!(events.next().await, Some(Ok(event)));
}

#[tokio::test]
async fn the_blog_crashes_until_its_user_owns_its_volume_and_the_others_run_or_say_why_not() {
    let daemon = daemon();
    let rows = daemon.containers().await.unwrap().rows;
    let id = |name: &str| rows.iter().find(|row| row.name == name).unwrap().id.clone();
    let said = |lines: Vec<Vec<u8>>| String::from_utf8(lines.join(&b'\n')).unwrap();
    let blog = id("blog-app-1");
    let run = daemon.container(&blog).await.unwrap().unwrap().run;
    assert_eq!(
        (run.user.as_str(), run.exit_code, run.restarts),
        ("999:998", Some(1), 412)
    );
    assert!(said(daemon.log_tail(&blog, None, 80).await.unwrap()).contains("Permission denied"));
    assert_eq!(daemon.log_tail(&blog, None, 2).await.unwrap().len(), 2);
    assert_eq!(daemon.processes(&blog).await.unwrap(), []);
    let changes = daemon.changes().unwrap();
    changes.switch_container(&blog, Switch::Restart).await.unwrap();
    let state = |rows: Vec<crate::engine::ContainerRow>| rows.into_iter().find(|row| row.id == blog).unwrap().state;
    assert_eq!(
        state(daemon.containers().await.unwrap().rows),
        "restarting",
        "nothing was mended"
    );
    changes.switch_container(&blog, Switch::Stop).await.unwrap();
    assert_eq!(state(daemon.containers().await.unwrap().rows), "exited");

    let importer = daemon.log_tail(&id("importer"), None, 80).await.unwrap();
    assert!(said(importer).contains("Read-only file system"));
    let layer = daemon.layer(&id("analytics-db"), 100).await.unwrap();
    assert!(layer.paths.iter().any(|path| path.ends_with("PG_VERSION")) && layer.bytes.is_some());
    assert_eq!(daemon.processes(&id("shop-db-1")).await.unwrap()[0].uid, 999);
    assert!(
        changes
            .switch_container(&id("export-job"), Switch::Start)
            .await
            .is_err()
    );
    assert!(changes.switch_container("nobody", Switch::Start).await.is_err());
}
