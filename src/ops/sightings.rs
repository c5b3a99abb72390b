//! Who used a volume last, as far as vole saw it: kept on disk, because engines forget a container with its removal.
//! Whatever is wrong with the file, nothing is known, and that is at most a warning. Knows no screen.

mod heard;
mod words;

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

pub use heard::Heard;

use super::list::Inventory;
use crate::engine::contexts::Environment;
use crate::model::{Attachment, EngineId, Mount, MountId};
use crate::store;

/// The file within an engine's state directory.
const FILE: &str = "sightings.json";
/// The format's version; a file of another one is not read.
const VERSION: u32 = 1;
/// Larger files are neither read nor written, in bytes.
const LARGEST: u64 = 16 << 20;
/// Volumes remembered; those seen longest ago go first.
const MOST: usize = 20_000;
/// The same container seen again so soon is no news: a list that is asked for often is not written often.
const NEWS: Duration = Duration::minutes(10);
/// How long a volume is remembered that no list shows, when no list proves it gone either.
const UNPROVEN: Duration = Duration::days(400);
/// A time so far ahead is a wrong clock's, and would outrank all that is seen from now on.
const AHEAD: Duration = Duration::days(1);
/// Characters kept of a name.
const TEXT: usize = 256;

/// One container's use of a volume. Its texts are hostile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// The container's full id.
    pub container_id: String,
    /// Its name.
    pub container: String,
    /// The image as it named it; empty when that was not told.
    #[serde(default)]
    pub image: String,
    /// The project that the volume belonged to then. It may be known from its containers alone.
    #[serde(default)]
    pub project: Option<String>,
    /// The container's compose service.
    #[serde(default)]
    pub service: Option<String>,
    /// Where it was mounted; `None` when only an event told of it.
    #[serde(default)]
    pub destination: Option<String>,
    /// Whether the container could write; `None` when only an event told of it.
    #[serde(default)]
    pub rw: Option<bool>,
    /// When it was seen last.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// What is known of who used one volume last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The container that was seen running with it last.
    #[serde(default)]
    pub used: Option<Use>,
    /// A container that was seen attached since then, but never running.
    #[serde(default)]
    pub attached: Option<Use>,
}

/// The sightings of one engine's volumes.
#[derive(Debug, Clone, Default)]
pub struct Sightings {
    file: Option<PathBuf>,
    rows: HashMap<MountId, Row>,
    /// What changed since the file was read.
    noted: HashSet<MountId>,
    /// What was forgotten since, and when it had been seen.
    gone: HashMap<MountId, Option<OffsetDateTime>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Row {
    id: MountId,
    /// When the volume was made: one that was made anew under the same name does not inherit.
    #[serde(with = "time::serde::rfc3339::option", default)]
    created: Option<OffsetDateTime>,
    seen: Sighting,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    version: u32,
    volumes: Vec<Row>,
}

impl Use {
    fn of(mount: &Mount, attachment: &Attachment, at: OffsetDateTime) -> Self {
        Self {
            container_id: clipped(&attachment.container_id),
            container: clipped(&attachment.container),
            image: clipped(&attachment.image),
            project: mount.project.as_deref().map(clipped),
            service: attachment.service.as_deref().map(clipped),
            destination: Some(clipped(&attachment.destination)),
            rw: Some(attachment.rw),
            at,
        }
    }

    /// Whether this says more than what is known already.
    fn is_news(&self, known: Option<&Self>) -> bool {
        known.is_none_or(|known| self.container_id != known.container_id || self.at - known.at > NEWS)
    }

    /// With what is known of the same container, where an event told less.
    fn knowing(self, known: Option<Self>) -> Self {
        match known.filter(|known| known.container_id == self.container_id && self.destination.is_none()) {
            Some(known) => Self { at: self.at, ..known },
            None => self,
        }
    }
}

impl Sighting {
    fn newest(&self) -> Option<OffsetDateTime> {
        let both = [&self.used, &self.attached];
        both.into_iter().flatten().map(|one| one.at).max()
    }

    /// Takes what is newer.
    fn merge(&mut self, other: &Self) {
        for (own, other) in [(&mut self.used, &other.used), (&mut self.attached, &other.attached)] {
            if own.as_ref().map(|one| one.at) < other.as_ref().map(|one| one.at) {
                own.clone_from(other);
            }
        }
        self.settle();
    }

    /// Drops what a later use makes pointless.
    fn settle(&mut self) {
        let (Some(used), Some(attached)) = (&self.used, &self.attached) else {
            return;
        };
        if attached.at <= used.at || attached.container_id == used.container_id {
            self.attached = None;
        }
    }
}

impl Sightings {
    /// Reads an engine's sightings; none when there are none. The demo's are never kept. Blocks on the file system.
    pub fn open(engine: &EngineId, environment: &Environment) -> Self {
        let dir = store::kept_dir(store::state_dir(environment), engine);
        dir.map(|dir| Self::at(&dir)).unwrap_or_default()
    }

    fn at(dir: &Path) -> Self {
        let file = dir.join(FILE);
        // A damaged or foreign file is as good as none, and is replaced at the next save.
        let rows = read(&file).unwrap_or_default();
        Self {
            file: Some(file),
            rows,
            ..Self::default()
        }
    }

    /// Who used a volume last, if it is still the same volume.
    pub fn last(&self, mount: &Mount) -> Option<&Sighting> {
        let row = self.rows.get(&mount.id)?;
        (row.created == mount.created).then_some(&row.seen)
    }

    /// Remembers what a list shows and what was heard before it came. A container that runs, or was heard to run, used
    /// its volumes; one that was never seen running is only attached.
    pub fn note(&mut self, inventory: &Inventory, heard: &Heard, now: OffsetDateTime) {
        for mount in inventory.mounts.iter().filter(|mount| mount.kind.is_volume()) {
            let known = self.last(mount).and_then(|last| last.used.as_ref()).map(|used| used.at);
            // What was heard is kept until a list answers it, and must not come back over a later use.
            let told = [self.went_on(mount, heard), heard.attached(mount), heard.mounted(mount)];
            let told = told.map(|told| told.filter(|told| known.is_none_or(|known| told.at > known)));
            let used = iter::once(mount_uses(mount, heard, now)).chain(told);
            // Of equals the first: the list knows more than an event.
            let used = used.flatten().reduce(later);
            let stopped = mount.attachments.first().filter(|_| used.is_none());
            let attached = stopped.map(|attachment| Use::of(mount, attachment, now));
            self.take(mount, Sighting { used, attached });
        }
    }

    /// A container that was known to use the volume, or to be attached to it, was heard again, and may be gone since.
    fn went_on(&self, mount: &Mount, heard: &Heard) -> Option<Use> {
        let Sighting { used, attached } = self.last(mount)?;
        let heard = [used, attached].into_iter().flatten().filter_map(|known| {
            let at = heard.ran(&known.container_id)?;
            Some(Use { at, ..known.clone() })
        });
        heard.reduce(later)
    }

    fn take(&mut self, mount: &Mount, new: Sighting) {
        // Nothing can be kept, so nothing is: the demo shows no more at its end than at its start.
        if self.file.is_none() {
            return;
        }
        let known = self.rows.get(&mount.id);
        // An engine that did not list the volume this time says nothing of when it was made.
        if mount.created.is_none() && known.is_some_and(|row| row.created.is_some()) {
            return;
        }
        let known = known.filter(|row| row.created == mount.created).map(|row| &row.seen);
        let mut seen = known.cloned().unwrap_or_default();
        if let Some(used) = new.used.filter(|used| used.is_news(seen.used.as_ref())) {
            seen.used = Some(used.knowing(seen.used.take()));
        }
        // A container that ran and is stopped now tells nothing new, and takes no other's place.
        let used_it = |one: &Use| {
            seen.used
                .as_ref()
                .is_some_and(|used| used.container_id == one.container_id)
        };
        let attached = new
            .attached
            .filter(|one| !used_it(one) && one.is_news(seen.attached.as_ref()));
        seen.attached = attached.or(seen.attached.take());
        seen.settle();
        if seen == Sighting::default() || Some(&seen) == known {
            return;
        }
        let (id, created) = (mount.id.clone(), mount.created);
        self.noted.insert(id.clone());
        self.rows.insert(id.clone(), Row { id, created, seen });
    }

    /// Forgets volumes that are gone. An inventory that may be incomplete proves nothing gone; then only those are
    /// forgotten that nothing was seen of for a very long time.
    pub fn prune(&mut self, inventory: &Inventory, now: OffsetDateTime) {
        let proves = inventory.complete && inventory.warnings.is_empty();
        let there: HashMap<&MountId, &Arc<Mount>> = inventory.mounts.iter().map(|mount| (&mount.id, mount)).collect();
        let gone = self.rows.extract_if(|id, row| match there.get(id) {
            Some(mount) => mount.created.is_some() && mount.created != row.created,
            None => proves || row.seen.newest().is_none_or(|newest| now - newest > UNPROVEN),
        });
        self.gone.extend(gone.map(|(id, row)| (id, row.seen.newest())));
        self.noted.retain(|id| self.rows.contains_key(id));
    }

    /// Whether there is anything to save.
    pub fn changed(&self) -> bool {
        !self.noted.is_empty() || !self.gone.is_empty()
    }

    /// Writes what changed into the file as it stands now, for another vole may have written it; of each volume the
    /// newer sighting stays. Blocks on the file system.
    ///
    /// # Errors
    ///
    /// When the file system refuses or is full: worth a warning, no more.
    pub fn save(&mut self) -> io::Result<()> {
        let Some(file) = self.file.as_ref().filter(|_| self.changed()) else {
            return Ok(());
        };
        let mut kept = read(file).unwrap_or_default();
        for (id, newest) in &self.gone {
            if kept.get(id).is_some_and(|row| row.seen.newest() <= *newest) {
                kept.remove(id);
            }
        }
        for ours in self.noted.iter().filter_map(|id| self.rows.get(id)) {
            match kept.get_mut(&ours.id) {
                Some(theirs) if theirs.created == ours.created => theirs.seen.merge(&ours.seen),
                Some(theirs) if theirs.seen.newest() > ours.seen.newest() => {}
                _ => {
                    kept.insert(ours.id.clone(), ours.clone());
                }
            }
        }
        let written = encoded(kept.into_values().collect()).and_then(|(text, rows)| {
            store::replace(file, &text)?;
            Ok(rows)
        });
        let rows = written.map_err(|error| {
            let text = format!("{} cannot be written: {error}", file.display());
            io::Error::new(error.kind(), text)
        })?;
        self.rows = by_id(rows);
        self.noted.clear();
        self.gone.clear();
        Ok(())
    }
}

/// The use that a list shows: of a container that runs, else of one that was heard to run; the first by name.
fn mount_uses(mount: &Mount, heard: &Heard, now: OffsetDateTime) -> Option<Use> {
    let when = |one: &Attachment| {
        one.state
            .is_live()
            .then_some(now)
            .or_else(|| heard.ran(&one.container_id))
    };
    let uses = mount
        .attachments
        .iter()
        .filter_map(|one| Some(Use::of(mount, one, when(one)?)));
    uses.reduce(later)
}

/// The later of two uses; of equals the first.
fn later(one: Use, other: Use) -> Use {
    if other.at > one.at { other } else { one }
}

fn clipped(text: &str) -> String {
    text.chars().take(TEXT).collect()
}

fn by_id(rows: Vec<Row>) -> HashMap<MountId, Row> {
    rows.into_iter().map(|row| (row.id.clone(), row)).collect()
}

/// The file's text, and the rows in it: where there are too many, those seen longest ago are left out.
fn encoded(volumes: Vec<Row>) -> io::Result<(Vec<u8>, Vec<Row>)> {
    let version = VERSION;
    let mut kept = Kept { version, volumes };
    let newest_first = |row: &Row| Reverse(row.seen.newest());
    if kept.volumes.len() > MOST {
        kept.volumes.sort_by_key(newest_first);
        kept.volumes.truncate(MOST);
    }
    loop {
        kept.volumes.sort_by(|a, b| a.id.cmp(&b.id));
        let text = serde_json::to_vec(&kept)?;
        if text.len() as u64 <= LARGEST {
            return Ok((text, kept.volumes));
        }
        kept.volumes.sort_by_key(newest_first);
        kept.volumes.truncate(kept.volumes.len() / 4 * 3);
    }
}

fn read(file: &Path) -> Option<HashMap<MountId, Row>> {
    let about = fs::metadata(file).ok()?;
    if !about.is_file() || about.len() > LARGEST {
        return None;
    }
    let mut text = Vec::new();
    File::open(file).ok()?.take(LARGEST).read_to_end(&mut text).ok()?;
    let kept: Kept = serde_json::from_slice(&text).ok()?;
    let soon = OffsetDateTime::now_utc() + AHEAD;
    let sane = |row: &Row| row.seen.newest().is_some_and(|newest| newest <= soon);
    (kept.version == VERSION).then(|| by_id(kept.volumes.into_iter().filter(sane).collect()))
}

#[cfg(test)]
mod tests;
