use std::collections::BTreeSet;

use super::*;
use crate::core::jobs::{JobEnd, JobEvent};
use crate::core::msg::{Change, EngineMsg, Msg, WatchNews};
use crate::core::plan::{At, Line, Section};
use crate::core::sample::{
    NOW, answer, engine, inventory, keys, listing, plan, planning, row, stopped, tell, used, volume,
};
use crate::core::update::update;
use crate::core::{available, menu};
use crate::model::{JobId, MountId, MountKind, Size, VolumeName};
use crate::ops::prune::{Event, Group, Row};

fn wanted(effects: Vec<Effect>) -> Vec<EngineEffect> {
    let of = |effect| match effect {
        Effect::Engine(id, effect) if id == engine() => Some(effect),
        _ => None,
    };
    effects.into_iter().filter_map(of).collect()
}

fn review(state: &State) -> &Review {
    state.engine().unwrap().plan.as_ref().unwrap()
}

fn chosen(state: &State) -> Vec<&str> {
    review(state).chosen().iter().map(VolumeName::as_str).collect()
}

fn rows() -> Vec<Row> {
    vec![
        row("cache", Group::Safe, Some(3 << 20)),
        row("empty", Group::Safe, Some(0)),
        row("maybe", Group::Ask, None),
        row("pgdata", Group::Keep, Some(8 << 30)),
        used("web"),
    ]
}

fn type_name(state: &mut State, name: &str) {
    for letter in name.chars() {
        keys(state, &letter.to_string());
    }
}

mod choosing;

#[test]
fn orphans_are_planned_by_one_key_and_the_chosen_by_another() {
    let mut state = listing(vec![volume("a"), volume("b")]);
    let asked = wanted(keys(&mut state, "P"));
    let scope = Scope::Orphans(Filter::default());
    assert_eq!(asked, [EngineEffect::Plan { ask: 1, scope, at: NOW }]);
    assert_eq!(state.screen, Screen::Plan);
    assert_eq!(wanted(keys(&mut state, "esc")), [EngineEffect::DropPlan]);
    assert_eq!((state.screen, &state.engine().unwrap().plan), (Screen::Mounts, &None));
    let asked = wanted(keys(&mut state, "space space d"));
    let volumes = vec![VolumeName::new("a"), VolumeName::new("b")];
    let containers = Vec::new();
    let scope = Scope::Named { volumes, containers };
    assert_eq!(asked, [EngineEffect::Plan { ask: 2, scope, at: NOW }]);
}

#[test]
fn only_volumes_are_planned_for() {
    let mut bind = volume("/srv");
    bind.kind = MountKind::Bind;
    let mut state = listing(vec![bind.clone()]);
    assert_eq!(keys(&mut state, "d"), []);
    assert_eq!(state.screen, Screen::Mounts);
    bind.id = crate::model::MountId::new("bind:/srv");
    let mut state = listing(vec![bind, volume("a")]);
    let asked = wanted(keys(&mut state, "v G v d"));
    assert!(
        matches!(&asked[..], [EngineEffect::Plan { scope: Scope::Named { volumes, .. }, .. }] if *volumes == [VolumeName::new("a")]),
        "{asked:?}"
    );
    assert!(state.notice.unwrap().text.contains("1 marked mount left out"));
}

/// The helper of a measurement makes volumes count as used.
#[test]
fn a_measurement_ends_before_the_gathering_begins_and_is_taken_up_again_behind_it() {
    let mut state = listing(vec![volume("a")]);
    tell(&mut state, EngineMsg::Cached(Vec::new()));
    let job = state.engine().unwrap().measuring.unwrap();
    assert_eq!(keys(&mut state, "P"), [Effect::Cancel(job)]);
    assert_eq!(review(&state).stage, Stage::Waiting);
    let left_out = Size::Unknown(Some("cancelled".to_owned()));
    let sizes = vec![(MountId::new("volume:a"), left_out)];
    tell(&mut state, EngineMsg::Sizes(job, sizes));
    let ended = wanted(update(&mut state, Msg::Job(job, JobEvent::Ended(JobEnd::Cancelled))));
    assert!(
        matches!(&ended[..], [EngineEffect::WriteSizes(..), EngineEffect::Plan { .. }]),
        "{ended:?}"
    );
    tell(&mut state, EngineMsg::Watch(WatchNews::Changed(Change::Other)));
    let listed = wanted(tell(
        &mut state,
        EngineMsg::Inventory(Ok(inventory(vec![volume("a"), volume("b")]))),
    ));
    assert!(
        !listed
            .iter()
            .any(|effect| matches!(effect, EngineEffect::Measure { .. }))
    );
    let planned = wanted(answer(&mut state, plan(rows())));
    assert!(
        matches!(&planned[..], [EngineEffect::Measure { mounts, .. }] if mounts.len() == 2),
        "{planned:?}"
    );
}

#[test]
fn an_answer_to_an_earlier_question_is_dropped() {
    let mut state = listing(vec![volume("a")]);
    keys(&mut state, "P esc P");
    let late = EngineMsg::Planned {
        ask: 1,
        result: Ok(Arc::new(plan(rows()))),
    };
    state.changed = false;
    tell(&mut state, late);
    tell(
        &mut state,
        EngineMsg::Planning {
            ask: 1,
            step: Step::Checking,
        },
    );
    assert!(!state.changed);
    assert_eq!(review(&state).stage, Stage::Gathering(Step::Listing));
    let ask = 2;
    tell(
        &mut state,
        EngineMsg::Planning {
            ask,
            step: Step::Checking,
        },
    );
    assert_eq!(review(&state).stage, Stage::Gathering(Step::Checking));
    let result = Err(EngineError::Cancelled);
    tell(&mut state, EngineMsg::Planned { ask, result });
    assert!(matches!(review(&state).stage, Stage::Failed(_)));
    assert!(matches!(
        &wanted(keys(&mut state, "R"))[..],
        [EngineEffect::Plan { ask: 3, .. }]
    ));
}

#[test]
fn nothing_is_removed_without_a_yes() {
    let mut state = planning(plan(rows()));
    for no in ["enter", "esc", "n", "q", "ctrl-c"] {
        keys(&mut state, "enter");
        assert_eq!(state.dialog, Some(Dialog::Confirm));
        assert_eq!(
            keys(&mut state, "j space d w ?"),
            [],
            "the question leaves no other key a meaning"
        );
        assert_eq!(keys(&mut state, no), [], "{no}");
        assert_eq!((&state.dialog, &review(&state).stage), (&None, &Stage::Ready), "{no}");
    }
    let effects = wanted(keys(&mut state, "enter y"));
    let chosen: BTreeSet<VolumeName> = ["cache", "empty"].map(VolumeName::new).into();
    assert!(
        matches!(&effects[..], [EngineEffect::Remove { chosen: given, .. }] if *given == chosen),
        "{effects:?}"
    );
}

#[test]
fn a_removal_shows_what_came_of_each_row_and_holds_measuring_back() {
    let mut state = planning(plan(rows()));
    tell(&mut state, EngineMsg::Cached(Vec::new()));
    let measuring = state.engine().unwrap().measuring.unwrap();
    let sizes = rows().into_iter().map(|row| (row.mount.id.clone(), row.size.clone()));
    tell(&mut state, EngineMsg::Sizes(measuring, sizes.collect()));
    update(&mut state, Msg::Job(measuring, JobEvent::Ended(JobEnd::Cancelled)));
    keys(&mut state, "enter y");
    let Stage::Removing(job) = review(&state).stage else {
        panic!("{:?}", review(&state).stage)
    };
    assert_eq!(keys(&mut state, "space enter n R"), [], "the plan is being carried out");
    keys(&mut state, "1");
    assert_eq!(keys(&mut state, "r M P d"), [], "no helper beside a removal");
    let gone = Event::Volume(VolumeName::new("cache"), Outcome::Removed(Some(3 << 20)));
    let left = Event::Volume(VolumeName::new("empty"), Outcome::Refused("in use".to_owned()));
    let events = vec![gone, left];
    tell(
        &mut state,
        EngineMsg::Removed {
            job: JobId(99),
            events: events.clone(),
        },
    );
    assert_eq!(review(&state).done().removed, 0, "another run's");
    tell(&mut state, EngineMsg::Removed { job, events });
    keys(&mut state, "5");
    assert_eq!(state.screen, Screen::Plan);
    let done = review(&state).done();
    assert_eq!((done.removed, done.refused, done.freed), (1, 1, 3 << 20));
    assert_eq!(keys(&mut state, "x x"), [Effect::Cancel(job)]);
    update(
        &mut state,
        Msg::Job(job, JobEvent::Ended(JobEnd::Partial("one left".to_owned()))),
    );
    assert_eq!(review(&state).stage, Stage::Used);
    assert_eq!(keys(&mut state, "enter space"), [], "a plan is carried out once");
    let again = keys(&mut state, "R");
    assert!(
        matches!(&wanted(again.clone())[..], [EngineEffect::Plan { .. }]),
        "{again:?}"
    );
    answer(&mut state, plan(rows()));
    assert_eq!(review(&state).done().refused, 0, "a new plan begins anew");
}

#[test]
fn who_quits_during_a_removal_stops_it_first() {
    let mut state = planning(plan(rows()));
    keys(&mut state, "enter y");
    let Stage::Removing(job) = review(&state).stage else {
        panic!("{:?}", review(&state).stage)
    };
    assert_eq!(keys(&mut state, "q"), [Effect::Cancel(job)]);
    assert!(
        state
            .notice
            .as_ref()
            .is_some_and(|notice| notice.text.contains("quit again"))
    );
    assert_eq!(keys(&mut state, "ctrl-c"), [Effect::Quit]);
}

#[test]
fn a_change_behind_the_plan_is_told() {
    let mut state = planning(plan(rows()));
    let list = |rows: &[Row]| inventory(rows.iter().map(|row| (*row.mount).clone()).collect());
    let inventory = |state: &mut State, rows: &[Row]| {
        tell(state, EngineMsg::Inventory(Ok(list(rows))));
    };
    inventory(&mut state, &rows());
    assert!(!review(&state).outdated);
    inventory(&mut state, &rows()[1..]);
    assert!(review(&state).outdated);
    assert!(
        review(&state).has_chosen(),
        "each row is looked at again before it goes"
    );
}

#[test]
fn read_only_looks_and_changes_nothing() {
    let mut state = listing(vec![volume("cache")]);
    state.settings.read_only = true;
    assert_eq!(keys(&mut state, "d"), []);
    assert!(matches!(
        &wanted(keys(&mut state, "P"))[..],
        [EngineEffect::Plan { .. }]
    ));
    answer(&mut state, plan(rows()));
    assert_eq!(keys(&mut state, "space enter y"), [Effect::Copy("cache".to_owned())]);
    assert_eq!((state.dialog.is_none(), chosen(&state).len()), (true, 2));
    let offered: Vec<Action> = available::all(&state).iter().map(|row| row.action).collect();
    assert!(!offered.contains(&Action::PlanToggle) && !offered.contains(&Action::PlanRemove));
    assert!(
        !menu::palette(&state, "")
            .iter()
            .any(|row| row.action == Action::PlanRemove)
    );
}

#[test]
fn the_hint_is_copied_else_the_name() {
    let mut list = rows();
    list[1].hint = Some("volumes:\n  db:\n    external: true".to_owned());
    let mut state = planning(plan(list));
    assert_eq!(keys(&mut state, "y"), [Effect::Copy("cache".to_owned())]);
    let copied = "volumes:\n  db:\n    external: true".to_owned();
    assert_eq!(keys(&mut state, "j y"), [Effect::Copy(copied)]);
}

#[test]
fn a_thousand_rows_scroll_and_the_cursor_follows_its_row() {
    let many: Vec<Row> = (0..1000)
        .map(|n| row(&format!("v{n:04}"), Group::Ask, Some(n)))
        .collect();
    let mut state = planning(plan(many.clone()));
    keys(&mut state, "G");
    assert_eq!(review(&state).current().unwrap().mount.name, "v0999");
    let height = usize::from(layout::plan((80, 24)).rows.height);
    assert_eq!(review(&state).top() + height, review(&state).lines().len());
    keys(&mut state, "ctrl-u / v 0 9 9 9 enter");
    assert_eq!(review(&state).lines().len(), 2, "a header and one row");
    keys(&mut state, "esc");
    let here = review(&state).current().unwrap().mount.name.clone();
    assert_eq!(here, "v0999");
    keys(&mut state, "R");
    answer(&mut state, plan(many.into_iter().rev().collect()));
    assert_eq!(review(&state).current().unwrap().mount.name, here);
    keys(&mut state, "g");
    assert_eq!(review(&state).top(), 0);
}
