//! Draws a terminal's screen as SVG: cells, colours, bold, dim, underlined, reverse, wide characters. Knows no `vole`.

use std::fmt::Write as _;

use vt100::{Cell, Color, Screen};

/// Font size in pixels; a cell is as wide and as high as the glyphs of DejaVu Sans Mono are, so that lines and blocks
/// of neighbouring cells touch.
const FONT: f64 = 14.0;
const WIDTH: f64 = FONT * 0.602_05;
const HEIGHT: f64 = FONT * 1.164;
const ASCENT: f64 = FONT * 0.928;
const MARGIN: f64 = 10.0;

const FOREGROUND: [u8; 3] = [0xd0, 0xd7, 0xde];
const BACKGROUND: [u8; 3] = [0x10, 0x14, 0x1a];

/// The sixteen colours as a dark terminal of today has them.
const PALETTE: [[u8; 3]; 16] = [
    [0x2b, 0x31, 0x3a],
    [0xf0, 0x71, 0x6a],
    [0x6c, 0xc6, 0x6f],
    [0xe3, 0xb3, 0x41],
    [0x6c, 0xa8, 0xf5],
    [0xc4, 0x8b, 0xf0],
    [0x4f, 0xc4, 0xcf],
    [0xc5, 0xcd, 0xd6],
    [0x7a, 0x84, 0x91],
    [0xff, 0x9a, 0x92],
    [0x8c, 0xe0, 0x8e],
    [0xf5, 0xcf, 0x6b],
    [0x92, 0xc2, 0xff],
    [0xdc, 0xb0, 0xff],
    [0x7d, 0xe0, 0xea],
    [0xff, 0xff, 0xff],
];

/// What a stretch of cells looks like.
#[derive(Debug, Clone, PartialEq)]
struct Style {
    ink: [u8; 3],
    paper: [u8; 3],
    bold: bool,
    italic: bool,
    underline: bool,
}

impl Style {
    fn of(cell: &Cell) -> Self {
        let (mut ink, mut paper) = (rgb(cell.fgcolor(), FOREGROUND), rgb(cell.bgcolor(), BACKGROUND));
        if cell.inverse() {
            std::mem::swap(&mut ink, &mut paper);
        }
        if cell.dim() {
            ink = halfway(ink, paper);
        }
        Self {
            ink,
            paper,
            bold: cell.bold(),
            italic: cell.italic(),
            underline: cell.underline(),
        }
    }
}

/// Draws the screen.
pub(crate) fn draw(screen: &Screen) -> String {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let width = f64::from(columns) * WIDTH + 2.0 * MARGIN;
    let height = f64::from(rows) * HEIGHT + 2.0 * MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.1} {height:.1}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{}\"/>\n\
         <g font-family=\"'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"{FONT}\" xml:space=\"preserve\">\n",
        hex(BACKGROUND)
    );
    for row in 0..rows {
        for run in runs(screen, row, columns) {
            run.draw(&mut out, row);
        }
    }
    out.push_str("</g>\n</svg>\n");
    out
}

/// Neighbouring cells of one style.
struct Run {
    column: u16,
    cells: u16,
    style: Style,
    text: String,
}

/// Splits a row. What is not ASCII stands alone: a font that lacks it must not shift its neighbours.
fn runs(screen: &Screen, row: u16, columns: u16) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for column in 0..columns {
        let Some(cell) = screen.cell(row, column) else { continue };
        if cell.is_wide_continuation() {
            continue;
        }
        let style = Style::of(cell);
        let text = if cell.has_contents() { cell.contents() } else { " " };
        let cells = if cell.is_wide() { 2 } else { 1 };
        match runs.last_mut() {
            Some(run)
                if run.style == style && run.text.is_ascii() == text.is_ascii() && joins(text) && joins(&run.text) =>
            {
                run.text.push_str(text);
                run.cells += cells;
            }
            _ => runs.push(Run {
                column,
                cells,
                style,
                text: text.to_owned(),
            }),
        }
    }
    runs
}

/// Whether a cell can be one text with its neighbours: ASCII, lines and blocks are as wide as a cell in every font that
/// has them.
fn joins(text: &str) -> bool {
    text.is_ascii() || text.chars().all(|c| ('\u{2500}'..='\u{259f}').contains(&c))
}

impl Run {
    fn draw(&self, out: &mut String, row: u16) {
        let x = MARGIN + f64::from(self.column) * WIDTH;
        let y = MARGIN + f64::from(row) * HEIGHT;
        let width = f64::from(self.cells) * WIDTH;
        // Writing to a String cannot fail.
        if self.style.paper != BACKGROUND {
            let fill = hex(self.style.paper);
            let _ = writeln!(
                out,
                "<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" height=\"{HEIGHT:.2}\" fill=\"{fill}\" shape-rendering=\"crispEdges\"/>"
            );
        }
        let drawn = self.text.trim_end_matches(' ');
        if drawn.is_empty() && !self.style.underline {
            return;
        }
        let style = &self.style;
        let mut attributes = String::new();
        if style.ink != FOREGROUND {
            let _ = write!(attributes, " fill=\"{}\"", hex(style.ink));
        } else {
            let _ = write!(attributes, " fill=\"{}\"", hex(FOREGROUND));
        }
        if style.bold {
            attributes.push_str(" font-weight=\"bold\"");
        }
        if style.italic {
            attributes.push_str(" font-style=\"italic\"");
        }
        if style.underline {
            attributes.push_str(" text-decoration=\"underline\"");
        }
        let _ = writeln!(
            out,
            "<text x=\"{x:.2}\" y=\"{:.2}\" textLength=\"{width:.2}\" lengthAdjust=\"spacingAndGlyphs\"{attributes}>{}</text>",
            y + ASCENT,
            escape(&self.text)
        );
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn hex([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

fn halfway(from: [u8; 3], to: [u8; 3]) -> [u8; 3] {
    let mix = |a: u8, b: u8| u8::try_from((u16::from(a) * 3 + u16::from(b) * 2) / 5).unwrap_or(a);
    [mix(from[0], to[0]), mix(from[1], to[1]), mix(from[2], to[2])]
}

fn rgb(color: Color, default: [u8; 3]) -> [u8; 3] {
    match color {
        Color::Default => default,
        Color::Rgb(red, green, blue) => [red, green, blue],
        Color::Idx(index) => match index {
            0..=15 => PALETTE.get(usize::from(index)).copied().unwrap_or(default),
            16..=231 => {
                let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
                let cube = index - 16;
                [level(cube / 36), level(cube / 6 % 6), level(cube % 6)]
            }
            232..=255 => [8 + 10 * (index - 232); 3],
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZero;

    fn screen(bytes: &[u8]) -> Screen {
        let mut parser = vt100::Parser::new(NonZero::new(2).unwrap(), NonZero::new(20).unwrap(), 0);
        parser.process(bytes);
        parser.screen().clone()
    }

    #[test]
    fn markup_in_a_name_is_text_and_colours_are_kept() {
        let svg = draw(&screen(b"a<b>&\x1b[1;31mred\x1b[0m"));
        assert!(svg.contains(">a&lt;b&gt;&amp;</text>"), "{svg}");
        assert!(
            svg.contains("fill=\"#f0716a\" font-weight=\"bold\">red</text>"),
            "{svg}"
        );
    }

    #[test]
    fn reverse_swaps_ink_and_paper_and_a_wide_character_takes_two_cells() {
        let svg = draw(&screen("\x1b[7mx\x1b[0m日y".as_bytes()));
        assert!(
            svg.contains(&format!("fill=\"{}\" shape-rendering", hex(FOREGROUND))),
            "{svg}"
        );
        let y = format!("x=\"{:.2}\"", MARGIN + 3.0 * WIDTH);
        assert!(svg.contains(&y), "y stands in the fourth cell: {svg}");
    }
}
