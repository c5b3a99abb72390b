//! What keys and answers do to the form of a new volume. Knows no engine.

use crossterm::event::KeyCode;

use super::super::effect::{Effect, EngineEffect};
use super::super::input::Typed;
use super::super::key::Key;
use super::super::msg::Notice;
use super::super::state::{Dialog, State};
use super::engine;
use crate::model::EngineId;
use crate::ops::create::CreateError;

/// A key in the form.
pub(super) fn typed(state: &mut State, key: Key, effects: &mut Vec<Effect>) -> bool {
    let Some(Dialog::Create(form)) = &mut state.dialog else {
        return false;
    };
    let step = match key.code {
        KeyCode::Tab | KeyCode::Down => Some(true),
        KeyCode::BackTab | KeyCode::Up => Some(false),
        KeyCode::Enter if !key.ctrl && !form.is_last() => Some(true),
        _ => None,
    };
    if let Some(forward) = step {
        form.turn(forward);
        return true;
    }
    let waiting = form.waiting;
    let Some(input) = form.inputs.get_mut(form.at) else {
        return false;
    };
    // While the engine is asked, what was typed stands.
    let mut scratch = input.clone();
    match if waiting { scratch.key(key) } else { input.key(key) } {
        Typed::Dropped => state.dialog = None,
        _ if waiting => return false,
        Typed::Changed => form.error = None,
        Typed::Moved => {}
        Typed::Ignored => return false,
        Typed::Accepted => ask(state, effects),
    }
    true
}

fn ask(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(id) = state.current.clone() else { return };
    let Some(table) = state.engines.get(&id).map(|engine| &engine.mounts) else {
        return;
    };
    let Some(Dialog::Create(form)) = &mut state.dialog else {
        return;
    };
    match form.wanted() {
        // Engines answer as if they had made it, and keep the old one.
        Ok(wanted) if table.has_volumes(std::slice::from_ref(&wanted.name)) => {
            form.error = Some(CreateError::Exists(wanted.name).to_string());
        }
        Ok(wanted) => {
            form.waiting = true;
            form.error = None;
            effects.push(Effect::Engine(id, EngineEffect::Create(wanted)));
        }
        Err(why) => form.error = Some(why),
    }
}

/// The engine answered. Returns whether something on screen may look different.
pub(super) fn made(
    state: &mut State,
    id: &EngineId,
    name: String,
    result: Result<(), CreateError>,
    effects: &mut Vec<Effect>,
) -> bool {
    let asked = |dialog: &&mut Dialog| matches!(dialog, Dialog::Create(form) if form.waiting);
    let open = state.dialog.as_mut().filter(asked);
    match (result, open) {
        (Ok(()), open) => {
            let close = open.is_some();
            if close {
                state.dialog = None;
            }
            state.notice = Some(Notice::good(format!("made volume {name}")));
            // Engines without events would not tell.
            if let Some(engine) = state.engines.get_mut(id) {
                engine::load(id, engine, effects);
            }
        }
        (Err(error), Some(Dialog::Create(form))) => {
            form.waiting = false;
            form.error = Some(error.to_string());
        }
        // The form was closed meanwhile.
        (Err(error), _) => {
            state.notice = Some(Notice::fault(format!("volume {name} was not made: {error}")));
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::msg::{EngineMsg, Tone};
    use crate::core::sample::{engine, keys, listing, tell, volume};
    use crate::engine::daemon::NewVolume;

    fn error(state: &State) -> Option<&str> {
        match &state.dialog {
            Some(Dialog::Create(form)) => form.error.as_deref(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_form_is_filled_field_by_field_and_asked_for_once() {
        let mut state = listing(vec![volume("taken")]);
        assert_eq!(keys(&mut state, "n a b enter enter"), []);
        let effects = keys(&mut state, "t y p e = t m p f s tab x = 1 backtab tab enter enter q");
        let wanted = NewVolume {
            name: "ab".to_owned(),
            driver: None,
            options: [("type".to_owned(), "tmpfs".to_owned())].into(),
            labels: [("x".to_owned(), "1".to_owned())].into(),
        };
        assert_eq!(effects, [Effect::Engine(engine(), EngineEffect::Create(wanted))]);
        let result = Ok(());
        let name = "ab".to_owned();
        let effects = tell(&mut state, EngineMsg::Created { name, result });
        assert_eq!(
            (state.dialog.is_none(), effects.len()),
            (true, 1),
            "and the list is asked for"
        );
        assert_eq!(state.notice.unwrap().tone, Tone::Good);
    }

    #[test]
    fn mistakes_and_refusals_are_told_in_the_form() {
        let mut state = listing(vec![volume("taken")]);
        assert_eq!(keys(&mut state, "n ctrl-enter"), []);
        assert!(error(&state).unwrap().contains("no name for a volume"));
        assert_eq!(keys(&mut state, "t a k e n ctrl-enter"), []);
        assert!(error(&state).unwrap().contains("already"));
        keys(&mut state, "x");
        assert_eq!(error(&state), None);
        assert_eq!(keys(&mut state, "ctrl-enter").len(), 1);
        let refused = || EngineMsg::Created {
            name: "takenx".to_owned(),
            result: Err(CreateError::Another("takenx".to_owned())),
        };
        tell(&mut state, refused());
        assert!(error(&state).unwrap().contains("in between"));
        keys(&mut state, "esc");
        tell(&mut state, refused());
        assert_eq!(state.notice.unwrap().tone, Tone::Fault);
    }

    #[test]
    fn read_only_makes_nothing() {
        let mut state = listing(vec![volume("taken")]);
        state.settings.read_only = true;
        keys(&mut state, "n");
        assert_eq!(state.dialog, None);
    }
}
