//! A mount that is to be written to: what it is now, where it really is, who uses it, and whether `vole` may write there at
//! all. Changes nothing itself.

mod place;
mod refuse;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::daemon::Flavour;
use crate::engine::host::{Relation, relation};
use crate::engine::{About, Engine, EngineError, OpenSpec, Purpose, Session, Target};
use crate::inventory;
use crate::model::{Attachment, BytePath, Mount, MountId, MountKind};
use crate::ops::list::{self, Depth, Inventory};
pub(in crate::ops) use place::{Survey, at, refusal, survey};

/// What tells an opened root from another one at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Major and minor number of the device that holds it.
    pub dev: (u32, u32),
    /// Its inode number.
    pub ino: u64,
    /// When it was made, in nanoseconds since the epoch, where that can be told.
    pub born: Option<i128>,
}

/// The mount as it is now, and who uses its contents.
pub(in crate::ops) struct Now {
    pub(in crate::ops) about: Arc<About>,
    pub(in crate::ops) mount: Arc<Mount>,
    pub(in crate::ops) survey: Survey,
    /// Every use of the contents once per container, also through mounts that hold them or lie in them.
    pub(in crate::ops) uses: Vec<Attachment>,
}

impl Now {
    /// Whether the engine's date of a volume is that of its making.
    pub(in crate::ops) fn is_dated(&self) -> bool {
        self.about.flavour == Flavour::Podman
    }
}

/// Lists anew and finds a mount. A path that nobody binds is one all the same.
///
/// # Errors
///
/// When the engine cannot be asked, when a volume is gone, or when this host's paths do not answer.
pub(in crate::ops) async fn now(
    engine: &Engine,
    id: &MountId,
    name: &str,
    kind: MountKind,
    path: &BytePath,
) -> Result<Now, EngineError> {
    let inventory = list::load(engine, Depth::Rows).await?;
    let found = inventory.mounts.iter().find(|mount| mount.id == *id).cloned();
    let mount = match (found, kind) {
        (Some(mount), _) => mount,
        (None, MountKind::Bind) => Arc::new(inventory::host_path(name, &inventory::PathFacts::default())),
        (None, _) => return Err(refusal(format!("{name} is gone"))),
    };
    let others: Vec<&Arc<Mount>> = inventory
        .mounts
        .iter()
        .filter(|other| other.id != mount.id && place::base(other).is_some())
        .collect();
    let paths = others
        .iter()
        .filter_map(|other| place::base(other).map(str::to_owned))
        .collect();
    let survey = place::survey(&inventory.about, &mount, path.as_bytes(), paths).await?;
    let uses = uses(&inventory, &mount, &survey, &others);
    Ok(Now {
        about: Arc::clone(&inventory.about),
        mount,
        survey,
        uses,
    })
}

fn uses(inventory: &Inventory, mount: &Mount, survey: &Survey, others: &[&Arc<Mount>]) -> Vec<Attachment> {
    let mut uses = BTreeMap::new();
    let mut take = |mount: &Mount| {
        for one in &mount.attachments {
            uses.entry(one.container_id.clone()).or_insert_with(|| one.clone());
        }
    };
    take(mount);
    let engine_dir = inventory.about.root_dir.as_bytes();
    for (index, other) in others.iter().enumerate() {
        let resolved = survey.others.get(index).cloned().flatten();
        let paths: Vec<&str> = place::base(other).into_iter().chain(resolved.as_deref()).collect();
        let shared = paths.iter().any(|path| {
            let how = survey.known.iter().map(|own| relation(path.as_bytes(), own.as_bytes()));
            how.into_iter().any(|how| how != Relation::Apart)
        });
        // Monitoring binds the directory of all volumes, or the host's root: it uses no volume in particular.
        let oversees = paths.iter().any(|path| {
            matches!(
                relation(path.as_bytes(), engine_dir),
                Relation::Equal | Relation::Contains
            )
        });
        if shared && !oversees {
            take(other);
        }
    }
    uses.into_values().collect()
}

/// Opens a session of its own on one mount.
///
/// # Errors
///
/// When it cannot be reached; [`EngineError::ReadOnly`] for a purpose that writes and an engine that nobody changes.
pub(in crate::ops) async fn open(
    engine: &Engine,
    mount: &Mount,
    purpose: Purpose,
) -> Result<(Session, u32), EngineError> {
    let spec = OpenSpec {
        targets: vec![Target::of(mount).map_err(refusal)?],
        purpose,
        through_store: false,
    };
    let opened = match purpose.writes() {
        true => engine.open_writable(spec).await?,
        false => engine.open(spec).await?,
    };
    let root = opened.roots.into_iter().next();
    let root = root.unwrap_or_else(|| Err("the helper opened nothing".to_owned()));
    let root = root.map_err(|why| refusal(format!("{} could not be mounted: {why}", mount.name)))?;
    Ok((opened.session, root))
}
