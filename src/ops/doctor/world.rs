//! What an engine holds at the moment of a diagnosis, and questions about its containers' insides.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::doctor::remap;
use crate::engine::daemon::{ContainerDetail, ContainerRow};
use crate::engine::{About, Engine, EngineError};
use crate::model::{ContainerState, Mount, Scan};
use crate::ops::list::{Depth, Lists};

/// How long an engine may take to look into one container.
const LOOK: Duration = Duration::from_secs(10);
/// Other containers of an image that are asked for its files, at most.
const SIBLINGS: usize = 4;

/// An engine's containers and mounts.
pub(super) struct World<'a> {
    pub(super) engine: &'a Engine,
    pub(super) about: Arc<About>,
    pub(super) rows: Vec<ContainerRow>,
    pub(super) details: HashMap<String, ContainerDetail>,
    pub(super) mounts: Vec<Arc<Mount>>,
    /// What could not be listed or inspected.
    pub(super) warnings: Vec<String>,
}

impl<'a> World<'a> {
    /// Lists and inspects everything.
    pub(super) async fn ask(engine: &'a Engine) -> Result<Self, EngineError> {
        let lists = Lists::ask(engine, Depth::Full).await?;
        let rows = lists.containers.rows.clone();
        let details = lists.details().clone();
        let paths = lists.all_paths();
        let inventory = lists.inventory(paths).await;
        Ok(Self {
            engine,
            about: inventory.about,
            rows,
            details,
            mounts: inventory.mounts,
            warnings: inventory.warnings,
        })
    }

    /// Whether the engine may be asked for what is in a container: one that does not run has all of its mounts mounted for
    /// the answer, and what lies elsewhere may never come.
    pub(super) fn may_look(&self, row: &ContainerRow) -> bool {
        let attached = |mount: &&Arc<Mount>| mount.attachments.iter().any(|one| one.container_id == row.id);
        let elsewhere = |mount: &Arc<Mount>| matches!(mount.scan, Scan::OnDemand(_));
        ContainerState::parse(&row.state).is_live() || !self.mounts.iter().filter(attached).any(elsewhere)
    }

    /// A small file of a container, empty when it has none. Where the container itself cannot be asked, another one of its
    /// image is.
    ///
    /// # Errors
    ///
    /// Why none of them could be asked.
    pub(super) async fn file(&self, row: &ContainerRow, path: &str) -> Result<Vec<u8>, String> {
        let is_sibling =
            |other: &&ContainerRow| other.id != row.id && !row.image_id.is_empty() && other.image_id == row.image_id;
        let mut siblings: Vec<&ContainerRow> = self.rows.iter().filter(is_sibling).collect();
        siblings.sort_by_key(|other| !ContainerState::parse(&other.state).is_live());
        let mut why = "its mounts may be elsewhere, so the engine was not asked".to_owned();
        for asked in [row].into_iter().chain(siblings.into_iter().take(SIBLINGS)) {
            if !self.may_look(asked) {
                continue;
            }
            match tokio::time::timeout(LOOK, self.engine.daemon.file_in(&asked.id, path)).await {
                Ok(Ok(file)) => return Ok(file.unwrap_or_default()),
                Ok(Err(error)) => why = error.to_string(),
                Err(_) => why = format!("the engine did not answer within {} s", LOOK.as_secs()),
            }
        }
        Err(format!("{path} cannot be read: {why}"))
    }

    /// Whether the engine gives its containers a user namespace of their own (`userns-remap`).
    pub(super) fn is_remapped(&self) -> bool {
        remap::is_remapped(&self.about)
    }

    /// Where that namespace starts on the host, user and group, by the name of the engine's directory (`…/100000.100000`).
    pub(super) fn remap_base(&self) -> Option<(u32, u32)> {
        remap::base(&self.about)
    }
}
