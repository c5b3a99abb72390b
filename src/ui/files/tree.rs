//! Draws the tree: names by the tree widget, columns beside them. Only the rows on screen are made, so that a
//! directory of any size costs a screen.

use std::io;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::StatefulWidget as _;
use tui_tree_widget::{Tree as Widget, TreeItem, TreeState};
use vole_agent::proto::{Entry, Kind};

use super::columns::{self, Column};
use crate::core::figures;
use crate::core::files::node::{Listing, Node, NodeId, Row};
use crate::core::files::tree::{Tree, more_words};
use crate::text;
use crate::ui::theme::Theme;

/// Draws the rows on screen.
pub(super) fn draw(tree: &Tree, focused: bool, buffer: &mut Buffer, area: Rect, theme: &Theme) {
    if area.is_empty() {
        return;
    }
    let columns = columns::plan(area.width);
    let taken: u16 = columns.iter().map(|column| column.width() + 1).sum();
    let names = Rect {
        width: area.width - taken,
        ..area
    };
    let shown: Vec<Row> = tree
        .rows()
        .iter()
        .skip(tree.top())
        .take(usize::from(area.height))
        .copied()
        .collect();
    let window = Window {
        tree,
        focused,
        width: usize::from(names.width),
        theme,
    };
    if let Err(error) = window.draw(&shown, buffer, names) {
        buffer.set_stringn(names.x, names.y, error.to_string(), window.width, theme.fault);
    }
    for (y, row) in (area.y..).zip(&shown) {
        let Row::Node(id) = *row else { continue };
        let Some(node) = tree.node(id) else { continue };
        let mut x = names.right();
        for column in &columns {
            cell(tree, id, node, *column, buffer, (x + 1, y), theme);
            x += column.width() + 1;
        }
    }
}

fn cell(tree: &Tree, id: NodeId, node: &Node, column: Column, buffer: &mut Buffer, at: (u16, u16), theme: &Theme) {
    let width = usize::from(column.width());
    let entry = &node.entry;
    let (words, style) = match column {
        _ if entry.errno.is_some() && column != Column::Size => return,
        Column::Size => {
            let (words, style) = size(tree, id, node, theme);
            (format!("{words:>width$}"), style)
        }
        Column::Bar => {
            let Some(share) = tree.share(id) else { return };
            (
                theme.bar(u16::try_from(share).unwrap_or(1000), column.width()),
                theme.bar,
            )
        }
        Column::Mode => (columns::mode(entry.kind, entry.mode), theme.dim),
        Column::Owner => (
            text::fit(&columns::owner(entry), width, theme.glyphs.ellipsis),
            theme.dim,
        ),
        Column::Day => (columns::day(entry.mtime), theme.dim),
        Column::Moment => (columns::moment(entry.mtime), theme.dim),
    };
    buffer.set_stringn(at.0, at.1, words, width, style);
}

/// The size of an entry: measured, at least so much, being measured, or unknown.
fn size(tree: &Tree, id: NodeId, node: &Node, theme: &Theme) -> (String, Style) {
    let partly = node.totals.is_some_and(|totals| totals.errors > 0);
    match node.bytes() {
        Some(bytes) if partly => (
            format!("{}{}", theme.glyphs.at_least, figures::bytes(bytes)),
            theme.warning,
        ),
        Some(bytes) => (figures::bytes(bytes), theme.plain),
        None if node.entry.other_fs => (String::new(), theme.dim),
        None => {
            let dir = node.parent.and_then(|parent| tree.dir(parent));
            let measuring = dir.is_some_and(|dir| dir.measuring.is_some())
                || tree.dir(id).is_some_and(|dir| dir.measuring.is_some());
            (
                if measuring { theme.glyphs.ellipsis } else { "?" }.to_owned(),
                theme.dim,
            )
        }
    }
}

/// The rows on screen, to be made into a tree of their own.
struct Window<'a> {
    tree: &'a Tree,
    focused: bool,
    width: usize,
    theme: &'a Theme,
}

/// A row with its level of indentation.
struct Shown {
    row: Row,
    level: usize,
}

/// What the widget needs.
#[derive(Default)]
struct Forest {
    opened: Vec<Vec<Row>>,
    selected: Vec<Row>,
}

impl Window<'_> {
    fn draw(&self, rows: &[Row], buffer: &mut Buffer, area: Rect) -> io::Result<()> {
        // Deep directories are indented from an ancestor of the cursor on, or names would have no room.
        let levels = (self.width / 4).max(1);
        let base = self
            .tree
            .current()
            .map_or(0, |row| self.depth(row))
            .saturating_sub(levels);
        let above = rows.first().map(|&row| self.ancestors(row, base)).unwrap_or_default();
        let hidden = above.len();
        let level = |row: Row| self.depth(row).saturating_sub(base);
        let all: Vec<Shown> = above
            .into_iter()
            .chain(rows.iter().copied())
            .map(|row| Shown { row, level: level(row) })
            .collect();
        let mut forest = Forest::default();
        let items = self.nest(&all, &mut 0, 0, &mut Vec::new(), &mut forest)?;
        let mut state = TreeState::default();
        for path in forest.opened {
            state.open(path);
        }
        let widget = Widget::new(&items)?
            .highlight_symbol(self.theme.glyphs.cursor)
            .node_closed_symbol("")
            .node_open_symbol("")
            .node_no_children_symbol("");
        // The widget learns how many rows there are by drawing them; only then can it be scrolled past the
        // ancestors that stand above the screen.
        widget.clone().render(
            Rect::new(0, 0, 1, 1),
            &mut Buffer::empty(Rect::new(0, 0, 1, 1)),
            &mut state,
        );
        state.scroll_down(hidden);
        state.select(forest.selected);
        widget.render(area, buffer, &mut state);
        Ok(())
    }

    fn depth(&self, row: Row) -> usize {
        match row {
            Row::Node(id) => self.tree.node(id).map_or(0, |node| node.depth),
            Row::More(NodeId::ROOT) | Row::Note(NodeId::ROOT) => 0,
            Row::More(dir) | Row::Note(dir) => self.tree.node(dir).map_or(0, |node| node.depth + 1),
        }
    }

    /// The directories around a row that stand above it, from the outermost that is indented on.
    fn ancestors(&self, row: Row, base: usize) -> Vec<Row> {
        let mut at = match row {
            Row::Node(id) => self.tree.node(id).and_then(|node| node.parent),
            Row::More(dir) | Row::Note(dir) => Some(dir),
        };
        let mut out = Vec::new();
        while let Some(id) = at.filter(|&id| id != NodeId::ROOT) {
            let Some(node) = self.tree.node(id).filter(|node| node.depth >= base) else {
                break;
            };
            out.push(Row::Node(id));
            at = node.parent;
        }
        out.reverse();
        out
    }

    fn nest(
        &self,
        rows: &[Shown],
        at: &mut usize,
        level: usize,
        path: &mut Vec<Row>,
        forest: &mut Forest,
    ) -> io::Result<Vec<TreeItem<'static, Row>>> {
        let mut items = Vec::new();
        while let Some(shown) = rows.get(*at).filter(|shown| shown.level >= level) {
            *at += 1;
            path.push(shown.row);
            let is_current = self.tree.current() == Some(shown.row);
            if is_current {
                forest.selected.clone_from(path);
            }
            let children = self.nest(rows, at, level + 1, path, forest)?;
            if !children.is_empty() {
                forest.opened.push(path.clone());
            }
            path.pop();
            let room = self.width.saturating_sub(1 + level * 2);
            // The widget draws the cursor's marker in the style of the whole text; the spans have their own.
            let marker = if self.focused {
                self.theme.accent
            } else {
                self.theme.dim
            };
            let text = Text::from(self.line(shown.row, is_current, room));
            let text = if is_current { text.style(marker) } else { text };
            items.push(TreeItem::new(shown.row, text, children)?);
        }
        Ok(items)
    }

    fn line(&self, row: Row, is_current: bool, room: usize) -> Line<'static> {
        let theme = self.theme;
        let quiet = |words: String, style: Style| {
            let style = if is_current {
                style.add_modifier(Modifier::BOLD)
            } else {
                style
            };
            Line::from(Span::styled(
                text::fit(&format!("  {words}"), room, theme.glyphs.ellipsis),
                style,
            ))
        };
        match row {
            Row::Node(id) => self
                .tree
                .node(id)
                .map_or_else(Line::default, |node| self.entry(node, is_current, room)),
            Row::More(id) => {
                let (rest, reading) = self.tree.dir(id).map_or((0, false), |dir| {
                    let rest = dir.total.saturating_sub(dir.children.len() as u64);
                    (rest, matches!(dir.listing, Listing::ReadingMore(_)))
                });
                let dots = if reading { "reading " } else { "" };
                let words = more_words(rest, self.tree.is_full());
                quiet(format!("{} {dots}{words}", theme.glyphs.ellipsis), theme.warning)
            }
            Row::Note(id) => match self.tree.dir(id).map(|dir| &dir.listing) {
                Some(Listing::Failed(why)) => {
                    quiet(format!("cannot be read: {}", text::printable_str(why)), theme.fault)
                }
                Some(Listing::Read) => quiet("empty".to_owned(), theme.dim),
                _ => quiet(format!("reading {}", theme.glyphs.ellipsis), theme.dim),
            },
        }
    }

    fn entry(&self, node: &Node, is_current: bool, room: usize) -> Line<'static> {
        let theme = self.theme;
        let entry = &node.entry;
        let marker = match (&node.dir, node.is_open()) {
            (Some(_), true) => theme.glyphs.open,
            (Some(_), false) => theme.glyphs.closed,
            (None, _) => " ",
        };
        let style = match entry.kind {
            _ if is_current && self.focused => theme.selected,
            _ if entry.errno.is_some() => theme.fault,
            Kind::Dir => theme.directory,
            Kind::Symlink => theme.link,
            Kind::Fifo | Kind::Socket | Kind::CharDevice | Kind::BlockDevice | Kind::Unknown => theme.warning,
            Kind::File => theme.plain,
        };
        let rest = remark(entry, theme);
        let room = room.saturating_sub(2);
        let name = text::printable(&entry.name);
        // A long name gives way in its middle, where its ending is kept; a remark gives way first.
        let name = text::fit_middle(&name, room.saturating_sub(text::width(rest.0)), theme.glyphs.ellipsis);
        let used = text::width(&name) + text::width(rest.0);
        let remark = text::fit(&rest.1, room.saturating_sub(used), theme.glyphs.ellipsis);
        Line::from(vec![
            Span::styled(format!("{marker} "), theme.dim),
            Span::styled(name, style),
            Span::styled(rest.0, theme.dim),
            Span::styled(remark, rest.2),
        ])
    }
}

/// What stands behind a name: the mark of its kind as `ls -F` has it, a remark, and how that looks.
fn remark(entry: &Entry, theme: &Theme) -> (&'static str, String, Style) {
    if let Some(errno) = entry.errno {
        return ("", format!("  {}", columns::error_words(errno)), theme.fault);
    }
    match entry.kind {
        Kind::Dir if entry.other_fs => ("/", "  another file system".to_owned(), theme.warning),
        Kind::Dir => ("/", String::new(), theme.dim),
        Kind::Symlink => {
            let target = entry.target.as_deref().map_or_else(|| "?".to_owned(), text::printable);
            ("", format!(" {} {target}", theme.glyphs.to), theme.dim)
        }
        Kind::Fifo => ("|", "  named pipe".to_owned(), theme.dim),
        Kind::Socket => ("=", "  socket".to_owned(), theme.dim),
        Kind::CharDevice => ("", "  character device".to_owned(), theme.dim),
        Kind::BlockDevice => ("", "  block device".to_owned(), theme.dim),
        Kind::Unknown => ("?", "  unknown kind".to_owned(), theme.warning),
        Kind::File if entry.mode & 0o111 != 0 => ("*", String::new(), theme.dim),
        Kind::File => ("", String::new(), theme.dim),
    }
}
