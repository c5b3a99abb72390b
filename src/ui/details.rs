//! The details of the mount under the cursor, beside the table or on a screen of their own.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use time::OffsetDateTime;

use super::pen::Pen;
use super::theme::Theme;
use crate::core::details::{self, Line, Role};
use crate::core::state::EngineState;

/// Draws the details.
pub(super) fn view(engine: &EngineState, now: OffsetDateTime, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let Some((mount, size)) = engine.mounts.current() else {
        Pen::new(frame.buffer_mut(), area, 0, theme.glyphs.ellipsis).put("no mount under the cursor", theme.dim);
        return;
    };
    let lines = details::lines_of(engine, mount, size, now, area.width);
    scrolled(&lines, engine.details.top, theme, frame, area);
}

/// Draws lines from one of them on, and says how many are below.
pub(super) fn scrolled(lines: &[Line], top: usize, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let shown = usize::from(area.height);
    let top = top.min(lines.len().saturating_sub(shown));
    let more = lines.len().saturating_sub(top + shown);
    for (at, line) in (0..area.height).zip(lines.iter().skip(top)) {
        let mut pen = Pen::new(frame.buffer_mut(), area, at, theme.glyphs.ellipsis);
        if more > 0 && at + 1 == area.height {
            pen.at_end(&format!(" {} {more} more", theme.glyphs.down), theme.dim);
        }
        for (role, text) in line {
            pen.put(text, style(*role, theme));
        }
    }
}

/// The style of a role.
pub(super) fn style(role: Role, theme: &Theme) -> Style {
    match role {
        Role::Title => theme.plain.add_modifier(Modifier::BOLD),
        Role::Heading => theme.accent,
        Role::Label | Role::Dim => theme.dim,
        Role::Plain => theme.plain,
        Role::Warning => theme.warning,
        Role::Fault => theme.fault,
        Role::Good => theme.good,
    }
}
