//! Help and palette, both made from the one action table, and the box that every dialog stands in.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::widgets::Clear;

use super::footer;
use super::pen::Pen;
use super::theme::Theme;
use crate::core::input::Input;
use crate::core::layout;
use crate::core::menu::{self, HelpRow};
use crate::core::state::State;
use crate::text;

/// Draws a box of at most this inner size and returns its inside.
pub(super) fn boxed(state: &State, title: &str, columns: u16, rows: u16, theme: &Theme, frame: &mut Frame<'_>) -> Rect {
    let area = layout::dialog(state.size, columns.saturating_add(4), rows.saturating_add(2));
    let area = area.intersection(frame.area());
    if area.width < 5 || area.height < 3 {
        return Rect::ZERO;
    }
    frame.render_widget(Clear, area);
    let glyphs = &theme.glyphs;
    let [left_top, right_top, left_bottom, right_bottom] = if glyphs.vertical == "|" {
        ["+"; 4]
    } else {
        ["╭", "╮", "╰", "╯"]
    };
    let buffer = frame.buffer_mut();
    let line = glyphs.horizontal.repeat(usize::from(area.width) - 2);
    buffer.set_string(area.x, area.y, format!("{left_top}{line}{right_top}"), theme.faint);
    buffer.set_string(
        area.x,
        area.bottom() - 1,
        format!("{left_bottom}{line}{right_bottom}"),
        theme.faint,
    );
    for y in area.y + 1..area.bottom() - 1 {
        buffer.set_string(area.x, y, glyphs.vertical, theme.faint);
        buffer.set_string(area.right() - 1, y, glyphs.vertical, theme.faint);
    }
    let title = text::fit(&format!(" {title} "), usize::from(area.width) - 4, "");
    buffer.set_string(area.x + 2, area.y, title, theme.accent);
    Rect {
        x: area.x + 2,
        y: area.y + 1,
        width: area.width - 4,
        height: area.height - 2,
    }
}

/// Draws help.
pub(super) fn help(state: &State, top: usize, theme: &Theme, frame: &mut Frame<'_>) {
    let rows = menu::help(state);
    let widest = |row: &HelpRow| match row {
        HelpRow::Action { keys, .. } => text::width(keys),
        HelpRow::Gap | HelpRow::Title(_) => 0,
    };
    let keys = rows.iter().map(widest).max().unwrap_or(0).min(24);
    let keys = u16::try_from(keys).unwrap_or(24);
    let height = u16::try_from(rows.len()).unwrap_or(u16::MAX);
    let area = boxed(state, "keys that work here now", 72, height, theme, frame);
    let top = top.min(rows.len().saturating_sub(usize::from(area.height)));
    for (line, row) in (0..area.height).zip(rows.iter().skip(top)) {
        let mut pen = Pen::new(frame.buffer_mut(), area, line, theme.glyphs.ellipsis);
        match row {
            HelpRow::Gap => {}
            HelpRow::Title(title) => {
                pen.put(title, theme.group);
            }
            HelpRow::Action { keys: words, doc } => {
                pen.cell(words, keys, theme.key).skip(2).put(doc, theme.plain);
            }
        }
    }
    let below = rows.len().saturating_sub(top + usize::from(area.height));
    if below > 0 {
        let edge = Rect {
            y: area.bottom(),
            height: 1,
            ..area
        };
        let words = format!(" {below} more {} ", theme.glyphs.down);
        Pen::new(frame.buffer_mut(), edge, 0, theme.glyphs.ellipsis).at_end(&words, theme.dim);
    }
}

/// Draws the palette.
pub(super) fn palette(state: &State, input: &Input, at: usize, theme: &Theme, frame: &mut Frame<'_>) {
    let rows = menu::palette(state, input.text());
    // Its height does not change while typing: what moves under the eyes is hard to read.
    let height = u16::try_from(menu::palette(state, "").len())
        .unwrap_or(u16::MAX)
        .min(14);
    let area = boxed(state, "actions", 72, height + 1, theme, frame);
    let mut pen = Pen::new(frame.buffer_mut(), area, 0, theme.glyphs.ellipsis);
    pen.put(":", theme.key);
    footer::input(&mut pen, input, true, theme);
    let list = Rect {
        y: area.y + 1,
        height: area.height.saturating_sub(1),
        ..area
    };
    if rows.is_empty() {
        Pen::new(frame.buffer_mut(), list, 0, theme.glyphs.ellipsis).put("no action has this name", theme.dim);
    }
    let shown = usize::from(list.height).max(1);
    let top = at.saturating_sub(shown - 1);
    for (line, (row, declared)) in (0..list.height).zip(rows.iter().enumerate().skip(top)) {
        let mut pen = Pen::new(frame.buffer_mut(), list, line, theme.glyphs.ellipsis);
        let chosen = row == at;
        pen.put(if chosen { theme.glyphs.cursor } else { " " }, theme.accent);
        pen.at_end(&format!(" {}", menu::keys(state, declared.action)), theme.key);
        pen.cell(declared.id, 17, if chosen { theme.selected } else { theme.plain })
            .skip(1);
        pen.put(declared.doc, theme.dim);
    }
}
