//! Directories above a mount, inside the container, that its processes cannot pass.

use vole_agent::proto::own::{Change, ModeChange};
use vole_agent::proto::probe::Identity;

use super::access::{Suspected, refusals};
use super::evidence::Attached;
use super::exam::Exam;
use super::finding::{Cause, Confidence, Fix};
use super::may::{self, ENTER};
use super::named::facts;
use super::{lines, words};
use crate::engine::daemon::PathIn;
use crate::model::{ContainerState, MountKind};
use crate::text;

fn passes(who: &Identity, path: &PathIn) -> bool {
    path.link.is_some() || may::may(who, &facts(path), ENTER)
}

/// The first directory above a mount that a process cannot pass.
pub(super) fn barred(exam: &Exam<'_>, attached: &Attached) -> Option<Suspected> {
    let (at, runs, (path, there)) = exam.who.iter().enumerate().find_map(|(at, runs)| {
        let bar = attached
            .above
            .iter()
            .find(|(_, there)| !passes(&runs.identity, there))?;
        Some((at, runs, bar))
    })?;
    let named = refusals(exam, attached);
    let all = exam
        .who
        .iter()
        .all(|runs| attached.above.iter().any(|(_, there)| !passes(&runs.identity, there)));
    let bind = attached.mount.kind == MountKind::Bind;
    let (confidence, only_failing) = match (named.is_empty(), all) {
        (false, _) => (Confidence::High, false),
        (true, false) => return None,
        (true, true) if exam.fails() => (
            Confidence::High,
            bind && exam.log_speaks() && exam.pathless().next().is_none(),
        ),
        (true, true) if bind => return None,
        (true, true) => (Confidence::Medium, false),
    };
    let shown = text::printable_str(path);
    let user = words::user(&runs.identity);
    let inside = Exam::inside(attached, &[]);
    let summary = format!(
        "{} runs as {user} and cannot reach {inside}: {shown} is of {}:{} with mode {:04o}",
        exam.name(),
        there.uid,
        there.gid,
        there.mode & 0o7777
    );
    let mut finding = exam.finding_on(attached, Cause::Traverse, confidence, summary, fix(exam, path));
    finding.path = Some(shown.clone());
    finding.evidence.push(words::runs(runs));
    finding.evidence.push(words::stands(&shown, &facts(there), ""));
    finding
        .evidence
        .push(format!("entering {shown} as {user}: EACCES by its mode"));
    finding.evidence.extend(named.iter().take(2).map(|one| one.evidence()));
    finding.evidence.extend(exam.fate());
    finding
        .caveats
        .push("a change in the container is lost when it is created anew: make the image's directory right".to_owned());
    let tried = attached.tried.as_ref().ok().and_then(|tried| tried.get(at));
    if tried.is_some_and(|probed| super::access::refused_at_top(attached, probed, false).is_some()) {
        finding.caveats.push(format!(
            "{inside} itself refuses {user} too: look again after this is mended"
        ));
    }
    finding
        .wrong_fixes
        .push(format!("chown of {inside}: it is never reached"));
    Some((finding, only_failing))
}

/// A chmod of the directory, where it lies.
fn fix(exam: &Exam<'_>, path: &str) -> Fix {
    if let Some((mount, rest)) = exam.holder(path.as_bytes()) {
        let change = Change {
            mode: Some(ModeChange {
                dir_set: 0o001,
                ..ModeChange::default()
            }),
            ..Change::default()
        };
        return lines::chmod(exam, mount, rest, change, "o+x".to_owned());
    }
    let path = lines::shell(path);
    Fix::Host {
        command: match exam.case.state {
            ContainerState::Running => format!(
                "{} exec --user 0 {} chmod o+x {path}",
                exam.case.flavour().word(),
                lines::shell(&exam.case.container.name)
            ),
            _ => format!("RUN chmod o+x {path}"),
        },
    }
}
