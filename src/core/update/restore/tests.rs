//! From an archive to its contents in a volume: what is asked, what is typed, what is told.

mod parts;

use super::*;
use crate::core::available::available;
use crate::core::jobs::JobEnd;
use crate::core::msg::{EngineMsg, Msg, Tone};
use crate::core::sample::{archive, keys, listing, restore_plan, tell, volume};
use crate::core::update;

/// The question that was asked last.
fn asked(effects: &[Effect]) -> (u64, Request) {
    let mut plans = effects.iter().filter_map(|effect| match effect {
        Effect::Engine(_, EngineEffect::RestorePlan { ask, request, .. }) => Some((*ask, Request::clone(request))),
        _ => None,
    });
    plans.next_back().unwrap()
}

fn answer(state: &mut State, effects: &[Effect]) -> Request {
    let (ask, request) = asked(effects);
    let listed = state.engine().unwrap().mounts.inventory().unwrap().mounts.clone();
    let result = Ok(Arc::new(restore_plan(request.clone(), &listed)));
    tell(state, EngineMsg::RestorePlanned { ask, result });
    request
}

/// A state with the plan of the restore of an archive of this volume.
fn planned(name: &str) -> State {
    let mut state = listing(vec![volume("db"), volume("web")]);
    keys(&mut state, "6");
    tell(
        &mut state,
        EngineMsg::Archives(Ok((vec![archive(name, 3)], Vec::new()))),
    );
    let effects = keys(&mut state, "u");
    answer(&mut state, &effects);
    state
}

fn begun(effects: &[Effect]) -> JobId {
    match effects.last() {
        Some(Effect::Engine(_, EngineEffect::Restore { job, .. })) => *job,
        other => panic!("{other:?}"),
    }
}

fn ended(state: &mut State, job: JobId, result: Result<Report, EngineError>) -> Notice {
    let result = result.map(Arc::new);
    tell(state, EngineMsg::Restored { job, result });
    let effects = update(state, Msg::Job(job, JobEvent::Ended(JobEnd::Done(String::new()))));
    assert!(matches!(
        effects.first(),
        Some(Effect::Engine(_, EngineEffect::Load(_)))
    ));
    state.notice.clone().unwrap()
}

#[test]
fn a_new_volume_is_made_at_once_and_one_that_is_there_asks_for_its_name() {
    let mut state = planned("gone");
    let job = begun(&keys(&mut state, "enter"));
    assert_eq!(state.jobs.get(job).unwrap().title, "restore gone");
    let mut state = planned("db");
    let request = &state.engine().unwrap().restore.as_ref().unwrap().request;
    assert!(request.overwrite, "it is there, so what is in it is meant");
    assert_eq!(keys(&mut state, "enter w e b enter"), []);
    assert!(matches!(state.dialog, Some(Dialog::Name { wrong: true, .. })));
    let job = begun(&keys(&mut state, "ctrl-u d b enter"));
    keys(&mut state, "1");
    for action in [Action::Chown, Action::Backup, Action::Measure, Action::Prune] {
        assert!(!available(action, &state), "{action:?} beside a restore");
    }
    let notice = ended(
        &mut state,
        job,
        Err(EngineError::Refused {
            reason: "no space left".to_owned(),
        }),
    );
    assert_eq!(notice.tone, Tone::Fault);
    assert!(notice.text.ends_with("the old contents stand"), "{notice:?}");
}

#[test]
fn another_name_is_typed_and_one_that_no_engine_takes_is_told() {
    let mut state = planned("db");
    assert_eq!(keys(&mut state, "n ctrl-u . . / x enter"), []);
    assert!(matches!(&state.dialog, Some(Dialog::Field(field)) if field.error.is_some()));
    let effects = keys(&mut state, "ctrl-u c o p y enter");
    let request = answer(&mut state, &effects);
    assert_eq!((request.target.as_deref(), request.overwrite), (Some("copy"), false));
    let effects = keys(&mut state, "n ctrl-u w e b enter");
    assert!(answer(&mut state, &effects).overwrite);
    let effects = keys(&mut state, "i");
    assert!(answer(&mut state, &effects).in_place);
    let effects = keys(&mut state, "n ctrl-u n e w enter");
    assert!(
        !answer(&mut state, &effects).in_place,
        "there is nothing to remove first"
    );
}

#[test]
fn a_file_from_anywhere_goes_where_it_says_or_is_told() {
    let mut state = listing(vec![volume("db")]);
    keys(&mut state, "6");
    tell(&mut state, EngineMsg::Archives(Ok((Vec::new(), Vec::new()))));
    assert_eq!(keys(&mut state, "o enter"), []);
    let effects = keys(&mut state, "/ x . t a r enter");
    let request = answer(&mut state, &effects);
    assert_eq!((request.archive, request.target), (Some("/x.tar".into()), None));
    assert_eq!(keys(&mut state, "s ctrl-u m a n y enter"), []);
    let effects = keys(&mut state, "ctrl-u 1 enter");
    assert_eq!(answer(&mut state, &effects).strip, Some(1));
}

#[test]
fn a_check_that_nobody_waits_for_is_dropped_and_its_answer_not_taken() {
    let mut state = listing(vec![volume("db")]);
    keys(&mut state, "6");
    tell(
        &mut state,
        EngineMsg::Archives(Ok((vec![archive("db", 3)], Vec::new()))),
    );
    let first = keys(&mut state, "u");
    let progress = Progress {
        bytes: 7,
        ..Progress::default()
    };
    let ask = asked(&first).0;
    assert!(
        !tell(&mut state, EngineMsg::RestoreChecking { ask, progress })
            .iter()
            .any(|_| true)
    );
    let effects = keys(&mut state, "x");
    assert!(matches!(
        effects.last(),
        Some(Effect::Engine(_, EngineEffect::DropRestore))
    ));
    assert_eq!(state.screen, Screen::Backups);
    answer(&mut state, &first);
    assert!(state.engine().unwrap().restore.is_none());
}

#[test]
fn what_could_not_be_made_is_a_warning() {
    let mut state = planned("gone");
    let job = begun(&keys(&mut state, "enter"));
    assert_eq!(keys(&mut state, "x"), [Effect::Cancel(job)]);
    let report = Report {
        target: "gone".to_owned(),
        entries: 2,
        warned: 1,
        ..Report::default()
    };
    let notice = ended(&mut state, job, Ok(report));
    assert_eq!(notice.tone, Tone::Warning);
    assert!(!available(Action::RestoreRun, &state), "it is used up");
}
