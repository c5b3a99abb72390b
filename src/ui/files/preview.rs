//! Draws the preview of one entry: two lines on what it is and where in it the view stands, then its contents as
//! text or in hex, or why there are none.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use vole_agent::proto::{Kind, Totals};

use super::columns;
use crate::core::figures;
use crate::core::files::layout::PREVIEW_HEAD;
use crate::core::preview::window::Window;
use crate::core::preview::{Body, Mode, Preview, hex, lines};
use crate::text;
use crate::ui::theme::Theme;

/// Draws a preview; `totals` are the measured sums, where it is of a directory.
pub(super) fn draw(
    preview: &Preview,
    totals: Option<Totals>,
    focused: bool,
    buffer: &mut Buffer,
    area: Rect,
    theme: &Theme,
) {
    let row = |y: u16| Rect {
        y: area.y + y.min(area.height),
        height: u16::from(y < area.height),
        ..area
    };
    title(preview, focused, buffer, row(0), theme);
    super::line(buffer, row(1), &facts(preview, theme), remarks(preview, theme));
    let head = PREVIEW_HEAD.min(area.height);
    let contents = Rect {
        y: area.y + head,
        height: area.height - head,
        ..area
    };
    match &preview.body {
        Body::Nothing => nothing(preview, totals, buffer, contents, theme),
        Body::Waiting => super::message(buffer, contents, theme.dim, "reading …"),
        Body::Failed(why) => super::message(buffer, contents, theme.fault, &text::printable_str(why)),
        Body::Window(window) => match preview.mode() {
            Mode::Text => text_rows(preview, window, buffer, contents, theme),
            Mode::Hex => hex_rows(preview, window, buffer, contents, theme),
        },
    }
}

fn title(preview: &Preview, focused: bool, buffer: &mut Buffer, area: Rect, theme: &Theme) {
    let right = position(preview).unwrap_or_default();
    let room = usize::from(area.width).saturating_sub(text::width(&right) + 3);
    let path = format!("/{}", text::printable(preview.at.as_bytes()));
    let path = text::fit_middle(&path, room, theme.glyphs.ellipsis);
    let style = if focused { theme.selected } else { theme.group };
    super::line(
        buffer,
        area,
        &Line::from(Span::styled(path, style)),
        Line::from(Span::styled(right, theme.dim)),
    );
}

/// Where the view stands in the file.
fn position(preview: &Preview) -> Option<String> {
    let window = preview.window()?;
    if let Some(following) = &preview.following {
        return Some(match (&following.ended, following.sticks) {
            (Some(_), _) => "following ended".to_owned(),
            (None, true) => "following".to_owned(),
            (None, false) => "following, G for the end".to_owned(),
        });
    }
    let bottom = preview.bottom();
    if preview.top() == 0 && bottom >= window.size {
        return Some("all".to_owned());
    }
    let percent = (u128::from(bottom) * 100).checked_div(u128::from(window.size))?;
    Some(if bottom >= window.size {
        "end".to_owned()
    } else {
        format!("{percent}%")
    })
}

/// What the entry is: kind, size, mode, owner, last change.
fn facts(preview: &Preview, theme: &Theme) -> Line<'static> {
    let entry = &preview.entry;
    if let Some(errno) = entry.errno {
        return Line::from(Span::styled(columns::error_words(errno), theme.fault));
    }
    let mut words = Vec::new();
    if entry.kind == Kind::File && preview.following.is_none() {
        words.push(figures::bytes(preview.size()));
    }
    words.push(columns::mode(entry.kind, entry.mode));
    words.push(columns::owner(entry));
    words.push(columns::moment(entry.mtime));
    if entry.nlink > 1 && entry.kind == Kind::File {
        words.push(format!("{} links", entry.nlink));
    }
    Line::from(Span::styled(words.join(" "), theme.dim))
}

fn remarks(preview: &Preview, theme: &Theme) -> Line<'static> {
    let mut words = Vec::new();
    if let Some((before, after)) = preview.shrank.filter(|_| preview.following.is_none()) {
        words.push(Span::styled(
            format!(
                "shrank {} {} {}",
                figures::bytes(before),
                theme.glyphs.to,
                figures::bytes(after)
            ),
            theme.warning,
        ));
    }
    if preview.has_contents() && preview.mode() == Mode::Hex {
        words.push(Span::styled("hex", theme.dim));
    } else if preview.has_contents() && !preview.wrap {
        words.push(Span::styled("not wrapped", theme.dim));
    }
    let gaps = words.into_iter().flat_map(|word| [Span::raw(" "), word]).skip(1);
    Line::from(gaps.collect::<Vec<_>>())
}

fn text_rows(preview: &Preview, window: &Window, buffer: &mut Buffer, area: Rect, theme: &Theme) {
    let width = usize::from(area.width);
    for (y, row) in (area.y..area.bottom()).zip(lines::rows_from(window.view(), preview.top(), preview.shape())) {
        let style = if window.is_remark(row.offset) {
            theme.warning
        } else if preview.hit == Some(row.offset) {
            theme.accent
        } else {
            theme.plain
        };
        let mut spans: Vec<Span<'_>> = Vec::new();
        let mut at = 0;
        for escape in &row.escapes {
            spans.push(Span::styled(row.text.get(at..escape.start).unwrap_or_default(), style));
            spans.push(Span::styled(
                row.text.get(escape.clone()).unwrap_or_default(),
                theme.warning,
            ));
            at = escape.end;
        }
        spans.push(Span::styled(row.text.get(at..).unwrap_or_default(), style));
        buffer.set_line(area.x, y, &Line::from(spans), area.width);
        if row.cut && width > 0 {
            let mark = text::fit(theme.glyphs.ellipsis, 1, "");
            buffer.set_string(
                area.right() - 1,
                y,
                if mark.is_empty() { ">" } else { &mark },
                theme.warning,
            );
        }
    }
}

fn hex_rows(preview: &Preview, window: &Window, buffer: &mut Buffer, area: Rect, theme: &Theme) {
    let per_row = preview.per_row();
    let digits = hex::digits(preview.size());
    for (y, row) in (area.y..area.bottom()).zip(hex::rows_from(
        window.view(),
        preview.top(),
        per_row,
        usize::from(area.height),
    )) {
        let mut bytes = String::new();
        for (at, byte) in row.bytes.iter().enumerate() {
            bytes.push_str(if at > 0 && at % 8 == 0 { "  " } else { " " });
            bytes.push_str(&format!("{byte:02x}"));
        }
        let gaps = per_row.saturating_sub(1) / 8;
        let shown: String = row.bytes.iter().map(|&byte| hex::character(byte)).collect();
        let spans = vec![
            Span::styled(format!("{:0digits$x} ", row.offset), theme.dim),
            Span::styled(format!("{bytes:<width$}", width = per_row * 3 + gaps), theme.plain),
            Span::styled(format!("  {shown}"), theme.accent),
        ];
        buffer.set_line(area.x, y, &Line::from(spans), area.width);
    }
}

/// What is said of an entry without contents.
fn nothing(preview: &Preview, totals: Option<Totals>, buffer: &mut Buffer, area: Rect, theme: &Theme) {
    let entry = &preview.entry;
    let mut say = Say {
        y: area.y + 1,
        buffer,
        area,
    };
    if let Some(errno) = entry.errno {
        return say.line(theme.fault, &format!("cannot be read: {}", columns::error_words(errno)));
    }
    match entry.kind {
        Kind::Dir if entry.other_fs => {
            say.line(theme.warning, "another file system is mounted here");
            say.line(theme.dim, "it is not part of this mount, not counted and not entered");
        }
        Kind::Dir => match totals {
            Some(totals) => {
                let bound = if totals.errors > 0 { "at least " } else { "" };
                say.line(
                    theme.plain,
                    &format!(
                        "{bound}{} on disk, {} in length",
                        figures::bytes(totals.bytes),
                        figures::bytes(totals.apparent)
                    ),
                );
                say.line(
                    theme.plain,
                    &format!(
                        "{}, {}",
                        figures::counted(totals.files, "file"),
                        // The sums count the directory itself.
                        below(totals.dirs.saturating_sub(1))
                    ),
                );
                if let Some(newest) = totals.newest {
                    say.line(theme.dim, &format!("last change of a file {}", columns::moment(newest)));
                }
                if totals.errors > 0 {
                    say.line(
                        theme.warning,
                        &format!(
                            "{} could not be read",
                            figures::counted(totals.errors, "entry").replace("entrys", "entries")
                        ),
                    );
                }
            }
            None => say.line(theme.dim, "a directory, not measured"),
        },
        Kind::Symlink => {
            let target = entry
                .target
                .as_deref()
                .map_or_else(|| "unknown".to_owned(), text::printable);
            say.line(theme.link, &format!("a link to {target}"));
            say.line(
                theme.dim,
                "links are shown, never followed: their target is another container's view",
            );
        }
        Kind::File => say.line(theme.dim, "an empty file"),
        Kind::Fifo => say.line(
            theme.dim,
            "a named pipe: never opened, a reader would take bytes from others",
        ),
        Kind::Socket => say.line(theme.dim, "a socket: never opened"),
        Kind::CharDevice => say.line(theme.dim, "a character device: never opened"),
        Kind::BlockDevice => say.line(theme.dim, "a block device: never opened"),
        Kind::Unknown => say.line(theme.warning, "what this is could not be told"),
    }
}

fn below(directories: u64) -> String {
    match directories {
        0 => "no directories below".to_owned(),
        1 => "1 directory below".to_owned(),
        more => format!("{} directories below", figures::count(more)),
    }
}

/// Writes lines of words one below the other.
struct Say<'a> {
    y: u16,
    buffer: &'a mut Buffer,
    area: Rect,
}

impl Say<'_> {
    fn line(&mut self, style: Style, words: &str) {
        let y = self.y.min(self.area.bottom());
        let rest = Rect {
            y,
            height: self.area.bottom() - y,
            ..self.area
        };
        let room = usize::from(self.area.width.saturating_sub(4)).max(1);
        super::paragraph(self.buffer, rest, style, words);
        self.y += 1 + u16::try_from(text::width(words) / room).unwrap_or(0);
    }
}
