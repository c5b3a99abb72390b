//! Everything about one archive, as lines of text with roles. Knows no colours.

use time::OffsetDateTime;

use super::super::backup;
use super::super::details::{Line, Role, Writer};
use super::super::figures;
use super::{Backups, Check, kind};
use crate::archive::{Status, Verdict};

/// Everything about the archive under the cursor, at this width. `endpoint` is the engine on screen.
pub fn pane(backups: &Backups, endpoint: &str, read_only: bool, now: OffsetDateTime, width: u16) -> Vec<Line> {
    let mut out = Writer::new(width);
    let Some(archive) = backups.current() else {
        return out.lines;
    };
    let origin = &archive.origin;
    out.text(0, Role::Title, &origin.name);
    out.field("path", Role::Plain, &archive.path.to_string_lossy());
    let when = format!("{}, {}", origin.begun.date(), figures::ago(now, origin.begun.min(now)));
    out.field("copied", Role::Plain, &when);
    let damaged = |check: &Check| matches!(check.verdict, Verdict::Truncated | Verdict::Corrupt);
    let checked = backups.check(&archive.path).and_then(|check| check.as_ref().ok());
    let (role, words) = match archive.status {
        _ if checked.is_some_and(damaged) => (Role::Fault, "not what its sidecar says"),
        Status::Ok => (Role::Good, "whole, as its sidecar says"),
        Status::Partial => (Role::Warning, "partial: what it lacks stands below"),
    };
    out.field("status", role, words);
    match (backups.is_checking(&archive.path), backups.check(&archive.path)) {
        (true, _) => out.field("verified", Role::Plain, "being checked"),
        (_, None) => out.field("verified", Role::Dim, "not in this run; v reads all of it"),
        (_, Some(Ok(check))) => {
            let (role, words) = check_words(check);
            out.field("verified", role, &words);
        }
        (_, Some(Err(why))) => out.field("verified", Role::Fault, &format!("it could not be checked: {why}")),
    }
    out.field("size", Role::Plain, &backup::size_words(archive));
    out.field("compress", Role::Plain, kind(&archive.path));
    out.field("sha256", Role::Plain, &archive.sha256);
    if origin.engine != endpoint {
        out.field("engine", Role::Warning, &format!("another: {}", origin.engine));
    }
    if read_only {
        out.field("restore", Role::Dim, "not with --read-only: it would write");
    }
    if !origin.driver.is_empty() {
        out.field("driver", Role::Plain, &origin.driver);
    }
    for (at, (key, value)) in origin.options.iter().enumerate() {
        let label = if at == 0 { "options" } else { "" };
        out.field(label, Role::Plain, &format!("{key}={value}"));
    }
    for (at, (key, value)) in origin.labels.iter().enumerate() {
        let label = if at == 0 { "labels" } else { "" };
        out.field(label, Role::Plain, &format!("{key}={value}"));
    }
    backup::warnings(&mut out, archive);
    out.lines
}

/// What checking found, in words.
pub fn check_words(check: &Check) -> (Role, String) {
    let role = match check.verdict {
        Verdict::Ok => Role::Good,
        Verdict::Foreign => Role::Warning,
        Verdict::Truncated | Verdict::Corrupt => Role::Fault,
    };
    let word = check.verdict.word();
    match &check.damage {
        Some(damage) => (role, format!("{word}: {damage}")),
        None => (role, word.to_owned()),
    }
}
