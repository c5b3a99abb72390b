//! Plans over hand-made evidence: what the accidents on record taught.

mod projects;

use std::collections::BTreeMap;
use std::sync::Arc;

use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::*;
use crate::core::sample;
use crate::fingerprint::Rules;
use crate::model::size::{Measured, TotalsRow};
use crate::model::{
    Attachment, ContainerState, Contents, Fingerprint, Labels, MountId, MountKind, Orphan, Source, Worth,
};
use crate::ops::list::Inventory;

const NOW: OffsetDateTime = datetime!(2026-06-15 12:00 UTC);
const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A case in the making: two lists and a look.
struct Case {
    before: Inventory,
    now: Inventory,
    dangling: Vec<String>,
    looked: BTreeMap<MountId, Looked>,
    short: Option<String>,
    scope: Scope,
}

fn anonymous() -> Mount {
    Mount {
        kind: MountKind::Anonymous,
        orphan: Orphan::Yes,
        reason: "no container refers to it".to_owned(),
        created: Some(NOW - Duration::days(200)),
        host_path: Some(format!("/v/{HEX}/_data")),
        ..Mount::sample(HEX)
    }
}

fn named(name: &str) -> Mount {
    Mount {
        kind: MountKind::Named,
        name: name.to_owned(),
        id: MountId::new(format!("volume:{name}")),
        ..anonymous()
    }
}

fn labelled(mount: Mount, labels: &[(&str, &str)]) -> Mount {
    let project = labels
        .iter()
        .find(|(key, _)| key.ends_with("compose.project"))
        .map(|(_, project)| (*project).to_owned());
    Mount {
        labels: Arc::new(labels.iter().copied().collect::<Labels>()),
        project,
        ..mount
    }
}

fn used(mount: Mount, container: &str) -> Mount {
    let attachment = Attachment {
        container: container.to_owned(),
        container_id: container.to_owned(),
        state: ContainerState::Running,
        image: "i".to_owned(),
        destination: "/d".to_owned(),
        rw: true,
        propagation: String::new(),
        subpath: None,
        options: Vec::new(),
        service: None,
    };
    Mount {
        orphan: Orphan::No,
        reason: format!("used by {container} (running)"),
        attachments: vec![attachment],
        ..mount
    }
}

fn contents(files: u64, stray: u64, looks: &[(&str, Worth)]) -> Contents {
    let looks = looks.iter().map(|(kind, worth)| Fingerprint {
        kind: (*kind).to_owned(),
        version: None,
        worth: *worth,
        evidence: vec!["sign".to_owned()],
    });
    Contents {
        looks: looks.collect(),
        stray,
        files,
        incomplete: None,
    }
}

fn empty() -> Contents {
    contents(0, 0, &[])
}

fn postgres() -> Contents {
    contents(900, 900, &[("PostgreSQL", Worth::Critical)])
}

fn size(contents: Option<Contents>, written: Option<OffsetDateTime>) -> Size {
    Size::Measured(Measured {
        totals: TotalsRow {
            bytes: 4096,
            newest: written.map(OffsetDateTime::unix_timestamp),
            ..TotalsRow::default()
        },
        at: NOW,
        source: Source::Agent,
        contents,
    })
}

impl Case {
    fn new() -> Self {
        let none = Inventory::clone(&sample::inventory(Vec::new()));
        Self {
            before: none.clone(),
            now: none,
            dangling: Vec::new(),
            looked: BTreeMap::new(),
            short: None,
            scope: Scope::Orphans(Filter::default()),
        }
    }

    /// A volume that was there all the time.
    fn with(mut self, mount: Mount, contents: Option<Contents>) -> Self {
        let identity = Identity::default();
        let size = size(contents, Some(NOW - Duration::days(90)));
        self.looked.insert(mount.id.clone(), Looked { size, identity });
        if mount.attachments.is_empty() {
            self.dangling.push(mount.name.clone());
        }
        self.before.mounts.push(Arc::new(mount.clone()));
        self.now.mounts.push(Arc::new(mount));
        self
    }

    fn live(mut self, project: &str) -> Self {
        self.now.live_projects.insert(project.to_owned());
        self
    }

    fn scope(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    fn plan(self) -> Plan {
        let evidence = Evidence {
            at: NOW,
            before: self.before,
            now: self.now,
            dangling: self.dangling.into_iter().collect(),
            short: self.short,
            looked: self.looked,
            stopped: Vec::new(),
            last_use: BTreeMap::new(),
        };
        plan(self.scope, &evidence, &Rules::default())
    }

    /// The one row, or the first.
    fn row(self) -> Row {
        self.plan().rows.remove(0)
    }
}

fn group_of(mount: Mount, contents: Option<Contents>) -> Group {
    Case::new().with(mount, contents).row().group
}

#[test]
fn empty_and_caches_are_safe_and_say_why() {
    let row = Case::new().with(anonymous(), Some(empty())).row();
    assert_eq!(
        (row.group, row.reason.as_str()),
        (Group::Safe, "anonymous, no container, empty")
    );
    let cache = contents(5, 0, &[("JS deps", Worth::Disposable)]);
    let row = Case::new().with(anonymous(), Some(cache)).row();
    let why = "anonymous, no container, holds only JS deps (sign), last write in March 2026";
    assert_eq!((row.group, row.reason.as_str()), (Group::Safe, why));
    assert_eq!((row.frees, row.typed_name()), (Some(4096), "0123456789ab"));
}

#[test]
fn what_is_not_known_to_be_worthless_is_never_safe() {
    let cases = [
        ("a database", postgres(), Group::Keep),
        ("keys", contents(1, 1, &[("TLS keys", Worth::High)]), Group::Keep),
        ("a dump", contents(1, 1, &[("Redis/Valkey", Worth::Medium)]), Group::Ask),
        ("unknown files", contents(1, 1, &[]), Group::Ask),
        (
            "a cache and one file",
            contents(9, 1, &[("JS deps", Worth::Disposable)]),
            Group::Ask,
        ),
        (
            "a cache and a database",
            contents(9, 2, &[("PostgreSQL", Worth::Critical), ("JS deps", Worth::Disposable)]),
            Group::Keep,
        ),
        (
            "an unreadable directory",
            Contents {
                incomplete: Some("1 entry could not be read".to_owned()),
                ..empty()
            },
            Group::Keep,
        ),
        (
            "a cache half read",
            Contents {
                incomplete: Some("1 entry could not be read".to_owned()),
                ..contents(5, 0, &[("JS deps", Worth::Disposable)])
            },
            Group::Keep,
        ),
    ];
    for (what, contents, group) in cases {
        for mount in [anonymous(), named("n")] {
            assert_eq!(group_of(mount, Some(contents.clone())), group, "{what}");
        }
    }
    assert_eq!(group_of(anonymous(), None), Group::Keep, "nobody looked");
}

#[test]
fn old_files_prove_nothing_worthless() {
    let mut case = Case::new().with(anonymous(), Some(contents(1, 1, &[])));
    for looked in case.looked.values_mut() {
        looked.size = size(Some(contents(1, 1, &[])), Some(datetime!(1999-01-01 0:00 UTC)));
    }
    assert_eq!(case.row().group, Group::Ask);
}

#[test]
fn a_named_volume_is_safe_only_when_asked_for() {
    let row = Case::new().with(named("n"), Some(empty())).row();
    assert_eq!(row.group, Group::Ask);
    assert!(
        row.reason.contains("named volumes were not asked for"),
        "{}",
        row.reason
    );
    let named_too = Scope::Orphans(Filter {
        named: true,
        ..Filter::default()
    });
    let case = || Case::new().scope(named_too.clone());
    assert_eq!(case().with(named("n"), Some(empty())).row().group, Group::Safe);
    assert_eq!(case().with(named("n"), Some(postgres())).row().group, Group::Keep);
}

/// A copy of a volume may carry its labels along.
#[test]
fn a_name_that_somebody_gave_counts_more_than_the_label_of_anonymous_volumes() {
    let copied = Mount {
        kind: MountKind::Anonymous,
        ..named("production_database")
    };
    let row = Case::new().with(copied, Some(empty())).row();
    assert_eq!(
        (row.group, row.typed_name()),
        (Group::Ask, "production_database"),
        "{}",
        row.reason
    );
}

/// The shortest life of a container leaves no other trace.
#[test]
fn what_was_written_between_two_looks_makes_another_identity() {
    let dir = tempfile::tempdir().unwrap();
    let mount = Mount {
        host_path: Some(dir.path().to_str().unwrap().to_owned()),
        ..anonymous()
    };
    let before = gather::identity(&mount);
    assert_eq!(before, gather::identity(&mount));
    assert!(before.changed.is_some());
    std::fs::write(dir.path().join("only-copy"), "x").unwrap();
    let after = gather::identity(&mount);
    assert_eq!(after.directory, before.directory);
    assert_ne!(after.changed, before.changed);
}

#[test]
fn missing_data_keeps_and_blocks() {
    let unknown = Mount {
        orphan: Orphan::Unknown,
        reason: "not every container could be read".to_owned(),
        ..anonymous()
    };
    let row = Case::new().with(unknown, Some(empty())).row();
    assert_eq!((row.group, row.blocked), (Group::Keep, true));

    let mut short = Case::new().with(anonymous(), Some(empty()));
    short.short = Some("the engine counts 3 containers and lists 1".to_owned());
    let row = short.row();
    assert_eq!((row.group, row.blocked), (Group::Keep, true));

    let mut attached = Case::new().with(anonymous(), Some(empty()));
    attached.dangling.clear();
    let row = attached.row();
    assert!(
        row.blocked && row.reason.contains("counts it as attached"),
        "{}",
        row.reason
    );
}

#[test]
fn a_list_that_was_empty_once_frees_nothing() {
    // The first list left the container out, the second did not; and the other way round.
    let mut first = Case::new().with(used(anonymous(), "web"), Some(empty()));
    first.before.mounts = vec![Arc::new(anonymous())];
    let row = first.row();
    assert!(row.blocked && row.reason == "used by web (running)", "{}", row.reason);

    let mut second = Case::new().with(anonymous(), Some(empty()));
    second.before.mounts = vec![Arc::new(used(anonymous(), "web"))];
    let row = second.row();
    assert!(row.blocked && row.reason.contains("changed while"), "{}", row.reason);

    let mut fresh = Case::new().with(anonymous(), Some(empty()));
    fresh.before.mounts.clear();
    assert!(fresh.row().blocked);

    let mut anew = Case::new().with(anonymous(), Some(empty()));
    anew.before.mounts = vec![Arc::new(Mount {
        created: Some(NOW),
        ..anonymous()
    })];
    let row = anew.row();
    assert!(row.blocked && row.reason.contains("made anew"), "{}", row.reason);
}

#[test]
fn a_monitor_that_sees_all_volumes_makes_them_a_question_not_a_use() {
    let overseen = Mount {
        orphan: Orphan::No,
        overseen: true,
        reason: "container cadvisor binds /, which contains its data".to_owned(),
        ..anonymous()
    };
    let row = Case::new().with(overseen, Some(empty())).row();
    assert_eq!((row.group, row.blocked), (Group::Ask, false));
    assert!(row.reason.contains("cadvisor"), "{}", row.reason);
}

#[test]
fn the_owners_word_counts_before_the_contents() {
    let class = |word: &str| labelled(anonymous(), &[("vole.class", word)]);
    assert_eq!(group_of(class("critical"), Some(empty())), Group::Keep);
    assert_eq!(group_of(class("important"), Some(empty())), Group::Ask);
    assert_eq!(group_of(class("temporary"), Some(empty())), Group::Safe);
    assert_eq!(group_of(class("temporary"), Some(postgres())), Group::Ask, "never safe");
    assert_eq!(group_of(class("temporary"), Some(contents(1, 1, &[]))), Group::Ask);
    assert_eq!(
        group_of(class("tmp"), Some(empty())),
        Group::Ask,
        "a word that is no class"
    );
}

#[test]
fn what_lies_elsewhere_is_told_and_frees_nothing() {
    let options = |pairs: &[(&str, &str)], driver: &str| Mount {
        driver: driver.to_owned(),
        options: pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        ..anonymous()
    };
    let bind = options(&[("type", "none"), ("o", "bind"), ("device", "/srv/data")], "local");
    let row = Case::new().with(bind, Some(postgres())).row();
    assert_eq!((row.group, row.frees), (Group::Ask, Some(0)));
    assert!(
        row.reason.contains("/srv/data") && row.reason.contains("leaves the files"),
        "{}",
        row.reason
    );
    let share = options(&[("type", "nfs"), ("o", "addr=nas"), ("device", ":/x")], "local");
    assert_eq!(group_of(share, None), Group::Ask);
    let plugin = options(&[], "rexray");
    assert_eq!(group_of(plugin, Some(empty())), Group::Keep);
    let disk = options(&[("type", "ext4"), ("device", "/dev/sdb1")], "local");
    assert_eq!(group_of(disk, Some(empty())), Group::Keep);
    let quota = options(&[("o", "size=1g")], "local");
    assert_eq!(group_of(quota, Some(empty())), Group::Keep);
}

#[test]
fn filters_leave_out_and_unknown_is_not_old() {
    let filter = |filter: Filter| {
        let mut case = Case::new()
            .with(labelled(anonymous(), &[("ci", "yes")]), Some(empty()))
            .with(labelled(named("old"), projects::SHOP), Some(empty()))
            .scope(Scope::Orphans(filter));
        let mut unknown = named("unknown");
        unknown.created = None;
        let looked = Looked {
            size: size(Some(empty()), None),
            identity: Identity::default(),
        };
        case.looked.insert(unknown.id.clone(), looked);
        case.dangling.push(unknown.name.clone());
        case.before.mounts.push(Arc::new(unknown.clone()));
        case.now.mounts.push(Arc::new(unknown));
        let mut names: Vec<String> = case.plan().rows.into_iter().map(|row| row.mount.name.clone()).collect();
        names.sort();
        names
    };
    assert_eq!(filter(Filter::default()).len(), 3);
    let old = Filter {
        older_than: Some(Duration::days(30)),
        ..Filter::default()
    };
    assert_eq!(filter(old), [HEX, "old"]);
    let older = Filter {
        older_than: Some(Duration::days(100)),
        ..Filter::default()
    };
    assert_eq!(filter(older), [""; 0]);
    let label = |value: Option<&str>| Filter {
        labels: vec![("ci".to_owned(), value.map(str::to_owned))],
        ..Filter::default()
    };
    assert_eq!(filter(label(None)), [HEX]);
    assert_eq!(filter(label(Some("no"))), [""; 0]);
    let project = Filter {
        project: Some("shop".to_owned()),
        ..Filter::default()
    };
    assert_eq!(filter(project), ["old"]);
}

#[test]
fn who_names_a_volume_is_asked_for_its_name_and_no_more() {
    let rm = |mount: Mount, contents: Contents| {
        let scope = Scope::Named {
            volumes: vec![VolumeName::new(mount.name.as_str())],
            containers: Vec::new(),
        };
        Case::new().with(mount, Some(contents)).scope(scope).row()
    };
    assert_eq!(rm(named("n"), empty()).group, Group::Safe);
    assert_eq!(rm(named("n"), postgres()).group, Group::Ask);
    let row = rm(used(named("n"), "web"), empty());
    assert_eq!((row.group, row.blocked), (Group::Keep, true));
}
