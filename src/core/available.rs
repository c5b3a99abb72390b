//! What can be done now: one answer for keys, footer, help and palette, so that none of them lies. Pure.

use super::action::{ACTIONS, Action, Declared, Section};
use super::state::{Dialog, EngineState, Screen, Search, State};
use crate::model::Scan;

/// Whether an action can be done in this state.
pub fn available(action: Action, state: &State) -> bool {
    under(state.dialog.as_ref(), action, state)
}

/// The actions that can be done now, as the table declares them: special sections first.
pub fn all(state: &State) -> Vec<&'static Declared> {
    listed(state.dialog.as_ref(), state)
}

/// The actions that can be done on the screen when no dialog lies over it.
pub fn beneath(state: &State) -> Vec<&'static Declared> {
    listed(None, state)
}

fn listed(dialog: Option<&Dialog>, state: &State) -> Vec<&'static Declared> {
    let sections = state.sections_under(dialog);
    let of = |section: Section| ACTIONS.iter().filter(move |row| row.section == section);
    sections
        .iter()
        .flat_map(|section| of(*section))
        .filter(|row| under(dialog, row.action, state))
        .collect()
}

fn under(dialog: Option<&Dialog>, action: Action, state: &State) -> bool {
    let Some(row) = action.declared() else { return false };
    state.sections_under(dialog).contains(&row.section)
        && match row.section {
            Section::Global => global(dialog, action, state),
            Section::Move => moving(dialog, state),
            Section::Start => matches!(state.search, Search::Failed(_)),
            Section::Mounts => state.engine().is_some_and(|engine| mounts(action, engine)),
            Section::Details => state.engine().is_some_and(has_containers),
            Section::Files | Section::Preview => files(action, state),
            Section::Jobs => cancellable(state),
        }
}

fn files(action: Action, state: &State) -> bool {
    state
        .engine()
        .and_then(|engine| engine.files.as_ref())
        .is_some_and(|files| files.available(action))
}

fn moving(dialog: Option<&Dialog>, state: &State) -> bool {
    match (dialog, state.screen) {
        (Some(_), _) => true,
        (None, Screen::Start) => false,
        (None, Screen::Mounts) => state.engine().is_some_and(|engine| engine.mounts.current().is_some()),
        (None, Screen::Details | Screen::Files) => true,
    }
}

fn has_current(engine: &EngineState) -> bool {
    engine.mounts.current().is_some()
}

fn has_containers(engine: &EngineState) -> bool {
    engine
        .mounts
        .current()
        .is_some_and(|(mount, _)| !mount.attachments.is_empty())
}

fn global(dialog: Option<&Dialog>, action: Action, state: &State) -> bool {
    let engine = state.engine();
    let over = dialog.is_some();
    match action {
        Action::Quit | Action::Suspend | Action::Help | Action::Palette | Action::Jobs => true,
        Action::Back => over || back(state),
        Action::Refresh => !over && engine.is_some_and(|engine| engine.loading.is_none()),
        Action::NextPane => {
            !over
                && match state.screen {
                    Screen::Mounts => state.details_open,
                    Screen::Files => files(action, state),
                    Screen::Start | Screen::Details => false,
                }
        }
        Action::ShowMounts => !over && engine.is_some() && state.screen != Screen::Mounts,
        Action::ShowDetails => !over && state.screen != Screen::Details && engine.is_some_and(has_current),
        Action::ShowFiles => !over && state.screen != Screen::Files && engine.is_some_and(browsable),
        Action::Copy => {
            !over
                && match state.screen {
                    Screen::Start => false,
                    Screen::Mounts | Screen::Details => engine.is_some_and(has_current),
                    Screen::Files => files(action, state),
                }
        }
        _ => true,
    }
}

/// Whether Back would close, clear or leave something of the screen.
fn back(state: &State) -> bool {
    match state.screen {
        Screen::Start => false,
        Screen::Details | Screen::Files => true,
        Screen::Mounts => {
            state.details_focused
                || state.details_open
                || state.notice.is_some()
                || state.engine().is_some_and(|engine| {
                    let mounts = &engine.mounts;
                    mounts.in_range() || !mounts.filter.text().is_empty() || mounts.quick().any()
                })
        }
    }
}

fn browsable(engine: &EngineState) -> bool {
    engine
        .mounts
        .current()
        .is_some_and(|(mount, _)| !matches!(mount.scan, Scan::Never(_)))
}

fn mounts(action: Action, engine: &EngineState) -> bool {
    match action {
        Action::OpenFiles => browsable(engine),
        Action::Inspect | Action::Mark | Action::MarkRange => has_current(engine),
        Action::MarkNone => engine.mounts.has_marks(),
        Action::Measure => engine.measuring.is_none() && !engine.mounts.chosen().is_empty(),
        Action::MeasureAll => engine.measuring.is_none() && has_mounts(engine),
        Action::CancelMeasure => engine.measuring.is_some(),
        _ => has_mounts(engine),
    }
}

fn has_mounts(engine: &EngineState) -> bool {
    engine
        .mounts
        .inventory()
        .is_some_and(|inventory| !inventory.mounts.is_empty())
}

fn cancellable(state: &State) -> bool {
    let Some(Dialog::Jobs { at }) = &state.dialog else {
        return false;
    };
    let chosen = at.or_else(|| state.jobs.newest_first().next().map(|(id, _)| id));
    chosen
        .and_then(|id| state.jobs.get(id))
        .is_some_and(|job| job.end.is_none() && !job.cancelling)
}
