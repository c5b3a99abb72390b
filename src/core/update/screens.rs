//! What actions do on the screens: table, details, files. Knows no engine.

use crossterm::event::KeyCode;

use super::super::action::Action;
use super::super::details::{self, Answer};
use super::super::effect::{Effect, EngineEffect};
use super::super::files::Files;
use super::super::key::Key;
use super::super::layout;
use super::super::mounts::{Mounts, Order, Quick};
use super::super::msg::{MaskedKey, Notice};
use super::super::state::{Context, Dialog, EngineState, Screen, State};
use super::{arrange, engine, with_current, with_files};
use crate::model::EngineId;

/// Does an action of the screen. Returns whether something on screen may look different.
pub(super) fn act(state: &mut State, action: Action, effects: &mut Vec<Effect>) -> bool {
    match action {
        Action::ShowMounts => show(state, Screen::Mounts, effects),
        Action::ShowDetails => show(state, Screen::Details, effects),
        Action::ShowFiles | Action::OpenFiles => open_files(state, effects),
        Action::Masked => masked(state, effects),
        Action::ShowDisk => {
            show(state, Screen::Disk, effects);
            super::disk::open(state, effects)
        }
        Action::ShowPlan => show(state, Screen::Plan, effects),
        Action::Create => super::dialogs::open(state, Dialog::Create(Box::default())),
        Action::Prune => super::plan::over_orphans(state, effects),
        Action::Remove => super::plan::over_chosen(state, effects),
        Action::Doctor => super::doctor::of_engine(state, effects),
        Action::DoctorMount => super::doctor::of_mount(state, effects),
        Action::Chown => super::own::ask_mount(state),
        Action::FilesChown => super::own::ask_entry(state),
        Action::FilesRestore => super::restore::of_entry(state, effects),
        Action::ShowUndo => super::undo::open(state, effects),
        Action::Backup => super::backup::over_chosen(state, effects),
        Action::ShowBackups => super::backups::open(state, effects),
        Action::Restore => super::backups::of_mount(state, effects),
        Action::Copy if matches!(state.screen, Screen::Mounts | Screen::Details) => copy(state, effects),
        _ => match state.screen {
            Screen::Start => false,
            Screen::Mounts => mounts(state, action, effects),
            Screen::Details => match action {
                Action::Back => show(state, Screen::Mounts, effects),
                _ => scroll_details(state, action),
            },
            Screen::Files => with_files(state, effects, |files, cx| files.action(action, cx)),
            Screen::Plan => super::plan::act(state, action, effects),
            Screen::Doctor => super::doctor::act(state, action, effects),
            Screen::Own => super::own::act(state, action, effects),
            Screen::Undo => super::undo::act(state, action, effects),
            Screen::Backup => super::backup::act(state, action, effects),
            Screen::Backups => super::backups::act(state, action, effects),
            Screen::Restore => super::restore::act(state, action, effects),
            Screen::Disk => match action {
                Action::Back => show(state, Screen::Mounts, effects),
                _ => super::disk::act(state, action, effects),
            },
        },
    }
}

pub(super) fn show(state: &mut State, screen: Screen, effects: &mut Vec<Effect>) -> bool {
    match state.screen {
        Screen::Files => drop(with_files(state, effects, |files, _| files.leave())),
        Screen::Plan => super::plan::leave(state, effects),
        Screen::Own => super::own::leave(state, effects),
        Screen::Backup => super::backup::leave(state, effects),
        Screen::Backups => super::backups::leave(state),
        Screen::Restore => super::restore::leave(state, effects),
        Screen::Start | Screen::Mounts | Screen::Details | Screen::Disk | Screen::Doctor | Screen::Undo => {}
    }
    state.screen = screen;
    state.details_focused = false;
    if screen == Screen::Files {
        // Back from a plan: everything stands where it was left, and asks again for what it shows.
        with_files(state, effects, |files, cx| files.resume(cx));
    }
    with_current(state, |_, engine| follow_cursor(engine));
    arrange(state);
    true
}

fn open_files(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    let Some(id) = state.current.clone() else { return false };
    let area = layout::shell(state.size).body;
    let Some(engine) = state.engines.get_mut(&id) else {
        return false;
    };
    let Some(mount) = engine.mounts.current().map(|(mount, _)| mount.clone()) else {
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
        // The same mount: everything stands where it was left.
        Some(files) if files.mount.id == mount.id => files.resume(&mut cx),
        _ => {
            let (files, wanted) = Files::open(mount, area, &mut cx);
            engine.files = Some(files);
            wanted
        }
    };
    effects.extend(
        wanted
            .into_iter()
            .map(|effect| Effect::Engine(id.clone(), EngineEffect::Files(effect))),
    );
    state.screen = Screen::Files;
    true
}

fn copy(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    let name = state
        .engine()
        .and_then(|engine| engine.mounts.current())
        .map(|(mount, _)| mount.name.clone());
    let Some(name) = name else { return false };
    state.notice = Some(Notice::good(format!("copied {name}")));
    effects.push(Effect::Copy(name));
    true
}

fn masked(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    with_current(state, |id, engine| {
        let Some((mount, _)) = engine.mounts.current() else {
            return false;
        };
        let keys: Vec<MaskedKey> = mount
            .attachments
            .iter()
            .map(|attachment| MaskedKey {
                container: attachment.container_id.clone(),
                destination: attachment.destination.clone(),
            })
            .collect();
        for key in keys {
            if engine.details.masked.get(&key) != Some(&Answer::Waiting) {
                engine.details.masked.insert(key.clone(), Answer::Waiting);
                effects.push(Effect::Engine(id.clone(), EngineEffect::Masked(key)));
            }
        }
        true
    })
}

fn mounts(state: &mut State, action: Action, effects: &mut Vec<Effect>) -> bool {
    match action {
        Action::Inspect => {
            state.details_open = !state.details_open;
            state.details_focused = false;
            arrange(state);
            true
        }
        Action::NextPane => {
            state.details_focused = !state.details_focused;
            true
        }
        Action::Back => back(state),
        Action::Measure | Action::MeasureAll => {
            let Some(id) = state.current.clone() else { return false };
            let chosen = state.engine().map(|engine| match action {
                Action::Measure => engine.mounts.chosen(),
                _ => engine.mounts.measurable(),
            });
            chosen.is_some_and(|mounts| engine::measure(state, &id, mounts, action == Action::Measure, effects))
        }
        Action::CancelMeasure => {
            let job = state.engine().and_then(|engine| engine.measuring);
            job.is_some_and(|job| super::dialogs::cancel(state, job, effects))
        }
        _ if state.details_focused && is_move(action) => scroll_details(state, action),
        _ => {
            let now = state.now;
            with_current(state, |_, engine| {
                let changed = table(&mut engine.mounts, action, now);
                follow_cursor(engine);
                changed
            })
        }
    }
}

pub(super) fn is_move(action: Action) -> bool {
    matches!(
        action,
        Action::Down | Action::Up | Action::PageDown | Action::PageUp | Action::First | Action::Last
    )
}

fn table(table: &mut Mounts, action: Action, now: time::OffsetDateTime) -> bool {
    let (order, quick) = (table.order(), table.quick());
    match action {
        Action::Down => table.step(1),
        Action::Up => table.step(-1),
        Action::PageDown => table.page(true),
        Action::PageUp => table.page(false),
        Action::First => table.edge(false),
        Action::Last => table.edge(true),
        Action::Mark => table.mark(),
        Action::MarkRange => table.mark_range(),
        Action::MarkNone => table.mark_none(),
        Action::Filter => {
            table.typing = true;
            true
        }
        Action::Orphans => table.set_quick(
            Quick {
                orphans: !quick.orphans,
                ..quick
            },
            now,
        ),
        Action::Anonymous => table.set_quick(
            Quick {
                anonymous: !quick.anonymous,
                ..quick
            },
            now,
        ),
        Action::Binds => table.set_quick(
            Quick {
                binds: !quick.binds,
                ..quick
            },
            now,
        ),
        Action::Class => table.set_quick(
            Quick {
                class: quick.class.next(),
                ..quick
            },
            now,
        ),
        Action::Sort => table.set_order(
            Order {
                column: order.column.next(),
                reverse: false,
                ..order
            },
            now,
        ),
        Action::SortReverse => table.set_order(
            Order {
                reverse: !order.reverse,
                ..order
            },
            now,
        ),
        Action::Group => table.set_order(
            Order {
                group: !order.group,
                ..order
            },
            now,
        ),
        _ => false,
    }
}

/// Arrow keys choose a row while the filter is being typed.
pub(super) fn step_by_arrow(table: &mut Mounts, key: Key) -> bool {
    match key.code {
        KeyCode::Down => table.step(1),
        KeyCode::Up => table.step(-1),
        KeyCode::PageDown => table.page(true),
        KeyCode::PageUp => table.page(false),
        _ => false,
    }
}

/// Closes or clears the latest thing: the range in the making, the pane, the filter, the quick filters.
fn back(state: &mut State) -> bool {
    let now = state.now;
    if state.details_focused {
        state.details_focused = false;
        return true;
    }
    let cleared = with_current(state, |_, engine| {
        let table = &mut engine.mounts;
        if table.in_range() {
            return table.drop_range();
        }
        if !table.filter.text().is_empty() {
            table.filter.clear();
            table.arrange(now);
            return true;
        }
        table.quick().any() && table.set_quick(Quick::default(), now)
    });
    if !cleared && state.details_open {
        state.details_open = false;
        arrange(state);
        return true;
    }
    cleared
}

/// The details start at their top when the cursor is on another mount.
fn follow_cursor(engine: &mut EngineState) {
    let current = engine.mounts.current().map(|(mount, _)| &mount.id);
    if engine.details.of.as_ref() != current {
        engine.details.of = current.cloned();
        engine.details.top = 0;
    }
}

fn scroll_details(state: &mut State, action: Action) -> bool {
    let area = match state.screen {
        Screen::Details => layout::details_screen(state.size),
        _ => layout::mounts(state.size, true).details.unwrap_or_default(),
    };
    let now = state.now;
    with_current(state, |_: &EngineId, engine| {
        let Some((mount, size)) = engine.mounts.current() else {
            return false;
        };
        let lines = details::lines_of(engine, mount, size, now, area.width).len();
        super::dialogs::scroll_lines(action, &mut engine.details.top, lines, area.height)
    })
}
