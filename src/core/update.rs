//! Folds messages into the state and says what is to be done. Pure: no I/O, no clock.

use std::sync::Arc;

use crossterm::event::KeyCode;

use super::action::Action;
use super::available::{available, held_up};
use super::effect::{Effect, EngineEffect};
use super::files;
use super::input::Typed;
use super::key::Key;
use super::layout;
use super::msg::{Connected, Msg, Notice};
use super::state::{Asked, Context, Dialog, EngineState, Link, Screen, Search, State};
use crate::model::EngineId;
use crate::ops::list::Depth;

mod backup;
mod backups;
mod create;
mod dialogs;
mod disk;
pub mod doctor;
mod engine;
mod own;
mod plan;
mod removal;
mod restore;
mod screens;
mod undo;

pub use dialogs::wanted_name;

/// Folds one message. Sets [`State::changed`] when something on screen may look different.
pub fn update(state: &mut State, msg: Msg) -> Vec<Effect> {
    let mut effects = Vec::new();
    let changed = apply(state, msg, &mut effects);
    state.changed |= changed;
    effects
}

/// Folds one message; returns whether something on screen may look different.
fn apply(state: &mut State, msg: Msg, effects: &mut Vec<Effect>) -> bool {
    match msg {
        Msg::Now(now) => {
            state.now = now;
            false
        }
        Msg::Key(key) => self::key(state, key, effects),
        Msg::Paste(text) => paste(state, &text, effects),
        Msg::Resize(columns, rows) => {
            state.size = (columns, rows);
            arrange(state);
            true
        }
        Msg::Connected(connected) => {
            self::connected(state, connected, effects);
            true
        }
        Msg::NotConnected(tried) => {
            state.search = Search::Failed(tried);
            true
        }
        Msg::Engine(id, msg) => engine::update(state, &id, msg, effects),
        Msg::Job(id, event) => {
            let measured = engine::job_ended(state, id, &event);
            let removed = removal::job_ended(state, id, &event);
            let ended = event.clone();
            let changed = state.jobs.fold(id, event, state.now);
            doctor::job_ended(state, id, &ended, effects);
            own::job_ended(state, id, &ended, effects);
            undo::job_ended(state, id, &ended, effects);
            backup::job_ended(state, id, &ended, effects);
            backups::job_ended(state, id, &ended);
            restore::job_ended(state, id, &ended, effects);
            if let Some(engine) = measured {
                engine::measurement_ended(state, &engine, effects);
            }
            if let Some(engine) = removed {
                removal::ended(state, &engine, effects);
            }
            changed
        }
        Msg::Notice(notice) => {
            state.notice = Some(notice);
            true
        }
    }
}

fn connected(state: &mut State, connected: Connected, effects: &mut Vec<Effect>) {
    let Connected {
        id,
        endpoint,
        about,
        demo,
    } = connected;
    let engine = EngineState {
        endpoint,
        about,
        demo,
        link: Link::Connecting,
        loading: Some(Depth::Rows),
        listed: false,
        stale: false,
        outdated: false,
        fault: None,
        mounts: super::mounts::Mounts::new(state.settings.order, Arc::clone(&state.settings.rules)),
        details: super::details::Details::default(),
        files: None,
        first_measured: false,
        measuring: None,
        measuring_first: false,
        plan: None,
        disk: super::disk::Disk::default(),
        doctor: None,
        known: super::doctor::Known::default(),
        own: None,
        undo: super::undo::Undo::default(),
        backup: None,
        copied: None,
        backups: super::backups::Backups::default(),
        restore: None,
        switching: std::collections::BTreeMap::new(),
        plans: 0,
        cached: Asked::No,
        space_asked: false,
        space: None,
    };
    state.engines.insert(id.clone(), engine);
    state.current = Some(id.clone());
    state.search = Search::Found;
    state.screen = Screen::Mounts;
    arrange(state);
    effects.push(Effect::Engine(id.clone(), EngineEffect::Watch));
    effects.push(Effect::Engine(id, EngineEffect::Load(Depth::Rows)));
}

/// Tells every part how much room it has.
fn arrange(state: &mut State) {
    let rows = usize::from(layout::mounts(state.size, state.details_open).rows.height);
    let planned = usize::from(layout::plan(state.size).rows.height);
    let body = layout::shell(state.size).body;
    for engine in state.engines.values_mut() {
        engine.mounts.set_height(rows);
        if let Some(review) = &mut engine.plan {
            review.set_height(planned);
        }
        if let Some(doctor) = &mut engine.doctor {
            doctor.list.set_height(planned);
        }
        engine.undo.list.set_height(planned);
        engine.backups.list.set_height(planned.saturating_sub(1));
        if let Some(files) = &mut engine.files {
            files.resize(body);
        }
    }
}

fn key(state: &mut State, key: Key, effects: &mut Vec<Effect>) -> bool {
    let action = match state.wants_text() {
        true => None,
        false => state.keymap.action(key, &state.sections()),
    };
    match action {
        Some(action) if available(action, state) => act(state, action, effects),
        Some(action) => match held_up(action, state) {
            Some(why) => {
                state.notice = Some(Notice::warning(why));
                true
            }
            None => false,
        },
        // Terminals send Alt as an escape before the key. Without a meaning of its own it was Esc, with the next
        // key so close behind (a slow link gathers them) that both were read at once.
        None if key.alt => {
            let escaped = self::key(state, Key::plain(KeyCode::Esc), effects);
            self::key(state, Key { alt: false, ..key }, effects) || escaped
        }
        None if state.wants_text() => text(state, key, effects),
        None => false,
    }
}

/// Does an action that is available. Returns whether something on screen may look different.
fn act(state: &mut State, action: Action, effects: &mut Vec<Effect>) -> bool {
    // A notice is for the moment: the next thing that the operator does takes it away.
    let noticed = state.notice.take().is_some();
    let done = match action {
        // A removal ends between two volumes: who quits sees where it stopped, and quits again.
        Action::Quit if removal::stop(state, effects) => true,
        Action::Quit => {
            effects.push(Effect::Quit);
            false
        }
        Action::Suspend => {
            effects.push(Effect::Suspend);
            false
        }
        _ if state.dialog.is_some() => dialogs::act(state, action, effects),
        Action::Help => dialogs::open(state, Dialog::Help { top: 0 }),
        Action::Palette => dialogs::open(
            state,
            Dialog::Palette {
                input: super::input::Input::default(),
                at: 0,
            },
        ),
        Action::Jobs => dialogs::open(state, Dialog::Jobs { at: None }),
        Action::Demo => {
            state.search = Search::Running;
            effects.push(Effect::Demo);
            true
        }
        Action::Retry => {
            state.search = Search::Running;
            effects.push(Effect::Connect);
            true
        }
        Action::Refresh if state.screen == Screen::Plan => plan::refresh(state, effects),
        Action::Refresh if state.screen == Screen::Own => own::refresh(state, effects),
        Action::Refresh if state.screen == Screen::Undo => undo::ask(state, effects),
        Action::Refresh if state.screen == Screen::Backup => backup::refresh(state, effects),
        Action::Refresh if state.screen == Screen::Backups => backups::ask(state, effects),
        Action::Refresh if state.screen == Screen::Restore => restore::refresh(state, effects),
        Action::Refresh if state.screen == Screen::Disk => {
            disk::ask(state, effects);
            with_current(state, |id, engine| engine::load(id, engine, effects));
            true
        }
        Action::Refresh => {
            let files = state.screen == Screen::Files
                && with_files(state, effects, |files, cx| files.action(Action::Refresh, cx));
            files
                | with_current(state, |id, engine| {
                    if matches!(engine.link, Link::Lost { .. } | Link::Deaf(_)) {
                        effects.push(Effect::Engine(id.clone(), EngineEffect::Retry));
                    }
                    engine::load(id, engine, effects)
                })
        }
        _ => screens::act(state, action, effects),
    };
    done || noticed
}

/// Runs something on the engine on screen; `false` when there is none.
fn with_current<T: Default>(state: &mut State, f: impl FnOnce(&EngineId, &mut EngineState) -> T) -> T {
    let Some(id) = &state.current else { return T::default() };
    state
        .engines
        .get_mut(id)
        .map(|engine| f(id, engine))
        .unwrap_or_default()
}

/// Runs something on the files screen of the engine on screen, and takes over what it wants.
fn with_files(
    state: &mut State,
    effects: &mut Vec<Effect>,
    f: impl FnOnce(&mut files::Files, &mut Context<'_>) -> Vec<files::Effect>,
) -> bool {
    let Some(id) = state.current.clone() else { return false };
    engine::files(state, &id, effects, f)
}

fn text(state: &mut State, key: Key, effects: &mut Vec<Effect>) -> bool {
    if state.dialog.is_some() {
        return dialogs::typed(state, key, effects);
    }
    if state.screen == Screen::Files {
        return with_files(state, effects, |files, cx| files.key(key, cx));
    }
    if state.screen == Screen::Plan {
        return plan::filter(state, key);
    }
    if state.screen == Screen::Backups {
        return backups::typed(state, key);
    }
    let now = state.now;
    with_current(state, |_, engine| {
        let mounts = &mut engine.mounts;
        match mounts.filter.key(key) {
            Typed::Changed => mounts.arrange(now),
            Typed::Moved => {}
            Typed::Accepted => mounts.typing = false,
            Typed::Dropped => {
                mounts.typing = false;
                mounts.filter.clear();
                mounts.arrange(now);
            }
            // Arrows choose a row without leaving the filter.
            Typed::Ignored => return screens::step_by_arrow(mounts, key),
        }
        true
    })
}

fn paste(state: &mut State, text: &str, effects: &mut Vec<Effect>) -> bool {
    if !state.wants_text() {
        return false;
    }
    match &mut state.dialog {
        Some(Dialog::Palette { input, at }) => {
            input.paste(text);
            *at = 0;
            return true;
        }
        Some(Dialog::Type { input, wrong, .. }) => {
            input.paste(text);
            *wrong = false;
            return true;
        }
        Some(Dialog::Create(form)) => {
            form.paste(text);
            return true;
        }
        Some(Dialog::Owner(form)) => {
            form.input.paste(text);
            form.error = None;
            return true;
        }
        Some(Dialog::Field(field)) => {
            field.input.paste(text);
            field.error = None;
            return true;
        }
        Some(Dialog::Name { input, wrong, .. }) => {
            input.paste(text);
            *wrong = false;
            return true;
        }
        Some(Dialog::Help { .. } | Dialog::Jobs { .. } | Dialog::Confirm | Dialog::Ask(_)) => return false,
        None => {}
    }
    if state.screen == Screen::Plan {
        return plan::paste(state, text);
    }
    if state.screen == Screen::Backups {
        return backups::paste(state, text);
    }
    if state.screen == Screen::Files {
        return with_files(state, effects, |files, _| {
            files.paste(text);
            Vec::new()
        });
    }
    let now = state.now;
    with_current(state, |_, engine| {
        engine.mounts.filter.paste(text);
        engine.mounts.arrange(now);
        true
    })
}

#[cfg(test)]
mod tests;
