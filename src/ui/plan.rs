//! The plan of a removal: what goes, what is asked about, what stays, and why. The cost of a frame is that of its lines
//! on screen, whatever the plan's length.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use time::OffsetDateTime;

use super::pen::{Pen, columns_of};
use super::theme::Theme;
use super::{details, footer, mounts};
use crate::core::figures;
use crate::core::layout;
use crate::core::plan::{self, Line, Review, Section, Stage, Sum};
use crate::core::state::{EngineState, State};
use crate::model::MountKind;
use crate::ops::prune::{Group, Outcome, Row, Scope, Step, Stopped};
use crate::text;

/// Columns of the bar of a gathering.
const BAR: u16 = 40;
/// Columns before a line's name: the cursor's marker and the box.
const LEAD: u16 = 5;
/// Columns of the first twelve digits of a generated name, and of its kind.
const NAME: u16 = 18;

/// Draws the plan screen.
pub(super) fn view(state: &State, engine: &EngineState, theme: &Theme, frame: &mut Frame<'_>) {
    let Some(review) = &engine.plan else { return };
    let parts = layout::plan(state.size);
    bar(review, state.now, theme, frame, parts.bar);
    match &review.stage {
        Stage::Waiting => mounts::message(
            "waiting for what runs to stop: its helper would make volumes count as used",
            theme.dim,
            theme,
            frame,
            parts.rows,
        ),
        Stage::Gathering(step) => gathering(*step, theme, frame, parts.rows),
        Stage::Failed(error) => {
            let words = format!("no plan could be made: {error}. R tries again.");
            mounts::message(&words, theme.fault, theme, frame, parts.rows);
        }
        Stage::Ready | Stage::Removing(_) | Stage::Used => {
            lines(review, state, theme, frame, parts.rows);
            mounts::rule(review.pane_focused, theme, frame, parts.rule);
            pane(review, state.now, theme, frame, parts.pane);
        }
    }
}

/// What is chosen, or what came of it, in words.
pub(super) fn total(review: &Review, theme: &Theme) -> String {
    let dot = theme.glyphs.dot;
    let containers = match review.taken().count() {
        0 => String::new(),
        count => format!(" and {}", figures::counted(count as u64, "container")),
    };
    match review.stage {
        Stage::Waiting | Stage::Gathering(_) | Stage::Failed(_) => String::new(),
        Stage::Ready if !review.has_chosen() => "nothing is chosen".to_owned(),
        Stage::Ready => {
            let count = figures::count(review.chosen().len() as u64);
            format!("{count}{containers} chosen {dot} {}", bytes(review.sum()))
        }
        Stage::Removing(_) | Stage::Used => {
            let done = review.done();
            let refused = match done.refused {
                0 => String::new(),
                count => format!(" {dot} {count} left alone"),
            };
            let wanted = review.chosen().len() + review.taken().count();
            format!(
                "{} of {wanted} removed{refused} {dot} {} freed",
                done.removed,
                figures::bytes(done.freed)
            )
        }
    }
}

/// Bytes, and how many sizes are missing in them.
pub(super) fn bytes((bytes, unknown): (u64, usize)) -> String {
    match unknown {
        0 => figures::bytes(bytes),
        unknown => format!("{} (+{unknown} of unknown size)", figures::bytes(bytes)),
    }
}

fn bar(review: &Review, now: OffsetDateTime, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let mut pen = Pen::new(frame.buffer_mut(), area, 0, theme.glyphs.ellipsis);
    let (words, style) = match (&review.stage, review.made()) {
        (Stage::Removing(_), _) => ("removing".to_owned(), theme.accent),
        (Stage::Used, _) => ("carried out; R plans again".to_owned(), theme.dim),
        (Stage::Ready, _) if review.outdated => ("older than the last change; R plans again".to_owned(), theme.warning),
        (_, Some(made)) => (format!("made {}", figures::ago(now, made.min(now))), theme.dim),
        (_, None) => (String::new(), theme.dim),
    };
    pen.at_end(&format!("{words} "), style);
    let over = match &review.scope {
        Scope::Orphans(_) => "what may be left over".to_owned(),
        Scope::Named { volumes, containers } if containers.is_empty() => match volumes.as_slice() {
            [one] => short(one.as_str()),
            many => figures::counted(many.len() as u64, "volume"),
        },
        Scope::Named { volumes, containers } => format!(
            "{} and {}",
            figures::counted(volumes.len() as u64, "volume"),
            figures::counted(containers.len() as u64, "container")
        ),
    };
    pen.skip(1).put("plan: ", theme.dim).put(&over, theme.plain);
    if let Some(filter) = review.looks_at() {
        let age = filter.older_than.map(|age| match age.whole_days() {
            365 => " untouched for a year ".to_owned(),
            days => format!(" untouched for {days} d "),
        });
        let project = filter
            .project
            .as_deref()
            .map(|name| format!(" {} ", text::printable_str(name)));
        let named = filter.named.then(|| " named too ".to_owned());
        for chip in [named, project, age].into_iter().flatten() {
            pen.skip(2).put(&chip, theme.chip);
        }
    }
    if review.typing || !review.filter.text().is_empty() {
        pen.skip(2).put("/", theme.key);
        footer::input(&mut pen, &review.filter, review.typing, theme);
    }
}

fn gathering(step: Step, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let (words, parts) = match step {
        Step::Listing => ("listing everything".to_owned(), None),
        Step::Looking { done, total, bytes } => {
            let words = format!(
                "looking into volumes, {done} of {total} {} {}",
                theme.glyphs.dot,
                figures::bytes(bytes)
            );
            (words, (done * 1000).checked_div(total))
        }
        Step::Checking => ("listing everything again".to_owned(), Some(1000)),
    };
    mounts::message(&words, theme.plain, theme, frame, area);
    let columns = BAR.min(area.width.saturating_sub(4));
    let bar = theme.bar(parts.and_then(|parts| u16::try_from(parts).ok()).unwrap_or(0), columns);
    let rest = usize::from(columns.saturating_sub(columns_of(&bar)));
    Pen::new(frame.buffer_mut(), area, 3, theme.glyphs.ellipsis)
        .skip(2)
        .put(&bar, theme.bar)
        .put(&theme.glyphs.track.repeat(rest), theme.faint);
}

fn lines(review: &Review, state: &State, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let Some(plan) = review.plan() else { return };
    if review.lines().is_empty() {
        mounts::message(
            "nothing passes the filter; esc clears it",
            theme.dim,
            theme,
            frame,
            area,
        );
    }
    let visible = review.lines().iter().enumerate().skip(review.top());
    for (line, (at, what)) in (0..area.height).zip(visible) {
        let mut pen = Pen::new(frame.buffer_mut(), area, line, theme.glyphs.ellipsis);
        let painter = Painter {
            review,
            theme,
            now: state.now,
            cursor: at == review.at(),
            width: area.width,
        };
        match what {
            Line::Warning(place) => {
                let words = plan.warnings.get(*place).map_or("", String::as_str);
                pen.skip(1)
                    .put(&format!("! {}", text::printable_str(words)), theme.warning);
            }
            Line::Title(section, sum) => title(&mut pen, *section, *sum, theme),
            Line::Fold(sum) => painter.fold(&mut pen, *sum),
            Line::Container(place) => {
                if let Some(stopped) = plan.containers.get(*place) {
                    painter.container(&mut pen, stopped);
                }
            }
            Line::Volume(place) => {
                if let Some(row) = plan.rows.get(*place) {
                    painter.volume(&mut pen, row);
                }
            }
        }
    }
}

fn title(pen: &mut Pen<'_>, section: Section, sum: Sum, theme: &Theme) {
    let (name, words) = match section {
        Section::Stopped => ("Stopped containers", "go only when their name is typed"),
        Section::Group(Group::Safe) => ("Safe", "go when you confirm"),
        Section::Group(Group::Ask) => ("Ask", "go only when their name is typed"),
        Section::Group(Group::Keep) => ("Keep", "stay, unless their name is typed"),
    };
    pen.skip(1).put(name, theme.group);
    if sum.rows == 0 {
        pen.put("  nothing", theme.dim);
        return;
    }
    let mut figures = format!("  {}", figures::count(sum.rows as u64));
    if section != Section::Stopped {
        figures += &format!(" {} {}", theme.glyphs.dot, bytes((sum.bytes, sum.unknown)));
    }
    pen.put(&figures, theme.plain).skip(2);
    if columns_of(words) <= pen.room() {
        pen.put(words, theme.dim);
    }
}

/// How wide the cells of a row are; zero for none.
struct Cells {
    name: u16,
    size: u16,
    looks: u16,
    wrote: u16,
    reason: u16,
}

impl Cells {
    fn at(width: u16) -> Self {
        let looks = if width >= 66 { 14 } else { 0 };
        let wrote = if width >= 58 { 4 } else { 0 };
        let gaps = u16::from(looks > 0) + u16::from(wrote > 0);
        let rest = width.saturating_sub(LEAD + 9 + looks + wrote + gaps + 1);
        // A generated name and its kind have room first.
        let name = if width >= 50 {
            (rest / 2).max(NAME).min(rest)
        } else {
            rest
        };
        let reason = rest.saturating_sub(name + 2);
        Self {
            name,
            size: 9,
            looks,
            wrote,
            reason,
        }
    }
}

/// What a line needs to be painted.
struct Painter<'a> {
    review: &'a Review,
    theme: &'a Theme,
    now: OffsetDateTime,
    cursor: bool,
    width: u16,
}

impl Painter<'_> {
    /// The cursor's marker and the box: chosen, not chosen, not to be chosen, gone, left alone.
    fn lead(&self, pen: &mut Pen<'_>, chosen: bool, blocked: bool, outcome: Option<&Outcome>) {
        let theme = self.theme;
        pen.put(if self.cursor { theme.glyphs.cursor } else { " " }, theme.accent);
        let (mark, style) = match outcome {
            Some(Outcome::Removed(_)) => (format!(" {} ", theme.glyphs.mark), theme.good),
            Some(Outcome::Refused(_)) => (" ! ".to_owned(), theme.fault),
            None if blocked => ("   ".to_owned(), theme.dim),
            None if chosen => ("[x]".to_owned(), theme.mark),
            None => ("[ ]".to_owned(), theme.dim),
        };
        pen.put(&mark, style).skip(1);
    }

    fn name_style(&self, blocked: bool) -> Style {
        match (self.cursor, blocked) {
            (true, _) => self.theme.selected,
            (false, true) => self.theme.dim,
            (false, false) => self.theme.plain,
        }
    }

    fn volume(&self, pen: &mut Pen<'_>, row: &Row) {
        let theme = self.theme;
        let outcome = self.review.outcome(row);
        let cells = Cells::at(self.width);
        self.lead(pen, self.review.is_chosen(row), row.blocked, outcome);
        let ellipsis = theme.glyphs.ellipsis;
        let name = match row.mount.kind {
            MountKind::Anonymous => {
                let typed = row.typed_name();
                let cut = if typed == row.mount.name { "" } else { ellipsis };
                format!("{}{cut} anon", text::printable_str(typed))
            }
            _ => text::printable_str(&row.mount.name),
        };
        pen.cell(&name, cells.name, self.name_style(row.blocked)).skip(1);
        let size = row.size.known_bytes().map_or_else(|| "?".to_owned(), figures::bytes);
        pen.right_cell(&size, cells.size, theme.plain);
        if cells.looks > 0 {
            let looks = text::printable_str(row.fingerprint.as_deref().unwrap_or("?"));
            pen.skip(1).cell(&looks, cells.looks, theme.dim);
        }
        if cells.wrote > 0 {
            let wrote = row
                .last_write
                .map_or_else(String::new, |then| figures::age(self.now, then));
            pen.skip(1).right_cell(&wrote, cells.wrote, theme.dim);
        }
        let (words, style) = match outcome {
            Some(Outcome::Removed(Some(bytes))) => (format!("removed, {} freed", figures::bytes(*bytes)), theme.good),
            Some(Outcome::Removed(None)) => ("removed".to_owned(), theme.good),
            Some(Outcome::Refused(why)) => (text::printable_str(why), theme.fault),
            None => (text::printable_str(&row.reason), theme.dim),
        };
        pen.skip(1).cell(&words, cells.reason, style);
    }

    fn container(&self, pen: &mut Pen<'_>, stopped: &Stopped) {
        let theme = self.theme;
        let outcome = self.review.container_outcome(stopped);
        self.lead(pen, stopped.chosen, stopped.blocked.is_some(), outcome);
        let rest = self.width.saturating_sub(LEAD + 2);
        let name = text::printable_str(&stopped.name);
        pen.cell(&name, rest / 4, self.name_style(stopped.blocked.is_some()))
            .skip(1);
        pen.cell(&text::printable_str(&stopped.image), rest / 4, theme.dim)
            .skip(1);
        let (words, style) = match (outcome, &stopped.blocked) {
            (Some(Outcome::Removed(_)), _) => ("removed".to_owned(), theme.good),
            (Some(Outcome::Refused(why)), _) => (text::printable_str(why), theme.fault),
            (None, Some(why)) => (text::printable_str(why), theme.dim),
            (None, None) => (frees(stopped), theme.dim),
        };
        pen.put(&words, style);
    }

    fn fold(&self, pen: &mut Pen<'_>, sum: Sum) {
        let theme = self.theme;
        let unfolded = self.review.is_unfolded();
        pen.put(if self.cursor { theme.glyphs.cursor } else { " " }, theme.accent)
            .skip(1)
            .put(
                if unfolded {
                    theme.glyphs.open
                } else {
                    theme.glyphs.closed
                },
                theme.dim,
            )
            .skip(2);
        let words = format!("in use or not to be told: {}", figures::count(sum.rows as u64));
        pen.put(&words, self.name_style(true));
    }
}

/// What the removal of a container frees, and what of that `docker rm -v` would delete unseen.
fn frees(stopped: &Stopped) -> String {
    let unseen = match stopped.anonymous.len() {
        0 => String::new(),
        count => format!(" ({count} unseen by `rm -v`)"),
    };
    match stopped.frees.as_slice() {
        [] => "frees no volume".to_owned(),
        names => {
            let names: Vec<String> = names.iter().map(|name| short(name)).collect();
            format!("frees {}{unseen}", names.join(", "))
        }
    }
}

/// A name, of a generated one its first twelve digits.
fn short(name: &str) -> String {
    let generated = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    text::printable_str(if generated { &name[..12] } else { name })
}

fn pane(review: &Review, now: OffsetDateTime, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let lines = plan::pane(review, now, area.width);
    let shown = usize::from(area.height);
    let top = review.pane_top.min(lines.len().saturating_sub(shown));
    let more = lines.len().saturating_sub(top + shown);
    for (at, line) in (0..area.height).zip(lines.iter().skip(top)) {
        let mut pen = Pen::new(frame.buffer_mut(), area, at, theme.glyphs.ellipsis);
        if more > 0 && at + 1 == area.height {
            pen.at_end(&format!(" {} {more} more", theme.glyphs.down), theme.dim);
        }
        for (role, text) in line {
            pen.put(text, details::style(*role, theme));
        }
    }
}

#[cfg(test)]
mod tests;
