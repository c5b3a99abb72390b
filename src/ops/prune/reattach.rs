//! A project that was renamed: its volumes are orphans, and the containers that want them use empty or new ones under
//! the new name. Pure.

use std::sync::Arc;

use super::Looked;
use crate::model::{Judged, Mount, MountKind, Size};
use crate::ops::list::Inventory;

/// What Compose calls a volume in its file, on the volume's labels.
const VOLUME: &str = "com.docker.compose.volume";

/// A volume that took another one's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Renamed {
    /// Why that is believed.
    pub(super) reason: String,
    /// What to write into the compose file, in one line.
    pub(super) hint: String,
}

/// What the compose file calls a volume: its label, or its name without the project's.
fn short_name(mount: &Mount) -> Option<&str> {
    let project = mount.project.as_deref()?;
    let labelled = mount.labels.get(VOLUME).filter(|name| !name.is_empty());
    labelled.or_else(|| mount.name.strip_prefix(project)?.strip_prefix(['_', '-']))
}

/// Volumes of other projects that live and have the same name within their project.
pub(super) fn twins<'a>(mount: &Mount, inventory: &'a Inventory) -> Vec<&'a Arc<Mount>> {
    let own = mount.project.as_deref().filter(|_| !mount.project_derived);
    let (Some(project), Some(short)) = (own, short_name(mount)) else {
        return Vec::new();
    };
    if inventory.live_projects.contains(project) {
        return Vec::new();
    }
    let other = |twin: &&Arc<Mount>| {
        twin.kind == MountKind::Named
            && twin.attachments.iter().any(|one| one.state.is_live())
            && twin.project.as_deref().is_some_and(|other| {
                other != project && inventory.live_projects.contains(other) && short_name(twin) == Some(short)
            })
    };
    inventory.mounts.iter().filter(other).collect()
}

/// Whether a project was renamed and this volume left behind.
pub(super) fn renamed<'a>(
    mount: &Mount,
    looked: Option<&Looked>,
    inventory: &Inventory,
    look: impl Fn(&Mount) -> Option<&'a Looked>,
) -> Option<Renamed> {
    let twins = twins(mount, inventory);
    let graded = twins
        .into_iter()
        .filter_map(|twin| Some((likeness(looked, look(twin))?, twin)));
    // Of several that are as likely, the project whose name is most like the old one.
    let like = |twin: &Mount| common(mount.project.as_deref(), twin.project.as_deref());
    let (likeness, twin) = graded.max_by_key(|(likeness, twin)| (*likeness, like(twin)))?;
    let (project, short) = (mount.project.as_deref()?, short_name(mount)?);
    let other = twin.project.as_deref()?;
    let same = match (likeness, contents(looked)) {
        (Likeness::Same, Judged::Looks(look)) => format!(", which looks like {} too", look.words()),
        (Likeness::Empty, _) => ", which is empty".to_owned(),
        _ => String::new(),
    };
    Some(Renamed {
        reason: format!(
            "project {project} lives on as {other}: {} has its place as {short}{same}; re-attach?",
            twin.name
        ),
        hint: format!(
            "volumes: {{ {}: {{ external: true, name: {} }} }}",
            yaml(short),
            yaml(&mount.name)
        ),
    })
}

/// How much two volumes are alike, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    /// Nothing speaks against it.
    Possible,
    /// The new one holds nothing.
    Empty,
    /// Both look like the same thing.
    Same,
}

/// Bytes that two names start with alike.
fn common(one: Option<&str>, other: Option<&str>) -> usize {
    let (one, other) = (one.unwrap_or_default().bytes(), other.unwrap_or_default().bytes());
    one.zip(other).take_while(|(a, b)| a == b).count()
}

fn contents(looked: Option<&Looked>) -> Judged<'_> {
    let measured = looked.and_then(|looked| match &looked.size {
        Size::Measured(measured) => measured.contents.as_ref(),
        _ => None,
    });
    measured.map_or(Judged::Unknown, crate::model::Contents::judge)
}

/// `None` when they are known to hold different things.
fn likeness(old: Option<&Looked>, new: Option<&Looked>) -> Option<Likeness> {
    match (contents(old), contents(new)) {
        (Judged::Looks(old) | Judged::Caches(old), Judged::Looks(new) | Judged::Caches(new)) => {
            (old.kind == new.kind).then_some(Likeness::Same)
        }
        (_, Judged::Empty) => Some(Likeness::Empty),
        _ => Some(Likeness::Possible),
    }
}

/// A text as YAML reads it back, quoted where it has to be.
fn yaml(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let starts = text.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
    let word = matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
    );
    if starts && !word && text.chars().all(plain) {
        return text.to_owned();
    }
    // JSON's strings are YAML's.
    serde_json::Value::from(text).to_string()
}
