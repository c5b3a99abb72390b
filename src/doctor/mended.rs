//! Complaints about what was mended since: whoever runs may do it now, so they explain nothing any more.

use vole_agent::proto::probe::cap;

use super::complaints::Complaint;
use super::exam::Exam;
use super::named;
use super::signatures::Means;
use super::words::Errno;

/// Whether a complaint's path was tried, and everybody may do there now what was refused.
pub(super) fn is(exam: &Exam<'_>, one: &Complaint) -> bool {
    let Some(path) = one.path.as_deref() else { return false };
    // Owners are another question than access: the rules on wishes look at them themselves.
    let owning = one.means == Means::OwnerOnly || one.tool.as_deref() == Some("chown");
    if owning || !named::is_tried(one) || exam.who.is_empty() || is_of_nobody_here(exam, one) {
        return false;
    }
    match exam.holder(path) {
        Some((attached, rest)) => {
            let noexec = attached.file_system.as_ref().is_some_and(|facts| facts.noexec);
            let allowed = named::trial(attached, rest).and_then(|trial| trial.is_allowed(attached, one));
            allowed == Some(true) && !(one.means == Means::Exec && noexec)
        }
        None => named::inner(exam, one).is_some_and(|inner| named::bar(exam, inner, one).is_none()),
    }
}

/// Whether it must be of a process that is known no more: root that passes every mode is refused by none.
pub(super) fn is_of_nobody_here(exam: &Exam<'_>, one: &Complaint) -> bool {
    let almighty = exam.who.iter().all(|runs| runs.identity.caps & cap::DAC_OVERRIDE != 0);
    almighty && one.errno == Errno::Access && one.means == Means::Refused
}
