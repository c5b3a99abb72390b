//! The table of mounts. The cost of a frame is that of its rows on screen, whatever the list's length.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::columns::{self, Column};
use super::pen::{Pen, columns_of};
use super::theme::Theme;
use super::{details, doctor, footer};
use crate::core::figures;
use crate::core::layout::{self, MountsParts};
use crate::core::mounts::{self, Mounts, Row, Sum};
use crate::core::state::{EngineState, State};
use crate::doctor::Confidence;
use crate::model::{Class, Judged, Mount, MountKind, Orphan, Scan, Size};
use crate::text;
use time::OffsetDateTime;

/// Draws the mounts screen.
pub(super) fn view(state: &State, engine: &EngineState, theme: &Theme, frame: &mut Frame<'_>) {
    let parts = layout::mounts(state.size, state.details_open);
    bar(&engine.mounts, theme, frame, parts.bar);
    match empty(engine, theme) {
        Some((words, style)) => message(&words, style, theme, frame, parts.rows),
        None => {
            head(&engine.mounts, theme, frame, parts.head);
            rows(state, engine, theme, frame, &parts);
        }
    }
    if let (Some(area), Some(line)) = (parts.details, parts.rule) {
        rule(state.details_focused, theme, frame, line);
        details::view(engine, state.now, theme, frame, area);
    }
}

/// Why there is no row, in words: loading, failed, nothing there and nothing let through are different things.
fn empty(engine: &EngineState, theme: &Theme) -> Option<(String, Style)> {
    let table = &engine.mounts;
    if !table.rows().is_empty() {
        return None;
    }
    let (_, all) = table.counts();
    Some(match (&engine.fault, table.inventory()) {
        (Some(error), None) => (format!("cannot list the mounts: {error}. R tries again."), theme.fault),
        (None, None) => ("listing the mounts".to_owned(), theme.dim),
        (_, Some(_)) if all == 0 => ("this engine has no mounts".to_owned(), theme.dim),
        (_, Some(_)) => ("no mount passes the filter; esc clears it".to_owned(), theme.dim),
    })
}

/// Writes words where rows would stand.
pub(super) fn message(words: &str, style: Style, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let room = usize::from(area.width.saturating_sub(4)).max(1);
    let mut rest = text::printable_str(words);
    for line in 1..area.height {
        let head = text::fit(&rest, room, "");
        let cut = if head.len() == rest.len() {
            head.len()
        } else {
            head.rfind(' ').map_or(head.len(), |at| at + 1)
        };
        Pen::new(frame.buffer_mut(), area, line, theme.glyphs.ellipsis)
            .skip(2)
            .put(rest[..cut].trim_end(), style);
        rest = rest[cut..].to_owned();
        if rest.is_empty() || cut == 0 {
            break;
        }
    }
}

/// Draws the line between a list and its pane.
pub(super) fn rule(focused: bool, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let style = if focused { theme.accent } else { theme.faint };
    let glyph = if area.width == 1 {
        theme.glyphs.vertical
    } else {
        theme.glyphs.horizontal
    };
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            frame.buffer_mut().set_string(x, y, glyph, style);
        }
    }
}

/// Order, filters and how many rows pass.
fn bar(table: &Mounts, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let mut pen = Pen::new(frame.buffer_mut(), area, 0, theme.glyphs.ellipsis);
    let (shown, all) = table.counts();
    if table.inventory().is_some() {
        let mounts = figures::counted(all as u64, "mount");
        let count = if shown == all {
            mounts
        } else {
            format!("{} of {mounts}", figures::count(shown as u64))
        };
        pen.at_end(&format!("{count} "), theme.dim);
    }
    let order = table.order();
    let natural_down = !matches!(order.column, mounts::Column::Name | mounts::Column::Age);
    let arrow = if natural_down == order.reverse {
        theme.glyphs.up
    } else {
        theme.glyphs.down
    };
    pen.skip(1)
        .put("by ", theme.dim)
        .put(order.column.word(), theme.plain)
        .put(&format!(" {arrow}"), theme.dim);
    if order.group {
        pen.put(" in projects", theme.dim);
    }
    let quick = table.quick();
    for (on, word) in [
        (quick.orphans, " orphans "),
        (quick.anonymous, " anonymous "),
        (quick.binds, " binds "),
    ] {
        if on {
            pen.skip(2).put(word, theme.chip);
        }
    }
    if let Some(word) = quick.class.word() {
        pen.skip(2).put(&format!(" {word} "), theme.chip);
    }
    if table.typing || !table.filter.text().is_empty() {
        pen.skip(2).put("/", theme.key);
        footer::input(&mut pen, &table.filter, table.typing, theme);
    }
}

fn head(table: &Mounts, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let mut pen = Pen::new(frame.buffer_mut(), area, 0, theme.glyphs.ellipsis);
    pen.skip(columns::LEAD);
    let by = table.order().column;
    for (at, (column, width)) in columns::columns(area.width).into_iter().enumerate() {
        if at > 0 {
            pen.skip(1);
        }
        let (title, sorted) = match column {
            Column::Name => ("NAME", by == mounts::Column::Name),
            Column::Kind => ("KIND", false),
            Column::Size => ("SIZE", by == mounts::Column::Size),
            Column::Seen => ("SEEN", false),
            Column::Bar => ("", false),
            Column::Looks => ("LOOKS LIKE", false),
            Column::Class => ("CLASS", false),
            Column::Used => ("USED BY", by == mounts::Column::Attached),
            Column::Wrote => ("WROTE", by == mounts::Column::LastWrite),
            Column::Age => ("AGE", by == mounts::Column::Age),
            Column::Driver => ("DRIVER", false),
        };
        let style = if sorted { theme.accent } else { theme.heading };
        if right(column) {
            pen.right_cell(title, width, style)
        } else {
            pen.cell(title, width, style)
        };
    }
}

fn right(column: Column) -> bool {
    matches!(column, Column::Size | Column::Wrote | Column::Age)
}

fn rows(state: &State, engine: &EngineState, theme: &Theme, frame: &mut Frame<'_>, parts: &MountsParts) {
    let table = &engine.mounts;
    let area = parts.rows;
    let columns = columns::columns(area.width);
    let grouped = table.rows().iter().take(1).any(|row| matches!(row, Row::Group { .. }));
    let visible = table
        .rows()
        .iter()
        .enumerate()
        .skip(table.top())
        .take(usize::from(area.height));
    for (line, (at, row)) in (0..area.height).zip(visible) {
        let mut pen = Pen::new(frame.buffer_mut(), area, line, theme.glyphs.ellipsis);
        match row {
            Row::Group { project, mounts, sum } => {
                group(&mut pen, project.as_deref(), *mounts, *sum, &columns, theme);
            }
            Row::Mount(place) => {
                let Some((mount, size)) = table.entry(*place) else {
                    continue;
                };
                let row = MountRow {
                    mount,
                    size,
                    class: table.class(mount, size).map(|(class, _)| class),
                    cursor: at == table.at(),
                    marked: table.is_marked(at, &mount.id),
                    indent: if grouped { 2 } else { 0 },
                    refused: engine.known.surest(&mount.id),
                    largest: table.totals().largest,
                    now: state.now,
                    theme,
                };
                row.draw(&mut pen, &columns);
            }
        }
    }
}

fn group(pen: &mut Pen<'_>, project: Option<&str>, mounts: usize, sum: Sum, columns: &[(Column, u16)], theme: &Theme) {
    pen.skip(columns::LEAD);
    for (at, (column, width)) in columns.iter().enumerate() {
        if at > 0 {
            pen.skip(1);
        }
        match column {
            Column::Name => {
                let count = format!("  {mounts}");
                let room = usize::from(*width).saturating_sub(count.len());
                let name = project.map_or_else(|| "no project".to_owned(), text::printable_str);
                let name = text::fit(&name, room, theme.glyphs.ellipsis);
                let style = if project.is_some() { theme.group } else { theme.dim };
                let used = columns_of(&name);
                pen.put(&name, style)
                    .cell(&count, width.saturating_sub(used), theme.dim);
            }
            Column::Size if sum.unknown == sum.mounts => {
                pen.right_cell("", *width, theme.dim);
            }
            Column::Size => {
                pen.right_cell(&figures::bytes(sum.bytes), *width, theme.dim);
            }
            Column::Seen => {
                let open = sum.unknown > 0 && sum.unknown < sum.mounts;
                pen.cell(if open { "+ ?" } else { "" }, *width, theme.dim);
            }
            _ => {
                pen.skip(*width);
            }
        }
    }
}

struct MountRow<'a> {
    mount: &'a Mount,
    size: &'a Size,
    class: Option<Class>,
    cursor: bool,
    marked: bool,
    indent: u16,
    /// How sure it is that somebody is refused something on it.
    refused: Option<Confidence>,
    largest: u64,
    now: OffsetDateTime,
    theme: &'a Theme,
}

impl MountRow<'_> {
    fn draw(&self, pen: &mut Pen<'_>, columns: &[(Column, u16)]) {
        let theme = self.theme;
        pen.put(if self.cursor { theme.glyphs.cursor } else { " " }, theme.accent);
        pen.put(if self.marked { theme.glyphs.mark } else { " " }, theme.mark);
        for (at, (column, width)) in columns.iter().enumerate() {
            if at > 0 {
                pen.skip(1);
            }
            let (text, style) = self.cell(*column, *width);
            if *column == Column::Name {
                self.name(pen, &text, *width, style);
            } else if right(*column) {
                pen.right_cell(&text, *width, style);
            } else {
                pen.cell(&text, *width, style);
            }
        }
    }

    /// The name, and behind it the mark of what the doctor found.
    fn name(&self, pen: &mut Pen<'_>, name: &str, width: u16, style: Style) {
        let Some(confidence) = self.refused else {
            pen.cell(name, width, style);
            return;
        };
        let columns = columns_of(name).min(width.saturating_sub(2));
        pen.cell(name, columns, style);
        let mark = doctor::sure(confidence, self.theme).1;
        pen.cell(" !", width.saturating_sub(columns), mark);
    }

    fn cell(&self, column: Column, width: u16) -> (String, Style) {
        let (theme, mount) = (self.theme, self.mount);
        match column {
            Column::Name => {
                let indent = " ".repeat(usize::from(self.indent));
                let mark = if self.refused.is_some() { 2 } else { 0 };
                let room = usize::from(width.saturating_sub(self.indent + mark));
                // Only the name changes with the cursor: a step of it must not send a whole row.
                let style = if self.cursor { theme.selected } else { theme.plain };
                (indent + &name(mount, room, theme), style)
            }
            Column::Kind => (kind(mount.kind).to_owned(), theme.dim),
            Column::Size => size(self.size, mount, theme),
            Column::Seen => seen(self.size, mount, self.now, theme),
            Column::Bar => {
                let parts = self.size.known_bytes().map_or(0, |bytes| share(bytes, self.largest));
                (theme.bar(parts, width), theme.bar)
            }
            Column::Looks => looks(self.size, theme),
            Column::Class => class(self.class, theme),
            Column::Used => used(mount, width, theme),
            Column::Wrote => {
                let newest = self.size.measured().and_then(|measured| measured.totals.newest);
                let age = |secs| match OffsetDateTime::from_unix_timestamp(secs) {
                    Ok(then) => figures::age(self.now, then),
                    Err(_) => "?".to_owned(),
                };
                (newest.map_or_else(String::new, age), theme.dim)
            }
            Column::Age => (
                mount
                    .created
                    .map_or_else(String::new, |then| figures::age(self.now, then)),
                theme.dim,
            ),
            Column::Driver => (text::printable_str(&mount.driver), theme.dim),
        }
    }
}

/// The part of the largest in a thousand; shares too small for the smallest part of a bar are none, or a list of
/// small mounts would be one long line.
fn share(bytes: u64, largest: u64) -> u16 {
    const SMALLEST: u128 = 10;
    let parts = (u128::from(bytes) * 1000).checked_div(u128::from(largest)).unwrap_or(0);
    if parts < SMALLEST {
        0
    } else {
        u16::try_from(parts).unwrap_or(1000)
    }
}

/// The name in so many columns: a path keeps both ends, a hash says who has it.
fn name(mount: &Mount, room: usize, theme: &Theme) -> String {
    let name = text::printable_str(&mount.name);
    match mount.kind {
        MountKind::Bind | MountKind::Tmpfs => text::fit_middle(&name, room, theme.glyphs.ellipsis),
        MountKind::Anonymous if name.len() > 12 && name.is_ascii() => {
            let short = format!("{}{}", &name[..12], theme.glyphs.ellipsis);
            let whose = mount.attachments.first().map(|attachment| {
                format!(
                    " {}:{}",
                    text::printable_str(&attachment.container),
                    text::printable_str(&attachment.destination)
                )
            });
            text::fit(&(short + &whose.unwrap_or_default()), room, theme.glyphs.ellipsis)
        }
        _ => text::fit(&name, room, theme.glyphs.ellipsis),
    }
}

fn kind(kind: MountKind) -> &'static str {
    match kind {
        MountKind::Named => "volume",
        MountKind::Anonymous => "anon",
        MountKind::Bind => "bind",
        MountKind::Tmpfs => "tmpfs",
        MountKind::Cluster => "swarm",
        MountKind::Image => "image",
    }
}

fn size(size: &Size, mount: &Mount, theme: &Theme) -> (String, Style) {
    let bound = size.measured().is_some_and(|measured| measured.totals.errors > 0);
    match (size, size.known_bytes()) {
        (_, Some(bytes)) => {
            let lead = if bound { theme.glyphs.at_least } else { "" };
            (format!("{lead}{}", figures::bytes(bytes)), theme.plain)
        }
        (Size::Failed(_), None) => ("?".to_owned(), theme.fault),
        (_, None) if matches!(mount.scan, Scan::Never(_)) => ("-".to_owned(), theme.dim),
        (_, None) => ("?".to_owned(), theme.dim),
    }
}

/// How old the size is; `~` while it is measured; why there is none, in a word.
fn seen(size: &Size, mount: &Mount, now: OffsetDateTime, theme: &Theme) -> (String, Style) {
    match size {
        Size::Measuring { .. } => ("~".to_owned(), theme.accent),
        // Our own clock: when it was put back meanwhile, nothing is wrong with the size.
        Size::Measured(measured) => (figures::age(now, measured.at.min(now)), theme.dim),
        Size::Failed(_) => ("fail".to_owned(), theme.fault),
        Size::Unknown(_) => match mount.scan {
            Scan::Never(_) => (String::new(), theme.dim),
            Scan::OnDemand(_) => ("ask".to_owned(), theme.dim),
            Scan::Shared | Scan::Alone | Scan::InContainer(_) => (String::new(), theme.dim),
        },
    }
}

/// What the contents look like; nothing where nobody looked.
fn looks(size: &Size, theme: &Theme) -> (String, Style) {
    let contents = size.measured().and_then(|measured| measured.contents.as_ref());
    contents.map_or((String::new(), theme.dim), |contents| {
        let style = match contents.judge() {
            Judged::Looks(_) => theme.plain,
            Judged::Empty | Judged::Caches(_) | Judged::Unknown => theme.dim,
        };
        (text::printable_str(&contents.words()), style)
    })
}

/// How it is to be treated; nothing where nobody says.
fn class(class: Option<Class>, theme: &Theme) -> (String, Style) {
    let style = match class {
        Some(Class::Critical) => theme.plain,
        _ => theme.dim,
    };
    (class.map_or_else(String::new, |class| class.word().to_owned()), style)
}

fn used(mount: &Mount, width: u16, theme: &Theme) -> (String, Style) {
    let count = mount.attachments.len();
    if count == 0 {
        return match mount.orphan {
            Orphan::Yes => ("orphan".to_owned(), theme.warning),
            Orphan::Unknown => ("unknown".to_owned(), theme.warning),
            Orphan::No => ("by path".to_owned(), theme.plain),
        };
    }
    let live = mount
        .attachments
        .iter()
        .filter(|attachment| attachment.state.is_live())
        .count();
    let style = if live > 0 { theme.plain } else { theme.dim };
    let up = format!("{live}/{count} up");
    if width < 16 {
        return (up, style);
    }
    let names: Vec<String> = mount
        .attachments
        .iter()
        .map(|one| text::printable_str(&one.container))
        .collect();
    (format!("{up}  {}", names.join(", ")), style)
}
