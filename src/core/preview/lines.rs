//! Bytes of a file as rows of text: where lines break, how they wrap, how hostile bytes are shown. Works on a
//! window of a file of any size and with lines of any length; knows nothing of how the window was read.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::text;

/// A line without an end is cut at multiples of this offset, so that a cut can be found from any place in it.
const CUT: u64 = 4096;
/// Columns between tab stops.
const TAB: usize = 8;

/// A window of a file.
#[derive(Debug, Clone, Copy)]
pub struct Bytes<'a> {
    /// Offset of the first byte.
    pub base: u64,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// How rows are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Columns of the screen.
    pub width: usize,
    /// Rows of the screen.
    pub height: usize,
    /// Whether long lines go on in the next row.
    pub wrap: bool,
}

/// A row of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Offset of its first byte.
    pub offset: u64,
    /// Offset behind its last byte.
    pub end: u64,
    /// What to show; printable.
    pub text: String,
    /// Parts of `text` that stand for bytes which cannot be shown as they are.
    pub escapes: Vec<Range<usize>>,
    /// Whether the row goes on a line that began in an earlier one.
    pub continued: bool,
    /// Whether the line is longer than the row and the rest is not shown (without wrapping).
    pub cut: bool,
}

impl<'a> Bytes<'a> {
    /// Offset behind the last byte.
    pub fn end(&self) -> u64 {
        self.base + self.bytes.len() as u64
    }

    fn slice(&self, from: u64, to: u64) -> &'a [u8] {
        let at = |offset: u64| (offset.saturating_sub(self.base)).min(self.bytes.len() as u64) as usize;
        self.bytes.get(at(from)..at(to).max(at(from))).unwrap_or(&[])
    }

    fn newline_before(&self, from: u64, to: u64) -> Option<u64> {
        let from = from.max(self.base);
        let found = self.slice(from, to).iter().rposition(|&byte| byte == b'\n')?;
        Some(from + found as u64)
    }

    /// The first place at or behind a forced cut where a character starts.
    fn whole_char(&self, cut: u64) -> u64 {
        let more = self
            .slice(cut, cut + 3)
            .iter()
            .take_while(|&&byte| byte & 0xc0 == 0x80)
            .count();
        cut + more as u64
    }

    /// Where the line, or the piece of an endless line, begins that holds this offset.
    pub fn line_start(&self, offset: u64) -> u64 {
        let offset = offset.clamp(self.base, self.end());
        let block = offset / CUT * CUT;
        if let Some(newline) = self.newline_before(block, offset) {
            return newline + 1;
        }
        let earlier = block.saturating_sub(CUT);
        match self.newline_before(earlier, block) {
            Some(newline) => newline + 1,
            None if block == 0 || block <= self.base => self.base,
            None => {
                let cut = self.whole_char(block);
                // Within the character that a cut would divide: it belongs to the piece before.
                if cut > offset { self.line_start(block - 1) } else { cut }
            }
        }
    }

    /// Where the line that begins at `start` ends: behind its line feed, at a forced cut, or at the window's end.
    pub fn line_end(&self, start: u64) -> u64 {
        let block = start / CUT * CUT;
        let limit = block + 2 * CUT;
        if let Some(found) = self.slice(start, limit).iter().position(|&byte| byte == b'\n') {
            let behind = start + found as u64 + 1;
            let first_cut = block + CUT;
            // A cut at the first multiple counts only when its whole block is free of line feeds.
            if behind <= first_cut || self.newline_before(block, first_cut.min(start)).is_some() || block < self.base {
                return behind;
            }
            return behind.min(self.whole_char(first_cut).max(start + 1));
        }
        let first_cut = block + CUT;
        let free = self.newline_before(block, start).is_none() && block >= self.base;
        let cut = self.whole_char(if free { first_cut } else { limit });
        cut.max(start + 1).min(self.end())
    }
}

/// The rows from the one that holds `top` on, as many as the screen has.
pub fn rows_from(bytes: Bytes<'_>, top: u64, shape: Shape) -> Vec<Line> {
    let mut rows = Vec::with_capacity(shape.height);
    let mut start = bytes.line_start(top);
    while rows.len() < shape.height && start < bytes.end() {
        let end = bytes.line_end(start);
        let first = rows.is_empty();
        for line in wrap(bytes, start, end, shape) {
            if first && line.end <= top && line.end < end {
                continue;
            }
            if rows.len() < shape.height {
                rows.push(line);
            }
        }
        start = end;
    }
    rows
}

/// The top after moving down by some rows; the last row at most.
pub fn down(bytes: Bytes<'_>, top: u64, rows: usize, shape: Shape) -> u64 {
    let reached = rows_from(
        bytes,
        top,
        Shape {
            height: rows + 1,
            ..shape
        },
    );
    reached.last().map_or(top, |line| line.offset)
}

/// The top after moving up by some rows; the window's first row at least.
pub fn up(bytes: Bytes<'_>, top: u64, rows: usize, shape: Shape) -> u64 {
    let mut above: Vec<u64> = Vec::new();
    let mut end = top;
    let mut start = bytes.line_start(top);
    loop {
        let line = wrap(bytes, start, bytes.line_end(start), shape);
        above.splice(0..0, line.iter().map(|row| row.offset).filter(|&offset| offset < end));
        if above.len() >= rows || start <= bytes.base {
            break;
        }
        end = start;
        start = bytes.line_start(start - 1);
    }
    match above.len().checked_sub(rows) {
        Some(at) => above.get(at).copied().unwrap_or(top),
        None => above.first().copied().unwrap_or(top),
    }
}

/// The top that shows the window's end.
pub fn bottom(bytes: Bytes<'_>, shape: Shape) -> u64 {
    up(bytes, bytes.end(), shape.height, shape)
}

/// Divides a line into rows; without wrapping there is one, cut where the screen ends.
fn wrap(bytes: Bytes<'_>, start: u64, end: u64, shape: Shape) -> Vec<Line> {
    let content = bytes.slice(start, end);
    let shown = content
        .strip_suffix(b"\n")
        .map_or(content, |line| line.strip_suffix(b"\r").unwrap_or(line));
    let mut rows = Rows::new(start, shape);
    'pieces: for piece in shown.utf8_chunks() {
        for grapheme in piece.valid().graphemes(true) {
            if !rows.push_grapheme(grapheme) {
                break 'pieces;
            }
        }
        for byte in piece.invalid() {
            if !rows.push(&format!("\\x{byte:02x}"), 1, true) {
                break 'pieces;
            }
        }
    }
    rows.finish(end)
}

struct Rows {
    shape: Shape,
    done: Vec<Line>,
    line: Line,
    used: usize,
    offset: u64,
}

impl Rows {
    fn new(start: u64, shape: Shape) -> Self {
        Self {
            shape,
            done: Vec::new(),
            line: blank(start, false),
            used: 0,
            offset: start,
        }
    }

    fn push_grapheme(&mut self, grapheme: &str) -> bool {
        if grapheme == "\t" {
            let stop = TAB - self.used % TAB;
            let room = self.shape.width.saturating_sub(self.used).max(1);
            return self.push(&" ".repeat(stop.min(room)), 1, false);
        }
        if matches!(grapheme.as_bytes(), [b' '..=b'~']) {
            return self.push_wide(grapheme, 1, 1, false);
        }
        let shown = text::printable_str(grapheme);
        let escaped = shown != grapheme;
        self.push(&shown, grapheme.len() as u64, escaped)
    }

    /// Appends what stands for `len` bytes; `false` when the rest of the line is not shown.
    fn push(&mut self, shown: &str, len: u64, escaped: bool) -> bool {
        self.push_wide(shown, text::width(shown), len, escaped)
    }

    fn push_wide(&mut self, shown: &str, width: usize, len: u64, escaped: bool) -> bool {
        if self.used + width > self.shape.width && self.used > 0 {
            if !self.shape.wrap {
                self.line.cut = true;
                return false;
            }
            self.line.end = self.offset;
            let next = blank(self.offset, true);
            self.done.push(std::mem::replace(&mut self.line, next));
            self.used = 0;
        }
        let from = self.line.text.len();
        self.line.text.push_str(shown);
        if escaped {
            self.line.escapes.push(from..self.line.text.len());
        }
        self.used += width;
        self.offset += len;
        true
    }

    fn finish(mut self, end: u64) -> Vec<Line> {
        self.line.end = end;
        self.done.push(self.line);
        self.done
    }
}

fn blank(offset: u64, continued: bool) -> Line {
    Line {
        offset,
        end: offset,
        text: String::new(),
        escapes: Vec::new(),
        continued,
        cut: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(width: usize, height: usize) -> Shape {
        Shape {
            width,
            height,
            wrap: true,
        }
    }

    fn texts(bytes: &[u8], top: u64, shape: Shape) -> Vec<String> {
        rows_from(Bytes { base: 0, bytes }, top, shape)
            .into_iter()
            .map(|line| line.text)
            .collect()
    }

    #[test]
    fn wraps_and_makes_hostile_bytes_visible() {
        let rows = texts(b"abcdef\nx\r\n\n\xff\x1b[m\tz", 0, shape(4, 9));
        assert_eq!(rows, ["abcd", "ef", "x", "", "\\xff", "\\e[m", " z"]);
        let cut = rows_from(
            Bytes {
                base: 0,
                bytes: b"abcdef\nx",
            },
            0,
            Shape {
                wrap: false,
                ..shape(4, 9)
            },
        );
        assert_eq!(
            (cut[0].text.as_str(), cut[0].cut, cut[1].text.as_str()),
            ("abcd", true, "x")
        );
        assert!(texts("日本語".as_bytes(), 0, shape(4, 9)) == ["日本", "語"]);
    }

    #[test]
    fn scrolling_down_and_up_meets_the_same_rows_in_any_file() {
        let mut mixed = Vec::new();
        for n in 0..90u32 {
            mixed.extend(std::iter::repeat_n(b'a' + (n % 26) as u8, (n * 7 % 300) as usize));
            mixed.extend("ü日\u{1b}".as_bytes());
            if n % 3 != 0 {
                mixed.push(b'\n');
            }
            if n == 50 {
                mixed.extend(std::iter::repeat_n("日".as_bytes(), 1500).flatten());
            }
        }
        for file in [
            mixed,
            vec![b'x'; 9000],
            vec![b'\n'; 500],
            vec![0xff; 2500],
            b"end".to_vec(),
        ] {
            let bytes = Bytes { base: 0, bytes: &file };
            let shape = shape(37, 10);
            let mut tops = vec![0];
            loop {
                let next = down(bytes, tops[tops.len() - 1], 1, shape);
                if next == tops[tops.len() - 1] {
                    break;
                }
                tops.push(next);
            }
            let covered: u64 = tops
                .iter()
                .map(|&top| rows_from(bytes, top, Shape { height: 1, ..shape })[0].end - top)
                .sum();
            assert_eq!(
                covered,
                file.len() as u64,
                "rows leave nothing out and show nothing twice"
            );
            let mut back = vec![tops[tops.len() - 1]];
            while back[back.len() - 1] > 0 {
                back.push(up(bytes, back[back.len() - 1], 1, shape));
            }
            back.reverse();
            assert_eq!(back, tops);
            assert_eq!(
                up(bytes, tops[tops.len() - 1], 10, shape),
                tops[tops.len().saturating_sub(11)]
            );
        }
    }

    #[test]
    fn a_window_in_the_middle_of_an_endless_line_is_cut_at_the_same_places() {
        let file = vec![b'y'; 200_000];
        let whole = Bytes { base: 0, bytes: &file };
        let part = Bytes {
            base: 50_000,
            bytes: &file[50_000..120_000],
        };
        for offset in [80_000, 81_920, 81_921, 90_111] {
            assert_eq!(whole.line_start(offset), part.line_start(offset));
            assert_eq!(
                whole.line_end(whole.line_start(offset)),
                part.line_end(part.line_start(offset))
            );
        }
    }

    #[test]
    fn the_bottom_shows_the_last_rows() {
        let file: Vec<u8> = (0..1000).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
        let bytes = Bytes { base: 0, bytes: &file };
        let rows = rows_from(bytes, bottom(bytes, shape(20, 5)), shape(20, 5));
        assert_eq!(rows.len(), 5);
        assert_eq!(rows[4].text, "line 999");
    }
}
