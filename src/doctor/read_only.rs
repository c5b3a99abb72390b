//! Writes that a read-only attachment or a read-only root file system refuses.

use super::complaints::Complaint;
use super::evidence::Attached;
use super::exam::Exam;
use super::finding::{Cause, Confidence, Finding, Fix};
use super::signatures::Means;
use super::words::{self, Errno};
use super::{backing, lines};
use crate::text;

/// Complaints about what is read-only.
pub(super) fn on(exam: &Exam<'_>) -> Vec<Finding> {
    if exam.never_ran() {
        return Vec::new();
    }
    let refused: Vec<&Complaint> = exam
        .complaints
        .iter()
        .filter(|one| one.errno == Errno::ReadOnly && matches!(one.means, Means::Refused | Means::OwnerOnly))
        .collect();
    let mut findings = Vec::new();
    let locked = exam.case.mounts.iter().filter(|attached| is_locked(attached));
    for attached in locked {
        let here = |one: &&&Complaint| exam.mount_of(one).is_some_and(|mount| std::ptr::eq(mount, attached));
        if let Some(one) = refused.iter().find(here) {
            findings.push(mount(exam, attached, one));
        }
    }
    let root = refused
        .iter()
        .find(|one| one.path.is_some() && exam.mount_of(one).is_none());
    if let Some(one) = root.filter(|_| exam.case.run.readonly_rootfs) {
        findings.push(root_file_system(exam, one));
    }
    if findings.is_empty() && exam.fails() {
        findings.extend(
            refused
                .iter()
                .find(|one| one.path.is_none())
                .and_then(|one| pathless(exam, one)),
        );
    }
    findings
}

fn is_locked(attached: &Attached) -> bool {
    let tried = attached.tried.as_ref().ok().and_then(|tried| tried.first());
    !attached.attachment.rw || tried.is_some_and(|probed| probed.super_read_only)
}

/// The one thing that is read-only, where there is just one.
fn pathless(exam: &Exam<'_>, one: &Complaint) -> Option<Finding> {
    let mut locked = exam.case.mounts.iter().filter(|attached| is_locked(attached));
    let first = locked.next();
    match (first, exam.case.run.readonly_rootfs) {
        (None, true) => Some(root_file_system(exam, one)),
        (Some(attached), false) if locked.next().is_none() => Some(Finding {
            confidence: Confidence::Medium,
            ..mount(exam, attached, one)
        }),
        _ => None,
    }
}

fn mount(exam: &Exam<'_>, attached: &Attached, one: &Complaint) -> Finding {
    let inside = Exam::inside(attached, &[]);
    let destination = &attached.attachment.destination;
    let (summary, fix) = match attached.attachment.rw {
        false => {
            let line = format!("{}:{destination}", attached.mount.name);
            (
                format!("{} writes to {inside}, which is attached read-only", exam.name()),
                Fix::Config {
                    compose: format!("volumes: [\"{line}\"]"),
                    cli: format!("-v {}", lines::shell(&line)),
                },
            )
        }
        true => (
            format!("{} writes to {inside}, whose file system is mounted read-only on the host", exam.name()),
            Fix::Advice {
                words: "mount the file system writable on the host; after an I/O error the kernel makes it read-only (`dmesg`)".to_owned(),
            },
        ),
    };
    let mut finding = exam.finding_on(attached, Cause::ReadOnly, Confidence::High, summary, fix);
    finding.path = one
        .path
        .as_deref()
        .map_or(finding.path, |path| Some(text::printable(path)));
    let way = if attached.attachment.rw {
        "read-write"
    } else {
        "read-only (:ro)"
    };
    let kind = backing::file_system(attached);
    let on = if kind.is_empty() {
        String::new()
    } else {
        format!(", on {}", text::printable_str(kind))
    };
    finding.evidence.extend(exam.who.first().map(words::runs));
    finding.evidence.push(format!("{inside} is attached {way}{on}"));
    finding.evidence.push(one.evidence());
    finding.evidence.extend(exam.fate());
    if !attached.attachment.rw {
        finding
            .caveats
            .push("drop :ro only where it may write; somebody may have protected the data with it".to_owned());
    }
    finding
        .wrong_fixes
        .push("chown and chmod: EROFS comes whoever owns it".to_owned());
    finding
}

fn root_file_system(exam: &Exam<'_>, one: &Complaint) -> Finding {
    let directory = one.path.as_deref().map_or_else(|| "/tmp".to_owned(), directory);
    let summary = format!(
        "{} writes to {directory}, and its root file system is read-only",
        exam.name()
    );
    let fix = Fix::Config {
        compose: format!("tmpfs: [\"{directory}\"]"),
        cli: format!("--tmpfs {}", lines::shell(&directory)),
    };
    let mut finding = exam.finding(Cause::ReadOnly, Confidence::High, summary, fix);
    finding.path = one.path.as_deref().map(text::printable);
    finding.evidence.extend(exam.who.first().map(words::runs));
    finding
        .evidence
        .push("started with --read-only (ReadonlyRootfs); the path is on no mount".to_owned());
    finding.evidence.push(one.evidence());
    finding.evidence.extend(exam.fate());
    finding.caveats.push(format!(
        "what is in a tmpfs is gone with the container: for data, mount a volume at {directory}"
    ));
    finding
        .wrong_fixes
        .push("chown of a volume: the path lies on none".to_owned());
    finding
}

/// The directory that has to be writable for a path, as text.
pub(super) fn directory(path: &[u8]) -> String {
    let end = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    let directory = if end == 0 { path } else { &path[..end] };
    text::printable(directory)
}
