//! The screen of an operation's plan, of its progress and of what came of it: a line about its stage, then lines of text. Knows
//! no operation.

use ratatui::Frame;

use super::pen::Pen;
use super::theme::Theme;
use super::{details, jobs};
use crate::core::details::{Line, Role};
use crate::core::layout;
use crate::core::state::State;
use crate::model::JobId;

/// What such a screen shows.
pub(super) struct Page {
    /// How far it is.
    pub(super) stage: (Role, String),
    /// The job that carries it out.
    pub(super) job: Option<JobId>,
    /// Its lines.
    pub(super) lines: Vec<Line>,
    /// The first line that is shown.
    pub(super) top: usize,
}

/// Draws it.
pub(super) fn view(state: &State, page: &Page, theme: &Theme, frame: &mut Frame<'_>) {
    let body = layout::details_screen(state.size);
    let mut pen = Pen::new(frame.buffer_mut(), body, 0, theme.glyphs.ellipsis);
    let (role, words) = &page.stage;
    pen.at_end(words, details::style(*role, theme));
    pen.put("plan", theme.dim);
    let job = page.job.and_then(|job| state.jobs.get(job));
    if let Some(job) = job.filter(|job| job.end.is_none()) {
        jobs::bar(pen.skip(2), job, theme);
        pen.put(&jobs::words(job, state.now, theme), theme.dim);
    }
    let area = layout::below_bar(state.size);
    details::scrolled(&page.lines, page.top, theme, frame, area);
}
