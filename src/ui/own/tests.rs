//! Frames of a change of owner: the field, the plan, the questions, what came of it.

use std::sync::Arc;

use super::super::tests::frame;
use crate::core::Effect;
use crate::core::effect::EngineEffect;
use crate::core::jobs::{JobEnd, JobEvent};
use crate::core::msg::{EngineMsg, Msg};
use crate::core::sample::{keys, listing, own_plan, tell, volume};
use crate::core::state::State;
use crate::core::update;
use crate::journal::JournalId;
use crate::ops::chown::{Block, Plan, Report};

fn planned(size: (u16, u16), alter: impl FnOnce(&mut Plan)) -> State {
    let mut state = listing(vec![volume("db")]);
    update(&mut state, Msg::Resize(size.0, size.1));
    keys(&mut state, "o 7 0 : 7 0 enter");
    let review = state.engine().unwrap().own.as_ref().unwrap();
    let (ask, request) = (review.ask(), review.request.clone());
    let mut plan = own_plan(request);
    alter(&mut plan);
    let result = Ok(Arc::new(plan));
    tell(&mut state, EngineMsg::OwnPlanned { ask, result });
    state
}

fn blocked(plan: &mut Plan) {
    plan.blocks = vec![
        Block::Running {
            container: "shop-db-1".to_owned(),
        },
        Block::OtherUser {
            container: "backup".to_owned(),
            uid: 34,
        },
        Block::LinkedOutside {
            files: 2,
            first: b"base/1\x1b[2J".to_vec(),
        },
    ];
}

#[test]
fn the_field_says_what_is_no_owner() {
    let mut state = listing(vec![volume("db")]);
    keys(&mut state, "o p o s t enter");
    insta::assert_snapshot!("owner_80x24", frame(&state));
}

#[test]
fn a_plan_at_the_design_size_and_on_a_wide_terminal() {
    insta::assert_snapshot!("own_80x24", frame(&planned((80, 24), |_| ())));
    insta::assert_snapshot!("own_120x40", frame(&planned((120, 40), blocked)));
    let refused = |plan: &mut Plan| plan.refused = Some("it is /etc of the engine's host".to_owned());
    let shown = frame(&planned((80, 24), refused));
    assert!(
        shown.contains("vole does not do this: it is /etc of the engine's host"),
        "{shown}"
    );
    assert!(!shown.contains("1 204"), "only the reason: {shown}");
    assert!(!shown.contains("enter change"), "{shown}");
}

#[test]
fn the_questions() {
    let running = |plan: &mut Plan| {
        plan.blocks = vec![Block::Running {
            container: "db-1".to_owned(),
        }]
    };
    let mut state = planned((80, 24), running);
    keys(&mut state, "enter");
    insta::assert_snapshot!("own_confirm_80x24", frame(&state));
    let mut state = planned((80, 24), blocked);
    keys(&mut state, "enter x enter");
    insta::assert_snapshot!("own_name_80x24", frame(&state));
}

#[test]
fn what_came_of_it_stands_where_it_was_planned() {
    let mut state = planned((80, 24), |_| ());
    let effects = keys(&mut state, "enter y");
    let [Effect::Engine(_, EngineEffect::Own { job, plan })] = &effects[..] else {
        panic!("{effects:?}")
    };
    let report = Report {
        changed: 1202,
        unsure: 0,
        unchanged: 4,
        skipped: 2,
        skips: plan.census.skips.clone(),
        journal: Some(JournalId::new("20260115-120000-ab12")),
        stopped: None,
    };
    let (job, result) = (*job, Ok(Arc::new(report)));
    tell(&mut state, EngineMsg::Owned { job, result });
    update(
        &mut state,
        Msg::Job(job, JobEvent::Ended(JobEnd::Partial(String::new()))),
    );
    insta::assert_snapshot!("owned_80x24", frame(&state));
}
