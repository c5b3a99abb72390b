//! What of a plan is chosen: safe rows at first, others only by their name, used ones never. Knows no keys.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{At, Line, Review, Stage};
use crate::model::VolumeName;
use crate::ops::prune::{Group, Plan, Row, Scope, Stopped};

/// What the operator has to type, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What is taken along.
    pub of: At,
    /// The exact text. Hostile.
    pub name: String,
    /// Why it is asked.
    pub reason: String,
}

/// What toggling came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Toggled {
    /// It was chosen, or is no longer.
    Changed,
    /// Its name has to be typed first.
    Type(Wanted),
    /// It cannot be chosen: why.
    Cannot(String),
    /// It is no longer taken along, or is: plan again for this scope.
    Again(Scope),
    /// There is nothing to toggle.
    Nothing,
}

impl Review {
    /// Volumes that are chosen.
    pub fn chosen(&self) -> &BTreeSet<VolumeName> {
        &self.chosen
    }

    /// Bytes that the chosen free, and how many of them nobody could measure.
    pub fn sum(&self) -> (u64, usize) {
        self.sum
    }

    /// Whether a volume is chosen.
    pub fn is_chosen(&self, row: &Row) -> bool {
        self.chosen.contains(&row.name())
    }

    /// Containers that go before the volumes.
    pub fn taken(&self) -> impl Iterator<Item = &Stopped> {
        let all = self.plan().map(|plan| plan.containers.as_slice()).unwrap_or_default();
        all.iter().filter(|stopped| stopped.chosen)
    }

    /// Whether there is something to remove.
    pub fn has_chosen(&self) -> bool {
        self.stage == Stage::Ready && (!self.chosen.is_empty() || self.taken().any(|one| one.blocked.is_none()))
    }

    /// Toggles what is under the cursor.
    pub fn toggle(&mut self) -> Toggled {
        if self.stage != Stage::Ready {
            return Toggled::Nothing;
        }
        let toggled = match self.lines.get(self.at) {
            Some(Line::Volume(_)) => self.toggle_volume(),
            Some(Line::Container(_)) => self.toggle_container(),
            _ => Toggled::Nothing,
        };
        if toggled == Toggled::Changed {
            self.count();
            self.step(1);
        }
        toggled
    }

    fn toggle_volume(&mut self) -> Toggled {
        let Some(row) = self.current() else {
            return Toggled::Nothing;
        };
        let name = row.name();
        if row.blocked {
            return Toggled::Cannot(format!("{name} cannot be removed: {}", row.reason));
        }
        let safe = row.group == Group::Safe;
        if self.chosen.contains(&name) {
            self.chosen.remove(&name);
            self.declined.insert(name);
        } else if safe {
            self.declined.remove(&name);
            self.chosen.insert(name);
        } else {
            return Toggled::Type(Wanted {
                of: At::Volume(name),
                name: row.typed_name().to_owned(),
                reason: row.reason.clone(),
            });
        }
        Toggled::Changed
    }

    fn toggle_container(&self) -> Toggled {
        let Some(stopped) = self.current_container() else {
            return Toggled::Nothing;
        };
        if stopped.chosen {
            let others = self.taken().filter(|other| other.id != stopped.id);
            let others = others.map(|other| other.id.clone()).collect();
            return Toggled::Again(self.named(others, &[]));
        }
        if let Some(why) = &stopped.blocked {
            return Toggled::Cannot(format!("{} cannot be removed: {why}", stopped.name));
        }
        let freed = match stopped.frees.as_slice() {
            [] => "it frees no volume".to_owned(),
            names => format!("it frees {}", names.join(", ")),
        };
        Toggled::Type(Wanted {
            of: At::Container(stopped.id.clone()),
            name: stopped.name.clone(),
            reason: format!("a container that does not run; {freed}"),
        })
    }

    /// Takes along what a name was typed for.
    pub fn take(&mut self, of: &At) -> Toggled {
        if self.stage != Stage::Ready {
            return Toggled::Nothing;
        }
        match of {
            At::Volume(name) => {
                let there = self.plan().and_then(|plan| plan.row(name));
                if there.is_none_or(|row| row.blocked) {
                    return Toggled::Nothing;
                }
                self.declined.remove(name);
                self.chosen.insert(name.clone());
                self.count();
                self.step(1);
                Toggled::Changed
            }
            At::Container(id) => {
                let stopped = self
                    .plan()
                    .and_then(|plan| plan.containers.iter().find(|one| one.id == *id));
                let frees = stopped.map(|stopped| stopped.frees.clone()).unwrap_or_default();
                let taken = self.taken().map(|other| other.id.clone());
                let containers = taken.chain([id.clone()]).collect();
                Toggled::Again(self.named(containers, &frees))
            }
            At::Fold => Toggled::Nothing,
        }
    }

    /// The scope of what is on screen and can be chosen, with these containers before it.
    fn named(&self, containers: Vec<String>, freed: &[String]) -> Scope {
        let rows = self.plan().map(|plan| plan.rows.as_slice()).unwrap_or_default();
        let asked: &[VolumeName] = match &self.scope {
            Scope::Named { volumes, .. } => volumes,
            Scope::Orphans(_) => &[],
        };
        let open = rows.iter().filter(|row| !row.blocked).map(Row::name);
        let all: BTreeSet<VolumeName> = open
            .chain(asked.iter().cloned())
            .chain(freed.iter().map(|name| VolumeName::new(name.as_str())))
            .collect();
        Scope::Named {
            volumes: all.into_iter().collect(),
            containers,
        }
    }

    pub(super) fn count(&mut self) {
        let plan = self.plan.as_ref().map(Arc::clone);
        self.sum = plan.map_or((0, 0), |plan| plan.freed(&self.chosen));
    }
}

/// What of a new plan is chosen, by what was chosen of the one before. A row that is not safe stays chosen only when it
/// is what its name was typed for: the same volume, for the same reason.
pub(super) fn carried(
    before: Option<&Plan>,
    chosen: &BTreeSet<VolumeName>,
    plan: &Plan,
    eager: bool,
) -> BTreeSet<VolumeName> {
    let keeps = |row: &Row| {
        let was = chosen.contains(&row.name());
        let old = before.and_then(|before| before.row(&row.name()));
        match (row.group, old) {
            _ if row.blocked => false,
            (Group::Safe, Some(old)) if old.group == Group::Safe => was,
            (Group::Safe, _) => was || eager,
            (_, Some(old)) => {
                was && old.group != Group::Safe && old.mount.created == row.mount.created && old.reason == row.reason
            }
            (_, None) => false,
        }
    };
    plan.rows.iter().filter(|row| keeps(row)).map(Row::name).collect()
}
