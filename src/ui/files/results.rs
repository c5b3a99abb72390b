//! Draws the results of a search. Only those on screen are made.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use vole_agent::proto::Kind;

use super::columns;
use crate::core::figures;
use crate::core::files::search::{Item, Progress, Search};
use crate::text;
use crate::ui::theme::Theme;

/// Draws the results on screen, or why there are none.
pub(super) fn draw(search: &Search, focused: bool, buffer: &mut Buffer, area: Rect, theme: &Theme) {
    match (&search.progress, search.items.is_empty()) {
        (Progress::Failed(why), _) => super::message(buffer, area, theme.fault, &text::printable_str(why)),
        (Progress::Running, true) => super::message(buffer, area, theme.dim, "searching …"),
        (Progress::Stopped, true) => super::message(buffer, area, theme.dim, "stopped before anything was found"),
        (Progress::Done, true) => super::message(buffer, area, theme.dim, "nothing found"),
        (_, false) => {
            let shown = search
                .items
                .iter()
                .enumerate()
                .skip(search.top)
                .take(usize::from(area.height));
            for (y, (index, item)) in (area.y..).zip(shown) {
                let is_current = index == search.cursor;
                let line = row(item, is_current, focused, usize::from(area.width), theme);
                buffer.set_line(area.x, y, &line, area.width);
            }
        }
    }
}

fn row(item: &Item, is_current: bool, focused: bool, width: usize, theme: &Theme) -> Line<'static> {
    let cursor = if is_current { theme.glyphs.cursor } else { " " };
    let mut spans = vec![Span::styled(cursor, if focused { theme.accent } else { theme.dim })];
    let style = if is_current && focused {
        theme.selected
    } else {
        theme.plain
    };
    match item {
        Item::Name(found) => {
            let kind = format!("{} ", columns::letter(found.kind));
            let path = text::fit_middle(
                &text::printable(&found.path),
                width.saturating_sub(14),
                theme.glyphs.ellipsis,
            );
            let size = if found.kind == Kind::File {
                figures::bytes(found.size)
            } else {
                String::new()
            };
            let gap = width.saturating_sub(1 + 2 + text::width(&path) + text::width(&size) + 1);
            spans.push(Span::styled(kind, theme.dim));
            spans.push(Span::styled(path, style));
            spans.push(Span::styled(format!("{}{size}", " ".repeat(gap)), theme.dim));
        }
        Item::Line(hit) => {
            let path = text::fit_middle(&text::printable(&hit.path), width * 2 / 5, theme.glyphs.ellipsis);
            let number = format!(":{} ", hit.line);
            let room = width.saturating_sub(1 + text::width(&path) + text::width(&number));
            let words = text::printable(hit.text.trim_ascii());
            spans.push(Span::styled(
                path,
                if is_current && focused {
                    theme.selected
                } else {
                    theme.directory
                },
            ));
            spans.push(Span::styled(number, theme.dim));
            spans.push(Span::styled(text::fit(&words, room, theme.glyphs.ellipsis), style));
        }
    }
    Line::from(spans)
}
