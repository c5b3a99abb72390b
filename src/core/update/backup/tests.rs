//! From the mark to the archive: what is planned, what runs beside it, what is told.

use super::*;
use crate::archive::{Archive, Status};
use crate::core::available::available;
use crate::core::jobs::JobEnd;
use crate::core::msg::{EngineMsg, Msg, Tone};
use crate::core::sample::{NOW, archive, backup_plan, keys, listing, tell, volume};
use crate::core::update;
use vole_agent::proto::archive::Compression;

/// The question that was asked last.
fn asked(effects: &[Effect]) -> (u64, Request) {
    let mut plans = effects.iter().filter_map(|effect| match effect {
        Effect::Engine(_, EngineEffect::BackupPlan { ask, request, .. }) => Some((*ask, Request::clone(request))),
        _ => None,
    });
    plans.next_back().unwrap()
}

fn answer(state: &mut State, effects: &[Effect]) {
    let (ask, request) = asked(effects);
    let result = Ok(Arc::new(backup_plan(request)));
    tell(state, EngineMsg::BackupPlanned { ask, result });
}

fn planned(names: &[&str], words: &str) -> State {
    let mut state = listing(names.iter().map(|name| volume(name)).collect());
    let effects = keys(&mut state, words);
    answer(&mut state, &effects);
    state
}

fn run(state: &mut State) -> JobId {
    match &keys(state, "enter")[..] {
        [Effect::Engine(_, EngineEffect::Backup { job, .. })] => *job,
        other => panic!("{other:?}"),
    }
}

fn outcome(state: &mut State, job: JobId, row: usize, result: Result<Archive, String>) {
    let result = result.map(Arc::new);
    tell(state, EngineMsg::BackedUp { job, row, result });
}

fn end(state: &mut State, job: JobId) -> Notice {
    update(state, Msg::Job(job, JobEvent::Ended(JobEnd::Done(String::new()))));
    state.notice.clone().unwrap()
}

#[test]
fn what_has_to_wait_for_a_copy_says_so() {
    let mut state = planned(&["a", "b"], "b");
    let job = run(&mut state);
    keys(&mut state, "esc");
    for key in ["b", "P", "d", "o"] {
        assert_eq!(keys(&mut state, key), [], "{key}");
        let notice = state.notice.clone().unwrap();
        assert_eq!(
            notice,
            Notice::warning("not now: back up a is running, and there is one change or copy at a time"),
            "{key}"
        );
        assert_eq!(state.screen, Screen::Mounts);
    }
    // Where nothing may be changed, that is no matter of time.
    state.settings.read_only = true;
    keys(&mut state, "j");
    keys(&mut state, "d");
    assert_eq!(state.notice, None);
    end(&mut state, job);
    assert!(!keys(&mut state, "b").is_empty());
}

#[test]
fn marked_mounts_are_one_job_and_the_rate_of_one_estimates_the_next() {
    let mut state = planned(&["a", "b", "c"], "space space b");
    assert_eq!(state.screen, Screen::Backup);
    let job = run(&mut state);
    assert_eq!(state.jobs.get(job).unwrap().title, "back up 2 mounts");
    assert!(state.engine().unwrap().copied.is_none());
    for (row, name) in ["a", "b"].into_iter().enumerate() {
        outcome(&mut state, job, row, Ok(archive(name, 0)));
    }
    update(&mut state, Msg::Now(NOW + time::Duration::seconds(2)));
    assert_eq!(end(&mut state, job).text, "back up 2 mounts: 2 archives, 6 MiB");
    assert_eq!(state.engine().unwrap().copied, Some(10 << 20), "20 MiB in two seconds");
    assert!(!available(Action::BackupRun, &state), "it is used up");
    assert!(matches!(&keys(&mut state, "y")[..], [Effect::Copy(path)] if path.ends_with("a-0.tar.zst")));
}

#[test]
fn what_was_left_out_is_never_called_done() {
    let mut state = planned(&["a", "b"], "space space b");
    let job = run(&mut state);
    outcome(&mut state, job, 0, Err("no space left on device".to_owned()));
    outcome(&mut state, job, 1, Ok(archive("b", 0)));
    let notice = end(&mut state, job);
    assert_eq!(notice.tone, Tone::Warning);
    assert!(notice.text.contains("1 not copied"), "{notice:?}");
    let mut state = planned(&["a"], "b");
    let job = run(&mut state);
    let partial = Archive {
        status: Status::Partial,
        ..archive("a", 0)
    };
    outcome(&mut state, job, 0, Ok(partial));
    assert_eq!(end(&mut state, job).tone, Tone::Warning);
    let mut state = planned(&["a"], "b");
    let job = run(&mut state);
    outcome(&mut state, job, 0, Err("it is gone".to_owned()));
    let notice = end(&mut state, job);
    assert_eq!((notice.tone, notice.text.ends_with("it is gone")), (Tone::Fault, true));
}

#[test]
fn compression_is_planned_anew_and_an_old_answer_is_not_taken() {
    let mut state = listing(vec![volume("a")]);
    let first = keys(&mut state, "b");
    answer(&mut state, &first);
    let again = keys(&mut state, "c");
    assert_eq!(asked(&again).1.compression, Compression::Gzip);
    answer(&mut state, &first);
    assert!(!available(Action::BackupRun, &state), "that is the plan of before");
    answer(&mut state, &again);
    assert!(available(Action::BackupRun, &state));
}

#[test]
fn nothing_is_changed_while_it_is_copied_and_quitting_stops_the_copy_first() {
    let mut state = planned(&["a"], "b");
    let job = run(&mut state);
    keys(&mut state, "1");
    for action in [Action::Prune, Action::Remove, Action::Chown, Action::Backup] {
        assert!(!available(action, &state), "{action:?}");
    }
    assert!(available(Action::OpenFiles, &state) && available(Action::DoctorMount, &state));
    assert_eq!(keys(&mut state, "q"), [Effect::Cancel(job)]);
    assert_eq!(keys(&mut state, "q"), [Effect::Quit]);
}

#[test]
fn read_only_copies_all_the_same_and_leaving_drops_a_plan_that_is_awaited() {
    let mut state = listing(vec![volume("a")]);
    state.settings.read_only = true;
    let effects = keys(&mut state, "b esc");
    assert!(matches!(
        effects.last(),
        Some(Effect::Engine(_, EngineEffect::DropBackup))
    ));
    assert_eq!(state.screen, Screen::Mounts);
    let effects = keys(&mut state, "b");
    answer(&mut state, &effects);
    run(&mut state);
}
