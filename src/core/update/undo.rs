//! What keys and answers do on the undo screen. Knows no engine.

use std::sync::Arc;

use super::super::action::Action;
use super::super::effect::{Effect, EngineEffect};
use super::super::figures;
use super::super::jobs::JobEvent;
use super::super::layout;
use super::super::msg::Notice;
use super::super::state::{Dialog, Question, Screen, State};
use super::super::undo::{self, Answer, Undo};
use super::{dialogs, screens, with_current};
use crate::engine::EngineError;
use crate::journal::JournalId;
use crate::model::{EngineId, JobId};
use crate::ops::chown::UndoReport;

/// Shows what can be taken back, listed anew.
pub(super) fn open(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    screens::show(state, Screen::Undo, effects);
    ask(state, effects)
}

/// Lists the journals again. They are files of this host, and few.
pub(super) fn ask(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    with_current(state, |id, engine| {
        if engine.undo.answer != Answer::Waiting {
            if engine.undo.rows().is_empty() {
                engine.undo.answer = Answer::Waiting;
            }
            effects.push(Effect::Engine(id.clone(), EngineEffect::Journals));
        }
        true
    })
}

/// The journals changed: those that are shown are listed anew.
pub(super) fn stale(state: &mut State, id: &EngineId, effects: &mut Vec<Effect>) {
    let shown = state.screen == Screen::Undo && state.current.as_ref() == Some(id);
    if shown {
        effects.push(Effect::Engine(id.clone(), EngineEffect::Journals));
    }
}

/// Does an action of the screen. Returns whether something on screen may look different.
pub(super) fn act(state: &mut State, action: Action, effects: &mut Vec<Effect>) -> bool {
    match action {
        Action::Back => {
            let focused = with(state, |undo| std::mem::take(&mut undo.pane_focused));
            focused || screens::show(state, Screen::Mounts, effects)
        }
        Action::NextPane => with(state, |undo| {
            undo.pane_focused = !undo.pane_focused;
            true
        }),
        Action::Copy => {
            let id = state.engine().and_then(|engine| engine.undo.current());
            let Some(line) = id.map(|row| format!("vole undo {}", row.id)) else {
                return false;
            };
            state.notice = Some(Notice::good(format!("copied {line}")));
            effects.push(Effect::Copy(line));
            true
        }
        Action::UndoRun => {
            let id = state.engine().and_then(|engine| engine.undo.current());
            let Some(id) = id.map(|row| row.id.clone()) else {
                return false;
            };
            dialogs::open(state, Dialog::Ask(Question::Undo(id)))
        }
        Action::UndoCancel => {
            let job = state.engine().and_then(|engine| engine.undo.running.as_ref());
            let job = job.map(|(job, _)| *job);
            job.is_some_and(|job| dialogs::cancel(state, job, effects))
        }
        _ if screens::is_move(action) => moved(state, action),
        _ => false,
    }
}

/// The operator said yes: the change of this journal is taken back.
pub(super) fn confirmed(state: &mut State, id: JournalId, effects: &mut Vec<Effect>) -> bool {
    let Some(engine) = state.engine().filter(|engine| engine.may_change()) else {
        return true;
    };
    let row = engine.undo.rows().iter().find(|row| row.id == id);
    let Some(words) = row.map(|row| row.words.clone()) else {
        return true;
    };
    let job = state.jobs.start(format!("undo {words}"), state.now);
    with_current(state, |engine_id, engine| {
        engine.undo.running = Some((job, id.clone()));
        effects.push(Effect::Engine(engine_id.clone(), EngineEffect::Undo { job, id }));
        true
    })
}

/// Takes what an undo came to, and tells the operator.
pub(super) fn undone(
    state: &mut State,
    id: &EngineId,
    journal: JournalId,
    result: Result<Arc<UndoReport>, EngineError>,
) -> bool {
    let Some(engine) = state.engines.get_mut(id) else {
        return false;
    };
    state.notice = Some(match &result {
        Err(error) => Notice::fault(format!("nothing was put back: {error}")),
        Ok(report) => {
            let restored = figures::count(report.restored);
            match (&report.stopped, report.skipped) {
                (None, 0) => Notice::good(format!("taken back: {restored} put back")),
                (None, skipped) => {
                    let skipped = figures::count(skipped);
                    Notice::warning(format!(
                        "{restored} put back, {skipped} left alone because they changed since; the screen lists them"
                    ))
                }
                (Some(why), skipped) => {
                    let skipped = figures::count(skipped);
                    Notice::warning(format!(
                        "{restored} put back, {skipped} left alone, and it stopped: {why}"
                    ))
                }
            }
        }
    });
    if result.as_ref().is_ok_and(|report| report.restored > 0)
        && let Some(doctor) = &mut engine.doctor
    {
        doctor.outdated = true;
    }
    engine.undo.undone(journal, result.map_err(|error| error.to_string()));
    true
}

/// A job ended: that of an undo.
pub(super) fn job_ended(state: &mut State, job: JobId, event: &JobEvent, effects: &mut Vec<Effect>) {
    let JobEvent::Ended(_) = event else { return };
    let mut ended = None;
    for (id, engine) in &mut state.engines {
        if engine.undo.running.take_if(|(running, _)| *running == job).is_some() {
            ended = Some(id.clone());
        }
    }
    if let Some(id) = ended {
        stale(state, &id, effects);
        super::plan::gather(state, &id, effects);
    }
}

fn moved(state: &mut State, action: Action) -> bool {
    let (area, now) = (layout::plan(state.size).pane, state.now);
    with(state, |undo| {
        if undo.pane_focused {
            let lines = undo::pane(undo, now, area.width).len();
            return dialogs::scroll_lines(action, &mut undo.pane_top, lines, area.height);
        }
        undo.go(action)
    })
}

fn with(state: &mut State, f: impl FnOnce(&mut Undo) -> bool) -> bool {
    with_current(state, |_, engine| f(&mut engine.undo))
}

#[cfg(test)]
mod tests;
