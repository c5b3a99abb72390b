//! Scrolls the terminal instead of drawing rows anew that it shows already: a list that moves by one row costs that row.
//! Writes nothing; what the terminal shows is remembered here.

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Rect, Size};

use super::encode::encode;

/// Frames of fewer bytes are not worth a thought.
const WORTH: usize = 256;

/// What the terminal shows.
#[derive(Debug, Default)]
pub(super) struct Shown {
    cells: Buffer,
}

/// Rows that move together; the terminal blanks those that come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Scroll {
    /// The first row of the region.
    top: u16,
    /// The last one.
    bottom: u16,
    /// Rows that everything moves up; down when negative.
    up: i32,
}

impl Shown {
    /// The terminal was cleared and has this size.
    pub(super) fn clear(&mut self, size: Size) {
        self.cells = Buffer::empty(Rect::new(0, 0, size.width, size.height));
    }

    /// The fewest bytes that draw what changed.
    pub(super) fn draw<'a>(&mut self, changed: impl Iterator<Item = (u16, u16, &'a Cell)>) -> Vec<u8> {
        let changed: Vec<(u16, u16, &Cell)> = changed.collect();
        let mut wanted = self.cells.clone();
        let mut inside = true;
        for (x, y, cell) in &changed {
            match wanted.cell_mut((*x, *y)) {
                Some(place) => *place = (*cell).clone(),
                None => inside = false,
            }
            // Behind a wide symbol nothing is left of what stood there, and nothing comes back with its end.
            for hidden in (*x..).take(crate::text::width(cell.symbol())).skip(1) {
                if let Some(place) = wanted.cell_mut((hidden, *y)) {
                    place.reset();
                }
            }
        }
        let mut best = encode(changed.into_iter());
        if inside && best.len() > WORTH {
            let ways = [1, -1].into_iter().chain(self.shift(&wanted));
            for scroll in ways.filter_map(|up| self.region(&wanted, up)) {
                let bytes = self.scrolled(&wanted, scroll);
                if bytes.len() < best.len() {
                    best = bytes;
                }
            }
        }
        self.cells = wanted;
        best
    }

    fn height(&self) -> i32 {
        i32::from(self.cells.area.height)
    }

    fn row<'a>(&self, of: &'a Buffer, y: i32) -> &'a [Cell] {
        let width = usize::from(self.cells.area.width);
        let start = usize::try_from(y).unwrap_or(usize::MAX).saturating_mul(width);
        of.content.get(start..start.saturating_add(width)).unwrap_or_default()
    }

    /// By how many rows most of what is not blank has moved.
    fn shift(&self, wanted: &Buffer) -> Option<i32> {
        let height = self.height();
        let blank = |row: &[Cell]| row.iter().all(|cell| *cell == Cell::EMPTY);
        let moved = |up: i32| {
            (0..height)
                .filter(|y| (0..height).contains(&(y + up)))
                .map(|y| (self.row(wanted, y), self.row(&self.cells, y + up)))
                .filter(|(to, from)| to == from && !blank(to))
                .count()
        };
        (1 - height..height).filter(|up| *up != 0).max_by_key(|up| moved(*up))
    }

    /// The region in which that shift brings rows closer to what is wanted.
    fn region(&self, wanted: &Buffer, up: i32) -> Option<Scroll> {
        let height = self.height();
        let differ = |y: i32, from: i32| {
            let (to, from) = (self.row(wanted, y), self.row(&self.cells, from));
            to.iter().zip(from).filter(|(a, b)| a != b).count()
        };
        let closer = |y: &i32| (0..height).contains(&(y + up)) && differ(*y, y + up) < differ(*y, *y);
        let (first, last) = ((0..height).find(closer)?, (0..height).rfind(closer)?);
        Some(Scroll {
            top: u16::try_from(first.min(first + up)).ok()?,
            bottom: u16::try_from(last.max(last + up)).ok()?,
            up,
        })
    }

    fn scrolled(&self, wanted: &Buffer, scroll: Scroll) -> Vec<u8> {
        let Scroll { top, bottom, up } = scroll;
        // Lines are inserted or deleted at the cursor, within margins: older and more widely known than scrolling.
        let (count, letter) = (up.unsigned_abs(), if up > 0 { 'M' } else { 'L' });
        let (first, last) = (top + 1, bottom + 1);
        let mut out = format!("\x1b[{first};{last}r\x1b[{first}H\x1b[{count}{letter}\x1b[r").into_bytes();
        let blank = vec![Cell::EMPTY; usize::from(self.cells.area.width)];
        let rows = 0..self.cells.area.height;
        let cells = rows.flat_map(|y| {
            let from = if (top..=bottom).contains(&y) {
                i32::from(y) + up
            } else {
                i32::from(y)
            };
            let held = !(top..=bottom).contains(&y) || (i32::from(top)..=i32::from(bottom)).contains(&from);
            let before = if held { self.row(&self.cells, from) } else { &blank };
            changes(y, before, self.row(wanted, i32::from(y)))
        });
        out.extend(encode(cells));
        out
    }
}

/// The cells of a row to draw. Half of a wide symbol may be hidden or left over, so a row with one is drawn whole.
fn changes<'a>(y: u16, before: &'a [Cell], after: &'a [Cell]) -> impl Iterator<Item = (u16, u16, &'a Cell)> {
    let is_wide = |cell: &Cell| crate::text::width(cell.symbol()) != 1;
    let whole = before != after && (before.iter().any(is_wide) || after.iter().any(is_wide));
    let mut hidden = 0;
    let cells = (0u16..).zip(before.iter().zip(after)).filter(move |(_, (old, new))| {
        if hidden > 0 {
            hidden -= 1;
            return false;
        }
        hidden = crate::text::width(new.symbol()).saturating_sub(1);
        whole || old != new
    });
    cells.map(move |(x, (_, new))| (x, y, new))
}

#[cfg(test)]
mod tests {
    use ratatui::style::{Color, Style};

    use super::*;

    const SIZE: Size = Size { width: 60, height: 12 };

    fn terminal() -> vt100::Parser {
        vt100::Parser::new(SIZE.height.try_into().unwrap(), SIZE.width.try_into().unwrap(), 0)
    }

    /// A list as vole draws one: a header, rows from `top` on with one of them marked, a footer.
    fn list(top: usize, marked: usize, text: impl Fn(usize) -> String) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, SIZE.width, SIZE.height));
        buffer.set_string(0, 0, "header", Style::new().fg(Color::Cyan));
        for line in 0..SIZE.height - 2 {
            let at = top + usize::from(line);
            let style = if at == marked {
                Style::new().bg(Color::Blue)
            } else {
                Style::new()
            };
            buffer.set_string(0, line + 1, format!("{:<60}", text(at)), style);
        }
        buffer.set_string(0, SIZE.height - 1, format!("row {marked}"), Style::new());
        buffer
    }

    fn check(screen: &vt100::Screen, meant: &Buffer, what: &str) {
        for y in 0..SIZE.height {
            for x in 0..SIZE.width {
                let cell = screen.cell(y, x).unwrap();
                if cell.is_wide_continuation() {
                    continue;
                }
                let got = if cell.contents().is_empty() {
                    " "
                } else {
                    cell.contents()
                };
                assert_eq!(got, meant[(x, y)].symbol(), "{what}: {x},{y}");
                let marked = cell.bgcolor() == vt100::Color::Idx(4);
                assert_eq!(marked, meant[(x, y)].bg == Color::Blue, "{what}: {x},{y}");
            }
        }
    }

    /// Draws these buffers one after the other; returns the bytes of each.
    fn play(frames: &[Buffer]) -> Vec<usize> {
        let mut terminal = terminal();
        let mut shown = Shown::default();
        shown.clear(SIZE);
        let mut before = Buffer::empty(Rect::new(0, 0, SIZE.width, SIZE.height));
        let mut sent = Vec::new();
        for (at, frame) in frames.iter().enumerate() {
            let bytes = shown.draw(before.diff(frame).into_iter());
            terminal.process(&bytes);
            check(terminal.screen(), frame, &format!("frame {at}"));
            sent.push(bytes.len());
            before = frame.clone();
        }
        sent
    }

    fn word(at: usize) -> String {
        format!("{at:04} {:>50}", at * at * 7919 % 100_003)
    }

    #[test]
    fn a_list_that_moves_by_a_row_costs_that_row() {
        let down: Vec<Buffer> = (0..30).map(|top| list(top, top + 9, word)).collect();
        let up = down.iter().rev().cloned().collect();
        for frames in [down, up] {
            let sent = play(&frames);
            let most = sent.iter().skip(1).max().unwrap();
            assert!(*most < 260, "{sent:?}");
        }
    }

    #[test]
    fn half_a_page_is_moved_too() {
        let frames: Vec<Buffer> = (0..6).map(|page| list(page * 5, page * 5, word)).collect();
        let sent = play(&frames);
        assert!(sent[1..].iter().all(|bytes| *bytes < sent[0] * 3 / 4), "{sent:?}");
    }

    /// Lists that have little in common, jumps, wide names: whatever is chosen, the terminal shows what was meant.
    #[test]
    fn a_terminal_shows_what_was_meant() {
        let names = |at: usize| match at % 7 {
            0 => format!("日本語{at:>40}"),
            3 => String::new(),
            5 => format!("{:>57}世", at % 3),
            _ => format!("{:<30}{at}", at % 5),
        };
        let tops = [0, 1, 2, 3, 2, 7, 6, 14, 13, 12, 40, 41, 39, 0, 11, 1, 3];
        let frames: Vec<Buffer> = tops.iter().map(|&top| list(top, top + top % 10, names)).collect();
        play(&frames);
    }
}
