//! The last line: keys that work here now, from the one action table. It never offers what cannot be done.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::pen::{Pen, columns_of};
use super::theme::Theme;
use crate::core::action::{Action, Declared};
use crate::core::available;
use crate::core::input::Input;
use crate::core::key::Key;
use crate::core::state::{Dialog, Named, State};
use crate::text;

/// Draws the footer.
pub(super) fn view(state: &State, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let mut pen = Pen::new(frame.buffer_mut(), area, 0, theme.glyphs.ellipsis);
    pen.skip(1);
    if state.wants_text() {
        let accept = match &state.dialog {
            Some(Dialog::Type { .. }) => "take along",
            Some(Dialog::Name { of: Named::Own, .. }) => "change",
            Some(Dialog::Name { of: Named::Restore, .. }) => "restore",
            Some(Dialog::Field(_)) => "plan",
            Some(Dialog::Owner(_)) => "count",
            _ => "accept",
        };
        let mut pairs = vec![("enter", accept), ("esc", "cancel"), ("ctrl-u", "clear")];
        if let Some(Dialog::Create(form)) = &state.dialog {
            let enter = if form.is_last() { "create" } else { "next field" };
            pairs = vec![
                ("enter", enter),
                ("tab", "next field"),
                ("ctrl-enter", "create"),
                ("esc", "cancel"),
            ];
        }
        pairs.iter().for_each(|(key, word)| pair(&mut pen, key, word, theme));
        return;
    }
    let rows = available::all(state);
    let shown = |row: &&&Declared| !row.short.is_empty();
    // Help and quit stand at the end, whatever else has room.
    let last = |row: &Declared| matches!(row.action, Action::Quit | Action::Help);
    let mut tail: Vec<(String, &str)> = Vec::new();
    for row in rows.iter().filter(shown).filter(|row| last(row)) {
        tail.extend(state.keymap.keys(row.action).first().map(|key| (word(*key), row.short)));
    }
    pen.at_end(" ", theme.dim);
    for (key, word) in tail.iter().rev() {
        if pen.at_end(&format!(" {word}"), theme.dim) {
            pen.at_end(key, theme.key);
            pen.at_end("  ", theme.dim);
        }
    }
    for row in rows.iter().filter(shown).filter(|row| !last(row)) {
        let Some(key) = state.keymap.keys(row.action).first() else {
            continue;
        };
        pair(&mut pen, &word(*key), row.short, theme);
    }
}

/// A key as the footer writes it.
fn word(key: Key) -> String {
    key.to_string()
}

fn pair(pen: &mut Pen<'_>, key: &str, word: &str, theme: &Theme) {
    // Half a pair would be a lie about a key.
    if columns_of(key) + columns_of(word) + 1 > pen.room() {
        return;
    }
    pen.put(key, theme.key).put(&format!(" {word}"), theme.dim).skip(2);
}

/// Draws a line of text being typed, its end in view.
pub(super) fn input(pen: &mut Pen<'_>, input: &Input, typing: bool, theme: &Theme) {
    let (before, after) = (text::printable_str(input.before()), text::printable_str(input.after()));
    if !typing {
        pen.put(&(before + &after), theme.plain);
        return;
    }
    let room = usize::from(pen.room()).saturating_sub(2);
    let mut start = 0;
    while text::width(&before[start..]) > room {
        start += before[start..].chars().next().map_or(1, char::len_utf8);
    }
    pen.put(&before[start..], theme.plain)
        .put(theme.glyphs.caret, theme.accent)
        .put(&after, theme.plain);
}
