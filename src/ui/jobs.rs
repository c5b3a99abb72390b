//! The list of jobs: what runs, how far it is, how the others ended.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use time::OffsetDateTime;

use super::dialogs::boxed;
use super::pen::Pen;
use super::theme::Theme;
use crate::core::figures;
use crate::core::jobs::{Job, JobEnd};
use crate::core::state::State;
use crate::model::JobId;
use crate::text;

/// Columns of a job's bar.
const BAR: u16 = 20;

/// Draws the jobs.
pub(super) fn view(state: &State, at: Option<JobId>, theme: &Theme, frame: &mut Frame<'_>) {
    let jobs: Vec<(JobId, &Job)> = state.jobs.newest_first().collect();
    let height = u16::try_from(jobs.len().max(1) * 2).unwrap_or(u16::MAX);
    let area = boxed(state, "jobs", 96, height, theme, frame);
    if jobs.is_empty() {
        Pen::new(frame.buffer_mut(), area, 0, theme.glyphs.ellipsis).put("no job has run yet", theme.dim);
        return;
    }
    let chosen = at.and_then(|at| jobs.iter().position(|(id, _)| *id == at)).unwrap_or(0);
    let shown = usize::from(area.height / 2).max(1);
    let top = chosen.saturating_sub(shown - 1);
    for (place, (row, (_, job))) in (0..area.height / 2).zip(jobs.iter().enumerate().skip(top)) {
        let lines = Rect {
            y: area.y + place * 2,
            height: 2,
            ..area
        };
        one(job, row == chosen, state.now, theme, frame, lines);
    }
}

fn one(job: &Job, chosen: bool, now: OffsetDateTime, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let (word, style) = state_word(job, theme);
    let mut pen = Pen::new(frame.buffer_mut(), area, 0, theme.glyphs.ellipsis);
    pen.put(if chosen { theme.glyphs.cursor } else { " " }, theme.accent)
        .skip(1);
    pen.at_end(&format!(" {word}"), style);
    pen.put(
        &text::printable_str(&job.title),
        if chosen { theme.selected } else { theme.plain },
    );
    let mut pen = Pen::new(frame.buffer_mut(), area, 1, theme.glyphs.ellipsis);
    pen.skip(2);
    match &job.end {
        None => progress(&mut pen, job, now, theme),
        Some(end) => {
            let words = match end {
                JobEnd::Done(words) | JobEnd::Partial(words) | JobEnd::Failed(words) => words.as_str(),
                JobEnd::Cancelled => "stopped by you",
            };
            let style = if matches!(end, JobEnd::Failed(_)) {
                theme.fault
            } else {
                theme.dim
            };
            let took = job
                .ended
                .map_or(0, |ended| (ended - job.started).whole_seconds().max(0).unsigned_abs());
            pen.at_end(&format!(" in {}", figures::duration(took)), theme.dim);
            pen.put(&text::printable_str(words), style);
        }
    }
}

fn state_word(job: &Job, theme: &Theme) -> (&'static str, Style) {
    match &job.end {
        None if job.cancelling => ("cancelling", theme.warning),
        None => ("running", theme.accent),
        Some(JobEnd::Done(_)) => ("done", theme.good),
        Some(JobEnd::Partial(_)) => ("done in part", theme.warning),
        Some(JobEnd::Failed(_)) => ("failed", theme.fault),
        Some(JobEnd::Cancelled) => ("cancelled", theme.warning),
    }
}

/// Draws how far a running job is, where that is known.
pub(super) fn bar(pen: &mut Pen<'_>, job: &Job, theme: &Theme) {
    if let Some(parts) = job.permille() {
        let bar = theme.bar(parts, BAR);
        let rest = usize::from(BAR).saturating_sub(text::width(&bar));
        pen.put(&bar, theme.bar)
            .put(&theme.glyphs.track.repeat(rest), theme.faint)
            .skip(2);
    }
}

fn progress(pen: &mut Pen<'_>, job: &Job, now: OffsetDateTime, theme: &Theme) {
    bar(pen, job, theme);
    pen.put(&words(job, now, theme), theme.dim);
    if !job.progress.phase.is_empty() {
        let phase = text::printable_str(&job.progress.phase);
        pen.put(&format!(" {} {phase}", theme.glyphs.dot), theme.dim);
    }
}

/// How far a running job is, how fast, and how long it takes yet.
pub(super) fn words(job: &Job, now: OffsetDateTime, theme: &Theme) -> String {
    let progress = &job.progress;
    let mut parts = Vec::new();
    if let Some(total) = progress.items_total {
        parts.push(format!(
            "{} of {}",
            figures::count(progress.items),
            figures::count(total)
        ));
    }
    if progress.bytes > 0 {
        let total = progress
            .bytes_total
            .map(|total| format!(" of {}", figures::bytes(total)))
            .unwrap_or_default();
        parts.push(format!("{}{total}", figures::bytes(progress.bytes)));
    }
    if let Some(rate) = job.rate().filter(|rate| *rate > 0) {
        parts.push(format!("{}/s", figures::bytes(rate)));
    }
    match job.seconds_left() {
        Some(left) => parts.push(format!("{} left", figures::duration(left))),
        None => {
            let runs = (now - job.started).whole_seconds().max(0).unsigned_abs();
            parts.push(format!("for {}", figures::duration(runs)));
        }
    }
    parts.join(&format!(" {} ", theme.glyphs.dot))
}
