//! A restore as lines of text with roles: from where, how its check came out, where to, what has to be known and confirmed,
//! what came of it. Knows no colours.

use std::sync::Arc;

use time::OffsetDateTime;

use super::super::details::{Line, Role, Writer};
use super::super::figures;
use super::{Review, Stage};
use crate::archive::Verdict;
use crate::engine::EngineError;
use crate::ops::restore::{Into, Plan, Report};
use crate::text;

/// Rows of warnings that are shown.
const WARNINGS: usize = 200;

/// The lines of the screen at this width.
pub fn lines(review: &Review, now: OffsetDateTime, width: u16) -> Vec<Line> {
    let mut out = Writer::new(width);
    out.text(0, Role::Title, &review.words());
    if let Some(path) = &review.request.archive {
        out.field("from", Role::Plain, &path.to_string_lossy());
    }
    match (&review.stage, review.plan()) {
        (Stage::Failed(error), _) => {
            let words = format!("no plan could be made, and nothing was changed: {error}. R tries again.");
            out.text(0, Role::Fault, &words);
        }
        (Stage::Planning(progress), _) => {
            let total = progress.total.map(|total| format!(" of {}", figures::bytes(total)));
            let words = format!(
                "the whole archive is checked first: {}{} so far",
                figures::bytes(progress.bytes),
                total.unwrap_or_default()
            );
            out.text(0, Role::Plain, &words);
            out.text(0, Role::Dim, "nothing is changed by that");
        }
        (_, Some(plan)) => planned(&mut out, review, plan, now),
        (_, None) => {}
    }
    out.lines
}

/// How far a restore is, in words.
pub fn stage_words(review: &Review, now: OffsetDateTime) -> (Role, String) {
    let refused = review.plan().is_some_and(|plan| plan.refused.is_some());
    match &review.stage {
        Stage::Planning(_) => (Role::Plain, "checking the archive".to_owned()),
        Stage::Failed(_) => (Role::Fault, "failed".to_owned()),
        Stage::Ready if refused => (Role::Fault, "refused".to_owned()),
        Stage::Ready => {
            let made = review.plan().map_or(now, |plan| plan.at.min(now));
            (Role::Dim, format!("checked {}", figures::ago(now, made)))
        }
        Stage::Restoring(_) => (Role::Plain, "restoring".to_owned()),
        Stage::Used => (Role::Dim, "carried out; R plans again".to_owned()),
    }
}

fn planned(out: &mut Writer, review: &Review, plan: &Plan, now: OffsetDateTime) {
    if let Some(outcome) = &review.outcome {
        self::outcome(out, outcome, !plan.request.only.is_empty());
    }
    source(out, plan, now);
    part(out, plan);
    target(out, plan);
    if let Some(why) = &plan.refused {
        return out.text(0, Role::Fault, &format!("vole does not do this: {why}"));
    }
    if review.outcome.is_none() {
        if let Some(why) = &plan.needs_name {
            out.field("confirm", Role::Warning, why);
        }
        for caveat in &plan.caveats {
            out.field("but", Role::Warning, caveat);
        }
    }
}

fn source(out: &mut Writer, plan: &Plan, now: OffsetDateTime) {
    match &plan.origin {
        Some(origin) => {
            let words = format!(
                "{}, copied {} on {}",
                origin.name,
                figures::ago(now, origin.begun.min(now)),
                origin.engine
            );
            out.field("archive", Role::Plain, &words);
        }
        None => out.field(
            "archive",
            Role::Warning,
            "of another program: nothing in it says what it was",
        ),
    }
    match plan.verdict {
        Some(Verdict::Ok) => out.field("verified", Role::Good, "whole: read to its end and compared"),
        Some(Verdict::Foreign) => {
            let words = "readable to its end; nothing in it proves that it is whole";
            out.field("verified", Role::Warning, words);
        }
        Some(verdict) => out.field("verified", Role::Fault, verdict.word()),
        None => out.field("verified", Role::Dim, "on the way"),
    }
    match plan.counts {
        Some((entries, bytes)) => {
            let words = format!("{}, {}", figures::entries(entries), figures::bytes(bytes));
            out.field("holds", Role::Plain, &words);
        }
        None => out.field("holds", Role::Dim, "unknown"),
    }
    if let Some(unclear) = &plan.unclear {
        let words = format!("{}: s says how many components are taken away", unclear.why);
        out.field("names", Role::Fault, &words);
        for seen in &unclear.seen {
            out.field("", Role::Plain, seen);
        }
        return;
    }
    match (&plan.prefix, plan.strip, &plan.origin) {
        (_, 0, Some(_)) => {}
        (_, 0, None) => out.field("names", Role::Plain, "as they are; s takes leading components away"),
        (Some(prefix), ..) => {
            let words = format!("without {prefix}, which all of them begin with; s takes another number away");
            out.field("names", Role::Warning, &words);
        }
        (None, strip, _) => {
            let components = figures::counted(u64::from(strip), "leading component");
            out.field("names", Role::Warning, &format!("without their {components}"));
        }
    }
}

/// What of the archive is restored, where that is not everything.
fn part(out: &mut Writer, plan: &Plan) {
    for (at, path) in plan.request.only.iter().enumerate() {
        let label = if at == 0 { "only" } else { "" };
        out.field(label, Role::Plain, &text::printable(path.as_bytes()));
    }
    if let Some((entries, bytes)) = plan.part.filter(|_| !plan.request.only.is_empty()) {
        let words = format!("{}, {}", figures::entries(entries), figures::bytes(bytes));
        out.field("", Role::Dim, &words);
    }
}

fn target(out: &mut Writer, plan: &Plan) {
    match &plan.into {
        Into::New(volume) if volume.name.is_empty() => {
            let words = "nowhere yet: n names the volume or the path, new or there already";
            out.field("into", Role::Warning, words);
        }
        Into::New(volume) => {
            let nothing_else = if plan.request.only.is_empty() {
                ""
            } else {
                " that holds nothing else"
            };
            let words = format!("{}, a new volume{nothing_else}", volume.name);
            out.field("into", Role::Plain, &words);
            if let Some(driver) = &volume.driver {
                out.field("driver", Role::Plain, driver);
            }
            for (at, (key, value)) in volume.options.iter().enumerate() {
                out.field(
                    if at == 0 { "options" } else { "" },
                    Role::Plain,
                    &format!("{key}={value}"),
                );
            }
            if !volume.labels.is_empty() {
                let labels = figures::counted(volume.labels.len() as u64, "label");
                out.field("labels", Role::Plain, &format!("{labels}, as the archive says"));
            }
        }
        Into::Existing(mount) if !plan.request.only.is_empty() => into_part(out, plan, &mount.name),
        Into::Existing(mount) => {
            let words = format!("{}, which is there: its contents are replaced", mount.name);
            out.field("into", Role::Warning, &words);
            let words = match plan.request.in_place {
                true => "what is there is removed first: nothing brings it back; i keeps it until all is there",
                false => "what is there stays until all of the new is there; i removes it first, for want of room",
            };
            let role = if plan.request.in_place {
                Role::Warning
            } else {
                Role::Plain
            };
            out.field("how", role, words);
        }
    }
}

/// Some paths into a target that is there.
fn into_part(out: &mut Writer, plan: &Plan, name: &str) {
    let words = format!("{name}, which is there: all else in it stays as it is");
    out.field("into", Role::Plain, &words);
    // Where it is refused nobody looked.
    if plan.refused.is_some() {
        return;
    }
    if plan.replaced.is_empty() {
        return out.field("replaces", Role::Good, "nothing: none of it is there now");
    }
    for (at, path) in plan.replaced.iter().enumerate() {
        let label = if at == 0 { "replaces" } else { "" };
        out.field(label, Role::Warning, &text::printable(path.as_bytes()));
    }
    let words = match plan.request.in_place {
        true => {
            "that, with all below it, is removed first: nothing brings it back; i keeps it until all of the new is there"
        }
        false => "that, with all below it, stays until all of the new is there; i removes it first, for want of room",
    };
    let role = if plan.request.in_place {
        Role::Warning
    } else {
        Role::Plain
    };
    out.field("how", role, words);
}

fn outcome(out: &mut Writer, outcome: &Result<Arc<Report>, EngineError>, part: bool) {
    let report = match outcome {
        Ok(report) => report,
        Err(error) => return out.field("outcome", Role::Fault, &format!("nothing was restored: {error}")),
    };
    let words = format!(
        "{} restored, {}",
        figures::entries(report.entries),
        figures::bytes(report.bytes)
    );
    out.field("outcome", Role::Good, &words);
    if let Some(digest) = &report.digest {
        let of = if part {
            "of the whole archive's contents"
        } else {
            "of the contents"
        };
        out.field("compared", Role::Plain, &format!("blake3 {of} {digest}"));
    }
    if report.warned == 0 {
        return;
    }
    let count = figures::counted(report.warned, "warning");
    out.field("warnings", Role::Warning, &format!("{count}:"));
    for warning in report.warnings.iter().take(WARNINGS) {
        out.text(2, Role::Plain, warning);
    }
    let shown = report.warnings.len().min(WARNINGS) as u64;
    if report.warned > shown {
        out.text(
            2,
            Role::Dim,
            &format!("and {} more", figures::count(report.warned - shown)),
        );
    }
}
