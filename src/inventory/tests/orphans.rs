//! What keeps a volume alive, and what leaves that unknown.

use super::*;

#[test]
fn a_bind_of_above_or_below_a_volumes_data_keeps_it_alive() {
    let data = "/var/lib/docker/volumes/v/_data";
    for (source, why) in [
        (data, "container c binds /var/lib/docker/volumes/v/_data"),
        (
            "/var/lib/docker",
            "container c binds /var/lib/docker, which contains its data",
        ),
        ("/", "container c binds /, which contains its data"),
        (
            "/var/lib/docker/volumes/v/_data/sub",
            "container c binds /var/lib/docker/volumes/v/_data/sub, which lies in its data",
        ),
    ] {
        let mut world = World::new();
        world.volume("v");
        world.container("c", "exited", &[bind(source, "/x")]);
        let mount = world.mount("volume:v");
        assert_eq!((mount.orphan, mount.reason.as_str()), (Orphan::No, why));
    }
    let mut world = World::new();
    world.volume("v");
    world.container(
        "c",
        "running",
        &[
            bind("/var/lib/docker/volumes/v2/_data", "/x"),
            bind("/var/lib/dock", "/y"),
        ],
    );
    assert_eq!(
        world.mount("volume:v").orphan,
        Orphan::Yes,
        "a common prefix of letters is no containment"
    );
}

#[test]
fn an_alias_of_a_volumes_data_keeps_it_alive() {
    let mut world = World::new();
    world.volume("v");
    world.container("c", "running", &[bind("/alias", "/x")]);
    assert_eq!(world.mount("volume:v").orphan, Orphan::Yes);
    let spot = |path: &[u8]| PathFact {
        spot: Some(Spot::on((8, 1), path)),
        ..PathFact::default()
    };
    world.paths.facts.insert(
        "/var/lib/docker/volumes/v/_data".to_owned(),
        spot(b"/docker/volumes/v/_data"),
    );
    world.paths.facts.insert("/alias".to_owned(), spot(b"/docker/volumes"));
    let mount = world.mount("volume:v");
    assert_eq!(mount.reason, "container c binds /alias, which contains its data");
    assert_eq!(mount.orphan, Orphan::No);
}

#[test]
fn a_volumes_own_device_is_no_reference_but_anothers_is() {
    let bind_options = options(&[("type", "none"), ("o", "bind"), ("device", "/srv/data")]);
    let mut world = World::new();
    world.volume("own").options = bind_options.clone();
    assert_eq!(world.mount("volume:own").orphan, Orphan::Yes);
    world.volume("other").options = bind_options;
    assert_eq!(world.mount("volume:own").reason, "volume other is a bind of /srv/data");
    assert_eq!(world.mount("volume:other").reason, "volume own is a bind of /srv/data");

    let mut world = World::new();
    world.volume("v").options = options(&[("type", "none"), ("o", "rbind,ro"), ("device", "/srv/data")]);
    world.container("c", "created", &[bind("/srv", "/x")]);
    assert_eq!(
        world.mount("volume:v").reason,
        "container c binds /srv, which contains its data"
    );
}

#[test]
fn a_mount_of_an_unknown_kind_keeps_what_it_names_alive() {
    let mut world = World::new();
    for name in ["typeless", "novel", "by_path"] {
        world.volume(name);
    }
    let of_kind = |kind: &str, name: &str| MountPoint {
        kind: kind.to_owned(),
        ..volume(name, "/x")
    };
    let by_path = MountPoint {
        kind: "novel".to_owned(),
        ..bind("/var/lib/docker/volumes/by_path/_data", "/y")
    };
    let mounts = [of_kind("", "typeless"), of_kind("novel", "novel"), by_path];
    world.container("c", "running", &mounts);
    for name in ["typeless", "novel", "by_path"] {
        assert_eq!(world.mount(&format!("volume:{name}")).orphan, Orphan::No, "{name}");
    }
}

#[test]
fn what_could_not_be_learnt_is_unknown_never_unused() {
    let mut world = World::new();
    world.volume("v");
    world.volume("shared").scope = "global".to_owned();
    let built = build(Evidence {
        volumes: Ok(&world.volumes),
        containers: &[],
        containers_missing: Some("500"),
        details: &world.details,
        paths: &world.paths,
    });
    assert!(built.mounts.iter().all(|mount| mount.orphan == Orphan::Unknown));
    assert_eq!(built.mounts[1].reason, "not every container could be read: 500");
    assert_eq!(
        world.mount("volume:shared").orphan,
        Orphan::Unknown,
        "other nodes are not seen"
    );
    world.volumes.unread = Some("row 3".to_owned());
    let unread = world.mount("volume:v");
    assert_eq!(
        (unread.orphan, unread.reason.as_str()),
        (Orphan::Unknown, "not every volume could be read: row 3"),
        "what could not be read may be a bind of its data"
    );
    world.volumes.unread = None;
    world.paths.examined = Examined::Failed;
    assert_eq!(world.mount("volume:v").orphan, Orphan::Unknown);
    world.paths.examined = Examined::Remote;
    assert_eq!(world.mount("volume:v").orphan, Orphan::Yes);
}

/// A removal deletes the volume's directory with all that is beneath it.
#[test]
fn what_is_mounted_in_a_volume_keeps_it() {
    let mut world = World::new();
    world.volume("v");
    world.volume("w");
    let fact = PathFact {
        mounted: Some("/var/lib/docker/volumes/v/_data/photos".to_owned()),
        ..PathFact::default()
    };
    let facts = &mut world.paths.facts;
    facts.insert("/var/lib/docker/volumes/v/_data".to_owned(), fact.clone());
    facts.insert("/".to_owned(), fact);
    world.volume("nowhere").mountpoint.clear();
    let mount = world.mount("volume:v");
    let why = "another file system is mounted in it, at /var/lib/docker/volumes/v/_data/photos";
    assert_eq!((mount.orphan, mount.reason.as_str()), (Orphan::No, why));
    for other in ["volume:w", "volume:nowhere"] {
        assert_eq!(world.mount(other).orphan, Orphan::Yes, "{other}");
    }
}
