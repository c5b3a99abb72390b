//! Everything about the finding under the cursor, as lines of text with roles. Knows no colours.

use super::super::details::{Line, Role, Writer};
use super::{Doctor, Patient, fix_line, patient};
use crate::doctor::{Cause, Confidence, Finding, Fix};
use crate::ops::list::Inventory;
use crate::text;

/// The lines of the pane at this width.
pub fn pane(doctor: &Doctor, inventory: Option<&Inventory>, width: u16) -> Vec<Line> {
    let mut out = Writer::new(width);
    if let Some(finding) = doctor.current() {
        self::finding(&mut out, finding, patient(finding, inventory).as_ref());
        log(&mut out, doctor);
    } else if let Some(report) = &doctor.report {
        left_out(&mut out, &report.left_out);
    }
    out.lines
}

/// A cause in words.
pub fn words(cause: Cause) -> String {
    cause.word().replace('_', " ")
}

fn finding(out: &mut Writer, finding: &Finding, patient: Option<&Patient>) {
    out.text(0, Role::Title, &finding.summary);
    fix(out, &finding.fix);
    for caveat in &finding.caveats {
        out.field("but", Role::Warning, caveat);
    }
    for wrong in &finding.wrong_fixes {
        out.field("not", Role::Warning, wrong);
    }
    for (at, line) in finding.evidence.iter().enumerate() {
        out.field(if at == 0 { "evidence" } else { "" }, Role::Dim, line);
    }
    out.field("cause", Role::Plain, &words(finding.cause));
    let sure = match finding.confidence {
        Confidence::High => "high: tried, and something complains, or the engine itself says so",
        Confidence::Medium => "medium: tried, but nothing complains, or the other way round",
        Confidence::Low => "low: something hints at it",
    };
    out.field("confidence", Role::Plain, sure);
    if let Some(patient) = patient {
        let state = patient.state.as_ref().map_or("state not known", |state| state.word());
        out.field("container", Role::Plain, &format!("{}, {state}", patient.name));
    }
    if let Some((_, name)) = &finding.mount {
        out.field("mount", Role::Plain, name);
    }
    if let Some(path) = &finding.path {
        out.field("path", Role::Plain, path);
    }
}

fn fix(out: &mut Writer, fix: &Fix) {
    let line = fix_line(fix);
    match fix {
        Fix::Chown { .. } | Fix::Chmod { .. } => {
            out.field("fix", Role::Good, line.as_deref().unwrap_or_default());
            out.field("", Role::Dim, "enter opens its plan, y copies the line");
        }
        Fix::Config { compose, cli } => {
            for (at, line) in compose.lines().enumerate() {
                out.field(if at == 0 { "fix" } else { "" }, Role::Good, line);
            }
            out.field("or", Role::Good, cli);
            out.field("", Role::Dim, "y copies the lines for the compose file");
        }
        Fix::Host { command } => {
            out.field("fix", Role::Good, command);
            out.field("", Role::Dim, "on the engine's host; y copies the line");
        }
        Fix::Refused { why } => out.field("fix", Role::Fault, &format!("vole does not do it: {why}")),
        Fix::Advice { words } => out.field("fix", Role::Good, words),
    }
}

fn log(out: &mut Writer, doctor: &Doctor) {
    let Some(log) = &doctor.log else { return };
    out.heading("Last lines of its log");
    match &log.lines {
        None => out.text(0, Role::Dim, "asking for them"),
        Some(Err(error)) => out.text(0, Role::Fault, &format!("cannot be read: {error}")),
        Some(Ok(lines)) if lines.is_empty() => out.text(0, Role::Dim, "it wrote nothing"),
        Some(Ok(lines)) => {
            for line in lines {
                out.text(0, Role::Plain, &text::printable(line));
            }
        }
    }
}

/// What could not be looked at.
pub(super) fn left_out(out: &mut Writer, notes: &[String]) {
    if notes.is_empty() {
        return;
    }
    out.text(0, Role::Title, "not looked at");
    for note in notes {
        out.text(0, Role::Warning, note);
    }
}
