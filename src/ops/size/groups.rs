//! Which subjects share a helper, and how the news of one helper's subjects are folded. Asks nobody.

use std::sync::Arc;

use time::OffsetDateTime;
use vole_agent::proto::{Totals, UsageItem};

use super::{Outcome, SizeNews, Subject};
use crate::engine::Target;
use crate::fingerprint::{Rules, Told};
use crate::model::size::Measured;
use crate::model::{BytePath, Contents, Scan, Size, Source};
use crate::text;

/// Mounts of the first helper on an engine elsewhere, where each volume is a mount of its own: few, so that the first
/// numbers come early.
const FIRST: usize = 100;
/// Mounts of every further helper.
const MOST: usize = 1000;

/// Who is measured where.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Subjects by helper.
    pub(super) helpers: Vec<Vec<Subject>>,
    /// Subjects that are not measured, and why.
    pub(super) skipped: Vec<(Subject, String)>,
}

/// Decides who shares a helper. `same_host` is whether the engine's volumes can be mounted all at once.
pub(super) fn plan(subjects: Vec<Subject>, same_host: bool) -> Plan {
    let mut plan = Plan::default();
    let (mut shared, mut own) = (Vec::new(), Vec::new());
    for subject in subjects {
        match &subject.mount.scan {
            Scan::Shared => shared.push(subject),
            Scan::Alone | Scan::InContainer(_) => own.push(vec![subject]),
            Scan::OnDemand(_) if subject.asked => own.push(vec![subject]),
            Scan::OnDemand(why) => {
                let why = format!("{why}; measured only when asked");
                plan.skipped.push((subject, why));
            }
            Scan::Never(why) => {
                let why = why.clone();
                plan.skipped.push((subject, why));
            }
        }
    }
    let first = if same_host { MOST } else { FIRST };
    let rest = shared.split_off(shared.len().min(first));
    plan.helpers
        .extend([shared].into_iter().filter(|group| !group.is_empty()));
    plan.helpers.extend(rest.chunks(MOST).map(<[Subject]>::to_vec));
    plan.helpers.extend(own);
    plan
}

/// Subjects in one helper, and how each ended.
pub(super) struct Group {
    pub(super) subjects: Vec<Subject>,
    settled: Vec<bool>,
    /// Who counts.
    pub(super) source: Source,
    pub(super) outcome: Outcome,
    rules: Arc<Rules>,
}

impl Group {
    pub(super) fn new(subjects: Vec<Subject>, rules: Arc<Rules>) -> Self {
        let settled = vec![false; subjects.len()];
        Self {
            subjects,
            settled,
            source: Source::Agent,
            outcome: Outcome::default(),
            rules,
        }
    }

    /// What to mount.
    pub(super) fn targets(&self) -> Result<Vec<Target>, String> {
        self.subjects.iter().map(|subject| Target::of(&subject.mount)).collect()
    }

    /// The subjects without last news.
    pub(super) fn unsettled(&self) -> Vec<usize> {
        (0..self.subjects.len()).filter(|at| !self.settled[*at]).collect()
    }

    /// Makes the last news of a subject.
    pub(super) fn settle(&mut self, at: usize, size: Size) -> SizeNews {
        self.settled[at] = true;
        match size {
            Size::Measured(_) => self.outcome.measured += 1,
            Size::Failed(_) => self.outcome.failed += 1,
            Size::Unknown(_) | Size::Measuring { .. } => self.outcome.skipped += 1,
        }
        self.subjects[at].news(size)
    }

    /// What a subject looks like; `None` for a part of a mount, which says little of the whole.
    fn contents(&self, at: usize, told: &Told) -> Option<Contents> {
        let subject = &self.subjects[at];
        subject
            .path
            .is_root()
            .then(|| self.rules.contents(&subject.mount, told))
    }

    /// Makes news of what an agent says; `owners` are the subjects of its places.
    pub(super) fn fold(&mut self, item: UsageItem, owners: &[usize], now: OffsetDateTime) -> Option<SizeNews> {
        let place = match &item {
            UsageItem::Progress { place, .. }
            | UsageItem::Dir { place, .. }
            | UsageItem::Complete { place, .. }
            | UsageItem::Failed { place, .. } => *place,
        };
        // A place that was not asked for is an agent's mistake: there is no row that it could belong to.
        let at = *owners.get(usize::try_from(place).ok()?)?;
        if self.settled[at] {
            return None;
        }
        let source = self.source;
        let measured = |totals: Totals, contents: Option<Contents>| {
            Size::Measured(Measured {
                totals: totals.into(),
                at: now,
                source,
                contents,
            })
        };
        match item {
            UsageItem::Progress { totals, .. } => Some(self.subjects[at].news(Size::Measuring {
                so_far: totals,
                before: None,
            })),
            UsageItem::Dir { path, .. } if path.is_empty() => None,
            UsageItem::Dir { path, totals, .. } => {
                let path = below(&self.subjects[at].path, &path);
                Some(SizeNews {
                    path,
                    ..self.subjects[at].news(measured(totals, None))
                })
            }
            UsageItem::Complete {
                totals,
                other_fs,
                faults,
                seen,
                stray,
                ..
            } => {
                let told = Told {
                    seen,
                    stray,
                    files: totals.files,
                    errors: totals.errors,
                    other_fs,
                };
                let contents = self.contents(at, &told);
                Some(SizeNews {
                    faults,
                    ..self.settle(at, measured(totals, contents))
                })
            }
            UsageItem::Failed { fault, .. } => Some(self.settle(at, Size::Failed(text::fault(&fault)))),
        }
    }
}

/// A path below another.
fn below(top: &BytePath, path: &[u8]) -> BytePath {
    path.split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty())
        .fold(top.clone(), |at, part| at.join(part))
}
