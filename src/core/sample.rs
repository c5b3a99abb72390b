//! Mounts by the dozen for tests of the core and its views. Knows no engine.

mod browsed;

use std::sync::Arc;

use time::OffsetDateTime;
use time::macros::datetime;

pub(crate) use browsed::{answer_files, browsing};

use super::keymap::Keymap;
use super::msg::{Connected, EngineMsg, Msg};
use super::state::{Settings, State};
use super::{Effect, update};
use crate::archive::{Archive, Origin, Status, Verdict};
use crate::doctor::{Cause, Confidence, Finding, Fix};
use crate::engine::About;
use crate::engine::daemon::{Flavour, NewVolume};
use crate::journal;
use crate::model::size::{Measured, TotalsRow};
use crate::model::{Attachment, BytePath, ContainerState, EngineId, Mount, MountId, Orphan, Size, Source};
use crate::ops::list::Inventory;
use crate::ops::prune::{Filter, Group, Identity, Plan, Row, Scope, Stopped};
use crate::ops::{backup, chown, doctor, restore};
use vole_agent::proto::Kind;
use vole_agent::proto::own::{Census, Change, Sampled, Skipped, Why};
use vole_agent::proto::probe::Owner;

/// The present of these tests.
pub(crate) const NOW: OffsetDateTime = datetime!(2026-01-15 12:00 UTC);

/// A named volume that nobody uses.
pub(crate) fn volume(name: &str) -> Mount {
    Mount {
        created: Some(NOW - time::Duration::days(3)),
        orphan: Orphan::Yes,
        reason: "no container refers to it".to_owned(),
        ..Mount::sample(name)
    }
}

/// A size that was just measured.
pub(crate) fn measured(bytes: u64) -> Measured {
    let totals = TotalsRow {
        bytes,
        ..TotalsRow::default()
    };
    Measured {
        totals,
        at: NOW,
        source: Source::Agent,
        contents: None,
    }
}

/// News of a size that was just measured.
pub(crate) fn news(name: &str, bytes: u64) -> (MountId, Size) {
    (MountId::new(format!("volume:{name}")), Size::Measured(measured(bytes)))
}

/// A list of these mounts.
pub(crate) fn inventory(mounts: Vec<Mount>) -> Arc<Inventory> {
    let about = Arc::new(About {
        name: "host".to_owned(),
        flavour: Flavour::Docker,
        version: "28.5.2".to_owned(),
        api: "1.51".to_owned(),
        arch: "x86_64".to_owned(),
        kernel: "6.12".to_owned(),
        os: "Linux".to_owned(),
        root_dir: String::new(),
        same_host: false,
        rootless: false,
        security: Vec::new(),
    });
    Arc::new(Inventory {
        about,
        mounts: mounts.into_iter().map(Arc::new).collect(),
        containers: 0,
        helpers: 0,
        live_projects: Default::default(),
        running: 0,
        warnings: Vec::new(),
        complete: true,
    })
}

/// The engine of these tests.
pub(crate) fn engine() -> EngineId {
    EngineId::new("test")
}

/// Tells the state something about the engine.
pub(crate) fn tell(state: &mut State, msg: EngineMsg) -> Vec<Effect> {
    update(state, Msg::Engine(engine(), msg))
}

/// Presses keys, written as people write them; returns what is to be done.
pub(crate) fn keys(state: &mut State, words: &str) -> Vec<Effect> {
    let press = |word: &str| update(state, Msg::Key(word.parse().unwrap()));
    words.split(' ').flat_map(press).collect()
}

/// A state that is connected and lists these mounts; nothing is measured.
pub(crate) fn listing(mounts: Vec<Mount>) -> State {
    let mut state = State::new(Settings::default(), Keymap::default(), NOW, (80, 24));
    let list = inventory(mounts);
    let about = Arc::clone(&list.about);
    let connected = Connected {
        id: engine(),
        endpoint: "unix:///run/docker.sock".to_owned(),
        about,
        demo: false,
    };
    update(&mut state, Msg::Connected(connected));
    for _ in ["rows", "full"] {
        tell(&mut state, EngineMsg::Inventory(Ok(Arc::clone(&list))));
    }
    state
}

/// A row of a plan: a named volume of so many bytes; `None` is unknown.
pub(crate) fn row(name: &str, group: Group, bytes: Option<u64>) -> Row {
    let size = match bytes {
        Some(bytes) => Size::Measured(measured(bytes)),
        None => Size::Unknown(Some("nobody could look".to_owned())),
    };
    Row {
        mount: Arc::new(volume(name)),
        group,
        reason: match group {
            Group::Safe => "empty, and nothing refers to it",
            Group::Ask => "it has a name, and nobody can tell what is in it",
            Group::Keep => "a database, last written 3d ago",
        }
        .to_owned(),
        blocked: false,
        size,
        frees: bytes,
        fingerprint: bytes.map(|_| "empty".to_owned()),
        last_write: Some(NOW - time::Duration::days(40)),
        last_use: None,
        hint: None,
        identity: Identity::default(),
    }
}

/// A row of a volume that a container uses.
pub(crate) fn used(name: &str) -> Row {
    Row {
        blocked: true,
        reason: "web uses it".to_owned(),
        ..row(name, Group::Keep, Some(5 << 20))
    }
}

/// A plan over what may be left over.
pub(crate) fn plan(rows: Vec<Row>) -> Plan {
    Plan {
        scope: Scope::Orphans(Filter::default()),
        at: NOW,
        containers: Vec::new(),
        rows,
        warnings: Vec::new(),
    }
}

/// A container that does not run and frees these volumes.
pub(crate) fn stopped(name: &str, frees: &[&str]) -> Stopped {
    Stopped {
        id: format!("id-of-{name}"),
        name: name.to_owned(),
        image: "postgres:16".to_owned(),
        chosen: false,
        blocked: None,
        frees: frees.iter().map(|name| (*name).to_owned()).collect(),
        anonymous: Vec::new(),
    }
}

/// A state that lists the plan's volumes, with the plan on screen.
pub(crate) fn planning(plan: Plan) -> State {
    let mounts = plan.rows.iter().map(|row| Mount::clone(&row.mount)).collect();
    let mut state = listing(mounts);
    keys(&mut state, "P");
    answer(&mut state, plan);
    state
}

/// Answers the plan that is awaited.
pub(crate) fn answer(state: &mut State, plan: Plan) -> Vec<Effect> {
    let ask = state.engine().unwrap().plan.as_ref().unwrap().ask();
    let result = Ok(Arc::new(plan));
    tell(state, EngineMsg::Planned { ask, result })
}

/// A container's use of a mount.
pub(crate) fn used_by(container: &str, state: ContainerState) -> Attachment {
    Attachment {
        container: container.to_owned(),
        container_id: format!("id-of-{container}"),
        state,
        image: "postgres:16".to_owned(),
        destination: "/data".to_owned(),
        rw: true,
        propagation: String::new(),
        subpath: None,
        options: Vec::new(),
        service: None,
    }
}

/// A finding on a named volume: its files belong to 999, and nobody but 70 reads them.
pub(crate) fn finding(container: &str, mount: &str, confidence: Confidence) -> Finding {
    let id = MountId::new(format!("volume:{mount}"));
    Finding {
        cause: Cause::UidChanged,
        container: Some(container.to_owned()),
        mount: Some((id.clone(), mount.to_owned())),
        path: Some("/data".to_owned()),
        summary: format!("{container} runs as 70:70 and may not read {mount}, which belongs to 999:999"),
        evidence: vec![
            "process 1 runs as 70:70".to_owned(),
            "all of 1 204 entries belong to 999:999, the directory has mode 0700".to_owned(),
            "log: FATAL: data directory \"/data\" has wrong ownership".to_owned(),
        ],
        confidence,
        fix: Fix::Chown {
            mount: id,
            name: mount.to_owned(),
            path: BytePath::root(),
            change: Change {
                uid: Some(70),
                gid: Some(70),
                recursive: true,
                ..Change::default()
            },
        },
        counted: None,
        caveats: vec!["the image's older version ran as 999 and would lose its access".to_owned()],
        wrong_fixes: vec!["chmod 777: postgres refuses a directory that others may read".to_owned()],
    }
}

/// What a diagnosis of two containers came to.
pub(crate) fn report(findings: Vec<Finding>) -> Arc<doctor::Report> {
    Arc::new(doctor::Report {
        findings,
        containers: 2,
        mounts: 3,
        left_out: Vec::new(),
    })
}

/// A plan of a change: 1 204 entries of a volume go from 999 to 70.
pub(crate) fn own_plan(request: chown::Request) -> chown::Plan {
    let sampled = |path: &str, kind: Kind, mode: u32| Sampled {
        path: path.as_bytes().to_vec(),
        kind,
        uid: 999,
        gid: 999,
        mode,
    };
    chown::Plan {
        request,
        at: NOW,
        resolved: Some("/var/lib/docker/volumes/db/_data".to_owned()),
        seen: None,
        refused: None,
        census: Census {
            entries: 1210,
            change: 1204,
            unchanged: 4,
            skipped: 2,
            skips: vec![
                Skipped {
                    path: b"mnt".to_vec(),
                    why: Why::OtherMount,
                },
                Skipped {
                    path: b"odd\x1b[2J".to_vec(),
                    why: Why::OtherMount,
                },
            ],
            sample: vec![
                sampled("", Kind::Dir, 0o700),
                sampled("base", Kind::Dir, 0o700),
                sampled("PG_VERSION", Kind::File, 0o600),
                sampled("link", Kind::Symlink, 0o777),
            ],
            owners: vec![Owner {
                uid: 999,
                gid: 999,
                entries: 1204,
            }],
            journal_bytes: 90_000,
            complete: true,
            ..Census::default()
        },
        blocks: Vec::new(),
        caveats: vec!["postgres:16 sets its owner itself when it starts as root".to_owned()],
    }
}

/// A journal that a list shows.
pub(crate) fn journal(id: &str, stage: journal::Stage) -> journal::Listed {
    journal::Listed {
        id: journal::JournalId::new(id),
        at: NOW - time::Duration::hours(3),
        words: "chown 70:70 of db".to_owned(),
        mount: (MountId::new("volume:db"), "db".to_owned()),
        entries: 1204,
        stage,
        damage: None,
    }
}

/// An archive of a volume, made so many hours ago.
pub(crate) fn archive(name: &str, hours: i64) -> Archive {
    let begun = NOW - time::Duration::hours(hours);
    let mount = volume(name);
    Archive {
        path: format!("/home/me/.local/share/vole/backups/0f/{name}/{name}-{hours}.tar.zst").into(),
        origin: Origin::of(&mount, "unix:///run/docker.sock".to_owned(), begun),
        bytes: 3 << 20,
        sha256: "0123456789abcdef".repeat(4),
        entries: 1204,
        content_bytes: 10 << 20,
        digest: "fedcba9876543210".repeat(4),
        status: Status::Ok,
        warnings: Vec::new(),
        warned: 0,
    }
}

/// The plan of a backup: what was measured is known, and there is room.
pub(crate) fn backup_plan(request: backup::Request) -> backup::Plan {
    let row = |mount: &Arc<Mount>| backup::Row {
        dir: format!("/home/me/.local/share/vole/backups/0f/{}", mount.name).into(),
        size: Some(measured(10 << 20)),
        free: Some(40 << 30),
        refused: None,
        caveats: vec!["web runs and may write to it".to_owned()],
        mount: Arc::clone(mount),
    };
    backup::Plan {
        rows: request.mounts.iter().map(row).collect(),
        at: NOW,
        request,
    }
}

/// The plan of a restore of an archive that is whole: into a mount that is listed, else into a new volume.
pub(crate) fn restore_plan(request: restore::Request, listed: &[Arc<Mount>]) -> restore::Plan {
    let name = request.target.clone().unwrap_or_else(|| "db".to_owned());
    let there = listed.iter().find(|mount| mount.name == name);
    let into = match there {
        Some(mount) => restore::Into::Existing(Arc::clone(mount)),
        None => restore::Into::New(NewVolume {
            name: name.clone(),
            driver: Some("local".to_owned()),
            options: Default::default(),
            labels: [("com.docker.compose.project".to_owned(), "shop".to_owned())].into(),
        }),
    };
    restore::Plan {
        at: NOW,
        origin: Some(archive("db", 3).origin),
        verdict: Some(Verdict::Ok),
        counts: Some((1204, 10 << 20)),
        part: (!request.only.is_empty()).then_some((3, 12 << 10)),
        digest: None,
        strip: 0,
        prefix: None,
        unclear: None,
        needs_name: there.map(|_| match request.only.first() {
            Some(path) => {
                let path = String::from_utf8_lossy(path.as_bytes()).into_owned();
                format!("what {name} holds at {path} is replaced, and nothing brings it back")
            }
            None => format!("what is in {name} is replaced"),
        }),
        into,
        seen: None,
        replaced: there.map(|_| request.only.clone()).unwrap_or_default(),
        refused: None,
        caveats: vec!["nothing that runs uses it".to_owned()],
        source: Default::default(),
        request,
    }
}
