//! Turns changed cells into the fewest bytes that draw them: over SSH, bytes are what a key press costs. Writes nothing.

use std::io::Write as _;

use ratatui::buffer::Cell;
use ratatui::style::{Color, Modifier};

/// Attributes that vole uses, with the number that switches them on.
const ATTRIBUTES: [(Modifier, u8); 6] = [
    (Modifier::BOLD, 1),
    (Modifier::DIM, 2),
    (Modifier::ITALIC, 3),
    (Modifier::UNDERLINED, 4),
    (Modifier::REVERSED, 7),
    (Modifier::CROSSED_OUT, 9),
];

/// How the terminal draws now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pen {
    foreground: Color,
    background: Color,
    modifier: Modifier,
}

const PLAIN: Pen = Pen {
    foreground: Color::Reset,
    background: Color::Reset,
    modifier: Modifier::empty(),
};

/// The bytes that draw these cells on a terminal whose pen is plain; they leave it plain.
pub(super) fn encode<'a>(cells: impl Iterator<Item = (u16, u16, &'a Cell)>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut pen = PLAIN;
    let mut next: Option<(u16, u16)> = None;
    for (x, y, cell) in cells {
        go(&mut out, next, (x, y));
        let wanted = Pen {
            foreground: cell.fg,
            background: cell.bg,
            modifier: cell.modifier,
        };
        take(&mut out, pen, wanted);
        pen = wanted;
        out.extend_from_slice(cell.symbol().as_bytes());
        // Behind a wide symbol the terminal's cursor stands elsewhere than one further: say where to go.
        next = (crate::text::width(cell.symbol()) == 1).then_some((x + 1, y));
    }
    take(&mut out, pen, PLAIN);
    out
}

/// Moves the terminal's cursor from where it stands, if that is known.
fn go(out: &mut Vec<u8>, from: Option<(u16, u16)>, to: (u16, u16)) {
    match from {
        Some(from) if from == to => {}
        Some((x, y)) if y == to.1 && x < to.0 => match to.0 - x {
            1 => out.extend_from_slice(b"\x1b[C"),
            columns => push(out, format_args!("\x1b[{columns}C")),
        },
        _ => push(out, format_args!("\x1b[{};{}H", to.1 + 1, to.0 + 1)),
    }
}

fn push(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing into a vector cannot fail.
    out.write_fmt(text).ok();
}

/// Changes the pen, by what differs alone.
fn take(out: &mut Vec<u8>, from: Pen, to: Pen) {
    if from == to {
        return;
    }
    let mut codes = String::new();
    let mut from = from;
    // Attributes are switched off together: single codes for it differ between terminals.
    if !to.modifier.contains(from.modifier) || to == PLAIN {
        codes.push('0');
        from = PLAIN;
    }
    for (modifier, code) in ATTRIBUTES {
        if to.modifier.contains(modifier) && !from.modifier.contains(modifier) {
            add(&mut codes, &code.to_string());
        }
    }
    if from.foreground != to.foreground {
        add(&mut codes, &colour(to.foreground, 30));
    }
    if from.background != to.background {
        add(&mut codes, &colour(to.background, 40));
    }
    // `\x1b[m` is `\x1b[0m`.
    let codes = if codes == "0" { "" } else { &codes };
    push(out, format_args!("\x1b[{codes}m"));
}

fn add(codes: &mut String, code: &str) {
    if !codes.is_empty() {
        codes.push(';');
    }
    codes.push_str(code);
}

/// A colour's codes; `base` is 30 for the foreground and 40 for the background.
fn colour(colour: Color, base: u8) -> String {
    let dark = |n: u8| (base + n).to_string();
    let bright = |n: u8| (base + 60 + n).to_string();
    match colour {
        Color::Reset => dark(9),
        Color::Black => dark(0),
        Color::Red => dark(1),
        Color::Green => dark(2),
        Color::Yellow => dark(3),
        Color::Blue => dark(4),
        Color::Magenta => dark(5),
        Color::Cyan => dark(6),
        Color::Gray => dark(7),
        Color::DarkGray => bright(0),
        Color::LightRed => bright(1),
        Color::LightGreen => bright(2),
        Color::LightYellow => bright(3),
        Color::LightBlue => bright(4),
        Color::LightMagenta => bright(5),
        Color::LightCyan => bright(6),
        Color::White => bright(7),
        Color::Indexed(n) => format!("{};5;{n}", base + 8),
        Color::Rgb(r, g, b) => format!("{};2;{r};{g};{b}", base + 8),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    /// Whatever is drawn over whatever, a terminal shows the second buffer.
    #[test]
    fn a_terminal_shows_what_was_meant() {
        let area = Rect::new(0, 0, 40, 6);
        let styles = [
            Style::new(),
            Style::new().fg(Color::Indexed(80)).add_modifier(Modifier::BOLD),
            Style::new().fg(Color::Cyan).bg(Color::Indexed(3)),
            Style::new().add_modifier(Modifier::REVERSED | Modifier::DIM),
        ];
        let mut terminal = vt100::Parser::new(6.try_into().unwrap(), 40.try_into().unwrap(), 0);
        let mut shown = Buffer::empty(area);
        for round in 0..40usize {
            let mut wanted = Buffer::empty(area);
            for y in 0..6 {
                let text = ["plain", "日本語 wide", "a  b    c", "", "e\u{301}acute", "xxxxxxxxxx"];
                let at = round * 7 + usize::from(y) * 5;
                let x = u16::try_from(at % 25).unwrap();
                wanted.set_string(
                    x,
                    y,
                    text[at % text.len()],
                    styles[(round + usize::from(y)) % styles.len()],
                );
            }
            terminal.process(&encode(shown.diff(&wanted).into_iter()));
            shown = wanted;
            for y in 0..6 {
                for x in 0..40 {
                    let cell = terminal.screen().cell(y, x).unwrap();
                    let meant = &shown[(x, y)];
                    if cell.is_wide_continuation() {
                        continue;
                    }
                    let got = if cell.contents().is_empty() {
                        " "
                    } else {
                        cell.contents()
                    };
                    assert_eq!(got, meant.symbol(), "round {round}, {x},{y}");
                    assert_eq!(
                        cell.bold(),
                        meant.modifier.contains(Modifier::BOLD),
                        "round {round}, {x},{y}"
                    );
                    assert_eq!(cell.inverse(), meant.modifier.contains(Modifier::REVERSED));
                    if got != " " {
                        let colour = match meant.fg {
                            Color::Indexed(n) => vt100::Color::Idx(n),
                            Color::Cyan => vt100::Color::Idx(6),
                            _ => vt100::Color::Default,
                        };
                        assert_eq!(cell.fgcolor(), colour, "round {round}, {x},{y}");
                    }
                }
            }
        }
    }
}
