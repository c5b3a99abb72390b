//! Draws the files screen: head, tree or results, preview, text field. Knows its state alone.

mod columns;
pub mod preview;
mod results;
mod tree;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use vole_agent::proto::Totals;

use super::theme::Theme;
use crate::core::figures;
use crate::core::files::layout::Parts;
use crate::core::files::msg::SearchKind;
use crate::core::files::search::{Progress, Search};
use crate::core::files::tree::Tree;
use crate::core::files::{Files, Focus, Prompt, PromptKind, Root};
use crate::text;

/// Draws the files of one mount.
pub fn view(files: &Files, frame: &mut Frame<'_>, area: Rect, theme: &Theme) {
    let parts = files.parts();
    let buffer = frame.buffer_mut();
    // The state's idea of the area may lag a resize; nothing is drawn outside of either.
    let clip = |rect: Rect| rect.intersection(area).intersection(*buffer.area());
    let clipped = Parts {
        head: clip(parts.head),
        list: clip(parts.list),
        rule: parts.rule.map(clip),
        preview: parts.preview.map(clip),
        prompt: parts.prompt.map(clip),
    };
    draw(files, buffer, clipped, theme);
}

fn draw(files: &Files, buffer: &mut Buffer, parts: Parts, theme: &Theme) {
    let focused = files.focus == Focus::List;
    if parts.rule.is_some() || focused {
        match (&files.search, &files.root) {
            (Some(search), _) => {
                search_head(files, search, buffer, parts.head, theme);
                results::draw(search, focused, buffer, parts.list, theme);
            }
            (None, Root::Open(tree)) => {
                tree_head(files, tree, buffer, parts.head, theme);
                tree::draw(tree, focused, buffer, parts.list, theme);
            }
            (None, Root::Opening) => {
                line(buffer, parts.head, &name(files, theme), Line::default());
                let words = match files.archive {
                    Some(_) => "reading the archive to its end, for what is in it …",
                    None => "opening the mount through a helper …",
                };
                message(buffer, parts.list, theme.dim, words);
            }
            (None, Root::Refused(why)) => {
                line(buffer, parts.head, &name(files, theme), Line::default());
                let words = match files.archive {
                    Some(_) => "this archive cannot be browsed",
                    None => "this mount cannot be browsed",
                };
                message(buffer, parts.list, theme.fault, words);
                let below = Rect {
                    y: parts.list.y + 2,
                    height: parts.list.height.saturating_sub(2),
                    ..parts.list
                };
                paragraph(buffer, below, theme.plain, &text::printable_str(why));
            }
        }
    }
    if let Some(rule) = parts.rule {
        for y in rule.y..rule.bottom() {
            buffer.set_string(rule.x, y, theme.glyphs.vertical, theme.faint);
        }
    }
    if let (Some(area), Some(shown)) = (parts.preview, &files.preview) {
        let totals = files
            .tree()
            .and_then(|tree| tree.current_node().and_then(|id| tree.node(id))?.totals);
        preview::draw(shown, totals, !focused, buffer, area, theme);
    }
    if let (Some(area), Some(shown)) = (parts.prompt, &files.prompt) {
        prompt(shown, buffer, area, theme);
    }
}

fn name(files: &Files, theme: &Theme) -> Line<'static> {
    Line::from(Span::styled(text::printable_str(&files.mount.name), theme.group))
}

/// Writes a line: the left part is cut in favour of the right one.
fn line(buffer: &mut Buffer, area: Rect, left: &Line<'_>, right: Line<'_>) {
    if area.is_empty() {
        return;
    }
    let room = usize::from(area.width);
    let right_width = right.width();
    if right_width + 8 > room {
        buffer.set_line(area.x, area.y, left, area.width);
        return;
    }
    let left_room = room - right_width - usize::from(right_width > 0) * 2;
    buffer.set_line(area.x, area.y, left, left_room as u16);
    buffer.set_line(area.right() - right_width as u16, area.y, &right, right_width as u16);
}

fn message(buffer: &mut Buffer, area: Rect, style: Style, words: &str) {
    let below = Rect {
        y: area.y + 1,
        height: area.height.saturating_sub(1),
        ..area
    };
    paragraph(buffer, below, style, words);
}

/// Writes wrapped words with a margin of two columns.
fn paragraph(buffer: &mut Buffer, area: Rect, style: Style, words: &str) {
    let room = usize::from(area.width.saturating_sub(4)).max(1);
    let mut lines = vec![String::new()];
    for word in words.split(' ') {
        let Some(last) = lines.last_mut() else { return };
        if last.is_empty() {
            *last = text::fit(word, room, "");
        } else if text::width(last) + 1 + text::width(word) <= room {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(text::fit(word, room, ""));
        }
    }
    for (y, words) in (area.y..area.bottom()).zip(&lines) {
        buffer.set_stringn(area.x + 2.min(area.width), y, words, room, style);
    }
}

fn tree_head(files: &Files, tree: &Tree, buffer: &mut Buffer, area: Rect, theme: &Theme) {
    let here = tree.here();
    let path = text::printable(tree.path(here).as_bytes());
    let mut right = Vec::new();
    if let Some(dir) = tree.dir(here) {
        // A directory above was measured already: its sum of this one stands until the new one is complete.
        match (
            tree.node(here).and_then(|node| node.totals),
            &dir.measuring,
            &dir.measure_error,
        ) {
            (_, None, Some(_)) => right.push(Span::styled("not measured in full", theme.warning)),
            (Some(totals), ..) => right.push(Span::styled(sums(&totals, theme), theme.plain)),
            (None, Some((_, so_far)), _) => {
                right.push(Span::styled(format!("{} so far", sums(so_far, theme)), theme.dim));
            }
            (None, None, None) => {}
        }
    }
    if !right.is_empty() {
        right.push(Span::styled(format!(" {} ", theme.glyphs.dot), theme.faint));
    }
    right.push(Span::styled(format!("by {}", tree.sort().word()), theme.dim));
    let right = Line::from(right);
    let mount = text::printable_str(&files.mount.name);
    let room = usize::from(area.width).saturating_sub(right.width() + 2);
    let mount = text::fit_middle(
        &mount,
        room.saturating_sub(text::width(&path).min(room / 2) + 1),
        theme.glyphs.ellipsis,
    );
    let path_room = room.saturating_sub(text::width(&mount) + 2);
    let path = text::fit_middle(&path, path_room, theme.glyphs.ellipsis);
    let left = Line::from(vec![
        Span::styled(mount, theme.group),
        Span::styled(":", theme.dim),
        Span::styled(format!("/{path}"), theme.directory),
    ]);
    line(buffer, area, &left, right);
}

/// Sums of a tree in words; a lower bound where something could not be read.
fn sums(totals: &Totals, theme: &Theme) -> String {
    let bound = if totals.errors > 0 { theme.glyphs.at_least } else { "" };
    format!(
        "{bound}{} in {}",
        figures::bytes(totals.bytes),
        figures::counted(totals.files, "file")
    )
}

fn search_head(files: &Files, search: &Search, buffer: &mut Buffer, area: Rect, theme: &Theme) {
    let (verb, noun) = match search.kind {
        SearchKind::Names => ("names like", "name"),
        SearchKind::Lines => ("lines with", "line"),
    };
    let found = figures::counted(search.items.len() as u64, noun);
    let (state, style) = match &search.progress {
        Progress::Running => (format!("{found} so far; esc stops"), theme.dim),
        Progress::Done if search.is_full() => (
            format!("the first {found}; narrow the pattern for others"),
            theme.warning,
        ),
        Progress::Done => (found, theme.plain),
        Progress::Stopped => (format!("stopped at {found}"), theme.warning),
        Progress::Failed(_) => ("failed".to_owned(), theme.fault),
    };
    let left = Line::from(vec![
        Span::styled(format!("{verb} "), theme.dim),
        Span::styled(text::printable_str(&search.pattern), theme.accent),
        Span::styled(" in ", theme.dim),
        Span::styled(text::printable_str(&files.mount.name), theme.group),
        Span::styled(":", theme.dim),
        Span::styled(format!("/{}", text::printable(search.at.as_bytes())), theme.directory),
    ]);
    line(buffer, area, &left, Line::from(Span::styled(state, style)));
}

fn prompt(prompt: &Prompt, buffer: &mut Buffer, area: Rect, theme: &Theme) {
    let (label, hint) = match &prompt.kind {
        PromptKind::Search(SearchKind::Names, at) => (
            format!("find names in /{}: ", text::printable(at.as_bytes())),
            "a regular expression",
        ),
        PromptKind::Search(SearchKind::Lines, at) => (
            format!("find lines in /{}: ", text::printable(at.as_bytes())),
            "a regular expression",
        ),
        PromptKind::Download(at) => (
            format!("download /{} to directory: ", text::printable(at.as_bytes())),
            "",
        ),
    };
    let room = usize::from(area.width);
    let label = text::fit_middle(&label, room / 2, theme.glyphs.ellipsis);
    let (before, after) = (
        text::printable_str(prompt.input.before()),
        text::printable_str(prompt.input.after()),
    );
    // The end of what is typed stays in view.
    let field = room.saturating_sub(text::width(&label) + 1);
    let before = if text::width(&before) > field {
        text::fit_tail(&before, field, theme.glyphs.ellipsis)
    } else {
        before
    };
    let mut spans = vec![
        Span::styled(label, theme.dim),
        Span::styled(before, theme.plain),
        Span::styled(theme.glyphs.caret, theme.accent),
        Span::styled(after, theme.plain),
    ];
    if prompt.input.text().is_empty() {
        spans.push(Span::styled(format!(" {hint}"), theme.faint));
    }
    if !area.is_empty() {
        buffer.set_line(area.x, area.y, &Line::from(spans), area.width);
    }
}

#[cfg(test)]
mod tests;
