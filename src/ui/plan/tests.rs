//! Frames of plans made by hand: every kind of row, both sizes, the questions.

use super::super::tests::frame;
use crate::core::msg::{EngineMsg, Msg};
use crate::core::sample::{answer, keys, listing, plan, planning, row, stopped, tell, used, volume};
use crate::core::state::State;
use crate::core::update;
use crate::model::{Mount, MountKind, VolumeName};
use crate::ops::prune::{Event, Group, Identity, Outcome, Plan, Row, Scope, Step};

fn everything() -> Plan {
    let anonymous = Row {
        mount: std::sync::Arc::new(Mount {
            kind: MountKind::Anonymous,
            ..volume(&"3f2a91bc04de77aa".repeat(4))
        }),
        fingerprint: Some("PostgreSQL 15".to_owned()),
        last_use: Some("container shop-db-1 until 3 weeks ago".to_owned()),
        reason: "looks like PostgreSQL 15 in a volume that nobody named".to_owned(),
        ..row("x", Group::Keep, Some(3 << 30))
    };
    let renamed = Row {
        mount: std::sync::Arc::new(Mount {
            project: Some("shop-old".to_owned()),
            ..volume("shop-old_db")
        }),
        reason: "project shop-old has no container; shop has the same volume under its own name".to_owned(),
        hint: Some("volumes:\n  db:\n    name: shop-old_db\n    external: true".to_owned()),
        identity: Identity {
            directory: Some((1_048_602, Some((1_700_000_000, 5)))),
            ..Identity::default()
        },
        ..row("shop-old_db", Group::Ask, Some(700 << 20))
    };
    let mut plan = plan(vec![
        row("build-cache", Group::Safe, Some(1 << 30)),
        row("empty", Group::Safe, Some(0)),
        renamed,
        row("nas", Group::Ask, None),
        anonymous,
        used("web_static"),
        used("web_uploads"),
    ]);
    plan.containers = vec![stopped("old-db", &["old-db_data"])];
    plan.warnings = vec!["1 container could not be read".to_owned()];
    plan
}

fn at(size: (u16, u16), keys_: &str) -> State {
    let mut state = planning(everything());
    update(&mut state, Msg::Resize(size.0, size.1));
    if !keys_.is_empty() {
        keys(&mut state, keys_);
    }
    state
}

#[test]
fn a_plan_at_the_design_size() {
    insta::assert_snapshot!("plan_80x24", frame(&at((80, 24), "")));
    insta::assert_snapshot!("plan_hint_80x24", frame(&at((80, 24), "j j u")));
}

#[test]
fn a_plan_on_a_wide_terminal() {
    insta::assert_snapshot!("plan_120x40", frame(&at((120, 40), "j j u")));
}

#[test]
fn the_questions() {
    insta::assert_snapshot!("type_80x24", frame(&at((80, 24), "j j j space n a enter")));
    insta::assert_snapshot!("confirm_80x24", frame(&at((80, 24), "enter")));
    let many = (0..60).map(|n| row(&format!("v{n}"), Group::Safe, None)).collect();
    let mut state = planning(plan(many));
    keys(&mut state, "enter");
    let shown = frame(&state);
    assert!(shown.contains("and ") && shown.contains(" more"), "{shown}");
    assert!(
        shown.contains("y removes") && shown.contains("cannot be undone"),
        "{shown}"
    );
}

#[test]
fn a_removal_row_by_row() {
    let mut state = at((80, 24), "enter y");
    let job = state.jobs.newest_first().next().unwrap().0;
    let gone = Event::Volume(VolumeName::new("build-cache"), Outcome::Removed(Some(1 << 30)));
    let left = Event::Volume(VolumeName::new("empty"), Outcome::Refused("web uses it now".to_owned()));
    let events = vec![gone, left];
    tell(&mut state, EngineMsg::Removed { job, events });
    insta::assert_snapshot!("removing_80x24", frame(&state));
}

#[test]
fn gathering_says_how_far_it_is_and_a_failure_why() {
    let mut state = listing(vec![volume("a")]);
    keys(&mut state, "P");
    let step = Step::Looking {
        done: 12,
        total: 40,
        bytes: 3 << 30,
    };
    tell(&mut state, EngineMsg::Planning { ask: 1, step });
    let shown = frame(&state);
    assert!(shown.contains("12 of 40") && shown.contains("3 GiB"), "{shown}");
    let result = Err(crate::engine::EngineError::ReadOnly);
    tell(&mut state, EngineMsg::Planned { ask: 1, result });
    assert!(frame(&state).contains("no plan could be made"));
}

#[test]
fn nothing_to_remove_is_said() {
    let mut state = listing(vec![volume("a")]);
    keys(&mut state, "P");
    answer(&mut state, plan(Vec::new()));
    let shown = frame(&state);
    assert!(
        shown.contains("Safe  nothing") && shown.contains("nothing is chosen"),
        "{shown}"
    );
}

/// Names, reasons, hints and warnings come from labels, images and files.
#[test]
fn hostile_text_stays_in_its_cell() {
    let evil = "a\nb\x1b[2J\u{202e}gpj日本日本日本日本日本日本日本日本日本日本日本日本日本日本";
    let mut row = row(evil, Group::Ask, None);
    for text in [
        &mut row.reason,
        row.fingerprint.get_or_insert_default(),
        row.hint.get_or_insert_default(),
    ] {
        evil.clone_into(text);
    }
    let mut hostile = plan(vec![row]);
    hostile.warnings = vec![evil.to_owned()];
    hostile.containers = vec![stopped(evil, &[evil])];
    hostile.scope = Scope::Named {
        volumes: vec![VolumeName::new(evil)],
        containers: Vec::new(),
    };
    for words in ["g", "G", "g space", "G space", "esc enter"] {
        let mut state = planning(hostile.clone());
        keys(&mut state, words);
        for size in [(40, 10), (80, 24), (120, 40)] {
            update(&mut state, Msg::Resize(size.0, size.1));
            let shown = frame(&state);
            assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown}");
            assert!(!shown.contains('\u{202e}'), "{shown}");
        }
    }
}
