//! Colours and glyphs, each named by what it means. Nothing on screen means something by colour alone.

use ratatui::style::{Color, Modifier, Style};
use serde::{Deserialize, Serialize};

/// Which colours to use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Colours {
    /// The 256-colour palette.
    #[default]
    Default,
    /// The terminal's own 16 colours.
    Sixteen,
    /// None: bold, dim and reverse only.
    Mono,
}

/// Colours and glyphs of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// Ordinary text.
    pub plain: Style,
    /// Text of less weight: units, ages, labels.
    pub dim: Style,
    /// What the eye shall find: the cursor's marker, the program's name.
    pub accent: Style,
    /// The name under the cursor.
    pub selected: Style,
    /// Column titles and headings.
    pub heading: Style,
    /// A group's header.
    pub group: Style,
    /// A key in footer, help and palette.
    pub key: Style,
    /// A filter that is on.
    pub chip: Style,
    /// A mark.
    pub mark: Style,
    /// Bars.
    pub bar: Style,
    /// The empty part of bars, rules.
    pub faint: Style,
    /// Something good: live, running, done.
    pub good: Style,
    /// Something to look at.
    pub warning: Style,
    /// A fault.
    pub fault: Style,
    /// A directory's name.
    pub directory: Style,
    /// A symlink's name.
    pub link: Style,
    /// Glyphs.
    pub glyphs: Glyphs,
}

/// Glyphs, each one column wide unless said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glyphs {
    /// The cursor's marker.
    pub cursor: &'static str,
    /// A mark.
    pub mark: &'static str,
    /// What was cut; up to three columns.
    pub ellipsis: &'static str,
    /// Between things on a line.
    pub dot: &'static str,
    /// A vertical rule.
    pub vertical: &'static str,
    /// A horizontal rule.
    pub horizontal: &'static str,
    /// Descending.
    pub down: &'static str,
    /// Ascending.
    pub up: &'static str,
    /// An arrow to a symlink's target; up to two columns.
    pub to: &'static str,
    /// At least; up to two columns.
    pub at_least: &'static str,
    /// An open directory.
    pub open: &'static str,
    /// A closed directory.
    pub closed: &'static str,
    /// Parts of a bar's cell, from one eighth (or a whole, in ASCII) up.
    pub bar: &'static [&'static str],
    /// The empty part of a progress bar.
    pub track: &'static str,
    /// The cursor of a text field.
    pub caret: &'static str,
}

const UNICODE: Glyphs = Glyphs {
    cursor: "▌",
    mark: "✓",
    ellipsis: "…",
    dot: "·",
    vertical: "│",
    horizontal: "─",
    down: "↓",
    up: "↑",
    to: "→",
    at_least: "≥",
    open: "▾",
    closed: "▸",
    bar: &["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"],
    track: "─",
    caret: "▏",
};

const ASCII: Glyphs = Glyphs {
    cursor: ">",
    mark: "*",
    ellipsis: "...",
    dot: "-",
    vertical: "|",
    horizontal: "-",
    down: "v",
    up: "^",
    to: "->",
    at_least: ">=",
    open: "-",
    closed: "+",
    bar: &["#"],
    track: "-",
    caret: "_",
};

impl Theme {
    /// The theme of these colours, with glyphs of ASCII alone or not.
    pub fn new(colours: Colours, ascii: bool) -> Self {
        let glyphs = if ascii { ASCII } else { UNICODE };
        match colours {
            Colours::Default => Self::coloured(glyphs, |indexed, _| Color::Indexed(indexed)),
            Colours::Sixteen => Self::coloured(glyphs, |_, named| named),
            Colours::Mono => Self::mono(glyphs),
        }
    }

    fn coloured(glyphs: Glyphs, pick: impl Fn(u8, Color) -> Color) -> Self {
        let plain = Style::new();
        let colour = |indexed, named| plain.fg(pick(indexed, named));
        let accent = colour(80, Color::Cyan);
        let dim = colour(246, Color::DarkGray);
        Self {
            plain,
            dim,
            accent,
            selected: accent.add_modifier(Modifier::BOLD),
            heading: dim,
            group: plain.add_modifier(Modifier::BOLD),
            key: accent,
            chip: colour(222, Color::Yellow).add_modifier(Modifier::REVERSED),
            mark: colour(222, Color::Yellow),
            bar: colour(67, Color::Blue),
            faint: colour(238, Color::DarkGray),
            good: colour(114, Color::Green),
            warning: colour(222, Color::Yellow),
            fault: colour(203, Color::Red),
            directory: colour(110, Color::Blue),
            link: colour(176, Color::Magenta),
            glyphs,
        }
    }

    fn mono(glyphs: Glyphs) -> Self {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        let dim = plain.add_modifier(Modifier::DIM);
        Self {
            plain,
            dim,
            accent: bold,
            selected: plain.add_modifier(Modifier::REVERSED),
            heading: dim,
            group: bold,
            key: bold,
            chip: plain.add_modifier(Modifier::REVERSED),
            mark: bold,
            bar: plain,
            faint: dim,
            good: plain,
            warning: bold,
            fault: bold,
            directory: bold,
            link: plain,
            glyphs,
        }
    }

    /// A bar of `parts` in a thousand over at most `columns`; at least one part when `parts` is not zero.
    pub fn bar(&self, parts: u16, columns: u16) -> String {
        let steps = self.glyphs.bar.len();
        let whole = usize::from(columns) * steps;
        let filled = (usize::from(parts.min(1000)) * whole).div_ceil(1000);
        let mut out = self.glyphs.bar[steps - 1].repeat(filled / steps);
        if let Some(part) = (filled % steps).checked_sub(1) {
            out.push_str(self.glyphs.bar[part]);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::width;

    #[test]
    fn bars_never_exceed_their_columns_and_show_the_smallest_share() {
        for ascii in [false, true] {
            let theme = Theme::new(Colours::Default, ascii);
            for parts in 0..=1000 {
                let bar = theme.bar(parts, 10);
                assert!(width(&bar) <= 10);
                assert_eq!(bar.is_empty(), parts == 0);
            }
            assert_eq!(width(&theme.bar(1000, 10)), 10);
        }
    }

    #[test]
    fn ascii_is_ascii() {
        let glyphs = Theme::new(Colours::Mono, true).glyphs;
        assert!(format!("{glyphs:?}").is_ascii());
    }
}
