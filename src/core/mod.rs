//! The pure core: state, messages, effects, keymap. No I/O, no clock, no randomness: time comes in a message.

pub mod action;
pub mod available;
pub mod backup;
pub mod backups;
pub mod create;
pub mod details;
pub mod disk;
pub mod doctor;
pub mod effect;
pub mod figures;
pub mod files;
mod fuzzy;
pub mod input;
pub mod jobs;
pub mod key;
pub mod keymap;
pub mod layout;
pub mod list;
pub mod menu;
pub mod mounts;
pub mod msg;
pub mod own;
pub mod plan;
pub mod preview;
pub mod restore;
#[cfg(test)]
pub(crate) mod sample;
pub mod state;
mod steps;
pub mod undo;
pub mod update;

pub use action::Action;
pub use effect::Effect;
pub use jobs::Jobs;
pub use key::Key;
pub use msg::Msg;
pub use state::{Context, State};
pub use update::update;
