//! The doctor: what is refused, surest first, and everything about the finding under the cursor. The cost of a frame is
//! that of its lines on screen, whatever the number of findings.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::pen::Pen;
use super::theme::Theme;
use super::{details, mounts};
use crate::core::doctor::{self, Doctor, Stage};
use crate::core::figures;
use crate::core::layout;
use crate::core::state::{EngineState, State};
use crate::doctor::{Confidence, Finding};
use crate::text;

/// Columns of a cause.
const CAUSE: u16 = 13;
/// Columns of a confidence's mark and word.
const SURE: u16 = 8;

/// Draws the doctor screen.
pub(super) fn view(state: &State, engine: &EngineState, theme: &Theme, frame: &mut Frame<'_>) {
    let Some(doctor) = &engine.doctor else { return };
    let parts = layout::plan(state.size);
    bar(doctor, state, theme, frame, parts.bar);
    if doctor.findings().is_empty() {
        let (words, style) = nothing(doctor, theme);
        mounts::message(&words, style, theme, frame, parts.rows);
    } else {
        rows(doctor, theme, frame, parts.rows);
    }
    mounts::rule(doctor.pane_focused, theme, frame, parts.rule);
    let inventory = engine.mounts.inventory().map(AsRef::as_ref);
    let lines = doctor::pane(doctor, inventory, parts.pane.width);
    details::scrolled(&lines, doctor.pane_top, theme, frame, parts.pane);
}

/// The mark of a confidence: more of them are surer.
pub(super) fn sure(confidence: Confidence, theme: &Theme) -> (&'static str, Style) {
    match confidence {
        Confidence::High => ("!!!", theme.fault),
        Confidence::Medium => ("!! ", theme.warning),
        Confidence::Low => ("!  ", theme.dim),
    }
}

fn bar(doctor: &Doctor, state: &State, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let mut pen = Pen::new(frame.buffer_mut(), area, 0, theme.glyphs.ellipsis);
    let age = figures::ago(state.now, doctor.at.min(state.now));
    let (words, style) = match &doctor.stage {
        Stage::Running(_) => ("looking".to_owned(), theme.accent),
        Stage::Failed(_) => (format!("failed {age}; r tries again"), theme.fault),
        Stage::Cancelled => (
            format!("stopped {age}, so this is not all; r looks again"),
            theme.warning,
        ),
        Stage::Done if doctor.outdated => (
            format!("of {age}, before the last change; r looks again"),
            theme.warning,
        ),
        Stage::Done => (format!("looked {age}"), theme.dim),
    };
    pen.at_end(&format!("{words} "), style);
    let about = doctor.about.as_deref().map(text::printable_str);
    pen.skip(1)
        .put("doctor: ", theme.dim)
        .put(about.as_deref().unwrap_or("everything"), theme.plain);
    pen.skip(2).put(&count(doctor), theme.plain);
}

/// How much was found and looked at.
fn count(doctor: &Doctor) -> String {
    let found = figures::counted(doctor.findings().len() as u64, "finding");
    match (&doctor.stage, &doctor.report, doctor.total) {
        (Stage::Done, Some(report), _) => {
            let left_out = match report.left_out.len() {
                0 => String::new(),
                count => format!(", {count} left out"),
            };
            let containers = figures::counted(report.containers as u64, "container");
            format!("{found} in {containers}{left_out}")
        }
        (_, _, Some(total)) => format!("{found}, {} of {total} looked at", doctor.looked),
        (_, _, None) => found,
    }
}

/// Why nothing is listed: still looking, failed, stopped, and nothing wrong are different things.
fn nothing(doctor: &Doctor, theme: &Theme) -> (String, Style) {
    match (&doctor.stage, &doctor.report) {
        (Stage::Running(_), _) => match doctor.total {
            Some(total) => (
                format!("nothing found yet: {} of {total} containers looked at", doctor.looked),
                theme.dim,
            ),
            None => ("listing the containers".to_owned(), theme.dim),
        },
        (Stage::Failed(why), _) => (format!("could not look: {why}. r tries again."), theme.fault),
        (Stage::Cancelled, _) => (
            format!("stopped before anything was found, {} looked at. r looks again.", {
                figures::counted(doctor.looked as u64, "container")
            }),
            theme.warning,
        ),
        (Stage::Done, None) => ("nothing was told".to_owned(), theme.warning),
        (Stage::Done, Some(report)) => {
            let looked = format!(
                "no findings: {}, {} looked at",
                figures::counted(report.containers as u64, "container"),
                figures::counted(report.mounts as u64, "mount")
            );
            match report.left_out.len() {
                0 => (looked, theme.good),
                count => (format!("{looked}; {count} left out, see below"), theme.warning),
            }
        }
    }
}

fn rows(doctor: &Doctor, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let visible = doctor.list.visible();
    let mut line = 0;
    for (at, finding) in visible.take(usize::from(area.height)) {
        let mut pen = Pen::new(frame.buffer_mut(), area, line, theme.glyphs.ellipsis);
        row(&mut pen, finding, at == doctor.list.at(), area.width, theme);
        line += 1;
    }
    let left_out = doctor.report.iter().flat_map(|report| &report.left_out);
    for (line, why) in (line.saturating_add(1)..area.height).zip(left_out) {
        Pen::new(frame.buffer_mut(), area, line, theme.glyphs.ellipsis)
            .skip(1)
            .put(&format!("! left out: {}", text::printable_str(why)), theme.warning);
    }
}

fn row(pen: &mut Pen<'_>, finding: &Finding, cursor: bool, width: u16, theme: &Theme) {
    let (mark, style) = sure(finding.confidence, theme);
    pen.put(if cursor { theme.glyphs.cursor } else { " " }, theme.accent);
    pen.put(mark, style);
    let wide = width >= 70;
    if wide {
        pen.skip(1).cell(finding.confidence.word(), SURE - 2, theme.dim);
    }
    let name = if cursor { theme.selected } else { theme.plain };
    pen.skip(1)
        .cell(&doctor::cause_words(finding.cause), CAUSE, name)
        .skip(1);
    let container = text::printable_str(finding.container.as_deref().unwrap_or(""));
    let what = match (&finding.mount, &finding.path) {
        (Some((_, mount)), _) => text::printable_str(mount),
        (None, Some(path)) => text::printable_str(path),
        (None, None) => String::new(),
    };
    let rest = pen.room().saturating_sub(2);
    let columns = (rest / 2).min(28);
    pen.cell(&container, columns, theme.plain).skip(1);
    let room = pen.room().saturating_sub(1);
    let what = text::fit_middle(&what, usize::from(room), theme.glyphs.ellipsis);
    pen.cell(&what, room, theme.dim);
}

#[cfg(test)]
mod tests;
