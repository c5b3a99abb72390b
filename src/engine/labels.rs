//! The labels that vole puts on its own containers. Knows nothing of what the containers do.

/// Marks a helper container; the value is the id of the session that made it.
pub const HELPER: &str = "vole.helper";
/// Says what a helper is for (`browse`, `measure`, `masked`).
pub const PURPOSE: &str = "vole.purpose";
/// Says which version of vole made a helper.
pub const VERSION: &str = "vole.version";
/// Marks a volume that the engine made anew because a helper named one that was gone meanwhile.
pub const GHOST: &str = "vole.ghost";
/// Says which process a container belongs to, see `client_process`.
pub const CLIENT: &str = "vole.client";
