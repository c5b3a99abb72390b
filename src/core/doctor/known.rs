//! What the last diagnosis says of each mount, until the next one. Knows no screen.

use std::sync::Arc;

use time::OffsetDateTime;

use crate::doctor::{Confidence, Finding};
use crate::model::MountId;
use crate::ops::doctor::{Report, Scope};

/// The findings that stand.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known {
    /// When the last diagnosis ended; `None` before the first.
    pub at: Option<OffsetDateTime>,
    findings: Vec<Arc<Finding>>,
}

impl Known {
    /// Takes what a diagnosis came to. One that looked at some mounts or containers alone says nothing of the others.
    pub fn take(&mut self, scope: &Scope, report: &Report, at: OffsetDateTime) {
        self.at = Some(at);
        let looked_at = |finding: &Finding| {
            let mount = finding.mount.as_ref().is_some_and(|(id, _)| scope.mounts.contains(id));
            let container = finding.container.as_ref();
            scope.is_everything() || mount || container.is_some_and(|name| scope.containers.contains(name))
        };
        self.findings.retain(|finding| !looked_at(finding));
        for finding in &report.findings {
            if !self.findings.iter().any(|known| **known == *finding) {
                self.findings.push(Arc::new(finding.clone()));
            }
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.findings.len()
    }

    /// Those about a mount.
    pub fn of<'a>(&'a self, mount: &'a MountId) -> impl Iterator<Item = &'a Finding> {
        let about = move |finding: &&Arc<Finding>| finding.mount.as_ref().is_some_and(|(id, _)| id == mount);
        self.findings.iter().filter(about).map(AsRef::as_ref)
    }

    /// The surest about a mount; `None` when there is none.
    pub fn surest(&self, mount: &MountId) -> Option<Confidence> {
        self.of(mount).map(|finding| finding.confidence).max()
    }
}
