//! Draws the state. Changes nothing, asks nothing; every outside text passes [`crate::text`].

mod backup;
mod backups;
mod columns;
mod create;
mod details;
mod dialogs;
mod disk;
mod doctor;
pub mod files;
mod footer;
mod header;
mod jobs;
mod mounts;
mod own;
pub mod pen;
mod plan;
mod question;
mod restore;
mod review;
mod start;
mod status;
pub mod theme;
mod undo;

use ratatui::Frame;

pub use theme::{Colours, Theme};

use crate::core::layout;
use crate::core::state::{Dialog, Screen, State};
use pen::Pen;

/// Draws the whole screen.
pub fn view(state: &State, theme: &Theme, frame: &mut Frame<'_>) {
    let area = frame.area();
    let size = (area.width, area.height);
    if layout::too_small(size) {
        too_small(size, theme, frame);
        return;
    }
    let shell = layout::shell(size);
    header::view(state, theme, frame, shell.header);
    match (state.screen, state.engine()) {
        (Screen::Start, _) | (_, None) => start::view(state, theme, frame, shell.body),
        (Screen::Mounts, Some(engine)) => mounts::view(state, engine, theme, frame),
        (Screen::Details, Some(engine)) => {
            details::view(engine, state.now, theme, frame, layout::details_screen(size));
        }
        (Screen::Disk, Some(engine)) => disk::view(state, engine, theme, frame, layout::details_screen(size)),
        (Screen::Doctor, Some(engine)) => doctor::view(state, engine, theme, frame),
        (Screen::Own, Some(engine)) => own::view(state, engine, theme, frame),
        (Screen::Undo, Some(engine)) => undo::view(state, engine, theme, frame),
        (Screen::Backup, Some(engine)) => backup::view(state, engine, theme, frame),
        (Screen::Backups, Some(engine)) => backups::view(state, engine, theme, frame),
        (Screen::Restore, Some(engine)) => restore::view(state, engine, theme, frame),
        (Screen::Plan, Some(engine)) => plan::view(state, engine, theme, frame),
        (Screen::Files, Some(engine)) => {
            if let Some(files) = &engine.files {
                files::view(files, frame, shell.body, theme);
            }
        }
    }
    status::view(state, theme, frame, shell.status);
    footer::view(state, theme, frame, shell.footer);
    match &state.dialog {
        Some(Dialog::Help { top }) => dialogs::help(state, *top, theme, frame),
        Some(Dialog::Palette { input, at }) => dialogs::palette(state, input, *at, theme, frame),
        Some(Dialog::Jobs { at }) => jobs::view(state, *at, theme, frame),
        Some(Dialog::Type { wanted, input, wrong }) => question::name(state, wanted, input, *wrong, theme, frame),
        Some(Dialog::Confirm) => question::confirm(state, theme, frame),
        Some(Dialog::Owner(form)) => own::owner(state, form, theme, frame),
        Some(Dialog::Field(field)) => restore::field(state, field, theme, frame),
        Some(Dialog::Name { of, input, wrong }) => question::type_it(state, *of, input, *wrong, theme, frame),
        Some(Dialog::Ask(question)) => question::ask(state, question, theme, frame),
        Some(Dialog::Create(form)) => create::view(state, form, theme, frame),
        None => {}
    }
}

fn too_small((columns, rows): (u16, u16), theme: &Theme, frame: &mut Frame<'_>) {
    let (least_columns, least_rows) = layout::SMALLEST;
    let lines = [
        "too small for vole".to_owned(),
        format!("needs {least_columns} x {least_rows}"),
        format!("this is {columns} x {rows}"),
    ];
    let area = frame.area();
    for (line, text) in (0..area.height).zip(lines) {
        Pen::new(frame.buffer_mut(), area, line, theme.glyphs.ellipsis).put(&text, theme.plain);
    }
}

#[cfg(test)]
mod tests;
