//! A change as lines of text with roles: where it goes, what changes, what is left alone and why, what has to be known
//! and confirmed. Knows no colours.

use std::collections::BTreeMap;

use time::OffsetDateTime;
use vole_agent::proto::Kind;
use vole_agent::proto::own::{Census, Change, Sampled, Skipped, Why};

use super::super::details::{Line, Role, Writer};
use super::super::doctor::owner_words;
use super::super::figures;
use super::{Review, Stage};
use crate::engine::EngineError;
use crate::ops::chown::{Block, Plan, Report};
use crate::text;

/// Rows of what was left alone that are shown.
const SKIPS: usize = 200;

/// The lines of the screen at this width.
pub fn lines(review: &Review, width: u16) -> Vec<Line> {
    let mut out = Writer::new(width);
    out.text(0, Role::Title, &review.words());
    let change = &review.request.change;
    match owner_words(change.from_uid, change.from_gid) {
        from if from.is_empty() => {}
        from => out.field("only", Role::Plain, &format!("what belongs to {from}")),
    }
    if !change.recursive {
        out.field("only", Role::Plain, "the entry itself, nothing below it");
    }
    match (&review.stage, review.plan()) {
        (Stage::Failed(error), _) => {
            let words = format!("no plan could be made, and nothing was changed: {error}. R tries again.");
            out.text(0, Role::Fault, &words);
        }
        (Stage::Counting(census), _) => {
            let words = format!("counting: {} so far", entries(census.entries));
            out.text(0, Role::Plain, &words);
            out.text(0, Role::Dim, "nothing is changed by that");
        }
        (_, Some(plan)) => match &plan.refused {
            Some(why) => out.text(0, Role::Fault, &format!("vole does not do this: {why}")),
            None => planned(&mut out, review, plan),
        },
        (_, None) => {}
    }
    out.lines
}

/// How far a change is, in words.
pub fn stage_words(review: &Review, now: OffsetDateTime) -> (Role, String) {
    let refused = review.plan().is_some_and(|plan| plan.refused.is_some());
    match &review.stage {
        Stage::Counting(_) => (Role::Plain, "counting".to_owned()),
        Stage::Failed(_) => (Role::Fault, "failed".to_owned()),
        Stage::Ready if refused => (Role::Fault, "refused".to_owned()),
        Stage::Ready => {
            let made = review.plan().map_or(now, |plan| plan.at.min(now));
            (Role::Dim, format!("counted {}", figures::ago(now, made)))
        }
        Stage::Changing(_) => (Role::Plain, "changing".to_owned()),
        Stage::Used => (Role::Dim, "carried out; R plans again".to_owned()),
    }
}

fn entries(count: u64) -> String {
    match count {
        1 => "1 entry".to_owned(),
        count => format!("{} entries", figures::count(count)),
    }
}

fn planned(out: &mut Writer, review: &Review, plan: &Plan) {
    if let Some(outcome) = &review.outcome {
        self::outcome(out, outcome);
    }
    match &plan.resolved {
        Some(path) => out.field("where", Role::Plain, path),
        None => out.field("where", Role::Dim, "its place on the engine's host is not known"),
    }
    let census = &plan.census;
    let (role, words) = match census.change {
        0 => (
            Role::Good,
            "nothing: every entry is right already, or not meant".to_owned(),
        ),
        count => (
            Role::Warning,
            format!("{} of {}", entries(count), figures::count(census.entries)),
        ),
    };
    out.field("change", role, &words);
    out.field(
        "stay",
        Role::Plain,
        &format!("{} as they are", entries(census.unchanged)),
    );
    left_alone(out, census);
    if !census.complete {
        out.field("not all", Role::Warning, "not everything could be counted");
    }
    if census.privileged > 0 {
        let words = format!(
            "{} with set-id bits or capabilities, which the kernel takes away; vole puts them back",
            entries(census.privileged)
        );
        out.field("special", Role::Plain, &words);
    }
    owners(out, census, if review.outcome.is_some() { "before" } else { "now" });
    if census.journal_bytes > 0 && review.stage != Stage::Used {
        let words = format!(
            "about {} are written down first, to take it back",
            figures::bytes(census.journal_bytes)
        );
        out.field("journal", Role::Plain, &words);
    }
    let asked = review.outcome.is_none();
    for block in plan.blocks.iter().filter(|_| asked) {
        out.field("confirm", Role::Warning, &block_words(block));
    }
    for caveat in &plan.caveats {
        out.field("but", Role::Warning, caveat);
    }
    sample(out, census, &review.request.change);
    let told = review.outcome.as_ref().and_then(|outcome| outcome.as_ref().ok());
    skips(out, told.map_or(&census.skips, |report| &report.skips));
}

fn owners(out: &mut Writer, census: &Census, label: &str) {
    for (at, owner) in census.owners.iter().enumerate() {
        let words = format!("{}:{} owns {}", owner.uid, owner.gid, entries(owner.entries));
        out.field(if at == 0 { label } else { "" }, Role::Plain, &words);
    }
}

/// How many are left alone, by reason.
fn left_alone(out: &mut Writer, census: &Census) {
    if census.skipped == 0 {
        return;
    }
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    for skip in &census.skips {
        *reasons.entry(why_words(&skip.why)).or_default() += 1;
    }
    let reasons: Vec<String> = reasons
        .into_iter()
        .map(|(why, count)| format!("{} {why}", figures::count(count)))
        .collect();
    let words = format!("{} ({})", entries(census.skipped), reasons.join("; "));
    out.field("left alone", Role::Warning, &words);
}

fn outcome(out: &mut Writer, outcome: &Result<std::sync::Arc<Report>, EngineError>) {
    let report = match outcome {
        Ok(report) => report,
        Err(error) => return out.field("outcome", Role::Fault, &format!("nothing was changed: {error}")),
    };
    let words = format!("{} changed", entries(report.changed));
    out.field("outcome", Role::Good, &words);
    if report.skipped > 0 {
        let words = format!("{} left alone; they stand below", entries(report.skipped));
        out.field("", Role::Warning, &words);
    }
    if let Some(why) = &report.stopped {
        out.field("stopped", Role::Fault, why);
    }
    if let Some(journal) = &report.journal {
        out.field("undo", Role::Plain, &format!("z lists it as {journal}"));
    }
}

/// What has to be confirmed, in words.
pub fn block_words(block: &Block) -> String {
    match block {
        Block::Running { container } => format!("{container} runs and uses it now"),
        Block::OtherUser { container, uid } => {
            format!("{container} runs as {uid}, and would lose its access")
        }
        Block::LinkedOutside { files, first } => {
            let files = figures::counted(*files, "file");
            let first = text::printable(first);
            format!("{files} with names outside of the mount too, as {first}: their owner changes there as well")
        }
    }
}

/// Why an entry is left alone, in words.
pub fn why_words(why: &Why) -> String {
    match why {
        Why::OtherMount => "another file system is mounted there".to_owned(),
        Why::Left => "something is mounted there on the host".to_owned(),
        Why::Refused { errno } => {
            let error = std::io::Error::from_raw_os_error(*errno);
            format!("refused: {error}")
        }
        Why::Replaced => "another entry than before".to_owned(),
        Why::Changed => "changed since".to_owned(),
        Why::Gone => "gone".to_owned(),
    }
}

fn sample(out: &mut Writer, census: &Census, change: &Change) {
    if census.sample.is_empty() {
        return;
    }
    out.heading("For instance");
    for one in &census.sample {
        out.text(0, Role::Plain, &row(one, change));
    }
}

/// An entry before and after.
fn row(one: &Sampled, change: &Change) -> String {
    let (uid, gid, mode) = change.of(one.kind, one.uid, one.gid, one.mode);
    let path = match one.path.as_slice() {
        [] => "its top".to_owned(),
        path => text::printable(path),
    };
    let slash = if one.kind == Kind::Dir && !one.path.is_empty() {
        "/"
    } else {
        ""
    };
    let shown = |uid: u32, gid: u32, mode: u32| match one.kind {
        Kind::Symlink => format!("{uid}:{gid}"),
        _ => format!("{uid}:{gid} {mode:04o}"),
    };
    format!(
        "{path}{slash}  {} becomes {}",
        shown(one.uid, one.gid, one.mode),
        shown(uid, gid, mode)
    )
}

/// The first entries that are left alone, each with its reason.
pub(in crate::core) fn skips(out: &mut Writer, skips: &[Skipped]) {
    if skips.is_empty() {
        return;
    }
    out.heading("Left alone");
    for skip in skips.iter().take(SKIPS) {
        let path = match skip.path.as_slice() {
            [] => "its top".to_owned(),
            path => text::printable(path),
        };
        out.text(0, Role::Plain, &format!("{path}  {}", why_words(&skip.why)));
    }
    if skips.len() > SKIPS {
        let more = skips.len() - SKIPS;
        out.text(0, Role::Dim, &format!("and {} more", figures::count(more as u64)));
    }
}
