//! The form of a new volume.

use ratatui::Frame;

use super::dialogs::boxed;
use super::footer;
use super::pen::Pen;
use super::theme::Theme;
use crate::core::create::{FIELDS, Form};
use crate::core::state::State;
use crate::text;

/// Columns of the form.
const COLUMNS: u16 = 72;
/// Lines for what is wrong.
const ERROR: u16 = 3;
/// What may be typed into each field.
const HINTS: [&str; 4] = [
    "letters, digits, _ . -",
    "local",
    "K=V K=V, as type=nfs device=:/export o=addr=nas,rw",
    "K=V, K=V",
];

/// Draws the form.
pub(super) fn view(state: &State, form: &Form, theme: &Theme, frame: &mut Frame<'_>) {
    let fields = u16::try_from(FIELDS.len()).unwrap_or(0);
    let area = boxed(state, "new volume", COLUMNS, fields + 1 + ERROR, theme, frame);
    let rows = FIELDS.iter().zip(&form.inputs).zip(HINTS).enumerate();
    for (line, (at, ((name, input), hint))) in (0..area.height).zip(rows) {
        let here = at == form.at;
        let mut pen = Pen::new(frame.buffer_mut(), area, line, theme.glyphs.ellipsis);
        pen.put(if here { theme.glyphs.cursor } else { " " }, theme.accent)
            .cell(name, 9, if here { theme.selected } else { theme.dim });
        footer::input(&mut pen, input, here && !form.waiting, theme);
        if input.text().is_empty() {
            pen.put(hint, theme.faint);
        }
    }
    let (words, style) = match (&form.error, form.waiting) {
        (Some(why), _) => (text::printable_str(why), theme.fault),
        (None, true) => ("the engine is asked".to_owned(), theme.dim),
        (None, false) => return,
    };
    let lines = text::wrap(&words, usize::from(area.width).max(8));
    for (line, words) in (fields + 1..area.height).zip(&lines) {
        Pen::new(frame.buffer_mut(), area, line, theme.glyphs.ellipsis).put(words, style);
    }
}

#[cfg(test)]
mod tests {
    use crate::core::sample::{keys, listing, volume};
    use crate::ui::tests::frame;

    #[test]
    fn the_form_of_a_new_volume() {
        let mut state = listing(vec![volume("taken")]);
        keys(&mut state, "n t a k e n tab tab o = r w ctrl-enter");
        insta::assert_snapshot!("create_80x24", frame(&state));
    }
}
