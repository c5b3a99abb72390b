//! Helper containers from within: sessions on real engines, what cannot be mounted, what is left, what a killed helper means.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use vole::engine::client::Client;
use vole::engine::endpoint::Endpoint;
use vole::engine::rest::RestDaemon;
use vole::engine::{Engine, EngineError, OpenSpec, Opened, Purpose, Target};
use vole::model::{EngineId, Source};
use vole_agent::proto::{Order, Place};
use vole_test_support::IMAGE;

use crate::world::{World, on_engines};

on_engines! {
    one_bad_mount_does_not_fail_the_others
    a_volume_that_is_gone_is_not_made_again
    a_killed_helper_is_a_lost_session
    the_image_behind_a_mount_is_listed_without_a_trace
    a_containers_memory_can_be_read
    without_helpers_readable_paths_still_open
}

/// What stood on the engine before, compared at the end.
struct Before {
    volumes: Vec<String>,
    containers: Vec<String>,
}

impl Before {
    fn note(world: &World) -> Self {
        Self {
            volumes: world.engine.volume_names(),
            containers: world.engine.container_ids(),
        }
    }

    fn is_as_it_was(&self, world: &World) {
        assert_eq!(world.engine.helper_ids(), Vec::<String>::new());
        assert_eq!(world.engine.container_ids(), self.containers);
        assert_eq!(world.engine.volume_names(), self.volumes);
        assert!(self.volumes.contains(&world.fleet.anonymous_orphan));
    }
}

fn engine(world: &World, no_helper: bool) -> Engine {
    let endpoint = Endpoint::parse(&world.engine.host(), false).unwrap();
    let daemon = RestDaemon::new(Client::new(endpoint), no_helper).unwrap();
    let daemon = daemon.guarded_by(env!("CARGO_BIN_EXE_vole"));
    Engine::new(EngineId::new("test"), Arc::new(daemon))
}

fn volume(world: &World, name: &str) -> Target {
    let path = world.engine.mount_point(name);
    Target::Volume {
        name: name.to_owned(),
        mountpoint: Some(path.to_str().unwrap().to_owned()),
    }
}

fn by_name(name: &str) -> Target {
    Target::Volume {
        name: name.to_owned(),
        mountpoint: None,
    }
}

async fn open(engine: &Engine, targets: Vec<Target>) -> Result<Opened, EngineError> {
    engine
        .open(OpenSpec {
            targets,
            purpose: Purpose::Browse,
            through_store: false,
        })
        .await
}

async fn names(opened: &Opened, at: usize) -> Vec<String> {
    let place = Place {
        root: *opened.roots[at].as_ref().unwrap(),
        path: Vec::new(),
    };
    let page = opened.session.list(place, Order::Name, None, 100).await.unwrap();
    page.entries
        .iter()
        .map(|entry| String::from_utf8_lossy(&entry.name).into_owned())
        .collect()
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

fn one_bad_mount_does_not_fail_the_others(world: &mut World) {
    let before = Before::note(world);
    let targets = vec![
        volume(world, "oldproj_pgdata"),
        by_name("opt_broken_bind"),
        Target::Path(world.fleet.bind.to_str().unwrap().to_owned()),
        Target::Path("/no/such/path".to_owned()),
        Target::Path(world.engine.socket().to_str().unwrap().to_owned()),
        volume(world, &world.fleet.anonymous_orphan),
        by_name("opt_bind"),
    ];
    block_on(async {
        let engine = engine(world, false);
        let opened = open(&engine, targets).await.unwrap();
        assert_eq!(opened.source, Source::Agent);
        let bad: Vec<usize> = (0..opened.roots.len())
            .filter(|&at| opened.roots[at].is_err())
            .collect();
        assert_eq!(bad, [1, 3, 4], "{:?}", opened.roots);
        assert!(
            opened.roots[1].as_ref().unwrap_err().contains("/no/such/dir"),
            "{:?}",
            opened.roots[1]
        );
        assert_eq!(names(&opened, 0).await, ["base.img"]);
        assert_eq!(names(&opened, 5).await, ["f"]);
        assert_eq!(names(&opened, 6).await, ["h.txt"]);
        assert!(
            opened.session.hello().roots.iter().all(|root| root.read_only),
            "every mount is read-only"
        );
        drop(opened);
        engine.release().await;
    });
    assert!(
        !std::path::Path::new("/no/such/path").exists(),
        "no engine may make what is missing"
    );
    before.is_as_it_was(world);
}

fn a_volume_that_is_gone_is_not_made_again(world: &mut World) {
    let before = Before::note(world);
    // More than are looked up one by one before the helper is made.
    let many = || (0..9).map(|_| volume(world, "labelled"));
    block_on(async {
        let engine = engine(world, false);
        let opened = open(&engine, many().chain([by_name("deleted_a_moment_ago")]).collect())
            .await
            .unwrap();
        assert!(opened.roots[..9].iter().all(Result::is_ok), "{:?}", opened.roots);
        assert!(
            opened.roots[9].as_ref().unwrap_err().contains("gone"),
            "{:?}",
            opened.roots
        );
        let alone = open(&engine, vec![by_name("deleted_a_moment_ago")]).await.unwrap();
        assert!(
            alone.roots[0].as_ref().unwrap_err().contains("gone"),
            "{:?}",
            alone.roots
        );
        drop((opened, alone));
        engine.release().await;
    });
    before.is_as_it_was(world);
}

fn a_killed_helper_is_a_lost_session(world: &mut World) {
    let before = Before::note(world);
    block_on(async {
        let engine = engine(world, false);
        let opened = open(&engine, vec![volume(world, "growing_vol")]).await.unwrap();
        let mut following = opened.session.follow(
            Place {
                root: 0,
                path: b"log".to_vec(),
            },
            10,
        );
        following.next().await.unwrap().unwrap();
        let helpers = world.engine.helper_ids();
        assert_eq!(helpers.len(), 1);
        world.engine.run(["kill", helpers[0].as_str()]);
        let lost = async {
            loop {
                if let Some(Err(error)) = following.next().await {
                    return error;
                }
            }
        };
        let error = tokio::time::timeout(Duration::from_secs(20), lost).await.unwrap();
        assert!(matches!(error, EngineError::SessionLost(_)), "{error:?}");
        drop((following, opened));
        engine.release().await;
    });
    before.is_as_it_was(world);
}

fn the_image_behind_a_mount_is_listed_without_a_trace(world: &mut World) {
    // An image that declares a volume, for which an engine would make one.
    world
        .engine
        .run(["create", "--name", "to-commit", "--network", "none", IMAGE, "true"]);
    world.engine.run([
        "commit",
        "--change",
        "VOLUME /var/lib/seeded",
        "to-commit",
        "localhost/declares:1",
    ]);
    world.engine.run(["rm", "to-commit"]);
    let id = world.engine.run([
        "create",
        "--network",
        "none",
        "-v",
        "seeded_vol:/var/lib/seeded",
        "localhost/declares:1",
        "true",
    ]);
    let before = Before::note(world);
    block_on(async {
        let engine = engine(world, false);
        let masked = engine.daemon.masked(&id, "/var/lib/seeded", 10).await.unwrap();
        assert_eq!(masked.names, [b"README".to_vec()]);
        assert!(masked.exists && !masked.more);
        let cut = engine.daemon.masked(&id, "/bin", 3).await.unwrap();
        assert!(cut.more && cut.names.len() == 3, "{cut:?}");
        let nothing = engine.daemon.masked(&id, "/no/such", 10).await.unwrap();
        assert!(!nothing.exists && nothing.names.is_empty());
        engine.release().await;
    });
    before.is_as_it_was(world);
    world.engine.run(["rm", &id]);
    world.engine.run(["rmi", "localhost/declares:1"]);
}

fn a_containers_memory_can_be_read(world: &mut World) {
    let before = Before::note(world);
    let id = world.engine.run(["inspect", "-f", "{{.Id}}", "shop-web-1"]);
    block_on(async {
        let engine = engine(world, false);
        let target = Target::InContainer {
            container: id,
            destination: "/scratch".to_owned(),
        };
        let opened = open(&engine, vec![target]).await.unwrap();
        assert!(names(&opened, 0).await.contains(&"m".to_owned()));
        drop(opened);
        engine.release().await;
    });
    before.is_as_it_was(world);
}

fn without_helpers_readable_paths_still_open(world: &mut World) {
    let before = Before::note(world);
    block_on(async {
        let engine = engine(world, true);
        let opened = open(&engine, vec![volume(world, "oldproj_pgdata"), by_name("shop_cache")])
            .await
            .unwrap();
        assert_eq!(opened.source, Source::Local);
        assert_eq!(names(&opened, 0).await, ["base.img"]);
        assert!(
            opened.roots[1].as_ref().unwrap_err().contains("--no-helper"),
            "{:?}",
            opened.roots
        );
        let error = open(&engine, vec![by_name("shop_cache")]).await.unwrap_err();
        assert!(
            matches!(&error, EngineError::NoHelper { reason } if reason.contains("helper")),
            "{error:?}"
        );
    });
    before.is_as_it_was(world);
}
