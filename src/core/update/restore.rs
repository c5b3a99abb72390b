//! What keys and answers do to a restore, from its plan to its end. Knows no engine and no file.

use std::path::PathBuf;
use std::sync::Arc;

use super::super::action::Action;
use super::super::effect::{Effect, EngineEffect};
use super::super::figures;
use super::super::input::{Input, Typed};
use super::super::jobs::JobEvent;
use super::super::key::Key;
use super::super::layout;
use super::super::msg::Notice;
use super::super::restore::{self, Asked, Field, Review, Stage};
use super::super::state::{Dialog, EngineState, Named, Screen, State};
use super::{dialogs, engine, screens, with_current};
use crate::archive::Archive;
use crate::engine::EngineError;
use crate::model::{BytePath, EngineId, JobId};
use crate::ops::restore::{Into, Plan, Progress, Report, Request};

/// Plans a restore of an archive to where it came from.
pub(super) fn of(state: &mut State, archive: &Archive, effects: &mut Vec<Effect>) -> bool {
    let request = to_origin(state, archive, Vec::new());
    open(state, request, effects)
}

/// Plans a restore of what is under the cursor of an archive's files, and of all below it, to where it came from.
pub(super) fn of_entry(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    let files = state.engine().and_then(|engine| engine.files.as_ref());
    let wanted = files.and_then(|files| Some((Arc::clone(files.archive.as_ref()?), files.target()?)));
    let Some((archive, path)) = wanted.filter(|(_, path)| !path.is_root()) else {
        return false;
    };
    let request = to_origin(state, &archive, vec![path]);
    open(state, request, effects)
}

/// A restore of an archive, or of these paths of it, to where it came from.
fn to_origin(state: &State, archive: &Archive, only: Vec<BytePath>) -> Request {
    let name = archive.origin.name.clone();
    Request {
        overwrite: exists(state, Some(&name)),
        target: Some(name),
        only,
        ..Request::of(archive.path.clone())
    }
}

fn open(state: &mut State, request: Request, effects: &mut Vec<Effect>) -> bool {
    if state.settings.read_only || !state.engine().is_some_and(EngineState::may_change) {
        return false;
    }
    let from = state.screen;
    screens::show(state, Screen::Restore, effects);
    plan(state, request, from, effects)
}

/// Whether something is there that would be replaced: the plan then asks for its name.
fn exists(state: &State, target: Option<&str>) -> bool {
    let inventory = state.engine().and_then(|engine| engine.mounts.inventory());
    let mounts = inventory.into_iter().flat_map(|inventory| &inventory.mounts);
    target.is_some_and(|name| name.starts_with('/') || mounts.into_iter().any(|mount| mount.name == name))
}

fn plan(state: &mut State, request: Request, from: Screen, effects: &mut Vec<Effect>) -> bool {
    let at = state.now;
    with_current(state, |id, engine| {
        engine.plans += 1;
        let ask = engine.plans;
        engine.restore = Some(Review::new(request.clone(), ask, from));
        let request = Box::new(request);
        effects.push(Effect::Engine(
            id.clone(),
            EngineEffect::RestorePlan { ask, request, at },
        ));
        true
    })
}

/// Plans again, for the same.
pub(super) fn refresh(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    again(state, |_| {}, effects)
}

/// Plans again, for something else.
fn again(state: &mut State, change: impl FnOnce(&mut Request), effects: &mut Vec<Effect>) -> bool {
    let Some(review) = state.engine().and_then(|engine| engine.restore.as_ref()) else {
        return false;
    };
    let (mut request, from) = (review.request.clone(), review.from);
    change(&mut request);
    plan(state, request, from, effects)
}

/// Does an action of the screen. Returns whether something on screen may look different.
pub(super) fn act(state: &mut State, action: Action, effects: &mut Vec<Effect>) -> bool {
    let Some(review) = state.engine().and_then(|engine| engine.restore.as_ref()) else {
        return screens::show(state, Screen::Backups, effects);
    };
    match action {
        Action::Back => {
            let from = review.from;
            screens::show(state, from, effects)
        }
        Action::RestoreRun if review.plan().is_some_and(|plan| plan.needs_name.is_some()) => {
            let dialog = Dialog::Name {
                of: Named::Restore,
                input: Input::default(),
                wrong: false,
            };
            dialogs::open(state, dialog)
        }
        Action::RestoreRun => confirmed(state, effects),
        Action::RestoreAs => {
            let field = Field::new(Asked::Target, review.target().unwrap_or_default());
            dialogs::open(state, Dialog::Field(Box::new(field)))
        }
        Action::RestoreStrip => {
            let planned = |plan: &Arc<Plan>| plan.unclear.as_ref().map_or(plan.strip, |unclear| unclear.strip);
            let strip = review.plan().map(planned).or(review.request.strip);
            let field = Field::new(Asked::Strip, &strip.map(|strip| strip.to_string()).unwrap_or_default());
            dialogs::open(state, Dialog::Field(Box::new(field)))
        }
        Action::RestoreInPlace => again(state, |request| request.in_place = !request.in_place, effects),
        Action::RestorePlain => again(state, |request| request.plain = !request.plain, effects),
        Action::RestoreCancel => cancel(state, effects),
        _ if screens::is_move(action) => moved(state, action),
        _ => false,
    }
}

/// Stops the restore, or gives up the check for its plan.
fn cancel(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    let review = state.engine().and_then(|engine| engine.restore.as_ref());
    let Some(review) = review else { return false };
    match (review.job(), review.from) {
        (Some(job), _) => dialogs::cancel(state, job, effects),
        (None, from) => screens::show(state, from, effects),
    }
}

/// The screen is left: a plan that is not there yet is not awaited.
pub(super) fn leave(state: &mut State, effects: &mut Vec<Effect>) {
    with_current(state, |id, engine| {
        let waits = |review: &mut Review| matches!(review.stage, Stage::Planning(_));
        if engine.restore.take_if(waits).is_some() {
            effects.push(Effect::Engine(id.clone(), EngineEffect::DropRestore));
        }
    });
}

/// A key in a field.
pub(super) fn typed_field(state: &mut State, key: Key, effects: &mut Vec<Effect>) -> bool {
    let Some(Dialog::Field(field)) = &mut state.dialog else {
        return false;
    };
    match field.input.key(key) {
        Typed::Changed => field.error = None,
        Typed::Moved => {}
        Typed::Ignored => return false,
        Typed::Dropped => state.dialog = None,
        Typed::Accepted => {
            let field = Field::clone(field);
            if let Err(why) = meant(state, &field, effects)
                && let Some(Dialog::Field(field)) = &mut state.dialog
            {
                field.error = Some(why);
            }
        }
    }
    true
}

/// Does what a field asks for.
fn meant(state: &mut State, field: &Field, effects: &mut Vec<Effect>) -> Result<(), String> {
    match field.asked {
        Asked::Target => {
            let target = field.target()?;
            let overwrite = exists(state, Some(&target));
            state.dialog = None;
            let change = |request: &mut Request| {
                request.target = Some(target);
                request.overwrite = overwrite;
                request.in_place &= overwrite;
            };
            again(state, change, effects);
        }
        Asked::Strip => {
            let strip = field.strip()?;
            state.dialog = None;
            again(state, |request| request.strip = Some(strip), effects);
        }
        Asked::File => {
            let path = PathBuf::from(field.input.text());
            if path.as_os_str().is_empty() {
                return Err("the path of a file is wanted".to_owned());
            }
            state.dialog = None;
            open(state, Request::of(path), effects);
        }
    }
    Ok(())
}

/// The operator said yes, or typed the name: the plan on screen is carried out.
pub(super) fn confirmed(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    state.dialog = None;
    let Some(id) = state.current.clone() else { return true };
    let Some(engine) = state.engines.get_mut(&id).filter(|engine| engine.may_change()) else {
        return true;
    };
    let review = engine.restore.as_mut().filter(|review| review.can_run());
    let Some((review, plan)) = review.and_then(|review| review.plan().cloned().map(|plan| (review, plan))) else {
        return true;
    };
    let job = state.jobs.start(review.words(), state.now);
    review.stage = Stage::Restoring(job);
    review.top = 0;
    effects.push(Effect::Engine(id, EngineEffect::Restore { job, plan }));
    true
}

/// Takes how far the check for a plan is.
pub(super) fn checking(state: &mut State, id: &EngineId, ask: u64, progress: Progress) -> bool {
    let review = state.engines.get_mut(id).and_then(|engine| engine.restore.as_mut());
    review.is_some_and(|review| review.checking(ask, progress))
}

/// Takes the plan of a restore. Where the archive says what is there already, its name is asked for.
pub(super) fn planned(state: &mut State, id: &EngineId, ask: u64, result: Result<Arc<Plan>, EngineError>) -> bool {
    let review = state.engines.get_mut(id).and_then(|engine| engine.restore.as_mut());
    review.is_some_and(|review| review.planned(ask, result))
}

/// Takes what a restore came to, and tells the operator.
pub(super) fn restored(state: &mut State, id: &EngineId, job: JobId, result: Result<Arc<Report>, EngineError>) -> bool {
    let Some(engine) = state.engines.get_mut(id) else {
        return false;
    };
    let Some(review) = engine.restore.as_mut().filter(|review| review.job() == Some(job)) else {
        return false;
    };
    let words = review.words();
    state.notice = Some(match &result {
        Err(EngineError::Cancelled) => Notice::warning(format!("{words}: stopped; {}", kept(review))),
        // It says itself what stands.
        Err(error @ EngineError::Left { .. }) => Notice::fault(format!("{words}: {error}")),
        Err(error) => Notice::fault(format!("{words}: {error}; {}", kept(review))),
        Ok(report) => {
            let done = format!("{}, {}", figures::entries(report.entries), figures::bytes(report.bytes));
            match report.warned {
                0 => Notice::good(format!("{words}: {done}")),
                warned => {
                    let warned = figures::counted(warned, "warning");
                    Notice::warning(format!("{words}: {done}; {warned}, the screen lists them"))
                }
            }
        }
    });
    review.outcome = Some(result);
    if let Some(doctor) = &mut engine.doctor {
        doctor.outdated = true;
    }
    true
}

/// What stands after a restore that did not come to its end.
fn kept(review: &Review) -> &'static str {
    match review.plan().map(|plan| (&plan.into, plan.request.in_place)) {
        Some((Into::Existing(_), false)) => "the old contents stand",
        Some((Into::Existing(_), true)) => "the old contents stand, unless they were removed by then",
        Some((Into::New(_), _)) | None => "no new volume is left",
    }
}

/// A job ended: that of a restore is used up, and the volumes are listed anew.
pub(super) fn job_ended(state: &mut State, job: JobId, event: &JobEvent, effects: &mut Vec<Effect>) {
    let JobEvent::Ended(_) = event else { return };
    let restoring = |engine: &EngineState| engine.restore.as_ref().and_then(Review::job) == Some(job);
    let Some((id, engine)) = state.engines.iter_mut().find(|(_, engine)| restoring(engine)) else {
        return;
    };
    let id = id.clone();
    if let Some(review) = &mut engine.restore {
        review.stage = Stage::Used;
        // What was measured is not what is there now.
        if let Some(target) = review.target() {
            engine.mounts.forget(target);
        }
    }
    // Engines without events would not tell.
    engine::load(&id, engine, effects);
    engine::measure_news(state, &id, effects);
    super::plan::gather(state, &id, effects);
}

fn moved(state: &mut State, action: Action) -> bool {
    let (area, now) = (layout::below_bar(state.size), state.now);
    with_current(state, |_, engine| {
        let Some(review) = &mut engine.restore else {
            return false;
        };
        let lines = restore::lines(review, now, area.width).len();
        dialogs::scroll_lines(action, &mut review.top, lines, area.height)
    })
}

#[cfg(test)]
mod tests;
