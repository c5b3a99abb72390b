//! Builds the list of mounts from what an engine answered: kinds, attachments, projects, orphans and how each may
//! be reached. Pure: it asks nobody, and what it was not told stays unknown.

mod binds;
mod orphans;
pub mod paths;
mod projects;
mod scan;
#[cfg(test)]
mod tests;
mod tmpfs;
mod volumes;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

pub use paths::{PathFact, PathFacts, PathKind, normalise};

use crate::engine::daemon::{ContainerDetail, ContainerRow, MountPoint, VolumeList};
use crate::model::{Attachment, ContainerState, Mount, MountKind};

/// What the engine and its host answered, all of one moment.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The volumes; `Err` says why they could not be listed.
    pub volumes: Result<&'a VolumeList, &'a str>,
    /// The containers that could be read, running or not.
    pub containers: &'a [ContainerRow],
    /// Why containers may be missing from that list; then nothing is called unused.
    pub containers_missing: Option<&'a str>,
    /// What inspect adds, by container id; a missing one leaves tmpfs, subpaths and some options unknown.
    pub details: &'a HashMap<String, ContainerDetail>,
    /// What is known of the host's paths.
    pub paths: &'a PathFacts,
}

/// The mounts, and what has to be said about the list as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Built {
    /// Volumes first, then binds, tmpfs, images; by name within.
    pub mounts: Vec<Arc<Mount>>,
    /// Projects with a container that runs, or will in a moment.
    pub live_projects: BTreeSet<String>,
    /// What does not fit together in the engine's answers.
    pub warnings: Vec<String>,
}

/// Builds the list of mounts.
pub fn build(evidence: Evidence<'_>) -> Built {
    let mut built = Built::default();
    let uses = Uses::collect(evidence);
    let live = evidence.containers.iter();
    let live = live.filter(|row| ContainerState::parse(&row.state).is_live());
    built.live_projects = live
        .filter_map(|row| projects::of(&row.labels).map(str::to_owned))
        .collect();
    built.mounts = volumes::build(evidence, &uses, &mut built.warnings);
    let others = [binds::build(evidence, &uses), tmpfs::build(&uses), binds::images(&uses)];
    built.mounts.extend(others.into_iter().flatten().map(Arc::new));
    built
}

/// The row of a host path that no container needs to bind, for an operator who names it.
pub fn host_path(path: &str, paths: &PathFacts) -> Mount {
    let source = normalise(path);
    Mount {
        reason: "no container binds it".to_owned(),
        host_path: Some(source.clone()),
        ..binds::row(MountKind::Bind, "bind", &source, &[], scan::bind(&source, paths))
    }
}

/// Whether a volume's name looks like one that an engine made: 64 lowercase hexadecimal digits.
pub fn is_generated(name: &str) -> bool {
    volumes::is_generated(name)
}

/// Whether a volume of the local driver has its data behind a network, by its options.
pub fn is_remote(options: &BTreeMap<String, String>) -> bool {
    scan::is_remote(options)
}

/// One container's use of something.
struct Use<'a> {
    container: &'a ContainerRow,
    attachment: Attachment,
}

/// What containers use, by what it is.
#[derive(Default)]
struct Uses<'a> {
    /// By volume name, exactly.
    volumes: HashMap<&'a str, Vec<Use<'a>>>,
    /// By normalised source path.
    binds: HashMap<String, Vec<Use<'a>>>,
    /// One each.
    tmpfs: Vec<Use<'a>>,
    /// By image reference.
    images: HashMap<&'a str, Vec<Use<'a>>>,
    /// Mount points of volumes as containers tell them, for volumes that `/volumes` does not list.
    told: HashMap<&'a str, &'a MountPoint>,
}

impl<'a> Uses<'a> {
    fn collect(evidence: Evidence<'a>) -> Self {
        let mut uses = Self::default();
        for row in evidence.containers {
            let detail = evidence.details.get(&row.id);
            // Inspect knows more than the list (podman's list leaves fields out), but a container that was inspected
            // while it was being made may show fewer mounts: take whichever has more.
            let mounts = match detail {
                Some(detail) if detail.mounts.len() >= row.mounts.len() => &detail.mounts,
                _ => &row.mounts,
            };
            for point in mounts {
                uses.add(row, detail, point);
            }
            uses.add_host_config_tmpfs(row, detail, mounts);
        }
        uses
    }

    fn add(&mut self, row: &'a ContainerRow, detail: Option<&'a ContainerDetail>, point: &'a MountPoint) {
        let requested = detail.and_then(|detail| detail.requested.iter().find(|r| r.target == point.destination));
        let mut options: Vec<String> = point
            .mode
            .split(',')
            .filter(|o| !matches!(*o, "" | "ro" | "rw"))
            .map(str::to_owned)
            .collect();
        for option in requested
            .map(|requested| requested.options.as_slice())
            .unwrap_or_default()
        {
            if !options.contains(option) {
                options.push(option.clone());
            }
        }
        let one = Use {
            container: row,
            attachment: Attachment {
                subpath: requested
                    .and_then(|requested| requested.subpath.clone())
                    .filter(|path| !path.is_empty()),
                ..attachment(row, &point.destination, point.rw, &point.propagation, options)
            },
        };
        match point.kind.as_str() {
            "bind" => self.binds.entry(normalise(&point.source)).or_default().push(one),
            "tmpfs" => self.tmpfs.push(one),
            "image" => {
                let named = [
                    requested.map_or("", |requested| requested.source.as_str()),
                    &point.source,
                    &point.name,
                ];
                let image = named.into_iter().find(|name| !name.is_empty()).unwrap_or("?");
                self.images.entry(image).or_default().push(one);
            }
            // A mount without a name that lies at a path is used by path: podman lists such ones.
            "volume" | "cluster" | "" if point.name.is_empty() && point.source.starts_with('/') => {
                self.binds.entry(normalise(&point.source)).or_default().push(one);
            }
            // One with a name, whatever word this engine has for its kind, may keep a volume alive.
            kind if kind != "npipe" && (matches!(kind, "volume" | "cluster") || !point.name.is_empty()) => {
                let name = if point.name.is_empty() {
                    &point.source
                } else {
                    &point.name
                };
                self.told.entry(name).or_insert(point);
                self.volumes.entry(name).or_default().push(one);
            }
            kind if kind != "npipe" && point.source.starts_with('/') => {
                self.binds.entry(normalise(&point.source)).or_default().push(one);
            }
            // npipe and what has neither name nor path: nothing that vole could show.
            _ => {}
        }
    }

    /// Adds what `--tmpfs` asked for: it never stands in `Mounts`.
    fn add_host_config_tmpfs(
        &mut self,
        row: &'a ContainerRow,
        detail: Option<&'a ContainerDetail>,
        mounts: &[MountPoint],
    ) {
        for (destination, options) in detail.into_iter().flat_map(|detail| &detail.tmpfs) {
            if mounts
                .iter()
                .any(|point| point.kind == "tmpfs" && point.destination == *destination)
            {
                continue;
            }
            let options: Vec<String> = options
                .split(',')
                .filter(|o| !o.is_empty())
                .map(str::to_owned)
                .collect();
            let rw = !options.iter().any(|option| option == "ro");
            let attachment = attachment(row, destination, rw, "", options);
            self.tmpfs.push(Use {
                container: row,
                attachment,
            });
        }
    }
}

fn attachment(row: &ContainerRow, destination: &str, rw: bool, propagation: &str, options: Vec<String>) -> Attachment {
    Attachment {
        container: row.name.clone(),
        container_id: row.id.clone(),
        state: ContainerState::parse(&row.state),
        image: row.image.clone(),
        destination: destination.to_owned(),
        rw,
        propagation: propagation.to_owned(),
        subpath: None,
        options,
        service: projects::service(&row.labels),
    }
}

/// Takes the attachments out of uses, ordered by container and destination.
fn attachments(uses: &[Use<'_>]) -> Vec<Attachment> {
    let mut attachments: Vec<Attachment> = uses.iter().map(|one| one.attachment.clone()).collect();
    attachments.sort_by(|a, b| (&a.container, &a.destination).cmp(&(&b.container, &b.destination)));
    attachments
}

/// Says who uses a mount: a running container first, then how many more.
fn used_by(attachments: &[Attachment]) -> Option<String> {
    let first = attachments
        .iter()
        .find(|one| one.state.is_live())
        .or_else(|| attachments.first())?;
    let mut others: Vec<&str> = attachments
        .iter()
        .filter(|one| one.container_id != first.container_id)
        .map(|one| one.container_id.as_str())
        .collect();
    others.sort_unstable();
    others.dedup();
    let state = first.state.word();
    let state = if state.is_empty() { "state unknown" } else { state };
    let more = match others.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!("used by {} ({state}){more}", first.container))
}
