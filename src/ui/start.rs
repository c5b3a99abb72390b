//! The first screen: an engine is being looked for, or none answers. Says what was tried, and what can be done.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::pen::Pen;
use super::theme::Theme;
use crate::core::action::Action;
use crate::core::state::{Search, State};
use crate::text;

/// Draws the start screen.
pub(super) fn view(state: &State, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let area = Rect {
        x: area.x + 2,
        width: area.width.saturating_sub(4),
        ..area
    };
    let mut page = Page {
        frame,
        area,
        line: 1,
        theme,
    };
    let tried = match &state.search {
        Search::Failed(tried) => tried,
        Search::Running | Search::Found => {
            page.text(0, "Looking for a Docker or Podman engine.", theme.dim);
            return;
        }
    };
    page.text(0, "No engine answers.", theme.group);
    page.line += 1;
    // What to do comes first: a long list of attempts must not push it off the screen.
    let key = |action| {
        state
            .keymap
            .keys(action)
            .first()
            .map(ToString::to_string)
            .unwrap_or_default()
    };
    for (action, words) in [
        (Action::Demo, "explore a made-up fleet, without any engine"),
        (Action::Retry, "look for an engine again"),
        (
            Action::Quit,
            "quit; `vole --host URL` and `vole --context NAME` name an engine",
        ),
    ] {
        page.pair(&key(action), words);
    }
    page.line += 1;
    if tried.is_empty() {
        page.text(
            0,
            "There was nothing to try: no socket of an engine is in a usual place.",
            theme.plain,
        );
        return;
    }
    page.text(0, "Tried", theme.heading);
    for attempt in tried {
        page.line += u16::from(tried.len() <= 3);
        let origin = match attempt.origin.as_str() {
            "" => String::new(),
            origin => format!("  ({origin})"),
        };
        page.text(0, &format!("{}{origin}", attempt.endpoint), theme.plain);
        page.text(2, &attempt.outcome, theme.warning);
    }
}

struct Page<'a, 'b> {
    frame: &'a mut Frame<'b>,
    area: Rect,
    line: u16,
    theme: &'a Theme,
}

impl Page<'_, '_> {
    fn pen(&mut self) -> Pen<'_> {
        Pen::new(
            self.frame.buffer_mut(),
            self.area,
            self.line,
            self.theme.glyphs.ellipsis,
        )
    }

    fn pair(&mut self, key: &str, words: &str) {
        let theme = self.theme;
        self.pen().cell(key, 7, theme.key).put(words, theme.plain);
        self.line += 1;
    }

    /// Writes text, wrapped at spaces.
    fn text(&mut self, indent: u16, words: &str, style: Style) {
        let words = text::printable_str(words);
        let room = usize::from(self.area.width.saturating_sub(indent)).max(1);
        let mut line = String::new();
        for word in words.split(' ') {
            let wide = text::width(&line) + 1 + text::width(word) > room;
            if wide && !line.is_empty() {
                self.pen().skip(indent).put(&line, style);
                self.line = self.line.saturating_add(1);
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.pen().skip(indent).put(&line, style);
        self.line = self.line.saturating_add(1);
    }
}
