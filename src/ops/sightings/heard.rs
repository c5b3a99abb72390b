//! What events told of containers and volumes since the last list: containers that come and go between two lists
//! are known from these alone. Knows no file.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use time::OffsetDateTime;

use super::{Use, clipped};
use crate::engine::daemon::EngineEvent;
use crate::model::Mount;
use crate::ops::list::Inventory;

/// Containers whose names are remembered, and uses that wait for a list; the oldest go first, or all.
const REMEMBERED: usize = 4096;

/// Events, as far as they tell who used what.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    /// By container id.
    names: HashMap<String, Told>,
    order: VecDeque<String>,
    /// When a container was heard to run last, by its id.
    ran: HashMap<String, OffsetDateTime>,
    /// When containers mounted or let go of a volume last, by its name and their ids.
    mounted: HashMap<String, HashMap<String, OffsetDateTime>>,
    /// Volumes by their names, as the last list showed them that had a container attached; by the container's id. What
    /// is told of a container may come when no list shows it any more.
    shown: HashMap<String, HashMap<String, Arc<Mount>>>,
}

#[derive(Debug, Clone)]
struct Told {
    name: String,
    image: String,
}

impl Heard {
    /// Takes a batch of events, which has no order.
    pub fn hear(&mut self, events: &[EngineEvent], at: OffsetDateTime) {
        if self.ran.len() + self.mounted.len() > REMEMBERED {
            // No list came for long: what waits is not worth more memory.
            self.ran.clear();
            self.mounted.clear();
        }
        for event in events {
            match event {
                EngineEvent::Container {
                    id,
                    action,
                    name,
                    image,
                } => {
                    self.name(id, name.as_deref(), image.as_deref());
                    if shows_running(action) {
                        self.ran.insert(id.clone(), at);
                    }
                }
                EngineEvent::Volume {
                    name,
                    action,
                    container: Some(container),
                } if matches!(action.as_str(), "mount" | "unmount") => {
                    let of_volume = self.mounted.entry(name.clone()).or_default();
                    of_volume.insert(container.clone(), at);
                }
                EngineEvent::Volume { .. } => {}
            }
        }
        for event in events {
            // Another volume may have the name by now.
            if let EngineEvent::Volume { name, action, .. } = event
                && matches!(action.as_str(), "destroy" | "remove")
            {
                self.mounted.remove(name);
                self.shown.remove(name);
            }
        }
    }

    /// Events were lost: volumes may have been made anew unheard.
    pub fn lost(&mut self) {
        self.mounted.clear();
    }

    /// Forgets what a list has answered. What it does not show came after it, and waits for the next. What it shows is
    /// remembered, for the events of its containers may come later.
    pub fn settle(&mut self, inventory: &Inventory) {
        if self.shown.values().map(HashMap::len).sum::<usize>() > REMEMBERED {
            self.shown.clear();
        }
        let volumes = inventory.mounts.iter().filter(|mount| mount.kind.is_volume());
        for mount in volumes {
            self.mounted.remove(&mount.name);
            if mount.attachments.is_empty() {
                continue;
            }
            let of_volume = self.shown.entry(mount.name.clone()).or_default();
            for attachment in &mount.attachments {
                of_volume.insert(attachment.container_id.clone(), Arc::clone(mount));
            }
        }
        let attachments = inventory.mounts.iter().flat_map(|mount| &mount.attachments);
        let shown: HashSet<&str> = attachments.map(|one| one.container_id.as_str()).collect();
        self.ran.retain(|id, _| !shown.contains(id.as_str()));
    }

    /// When a container was heard to run last.
    pub(super) fn ran(&self, container: &str) -> Option<OffsetDateTime> {
        self.ran.get(container).copied()
    }

    /// The last use of a volume that an event told of. A container that nobody named is left out: it may be a helper
    /// of another vole, of whose making this one did not hear.
    pub(super) fn mounted(&self, mount: &Mount) -> Option<Use> {
        let by = self.mounted.get(&mount.name)?.iter();
        let uses = by.filter_map(|(id, at)| self.by(mount, id, *at));
        last(uses)
    }

    /// The last use of a volume by a container that a list showed attached to it and that was heard to run, then or later.
    pub(super) fn attached(&self, mount: &Mount) -> Option<Use> {
        let shown = self.shown.get(&mount.name)?.iter();
        let uses = shown.filter_map(|(id, was)| {
            let at = self.ran(id).filter(|_| was.created == mount.created)?;
            let attachment = was.attachments.iter().find(|one| one.container_id == *id)?;
            Some(Use::of(was, attachment, at))
        });
        last(uses)
    }

    fn by(&self, mount: &Mount, id: &str, at: OffsetDateTime) -> Option<Use> {
        if let Some(attachment) = mount.attachments.iter().find(|one| one.container_id == id) {
            return Some(Use::of(mount, attachment, at));
        }
        let told = self.names.get(id)?;
        Some(Use {
            container_id: clipped(id),
            container: told.name.clone(),
            image: told.image.clone(),
            project: None,
            service: None,
            destination: None,
            rw: None,
            at,
        })
    }

    fn name(&mut self, id: &str, name: Option<&str>, image: Option<&str>) {
        let Some(name) = name else { return };
        let told = Told {
            name: clipped(name),
            image: clipped(image.unwrap_or_default()),
        };
        if self.names.insert(id.to_owned(), told).is_some() {
            return;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.names.remove(&oldest);
        }
    }
}

/// The last use; of equals the first by the container's name.
fn last(uses: impl Iterator<Item = Use>) -> Option<Use> {
    uses.max_by(|a, b| (a.at, &b.container).cmp(&(b.at, &a.container)))
}

/// Whether a container's event means that it ran at that time, or until then.
fn shows_running(action: &str) -> bool {
    matches!(
        action,
        "start" | "restart" | "die" | "died" | "stop" | "kill" | "pause" | "unpause" | "oom" | "restore"
    )
}
