//! What keys do on the disk screen. Knows no engine.

use std::sync::Arc;

use super::super::action::Action;
use super::super::disk::{self, Answer};
use super::super::effect::{Effect, EngineEffect};
use super::super::layout;
use super::super::plan::Review;
use super::super::state::State;
use super::{dialogs, with_current};

/// The screen is opened: what was never asked is asked.
pub(super) fn open(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    let asked = state
        .engine()
        .is_some_and(|engine| matches!(engine.disk.systems, Answer::Is(Ok(_))));
    if !asked {
        ask(state, effects);
    }
    true
}

/// Asks for the file systems. On another host that takes a helper, which may not run beside a removal.
pub(super) fn ask(state: &mut State, effects: &mut Vec<Effect>) {
    with_current(state, |id, engine| {
        let held = engine.plan.as_ref().is_some_and(Review::is_busy) || engine.disk.systems == Answer::Waiting;
        if let Some(inventory) = engine.mounts.inventory().filter(|_| !held) {
            let wanted = EngineEffect::FileSystems(Arc::clone(inventory));
            effects.push(Effect::Engine(id.clone(), wanted));
            engine.disk.systems = Answer::Waiting;
        }
    });
}

/// Does an action of the screen. Returns whether something on screen may look different.
pub(super) fn act(state: &mut State, action: Action, effects: &mut Vec<Effect>) -> bool {
    if action == Action::DiskAsk {
        return with_current(state, |id, engine| {
            engine.disk.others = Answer::Waiting;
            effects.push(Effect::Engine(id.clone(), EngineEffect::NotVolumes));
            true
        });
    }
    let (area, now) = (layout::details_screen(state.size), state.now);
    let rules = Arc::clone(&state.settings.rules);
    with_current(state, |_, engine| {
        let last = disk::lines(engine, &rules, now, area.width).len();
        let last = last.saturating_sub(usize::from(area.height));
        let half = usize::from(area.height / 2).max(1);
        let top = engine.disk.top.min(last);
        engine.disk.top = dialogs::moved(action, top, last + 1, half);
        engine.disk.top != top
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::jobs::{JobEnd, JobEvent};
    use crate::core::msg::{EngineMsg, Msg};
    use crate::core::sample::{NOW, keys, listing, measured, news, plan, row, tell, volume};
    use crate::core::state::Screen;
    use crate::core::update;
    use crate::model::{MountId, Size};
    use crate::ops::df::{FileSystems, NotVolumes};
    use crate::ops::prune::Group;

    fn wanted(effects: &[Effect]) -> Vec<&EngineEffect> {
        let mut wanted = Vec::new();
        for effect in effects {
            if let Effect::Engine(_, effect) = effect {
                wanted.push(effect);
            }
        }
        wanted
    }

    #[test]
    fn file_systems_are_asked_when_the_screen_is_opened_and_the_rest_only_by_its_key() {
        let mut state = listing(vec![volume("a")]);
        let effects = keys(&mut state, "4");
        assert!(matches!(wanted(&effects)[..], [EngineEffect::FileSystems(_)]));
        assert_eq!(state.screen, Screen::Disk);
        tell(&mut state, EngineMsg::FileSystems(Ok(Arc::new(FileSystems::default()))));
        assert_eq!(keys(&mut state, "1 4"), [], "what is known is not asked again");
        let effects = keys(&mut state, "r r");
        assert!(
            matches!(wanted(&effects)[..], [EngineEffect::NotVolumes]),
            "once at a time"
        );
        tell(&mut state, EngineMsg::NotVolumes(Ok(Arc::new(NotVolumes::default()))));
        let effects = keys(&mut state, "R");
        assert!(matches!(
            wanted(&effects)[..],
            [EngineEffect::FileSystems(_), EngineEffect::Load(_)]
        ));
    }

    #[test]
    fn no_helper_is_started_beside_a_removal() {
        let mut state = crate::core::sample::planning(plan(vec![row("a", Group::Safe, Some(1))]));
        keys(&mut state, "enter y");
        assert_eq!(keys(&mut state, "4"), []);
        assert_eq!(state.screen, Screen::Disk);
    }

    /// Its helper mounts volumes.
    #[test]
    fn a_gathering_waits_for_the_file_systems() {
        let mut state = listing(vec![volume("a")]);
        keys(&mut state, "4");
        assert_eq!(keys(&mut state, "1 P"), []);
        let effects = tell(&mut state, EngineMsg::FileSystems(Ok(Arc::new(FileSystems::default()))));
        assert!(matches!(wanted(&effects)[..], [EngineEffect::Plan { .. }]));
    }

    #[test]
    fn growth_is_told_between_two_measurements_that_can_be_compared() {
        let mut state = listing(vec![volume("a"), volume("b")]);
        let earlier = |bytes| crate::model::size::Measured {
            at: NOW - time::Duration::hours(5),
            ..measured(bytes)
        };
        let (a, b) = (MountId::new("volume:a"), MountId::new("volume:b"));
        let mut short = earlier(9);
        short.totals.errors = 1;
        tell(
            &mut state,
            EngineMsg::Cached(vec![(a.clone(), earlier(100)), (b.clone(), short)]),
        );
        let job = state.engine().unwrap().measuring.unwrap();
        let so_far = crate::model::size::Totals::default();
        let running = (a.clone(), Size::Measuring { so_far, before: None });
        tell(&mut state, EngineMsg::Sizes(job, vec![running]));
        tell(&mut state, EngineMsg::Sizes(job, vec![news("a", 70), news("b", 70)]));
        update(&mut state, Msg::Job(job, JobEvent::Ended(JobEnd::Done(String::new()))));
        let table = &state.engine().unwrap().mounts;
        let grown = table.grown(&a).unwrap();
        assert_eq!((grown.bytes, grown.since), (-30, NOW - time::Duration::hours(5)));
        assert_eq!(table.grown(&b), None, "the earlier one was a lower bound");
    }
}
