//! Refusals at the very paths that complaints name, beneath the root of a mount: what stands there decides, and the fix
//! changes that and nothing else.

use vole_agent::proto::Kind;
use vole_agent::proto::own::{Change, ModeChange};
use vole_agent::proto::probe::Probed;

use super::access::{self, refusals};
use super::causes::{self, Refusal, Verdict};
use super::complaints::Complaint;
use super::evidence::Attached;
use super::exam::Exam;
use super::finding::{Cause, Confidence, Finding, Fix};
use super::may::{self, READ};
use super::named::{self, Refused};
use super::signatures::Means;
use super::{lines, words};

/// Other paths that are shown.
const SHOWN: usize = 3;

/// A refusal at a named path, and the complaint that names it.
struct Found<'a> {
    refused: Refused<'a>,
    complaint: &'a Complaint,
    /// Whether the complaint's path itself is not there.
    missing: bool,
}

/// What is refused at the paths that complaints name; `None` when that is the mount's root, or nothing.
pub(super) fn on(exam: &Exam<'_>, attached: &Attached, tried: &[Probed]) -> Option<Finding> {
    let named = refusals(exam, attached);
    let found: Vec<Found<'_>> = named
        .into_iter()
        .filter(|one| one.means != Means::OwnerOnly && one.tool.as_deref() != Some("chown"))
        .filter_map(|complaint| refused(exam, attached, complaint))
        .collect();
    // Where the root refuses, the rest follows from it.
    if found.iter().any(|one| one.refused.path.is_empty()) {
        return None;
    }
    let first = found.first()?;
    let top = tried.get(first.refused.at)?;
    (!is_all_of_it(exam, attached, top, &first.refused)).then(|| finding(exam, attached, top, &found, first))
}

/// The finding about a directory in between that bars the way to a program.
pub(super) fn barred(exam: &Exam<'_>, attached: &Attached, complaint: &Complaint) -> Option<Finding> {
    let first = refused(exam, attached, complaint)?;
    first.refused.tried.barred.as_ref()?;
    let top = attached.tried.as_ref().ok()?.get(first.refused.at)?;
    Some(finding(exam, attached, top, &[], &first))
}

fn refused<'a>(exam: &Exam<'_>, attached: &'a Attached, complaint: &'a Complaint) -> Option<Found<'a>> {
    let (_, rest) = exam.holder(complaint.path.as_deref()?)?;
    let trial = named::trial(attached, rest)?;
    Some(Found {
        refused: trial.refused(attached, complaint)?,
        complaint,
        missing: !trial.exists,
    })
}

/// Whether all of the mount belongs to somebody else, and the path is only where that was noticed.
fn is_all_of_it(exam: &Exam<'_>, attached: &Attached, top: &Probed, refused: &Refused<'_>) -> bool {
    let Some(runs) = exam.who.get(refused.at) else {
        return false;
    };
    // Somebody who may not write at the top, and owns a few entries all the same, owned more of them before.
    let of = |uid: u32| -> u64 {
        let owned = top.owners.iter().filter(|one| one.uid == uid);
        owned.map(|one| one.entries).sum()
    };
    let own = 2 * of(runs.identity.uid) > of(refused.facts.uid);
    let same = top.facts.as_ref().is_some_and(|facts| facts.uid == refused.facts.uid);
    same && !own && access::refused_at_top(attached, top, true).is_some()
}

fn finding(exam: &Exam<'_>, attached: &Attached, top: &Probed, all: &[Found<'_>], first: &Found<'_>) -> Finding {
    let refused = &first.refused;
    let who = exam
        .who
        .get(refused.at)
        .map(|runs| runs.identity.clone())
        .unwrap_or_default();
    let refusal = Refusal {
        attached,
        path: refused.path,
        who: &who,
        facts: refused.facts,
        tried: refused.tried,
        exact: refused.tried.barred.is_none(),
        around: &top.owners,
        errnos: refused.errnos,
    };
    let mut verdict = causes::of(exam, &refusal);
    // What lies behind the barrier is right, or nobody has to own it: the way is all that is missing.
    let beyond = refused.beyond.is_some_and(|facts| may::may(&who, facts, READ));
    if beyond && matches!(verdict.cause, Cause::Ownership | Cause::UidChanged | Cause::Group) {
        verdict = way(exam, &refusal);
    }
    let others: Vec<&Found<'_>> = all.iter().filter(|one| one.refused.path != refused.path).collect();
    if let Fix::Chown { change, .. } = &verdict.fix {
        verdict.fix = owners(exam, attached, refused, &others, change);
    }
    let mut finding = access::found(exam, &refusal, refused.at, verdict, Confidence::High);
    if first.missing && refused.tried.barred.is_none() {
        let path = first.complaint.path.as_deref().unwrap_or_default();
        finding.evidence.push(format!(
            "{} is not there; this is its nearest directory",
            words::path(path)
        ));
    }
    let shown = others.iter().take(SHOWN).map(|one| {
        let inside = Exam::inside(attached, one.refused.path);
        words::stands(&inside, one.refused.facts, "")
    });
    finding.evidence.extend(shown);
    finding.evidence.push(first.complaint.evidence());
    finding
        .evidence
        .extend(others.iter().take(1).map(|one| one.complaint.evidence()));
    finding.evidence.extend(exam.fate());
    finding
}

/// A directory that bars the way to what is right.
fn way(exam: &Exam<'_>, refusal: &Refusal<'_>) -> Verdict {
    let facts = refusal.facts;
    let change = Change {
        mode: Some(ModeChange {
            dir_set: 0o001,
            ..ModeChange::default()
        }),
        ..Change::default()
    };
    let fix = lines::chmod(exam, refusal.attached, refusal.path, change, "o+x".to_owned());
    let because = format!(
        "it belongs to {}:{} with mode {:04o} and bars the way to what lies beneath",
        facts.uid,
        facts.gid,
        facts.mode & 0o7777
    );
    let mut verdict = Verdict::new(Cause::Traverse, because, fix);
    verdict
        .wrong
        .push("chown: what lies beneath is right, only the way to it is missing".to_owned());
    verdict
}

/// A change of owners of just what was refused: one entry, or all entries of the one owner.
fn owners(exam: &Exam<'_>, attached: &Attached, first: &Refused<'_>, others: &[&Found<'_>], change: &Change) -> Fix {
    let one_owner = others.iter().all(|one| one.refused.facts.uid == first.facts.uid);
    let mut change = change.clone();
    if !others.is_empty() && one_owner {
        change.from_uid = Some(first.facts.uid);
        change.recursive = true;
        return lines::chown(exam, attached, &[], change);
    }
    if first.facts.kind != Kind::Dir {
        change.from_uid = None;
        change.recursive = false;
    }
    lines::chown(exam, attached, first.path, change)
}
