//! Changes over entries in memory: what is not in the journal is never changed, and what is comes back.

mod fake;

use std::sync::atomic::Ordering;

use super::*;
use crate::engine::daemon::{ContainerRow, Flavour, MountPoint};
use crate::journal::{Stage, Store};
use crate::model::{EngineId, MountKind};
use fake::{Fake, Tree};

struct World {
    tree: Arc<Tree>,
    fake: Arc<Fake>,
    engine: Engine,
    store: Store,
    cancel: CancellationToken,
    _dir: tempfile::TempDir,
}

impl World {
    fn with(tree: Arc<Tree>, alter: impl FnOnce(&mut Fake)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut fake = Fake::over(tree.clone());
        alter(&mut fake);
        let fake = Arc::new(fake);
        let store = Store::at(dir.path().join("journal"));
        *tree.store.lock().unwrap() = Some(store.clone());
        Self {
            engine: Engine::new(EngineId::new("fake"), fake.clone()),
            tree,
            fake,
            store,
            cancel: CancellationToken::new(),
            _dir: dir,
        }
    }

    fn of(names: usize) -> Self {
        Self::with(Tree::of(names), |_| {})
    }

    fn request(name: &str, kind: MountKind) -> Request {
        let id = match kind {
            MountKind::Bind => format!("bind:{name}"),
            _ => format!("volume:{name}"),
        };
        Request {
            mount: Arc::new(Mount {
                id: crate::model::MountId::new(id),
                kind,
                ..Mount::sample(name)
            }),
            path: BytePath::root(),
            change: Change {
                uid: Some(999),
                recursive: true,
                ..Change::default()
            },
            words: "999".to_owned(),
        }
    }

    async fn plan_of(&self, request: Request) -> Result<Plan, EngineError> {
        let (to, _) = watch::channel(Census::default());
        plan(
            &self.engine,
            request,
            OffsetDateTime::UNIX_EPOCH,
            to,
            self.cancel.clone(),
        )
        .await
    }

    async fn plan(&self) -> Arc<Plan> {
        Arc::new(self.plan_of(Self::request("v", MountKind::Named)).await.unwrap())
    }

    async fn run(&self, plan: &Arc<Plan>) -> Result<Report, EngineError> {
        let (to, mut news) = mpsc::channel(1);
        let heard = tokio::spawn(async move { while news.recv().await.is_some() {} });
        let report = run(&self.engine, Arc::clone(plan), &self.store, to, self.cancel.clone()).await;
        heard.await.unwrap();
        report
    }

    async fn undo(&self, id: &JournalId) -> Result<UndoReport, EngineError> {
        let (to, mut news) = mpsc::channel(1);
        let heard = tokio::spawn(async move { while news.recv().await.is_some() {} });
        let report = undo(&self.engine, &self.store, id, to, CancellationToken::new()).await;
        heard.await.unwrap();
        report
    }

    fn hook(&self, hook: impl Fn(u64) -> Result<(), String> + Send + Sync + 'static) {
        *self.tree.hook.lock().unwrap() = Some(Box::new(hook));
    }

    fn wrote(&self) -> bool {
        self.fake.opened.lock().unwrap().iter().any(|(_, writes)| *writes)
    }

    fn stage(&self) -> Stage {
        self.store.list().unwrap().0[0].stage
    }
}

#[tokio::test]
async fn a_change_is_journalled_verified_and_taken_back_twice() {
    let world = World::of(7);
    let before = world.tree.nodes.lock().unwrap().clone();
    let plan = world.plan().await;
    assert_eq!((plan.refused.as_deref(), plan.census.change), (None, 7));
    assert!(!world.wrote(), "a plan opens nothing to write");
    let report = world.run(&plan).await.unwrap();
    assert_eq!((report.changed, report.skipped, &report.stopped), (7, 0, &None));
    assert_eq!(report.unsure, 0);
    assert_eq!((world.tree.owned_by(999), world.stage()), (7, Stage::Done));
    let id = report.journal.unwrap();

    // Somebody changes one since: it is theirs.
    world.tree.nodes.lock().unwrap()[3].uid = 5;
    let undone = world.undo(&id).await.unwrap();
    assert_eq!((undone.restored, undone.already, undone.skipped), (6, 0, 1));
    assert_eq!(world.stage(), Stage::UndoneInPart);
    world.tree.nodes.lock().unwrap()[3].uid = 0;
    let again = world.undo(&id).await.unwrap();
    assert_eq!((again.restored, again.already, again.skipped), (0, 7, 0));
    assert_eq!(world.stage(), Stage::Undone);
    assert_eq!(*world.tree.nodes.lock().unwrap(), before);
}

#[tokio::test]
async fn nothing_to_change_opens_nothing_to_write_and_leaves_no_journal() {
    let world = World::of(0);
    let plan = world.plan().await;
    let report = world.run(&plan).await.unwrap();
    assert_eq!((report.changed, &report.journal), (0, &None));
    assert!(!world.wrote());
    assert_eq!(world.store.list().unwrap().0, []);
}

#[tokio::test]
async fn a_cancel_lets_what_was_confirmed_finish_and_nothing_more() {
    let world = World::of(40);
    let plan = world.plan().await;
    let cancel = world.cancel.clone();
    world.hook(move |batch| {
        if batch == 3 {
            cancel.cancel();
        }
        Ok(())
    });
    let report = world.run(&plan).await.unwrap();
    assert_eq!(report.stopped.as_deref(), Some("cancelled"));
    let changed = world.tree.owned_by(999);
    assert_eq!(changed as u64, report.changed, "what was confirmed was waited for");
    assert!((6..40).contains(&changed), "{changed}");
    assert_eq!(world.stage(), Stage::Interrupted);
    let undone = world.undo(&report.journal.unwrap()).await.unwrap();
    assert_eq!((undone.restored, undone.skipped), (changed as u64, 0));
    assert_eq!((world.tree.owned_by(0), world.stage()), (40, Stage::Undone));
}

#[tokio::test]
async fn a_helper_that_dies_between_batches_is_said_and_can_be_undone() {
    for dies in 1..=4 {
        let world = World::of(8);
        let plan = world.plan().await;
        world.hook(move |batch| match batch == dies {
            true => Err("killed".to_owned()),
            false => Ok(()),
        });
        let report = world.run(&plan).await.unwrap();
        assert!(report.stopped.is_some_and(|why| why.contains("killed")));
        assert_eq!(world.tree.owned_by(999) as u64, 2 * (dies - 1));
        // What was let go and not told of is not called unchanged.
        assert_eq!(report.changed, 2 * (dies - 1));
        assert!((2..=8 - report.changed).contains(&report.unsure), "{}", report.unsure);
        let undone = world.undo(&report.journal.unwrap()).await.unwrap();
        assert_eq!((undone.restored, undone.skipped), (2 * (dies - 1), 0));
        assert_eq!(world.tree.owned_by(0), 8);
    }
}

#[tokio::test]
async fn a_full_disk_stops_before_the_batch_that_it_does_not_hold() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_disk) = crate::journal::tests::small_disk(dir.path()) else {
        return;
    };
    let mut world = World::of(20_000);
    world.store = Store::at(dir.path().join("journal"));
    let plan = world.plan().await;
    world.tree.store.lock().unwrap().take();
    let report = world.run(&plan).await.unwrap();
    assert!(
        report.stopped.as_ref().is_some_and(|why| why.contains("journal")),
        "{report:?}"
    );
    let changed = world.tree.owned_by(999) as u64;
    assert_eq!(changed, report.changed);
    assert!(changed > 0 && changed < 20_000, "{changed}");
    let undone = world.undo(&report.journal.unwrap()).await.unwrap();
    assert_eq!((undone.restored, world.tree.owned_by(0)), (changed, 20_000));

    world.tree.journal_bytes.store(1 << 20, Ordering::SeqCst);
    let plan = world.plan().await;
    let refused = world.run(&plan).await.unwrap_err().to_string();
    assert!(
        refused.contains("the journal") && refused.contains("nothing was changed"),
        "{refused}"
    );
    assert_eq!(world.tree.owned_by(0), 20_000);
}

#[tokio::test]
async fn another_volume_of_the_name_is_left_alone() {
    let world = World::with(Tree::of(3), |fake| fake.about.flavour = Flavour::Podman);
    let plan = world.plan().await;
    let report = world.run(&plan).await.unwrap();
    let original = world.fake.volume.lock().unwrap().clone();
    world.fake.volume.lock().unwrap().created = Some(OffsetDateTime::UNIX_EPOCH + time::Duration::SECOND);
    let refused = |error: EngineError| matches!(error, EngineError::Refused { .. });
    assert!(refused(world.undo(&report.journal.clone().unwrap()).await.unwrap_err()));
    assert!(refused(world.run(&plan).await.unwrap_err()));
    *world.fake.volume.lock().unwrap() = original;
    let other = Engine::new(EngineId::new("other"), world.fake.clone());
    let (to, _) = mpsc::channel(1);
    let error = undo(
        &other,
        &world.store,
        &report.journal.unwrap(),
        to,
        CancellationToken::new(),
    )
    .await;
    assert!(refused(error.unwrap_err()));
    assert_eq!(world.tree.owned_by(999), 3);
}

#[tokio::test]
async fn dockers_date_of_a_volume_moves_with_its_directory_and_tells_nothing() {
    let world = World::of(3);
    let plan = world.plan().await;
    world.fake.volume.lock().unwrap().created = Some(OffsetDateTime::UNIX_EPOCH + time::Duration::SECOND);
    let report = world.run(&plan).await.unwrap();
    world.fake.volume.lock().unwrap().created = Some(OffsetDateTime::UNIX_EPOCH + time::Duration::HOUR);
    assert_eq!(world.undo(&report.journal.unwrap()).await.unwrap().restored, 3);
    // Another directory is another volume.
    let report = world.run(&plan).await.unwrap();
    world.tree.ino.store(3, Ordering::SeqCst);
    assert!(matches!(
        world.undo(&report.journal.unwrap()).await,
        Err(EngineError::Refused { .. })
    ));
    assert_eq!(world.tree.owned_by(999), 3);
}

#[tokio::test]
async fn a_plan_is_for_the_directory_that_was_counted() {
    let world = World::of(3);
    let plan = world.plan().await;
    // The volume was removed and made again: the number may be another one, or the same one given again.
    world.tree.ino.store(3, Ordering::SeqCst);
    assert!(matches!(world.run(&plan).await, Err(EngineError::Refused { .. })));
    world.tree.ino.store(2, Ordering::SeqCst);
    let born = |secs| Some(vole_agent::proto::Time { secs, nanos: 7 });
    world.tree.root.lock().unwrap().born = born(100);
    assert!(matches!(world.run(&plan).await, Err(EngineError::Refused { .. })));
    assert_eq!((world.tree.owned_by(0), world.store.list().unwrap().0), (3, Vec::new()));

    let plan = world.plan().await;
    let id = world.run(&plan).await.unwrap().journal.unwrap();
    world.tree.root.lock().unwrap().born = born(200);
    assert!(matches!(world.undo(&id).await, Err(EngineError::Refused { .. })));
    assert_eq!(world.tree.owned_by(999), 3);
    world.tree.root.lock().unwrap().born = born(100);
    assert_eq!(world.undo(&id).await.unwrap().restored, 3);
}

#[tokio::test]
async fn a_read_only_vole_changes_nothing() {
    let mut world = World::of(3);
    let plan = world.plan().await;
    world.engine = world.engine.clone().read_only(true);
    assert_eq!(world.run(&plan).await, Err(EngineError::ReadOnly));
    assert!(!world.wrote());
    assert_eq!(world.store.list().unwrap().0, []);
    world.engine = world.engine.clone().read_only(false);
    let report = world.run(&plan).await.unwrap();
    world.engine = world.engine.clone().read_only(true);
    assert_eq!(world.undo(&report.journal.unwrap()).await, Err(EngineError::ReadOnly));
    assert_eq!(world.tree.owned_by(999), 3);
}

#[tokio::test]
async fn what_leads_into_the_system_is_refused_before_anything_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink("/etc", &link).unwrap();
    let link = link.to_str().unwrap().to_owned();
    let world = World::with(Tree::of(1), |fake| fake.about.same_host = true);
    for place in [link.as_str(), "/etc/nginx", "/var/lib/docker"] {
        let plan = world.plan_of(World::request(place, MountKind::Bind)).await.unwrap();
        assert!(plan.refused.is_some(), "{place}");
        assert!(world.run(&Arc::new(plan)).await.is_err(), "{place}");
    }
    // The same link as a volume's device.
    world.fake.volume.lock().unwrap().options = [("type", "none"), ("o", "bind"), ("device", link.as_str())]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    assert!(world.plan().await.refused.is_some());
    assert_eq!(*world.fake.opened.lock().unwrap(), []);
}

#[tokio::test]
async fn on_another_host_the_opened_root_tells_where_a_link_leads() {
    let world = World::of(1);
    world.tree.root.lock().unwrap().fs_root = b"/etc".to_vec();
    let plan = world
        .plan_of(World::request("/srv/app", MountKind::Bind))
        .await
        .unwrap();
    assert!(
        plan.refused.as_ref().is_some_and(|why| why.contains("/etc")),
        "{:?}",
        plan.refused
    );
    assert!(!world.wrote());
    // Swapped between the plan and the change.
    world.tree.root.lock().unwrap().fs_root = b"/srv/app".to_vec();
    let plan = Arc::new(
        world
            .plan_of(World::request("/srv/app", MountKind::Bind))
            .await
            .unwrap(),
    );
    assert_eq!(plan.refused, None);
    world.tree.root.lock().unwrap().fs_root = b"/etc".to_vec();
    assert!(matches!(world.run(&plan).await, Err(EngineError::Refused { .. })));
    assert_eq!(world.tree.owned_by(0), 1);
}

fn container(name: &str, state: &str) -> ContainerRow {
    ContainerRow {
        id: name.to_owned(),
        name: name.to_owned(),
        state: state.to_owned(),
        mounts: vec![MountPoint {
            kind: "volume".to_owned(),
            name: "v".to_owned(),
            source: "/var/lib/docker/volumes/v/_data".to_owned(),
            destination: "/d".to_owned(),
            driver: "local".to_owned(),
            rw: true,
            ..MountPoint::default()
        }],
        mounts_told: true,
        ..ContainerRow::default()
    }
}

#[tokio::test]
async fn who_uses_it_has_to_be_confirmed() {
    let world = World::with(Tree::of(1), |fake| {
        let states = [
            ("web", "running"),
            ("root", "exited"),
            ("same", "exited"),
            ("odd", "exited"),
        ];
        fake.containers = states.map(|(name, state)| container(name, state)).to_vec();
        fake.users = vec![("web", "app"), ("root", ""), ("same", "999:1"), ("odd", "nobody-knows")];
    });
    let plan = world.plan().await;
    let container = || "web".to_owned();
    assert_eq!(
        plan.blocks,
        [
            Block::Running { container: container() },
            Block::OtherUser {
                container: container(),
                uid: 1000
            }
        ]
    );
    assert!(
        plan.caveats.iter().any(|caveat| caveat.contains("odd")),
        "{:?}",
        plan.caveats
    );
}

/// What the files beneath are, by path.
fn modes(dir: &std::path::Path) -> Vec<(std::path::PathBuf, u32)> {
    use std::os::unix::fs::MetadataExt as _;
    let mut found = vec![(dir.to_owned(), std::fs::symlink_metadata(dir).unwrap().mode())];
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match std::fs::symlink_metadata(&path).unwrap() {
            meta if meta.is_dir() => found.extend(modes(&path)),
            meta => found.push((path, meta.mode())),
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn the_real_agent_changes_modes_and_takes_them_back() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    for sub in 0..3 {
        let sub = dir.path().join(format!("d{sub}"));
        std::fs::create_dir(&sub).unwrap();
        for file in 0..200 {
            let file = sub.join(format!("f{file}"));
            std::fs::write(&file, "x").unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o4751)).unwrap();
        }
    }
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("link")).unwrap();
    let before = modes(dir.path());
    let agent = Arc::new(vole_agent::fs::Roots::open([dir.path()]));
    let journals = tempfile::tempdir().unwrap();
    let store = Store::at(journals.path().join("journal"));
    let engine = Engine::new(EngineId::new("fake"), Arc::new(Fake::over(agent)));
    let request = Request {
        change: Change {
            mode: Some(words::mode("g+w,o=").unwrap()),
            recursive: true,
            ..Change::default()
        },
        words: "g+w,o=".to_owned(),
        ..World::request("v", MountKind::Named)
    };
    let (to, _) = watch::channel(Census::default());
    let cancel = CancellationToken::new();
    let plan = plan(&engine, request, OffsetDateTime::UNIX_EPOCH, to, cancel.clone())
        .await
        .unwrap();
    assert_eq!((plan.refused.as_deref(), plan.census.change), (None, 604), "{plan:?}");
    let (to, _heard) = mpsc::channel(100);
    let report = run(&engine, Arc::new(plan), &store, to, cancel.clone()).await.unwrap();
    assert_eq!((report.changed, report.skipped, &report.stopped), (604, 0, &None));
    assert!(
        modes(dir.path())
            .iter()
            .all(|(path, mode)| path.ends_with("link") || mode & 0o027 == 0o020)
    );
    let (to, _heard) = mpsc::channel(100);
    let undone = undo(&engine, &store, &report.journal.unwrap(), to, cancel)
        .await
        .unwrap();
    assert_eq!((undone.restored, undone.skipped, &undone.stopped), (604, 0, &None));
    assert_eq!(modes(dir.path()), before);
}
