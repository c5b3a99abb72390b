//! What keys and reports do to the plan of a removal. Knows no engine and no other screen.

use std::sync::Arc;

use crossterm::event::KeyCode;
use time::Duration;

use super::super::action::Action;
use super::super::disk::Answer;
use super::super::effect::{Effect, EngineEffect};
use super::super::figures;
use super::super::input::{Input, Typed};
use super::super::key::Key;
use super::super::layout;
use super::super::mounts::Mounts;
use super::super::msg::Notice;
use super::super::plan::{self, Review, Stage, Toggled};
use super::super::state::{Dialog, Screen, State};
use super::{arrange, engine, screens};
use crate::engine::EngineError;
use crate::model::{EngineId, Size, VolumeName};
use crate::ops::prune::{Filter, Outcome, Plan, Scope, Step};

/// The ages that the filter goes through, in days.
const AGES: [i64; 4] = [7, 30, 90, 365];

/// Plans over everything that may be left over.
pub(super) fn over_orphans(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    open(state, Scope::Orphans(Filter::default()), effects)
}

/// Plans over the marked volumes, or else the one under the cursor.
pub(super) fn over_chosen(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    let chosen = state.engine().map(|engine| engine.mounts.chosen_volumes());
    let Some((volumes, others)) = chosen else { return false };
    let containers = Vec::new();
    let opened = open(state, Scope::Named { volumes, containers }, effects);
    if others > 0 {
        let marked = figures::counted(others as u64, "marked mount");
        let words = format!("{marked} left out: only volumes can be removed");
        state.notice = Some(Notice::warning(words));
    }
    opened
}

fn open(state: &mut State, scope: Scope, effects: &mut Vec<Effect>) -> bool {
    let Some(id) = state.current.clone() else { return false };
    let Some(engine) = state.engines.get_mut(&id) else {
        return false;
    };
    engine.plans += 1;
    engine.plan = Some(Review::new(scope, engine.plans));
    screens::show(state, Screen::Plan, effects);
    gather(state, &id, effects);
    true
}

fn again(state: &mut State, scope: Scope, eager: bool, effects: &mut Vec<Effect>) -> bool {
    let Some(id) = state.current.clone() else { return false };
    let Some(engine) = state.engines.get_mut(&id) else {
        return false;
    };
    let Some(review) = &mut engine.plan else { return false };
    engine.plans += 1;
    review.again(scope, engine.plans, eager);
    gather(state, &id, effects);
    true
}

/// Begins the gathering that waits, once nothing runs whose helpers make volumes count as used.
pub(super) fn gather(state: &mut State, id: &EngineId, effects: &mut Vec<Effect>) {
    let Some(engine) = state.engines.get_mut(id) else {
        return;
    };
    if engine.plan.as_ref().is_none_or(|review| review.stage != Stage::Waiting) {
        return;
    }
    if let Some(job) = engine.measuring {
        super::dialogs::cancel(state, job, effects);
        return;
    }
    if engine.disk.systems == Answer::Waiting {
        return;
    }
    // A change, an undo, a backup or a restore goes to its end; a diagnosis can be had again.
    let writes = engine.own.as_ref().is_some_and(|own| own.job().is_some()) || engine.undo.running.is_some();
    let restores = engine.restore.as_ref().is_some_and(|restore| restore.job().is_some());
    if writes || restores || engine.backup.as_ref().is_some_and(|backup| backup.job().is_some()) {
        return;
    }
    if let Some(job) = engine.doctor.as_ref().and_then(|doctor| doctor.job()) {
        super::dialogs::cancel(state, job, effects);
        return;
    }
    let Some(review) = &mut engine.plan else { return };
    let ask = review.ask();
    review.gathering(ask, Step::Listing);
    let (scope, at) = (review.scope.clone(), state.now);
    effects.push(Effect::Engine(id.clone(), EngineEffect::Plan { ask, scope, at }));
}

/// Takes a plan that was made. Returns whether something on screen may look different.
pub(super) fn planned(
    state: &mut State,
    id: &EngineId,
    ask: u64,
    result: Result<Arc<Plan>, EngineError>,
    effects: &mut Vec<Effect>,
) -> bool {
    let Some(engine) = state.engines.get_mut(id) else {
        return false;
    };
    let plan = result.as_ref().ok().cloned();
    let taken = engine.plan.as_mut().is_some_and(|review| review.planned(ask, result));
    if taken {
        // What was looked into is as good as measured.
        let rows = plan.iter().flat_map(|plan| &plan.rows);
        let measured = rows.filter(|row| matches!(row.size, Size::Measured(_)));
        let sizes = measured.map(|row| (row.mount.id.clone(), row.size.clone()));
        engine.mounts.set_sizes(sizes.collect(), state.now);
        engine::measure_news(state, id, effects);
    }
    taken
}

/// The screen is left: a plan that is not there yet is not awaited.
pub(super) fn leave(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(id) = state.current.clone() else { return };
    let Some(engine) = state.engines.get_mut(&id) else {
        return;
    };
    let Some(review) = &mut engine.plan else { return };
    review.typing = false;
    review.pane_focused = false;
    match review.stage {
        Stage::Gathering(_) => effects.push(Effect::Engine(id.clone(), EngineEffect::DropPlan)),
        Stage::Waiting => {}
        Stage::Failed(_) | Stage::Ready | Stage::Removing(_) | Stage::Used => return,
    }
    engine.plan = None;
    engine::measure_news(state, &id, effects);
}

/// Plans again, for the same.
pub(super) fn refresh(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    let Some(engine) = state.engine() else { return false };
    let Some(review) = &engine.plan else { return false };
    let scope = remaining(review, &engine.mounts);
    again(state, scope, true, effects)
}

/// What is left to plan for: a plan cannot name what is gone.
fn remaining(review: &Review, table: &Mounts) -> Scope {
    let Scope::Named { volumes, containers } = &review.scope else {
        return review.scope.clone();
    };
    let used = review.stage == Stage::Used;
    let gone = |outcome: Option<&Outcome>| matches!(outcome, Some(Outcome::Removed(_)));
    let removed = |name: &&VolumeName| {
        let row = review.plan().and_then(|plan| plan.row(name));
        row.is_some_and(|row| gone(review.outcome(row)))
    };
    let listed = |name: &&VolumeName| table.has_volumes(&[name.as_str().to_owned()]);
    let there = volumes.iter().filter(|name| listed(name) && !removed(name));
    let volumes: Vec<VolumeName> = there.cloned().collect();
    if volumes.is_empty() {
        return Scope::Orphans(Filter::default());
    }
    Scope::Named {
        volumes,
        // They were taken along for that run alone.
        containers: if used { Vec::new() } else { containers.clone() },
    }
}

/// Does an action of the screen. Returns whether something on screen may look different.
pub(super) fn act(state: &mut State, action: Action, effects: &mut Vec<Effect>) -> bool {
    match action {
        Action::Back => back(state, effects),
        Action::NextPane => with(state, |review| {
            review.pane_focused = !review.pane_focused;
            true
        }),
        Action::Copy => copy(state, effects),
        Action::PlanToggle => {
            let Some(review) = review_mut(state) else { return false };
            let toggled = review.toggle();
            self::toggled(state, toggled, effects)
        }
        Action::PlanRemove => super::dialogs::open(state, Dialog::Confirm),
        Action::PlanCancel => {
            let job = review(state).and_then(|review| match review.stage {
                Stage::Removing(job) => Some(job),
                _ => None,
            });
            job.is_some_and(|job| super::dialogs::cancel(state, job, effects))
        }
        Action::PlanUnfold => with(state, |review| {
            review.fold();
            true
        }),
        Action::PlanFilter => with(state, |review| {
            review.typing = true;
            true
        }),
        Action::PlanNamed | Action::PlanProject | Action::PlanAge => {
            let filter = review(state).and_then(|review| filtered(review, action));
            filter.is_some_and(|filter| again(state, Scope::Orphans(filter), true, effects))
        }
        _ if screens::is_move(action) => moved(state, action),
        _ => false,
    }
}

fn filtered(review: &Review, action: Action) -> Option<Filter> {
    let filter = review.looks_at()?.clone();
    Some(match action {
        Action::PlanNamed => Filter {
            named: !filter.named,
            ..filter
        },
        Action::PlanProject => Filter {
            project: match filter.project {
                Some(_) => None,
                None => Some(review.current()?.mount.project.clone()?),
            },
            ..filter
        },
        _ => {
            let now = filter.older_than.map_or(0, Duration::whole_days);
            let next = AGES.into_iter().find(|days| *days > now);
            Filter {
                older_than: next.map(Duration::days),
                ..filter
            }
        }
    })
}

fn toggled(state: &mut State, toggled: Toggled, effects: &mut Vec<Effect>) -> bool {
    match toggled {
        Toggled::Changed => true,
        Toggled::Nothing => false,
        Toggled::Cannot(why) => {
            state.notice = Some(Notice::warning(why));
            true
        }
        Toggled::Type(wanted) => {
            let input = Input::default();
            let wrong = false;
            super::dialogs::open(state, Dialog::Type { wanted, input, wrong })
        }
        // What comes free by it is new to choose from; nothing of it goes unasked.
        Toggled::Again(scope) => again(state, scope, false, effects),
    }
}

/// A key in the field that asks for a name.
pub(super) fn typed(state: &mut State, key: Key, effects: &mut Vec<Effect>) -> bool {
    let Some(Dialog::Type { wanted, input, wrong }) = &mut state.dialog else {
        return false;
    };
    match input.key(key) {
        Typed::Changed => *wrong = false,
        Typed::Moved => {}
        Typed::Ignored => return false,
        Typed::Dropped => state.dialog = None,
        Typed::Accepted if input.text() != wanted.name => *wrong = true,
        Typed::Accepted => {
            let of = wanted.of.clone();
            state.dialog = None;
            let Some(review) = review_mut(state) else { return true };
            let taken = review.take(&of);
            toggled(state, taken, effects);
        }
    }
    true
}

/// Clears or leaves the latest thing: the pane, the filter, the screen.
fn back(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    let cleared = with(state, |review| {
        let focused = std::mem::take(&mut review.pane_focused);
        if !focused && !review.filter.text().is_empty() {
            review.filter.clear();
            review.arrange();
            return true;
        }
        focused
    });
    cleared || screens::show(state, Screen::Mounts, effects)
}

fn copy(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    let Some(review) = review(state) else { return false };
    let hint = review.current().is_some_and(|row| row.hint.is_some());
    let Some(text) = review.copied() else { return false };
    state.notice = Some(Notice::good(match hint {
        true => "copied the lines for the compose file".to_owned(),
        false => format!("copied {text}"),
    }));
    effects.push(Effect::Copy(text));
    true
}

fn moved(state: &mut State, action: Action) -> bool {
    let (area, now) = (layout::plan(state.size).pane, state.now);
    with(state, |review| {
        if review.pane_focused {
            let last = plan::pane(review, now, area.width)
                .len()
                .saturating_sub(usize::from(area.height));
            let half = usize::from(area.height / 2).max(1);
            let top = review.pane_top;
            review.pane_top = super::dialogs::moved(action, top, last + 1, half).min(last);
            return review.pane_top != top;
        }
        match action {
            Action::Down => review.step(1),
            Action::Up => review.step(-1),
            Action::PageDown => review.page(true),
            Action::PageUp => review.page(false),
            Action::First => review.edge(false),
            _ => review.edge(true),
        }
    })
}

/// A key in the filter.
pub(super) fn filter(state: &mut State, key: Key) -> bool {
    with(state, |review| {
        match review.filter.key(key) {
            Typed::Changed => review.arrange(),
            Typed::Moved => {}
            Typed::Accepted => review.typing = false,
            Typed::Dropped => {
                review.typing = false;
                review.filter.clear();
                review.arrange();
            }
            Typed::Ignored => {
                return match key.code {
                    KeyCode::Down => review.step(1),
                    KeyCode::Up => review.step(-1),
                    _ => false,
                };
            }
        }
        true
    })
}

/// Text pasted into the filter.
pub(super) fn paste(state: &mut State, text: &str) -> bool {
    with(state, |review| {
        review.filter.paste(text);
        review.arrange();
        true
    })
}

fn review(state: &State) -> Option<&Review> {
    state.engine()?.plan.as_ref()
}

fn review_mut(state: &mut State) -> Option<&mut Review> {
    let id = state.current.as_ref()?;
    state.engines.get_mut(id)?.plan.as_mut()
}

fn with(state: &mut State, f: impl FnOnce(&mut Review) -> bool) -> bool {
    let changed = review_mut(state).is_some_and(f);
    if changed {
        arrange(state);
    }
    changed
}

#[cfg(test)]
mod tests;
