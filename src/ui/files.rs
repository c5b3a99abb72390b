//! Draws the files screen. Knows its state alone.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::theme::Theme;
use crate::core::files::Files;
use crate::text;

/// Draws the files of one mount.
pub fn view(files: &Files, frame: &mut Frame<'_>, area: Rect, theme: &Theme) {
    let name = text::fit(
        &text::printable_str(&files.mount.name),
        usize::from(area.width),
        theme.glyphs.ellipsis,
    );
    frame.buffer_mut().set_string(area.x, area.y, name, theme.plain);
}
