//! The plan screen's state: what a removal would do, what of it is chosen, what came of it. Knows the plan as plain
//! data, no engine; what it lists is computed when something changes, never when drawing.

mod choice;
mod lines;
mod pane;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use time::OffsetDateTime;

pub use choice::{Toggled, Wanted};
pub use lines::{At, Line, Section, Sum};
pub use pane::pane;

use super::input::Input;
use crate::engine::EngineError;
use crate::model::{JobId, Mount, MountId, VolumeName};
use crate::ops::list::Inventory;
use crate::ops::prune::{Event, Filter, Outcome, Plan, Row, Scope, Step, Stopped};

/// How far a plan is.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// It waits for the end of a measurement, a diagnosis or a change: their helpers make volumes count as used.
    Waiting,
    /// Its evidence is gathered.
    Gathering(Step),
    /// It could not be made; why.
    Failed(EngineError),
    /// It can be read and chosen from.
    Ready,
    /// What was chosen is being removed, as this job.
    Removing(JobId),
    /// It was carried out, and is not used again.
    Used,
}

/// A plan on screen.
#[derive(Debug, Clone, PartialEq)]
pub struct Review {
    /// What it is made for.
    pub scope: Scope,
    /// How far it is.
    pub stage: Stage,
    /// Whether something that it names changed since it was made.
    pub outdated: bool,
    /// The fuzzy filter.
    pub filter: Input,
    /// Whether keys go to the filter.
    pub typing: bool,
    /// Whether keys that move go to the pane.
    pub pane_focused: bool,
    /// First line shown in the pane.
    pub pane_top: usize,
    /// Tells the answer that is awaited from earlier ones.
    ask: u64,
    /// The plan; while another one is made, the one before it.
    plan: Option<Arc<Plan>>,
    chosen: BTreeSet<VolumeName>,
    /// Safe rows that were let go: no later plan chooses them unasked.
    declined: BTreeSet<VolumeName>,
    sum: (u64, usize),
    /// Whether safe rows that are new in the plan to come are chosen unasked.
    eager: bool,
    outcomes: Outcomes,
    unfolded: bool,
    lines: Vec<Line>,
    cursor: Option<At>,
    at: usize,
    top: usize,
    height: usize,
}

/// What came of a plan so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Outcomes {
    volumes: BTreeMap<VolumeName, Outcome>,
    containers: BTreeMap<String, Outcome>,
}

/// How much of a plan is carried out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Objects that are gone.
    pub removed: usize,
    /// Objects that were left alone.
    pub refused: usize,
    /// Bytes freed, as far as they were measured.
    pub freed: u64,
}

impl Review {
    /// A plan that is asked for.
    pub fn new(scope: Scope, ask: u64) -> Self {
        // Who names a volume wants to see it, also when it is used.
        let unfolded = matches!(scope, Scope::Named { .. });
        Self {
            scope,
            stage: Stage::Waiting,
            outdated: false,
            filter: Input::default(),
            typing: false,
            pane_focused: false,
            pane_top: 0,
            ask,
            plan: None,
            chosen: BTreeSet::new(),
            declined: BTreeSet::new(),
            sum: (0, 0),
            eager: true,
            outcomes: Outcomes::default(),
            unfolded,
            lines: Vec::new(),
            cursor: None,
            at: 0,
            top: 0,
            height: 0,
        }
    }

    /// Asks again, for this scope. What was chosen stays chosen as far as it is the same; `eager` tells whether safe
    /// rows that the plan before did not have are chosen unasked.
    pub fn again(&mut self, scope: Scope, ask: u64, eager: bool) {
        // A plan that was carried out says nothing of what is wanted next.
        if self.stage == Stage::Used {
            self.plan = None;
            self.chosen.clear();
            self.declined.clear();
            self.outcomes = Outcomes::default();
        }
        self.eager = eager || self.plan.is_none();
        self.scope = scope;
        self.ask = ask;
        self.stage = Stage::Waiting;
        self.outdated = false;
    }

    /// The answer that is awaited.
    pub fn ask(&self) -> u64 {
        self.ask
    }

    /// The gathering begins, or moved; `false` when that is news of an earlier one.
    pub fn gathering(&mut self, ask: u64, step: Step) -> bool {
        let awaited = self.ask == ask && matches!(self.stage, Stage::Waiting | Stage::Gathering(_));
        if awaited {
            self.stage = Stage::Gathering(step);
        }
        awaited
    }

    /// Takes the plan; `false` when it answers an earlier question.
    pub fn planned(&mut self, ask: u64, result: Result<Arc<Plan>, EngineError>) -> bool {
        if self.ask != ask || !matches!(self.stage, Stage::Waiting | Stage::Gathering(_)) {
            return false;
        }
        match result {
            Ok(plan) => {
                self.chosen = choice::carried(self.plan.as_deref(), &self.chosen, &plan, self.eager);
                let declined = &self.declined;
                self.chosen.retain(|name| !declined.contains(name));
                self.plan = Some(plan);
                self.stage = Stage::Ready;
                self.count();
            }
            Err(error) => self.stage = Stage::Failed(error),
        }
        self.arrange();
        true
    }

    /// Whether no measurement may run beside it: helpers would make volumes count as used.
    pub fn is_busy(&self) -> bool {
        matches!(self.stage, Stage::Waiting | Stage::Gathering(_) | Stage::Removing(_))
    }

    /// The plan on screen; `None` while there is none to read.
    pub fn plan(&self) -> Option<&Arc<Plan>> {
        match self.stage {
            Stage::Ready | Stage::Removing(_) | Stage::Used => self.plan.as_ref(),
            Stage::Waiting | Stage::Gathering(_) | Stage::Failed(_) => None,
        }
    }

    /// Which leftovers it looks at; `None` for a plan over named volumes.
    pub fn looks_at(&self) -> Option<&Filter> {
        match &self.scope {
            Scope::Orphans(filter) => Some(filter),
            Scope::Named { .. } => None,
        }
    }

    /// The removal begins, as this job.
    pub fn begin(&mut self, job: JobId) {
        self.stage = Stage::Removing(job);
    }

    /// Takes what came of some objects.
    pub fn removed(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::Container(name, outcome) => drop(self.outcomes.containers.insert(name, outcome)),
                Event::Volume(name, outcome) => drop(self.outcomes.volumes.insert(name, outcome)),
            }
        }
    }

    /// What came of a volume, if anything yet.
    pub fn outcome(&self, row: &Row) -> Option<&Outcome> {
        self.outcomes.volumes.get(&row.name())
    }

    /// What came of a container, if anything yet.
    pub fn container_outcome(&self, stopped: &Stopped) -> Option<&Outcome> {
        self.outcomes.containers.get(&stopped.name)
    }

    /// How much is carried out.
    pub fn done(&self) -> Done {
        let mut done = Done::default();
        for outcome in self.outcomes.volumes.values().chain(self.outcomes.containers.values()) {
            match outcome {
                Outcome::Removed(bytes) => {
                    done.removed += 1;
                    done.freed = done.freed.saturating_add(bytes.unwrap_or(0));
                }
                Outcome::Refused(_) => done.refused += 1,
            }
        }
        done
    }

    /// Compares the plan with a new list; each row is looked at again right before its removal in any case.
    pub fn compare(&mut self, inventory: &Inventory) {
        let Some(plan) = self.plan.as_ref().filter(|_| self.stage == Stage::Ready) else {
            return;
        };
        let listed: BTreeMap<&MountId, &Arc<Mount>> = inventory.mounts.iter().map(|mount| (&mount.id, mount)).collect();
        // The plan sees its volumes as they will be without the containers that go first.
        let going: BTreeSet<&str> = self.taken().map(|stopped| stopped.id.as_str()).collect();
        let same = |row: &Row| {
            let now = listed.get(&row.mount.id);
            now.is_some_and(|now| is_same(&row.mount, now, &going))
        };
        let same = plan.rows.iter().all(same);
        self.outdated |= !same;
    }

    /// The row under the cursor.
    pub fn current(&self) -> Option<&Row> {
        match self.lines.get(self.at)? {
            Line::Volume(place) => self.plan()?.rows.get(*place),
            _ => None,
        }
    }

    /// The container under the cursor.
    pub fn current_container(&self) -> Option<&Stopped> {
        match self.lines.get(self.at)? {
            Line::Container(place) => self.plan()?.containers.get(*place),
            _ => None,
        }
    }

    /// What the operator copies here: the hint, or else the name.
    pub fn copied(&self) -> Option<String> {
        if let Some(row) = self.current() {
            return Some(row.hint.clone().unwrap_or_else(|| row.mount.name.clone()));
        }
        self.current_container().map(|stopped| stopped.name.clone())
    }

    /// When it was made.
    pub fn made(&self) -> Option<OffsetDateTime> {
        self.plan().map(|plan| plan.at)
    }
}

/// Whether a volume is as the plan saw it: the same one, used by the same containers or by none.
fn is_same(then: &Mount, now: &Mount, going: &BTreeSet<&str>) -> bool {
    fn users<'a>(mount: &'a Mount, going: &BTreeSet<&str>) -> BTreeSet<&'a str> {
        let ids = mount
            .attachments
            .iter()
            .map(|attachment| attachment.container_id.as_str());
        ids.filter(|id| !going.contains(id)).collect()
    }
    let held = now
        .attachments
        .iter()
        .any(|attachment| going.contains(attachment.container_id.as_str()));
    then.created == now.created && (held || then.orphan == now.orphan) && users(then, going) == users(now, going)
}
