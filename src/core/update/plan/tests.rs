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
fn safe_rows_are_chosen_at_first_and_each_can_be_left() {
    let mut state = planning(plan(rows()));
    assert_eq!(chosen(&state), ["cache", "empty"]);
    assert_eq!(review(&state).sum(), (3 << 20, 0));
    keys(&mut state, "space");
    assert_eq!(chosen(&state), ["empty"]);
    assert_eq!(
        review(&state).current().unwrap().mount.name,
        "empty",
        "the cursor moves on"
    );
    keys(&mut state, "k space");
    assert_eq!(chosen(&state), ["cache", "empty"]);
}

#[test]
fn a_row_that_is_not_safe_goes_only_by_its_exact_name() {
    let mut state = planning(plan(rows()));
    keys(&mut state, "j j space");
    assert!(matches!(&state.dialog, Some(Dialog::Type { wanted, .. }) if wanted.name == "maybe"));
    keys(&mut state, "m a y enter");
    assert!(
        matches!(&state.dialog, Some(Dialog::Type { wrong: true, .. })),
        "the field stays"
    );
    keys(&mut state, "b e");
    assert!(matches!(&state.dialog, Some(Dialog::Type { wrong: false, .. })));
    keys(&mut state, "enter");
    assert_eq!(state.dialog, None);
    assert_eq!(chosen(&state), ["cache", "empty", "maybe"]);
    assert_eq!(review(&state).sum(), (3 << 20, 1));
    keys(&mut state, "k space");
    assert_eq!(chosen(&state), ["cache", "empty"], "it is let go unasked");
    keys(&mut state, "k space esc");
    assert_eq!((state.dialog.is_none(), chosen(&state).len()), (true, 2));
}

#[test]
fn a_generated_name_is_typed_by_its_first_twelve_digits() {
    let mut anonymous = row(&"0123456789abcdef".repeat(4), Group::Ask, Some(1));
    let mut mount = volume(&"0123456789abcdef".repeat(4));
    mount.kind = MountKind::Anonymous;
    anonymous.mount = Arc::new(mount);
    let mut state = planning(plan(vec![anonymous]));
    keys(&mut state, "space");
    type_name(&mut state, "0123456789ab");
    keys(&mut state, "enter");
    assert_eq!(chosen(&state).len(), 1);
}

#[test]
fn used_volumes_are_one_line_and_are_never_chosen() {
    let mut state = planning(plan(rows()));
    keys(&mut state, "G");
    assert!(matches!(review(&state).lines().last(), Some(Line::Fold(sum)) if sum.rows == 1));
    assert_eq!(keys(&mut state, "space"), []);
    keys(&mut state, "u j space");
    assert_eq!(review(&state).current().unwrap().mount.name, "web");
    assert!(state.notice.as_ref().unwrap().text.contains("web uses it"));
    assert_eq!(state.dialog, None);
    keys(&mut state, "u");
    assert_eq!(
        review(&state).current(),
        None,
        "the cursor stands on the line that they are folded into"
    );
    assert_eq!(chosen(&state), ["cache", "empty"]);
}

#[test]
fn filters_plan_again_and_what_was_chosen_stays_so() {
    let mut list = rows();
    list[0].mount = Arc::new(crate::model::Mount {
        project: Some("shop".to_owned()),
        ..volume("cache")
    });
    let mut state = planning(plan(list.clone()));
    keys(&mut state, "j j space m a y b e enter k k space");
    assert_eq!(
        chosen(&state),
        ["cache", "maybe"],
        "a safe one let go, another taken by its name"
    );
    let scope = |effects: Vec<Effect>| match &wanted(effects)[..] {
        [
            EngineEffect::Plan {
                scope: Scope::Orphans(filter),
                ..
            },
        ] => filter.clone(),
        other => panic!("{other:?}"),
    };
    keys(&mut state, "g");
    let filter = scope(keys(&mut state, "p"));
    assert_eq!(filter.project.as_deref(), Some("shop"));
    list.push(row("new", Group::Safe, Some(1)));
    list[2].reason = "another reason".to_owned();
    answer(&mut state, plan(list.clone()));
    assert_eq!(
        chosen(&state),
        ["cache", "new"],
        "its name was typed for another reason"
    );
    assert_eq!(scope(keys(&mut state, "p")).project, None);
    answer(&mut state, plan(list.clone()));
    let mut days = Vec::new();
    for _ in 0..5 {
        days.push(scope(keys(&mut state, "a")).older_than.map(Duration::whole_days));
        answer(&mut state, plan(list.clone()));
    }
    assert_eq!(days, [Some(7), Some(30), Some(90), Some(365), None]);
    assert!(scope(keys(&mut state, "n")).named);
}

#[test]
fn a_stopped_container_goes_by_its_name_and_frees_rows_that_are_chosen_one_by_one() {
    let mut first = plan(rows());
    first.containers.push(stopped("old-db", &["web"]));
    let mut state = planning(first);
    assert_eq!(
        review(&state).lines()[0],
        Line::Title(
            Section::Stopped,
            crate::core::plan::Sum {
                rows: 1,
                ..Default::default()
            }
        )
    );
    keys(&mut state, "g space");
    type_name(&mut state, "old-db");
    let asked = wanted(keys(&mut state, "enter"));
    let names = ["cache", "empty", "maybe", "pgdata", "web"];
    let scope = Scope::Named {
        volumes: names.map(VolumeName::new).to_vec(),
        containers: vec!["id-of-old-db".to_owned()],
    };
    let expected = EngineEffect::Plan {
        ask: 2,
        scope: scope.clone(),
        at: NOW,
    };
    assert_eq!(asked, [expected]);
    let mut second = plan(rows());
    second.scope = scope;
    second.containers.push(stopped("old-db", &["web"]));
    second.containers[0].chosen = true;
    second.rows[4] = row("web", Group::Safe, Some(5));
    answer(&mut state, second);
    assert_eq!(
        chosen(&state),
        ["cache", "empty"],
        "what it frees is not taken along unasked"
    );
    assert!(review(&state).has_chosen());
    let asked = wanted(keys(&mut state, "g space"));
    assert!(
        matches!(&asked[..], [EngineEffect::Plan { scope: Scope::Named { containers, .. }, .. }] if containers.is_empty()),
        "{asked:?}"
    );
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

#[test]
fn a_name_typed_for_what_is_gone_meanwhile_takes_nothing_along() {
    let mut state = planning(plan(rows()));
    let review = super::review_mut(&mut state).unwrap();
    let gone = At::Volume(VolumeName::new("gone"));
    assert_eq!(review.take(&gone), Toggled::Nothing);
    let used = At::Volume(VolumeName::new("web"));
    assert_eq!(review.take(&used), Toggled::Nothing);
    assert_eq!(review.chosen().len(), 2);
}
