//! Frames of a backup: its plan, what came of it.

use std::sync::Arc;

use time::Duration;

use super::super::tests::frame;
use crate::archive::{Archive, Status};
use crate::core::Effect;
use crate::core::effect::EngineEffect;
use crate::core::jobs::{JobEnd, JobEvent, Progress};
use crate::core::msg::{EngineMsg, Msg};
use crate::core::sample::{NOW, archive, backup_plan, keys, listing, tell, volume};
use crate::core::state::State;
use crate::core::update;

fn planned(size: (u16, u16)) -> State {
    let mut state = listing(vec![volume("db"), volume("odd\x1b[2J"), volume("web")]);
    update(&mut state, Msg::Resize(size.0, size.1));
    let effects = keys(&mut state, "space space space b");
    let Some(Effect::Engine(_, EngineEffect::BackupPlan { ask, request, .. })) = effects.last() else {
        panic!("{effects:?}")
    };
    let mut plan = backup_plan(request.as_ref().clone());
    plan.rows[1].size = None;
    plan.rows[1].free = Some(0);
    plan.rows[2].refused = Some("memory of a container that is gone".to_owned());
    let (ask, result) = (*ask, Ok(Arc::new(plan)));
    tell(&mut state, EngineMsg::BackupPlanned { ask, result });
    state
}

#[test]
fn the_plan_and_what_came_of_it() {
    let mut state = planned((80, 24));
    insta::assert_snapshot!("backup_80x24", frame(&state));
    insta::assert_snapshot!("backup_120x40", frame(&planned((120, 40))));
    let effects = keys(&mut state, "enter");
    let [Effect::Engine(_, EngineEffect::Backup { job, .. })] = effects[..] else {
        panic!("{effects:?}")
    };
    // How far it is stands beside the plan.
    let progress = Progress {
        phase: "copying".to_owned(),
        bytes: 1 << 30,
        bytes_total: Some(4 << 30),
        ..Progress::default()
    };
    for seconds in [0, 4] {
        let bytes = progress.bytes * seconds / 4;
        update(&mut state, Msg::Now(NOW + Duration::seconds(seconds.cast_signed())));
        let progress = Progress {
            bytes,
            ..progress.clone()
        };
        update(&mut state, Msg::Job(job, JobEvent::Progress(progress)));
    }
    insta::assert_snapshot!("backing_up_80x24", frame(&state));
    let partial = Archive {
        status: Status::Partial,
        warnings: vec!["log/app.log changed while it was read".to_owned()],
        warned: 1,
        ..archive("db", 0)
    };
    for (row, result) in [
        (0, Ok(Arc::new(partial))),
        (1, Err("no space left on device".to_owned())),
    ] {
        tell(&mut state, EngineMsg::BackedUp { job, row, result });
    }
    update(
        &mut state,
        Msg::Job(job, JobEvent::Ended(JobEnd::Partial(String::new()))),
    );
    insta::assert_snapshot!("backed_up_80x24", frame(&state));
}
