//! A backup as lines of text with roles: where each archive goes, what it will hold, how long that may take, what came of it.
//! Knows no colours.

use time::OffsetDateTime;

use super::super::details::{Line, Role, Writer};
use super::super::figures;
use super::{Outcome, Review, Stage, compression_word, expected, expected_of};
use crate::archive::{Archive, Status};
use crate::ops::backup::{Plan, Row};

/// Rows of warnings that are shown.
const WARNINGS: usize = 200;
/// Digits of a digest that are shown where it only tells archives apart.
const DIGEST: usize = 12;

/// The lines of the screen at this width; `rate` is what an earlier backup of this run copied in a second.
pub fn lines(review: &Review, rate: Option<u64>, now: OffsetDateTime, width: u16) -> Vec<Line> {
    let mut out = Writer::new(width);
    out.text(0, Role::Title, &review.words());
    match (&review.stage, review.plan()) {
        (Stage::Failed(error), _) => {
            let words = format!("no plan could be made, and nothing was written: {error}. R tries again.");
            out.text(0, Role::Fault, &words);
        }
        (Stage::Planning, _) => out.text(0, Role::Dim, "looking where it goes and how much room is there"),
        (_, Some(plan)) => planned(&mut out, review, plan, rate, now),
        (_, None) => {}
    }
    out.lines
}

/// How far a backup is, in words.
pub fn stage_words(review: &Review, now: OffsetDateTime) -> (Role, String) {
    match &review.stage {
        Stage::Planning => (Role::Plain, "planning".to_owned()),
        Stage::Failed(_) => (Role::Fault, "failed".to_owned()),
        Stage::Ready if review.copied().next().is_none() => (Role::Fault, "refused".to_owned()),
        Stage::Ready => {
            let made = review.plan().map_or(now, |plan| plan.at.min(now));
            (Role::Dim, format!("planned {}", figures::ago(now, made)))
        }
        Stage::Copying(_) => (Role::Plain, "copying".to_owned()),
        Stage::Used => (Role::Dim, "carried out; R plans again".to_owned()),
    }
}

fn planned(out: &mut Writer, review: &Review, plan: &Plan, rate: Option<u64>, now: OffsetDateTime) {
    let asked = matches!(review.stage, Stage::Ready);
    let compression = compression_word(plan.request.compression);
    let how = if asked { "; c takes another" } else { "" };
    out.field("compress", Role::Plain, &format!("{compression}{how}"));
    if asked {
        let total = expected_of(review.copied());
        let (role, words) = duration(total, rate);
        out.field("takes", role, &words);
        if let Some(total) = total.filter(|_| plan.rows.len() > 1) {
            out.field("in all", Role::Plain, &figures::bytes(total));
        }
        let words = "as they are now: what is written meanwhile may be in it or not";
        out.field("live copy", Role::Dim, words);
    }
    for (at, row) in plan.rows.iter().enumerate() {
        match review.outcomes.get(&at) {
            Some(outcome) => ended(out, row, outcome),
            None => self::row(out, review, row, now),
        }
    }
}

fn duration(total: Option<u64>, rate: Option<u64>) -> (Role, String) {
    match (total, rate.filter(|rate| *rate > 0)) {
        (None, _) => (Role::Dim, "unknown: not everything was measured".to_owned()),
        (_, None) => (Role::Dim, "unknown: nothing was copied yet in this run".to_owned()),
        (Some(total), Some(rate)) => {
            let words = format!(
                "about {}, at {}/s as the last one",
                figures::duration((total / rate).max(1)),
                figures::bytes(rate)
            );
            (Role::Plain, words)
        }
    }
}

fn row(out: &mut Writer, review: &Review, row: &Row, now: OffsetDateTime) {
    out.heading(&crate::text::printable_str(&row.mount.name));
    if let Some(why) = &row.refused {
        return out.field("left out", Role::Fault, why);
    }
    if review.stage == Stage::Used {
        return out.field(
            "outcome",
            Role::Warning,
            "it was not its turn yet when the backup was stopped",
        );
    }
    out.field("to", Role::Plain, &row.dir.to_string_lossy());
    match &row.size {
        Some(size) => {
            let least = if size.totals.errors > 0 { "at least " } else { "" };
            let words = format!(
                "{least}{}, measured {}",
                figures::bytes(expected(size)),
                figures::ago(now, size.at.min(now))
            );
            out.field("holds", Role::Plain, &words);
        }
        None => out.field("holds", Role::Dim, "unknown: not measured"),
    }
    let short = |free| row.size.as_ref().is_some_and(|size| expected(size) > free);
    match row.free {
        Some(free) if short(free) => {
            let words = format!("{} there, less than the mount holds", figures::bytes(free));
            out.field("free", Role::Warning, &words);
        }
        Some(free) => out.field("free", Role::Plain, &format!("{} there", figures::bytes(free))),
        None => out.field("free", Role::Dim, "unknown"),
    }
    for caveat in &row.caveats {
        out.field("but", Role::Warning, caveat);
    }
}

fn ended(out: &mut Writer, row: &Row, outcome: &Outcome) {
    out.heading(&crate::text::printable_str(&row.mount.name));
    match outcome {
        Ok(archive) => {
            let (role, word) = match archive.status {
                Status::Ok => (Role::Good, "copied"),
                Status::Partial => (Role::Warning, "copied in part: what it lacks stands below"),
            };
            out.field("outcome", role, word);
            out.field("archive", Role::Plain, &archive.path.to_string_lossy());
            out.field("size", Role::Plain, &size_words(archive));
            out.field("sha256", Role::Plain, &short(&archive.sha256));
            warnings(out, archive);
        }
        Err(why) => out.field("outcome", Role::Fault, &format!("no copy: {why}")),
    }
}

/// An archive's size and what is in it, in words.
pub(in crate::core) fn size_words(archive: &Archive) -> String {
    format!(
        "{} for {} in {}",
        figures::bytes(archive.bytes),
        figures::bytes(archive.content_bytes),
        figures::entries(archive.entries)
    )
}

/// The first digits of a digest.
fn short(digest: &str) -> String {
    digest.chars().take(DIGEST).collect()
}

/// The name of an archive's file.
fn name_of(archive: &Archive) -> String {
    let name = archive.path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// What an archive lacks.
pub(in crate::core) fn warnings(out: &mut Writer, archive: &Archive) {
    if archive.warned == 0 {
        return;
    }
    let count = figures::counted(archive.warned, "warning");
    out.field("warnings", Role::Warning, &format!("{count}:"));
    for warning in archive.warnings.iter().take(WARNINGS) {
        out.text(2, Role::Plain, warning);
    }
    let shown = archive.warnings.len().min(WARNINGS) as u64;
    if archive.warned > shown {
        let more = figures::count(archive.warned - shown);
        out.text(
            2,
            Role::Dim,
            &format!("and {more} more; {}.json lists the first thousand", name_of(archive)),
        );
    }
}
