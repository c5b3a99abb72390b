//! What can be taken back, the latest first, and everything about the one under the cursor.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::pen::Pen;
use super::theme::Theme;
use super::{details, mounts};
use crate::core::figures;
use crate::core::layout;
use crate::core::state::{EngineState, State};
use crate::core::undo::{self, Answer, Undo};
use crate::journal::{Listed, Stage};
use crate::text;

/// Columns of a journal's stage.
const STAGE: u16 = 18;

/// Draws the undo screen.
pub(super) fn view(state: &State, engine: &EngineState, theme: &Theme, frame: &mut Frame<'_>) {
    let undo = &engine.undo;
    let parts = layout::plan(state.size);
    let mut pen = Pen::new(frame.buffer_mut(), parts.bar, 0, theme.glyphs.ellipsis);
    if undo.answer == Answer::Listed {
        let count = figures::counted(undo.rows().len() as u64, "journal");
        pen.at_end(&format!("{count} "), theme.dim);
    }
    pen.skip(1)
        .put("undo: ", theme.dim)
        .put("changes of owner and mode on this engine", theme.plain);
    match empty(undo, theme) {
        Some((words, style)) => mounts::message(&words, style, theme, frame, parts.rows),
        None => rows(undo, state, theme, frame, parts.rows),
    }
    mounts::rule(undo.pane_focused, theme, frame, parts.rule);
    let lines = undo::pane(undo, state.now, parts.pane.width);
    details::scrolled(&lines, undo.pane_top, theme, frame, parts.pane);
}

fn empty(undo: &Undo, theme: &Theme) -> Option<(String, Style)> {
    match &undo.answer {
        Answer::Failed(why) => Some((
            format!("the journals cannot be listed: {why}. R tries again."),
            theme.fault,
        )),
        _ if !undo.rows().is_empty() => None,
        Answer::NotAsked | Answer::Waiting => Some(("listing the journals".to_owned(), theme.dim)),
        Answer::Listed if !undo.warnings.is_empty() => {
            let words = format!("no journal can be read: {}", undo.warnings.join("; "));
            Some((words, theme.warning))
        }
        Answer::Listed => Some((
            "nothing to take back: no owner and no mode was changed on this engine".to_owned(),
            theme.dim,
        )),
    }
}

fn rows(undo: &Undo, state: &State, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let visible = undo.list.visible();
    let mut line = 0;
    for (at, listed) in visible.take(usize::from(area.height)) {
        let mut pen = Pen::new(frame.buffer_mut(), area, line, theme.glyphs.ellipsis);
        row(&mut pen, undo, listed, at == undo.list.at(), state, theme);
        line += 1;
    }
    for (line, why) in (line.saturating_add(1)..area.height).zip(&undo.warnings) {
        Pen::new(frame.buffer_mut(), area, line, theme.glyphs.ellipsis)
            .skip(1)
            .put(&format!("! {}", text::printable_str(why)), theme.warning);
    }
}

fn row(pen: &mut Pen<'_>, undo: &Undo, listed: &Listed, cursor: bool, state: &State, theme: &Theme) {
    pen.put(if cursor { theme.glyphs.cursor } else { " " }, theme.accent);
    let age = figures::age(state.now, listed.at.min(state.now));
    pen.right_cell(&age, 4, theme.dim).skip(1);
    let runs = undo.running.as_ref().is_some_and(|(_, id)| *id == listed.id);
    let (words, style) = match listed.stage {
        _ if runs => ("putting back", theme.accent),
        Stage::Done => (undo::stage_words(listed.stage), theme.plain),
        Stage::Interrupted | Stage::UndoneInPart => (undo::stage_words(listed.stage), theme.warning),
        Stage::Undone => (undo::stage_words(listed.stage), theme.dim),
    };
    let damaged = if listed.damage.is_some() { "! " } else { "" };
    pen.cell(&format!("{damaged}{words}"), STAGE, style).skip(1);
    pen.right_cell(&figures::count(listed.entries), 9, theme.plain).skip(1);
    let style = if cursor { theme.selected } else { theme.plain };
    pen.put(&text::printable_str(&listed.words), style);
}

#[cfg(test)]
mod tests;
