//! What keys and answers do on the Backups screen. Knows no engine and no file.

use std::path::PathBuf;
use std::sync::Arc;

use crossterm::event::KeyCode;
use ratatui::layout::Rect;

use super::super::action::Action;
use super::super::backups::{self, Backups, Check};
use super::super::effect::{Effect, EngineEffect};
use super::super::files::Files;
use super::super::input::Typed;
use super::super::jobs::JobEvent;
use super::super::key::Key;
use super::super::layout;
use super::super::msg::Notice;
use super::super::restore::{Asked, Field};
use super::super::state::{Context, Dialog, Screen, State};
use super::super::undo::Answer;
use super::{dialogs, screens, with_current};
use crate::archive::{Archive, Verdict};
use crate::model::{EngineId, JobId};

/// Shows the backups, listed anew.
pub(super) fn open(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    screens::show(state, Screen::Backups, effects);
    ask(state, effects)
}

/// Shows the backups of the mount under the table's cursor.
pub(super) fn of_mount(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    let current = state.engine().and_then(|engine| engine.mounts.current());
    let Some(name) = current.map(|(mount, _)| mount.name.clone()) else {
        return false;
    };
    with(state, |backups| {
        backups.about = Some(name);
        backups.filter.clear();
        backups.arrange();
        true
    });
    open(state, effects)
}

/// Lists the archives again.
pub(super) fn ask(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    with_current(state, |id, engine| {
        if engine.backups.answer != Answer::Waiting {
            if engine.backups.count() == 0 {
                engine.backups.answer = Answer::Waiting;
            }
            effects.push(Effect::Engine(id.clone(), EngineEffect::Archives));
        }
        true
    })
}

/// The archives changed: those that are shown are listed anew.
pub(super) fn stale(state: &mut State, id: &EngineId, effects: &mut Vec<Effect>) {
    if state.screen == Screen::Backups && state.current.as_ref() == Some(id) {
        effects.push(Effect::Engine(id.clone(), EngineEffect::Archives));
    }
}

/// Does an action of the screen. Returns whether something on screen may look different.
pub(super) fn act(state: &mut State, action: Action, effects: &mut Vec<Effect>) -> bool {
    match action {
        Action::Back => {
            let cleared = with(state, back);
            cleared || screens::show(state, Screen::Mounts, effects)
        }
        Action::NextPane => with(state, |backups| {
            backups.pane_focused = !backups.pane_focused;
            true
        }),
        Action::Copy => {
            let Some(path) = current(state).map(|archive| archive.path.to_string_lossy().into_owned()) else {
                return false;
            };
            state.notice = Some(Notice::good(format!("copied {path}")));
            effects.push(Effect::Copy(path));
            true
        }
        Action::BackupsOpen => browse(state, effects),
        Action::BackupsVerify => verify(state, effects),
        Action::BackupsCancel => {
            let job = state.engine().and_then(|engine| engine.backups.checking.as_ref());
            let job = job.map(|(job, _)| *job);
            job.is_some_and(|job| dialogs::cancel(state, job, effects))
        }
        Action::BackupsRestore => current(state).is_some_and(|archive| super::restore::of(state, &archive, effects)),
        Action::BackupsFile => dialogs::open(state, Dialog::Field(Box::new(Field::new(Asked::File, "")))),
        Action::BackupsFilter => with(state, |backups| {
            backups.typing = true;
            backups.pane_focused = false;
            true
        }),
        Action::BackupsAgain => ask(state, effects),
        _ if screens::is_move(action) => moved(state, action),
        _ => false,
    }
}

fn current(state: &State) -> Option<Arc<Archive>> {
    state.engine()?.backups.current().cloned()
}

/// Leaves the pane, or takes a filter away. Returns whether there was one.
fn back(backups: &mut Backups) -> bool {
    if std::mem::take(&mut backups.pane_focused) {
        return true;
    }
    let filtered = backups.is_filtered();
    if !backups.filter.text().is_empty() {
        backups.filter.clear();
    } else {
        backups.about = None;
    }
    backups.arrange();
    filtered
}

/// A key in the filter.
pub(super) fn typed(state: &mut State, key: Key) -> bool {
    with(state, |backups| {
        match backups.filter.key(key) {
            Typed::Changed => backups.arrange(),
            Typed::Moved => {}
            Typed::Accepted => backups.typing = false,
            Typed::Dropped => {
                backups.typing = false;
                backups.filter.clear();
                backups.arrange();
            }
            // Arrows choose a row without leaving the filter.
            Typed::Ignored => {
                return match key.code {
                    KeyCode::Down => backups.go(Action::Down),
                    KeyCode::Up => backups.go(Action::Up),
                    _ => false,
                };
            }
        }
        true
    })
}

/// Text pasted into the filter.
pub(super) fn paste(state: &mut State, text: &str) -> bool {
    with(state, |backups| {
        backups.filter.paste(text);
        backups.arrange();
        true
    })
}

/// The screen is left: what is being typed stands.
pub(super) fn leave(state: &mut State) {
    with(state, |backups| {
        backups.typing = false;
        backups.pane_focused = false;
        true
    });
}

/// Opens the files of the archive under the cursor, as if it were a mount.
fn browse(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    let Some(archive) = current(state) else { return false };
    let area: Rect = layout::shell(state.size).body;
    let Some(id) = state.current.clone() else { return false };
    let Some(engine) = state.engines.get_mut(&id) else {
        return false;
    };
    let mut cx = Context {
        now: state.now,
        jobs: &mut state.jobs,
        notice: &mut state.notice,
        copy: None,
        leave: false,
    };
    let wanted = match &mut engine.files {
        Some(files) if files.archive.as_ref() == Some(&archive) => files.resume(&mut cx),
        _ => {
            let (files, wanted) = Files::of_archive(archive, area, &mut cx);
            engine.files = Some(files);
            wanted
        }
    };
    let wanted = wanted.into_iter().map(EngineEffect::Files);
    effects.extend(wanted.map(|effect| Effect::Engine(id.clone(), effect)));
    leave(state);
    state.screen = Screen::Files;
    true
}

/// Checks the archive under the cursor.
fn verify(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    let Some(archive) = current(state) else { return false };
    let name = archive.path.file_name().unwrap_or_default().to_string_lossy();
    let job = state.jobs.start(format!("verify {name}"), state.now);
    let path = archive.path.clone();
    with_current(state, |id, engine| {
        engine.backups.checking = Some((job, path.clone()));
        effects.push(Effect::Engine(id.clone(), EngineEffect::Verify { job, path }));
        true
    })
}

/// Takes what checking an archive found, and tells the operator.
pub(super) fn verified(state: &mut State, id: &EngineId, path: PathBuf, result: Result<Check, String>) -> bool {
    let Some(engine) = state.engines.get_mut(id) else {
        return false;
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    state.notice = Some(match &result {
        Ok(check) => {
            let words = format!("{name} is {}", backups::check_words(check).1);
            match check.verdict {
                Verdict::Ok => Notice::good(words),
                Verdict::Foreign => Notice::warning(words),
                Verdict::Truncated | Verdict::Corrupt => Notice::fault(words),
            }
        }
        Err(why) => Notice::fault(format!("{name} could not be checked: {why}")),
    });
    engine.backups.checked(path, result);
    true
}

/// A job ended: that of a check.
pub(super) fn job_ended(state: &mut State, job: JobId, event: &JobEvent) {
    let JobEvent::Ended(_) = event else { return };
    for engine in state.engines.values_mut() {
        engine.backups.checking.take_if(|(checking, _)| *checking == job);
    }
}

fn moved(state: &mut State, action: Action) -> bool {
    let (area, now, read_only) = (layout::plan(state.size).pane, state.now, state.settings.read_only);
    with_current(state, |_, engine| {
        let backups = &mut engine.backups;
        if backups.pane_focused {
            let lines = backups::pane(backups, &engine.endpoint, read_only, now, area.width).len();
            return dialogs::scroll_lines(action, &mut backups.pane_top, lines, area.height);
        }
        backups.go(action)
    })
}

fn with(state: &mut State, f: impl FnOnce(&mut Backups) -> bool) -> bool {
    with_current(state, |_, engine| f(&mut engine.backups))
}

#[cfg(test)]
mod tests;
