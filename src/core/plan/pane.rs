//! Everything about what the plan's cursor stands on, as lines of text with roles. Knows no colours.

use time::OffsetDateTime;

use super::super::details::{Line as Text, Role, Writer};
use super::super::figures;
use super::{Line, Review};
use crate::model::{Mount, Size};
use crate::ops::prune::{Group, Outcome, Row, Stopped};

/// The lines of the pane at this width.
pub fn pane(review: &Review, now: OffsetDateTime, width: u16) -> Vec<Text> {
    let mut out = Writer::new(width);
    if let Some(row) = review.current() {
        volume(&mut out, row, review, now);
    } else if let Some(stopped) = review.current_container() {
        container(&mut out, stopped, review);
    } else if let Some(Line::Fold(sum)) = review.lines().get(review.at()) {
        let words = format!(
            "{} that something uses, or of which that could not be told. None of them can be removed by this plan.",
            figures::counted(sum.rows as u64, "volume")
        );
        out.text(0, Role::Dim, &words);
    }
    out.lines
}

fn volume(out: &mut Writer, row: &Row, review: &Review, now: OffsetDateTime) {
    let mount = &row.mount;
    out.text(0, Role::Title, &mount.name);
    if let Some(outcome) = review.outcome(row) {
        self::outcome(out, outcome);
    }
    let (role, lead) = match row.group {
        _ if row.blocked => (Role::Warning, "stays: "),
        Group::Safe => (Role::Good, ""),
        Group::Ask | Group::Keep => (Role::Warning, ""),
    };
    out.field("why", role, &format!("{lead}{}", row.reason));
    if let Some(who) = &row.last_use {
        out.field("last use", Role::Plain, who);
    }
    match row.last_write {
        Some(then) => {
            let words = format!("{}, {}", then.date(), figures::ago(now, then));
            out.field("last write", Role::Plain, &words);
        }
        None => out.field("last write", Role::Dim, "unknown"),
    }
    let looks = row.fingerprint.as_deref().unwrap_or("nobody could look");
    out.field("looks like", Role::Plain, looks);
    out.field("size", Role::Plain, &size(row));
    if let Some(hint) = &row.hint {
        out.field("instead", Role::Good, "y copies these lines");
        for line in hint.lines() {
            out.text(2, Role::Plain, line);
        }
    }
    facts(out, mount, row);
}

fn facts(out: &mut Writer, mount: &Mount, row: &Row) {
    if let Some(project) = &mount.project {
        out.field("project", Role::Plain, project);
    }
    if let Some(created) = mount.created {
        out.field("created", Role::Plain, &moment(created));
    }
    if let Some((inode, birth)) = row.identity.directory {
        let born = birth.and_then(|(secs, _)| OffsetDateTime::from_unix_timestamp(secs).ok());
        let born = born.map_or_else(String::new, |born| format!(", made {}", moment(born)));
        out.field("directory", Role::Plain, &format!("inode {inode}{born}"));
    }
    if mount.driver != "local" {
        out.field("driver", Role::Plain, &mount.driver);
    }
    for (key, value) in &mount.options {
        out.field("option", Role::Plain, &format!("{key}={value}"));
    }
    if let Some(path) = &mount.host_path {
        out.field("host path", Role::Dim, path);
    }
}

fn moment(time: OffsetDateTime) -> String {
    let (hour, minute, second) = time.to_hms();
    format!("{} {hour:02}:{minute:02}:{second:02}", time.date())
}

fn size(row: &Row) -> String {
    let size = match (&row.size, row.size.known_bytes()) {
        (_, Some(bytes)) => figures::bytes(bytes),
        (Size::Failed(why) | Size::Unknown(Some(why)), None) => format!("unknown: {why}"),
        (_, None) => "unknown".to_owned(),
    };
    match (row.frees, row.size.known_bytes()) {
        (Some(frees), known) if known != Some(frees) => {
            format!("{size}; its removal frees {}", figures::bytes(frees))
        }
        (None, Some(_)) => format!("{size}; how much its removal frees is unknown"),
        _ => size,
    }
}

fn container(out: &mut Writer, stopped: &Stopped, review: &Review) {
    out.text(0, Role::Title, &stopped.name);
    if let Some(outcome) = review.container_outcome(stopped) {
        self::outcome(out, outcome);
    }
    match &stopped.blocked {
        Some(why) => out.field("why", Role::Warning, &format!("stays: {why}")),
        None => out.field("why", Role::Warning, "a container that does not run"),
    }
    out.field("image", Role::Plain, &stopped.image);
    let frees = match stopped.frees.as_slice() {
        [] => "no volume".to_owned(),
        names => names.join(", "),
    };
    out.field("frees", Role::Plain, &frees);
    if !stopped.anonymous.is_empty() {
        let words = format!("`docker rm -v` would delete unseen: {}", stopped.anonymous.join(", "));
        out.field("beware", Role::Warning, &words);
    }
}

fn outcome(out: &mut Writer, outcome: &Outcome) {
    match outcome {
        Outcome::Removed(Some(bytes)) => {
            out.field("removed", Role::Good, &format!("{} freed", figures::bytes(*bytes)));
        }
        Outcome::Removed(None) => out.field("removed", Role::Good, "how much was freed is unknown"),
        Outcome::Refused(why) => out.field("left alone", Role::Fault, why),
    }
}
