//! What keys and answers do to a change of owner or mode, from the field that asks for an owner to its end. Knows no
//! engine.

use std::sync::Arc;

use super::super::action::Action;
use super::super::effect::{Effect, EngineEffect};
use super::super::figures;
use super::super::input::{Input, Typed};
use super::super::jobs::JobEvent;
use super::super::key::Key;
use super::super::layout;
use super::super::menu;
use super::super::msg::Notice;
use super::super::own::{self, Form, Review, Stage};
use super::super::state::{Dialog, EngineState, Named, Question, Screen, State};
use super::{dialogs, screens, with_current};
use crate::doctor::Fix;
use crate::engine::EngineError;
use crate::model::{BytePath, EngineId, JobId, Mount};
use crate::ops::chown::{Plan, Report, Request};

/// Asks who shall own the mount under the table's cursor.
pub(super) fn ask_mount(state: &mut State) -> bool {
    let current = state.engine().and_then(|engine| engine.mounts.current());
    let Some(mount) = current.map(|(mount, _)| Arc::new(mount.clone())) else {
        return false;
    };
    ask(state, mount, BytePath::root())
}

/// Asks who shall own the entry under the cursor of the files, and what is below it.
pub(super) fn ask_entry(state: &mut State) -> bool {
    let files = state.engine().and_then(|engine| engine.files.as_ref());
    let place = files.and_then(|files| Some((Arc::clone(&files.mount), files.target()?)));
    place.is_some_and(|(mount, path)| ask(state, mount, path))
}

/// Opens the field, with the owner that a finding suggests for this place.
fn ask(state: &mut State, mount: Arc<Mount>, path: BytePath) -> bool {
    let found = state.engine().into_iter().flat_map(|engine| engine.known.of(&mount.id));
    let suggested = found.filter_map(|finding| match &finding.fix {
        Fix::Chown { change, path: of, .. } if *of == path => Some((
            super::super::doctor::owner_words(change.uid, change.gid),
            finding.summary.clone(),
        )),
        _ => None,
    });
    let (words, suggested) = suggested.take(1).next().unzip();
    let form = Form {
        mount,
        path,
        input: Input::with(&words.unwrap_or_default()),
        suggested,
        error: None,
    };
    dialogs::open(state, Dialog::Owner(Box::new(form)))
}

/// Asks for another owner of the same place.
fn edit(state: &mut State) -> bool {
    let Some(review) = state.engine().and_then(|engine| engine.own.as_ref()) else {
        return false;
    };
    let form = Form {
        mount: Arc::clone(&review.request.mount),
        path: review.request.path.clone(),
        input: Input::with(&review.request.words),
        suggested: None,
        error: None,
    };
    dialogs::open(state, Dialog::Owner(Box::new(form)))
}

/// A key in the field that asks for an owner.
pub(super) fn typed_owner(state: &mut State, key: Key, effects: &mut Vec<Effect>) -> bool {
    let Some(Dialog::Owner(form)) = &mut state.dialog else {
        return false;
    };
    match form.input.key(key) {
        Typed::Changed => form.error = None,
        Typed::Moved => {}
        Typed::Ignored => return false,
        Typed::Dropped => state.dialog = None,
        Typed::Accepted => match form.wanted() {
            Ok(request) => {
                state.dialog = None;
                open(state, request, effects);
            }
            Err(why) => form.error = Some(why),
        },
    }
    true
}

/// Shows a change and lets what it would do be counted.
pub(super) fn open(state: &mut State, request: Request, effects: &mut Vec<Effect>) -> bool {
    if state.settings.read_only || !state.engine().is_some_and(EngineState::may_change) {
        return false;
    }
    let from = match (state.screen, state.engine().and_then(|engine| engine.own.as_ref())) {
        // Another owner for the same: back leads where it led.
        (Screen::Own, Some(review)) => review.from,
        (screen, _) => screen,
    };
    screens::show(state, Screen::Own, effects);
    count(state, request, from, effects)
}

fn count(state: &mut State, request: Request, from: Screen, effects: &mut Vec<Effect>) -> bool {
    let at = state.now;
    with_current(state, |id, engine| {
        engine.plans += 1;
        let ask = engine.plans;
        engine.own = Some(Review::new(request.clone(), ask, from));
        let request = Box::new(request);
        effects.push(Effect::Engine(id.clone(), EngineEffect::OwnPlan { ask, request, at }));
        true
    })
}

/// Counts again, for the same.
pub(super) fn refresh(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    let review = state.engine().and_then(|engine| engine.own.as_ref());
    let asked = review.map(|review| (review.request.clone(), review.from));
    asked.is_some_and(|(request, from)| count(state, request, from, effects))
}

/// Does an action of the screen. Returns whether something on screen may look different.
pub(super) fn act(state: &mut State, action: Action, effects: &mut Vec<Effect>) -> bool {
    let Some(review) = state.engine().and_then(|engine| engine.own.as_ref()) else {
        return screens::show(state, Screen::Mounts, effects);
    };
    match action {
        Action::Back => {
            let from = review.from;
            screens::show(state, from, effects)
        }
        Action::Copy => {
            let words = super::super::doctor::request_line(&review.request);
            state.notice = Some(Notice::good(format!("copied {words}")));
            effects.push(Effect::Copy(words));
            true
        }
        Action::OwnRun if review.needs_name() => {
            let dialog = Dialog::Name {
                of: Named::Own,
                input: Input::default(),
                wrong: false,
            };
            dialogs::open(state, dialog)
        }
        Action::OwnRun => dialogs::open(state, Dialog::Ask(Question::Own)),
        Action::OwnEdit => edit(state),
        Action::OwnCancel => review.job().is_some_and(|job| dialogs::cancel(state, job, effects)),
        _ if screens::is_move(action) => moved(state, action),
        _ => false,
    }
}

/// The screen is left: a count that is not there yet is not awaited.
pub(super) fn leave(state: &mut State, effects: &mut Vec<Effect>) {
    with_current(state, |id, engine| {
        if engine
            .own
            .take_if(|review| matches!(review.stage, Stage::Counting(_)))
            .is_some()
        {
            effects.push(Effect::Engine(id.clone(), EngineEffect::DropOwn));
        }
    });
}

/// The operator said yes, or typed the name: the plan on screen is carried out.
pub(super) fn confirmed(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    state.dialog = None;
    let Some(id) = state.current.clone() else { return true };
    let Some(engine) = state.engines.get_mut(&id).filter(|engine| engine.may_change()) else {
        return true;
    };
    let review = engine.own.as_mut().filter(|review| review.can_run());
    let Some((review, plan)) = review.and_then(|review| review.plan().cloned().map(|plan| (review, plan))) else {
        return true;
    };
    let job = state.jobs.start(review.words(), state.now);
    review.stage = Stage::Changing(job);
    review.top = 0;
    effects.push(Effect::Engine(id, EngineEffect::Own { job, plan }));
    true
}

/// Takes the plan of a change.
pub(super) fn planned(state: &mut State, id: &EngineId, ask: u64, result: Result<Arc<Plan>, EngineError>) -> bool {
    let review = state.engines.get_mut(id).and_then(|engine| engine.own.as_mut());
    review.is_some_and(|review| review.planned(ask, result))
}

/// Takes what a change came to, and tells the operator, with the key that takes it back.
pub(super) fn owned(state: &mut State, id: &EngineId, job: JobId, result: Result<Arc<Report>, EngineError>) -> bool {
    let key = menu::keys(state, Action::ShowUndo);
    let Some(engine) = state.engines.get_mut(id) else {
        return false;
    };
    let Some(review) = engine.own.as_mut().filter(|review| review.job() == Some(job)) else {
        return false;
    };
    state.notice = Some(notice(&review.words(), &result, &key));
    let changed = result.as_ref().is_ok_and(|report| report.changed + report.unsure > 0);
    review.outcome = Some(result);
    if changed && let Some(doctor) = &mut engine.doctor {
        doctor.outdated = true;
    }
    true
}

fn notice(words: &str, result: &Result<Arc<Report>, EngineError>, key: &str) -> Notice {
    let report = match result {
        Ok(report) => report,
        Err(error) => return Notice::fault(format!("{words}: nothing was changed: {error}")),
    };
    let changed = match report.unsure {
        0 => figures::count(report.changed),
        unsure => format!(
            "{} and up to {} more",
            figures::count(report.changed),
            figures::count(unsure)
        ),
    };
    let skipped = match report.skipped {
        0 => String::new(),
        count => format!(", {} left alone", figures::count(count)),
    };
    let back = match (&report.journal, key) {
        (None, _) => String::new(),
        (Some(journal), "") => format!("; vole undo {journal} takes it back"),
        (Some(_), key) => format!("; {key} takes it back"),
    };
    match &report.stopped {
        None if report.changed == 0 && report.skipped == 0 => Notice::good(format!("{words}: nothing had to change")),
        None if report.skipped == 0 => Notice::good(format!("{words}: {changed} changed{back}")),
        None => Notice::warning(format!("{words}: {changed} changed{skipped}{back}")),
        Some(why) => Notice::warning(format!("{words} stopped after {changed} changed{skipped}{back}: {why}")),
    }
}

/// A job ended: that of a change is used up.
pub(super) fn job_ended(state: &mut State, job: JobId, event: &JobEvent, effects: &mut Vec<Effect>) {
    let JobEvent::Ended(_) = event else { return };
    let mut engines = state.engines.iter_mut();
    let mut ended = None;
    if let Some((id, engine)) =
        engines.find(|(_, engine)| engine.own.as_ref().is_some_and(|own| own.job() == Some(job)))
        && let Some(review) = &mut engine.own
    {
        review.stage = Stage::Used;
        ended = Some(id.clone());
    }
    if let Some(id) = ended {
        super::undo::stale(state, &id, effects);
        super::plan::gather(state, &id, effects);
    }
}

fn moved(state: &mut State, action: Action) -> bool {
    let area = layout::below_bar(state.size);
    with_current(state, |_, engine| {
        let Some(review) = &mut engine.own else { return false };
        let lines = own::lines(review, area.width).len();
        dialogs::scroll_lines(action, &mut review.top, lines, area.height)
    })
}

#[cfg(test)]
mod tests;
