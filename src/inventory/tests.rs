//! Every trap of the engines' answers, as data in and rows out.

use std::collections::{BTreeMap, HashMap};

use super::paths::{Examined, Spot};
use super::*;
use crate::engine::daemon::{RequestedMount, VolumeRow};
use crate::model::{Labels, MountKind, Orphan, Scan};

mod orphans;

const HEX: &str = "aac21abfd425b4306670e02a7f1e7c204f3f58934973487e829cceebb9210e3d";

#[derive(Default)]
struct World {
    volumes: VolumeList,
    containers: Vec<ContainerRow>,
    details: HashMap<String, ContainerDetail>,
    paths: PathFacts,
}

impl World {
    fn new() -> Self {
        Self {
            paths: PathFacts {
                examined: Examined::Yes,
                ..PathFacts::default()
            },
            ..Self::default()
        }
    }

    fn volume(&mut self, name: &str) -> &mut VolumeRow {
        self.volumes.rows.push(VolumeRow {
            name: name.to_owned(),
            driver: "local".to_owned(),
            mountpoint: format!("/var/lib/docker/volumes/{name}/_data"),
            scope: "local".to_owned(),
            ..VolumeRow::default()
        });
        self.volumes.rows.last_mut().unwrap()
    }

    fn container(&mut self, name: &str, state: &str, mounts: &[MountPoint]) -> &mut ContainerRow {
        self.containers.push(ContainerRow {
            id: format!("id-{name}"),
            name: name.to_owned(),
            state: state.to_owned(),
            mounts: mounts.to_vec(),
            ..ContainerRow::default()
        });
        self.containers.last_mut().unwrap()
    }

    fn build(&self) -> Built {
        build(Evidence {
            volumes: Ok(&self.volumes),
            containers: &self.containers,
            containers_missing: None,
            details: &self.details,
            paths: &self.paths,
        })
    }

    fn mount(&self, id: &str) -> Mount {
        self.build()
            .mounts
            .into_iter()
            .map(Arc::unwrap_or_clone)
            .find(|mount| mount.id.as_str() == id)
            .unwrap_or_else(|| panic!("no {id}"))
    }
}

fn volume(name: &str, destination: &str) -> MountPoint {
    MountPoint {
        kind: "volume".to_owned(),
        name: name.to_owned(),
        source: format!("/var/lib/docker/volumes/{name}/_data"),
        destination: destination.to_owned(),
        driver: "local".to_owned(),
        rw: true,
        ..MountPoint::default()
    }
}

fn bind(source: &str, destination: &str) -> MountPoint {
    MountPoint {
        kind: "bind".to_owned(),
        source: source.to_owned(),
        destination: destination.to_owned(),
        rw: true,
        propagation: "rprivate".to_owned(),
        ..MountPoint::default()
    }
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().copied().collect()
}

fn options(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn a_container_attaches_by_exact_name_never_by_substring() {
    let mut world = World::new();
    world.volume("data");
    world.volume("shop_data");
    world.container("db", "running", &[volume("shop_data", "/d")]);
    assert_eq!(world.mount("volume:data").orphan, Orphan::Yes);
    assert_eq!(world.mount("volume:data").reason, "no container refers to it");
    let used = world.mount("volume:shop_data");
    assert_eq!(
        (used.orphan, used.reason.as_str()),
        (Orphan::No, "used by db (running)")
    );
}

#[test]
fn one_container_may_attach_a_volume_twice() {
    let mut world = World::new();
    world.volume("v");
    world.container("c", "running", &[volume("v", "/b"), volume("v", "/a")]);
    let mount = world.mount("volume:v");
    let destinations: Vec<&str> = mount.attachments.iter().map(|one| one.destination.as_str()).collect();
    assert_eq!(destinations, ["/a", "/b"]);
    assert_eq!(mount.reason, "used by c (running)", "one container is not two");
}

#[test]
fn created_and_exited_containers_keep_a_volume_and_running_ones_are_named_first() {
    let mut world = World::new();
    for name in ["created", "exited", "both"] {
        world.volume(name);
    }
    world.container("a-created", "created", &[volume("created", "/d"), volume("both", "/d")]);
    world.container("b-exited", "exited", &[volume("exited", "/d"), volume("both", "/d")]);
    world.container("c-running", "running", &[volume("both", "/d")]);
    assert_eq!(world.mount("volume:created").reason, "used by a-created (created)");
    assert_eq!(world.mount("volume:exited").reason, "used by b-exited (exited)");
    assert_eq!(
        world.mount("volume:both").reason,
        "used by c-running (running) and 2 more"
    );
    assert!(world.build().mounts.iter().all(|mount| mount.orphan == Orphan::No));
}

#[test]
fn anonymous_by_label_or_by_sixty_four_lowercase_digits() {
    let mut world = World::new();
    world.volume(HEX);
    world.volume(&HEX.to_uppercase());
    world.volume(&HEX[1..]);
    world.volume("labelled").labels = Arc::new(labels(&[("com.docker.volume.anonymous", "")]));
    let kinds: HashMap<String, MountKind> = world
        .build()
        .mounts
        .iter()
        .map(|mount| (mount.name.clone(), mount.kind))
        .collect();
    assert_eq!(kinds[HEX], MountKind::Anonymous);
    assert_eq!(kinds["labelled"], MountKind::Anonymous);
    assert_eq!(kinds[&HEX.to_uppercase()], MountKind::Named);
    assert_eq!(kinds[&HEX[1..]], MountKind::Named);
}

#[test]
fn a_volume_that_only_a_container_speaks_of_is_shown_and_warned_of() {
    let mut world = World::new();
    world.container("c", "exited", &[volume(HEX, "/d")]);
    let built = world.build();
    assert_eq!(built.mounts.len(), 1);
    assert_eq!(built.mounts[0].kind, MountKind::Anonymous);
    assert_eq!(built.mounts[0].orphan, Orphan::No);
    assert!(built.warnings[0].contains(HEX), "{:?}", built.warnings);
}

#[test]
fn binds_are_one_row_per_source() {
    let mut world = World::new();
    world.container("a", "running", &[bind("/srv//data/", "/x")]);
    world.container("b", "exited", &[bind("/srv/data", "/y"), bind("/srv/data2", "/z")]);
    let built = world.build();
    let names: Vec<&str> = built.mounts.iter().map(|mount| mount.name.as_str()).collect();
    assert_eq!(names, ["/srv/data", "/srv/data2"]);
    assert_eq!(built.mounts[0].attachments.len(), 2);
    assert_eq!(built.mounts[0].reason, "used by a (running) and 1 more");
}

#[test]
fn tmpfs_comes_from_inspect_and_belongs_to_its_container() {
    let mut world = World::new();
    world.container("web", "running", &[]);
    world.container(
        "old",
        "exited",
        &[MountPoint {
            kind: "tmpfs".to_owned(),
            destination: "/cache".to_owned(),
            rw: true,
            ..MountPoint::default()
        }],
    );
    let tmpfs = options(&[("/run", "size=16m,ro"), ("/cache", "")]);
    for name in ["web", "old"] {
        let detail = ContainerDetail {
            tmpfs: tmpfs.clone(),
            ..ContainerDetail::default()
        };
        world.details.insert(format!("id-{name}"), detail);
    }
    let built = world.build();
    let names: Vec<&str> = built.mounts.iter().map(|mount| mount.name.as_str()).collect();
    assert_eq!(
        names,
        ["old:/cache", "old:/run", "web:/cache", "web:/run"],
        "listed twice is one mount"
    );
    let run = world.mount("tmpfs:id-web:/run");
    assert_eq!(run.scan, Scan::InContainer("id-web".to_owned()));
    assert!(!run.attachments[0].rw);
    assert_eq!(run.attachments[0].options, ["size=16m", "ro"]);
    let why = "its memory belongs to container old, which is not running";
    assert_eq!(world.mount("tmpfs:id-old:/run").scan, Scan::Never(why.to_owned()));
}

#[test]
fn projects_come_from_labels_and_only_from_containers_that_agree() {
    let project = "com.docker.compose.project";
    let mut world = World::new();
    world.volume("own").labels = Arc::new(labels(&[(project, "shop")]));
    world.volume("derived");
    world.volume("disputed");
    let shop = world.container(
        "a",
        "running",
        &[volume("derived", "/d"), volume("disputed", "/d"), volume("own", "/d")],
    );
    shop.labels = labels(&[(project, "shop"), ("com.docker.compose.service", "db")]);
    let blog = world.container("b", "running", &[volume("disputed", "/d")]);
    blog.labels = labels(&[
        ("com.docker.stack.namespace", "blog"),
        ("com.docker.swarm.service.name", "blog_app"),
    ]);
    world.container("c", "running", &[volume("derived", "/e")]);
    let of = |id: &str| {
        let mount = world.mount(id);
        (mount.project, mount.project_derived, mount.services)
    };
    assert_eq!(
        of("volume:own"),
        (Some("shop".to_owned()), false, vec!["db".to_owned()])
    );
    assert_eq!(
        of("volume:derived"),
        (Some("shop".to_owned()), true, vec!["db".to_owned()])
    );
    assert_eq!(
        of("volume:disputed"),
        (None, false, vec!["blog_app".to_owned(), "db".to_owned()])
    );
}

#[test]
fn inspect_adds_subpath_and_options() {
    let mut world = World::new();
    world.volume("v");
    let mut point = volume("v", "/s");
    point.mode = "z,ro".to_owned();
    world.container("c", "running", &[point]);
    let requested = RequestedMount {
        target: "/s".to_owned(),
        subpath: Some("sub".to_owned()),
        options: vec!["nocopy".to_owned(), "z".to_owned()],
        ..RequestedMount::default()
    };
    let detail = ContainerDetail {
        requested: vec![requested],
        ..ContainerDetail::default()
    };
    world.details.insert("id-c".to_owned(), detail);
    let attachment = world.mount("volume:v").attachments.remove(0);
    assert_eq!(attachment.subpath.as_deref(), Some("sub"));
    assert_eq!(attachment.options, ["z", "nocopy"]);
}

#[test]
fn what_is_odd_is_reached_alone_on_demand_or_never() {
    let mut world = World::new();
    world.volume("plain");
    world.volume("quota").options = options(&[("size", "10G")]);
    world.volume("memory").options = options(&[("type", "tmpfs"), ("device", "tmpfs")]);
    world.volume("nfs").options = options(&[("type", "nfs"), ("o", "addr=10.0.0.1"), ("device", ":/export")]);
    world.volume("disk").options = options(&[("type", "ext4"), ("device", "/dev/sdb1")]);
    world.volume("plugin").driver = "rexray".to_owned();
    let cluster = world.volume("cluster");
    (cluster.cluster, cluster.mountpoint) = (true, String::new());
    let scan = |name: &str| world.mount(&format!("volume:{name}")).scan;
    assert_eq!(scan("plain"), Scan::Shared);
    assert_eq!(scan("quota"), Scan::Shared);
    assert_eq!(scan("memory"), Scan::Alone);
    for remote in ["nfs", "disk", "plugin"] {
        assert!(matches!(scan(remote), Scan::OnDemand(_)), "{remote}");
    }
    assert!(matches!(scan("cluster"), Scan::Never(_)));
}

#[test]
fn sockets_devices_and_kernel_trees_are_never_scanned() {
    let mut world = World::new();
    let sources = [
        "/",
        "/proc",
        "/sys/fs/cgroup",
        "/run/x.sock",
        "/dev/kvm",
        "/dev/shm",
        "/srv",
        "/processes",
        "/link-to-proc",
    ];
    let mounts: Vec<MountPoint> = sources.iter().map(|source| bind(source, source)).collect();
    world.container("c", "running", &mounts);
    world.paths.facts.insert(
        "/link-to-proc".to_owned(),
        PathFact {
            canonical: Some("/proc/1".to_owned()),
            ..PathFact::default()
        },
    );
    let never = |source: &str| matches!(world.mount(&format!("bind:{source}")).scan, Scan::Never(_));
    let refused: Vec<&str> = sources.into_iter().filter(|source| never(source)).collect();
    assert_eq!(
        refused,
        [
            "/",
            "/proc",
            "/sys/fs/cgroup",
            "/run/x.sock",
            "/dev/kvm",
            "/link-to-proc"
        ]
    );

    for (kind, scan) in [
        (PathKind::Socket, Scan::Never("a socket".to_owned())),
        (PathKind::File, Scan::Shared),
        (PathKind::Missing, Scan::Alone),
    ] {
        world.paths.facts.insert(
            "/run/x.sock".to_owned(),
            PathFact {
                kind,
                ..PathFact::default()
            },
        );
        assert_eq!(world.mount("bind:/run/x.sock").scan, scan);
    }
}
