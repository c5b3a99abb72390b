//! Lists every mount of an engine.

use std::sync::Arc;

use crate::engine::{About, Engine, EngineError};
use crate::model::Mount;

/// All mounts of an engine at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// The engine.
    pub about: Arc<About>,
    /// The mounts, volumes first, then binds, tmpfs, images; by name within.
    pub mounts: Vec<Mount>,
    /// Containers in all.
    pub containers: usize,
    /// Containers running.
    pub running: usize,
    /// What the engine warned of, or what could not be read; a list with warnings may be incomplete.
    pub warnings: Vec<String>,
    /// Whether every container was inspected: until then tmpfs, subpaths and options may be missing.
    pub complete: bool,
}

/// How much to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The two lists: fast, without `--tmpfs`, subpaths and some options.
    Rows,
    /// Every container inspected too.
    Full,
}

/// Loads the inventory.
///
/// # Errors
///
/// When the engine cannot be reached or a list fails; a single failed inspect is a warning.
pub async fn load(_engine: &Engine, _depth: Depth) -> Result<Inventory, EngineError> {
    todo!("ops helper")
}
