//! Frames of the undo screen: journals, none, unreadable, and what came of one.

use std::sync::Arc;

use super::super::tests::frame;
use crate::core::Effect;
use crate::core::effect::EngineEffect;
use crate::core::jobs::{JobEnd, JobEvent};
use crate::core::msg::{EngineMsg, Msg};
use crate::core::sample::{journal, keys, listing, tell, volume};
use crate::core::state::State;
use crate::core::update;
use crate::journal::{Listed, Stage};
use crate::ops::chown::UndoReport;
use vole_agent::proto::own::{Skipped, Why};

fn listed(size: (u16, u16)) -> State {
    let mut state = listing(vec![volume("db")]);
    update(&mut state, Msg::Resize(size.0, size.1));
    keys(&mut state, "z");
    let damaged = Listed {
        damage: Some("its end is torn".to_owned()),
        words: "chown 33 of odd\x1b[2J".to_owned(),
        ..journal("20260115-085500-0c1d", Stage::Interrupted)
    };
    let rows = vec![
        journal("20260115-090000-9f3a", Stage::Done),
        damaged,
        journal("20260114-101112-77aa", Stage::Undone),
    ];
    let warnings = vec!["x.journal is left out: it is no journal".to_owned()];
    tell(&mut state, EngineMsg::Journals(Ok((rows, warnings))));
    state
}

#[test]
fn journals_at_the_design_size_and_what_came_of_an_undo() {
    let mut state = listed((80, 24));
    insta::assert_snapshot!("undo_80x24", frame(&state));
    insta::assert_snapshot!("undo_120x40", frame(&listed((120, 40))));
    let effects = keys(&mut state, "enter y");
    let [Effect::Engine(_, EngineEffect::Undo { job, id })] = &effects[..] else {
        panic!("{effects:?}")
    };
    let report = UndoReport {
        restored: 1203,
        already: 0,
        skips: vec![Skipped {
            path: b"base/1".to_vec(),
            why: Why::Changed,
        }],
        skipped: 1,
        stopped: None,
    };
    let (job, id, result) = (*job, id.clone(), Ok(Arc::new(report)));
    tell(&mut state, EngineMsg::Undone { job, id, result });
    update(
        &mut state,
        Msg::Job(job, JobEvent::Ended(JobEnd::Partial(String::new()))),
    );
    insta::assert_snapshot!("undone_80x24", frame(&state));
}

#[test]
fn none_and_unreadable_are_different_things() {
    let mut state = listing(vec![volume("db")]);
    keys(&mut state, "z");
    assert!(frame(&state).contains("listing the journals"));
    tell(&mut state, EngineMsg::Journals(Ok((Vec::new(), Vec::new()))));
    assert!(frame(&state).contains("nothing to take back"));
    tell(&mut state, EngineMsg::Journals(Err("permission denied".to_owned())));
    assert!(frame(&state).contains("the journals cannot be listed: permission denied. R tries again."));
}
