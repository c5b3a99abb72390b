//! Frames of a restore: its check, its plan, its questions, what came of it.

use std::sync::Arc;

use super::super::tests::frame;
use crate::core::Effect;
use crate::core::effect::EngineEffect;
use crate::core::jobs::{JobEnd, JobEvent};
use crate::core::msg::{EngineMsg, Msg};
use crate::core::sample::{answer_files, archive, browsing, keys, listing, restore_plan, tell, volume};
use crate::core::state::State;
use crate::core::update;
use crate::engine::daemon::NewVolume;
use crate::ops::restore::{Plan, Progress, Report, Unclear};

/// A state whose plan of a restore of `db` is awaited, and the question.
fn asked(size: (u16, u16)) -> (State, u64, Plan) {
    let mut state = listing(vec![volume("db")]);
    update(&mut state, Msg::Resize(size.0, size.1));
    keys(&mut state, "6");
    tell(
        &mut state,
        EngineMsg::Archives(Ok((vec![archive("db", 3)], Vec::new()))),
    );
    let effects = keys(&mut state, "u");
    let Some(Effect::Engine(_, EngineEffect::RestorePlan { ask, request, .. })) = effects.last() else {
        panic!("{effects:?}")
    };
    let listed = state.engine().unwrap().mounts.inventory().unwrap().mounts.clone();
    let plan = restore_plan(request.as_ref().clone(), &listed);
    (state, *ask, plan)
}

fn planned(size: (u16, u16)) -> State {
    let (mut state, ask, plan) = asked(size);
    let result = Ok(Arc::new(plan));
    tell(&mut state, EngineMsg::RestorePlanned { ask, result });
    state
}

#[test]
fn the_check_the_plan_the_name_and_the_outcome() {
    let (mut state, ask, _) = asked((80, 24));
    let progress = Progress {
        phase: "checking",
        bytes: 4 << 20,
        total: Some(10 << 20),
        ..Progress::default()
    };
    tell(&mut state, EngineMsg::RestoreChecking { ask, progress });
    assert!(frame(&state).contains("the whole archive is checked first: 4 MiB of 10 MiB so far"));
    let mut state = planned((80, 24));
    insta::assert_snapshot!("restore_80x24", frame(&state));
    insta::assert_snapshot!("restore_120x40", frame(&planned((120, 40))));
    keys(&mut state, "n");
    insta::assert_snapshot!("restore_as_80x24", frame(&state));
    keys(&mut state, "esc enter");
    insta::assert_snapshot!("restore_name_80x24", frame(&state));
    let effects = keys(&mut state, "d b enter");
    let [Effect::Engine(_, EngineEffect::Restore { job, .. })] = effects[..] else {
        panic!("{effects:?}")
    };
    let report = Report {
        target: "db".to_owned(),
        entries: 1203,
        bytes: 10 << 20,
        digest: Some("fedcba9876543210".repeat(4)),
        warnings: vec!["dev/null: the kernel refused to make it: Operation not permitted".to_owned()],
        warned: 1,
        partial: 1,
    };
    let result = Ok(Arc::new(report));
    tell(&mut state, EngineMsg::Restored { job, result });
    update(
        &mut state,
        Msg::Job(job, JobEvent::Ended(JobEnd::Partial(String::new()))),
    );
    insta::assert_snapshot!("restored_80x24", frame(&state));
}

/// The plan of the restore of what is under the cursor of an archive's files.
fn part(name: &str, size: (u16, u16)) -> State {
    let mut state = browsing(name);
    update(&mut state, Msg::Resize(size.0, size.1));
    let effects = keys(&mut state, "enter");
    answer_files(&mut state, effects);
    let effects = keys(&mut state, "j u");
    let Some(Effect::Engine(_, EngineEffect::RestorePlan { ask, request, .. })) = effects.last() else {
        panic!("{effects:?}")
    };
    let listed = state.engine().unwrap().mounts.inventory().unwrap().mounts.clone();
    let plan = restore_plan(request.as_ref().clone(), &listed);
    let ask = *ask;
    let result = Ok(Arc::new(plan));
    tell(&mut state, EngineMsg::RestorePlanned { ask, result });
    state
}

#[test]
fn a_part_says_which_paths_go_where_and_what_gives_way() {
    let mut state = part("db", (80, 24));
    insta::assert_snapshot!("restore_part_80x24", frame(&state));
    keys(&mut state, "enter");
    insta::assert_snapshot!("restore_part_name_80x24", frame(&state));
    insta::assert_snapshot!("restore_part_new_80x24", frame(&part("gone", (80, 24))));
}

#[test]
fn the_files_of_an_archive_offer_to_restore_at_the_width_of_the_design() {
    let mut state = browsing("db");
    insta::assert_snapshot!("archive_files_80x24", frame(&state));
    state.settings.read_only = true;
    assert!(!frame(&state).contains("u restore"));
}

#[test]
fn an_archive_of_another_program_proposes_what_is_taken_away_or_asks() {
    let (mut state, ask, plan) = asked((80, 24));
    let foreign = Plan {
        origin: None,
        verdict: Some(crate::archive::Verdict::Foreign),
        strip: 1,
        prefix: Some("volume/".to_owned()),
        ..plan.clone()
    };
    tell(
        &mut state,
        EngineMsg::RestorePlanned {
            ask,
            result: Ok(Arc::new(foreign)),
        },
    );
    let drawn = frame(&state);
    assert!(
        drawn.contains("without volume/, which all of them begin with"),
        "{drawn}"
    );
    assert!(drawn.contains("nothing in it proves that it is whole"), "{drawn}");
    let (mut state, ask, plan) = asked((80, 24));
    let nameless = Plan {
        origin: None,
        into: crate::ops::restore::Into::New(NewVolume::default()),
        refused: Some("the archive does not say of which volume it is".to_owned()),
        ..plan
    };
    tell(
        &mut state,
        EngineMsg::RestorePlanned {
            ask,
            result: Ok(Arc::new(nameless)),
        },
    );
    let drawn = frame(&state);
    assert!(
        drawn.contains("restore an archive") && drawn.contains("nowhere yet: n names the volume"),
        "{drawn}"
    );
    let (mut state, ask, plan) = asked((80, 24));
    let unclear = Unclear {
        strip: 1,
        why: "all names begin with odd/".to_owned(),
        seen: vec!["odd/a".to_owned()],
    };
    let plan = Plan {
        origin: None,
        unclear: Some(unclear),
        ..plan
    };
    tell(
        &mut state,
        EngineMsg::RestorePlanned {
            ask,
            result: Ok(Arc::new(plan)),
        },
    );
    assert!(frame(&state).contains("s says how many components"));
    keys(&mut state, "enter");
    assert_eq!(state.dialog, None, "it cannot be done before that is said");
}
