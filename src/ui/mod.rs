//! Draws the state. Changes nothing, asks nothing; every outside text passes [`crate::text`].

pub mod files;
pub mod theme;

use ratatui::Frame;

pub use theme::{Colours, Theme};

use crate::core::state::State;

/// Draws the whole screen.
pub fn view(state: &State, theme: &Theme, frame: &mut Frame<'_>) {
    let area = frame.area();
    if let Some(files) = state.engine().and_then(|engine| engine.files.as_ref()) {
        files::view(files, frame, area, theme);
    }
}
