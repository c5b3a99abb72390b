//! One examination: the case, what its log complains of, and how the container fares. Gives the rules their common
//! questions; judges nothing itself.

use super::complaints::{self, Complaint};
use super::evidence::{Attached, Case, Runs, Who};
use super::finding::{Cause, Confidence, Finding, Fix};
use super::images::{self, Image};
use super::signatures::Means;
use super::{mended, named, words};
use crate::model::{ContainerState, MountKind};
use crate::text;

/// Exit codes of being stopped from outside (SIGINT, SIGKILL, SIGTERM), of which nothing follows.
const STOPPED: [i64; 3] = [130, 137, 143];
/// A container that was restarted and runs no longer than this is taken for one that crashes again and again.
const SETTLED: time::Duration = time::Duration::minutes(2);

/// A case with what was read out of it.
#[derive(Debug)]
pub(super) struct Exam<'a> {
    /// The case.
    pub(super) case: &'a Case,
    /// Who its processes are; empty when unknown.
    pub(super) who: &'a [Runs],
    /// What the log and the engine complain of, and is so still as far as that could be tried.
    pub(super) complaints: Vec<Complaint>,
    /// Complaints about what was mended since: all identities may do it now.
    pub(super) mended: Vec<Complaint>,
    /// What is known of its image by name.
    pub(super) image: Option<&'static Image>,
}

impl<'a> Exam<'a> {
    /// Reads a case.
    pub(super) fn new(case: &'a Case) -> Self {
        let who = match &case.who {
            Who::Known(runs) => runs.as_slice(),
            Who::Unknown(_) => &[],
        };
        let mut exam = Self {
            case,
            who,
            complaints: Vec::new(),
            mended: Vec::new(),
            image: images::known(&case.container.image),
        };
        let all = complaints::of(case);
        (exam.mended, exam.complaints) = all.into_iter().partition(|one| mended::is(&exam, one));
        exam
    }

    /// Whether it never ran.
    pub(super) fn never_ran(&self) -> bool {
        self.case.state == ContainerState::Created
    }

    /// Whether it fails: ended with an error of its own, or starts again and again.
    pub(super) fn fails(&self) -> bool {
        let run = &self.case.run;
        let failed = run.exit_code.is_some_and(|code| code != 0 && !STOPPED.contains(&code));
        match &self.case.state {
            ContainerState::Restarting => true,
            // Docker leaves one whose program could not be executed as it was made.
            ContainerState::Created => !run.error.is_empty(),
            ContainerState::Exited | ContainerState::Dead => failed || !run.error.is_empty(),
            ContainerState::Running => {
                run.restarts > 0 && run.started.is_some_and(|started| self.case.at - started < SETTLED)
            }
            _ => false,
        }
    }

    /// Whether its failure has another explanation than a refusal: memory, a missing program, a crash.
    pub(super) fn fails_otherwise(&self) -> bool {
        let run = &self.case.run;
        run.oom_killed
            || run
                .exit_code
                .is_some_and(|code| matches!(code, 125..=127 | 132..=136 | 139))
    }

    /// Whether the log was read and says something.
    pub(super) fn log_speaks(&self) -> bool {
        let said = |line: &Vec<u8>| !line.trim_ascii().is_empty();
        self.case.log.as_ref().is_ok_and(|lines| lines.iter().any(said))
    }

    /// Complaints about what lies on a mount, and no other mount above it.
    pub(super) fn about(&self, attached: &Attached) -> Vec<&Complaint> {
        let here = |one: &&Complaint| self.mount_of(one).is_some_and(|mount| std::ptr::eq(mount, attached));
        self.complaints.iter().filter(here).collect()
    }

    /// Complaints of refusals without a path.
    pub(super) fn pathless(&self) -> impl Iterator<Item = &Complaint> {
        let plain = |one: &&Complaint| one.path.is_none() && matches!(one.means, Means::Refused | Means::OwnerOnly);
        self.complaints.iter().filter(plain)
    }

    /// The mount that a complaint's path lies on.
    pub(super) fn mount_of(&self, complaint: &Complaint) -> Option<&'a Attached> {
        self.holder(complaint.path.as_deref()?).map(|(mount, _)| mount)
    }

    /// The mount that holds a path of the container, and the path in it.
    pub(super) fn holder<'p>(&self, path: &'p [u8]) -> Option<(&'a Attached, &'p [u8])> {
        let (at, rest) = named::holder(self.case, path)?;
        Some((self.case.mounts.get(at)?, rest))
    }

    /// Whether it has a capability, by what it was started with.
    pub(super) fn has(&self, capability: &str) -> bool {
        let run = &self.case.run;
        let named = |list: &[String], name: &str| {
            let bare = |one: &String| one.trim_start_matches("CAP_").eq_ignore_ascii_case(name);
            list.iter().any(bare)
        };
        if run.privileged || named(&run.cap_add, capability) {
            return true;
        }
        !named(&run.cap_drop, capability) && (!named(&run.cap_drop, "ALL") || named(&run.cap_add, "ALL"))
    }

    /// Whether it starts as root.
    pub(super) fn starts_as_root(&self) -> bool {
        let user = self.case.run.user.split(':').next().unwrap_or_default();
        matches!(user, "" | "0" | "root")
    }

    /// How it ended, as evidence.
    pub(super) fn fate(&self) -> Option<String> {
        let run = &self.case.run;
        let code = run.exit_code.filter(|code| *code != 0);
        let restarts = match run.restarts {
            0 => String::new(),
            1 => ", restarted once".to_owned(),
            n => format!(", restarted {n} times"),
        };
        match code {
            Some(code) => Some(format!("it is {}, exit code {code}{restarts}", self.case.state.word())),
            None if run.restarts > 0 => Some(format!("it is {}{restarts}", self.case.state.word())),
            None => None,
        }
    }

    /// A finding on this container, to be filled in.
    pub(super) fn finding(&self, cause: Cause, confidence: Confidence, summary: String, fix: Fix) -> Finding {
        Finding {
            cause,
            container: Some(self.case.container.name.clone()),
            mount: None,
            path: None,
            summary,
            evidence: Vec::new(),
            confidence,
            fix,
            counted: None,
            caveats: Vec::new(),
            wrong_fixes: Vec::new(),
        }
    }

    /// A finding on one of its mounts, to be filled in.
    pub(super) fn finding_on(
        &self,
        attached: &Attached,
        cause: Cause,
        confidence: Confidence,
        summary: String,
        fix: Fix,
    ) -> Finding {
        Finding {
            mount: Some((attached.mount.id.clone(), attached.mount.name.clone())),
            path: Some(text::printable_str(&attached.attachment.destination)),
            ..self.finding(cause, confidence, summary, fix)
        }
    }

    /// The container's name, harmless.
    pub(super) fn name(&self) -> String {
        text::printable_str(&self.case.container.name)
    }

    /// A path of a mount as the container sees it.
    pub(super) fn inside(attached: &Attached, path: &[u8]) -> String {
        let destination = attached.attachment.destination.trim_end_matches('/');
        match path {
            [] if destination.is_empty() => "/".to_owned(),
            [] => words::path(destination.as_bytes()),
            path => format!("{}/{}", words::path(destination.as_bytes()), words::path(path)),
        }
    }
}

/// Whether owners of what lies there can be changed for good: a volume, or a path of the host.
pub(super) fn is_lasting(attached: &Attached) -> bool {
    !matches!(attached.mount.kind, MountKind::Tmpfs | MountKind::Image)
}
