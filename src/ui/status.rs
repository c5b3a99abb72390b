//! The line above the footer: a notice when there is one, else running totals; what runs stands at its end.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::pen::Pen;
use super::plan;
use super::theme::Theme;
use crate::core::figures;
use crate::core::jobs::Job;
use crate::core::mounts::{Mounts, Sum};
use crate::core::msg::Tone;
use crate::core::state::{Link, Screen, State};
use crate::text;

/// Columns of the bar of a running job.
const BAR: u16 = 10;

/// Draws the status line.
pub(super) fn view(state: &State, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let mut pen = Pen::new(frame.buffer_mut(), area, 0, theme.glyphs.ellipsis);
    let running: Vec<&Job> = state.jobs.running().map(|(_, job)| job).collect();
    if let Some(job) = running.first() {
        self::running(&mut pen, job, running.len(), theme);
    }
    pen.skip(1);
    if let Some(notice) = &state.notice {
        let (mark, style) = match notice.tone {
            Tone::Good => ("", theme.good),
            Tone::Warning => ("! ", theme.warning),
            Tone::Fault => ("! ", theme.fault),
        };
        pen.put(&format!("{mark}{}", text::printable_str(&notice.text)), style);
        return;
    }
    let Some(engine) = state.engine() else { return };
    if let Link::Lost { error, .. } = &engine.link {
        let words = format!("! {}; what you see is as old as that", text::printable_str(error));
        pen.put(&words, theme.fault);
    } else if let Some(error) = engine.fault.as_ref().filter(|_| engine.mounts.inventory().is_some()) {
        let words = format!("! the list is old: {}", text::printable_str(&error.to_string()));
        pen.put(&words, theme.fault);
    } else if state.screen == Screen::Mounts {
        totals(&mut pen, &engine.mounts, theme);
    } else if let Some(review) = engine.plan.as_ref().filter(|_| state.screen == Screen::Plan) {
        pen.put(&plan::total(review, theme), theme.plain);
    }
}

fn totals(pen: &mut Pen<'_>, table: &Mounts, theme: &Theme) {
    let totals = table.totals();
    if table.has_marks() {
        sum(pen, "marked", totals.marked, theme);
    }
    if totals.orphans.mounts > 0 {
        sum(pen, "orphans", totals.orphans, theme);
    }
    let warnings = table.inventory().map_or(&[][..], |inventory| &inventory.warnings);
    match warnings {
        [] => {}
        [one] => {
            pen.put(&format!("! {}", text::printable_str(one)), theme.warning);
        }
        [first, rest @ ..] => {
            let words = format!("! {} (and {} more)", text::printable_str(first), rest.len());
            pen.put(&words, theme.warning);
        }
    }
}

fn sum(pen: &mut Pen<'_>, word: &str, sum: Sum, theme: &Theme) {
    let bytes = match (sum.unknown, sum.mounts) {
        (unknown, mounts) if unknown == mounts => "size unknown".to_owned(),
        (0, _) => figures::bytes(sum.bytes),
        (unknown, _) => format!("{} + {unknown} unknown", figures::bytes(sum.bytes)),
    };
    pen.put(&format!("{word} "), theme.dim);
    pen.put(&format!("{}", sum.mounts), theme.plain)
        .put(&format!(" {} ", theme.glyphs.dot), theme.dim);
    pen.put(&bytes, theme.plain).skip(3);
}

fn running(pen: &mut Pen<'_>, job: &Job, count: usize, theme: &Theme) {
    let more = if count > 1 {
        format!(" +{}", count - 1)
    } else {
        String::new()
    };
    let progress = &job.progress;
    let figures = match (job.permille(), progress.items_total) {
        (Some(_), Some(total)) if progress.bytes_total.is_none() => format!("{}/{total}", progress.items),
        (Some(parts), _) => format!("{}%", parts / 10),
        (None, _) if progress.bytes > 0 => figures::bytes(progress.bytes),
        (None, _) => String::new(),
    };
    let word = if job.cancelling {
        "cancelling"
    } else {
        job.title.split(' ').next().unwrap_or("job")
    };
    pen.at_end(&format!(" {}{more} ", figures), theme.plain);
    if let Some(parts) = job.permille() {
        let bar = theme.bar(parts, BAR);
        let rest = usize::from(BAR).saturating_sub(text::width(&bar));
        pen.at_end(&theme.glyphs.track.repeat(rest), theme.faint);
        pen.at_end(&bar, theme.bar);
    }
    pen.at_end(&format!(" {} ", text::printable_str(word)), theme.dim);
}
