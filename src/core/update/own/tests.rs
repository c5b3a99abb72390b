use super::*;
use crate::core::available::available;
use crate::core::files;
use crate::core::jobs::JobEnd;
use crate::core::msg::{EngineMsg, Msg, Tone};
use crate::core::sample::{answer_files, keys, listing, own_plan, tell, volume};
use crate::core::update;
use crate::journal::JournalId;
use crate::ops::chown::Block;

fn wanted(effects: Vec<Effect>) -> Vec<EngineEffect> {
    let of = |effect| match effect {
        Effect::Engine(_, effect) => Some(effect),
        _ => None,
    };
    effects.into_iter().filter_map(of).collect()
}

/// The plan of `chown 70:70` on the one volume, answered by this change of it.
fn planned_with(alter: impl FnOnce(&mut Plan)) -> State {
    let mut state = listing(vec![volume("db")]);
    keys(&mut state, "o 7 0 : 7 0 enter");
    let review = state.engine().unwrap().own.as_ref().unwrap();
    let (ask, request) = (review.ask(), review.request.clone());
    let mut plan = own_plan(request);
    alter(&mut plan);
    let result = Ok(Arc::new(plan));
    tell(&mut state, EngineMsg::OwnPlanned { ask, result });
    state
}

#[test]
fn an_owner_is_typed_counted_confirmed_and_changed_with_its_undo_named() {
    let mut state = listing(vec![volume("db")]);
    assert_eq!(keys(&mut state, "o x enter"), []);
    let Some(Dialog::Owner(form)) = &state.dialog else {
        panic!("{:?}", state.dialog)
    };
    assert!(form.error.as_deref().unwrap().contains("no number"), "{form:?}");
    let effects = wanted(keys(&mut state, "ctrl-u : 7 0 enter"));
    let [EngineEffect::OwnPlan { request, .. }] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!((request.change.uid, request.change.gid), (None, Some(70)));
    assert!(request.change.recursive);

    let mut state = planned_with(|_| ());
    assert_eq!(keys(&mut state, "enter n"), [], "no changes nothing");
    let effects = wanted(keys(&mut state, "enter y"));
    let [EngineEffect::Own { job, .. }] = effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(keys(&mut state, "enter"), [], "once");
    assert!(!available(Action::OwnEdit, &state), "nothing else begins beside it");
    let report = Report {
        changed: 1204,
        journal: Some(JournalId::new("j")),
        ..Report::default()
    };
    let result = Ok(Arc::new(report));
    tell(&mut state, EngineMsg::Owned { job, result });
    update(&mut state, Msg::Job(job, JobEvent::Ended(JobEnd::Done(String::new()))));
    let notice = state.notice.clone().unwrap();
    assert_eq!(notice.tone, Tone::Good);
    assert!(notice.text.ends_with("1 204 changed; z takes it back"), "{notice:?}");
    assert_eq!(keys(&mut state, "enter"), [], "a plan is used once");
    assert!(matches!(
        wanted(keys(&mut state, "R"))[..],
        [EngineEffect::OwnPlan { .. }]
    ));
}

#[test]
fn back_from_the_plan_the_files_go_on_asking_for_what_they_show() {
    let mut state = listing(vec![volume("db")]);
    update(&mut state, Msg::Resize(120, 40));
    let effects = keys(&mut state, "enter");
    answer_files(&mut state, effects);
    keys(&mut state, "o 7 0 enter");
    assert_eq!(state.screen, Screen::Own);
    keys(&mut state, "esc");
    assert_eq!(state.screen, Screen::Files);
    let read = |effect: &EngineEffect| matches!(effect, EngineEffect::Files(files::Effect::Read { .. }));
    let effects = wanted(keys(&mut state, "j"));
    assert!(effects.iter().any(read), "the preview of the file is read: {effects:?}");
}

#[test]
fn what_is_refused_or_changes_nothing_cannot_be_carried_out() {
    let refused = planned_with(|plan| plan.refused = Some("it is /etc".to_owned()));
    let nothing = planned_with(|plan| plan.census.change = 0);
    for mut state in [refused, nothing] {
        assert!(!available(Action::OwnRun, &state));
        assert_eq!(
            keys(&mut state, "enter y"),
            [Effect::Copy("vole chown db 70:70".to_owned())]
        );
        assert_eq!(state.engine().unwrap().own.as_ref().unwrap().stage, Stage::Ready);
    }
}

#[test]
fn where_another_user_would_lose_access_the_name_must_be_typed() {
    let block = Block::OtherUser {
        container: "web".to_owned(),
        uid: 33,
    };
    let mut state = planned_with(|plan| plan.blocks = vec![block]);
    assert_eq!(keys(&mut state, "enter y enter"), []);
    assert!(matches!(state.dialog, Some(Dialog::Name { wrong: true, .. })));
    assert_eq!(wanted(keys(&mut state, "ctrl-u d b enter")).len(), 1);
    assert_eq!(state.dialog, None);
    let block = Block::Running {
        container: "web".to_owned(),
    };
    let mut state = planned_with(|plan| plan.blocks = vec![block]);
    assert_eq!(wanted(keys(&mut state, "enter y")).len(), 1, "yes is enough");
}

#[test]
fn a_change_that_stopped_or_left_something_alone_is_told_so() {
    let tone = |report: Report| {
        let notice = notice("chown 70:70 of db", &Ok(Arc::new(report)), "z");
        (notice.tone, notice.text)
    };
    let changed = Report {
        changed: 3,
        journal: Some(JournalId::new("j")),
        ..Report::default()
    };
    assert_eq!(tone(changed.clone()).0, Tone::Good);
    let skipped = Report {
        skipped: 1,
        ..changed.clone()
    };
    assert_eq!(tone(skipped).0, Tone::Warning);
    let stopped = Report {
        stopped: Some("the helper is gone".to_owned()),
        ..changed
    };
    let (tone_of, words) = tone(stopped);
    assert_eq!(tone_of, Tone::Warning);
    assert!(words.contains("z takes it back: the helper is gone"), "{words}");
    assert_eq!(notice("x", &Err(EngineError::ReadOnly), "z").tone, Tone::Fault);
}

#[test]
fn who_quits_while_owners_change_sees_it_stop_first() {
    let mut state = planned_with(|_| ());
    let effects = wanted(keys(&mut state, "enter y"));
    let [EngineEffect::Own { job, .. }] = effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(keys(&mut state, "q"), [Effect::Cancel(job)]);
    assert_eq!(keys(&mut state, "q"), [Effect::Quit]);
}

/// A late answer of a count that was let go must not become the plan of another change.
#[test]
fn an_earlier_plan_is_not_taken_for_this_one() {
    let mut state = listing(vec![volume("db")]);
    keys(&mut state, "o 1 enter");
    let earlier = state.engine().unwrap().own.as_ref().unwrap();
    let (ask, plan) = (earlier.ask(), own_plan(earlier.request.clone()));
    keys(&mut state, "esc o 7 0 enter");
    let result = Ok(Arc::new(plan));
    tell(&mut state, EngineMsg::OwnPlanned { ask, result });
    let review = state.engine().unwrap().own.as_ref().unwrap();
    assert!(matches!(review.stage, Stage::Counting(_)));
    assert!(review.plan().is_none());
}
