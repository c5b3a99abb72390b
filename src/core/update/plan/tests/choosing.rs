//! What is chosen of a plan, by which keys, and what of it a new plan keeps.

use super::*;
use crate::model::{Attachment, ContainerState, Orphan};

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
fn a_safe_row_that_was_let_go_is_not_chosen_again_by_a_filter_that_comes_and_goes() {
    let mut state = planning(plan(rows()));
    keys(&mut state, "space");
    assert_eq!(chosen(&state), ["empty"]);
    keys(&mut state, "a");
    answer(&mut state, plan(rows()[1..].to_vec()));
    keys(&mut state, "a");
    answer(&mut state, plan(rows()));
    assert_eq!(chosen(&state), ["empty"]);
    keys(&mut state, "g space");
    assert_eq!(chosen(&state), ["cache", "empty"], "but by hand");
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
fn a_name_typed_for_what_is_gone_meanwhile_takes_nothing_along() {
    let mut state = planning(plan(rows()));
    let review = super::review_mut(&mut state).unwrap();
    let gone = At::Volume(VolumeName::new("gone"));
    assert_eq!(review.take(&gone), Toggled::Nothing);
    let used = At::Volume(VolumeName::new("web"));
    assert_eq!(review.take(&used), Toggled::Nothing);
    assert_eq!(review.chosen().len(), 2);
}

/// The plan sees its volumes as they will be without the containers that go first.
#[test]
fn a_container_that_goes_first_does_not_make_the_plan_old() {
    let mut second = plan(vec![row("web", Group::Safe, Some(5))]);
    second.containers.push(stopped("old-db", &["web"]));
    second.containers[0].chosen = true;
    let mut state = planning(second);
    let mut held = volume("web");
    held.orphan = Orphan::No;
    held.attachments.push(Attachment {
        container: "old-db".to_owned(),
        container_id: "id-of-old-db".to_owned(),
        state: ContainerState::Exited,
        image: String::new(),
        destination: "/data".to_owned(),
        rw: true,
        propagation: String::new(),
        subpath: None,
        service: None,
        options: Vec::new(),
    });
    tell(&mut state, EngineMsg::Watch(WatchNews::Changed(Change::Other)));
    tell(&mut state, EngineMsg::Inventory(Ok(inventory(vec![held.clone()]))));
    assert!(!review(&state).outdated);
    held.attachments[0].container_id = "another".to_owned();
    tell(&mut state, EngineMsg::Watch(WatchNews::Changed(Change::Other)));
    tell(&mut state, EngineMsg::Inventory(Ok(inventory(vec![held]))));
    assert!(review(&state).outdated);
}
