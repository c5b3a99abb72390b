//! A change of owner or mode: the field that asks for an owner, what would change, what came of it.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::dialogs::boxed;
use super::footer;
use super::pen::Pen;
use super::review::{self, Page};
use super::theme::Theme;
use crate::core::layout;
use crate::core::own::{self, Form};
use crate::core::state::{EngineState, State};
use crate::text;

/// Columns of the field's box.
const COLUMNS: u16 = 72;
/// Lines for what is wrong, or for who suggested the owner.
const WORDS: u16 = 3;

/// Draws the screen of a change.
pub(super) fn view(state: &State, engine: &EngineState, theme: &Theme, frame: &mut Frame<'_>) {
    let Some(review) = &engine.own else { return };
    let width = layout::below_bar(state.size).width;
    let page = Page {
        stage: own::stage_words(review, state.now),
        job: review.job(),
        lines: own::lines(review, width),
        top: review.top,
    };
    review::view(state, &page, theme, frame);
}

/// Draws the field that asks for an owner.
pub(super) fn owner(state: &State, form: &Form, theme: &Theme, frame: &mut Frame<'_>) {
    let area = boxed(state, "owner", COLUMNS, 4 + WORDS, theme, frame);
    let line = |at: u16| Rect {
        y: area.y + at.min(area.height),
        height: u16::from(at < area.height),
        ..area
    };
    let place = match form.path.is_root() {
        true => text::printable_str(&form.mount.name),
        false => format!(
            "{} in {}",
            text::printable(form.path.as_bytes()),
            text::printable_str(&form.mount.name)
        ),
    };
    let room = usize::from(area.width);
    let place = text::fit_middle(&place, room, theme.glyphs.ellipsis);
    Pen::new(frame.buffer_mut(), line(0), 0, theme.glyphs.ellipsis).put(&place, theme.group);
    Pen::new(frame.buffer_mut(), line(1), 0, theme.glyphs.ellipsis)
        .put("this and all below shall belong to UID:GID, UID or :GID", theme.dim);
    let mut pen = Pen::new(frame.buffer_mut(), line(2), 0, theme.glyphs.ellipsis);
    pen.put("> ", theme.key);
    footer::input(&mut pen, &form.input, true, theme);
    let (words, style) = match (&form.error, &form.suggested) {
        (Some(why), _) => (text::printable_str(why), theme.fault),
        (None, Some(finding)) => (format!("the doctor says: {}", text::printable_str(finding)), theme.dim),
        (None, None) => (
            "what it would change is counted first; nothing is changed by that".to_owned(),
            theme.dim,
        ),
    };
    for (at, words) in (4..4 + WORDS).zip(text::wrap(&words, room.max(8))) {
        Pen::new(frame.buffer_mut(), line(at), 0, theme.glyphs.ellipsis).put(&words, style);
    }
}

#[cfg(test)]
mod tests;
