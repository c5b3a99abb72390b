//! The operations, one file each, with the same parts where they apply: `plan` (pure), `run` (a job), `undo`.
//! The TUI and the command line are two thin callers. Knows engines and sessions, not screens.

pub mod backup;
pub mod browse;
pub mod chown;
pub mod clone;
pub mod create;
pub mod df;
pub mod doctor;
pub mod get;
mod host_paths;
pub mod list;
pub mod prune;
pub mod recover;
pub mod rename;
pub mod restore;
pub mod search;
pub mod sightings;
pub mod size;
pub mod sizes;
pub mod verify;
mod writable;
