use super::*;
use crate::core::available::available;
use crate::core::jobs::JobEnd;
use crate::core::msg::{EngineMsg, Msg, Tone};
use crate::core::sample::{journal, keys, listing, tell, volume};
use crate::core::update;
use crate::journal::Stage;

fn listed() -> State {
    let mut state = listing(vec![volume("db")]);
    let effects = keys(&mut state, "z");
    assert!(matches!(&effects[..], [Effect::Engine(_, EngineEffect::Journals)]));
    let rows = vec![journal("20260115-2", Stage::Undone), journal("20260115-1", Stage::Done)];
    tell(&mut state, EngineMsg::Journals(Ok((rows, Vec::new()))));
    state
}

#[test]
fn a_change_is_taken_back_after_a_question_and_what_was_left_alone_is_told() {
    let mut state = listed();
    assert!(!available(Action::UndoRun, &state), "that one is taken back already");
    assert_eq!(keys(&mut state, "j enter n"), []);
    let effects = keys(&mut state, "enter y");
    let [Effect::Engine(_, EngineEffect::Undo { job, id })] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(id.as_str(), "20260115-1");
    assert_eq!(
        keys(&mut state, "enter y"),
        [Effect::Copy("vole undo 20260115-1".to_owned())]
    );
    let report = UndoReport {
        restored: 1200,
        skipped: 4,
        ..UndoReport::default()
    };
    let (job, id) = (*job, id.clone());
    let result = Ok(Arc::new(report));
    tell(&mut state, EngineMsg::Undone { job, id, result });
    let effects = update(
        &mut state,
        Msg::Job(job, JobEvent::Ended(JobEnd::Partial(String::new()))),
    );
    assert!(matches!(&effects[..], [Effect::Engine(_, EngineEffect::Journals)]));
    let notice = state.notice.clone().unwrap();
    assert_eq!(notice.tone, Tone::Warning);
    assert!(notice.text.starts_with("1 200 put back, 4 left alone"), "{notice:?}");
    assert!(state.engine().unwrap().undo.running.is_none());
}

#[test]
fn read_only_takes_nothing_back_but_lists() {
    let mut state = listed();
    state.settings.read_only = true;
    keys(&mut state, "j enter");
    assert_eq!(state.dialog, None);
    assert!(available(Action::Copy, &state));
}

#[test]
fn the_cursor_stays_with_its_journal_when_a_newer_one_comes() {
    let mut state = listed();
    keys(&mut state, "j");
    let rows = ["3", "2", "1"].map(|id| journal(&format!("20260115-{id}"), Stage::Done));
    tell(&mut state, EngineMsg::Journals(Ok((rows.to_vec(), Vec::new()))));
    let current = state.engine().unwrap().undo.current().unwrap();
    assert_eq!(current.id.as_str(), "20260115-1");
}
