//! Writes text on a line from left to right, never beyond its end. Expects printable text.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::text;

/// A place on a line.
pub struct Pen<'a> {
    buffer: &'a mut Buffer,
    x: u16,
    end: u16,
    y: u16,
    ellipsis: &'static str,
}

impl<'a> Pen<'a> {
    /// A pen at the start of an area's line; outside the area it writes nothing.
    pub fn new(buffer: &'a mut Buffer, area: Rect, line: u16, ellipsis: &'static str) -> Self {
        let area = area.intersection(buffer.area);
        let end = if line < area.height { area.right() } else { area.x };
        Self {
            buffer,
            x: area.x,
            end,
            y: area.y.saturating_add(line),
            ellipsis,
        }
    }

    /// Columns left.
    pub fn room(&self) -> u16 {
        self.end.saturating_sub(self.x)
    }

    /// Writes text, cut when it does not fit.
    pub fn put(&mut self, text: &str, style: Style) -> &mut Self {
        let room = usize::from(self.room());
        if room == 0 {
            return self;
        }
        if text::width(text) <= room {
            self.x = self.buffer.set_stringn(self.x, self.y, text, room, style).0;
        } else {
            let cut = text::fit(text, room, self.ellipsis);
            self.x = self.buffer.set_stringn(self.x, self.y, cut, room, style).0;
        }
        self
    }

    /// Leaves columns free.
    pub fn skip(&mut self, columns: u16) -> &mut Self {
        self.x = self.x.saturating_add(columns).min(self.end);
        self
    }

    /// Writes text into a cell of so many columns, to its left.
    pub fn cell(&mut self, text: &str, columns: u16, style: Style) -> &mut Self {
        let columns = columns.min(self.room());
        let end = std::mem::replace(&mut self.end, self.x + columns);
        let next = self.end;
        self.put(text, style);
        self.x = next;
        self.end = end;
        self
    }

    /// Writes text into a cell of so many columns, to its right.
    pub fn right_cell(&mut self, text: &str, columns: u16, style: Style) -> &mut Self {
        let columns = columns.min(self.room());
        let lead = columns.saturating_sub(columns_of(text));
        self.skip(lead).cell(text, columns - lead, style)
    }

    /// Writes text at the line's end and takes that room from it. Returns whether it fitted.
    pub fn at_end(&mut self, text: &str, style: Style) -> bool {
        let columns = columns_of(text);
        if columns > self.room() {
            return false;
        }
        self.end -= columns;
        self.buffer.set_string(self.end, self.y, text, style);
        true
    }
}

/// Columns of printable text.
pub fn columns_of(text: &str) -> u16 {
    u16::try_from(text::width(text)).unwrap_or(u16::MAX)
}
