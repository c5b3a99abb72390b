//! Mounts without space or inodes.

use super::evidence::{Attached, FileSystemFacts};
use super::exam::Exam;
use super::finding::{Cause, Confidence, Finding, Fix};
use super::signatures::Means;
use super::words::Errno;
use super::{backing, lines};
use crate::core::figures;
use crate::model::MountKind;
use crate::text;

/// File systems that are full by nature.
const PACKED: [&str; 5] = ["squashfs", "iso9660", "erofs", "cramfs", "overlay"];

/// Full file systems behind the mounts, each once: what is on one disk is one fault.
pub(super) fn on(exam: &Exam<'_>) -> Vec<Finding> {
    if exam.never_ran() {
        return Vec::new();
    }
    let mut seen: Vec<&FileSystemFacts> = Vec::new();
    let mut findings = Vec::new();
    for attached in &exam.case.mounts {
        let Some(facts) = attached.file_system.as_ref().filter(|_| attached.attachment.rw) else {
            continue;
        };
        let Some(cause) = full(exam, attached, facts) else {
            continue;
        };
        if !seen.contains(&facts) {
            seen.push(facts);
            findings.push(finding(exam, attached, facts, cause));
        }
    }
    findings
}

/// Complaints of no space on a mount.
fn complains(exam: &Exam<'_>, attached: &Attached, errno: Errno) -> bool {
    let here = |one: &&super::complaints::Complaint| one.errno == errno && one.means == Means::Refused;
    exam.about(attached).into_iter().any(|one| here(&one))
}

fn full(exam: &Exam<'_>, attached: &Attached, facts: &FileSystemFacts) -> Option<Cause> {
    if facts.size == 0 || PACKED.contains(&facts.kind.as_str()) || attached.mount.kind == MountKind::Image {
        return None;
    }
    let top = attached.tried.as_ref().ok().and_then(|tried| tried.first());
    if top.is_some_and(|probed| probed.super_read_only) {
        return None;
    }
    if facts.inodes > 0 && facts.inodes_free == 0 {
        return Some(Cause::NoInodes);
    }
    // Of what a write needs there may be some bytes left.
    let tight = facts.available < facts.size / 1000 && complains(exam, attached, Errno::NoSpace);
    (facts.available == 0 || tight || complains(exam, attached, Errno::Quota)).then_some(Cause::NoSpace)
}

fn finding(exam: &Exam<'_>, attached: &Attached, facts: &FileSystemFacts, cause: Cause) -> Finding {
    let inside = Exam::inside(attached, &[]);
    let quota = cause == Cause::NoSpace && facts.available > 0 && complains(exam, attached, Errno::Quota);
    let what = match cause {
        Cause::NoInodes => "no inodes left: not one more file can be made, whatever space is free",
        _ if quota => "a quota that is used up",
        _ => "no space left",
    };
    let summary = format!("{inside} of {} is on a file system with {what}", exam.name());
    let limited = attached
        .mount
        .options
        .get("o")
        .filter(|options| options.contains("size=") || options.contains("nr_inodes="));
    let options = &attached.attachment.options;
    let sized = options
        .iter()
        .any(|one| one.contains("size=") || one.contains("nr_inodes="));
    let fix = match limited {
        Some(_) => Fix::Advice {
            words: format!(
                "the volume's own option limits it: `vole du {}` shows what fills it; a larger size= needs the volume made anew",
                lines::shell(&attached.mount.name)
            ),
        },
        None if attached.mount.kind == MountKind::Tmpfs || sized => Fix::Advice {
            words: "give the tmpfs more (size=, nr_inodes=), or remove what fills it".to_owned(),
        },
        None => Fix::Host {
            command: "vole df".to_owned(),
        },
    };
    let mut finding = exam.finding_on(attached, cause, Confidence::High, summary, fix);
    let kind = text::printable_str(backing::file_system(attached));
    finding.evidence.push(format!(
        "{kind}: {} of {} available, {} of {} inodes free",
        figures::bytes(facts.available),
        figures::bytes(facts.size),
        facts.inodes_free,
        facts.inodes
    ));
    if let Some(options) = limited {
        finding
            .evidence
            .push(format!("options of the volume: {}", text::printable_str(options)));
    }
    let said = exam
        .complaints
        .iter()
        .find(|one| matches!(one.errno, Errno::NoSpace | Errno::Quota));
    finding
        .evidence
        .extend(said.map(super::complaints::Complaint::evidence));
    finding.evidence.extend(exam.fate());
    finding
        .wrong_fixes
        .push("chown and chmod: nothing is refused for its owner here".to_owned());
    finding
}
