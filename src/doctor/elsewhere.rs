//! Complaints that no mount explains: paths of the image itself, a service that somebody else uses, and what stays unknown.

use super::complaints::Complaint;
use super::exam::Exam;
use super::finding::{Cause, Confidence, Finding, Fix};
use super::read_only::directory;
use super::signatures::Means;
use super::words::{self, Errno};
use super::{access, lines, mended, named};
use crate::text;

/// How often a running container complains of a path of its image until that is told.
const OFTEN: u32 = 3;

/// A service that somebody else uses.
pub(super) fn intrusion(exam: &Exam<'_>) -> Option<Finding> {
    let one = exam.complaints.iter().find(|one| one.means == Means::Attack)?;
    let path = one.path.as_deref().map(text::printable);
    let shown = path.clone().unwrap_or_default();
    let summary = format!(
        "somebody else commands {}: {} was told to write to {shown}, as attackers of open instances do",
        exam.name(),
        one.product
    );
    let fix = Fix::Advice {
        words:
            "take it off the network, look for what else was done, set a password and bind it to an inner network; do \
                not make the path writable"
                .to_owned(),
    };
    let mut finding = exam.finding(Cause::Intrusion, Confidence::High, summary, fix);
    finding.path = path;
    finding.evidence.push(one.evidence());
    finding.evidence.extend(exam.who.first().map(words::runs));
    finding.wrong_fixes.push(format!(
        "chown or chmod of {shown}: the refusal is what protects the host"
    ));
    Some(finding)
}

/// A path that lies in the image, on no mount.
pub(super) fn in_image(exam: &Exam<'_>) -> Option<Finding> {
    let one = exam.complaints.iter().find(|one| {
        let refusal = one.means == Means::Refused && one.errno == Errno::Access;
        let counts = exam.fails() || exam.case.state.is_live() && one.count >= OFTEN;
        let known = !mended::is_of_nobody_here(exam, one);
        refusal && counts && known && one.path.is_some() && exam.mount_of(one).is_none() && one.tool.is_none()
    })?;
    let runs = exam
        .who
        .iter()
        .find(|runs| runs.identity.uid != 0)
        .or(exam.who.first())?;
    let path = one.path.as_deref()?;
    let directory = directory(path);
    let user = words::user(&runs.identity);
    let summary = format!(
        "{} runs as {user} and was refused {}, which lies in the image and on no mount",
        exam.name(),
        text::printable(path)
    );
    let words = format!(
        "mount a volume at {directory}, or make it {user}'s in the image: RUN chown -R {user} {}",
        lines::shell(&directory)
    );
    let confidence = if exam.fails() {
        Confidence::Medium
    } else {
        Confidence::Low
    };
    let mut finding = exam.finding(Cause::Ownership, confidence, summary, Fix::Advice { words });
    finding.path = Some(text::printable(path));
    finding.evidence.push(words::runs(runs));
    if let Some(inner) = named::inner(exam, one) {
        let bar = named::bar(exam, inner, one);
        finding
            .evidence
            .extend(bar.map(|bar| named::stands(inner, bar.path, bar.there)));
    }
    finding.evidence.push(one.evidence());
    finding.evidence.extend(exam.fate());
    finding
        .wrong_fixes
        .push("chown in the container: it is lost when the container is created anew".to_owned());
    Some(finding)
}

/// A failing container that was refused something, and nothing that was tried explains it.
pub(super) fn unknown(exam: &Exam<'_>) -> Option<Finding> {
    if !exam.fails() {
        return None;
    }
    // Of a process that root became and that is gone, nobody can say as whom it was refused.
    let gone = exam
        .complaints
        .iter()
        .find(|one| one.path.is_some() && one.tool.is_none() && mended::is_of_nobody_here(exam, one));
    let mut pathless = exam.pathless();
    let one = pathless
        .find(|one| matches!(one.errno, Errno::Access | Errno::Perm))
        .or(gone)?;
    let summary = format!(
        "{} fails and was refused something; nothing that was tried explains it",
        exam.name()
    );
    let words = match one.path {
        Some(_) => {
            "find out as whom it does that (su, gosu or setpriv in its entrypoint, a user in its configuration), and give \
             that user the path"
        }
        None => "find out which path is meant (a more talkative log, strace), and look again",
    };
    let fix = Fix::Advice {
        words: words.to_owned(),
    };
    let mut finding = exam.finding(Cause::Unknown, Confidence::Low, summary, fix);
    finding.evidence.extend(exam.who.iter().take(3).map(words::runs));
    finding.path = one.path.as_deref().map(text::printable);
    finding.evidence.push(one.evidence());
    finding.evidence.extend(stands(exam, one));
    finding.evidence.extend(exam.case.mounts.iter().take(5).map(|attached| {
        let inside = Exam::inside(attached, &[]);
        match &attached.tried {
            Ok(tried) => {
                let refused = tried
                    .iter()
                    .filter_map(|one| access::refused_at_top(attached, one, false))
                    .count();
                format!("{inside}: {refused} of {} identities refused", tried.len())
            }
            Err(_) => format!("{inside}: not tried"),
        }
    }));
    finding.evidence.extend(exam.fate());
    Some(finding)
}

/// What stands at the path of a complaint, as far as it was looked at.
fn stands(exam: &Exam<'_>, one: &Complaint) -> Option<String> {
    let Some((attached, rest)) = exam.holder(one.path.as_deref()?) else {
        let inner = named::inner(exam, one)?;
        let (path, there) = inner.way.last()?;
        return Some(named::stands(inner, path, there));
    };
    let trial = named::trial(attached, rest)?;
    let inside = Exam::inside(attached, trial.place);
    Some(words::stands(&inside, trial.facts()?, ""))
}

/// Space on no mount: the writable layer of a failing container.
pub(super) fn no_space(exam: &Exam<'_>) -> Option<Finding> {
    let elsewhere =
        |one: &&Complaint| one.errno == Errno::NoSpace && one.means == Means::Refused && exam.mount_of(one).is_none();
    let one = exam.complaints.iter().find(elsewhere).filter(|_| exam.fails())?;
    let summary = format!(
        "{} fails and says that no space is left, on no mount of its own",
        exam.name()
    );
    let fix = Fix::Host {
        command: "vole df".to_owned(),
    };
    let mut finding = exam.finding(Cause::NoSpace, Confidence::Low, summary, fix);
    finding.path = one.path.as_deref().map(text::printable);
    finding.evidence.push(one.evidence());
    finding.evidence.extend(exam.fate());
    Some(finding)
}
