//! Programs that may use their data and still want more: to own it, or fewer permission bits on it.

use vole_agent::proto::Kind;
use vole_agent::proto::own::{Change, ModeChange};
use vole_agent::proto::probe::{Facts, Probed, cap};

use super::access::Suspected;
use super::causes::Verdict;
use super::complaints::Complaint;
use super::evidence::{Attached, Runs};
use super::exam::Exam;
use super::finding::{Cause, Confidence};
use super::signatures::Means;
use super::{backing, lines, named, words};

/// Bits that PostgreSQL allows others: none; its group may read.
const TOO_MUCH: u32 = 0o027;

/// What programs want of a mount on which no access is refused.
pub(super) fn on(exam: &Exam<'_>, attached: &Attached) -> Option<Suspected> {
    let tried = attached.tried.as_ref().ok()?;
    let about = exam.about(attached);
    let of = |means: Means| about.iter().copied().find(|one| one.means == means);
    // The process that is no root is the one that the program drops to.
    let (at, runs) = exam
        .who
        .iter()
        .enumerate()
        .rfind(|(_, runs)| runs.identity.uid != 0)
        .or(exam.who.iter().enumerate().next())?;
    let probed = tried.get(at)?;
    let top = probed.facts.as_ref()?;
    let (verdict, complaint) = if let Some(one) = of(Means::Mode).filter(|_| top.mode & TOO_MUCH != 0) {
        (too_open(exam, attached, top), one)
    } else if let Some(one) = of(Means::Owner).filter(|_| top.uid != runs.identity.uid) {
        (not_owner(exam, attached, runs, probed, top), one)
    } else {
        let one = of(Means::OwnerOnly).or_else(|| pathless_owner_only(exam, attached))?;
        let facts = entry(exam, attached, one, probed).unwrap_or(top);
        if facts.uid == runs.identity.uid || runs.identity.caps & cap::FOWNER != 0 {
            return None;
        }
        let path = entry_path(exam, one).filter(|_| facts != top && top.uid == runs.identity.uid);
        (
            owner_only(exam, attached, runs, probed, facts, path.unwrap_or_default()),
            one,
        )
    };
    let inside = Exam::inside(attached, &[]);
    let summary = format!(
        "{} runs as {} and {}",
        exam.name(),
        words::user(&runs.identity),
        verdict.because
    );
    let confidence = if exam.fails() || complaint.path.is_some() {
        Confidence::High
    } else {
        Confidence::Medium
    };
    let mut finding = exam.finding_on(attached, verdict.cause, confidence, summary, verdict.fix);
    finding.caveats = verdict.caveats;
    finding.wrong_fixes = verdict.wrong;
    finding.evidence.push(words::runs(runs));
    finding
        .evidence
        .push(words::stands(&inside, top, backing::file_system(attached)));
    finding.evidence.push(complaint.evidence());
    finding.evidence.extend(exam.fate());
    Some((finding, false))
}

/// A complaint without a path concerns the only mount that belongs to somebody else.
fn pathless_owner_only<'e>(exam: &'e Exam<'_>, attached: &Attached) -> Option<&'e Complaint> {
    let uid = exam.who.first()?.identity.uid;
    let foreign = |one: &&Attached| {
        let top = one.tried.as_ref().ok().and_then(|tried| tried.first()?.facts.as_ref());
        top.is_some_and(|facts| facts.uid != uid)
    };
    let mut mounts = exam.case.mounts.iter().filter(foreign);
    let only = mounts.next().filter(|_| mounts.next().is_none())?;
    if !std::ptr::eq(only, attached) {
        return None;
    }
    exam.pathless().find(|one| one.means == Means::OwnerOnly)
}

/// What is known of the entry that a complaint names.
fn entry<'p>(exam: &Exam<'_>, attached: &'p Attached, complaint: &Complaint, probed: &'p Probed) -> Option<&'p Facts> {
    let (_, rest) = exam.holder(complaint.path.as_deref()?)?;
    if let Some(facts) = named::trial(attached, rest)
        .filter(|trial| trial.exists)
        .and_then(|trial| trial.facts())
    {
        return Some(facts);
    }
    let found = probed.denials.iter().find(|denied| denied.path == rest);
    found.map(|denied| &denied.facts)
}

/// The path on the mount that a complaint names.
fn entry_path<'c>(exam: &Exam<'_>, complaint: &'c Complaint) -> Option<&'c [u8]> {
    exam.holder(complaint.path.as_deref()?).map(|(_, rest)| rest)
}

fn too_open(exam: &Exam<'_>, attached: &Attached, top: &Facts) -> Verdict {
    let because = format!(
        "wants {} for itself: the mode {:04o} lets others in",
        Exam::inside(attached, &[]),
        top.mode & 0o7777
    );
    let change = Change {
        mode: Some(ModeChange {
            dir_clear: 0o077,
            dir_set: 0o700,
            ..ModeChange::default()
        }),
        ..Change::default()
    };
    let fix = lines::chmod(exam, attached, &[], change, "u=rwx,go=".to_owned());
    let mut verdict = Verdict::new(Cause::Mode, because, fix);
    verdict.wrong.push("chmod 777: that is what it complains of".to_owned());
    verdict
        .wrong
        .push("chown: the owner is not what it complains of".to_owned());
    verdict
}

fn change(runs: &Runs, probed: &Probed, owner: u32) -> Change {
    let third = probed
        .owners
        .iter()
        .any(|one| one.uid != runs.identity.uid && one.uid != owner);
    Change {
        uid: Some(runs.identity.uid),
        gid: Some(runs.identity.gid),
        from_uid: third.then_some(owner),
        recursive: true,
        ..Change::default()
    }
}

fn not_owner(exam: &Exam<'_>, attached: &Attached, runs: &Runs, probed: &Probed, top: &Facts) -> Verdict {
    if let Some(verdict) = backing::cause(exam, attached) {
        let because = format!("wants to own {}: {}", Exam::inside(attached, &[]), verdict.because);
        return Verdict { because, ..verdict };
    }
    let because = format!(
        "wants to own {}, which belongs to {}:{}",
        Exam::inside(attached, &[]),
        top.uid,
        top.gid
    );
    let one_owner = probed.owners.iter().all(|one| one.uid == top.uid);
    let cause = if top.uid != 0 && one_owner {
        Cause::UidChanged
    } else {
        Cause::Ownership
    };
    let fix = lines::chown(exam, attached, &[], change(runs, probed, top.uid));
    let mut verdict = Verdict::new(cause, because, fix);
    verdict
        .wrong
        .push("chmod 777: it asks for the owner, not for bits".to_owned());
    verdict
}

fn owner_only(
    exam: &Exam<'_>,
    attached: &Attached,
    runs: &Runs,
    probed: &Probed,
    facts: &Facts,
    path: &[u8],
) -> Verdict {
    if let Some(verdict) = backing::cause(exam, attached) {
        let because = format!(
            "does in {} what only the owner may: {}",
            Exam::inside(attached, &[]),
            verdict.because
        );
        return Verdict { because, ..verdict };
    }
    let mut change = change(runs, probed, facts.uid);
    if !path.is_empty() && facts.kind != Kind::Dir {
        (change.from_uid, change.recursive) = (None, false);
    }
    let because = format!(
        "does in {} what only the owner may (change modes or times, O_NOATIME); it belongs to {}:{}",
        Exam::inside(attached, path),
        facts.uid,
        facts.gid
    );
    let fix = lines::chown(exam, attached, path, change);
    let mut verdict = Verdict::new(Cause::OwnerOnly, because, fix);
    verdict
        .wrong
        .push("chmod 777: only the owner may do this, whatever the bits".to_owned());
    verdict
}
