//! Says why a container is refused something, and what mends it: rules over evidence. Pure: who gathers the evidence is
//! [`crate::ops::doctor`].
//!
//! What was tried decides; what a log says is only heard where that is so. Each module below owns one kind of fault, and
//! [`examine`] lets them speak in turn: a mount that cannot be mounted ends it, and the worst explanations come last.

mod above;
mod access;
mod at_risk;
mod backing;
mod beneath;
mod causes;
mod complaints;
mod elsewhere;
pub mod evidence;
mod exact;
mod exam;
pub mod finding;
pub mod images;
mod lines;
mod may;
mod mended;
mod named;
mod read_only;
pub mod remap;
#[cfg(test)]
mod sample;
mod signatures;
mod space;
mod start;
#[cfg(test)]
mod tests;
mod wishes;
mod words;

pub use evidence::{Attached, Case, Who};
pub use finding::{Cause, Confidence, Counted, Finding, Fix};
pub use named::{Spot, spots};

use exam::Exam;

/// What is wrong with a container, by the rules. Empty when nothing is: a finding where there is no fault is a defect.
pub fn examine(case: &Case) -> Vec<Finding> {
    let exam = Exam::new(case);
    let mut findings = start::mounts(&exam);
    if exam.never_ran() && findings.is_empty() {
        return start::program(&exam).into_iter().collect();
    }
    if exam.never_ran() || (!findings.is_empty() && !case.state.is_live()) {
        // Its log is of another run, or there is none.
        return findings;
    }
    findings.extend(elsewhere::intrusion(&exam));
    findings.extend(start::program(&exam));
    findings.extend(read_only::on(&exam));
    findings.extend(space::on(&exam));
    findings.extend(on_mounts(&exam, &findings));
    if !findings.iter().any(|one| one.cause == Cause::Capabilities) {
        findings.extend(start::capabilities(&exam));
    }
    // What at-risk data is about is no refusal and explains none.
    if findings.is_empty() {
        let last = elsewhere::in_image(&exam).or_else(|| elsewhere::no_space(&exam));
        findings.extend(last.or_else(|| elsewhere::unknown(&exam)));
    }
    findings.extend(at_risk::on(&exam));
    findings
}

/// Refusals on mounts. Those of which only the container's failure speaks give way to any better explanation.
fn on_mounts(exam: &Exam<'_>, others: &[Finding]) -> Vec<Finding> {
    let suspected = exam.case.mounts.iter().flat_map(|attached| {
        let told = |finding: &Finding| finding.mount.as_ref().is_some_and(|(id, _)| *id == attached.mount.id);
        // A mount without space or attached read-only has its finding already, unless an access is refused besides.
        let mut suspected = access::on(exam, attached);
        if suspected.is_empty() && !others.iter().any(told) {
            suspected.extend(wishes::on(exam, attached));
        }
        suspected
    });
    let suspected: Vec<access::Suspected> = suspected.collect();
    let explained = !others.is_empty() || suspected.iter().any(|(_, only_failing)| !only_failing);
    let kept = suspected
        .into_iter()
        .filter(|(_, only_failing)| !(explained && *only_failing));
    kept.map(|(finding, _)| finding).collect()
}
