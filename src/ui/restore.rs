//! A restore: from where, where to, what came of it; and the fields that ask for a part of that.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::dialogs::boxed;
use super::footer;
use super::pen::Pen;
use super::review::{self, Page};
use super::theme::Theme;
use crate::core::layout;
use crate::core::restore::{self, Field};
use crate::core::state::{EngineState, State};
use crate::text;

/// Columns of a field's box.
const COLUMNS: u16 = 72;
/// Lines for what is wrong.
const WORDS: u16 = 3;

/// Draws the screen of a restore.
pub(super) fn view(state: &State, engine: &EngineState, theme: &Theme, frame: &mut Frame<'_>) {
    let Some(review) = &engine.restore else { return };
    let width = layout::below_bar(state.size).width;
    let page = Page {
        stage: restore::stage_words(review, state.now),
        job: review.job(),
        lines: restore::lines(review, state.now, width),
        top: review.top,
    };
    review::view(state, &page, theme, frame);
}

/// Draws a field.
pub(super) fn field(state: &State, field: &Field, theme: &Theme, frame: &mut Frame<'_>) {
    let room = usize::from(COLUMNS.min(state.size.0.saturating_sub(4)));
    let hints = text::wrap(field.asked.hint(), room.max(8));
    let above = u16::try_from(hints.len()).unwrap_or(1);
    let area = boxed(state, field.asked.title(), COLUMNS, above + 2 + WORDS, theme, frame);
    let line = |at: u16| Rect {
        y: area.y + at.min(area.height),
        height: u16::from(at < area.height),
        ..area
    };
    for (at, hint) in (0..above).zip(&hints) {
        Pen::new(frame.buffer_mut(), line(at), 0, theme.glyphs.ellipsis).put(hint, theme.dim);
    }
    let mut pen = Pen::new(frame.buffer_mut(), line(above), 0, theme.glyphs.ellipsis);
    pen.put("> ", theme.key);
    footer::input(&mut pen, &field.input, true, theme);
    let Some(why) = &field.error else { return };
    let words = text::wrap(&text::printable_str(why), usize::from(area.width).max(8));
    for (at, words) in (above + 2..above + 2 + WORDS).zip(&words) {
        Pen::new(frame.buffer_mut(), line(at), 0, theme.glyphs.ellipsis).put(words, theme.fault);
    }
}

#[cfg(test)]
mod tests;
