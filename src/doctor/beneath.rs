//! Entries deep in a mount that are refused although its root is right: files that somebody else left there.

use vole_agent::proto::Kind;
use vole_agent::proto::own::Change;
use vole_agent::proto::probe::{Denied, Identity, Probed};

use super::access::{self, Suspected, refusals};
use super::causes::{self, Refusal};
use super::complaints::Complaint;
use super::evidence::Attached;
use super::exam::Exam;
use super::finding::{Confidence, Fix};
use super::lines;
use super::words::{self, Errno};

/// Entries that are shown.
const SHOWN: usize = 3;

/// What is refused beneath the root of a mount.
pub(super) fn on(exam: &Exam<'_>, attached: &Attached, tried: &[Probed]) -> Vec<Suspected> {
    let named = refusals(exam, attached);
    for (at, probed) in tried.iter().enumerate() {
        let Some(runs) = exam.who.get(at) else { continue };
        let writes = attached.attachment.rw;
        let faults: Vec<&Denied> = probed
            .denials
            .iter()
            .filter(|denied| is_entry(denied))
            .filter(|denied| {
                complaint(exam, &named, denied).is_some()
                    || writes && is_foreign(&runs.identity, probed, denied) && by_all(tried, denied)
            })
            .collect();
        if let Some(first) = faults.first() {
            return vec![(finding(exam, attached, probed, at, first, &faults, &named), false)];
        }
    }
    Vec::new()
}

/// Whether it is something that is read and written.
fn is_entry(denied: &Denied) -> bool {
    let name = denied.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    matches!(denied.facts.kind, Kind::File | Kind::Dir) && name != b"lost+found"
}

/// Refused in every way, and somebody else's where the rest is the process's own.
fn is_foreign(who: &Identity, probed: &Probed, denied: &Denied) -> bool {
    let rest = probed.owners.first().is_some_and(|most| most.uid == who.uid);
    denied.read != 0 && denied.write != 0 && denied.facts.uid != who.uid && rest
}

/// Whether every identity was refused it.
fn by_all(tried: &[Probed], denied: &Denied) -> bool {
    let refused = |probed: &Probed| probed.denials.iter().any(|one| one.path == denied.path);
    tried.iter().all(refused)
}

/// The complaint about an entry, or about what lies in it.
fn complaint<'c>(exam: &Exam<'_>, named: &[&'c Complaint], denied: &Denied) -> Option<&'c Complaint> {
    let about = |one: &&&Complaint| {
        let path = one.path.as_deref().and_then(|path| exam.holder(path));
        path.is_some_and(|(_, rest)| super::complaints::within(rest, &denied.path).is_some())
    };
    named.iter().find(about).copied()
}

fn finding(
    exam: &Exam<'_>,
    attached: &Attached,
    probed: &Probed,
    at: usize,
    first: &Denied,
    faults: &[&Denied],
    named: &[&Complaint],
) -> super::Finding {
    let who = exam.who.get(at).map(|runs| runs.identity.clone()).unwrap_or_default();
    let write = if attached.attachment.rw { first.write } else { 0 };
    let refusal = Refusal {
        attached,
        path: &first.path,
        who: &who,
        facts: &first.facts,
        tried: probed,
        exact: false,
        around: &probed.owners,
        errnos: [first.read, write, 0],
    };
    let mut verdict = causes::of(exam, &refusal);
    let one_owner = faults.iter().all(|denied| denied.facts.uid == first.facts.uid);
    if let Fix::Chown { .. } = verdict.fix {
        let alone = faults.len() == 1 && probed.denied <= 1;
        let change = Change {
            uid: Some(who.uid),
            gid: Some(who.gid),
            from_uid: one_owner.then_some(first.facts.uid).filter(|_| !alone),
            recursive: !alone || first.facts.kind == Kind::Dir,
            ..Change::default()
        };
        let path = if alone || !one_owner {
            first.path.as_slice()
        } else {
            &[]
        };
        verdict.fix = lines::chown(exam, attached, path, change);
    }
    let complains = faults.iter().any(|denied| complaint(exam, named, denied).is_some());
    let confidence = if complains || exam.fails() {
        Confidence::High
    } else {
        Confidence::Medium
    };
    let mut finding = access::found(exam, &refusal, at, verdict, confidence);
    let shown = faults.iter().skip(1).take(SHOWN).map(|denied| {
        let inside = Exam::inside(attached, &denied.path);
        words::stands(&inside, &denied.facts, "")
    });
    finding.evidence.extend(shown);
    finding.evidence.push(format!(
        "the root of the mount is right; {} of {}{} entries looked at beneath are refused",
        probed.denied,
        probed.sampled,
        if probed.whole { "" } else { " (not all)" }
    ));
    let quoted = named
        .iter()
        .filter(|one| matches!(one.errno, Errno::Access | Errno::Perm));
    finding.evidence.extend(quoted.take(2).map(|one| one.evidence()));
    finding.evidence.extend(exam.fate());
    finding
}
