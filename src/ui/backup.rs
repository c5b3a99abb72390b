//! A backup: where each copy goes, what came of it.

use ratatui::Frame;

use super::review::{self, Page};
use super::theme::Theme;
use crate::core::backup;
use crate::core::layout;
use crate::core::state::{EngineState, State};

/// Draws the screen of a backup.
pub(super) fn view(state: &State, engine: &EngineState, theme: &Theme, frame: &mut Frame<'_>) {
    let Some(review) = &engine.backup else { return };
    let width = layout::below_bar(state.size).width;
    let page = Page {
        stage: backup::stage_words(review, state.now),
        job: review.job(),
        lines: backup::lines(review, engine.copied, state.now, width),
        top: review.top,
    };
    review::view(state, &page, theme, frame);
}

#[cfg(test)]
mod tests;
