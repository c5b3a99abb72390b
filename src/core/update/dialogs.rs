//! What keys do in help, palette and the list of jobs. Knows no screen beneath.

use crossterm::event::KeyCode;

use super::super::action::Action;
use super::super::effect::Effect;
use super::super::input::{Input, Typed};
use super::super::key::Key;
use super::super::layout;
use super::super::menu;
use super::super::state::{Dialog, Named, Question, State};
use crate::model::JobId;

/// Rows that help may show at once on this terminal.
pub(super) fn help_rows(size: (u16, u16)) -> usize {
    usize::from(layout::shell(size).body.height.saturating_sub(2)).max(1)
}

/// Opens a dialog.
pub(super) fn open(state: &mut State, dialog: Dialog) -> bool {
    state.dialog = Some(dialog);
    true
}

/// Does an action while a dialog is open.
pub(super) fn act(state: &mut State, action: Action, effects: &mut Vec<Effect>) -> bool {
    let toggled = matches!(
        (&state.dialog, action),
        (Some(Dialog::Help { .. }), Action::Help) | (Some(Dialog::Jobs { .. }), Action::Jobs)
    );
    match action {
        Action::Back | Action::No => state.dialog = None,
        Action::Yes => return yes(state, effects),
        _ if toggled => state.dialog = None,
        Action::Help => return open(state, Dialog::Help { top: 0 }),
        Action::Jobs => return open(state, Dialog::Jobs { at: None }),
        Action::Palette => {
            return open(
                state,
                Dialog::Palette {
                    input: Input::default(),
                    at: 0,
                },
            );
        }
        Action::CancelJob => {
            let Some(Dialog::Jobs { at }) = &state.dialog else {
                return false;
            };
            let chosen = at.or_else(|| state.jobs.newest_first().next().map(|(id, _)| id));
            return chosen.is_some_and(|job| cancel(state, job, effects));
        }
        _ => return scroll(state, action),
    }
    true
}

/// The question is answered by yes.
fn yes(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    let Some(Dialog::Ask(question)) = state.dialog.take_if(|dialog| matches!(dialog, Dialog::Ask(_))) else {
        return super::removal::confirmed(state, effects);
    };
    match question {
        Question::Own => super::own::confirmed(state, effects),
        Question::Undo(id) => super::undo::confirmed(state, id, effects),
        Question::Switch {
            container,
            name,
            switch,
        } => super::doctor::switched(state, container, name, switch, effects),
    }
}

/// Asks a job to stop.
pub(super) fn cancel(state: &mut State, job: JobId, effects: &mut Vec<Effect>) -> bool {
    let asked = state.jobs.cancel(job);
    if asked {
        effects.push(Effect::Cancel(job));
    }
    asked
}

/// Where an action that moves leads from a line, of so many, half a screen being `page`.
pub(super) fn moved(action: Action, at: usize, len: usize, page: usize) -> usize {
    let last = len.saturating_sub(1);
    match action {
        Action::Down => (at + 1).min(last),
        Action::Up => at.saturating_sub(1),
        Action::PageDown => (at + page).min(last),
        Action::PageUp => at.saturating_sub(page),
        Action::First => 0,
        Action::Last => last,
        _ => at,
    }
}

/// Scrolls so many lines of which `height` fit. Returns whether another line is the first now.
pub(super) fn scroll_lines(action: Action, top: &mut usize, lines: usize, height: u16) -> bool {
    let last = lines.saturating_sub(usize::from(height));
    let half = usize::from(height / 2).max(1);
    let from = (*top).min(last);
    *top = moved(action, from, last + 1, half);
    *top != from
}

fn scroll(state: &mut State, action: Action) -> bool {
    match &state.dialog {
        Some(Dialog::Help { top }) => {
            let rows = help_rows(state.size);
            let steps = (menu::help(state).len() + 1).saturating_sub(rows).max(1);
            let new = moved(action, *top, steps, rows / 2);
            let changed = new != *top;
            state.dialog = Some(Dialog::Help { top: new });
            changed
        }
        Some(Dialog::Jobs { at }) => {
            let ids: Vec<JobId> = state.jobs.newest_first().map(|(id, _)| id).collect();
            let here = at.and_then(|at| ids.iter().position(|id| *id == at)).unwrap_or(0);
            let new = moved(action, here, ids.len(), 5);
            state.dialog = Some(Dialog::Jobs {
                at: ids.get(new).copied(),
            });
            new != here
        }
        Some(
            Dialog::Palette { .. }
            | Dialog::Type { .. }
            | Dialog::Confirm
            | Dialog::Create(_)
            | Dialog::Owner(_)
            | Dialog::Field(_)
            | Dialog::Name { .. }
            | Dialog::Ask(_),
        )
        | None => false,
    }
}

/// A key in a dialog with a text field.
pub(super) fn typed(state: &mut State, key: Key, effects: &mut Vec<Effect>) -> bool {
    match &state.dialog {
        Some(Dialog::Palette { .. }) => in_palette(state, key, effects),
        Some(Dialog::Type { .. }) => super::plan::typed(state, key, effects),
        Some(Dialog::Create(_)) => super::create::typed(state, key, effects),
        Some(Dialog::Owner(_)) => super::own::typed_owner(state, key, effects),
        Some(Dialog::Field(_)) => super::restore::typed_field(state, key, effects),
        Some(Dialog::Name { .. }) => typed_name(state, key, effects),
        Some(Dialog::Help { .. } | Dialog::Jobs { .. } | Dialog::Confirm | Dialog::Ask(_)) | None => false,
    }
}

/// A key in the field that asks for a mount's name.
fn typed_name(state: &mut State, key: Key, effects: &mut Vec<Effect>) -> bool {
    let wanted = wanted_name(state).map(str::to_owned);
    let Some(Dialog::Name { of, input, wrong }) = &mut state.dialog else {
        return false;
    };
    match input.key(key) {
        Typed::Changed => *wrong = false,
        Typed::Moved => {}
        Typed::Ignored => return false,
        Typed::Dropped => state.dialog = None,
        Typed::Accepted if wanted.is_some_and(|wanted| wanted == input.text()) => {
            return match of {
                Named::Own => super::own::confirmed(state, effects),
                Named::Restore => super::restore::confirmed(state, effects),
            };
        }
        Typed::Accepted => *wrong = true,
    }
    true
}

/// The name that has to be typed, as the dialog asks for it.
pub fn wanted_name(state: &State) -> Option<&str> {
    let Some(Dialog::Name { of, .. }) = &state.dialog else {
        return None;
    };
    let engine = state.engine()?;
    match of {
        Named::Own => Some(engine.own.as_ref()?.plan()?.typed_name()),
        Named::Restore => Some(super::super::restore::target_of(engine.restore.as_ref()?.plan()?)),
    }
}

fn in_palette(state: &mut State, key: Key, effects: &mut Vec<Effect>) -> bool {
    let Some(Dialog::Palette { input, at }) = &mut state.dialog else {
        return false;
    };
    let step = match key.code {
        KeyCode::Down | KeyCode::Tab => 1,
        KeyCode::Up | KeyCode::BackTab => -1,
        KeyCode::Char('n') if key.ctrl => 1,
        KeyCode::Char('p') if key.ctrl => -1,
        _ => 0,
    };
    if step != 0 {
        let (typed, here) = (input.text().to_owned(), *at);
        let count = menu::palette(state, &typed).len();
        let new = here.saturating_add_signed(step).min(count.saturating_sub(1));
        if let Some(Dialog::Palette { at, .. }) = &mut state.dialog {
            *at = new;
        }
        return true;
    }
    match input.key(key) {
        Typed::Changed => *at = 0,
        Typed::Moved => {}
        Typed::Ignored => return false,
        Typed::Dropped => state.dialog = None,
        Typed::Accepted => {
            let (typed, here) = (input.text().to_owned(), *at);
            let action = menu::palette(state, &typed).get(here).map(|row| row.action);
            state.dialog = None;
            if let Some(action) = action {
                super::act(state, action, effects);
            }
        }
    }
    true
}
