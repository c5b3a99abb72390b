//! Accesses to mounts that were refused when they were tried: which of them are faults, and what they rest on.

use vole_agent::proto::Kind;
use vole_agent::proto::probe::{Facts, Probed};

use super::causes::{self, Refusal, Verdict};
use super::complaints::Complaint;
use super::evidence::{Attached, Untried};
use super::exam::Exam;
use super::finding::{Cause, Confidence, Finding, Fix};
use super::may::{self, ENTER, WRITE};
use super::signatures::Means;
use super::words::{self, Errno};
use super::{above, backing, beneath, exact, lines};
use crate::model::MountKind;

/// A finding, and whether only the container's failure speaks for it: then a better explanation takes its place.
pub(super) type Suspected = (Finding, bool);

/// What is refused on one mount.
pub(super) fn on(exam: &Exam<'_>, attached: &Attached) -> Vec<Suspected> {
    let tried = match &attached.tried {
        Ok(tried) => tried,
        Err(Untried::MountFailed(_)) => return Vec::new(),
        Err(Untried::NotTried(why)) => return untried(exam, attached, why),
        Err(Untried::NotThere) => return gone(exam, attached),
    };
    if let Some(finding) = above::barred(exam, attached) {
        return vec![finding];
    }
    if let Some(finding) = exact::on(exam, attached, tried) {
        return vec![(finding, false)];
    }
    if let Some(finding) = top(exam, attached, tried) {
        return vec![finding];
    }
    if let Some(finding) = hidden(exam, attached, tried) {
        return vec![(finding, false)];
    }
    beneath::on(exam, attached, tried)
}

/// Complaints about a mount that a refusal of access would explain.
pub(super) fn refusals<'e>(exam: &'e Exam<'_>, attached: &Attached) -> Vec<&'e Complaint> {
    let mut about = exam.about(attached);
    about.retain(|one| is_refusal(one));
    about
}

fn is_refusal(one: &Complaint) -> bool {
    matches!(one.errno, Errno::Access | Errno::Perm)
        && matches!(one.means, Means::Refused | Means::Workdir | Means::OwnerOnly)
}

/// What was refused to one identity at the mount's root; reading and entering a directory, writing where that may be.
pub(super) fn refused_at_top(attached: &Attached, probed: &Probed, named: bool) -> Option<[i32; 3]> {
    if probed.fault.is_some() {
        return None;
    }
    let dir = probed.facts.as_ref().is_none_or(|facts| facts.kind == Kind::Dir);
    let writes = attached.attachment.rw && attached.mount.kind != MountKind::Image;
    let write = if writes || named { probed.write } else { 0 };
    let enter = if dir { probed.enter } else { 0 };
    let errnos = [probed.read, write, enter];
    errnos.iter().any(|errno| *errno != 0).then_some(errnos)
}

/// The root of a mount.
fn top(exam: &Exam<'_>, attached: &Attached, tried: &[Probed]) -> Option<Suspected> {
    let named = refusals(exam, attached);
    let refused: Vec<Option<[i32; 3]>> = tried
        .iter()
        .map(|one| refused_at_top(attached, one, !named.is_empty()))
        .collect();
    let (at, errnos) = refused
        .iter()
        .enumerate()
        .find_map(|(at, errnos)| Some((at, (*errnos)?)))?;
    let (probed, runs) = (tried.get(at)?, exam.who.get(at)?);
    let facts = probed.facts.as_ref()?;
    let by_all = refused.iter().all(Option::is_some);
    let weight = weight(
        exam,
        attached,
        probed,
        &Tops {
            facts,
            errnos,
            by_all,
            named: &named,
        },
    )?;
    let refusal = Refusal {
        attached,
        path: &[],
        who: &runs.identity,
        facts,
        tried: probed,
        exact: true,
        around: &probed.owners,
        errnos,
    };
    let verdict = causes::of(exam, &refusal);
    let mut finding = found(exam, &refusal, at, verdict, weight.0);
    for one in named.iter().take(2) {
        finding.evidence.push(one.evidence());
    }
    if named.is_empty() {
        finding
            .evidence
            .extend(exam.pathless().take(1).map(Complaint::evidence));
    }
    finding.evidence.extend(exam.fate());
    Some((finding, weight.1))
}

/// What is to be weighed about a refusal at the root.
struct Tops<'a> {
    facts: &'a Facts,
    errnos: [i32; 3],
    by_all: bool,
    named: &'a [&'a Complaint],
}

/// How sure it is that a refusal at the root is a fault, and whether only the container's failure says so; `None` when it
/// is none.
fn weight(exam: &Exam<'_>, attached: &Attached, probed: &Probed, tops: &Tops<'_>) -> Option<(Confidence, bool)> {
    if !tops.named.is_empty() {
        return Some((Confidence::High, false));
    }
    if !tops.by_all || tops.facts.kind != Kind::Dir {
        return None;
    }
    let pathless = exam.pathless().next().is_some();
    let reads = tops.errnos[0] != 0 || tops.errnos[2] != 0;
    if attached.mount.kind != MountKind::Bind {
        return match (exam.fails(), pathless) {
            (true, _) if exam.fails_otherwise() && !pathless => Some((Confidence::Medium, false)),
            (true, _) | (_, true) => Some((Confidence::High, false)),
            (false, false) if reads => Some((Confidence::High, false)),
            (false, false) => (!in_use(exam, attached, probed, tops.facts)).then_some((Confidence::Medium, false)),
        };
    }
    let made_by_engine = attached.empty == Some(true) && (tops.facts.uid, tops.facts.gid) == (0, 0);
    if made_by_engine || pathless {
        return Some((
            if exam.fails() {
                Confidence::High
            } else {
                Confidence::Medium
            },
            false,
        ));
    }
    // A log that speaks of something else explains the failure better than a directory that nobody may write to.
    let unexplained = exam.fails() && !exam.fails_otherwise() && (reads || !exam.log_speaks());
    unexplained.then_some((Confidence::Medium, true))
}

/// Whether a volume is written to all the same: by somebody else, or by this one somewhere beneath.
fn in_use(exam: &Exam<'_>, attached: &Attached, probed: &Probed, facts: &Facts) -> bool {
    let by_others = attached
        .others
        .iter()
        .any(|(_, who)| may::may(who, facts, WRITE | ENTER));
    let own = |uid: u32| exam.who.iter().any(|runs| runs.identity.uid == uid);
    by_others || probed.sampled > probed.denied && probed.owners.iter().any(|one| own(one.uid))
}

/// A finding with its evidence on who, what and how; what the log says follows.
pub(super) fn found(
    exam: &Exam<'_>,
    refusal: &Refusal<'_>,
    at: usize,
    verdict: Verdict,
    confidence: Confidence,
) -> Finding {
    let attached = refusal.attached;
    let inside = Exam::inside(attached, refusal.path);
    let user = words::user(refusal.who);
    let summary = format!(
        "{} runs as {user} and may not {} {inside}: {}",
        exam.name(),
        refusal.verb(),
        verdict.because
    );
    let mut finding = exam.finding_on(attached, verdict.cause, confidence, summary, verdict.fix);
    finding.path = Some(inside.clone());
    finding.caveats = verdict.caveats;
    finding.wrong_fixes = verdict.wrong;
    if finding.fix.kind() == "chown" && super::remap::is_mapped(&exam.case.about, &exam.case.run) {
        finding.caveats.push(format!(
            "the engine shifts users (userns-remap): the command has the host's numbers for {user}"
        ));
    }
    finding.evidence.extend(exam.who.get(at).map(words::runs));
    finding
        .evidence
        .push(words::stands(&inside, refusal.facts, backing::file_system(attached)));
    let tried = format!(
        "tried as {user}: reading {}, writing {}, entering {}",
        words::outcome(refusal.errnos[0]),
        words::outcome(refusal.errnos[1]),
        words::outcome(refusal.errnos[2])
    );
    let root = match refusal.exact {
        true => format!("; writing as root: {}", words::outcome(refusal.tried.write_as_root)),
        false => String::new(),
    };
    finding.evidence.push(format!("{tried}{root}"));
    if refusal.tried.owners.len() > 1 {
        finding.evidence.push(words::owners(&refusal.tried.owners));
    }
    if !attached.attachment.rw {
        finding
            .caveats
            .push("the mount is attached read-only besides".to_owned());
    }
    if let (true, Some(image)) = (exam.starts_as_root(), exam.image.filter(|image| image.heals)) {
        let data = image.data.as_deref().unwrap_or("its data directory");
        let own =
            format!("the image's entrypoint makes {data} its own user's at each start as root, and overrides a chown");
        finding.caveats.push(own);
    }
    finding
}

/// Complaints of a mount where everything that was tried is allowed, and that something else refuses: a label, a share.
fn hidden(exam: &Exam<'_>, attached: &Attached, tried: &[Probed]) -> Option<Finding> {
    // What owner and mode allow may be refused still: that it was allowed when it was tried settles nothing here.
    let allowed = exam.mended.iter().filter(|one| {
        let here = exam.mount_of(one).is_some_and(|mount| std::ptr::eq(mount, attached));
        here && is_refusal(one)
    });
    let named: Vec<&Complaint> = refusals(exam, attached).into_iter().chain(allowed).collect();
    let complaint = named.iter().find(|one| one.means != Means::OwnerOnly)?;
    let (probed, runs) = (tried.first()?, exam.who.first()?);
    let facts = probed.facts.as_ref()?;
    let verdict = backing::selinux(exam, attached, facts, complaint.errno == Errno::Access).or_else(|| {
        // Owners are changed there by nobody, whatever an access says.
        let owning = complaint.tool.as_deref() == Some("chown") || complaint.errno == Errno::Perm;
        owning.then(|| backing::cause(exam, attached)).flatten()
    })?;
    let summary = format!(
        "{} was refused {}: {}",
        exam.name(),
        Exam::inside(attached, &[]),
        verdict.because
    );
    let mut finding = exam.finding_on(attached, verdict.cause, Confidence::High, summary, verdict.fix);
    finding.caveats = verdict.caveats;
    finding.wrong_fixes = verdict.wrong;
    finding.evidence.push(words::runs(runs));
    finding.evidence.push(words::stands(
        &Exam::inside(attached, &[]),
        facts,
        backing::file_system(attached),
    ));
    finding.evidence.extend(named.iter().take(2).map(|one| one.evidence()));
    finding.evidence.extend(exam.fate());
    Some(finding)
}

/// A mount on which nothing could be tried, and that something complains of.
fn untried(exam: &Exam<'_>, attached: &Attached, why: &str) -> Vec<Suspected> {
    let named = refusals(exam, attached);
    if named.is_empty() {
        return Vec::new();
    }
    let verdict = backing::cause(exam, attached)
        .or_else(|| socket(exam, attached, &named))
        .unwrap_or_else(|| {
            let words = "look at it where it can be tried (with a helper, or named on the command line)".to_owned();
            Verdict::new(Cause::Unknown, "it could not be tried", Fix::Advice { words })
        });
    let confidence = match verdict.cause {
        Cause::Unknown => Confidence::Low,
        _ => Confidence::Medium,
    };
    let inside = Exam::inside(attached, &[]);
    let summary = format!("{} was refused {inside}: {}", exam.name(), verdict.because);
    let mut finding = exam.finding_on(attached, verdict.cause, confidence, summary, verdict.fix);
    finding.caveats = verdict.caveats;
    finding.wrong_fixes = verdict.wrong;
    finding.evidence.extend(exam.who.iter().take(2).map(words::runs));
    finding
        .evidence
        .push(format!("not tried: {}", crate::text::printable_str(why)));
    finding.evidence.extend(named.iter().take(2).map(|one| one.evidence()));
    vec![(finding, false)]
}

/// A socket of the host's: who may use it is told by its group, and nobody tries it.
fn socket(exam: &Exam<'_>, attached: &Attached, named: &[&Complaint]) -> Option<Verdict> {
    named.iter().find(|one| one.tool.as_deref() == Some("socket"))?;
    let path = backing::host_path(attached, &[]).filter(|_| exam.who.iter().any(|runs| runs.identity.uid != 0))?;
    let fix = Fix::Config {
        compose: "group_add: [\"GID\"]".to_owned(),
        cli: format!("--group-add $(stat -c %g {})", lines::shell(&path)),
    };
    let mut verdict = Verdict::new(
        Cause::Group,
        "a socket is for its owner and its group, and the process is in neither",
        fix,
    );
    verdict
        .caveats
        .push("whoever may use an engine's socket is root on its host".to_owned());
    verdict
        .wrong
        .push("chmod 666: everybody on the host could use it".to_owned());
    Some(verdict)
}

/// A tmpfs of a container that does not run: what its log says is all that is left.
fn gone(exam: &Exam<'_>, attached: &Attached) -> Vec<Suspected> {
    let named = refusals(exam, attached);
    let Some(runs) = exam.who.iter().find(|runs| runs.identity.uid != 0).or(exam.who.first()) else {
        return Vec::new();
    };
    let Some(verdict) = backing::tmpfs(attached, &runs.identity).filter(|_| !named.is_empty()) else {
        return Vec::new();
    };
    let inside = Exam::inside(attached, &[]);
    let summary = format!(
        "{} runs as {} and was refused {inside}: {}",
        exam.name(),
        words::user(&runs.identity),
        verdict.because
    );
    let mut finding = exam.finding_on(attached, verdict.cause, Confidence::Medium, summary, verdict.fix);
    finding.caveats = verdict.caveats;
    finding.wrong_fixes = verdict.wrong;
    finding.evidence.push(words::runs(runs));
    finding.evidence.extend(named.iter().take(2).map(|one| one.evidence()));
    finding.evidence.extend(exam.fate());
    vec![(finding, false)]
}
