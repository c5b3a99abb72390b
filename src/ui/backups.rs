//! The committed archives of this machine, the latest first, and everything about the one under the cursor. The cost of a frame
//! is that of its lines on screen, whatever the number of archives.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::footer;
use super::pen::Pen;
use super::theme::Theme;
use super::{details, mounts};
use crate::archive::{Archive, Status, Verdict};
use crate::core::backup::status_words;
use crate::core::backups::{self, Backups};
use crate::core::figures;
use crate::core::layout;
use crate::core::state::{EngineState, State};
use crate::core::undo::Answer;
use crate::text;

/// Columns of a status, or of what a check found.
const STATUS: u16 = 11;
/// Columns of a compression.
const KIND: u16 = 5;
/// Columns of a size.
const SIZE: u16 = 9;

/// Draws the Backups screen.
pub(super) fn view(state: &State, engine: &EngineState, theme: &Theme, frame: &mut Frame<'_>) {
    let backups = &engine.backups;
    let parts = layout::plan(state.size);
    bar(backups, theme, frame, parts.bar);
    match empty(backups, theme) {
        Some((words, style)) => mounts::message(&words, style, theme, frame, parts.rows),
        None => rows(backups, engine, state, theme, frame, parts.rows),
    }
    mounts::rule(backups.pane_focused, theme, frame, parts.rule);
    let read_only = state.settings.read_only;
    let lines = backups::pane(backups, &engine.endpoint, read_only, state.now, parts.pane.width);
    details::scrolled(&lines, backups.pane_top, theme, frame, parts.pane);
}

fn bar(backups: &Backups, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let mut pen = Pen::new(frame.buffer_mut(), area, 0, theme.glyphs.ellipsis);
    if backups.answer == Answer::Listed {
        let (shown, all) = (backups.list.rows().len(), backups.count());
        let words = match backups.is_filtered() {
            true => format!("{shown}/{all} "),
            false => format!("{} ", figures::counted(all as u64, "archive")),
        };
        pen.at_end(&words, theme.dim);
    }
    pen.skip(1).put("backups", theme.dim);
    if let Some(name) = &backups.about {
        pen.skip(2).put(&format!(" {} ", text::printable_str(name)), theme.chip);
    }
    if backups.typing || !backups.filter.text().is_empty() {
        pen.skip(2).put("/", theme.key);
        footer::input(&mut pen, &backups.filter, backups.typing, theme);
    }
}

/// Why nothing is listed: not there yet, failed, filtered away and none at all are different things.
fn empty(backups: &Backups, theme: &Theme) -> Option<(String, Style)> {
    match &backups.answer {
        Answer::Failed(why) => Some((
            format!("the archives cannot be listed: {why}. r tries again."),
            theme.fault,
        )),
        _ if !backups.list.rows().is_empty() => None,
        Answer::NotAsked | Answer::Waiting => Some(("listing the archives".to_owned(), theme.dim)),
        Answer::Listed if backups.count() > 0 => {
            let words = match &backups.about {
                Some(name) => format!("no backup of {name} here; esc shows those of others"),
                None => "no archive matches the filter; esc clears it".to_owned(),
            };
            Some((words, theme.dim))
        }
        Answer::Listed if !backups.warnings.is_empty() => {
            let words = format!("no archive is whole: {}", backups.warnings.join("; "));
            Some((words, theme.warning))
        }
        Answer::Listed => Some((
            "no backups on this machine yet: b on a mount makes one".to_owned(),
            theme.dim,
        )),
    }
}

fn rows(backups: &Backups, engine: &EngineState, state: &State, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    heads(theme, frame, area);
    let below = Rect {
        y: area.y + area.height.min(1),
        height: area.height.saturating_sub(1),
        ..area
    };
    let mut line = 0;
    for (at, archive) in backups.list.visible().take(usize::from(below.height)) {
        let mut pen = Pen::new(frame.buffer_mut(), below, line, theme.glyphs.ellipsis);
        row(
            &mut pen,
            backups,
            archive,
            at == backups.list.at(),
            (engine, state),
            theme,
        );
        line += 1;
    }
    for (line, why) in (line.saturating_add(1)..below.height).zip(&backups.warnings) {
        Pen::new(frame.buffer_mut(), below, line, theme.glyphs.ellipsis)
            .skip(1)
            .put(&format!("! {}", text::printable_str(why)), theme.warning);
    }
}

fn heads(theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let mut pen = Pen::new(frame.buffer_mut(), area, 0, theme.glyphs.ellipsis);
    pen.skip(1)
        .right_cell("AGE", 4, theme.heading)
        .skip(1)
        .right_cell("SIZE", SIZE, theme.heading)
        .skip(1)
        .cell("STATUS", STATUS, theme.heading)
        .skip(1)
        .cell("KIND", KIND, theme.heading)
        .skip(1)
        .put("VOLUME", theme.heading);
}

fn row(
    pen: &mut Pen<'_>,
    backups: &Backups,
    archive: &Archive,
    cursor: bool,
    (engine, state): (&EngineState, &State),
    theme: &Theme,
) {
    pen.put(if cursor { theme.glyphs.cursor } else { " " }, theme.accent);
    let age = figures::age(state.now, archive.origin.begun.min(state.now));
    let (status, style) = status(backups, archive, theme);
    pen.right_cell(&age, 4, theme.dim)
        .skip(1)
        .right_cell(&figures::bytes(archive.bytes), SIZE, theme.plain)
        .skip(1)
        .cell(&status, STATUS, style)
        .skip(1)
        .cell(backups::kind(&archive.path), KIND, theme.dim)
        .skip(1);
    let style = if cursor { theme.selected } else { theme.plain };
    if archive.origin.engine != engine.endpoint {
        let other = text::fit(&text::printable_str(&archive.origin.engine), 24, theme.glyphs.ellipsis);
        pen.at_end(&format!(" {other} "), theme.dim);
    }
    pen.put(&text::printable_str(&archive.origin.name), style);
}

/// What a check of this run found, else what the archive's sidecar says.
fn status(backups: &Backups, archive: &Archive, theme: &Theme) -> (String, Style) {
    if backups.is_checking(&archive.path) {
        return ("checking".to_owned(), theme.accent);
    }
    match (backups.check(&archive.path), archive.status) {
        (Some(Err(_)), _) => ("! unchecked".to_owned(), theme.fault),
        (Some(Ok(check)), status) => match (check.verdict, status) {
            (Verdict::Ok, Status::Ok) => (format!("{} ok", theme.glyphs.mark), theme.good),
            (Verdict::Ok, Status::Partial) => (format!("{} partial", theme.glyphs.mark), theme.warning),
            (Verdict::Foreign, _) => ("! foreign".to_owned(), theme.warning),
            (verdict, _) => (format!("! {}", verdict.word()), theme.fault),
        },
        (None, Status::Ok) => (status_words(Status::Ok).to_owned(), theme.plain),
        (None, Status::Partial) => (status_words(Status::Partial).to_owned(), theme.warning),
    }
}

#[cfg(test)]
mod tests;
