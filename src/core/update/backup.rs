//! What keys and answers do to a backup, from its plan to its end. Knows no engine.

use std::sync::Arc;

use super::super::action::Action;
use super::super::backup::{self, Outcome, Review, Stage};
use super::super::effect::{Effect, EngineEffect};
use super::super::figures;
use super::super::jobs::JobEvent;
use super::super::layout;
use super::super::msg::Notice;
use super::super::state::{EngineState, Screen, State};
use super::{dialogs, screens, with_current};
use crate::archive::Status;
use crate::engine::EngineError;
use crate::model::{EngineId, JobId};
use crate::ops::backup::{Plan, Request};

/// Plans a copy of what is marked, or else of the mount under the cursor.
pub(super) fn over_chosen(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    let mounts = state.engine().map(|engine| engine.mounts.meant()).unwrap_or_default();
    if mounts.is_empty() {
        return false;
    }
    let request = Request {
        mounts,
        to: None,
        compression: Default::default(),
    };
    let from = state.screen;
    screens::show(state, Screen::Backup, effects);
    plan(state, request, from, effects)
}

fn plan(state: &mut State, request: Request, from: Screen, effects: &mut Vec<Effect>) -> bool {
    let at = state.now;
    with_current(state, |id, engine| {
        engine.plans += 1;
        let ask = engine.plans;
        let sizes = engine.mounts.measured();
        engine.backup = Some(Review::new(request.clone(), ask, from));
        let wanted = EngineEffect::BackupPlan {
            ask,
            request: Box::new(request),
            sizes,
            at,
        };
        effects.push(Effect::Engine(id.clone(), wanted));
        true
    })
}

/// Plans again, for the same.
pub(super) fn refresh(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    again(state, |_| {}, effects)
}

/// Plans again, for something else.
fn again(state: &mut State, change: impl FnOnce(&mut Request), effects: &mut Vec<Effect>) -> bool {
    let Some(review) = state.engine().and_then(|engine| engine.backup.as_ref()) else {
        return false;
    };
    let (mut request, from) = (review.request.clone(), review.from);
    change(&mut request);
    plan(state, request, from, effects)
}

/// Does an action of the screen. Returns whether something on screen may look different.
pub(super) fn act(state: &mut State, action: Action, effects: &mut Vec<Effect>) -> bool {
    let Some(review) = state.engine().and_then(|engine| engine.backup.as_ref()) else {
        return screens::show(state, Screen::Mounts, effects);
    };
    match action {
        Action::Back => {
            let from = review.from;
            screens::show(state, from, effects)
        }
        Action::Copy => {
            let Some(text) = copied(review) else { return false };
            state.notice = Some(Notice::good(format!("copied {text}")));
            effects.push(Effect::Copy(text));
            true
        }
        Action::BackupRun => run(state, effects),
        Action::BackupCompress => {
            let change = |request: &mut Request| request.compression = backup::next(request.compression);
            again(state, change, effects)
        }
        Action::BackupCancel => review.job().is_some_and(|job| dialogs::cancel(state, job, effects)),
        _ if screens::is_move(action) => moved(state, action),
        _ => false,
    }
}

/// What is copied to the clipboard: the path of the first archive that was made.
pub(in crate::core) fn copied(review: &Review) -> Option<String> {
    let made = review.outcomes.values().find_map(|outcome| outcome.as_ref().ok());
    made.map(|archive| archive.path.to_string_lossy().into_owned())
}

/// The screen is left: a plan that is not there yet is not awaited.
pub(super) fn leave(state: &mut State, effects: &mut Vec<Effect>) {
    with_current(state, |id, engine| {
        let waits = |review: &mut Review| review.stage == Stage::Planning;
        if engine.backup.take_if(waits).is_some() {
            effects.push(Effect::Engine(id.clone(), EngineEffect::DropBackup));
        }
    });
}

fn run(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    let Some(id) = state.current.clone() else { return true };
    let Some(engine) = state.engines.get_mut(&id).filter(|engine| engine.may_change()) else {
        return true;
    };
    let review = engine.backup.as_mut().filter(|review| review.can_run());
    let Some((review, plan)) = review.and_then(|review| review.plan().cloned().map(|plan| (review, plan))) else {
        return true;
    };
    let job = state.jobs.start(review.words(), state.now);
    review.stage = Stage::Copying(job);
    review.top = 0;
    effects.push(Effect::Engine(id, EngineEffect::Backup { job, plan }));
    true
}

/// Takes the plan of a backup.
pub(super) fn planned(state: &mut State, id: &EngineId, ask: u64, result: Result<Arc<Plan>, EngineError>) -> bool {
    let review = state.engines.get_mut(id).and_then(|engine| engine.backup.as_mut());
    review.is_some_and(|review| review.planned(ask, result))
}

/// Takes what became of a row.
pub(super) fn ended(state: &mut State, id: &EngineId, job: JobId, row: usize, outcome: Outcome) -> bool {
    let review = state.engines.get_mut(id).and_then(|engine| engine.backup.as_mut());
    let review = review.filter(|review| review.job() == Some(job));
    let Some(review) = review else { return false };
    review.outcomes.insert(row, outcome);
    true
}

/// A job ended: that of a backup is used up, what it copied in a second is known, and the list of backups is old.
pub(super) fn job_ended(state: &mut State, job: JobId, event: &JobEvent, effects: &mut Vec<Effect>) {
    let JobEvent::Ended(_) = event else { return };
    let copying = |engine: &EngineState| engine.backup.as_ref().and_then(Review::job) == Some(job);
    let Some((id, engine)) = state.engines.iter_mut().find(|(_, engine)| copying(engine)) else {
        return;
    };
    let id = id.clone();
    if let Some(review) = &mut engine.backup {
        review.stage = Stage::Used;
        let took = state.jobs.get(job).map(|job| state.now - job.started);
        engine.copied = rate(review.done(), took).or(engine.copied);
        state.notice = Some(notice(review));
    }
    super::backups::stale(state, &id, effects);
    super::plan::gather(state, &id, effects);
}

/// Bytes in a second; `None` when that was too short to tell.
fn rate(bytes: u64, took: Option<time::Duration>) -> Option<u64> {
    let millis = u64::try_from(took?.whole_milliseconds())
        .ok()
        .filter(|millis| *millis > 0)?;
    (bytes > 0).then(|| bytes.saturating_mul(1000) / millis)
}

/// What a backup came to, for the operator.
fn notice(review: &Review) -> Notice {
    let made: Vec<_> = review
        .outcomes
        .values()
        .filter_map(|outcome| outcome.as_ref().ok())
        .collect();
    let failed = review.outcomes.values().filter_map(|outcome| outcome.as_ref().err());
    let failed: Vec<&String> = failed.collect();
    let words = review.words();
    let Some(first) = made.first() else {
        return match failed.first() {
            Some(why) => Notice::fault(format!("{words}: nothing was written: {why}")),
            None => Notice::warning(format!("{words}: stopped; nothing was written")),
        };
    };
    let bytes = figures::bytes(made.iter().map(|archive| archive.bytes).sum());
    let partial = made.iter().filter(|archive| archive.status == Status::Partial).count();
    let left = review.copied().count().saturating_sub(made.len());
    let done = match made.len() {
        1 => format!("{bytes} in {}", first.path.to_string_lossy()),
        many => format!("{many} archives, {bytes}"),
    };
    match (left, partial) {
        (0, 0) => Notice::good(format!("{words}: {done}")),
        (0, partial) => {
            let partial = figures::counted(partial as u64, "archive");
            Notice::warning(format!(
                "{words}: {done}; {partial} in part, the screen says what is lacking"
            ))
        }
        (left, _) => Notice::warning(format!("{words}: {done}; {left} not copied, the screen says why")),
    }
}

fn moved(state: &mut State, action: Action) -> bool {
    let (area, now) = (layout::below_bar(state.size), state.now);
    with_current(state, |_, engine| {
        let rate = engine.copied;
        let Some(review) = &mut engine.backup else { return false };
        let lines = backup::lines(review, rate, now, area.width).len();
        dialogs::scroll_lines(action, &mut review.top, lines, area.height)
    })
}

#[cfg(test)]
mod tests;
