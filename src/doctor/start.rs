//! Starts that fail: mounts that cannot be mounted, programs that cannot be executed, rights that an entrypoint misses.

use vole_agent::proto::Kind;
use vole_agent::proto::own::{Change, ModeChange};

use super::complaints::Complaint;
use super::evidence::{Attached, Untried};
use super::exam::Exam;
use super::finding::{Cause, Confidence, Finding, Fix};
use super::signatures::Means;
use super::words::{self, Errno};
use super::{access, backing, exact, lines, named};
use crate::model::bind_device;
use crate::text;

/// Words by which engines say that a mount failed.
const MOUNTING: [&str; 9] = [
    "error while mounting volume",
    "failed to mount",
    "error mounting",
    "bind source path does not exist",
    "error while creating mount source path",
    "error evaluating symlinks from mount source",
    "mount a directory onto a file",
    "statfs",
    "mounting volume",
];

/// Mounts that cannot be mounted.
pub(super) fn mounts(exam: &Exam<'_>) -> Vec<Finding> {
    let error = match exam.case.state.is_live() {
        true => "",
        false => exam.case.run.error.as_str(),
    };
    let lower = error.to_ascii_lowercase();
    let failed = MOUNTING.iter().any(|words| lower.contains(words));
    let mut findings: Vec<Finding> = Vec::new();
    for attached in &exam.case.mounts {
        let names = failed && names(error, attached);
        match &attached.tried {
            Err(Untried::MountFailed(why)) => findings.push(unmountable(exam, attached, why)),
            _ if names => findings.push(unmountable(exam, attached, error)),
            _ => {}
        }
    }
    if failed && findings.is_empty() {
        let summary = format!("the engine cannot start {}: a mount fails", exam.name());
        let mut finding = exam.finding(Cause::MountFailed, Confidence::High, summary, advice(error));
        finding.evidence.push(said(error));
        findings.push(finding);
    }
    findings
}

/// Whether an engine's sentence names a mount.
fn names(error: &str, attached: &Attached) -> bool {
    let mount = &attached.mount;
    let device = bind_device(&mount.driver, &mount.options);
    let whole = |name: &str| {
        let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || "_.-".contains(c));
        name.len() > 1
            && error
                .match_indices(name)
                .any(|(at, name)| ends(&error[at + name.len()..]))
    };
    [Some(mount.name.as_str()), device, mount.host_path.as_deref()]
        .into_iter()
        .flatten()
        .any(whole)
}

fn said(error: &str) -> String {
    format!(
        "the engine says \u{201c}{}\u{201d}",
        text::fit(&text::printable_str(error.trim()), 300, "…")
    )
}

fn advice(error: &str) -> Fix {
    let words = if error.contains("read-only file system") {
        "the engine may not make that path (a snap sees little of the host): move the source below the home directory, or \
         install the engine without snap"
    } else if error.contains("onto a file") || error.contains("not a directory") {
        "one side is a file and the other a directory: make the source what the destination is"
    } else {
        "look at the mount's source and options: the engine cannot mount it as they stand"
    };
    Fix::Advice {
        words: words.to_owned(),
    }
}

fn unmountable(exam: &Exam<'_>, attached: &Attached, why: &str) -> Finding {
    let mount = &attached.mount;
    let device = bind_device(&mount.driver, &mount.options);
    let source = device.or_else(|| (mount.kind == crate::model::MountKind::Bind).then_some(mount.name.as_str()));
    let missing = why.to_ascii_lowercase().contains("no such file or directory") || why.contains("does not exist");
    let fix = match source.filter(|_| missing) {
        Some(source) => Fix::Host {
            command: format!("sudo mkdir -p {}", lines::shell(source)),
        },
        None => advice(why),
    };
    let shown = text::printable_str(&mount.name);
    let summary = match source.filter(|_| missing) {
        Some(source) => format!(
            "{shown} cannot be mounted for {}: {} is not on the host",
            exam.name(),
            text::printable_str(source)
        ),
        None => format!("{shown} cannot be mounted for {}", exam.name()),
    };
    let mut finding = exam.finding_on(attached, Cause::MountFailed, Confidence::High, summary, fix);
    finding.evidence.push(said(why));
    if let Some(device) = device {
        finding
            .evidence
            .push(format!("option device={}", text::printable_str(device)));
        if missing {
            finding.caveats.push(format!(
                "or make the volume anew with the device that is meant: an empty {} may not be what belongs there",
                text::printable_str(device)
            ));
        }
    }
    finding
        .wrong_fixes
        .push("chown: there is nothing to be changed yet".to_owned());
    finding
}

/// Capabilities that complaints of an entrypoint show to be missing.
pub(super) fn lost(exam: &Exam<'_>) -> Vec<&'static str> {
    if !exam.starts_as_root() {
        return Vec::new();
    }
    let mut names = Vec::new();
    for one in &exam.complaints {
        let needed: &[&'static str] = match (one.means, one.tool.as_deref()) {
            (Means::Privileges, _) => &["SETGID", "SETUID"],
            (_, Some("chown")) => &["CHOWN"],
            (_, Some("chmod")) => &["FOWNER"],
            (_, Some("find")) => &["DAC_OVERRIDE"],
            _ => &[],
        };
        let refused = matches!(one.errno, Errno::Access | Errno::Perm);
        names.extend(needed.iter().filter(|name| refused && !exam.has(name)));
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// Capabilities that the entrypoint of a failing container misses.
pub(super) fn capabilities(exam: &Exam<'_>) -> Option<Finding> {
    let names = lost(exam);
    if names.is_empty() || !exam.fails() {
        return None;
    }
    let summary = format!(
        "{} starts as root without {}, and its entrypoint needs that",
        exam.name(),
        names.join(", ")
    );
    let mut finding = exam.finding(Cause::Capabilities, Confidence::High, summary, lines::cap_add(&names));
    finding.evidence.extend(exam.who.first().map(words::runs));
    finding.evidence.push(format!(
        "dropped: {}",
        text::printable_str(&exam.case.run.cap_drop.join(" "))
    ));
    let speaking = exam.complaints.iter().filter(|one| one.tool.is_some());
    finding.evidence.extend(speaking.take(3).map(Complaint::evidence));
    finding.evidence.extend(exam.fate());
    if let Some((uid, gid)) = exam.image.and_then(super::images::Image::user) {
        finding.caveats.push(format!(
            "or start it as its own user: user: \"{uid}:{gid}\" / --user {uid}:{gid}, with data that is its own"
        ));
    }
    finding
        .wrong_fixes
        .push("chown: the entrypoint lacks rights, the data has its owner".to_owned());
    finding
        .wrong_fixes
        .push("privileged: true: gives every right where a few are missing".to_owned());
    Some(finding)
}

/// Programs that could not be executed, and working directories that could not be entered.
pub(super) fn program(exam: &Exam<'_>) -> Option<Finding> {
    if !exam.fails() {
        return None;
    }
    let one = exam
        .complaints
        .iter()
        .find(|one| matches!(one.means, Means::Exec | Means::Workdir))?;
    let path = one.path.as_deref()?;
    let shown = text::printable(path);
    let held = exam.holder(path);
    if one.means == Means::Workdir {
        // One on a mount is told by what was tried there; of one that never ran nobody else tells that.
        let mut refused = held.map(|(mount, _)| access::on(exam, mount)).unwrap_or_default();
        if !refused.is_empty() {
            return exam.never_ran().then(|| refused.swap_remove(0).0);
        }
        let fix = Fix::Host {
            command: format!("RUN chmod a+rx {}", lines::shell(&shown)),
        };
        let summary = format!("{} may not enter its working directory {shown}", exam.name());
        return Some(told(exam, one, Cause::Traverse, summary, fix));
    }
    match held {
        Some((mount, rest)) => Some(on_mount(exam, one, mount, rest)),
        None => Some(in_image(exam, one, &shown)),
    }
}

/// A program on a mount that cannot be executed.
fn on_mount(exam: &Exam<'_>, one: &Complaint, mount: &Attached, rest: &[u8]) -> Finding {
    if let Some(barred) = exact::barred(exam, mount, one) {
        return barred;
    }
    let trial = named::trial(mount, rest);
    let facts = trial.filter(|trial| trial.exists).and_then(|trial| trial.facts());
    let noexec = mount.file_system.as_ref().is_some_and(|facts| facts.noexec);
    let (why, fix) = if noexec {
        let words = format!(
            "mount {} with exec: its file system is mounted noexec",
            text::printable_str(&mount.mount.name)
        );
        ("its file system is mounted noexec", Fix::Advice { words })
    } else if facts.is_some_and(|facts| facts.kind == Kind::Dir) {
        ("it is a directory", program_meant())
    } else {
        let fix = lines::chmod(exam, mount, rest, executable(), "a+x".to_owned());
        ("it lacks the permission to be executed", fix)
    };
    let shown = Exam::inside(mount, rest);
    let summary = format!("{} cannot execute {shown}: {why}", exam.name());
    let mut finding = told(exam, one, Cause::Exec, summary, fix);
    finding.mount = Some((mount.mount.id.clone(), mount.mount.name.clone()));
    match facts {
        Some(facts) => finding
            .evidence
            .insert(1, words::stands(&shown, facts, backing::file_system(mount))),
        None => finding.confidence = Confidence::Medium,
    }
    not_owners(finding)
}

/// A program of the image that cannot be executed.
fn in_image(exam: &Exam<'_>, one: &Complaint, shown: &str) -> Finding {
    let barred = named::inner(exam, one).and_then(|inner| Some((inner, named::bar(exam, inner, one)?)));
    if let Some((inner, bar)) = barred.filter(|(_, bar)| bar.on_the_way) {
        let directory = text::printable_str(bar.path);
        let fix = Fix::Host {
            command: format!("RUN chmod a+x {}", lines::shell(&directory)),
        };
        let summary = format!("{} cannot reach {shown}: {directory} cannot be passed", exam.name());
        let mut finding = told(exam, one, Cause::Traverse, summary, fix);
        finding.evidence.insert(1, named::stands(inner, bar.path, bar.there));
        return finding;
    }
    let directory = barred.is_some_and(|(_, bar)| bar.there.is_dir);
    let (why, fix) = match directory {
        true => ("it is a directory", program_meant()),
        false => {
            let command = format!("RUN chmod a+x {}", lines::shell(shown));
            ("it lacks the permission to be executed", Fix::Host { command })
        }
    };
    let summary = format!("{} cannot execute {shown}: {why}", exam.name());
    let mut finding = told(exam, one, Cause::Exec, summary, fix);
    match barred {
        Some((inner, bar)) => finding.evidence.insert(1, named::stands(inner, bar.path, bar.there)),
        None => finding.confidence = Confidence::Medium,
    }
    not_owners(finding)
}

fn program_meant() -> Fix {
    Fix::Advice {
        words: "name the program itself as the command or entrypoint".to_owned(),
    }
}

fn not_owners(mut finding: Finding) -> Finding {
    finding
        .wrong_fixes
        .push("chown: who owns a program does not make it executable".to_owned());
    finding
}

fn executable() -> Change {
    Change {
        mode: Some(ModeChange {
            file_set: 0o111,
            dir_set: 0o111,
            ..ModeChange::default()
        }),
        ..Change::default()
    }
}

fn told(exam: &Exam<'_>, one: &Complaint, cause: Cause, summary: String, fix: Fix) -> Finding {
    let mut finding = exam.finding(cause, Confidence::High, summary, fix);
    finding.path = one.path.as_deref().map(text::printable);
    finding.evidence.extend(exam.who.first().map(words::runs));
    finding.evidence.push(one.evidence());
    finding.evidence.extend(exam.fate());
    finding
}
