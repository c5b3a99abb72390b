//! The shell around the core: terminal, loop, tasks, signals. Knows no operation.

pub mod files;
pub mod mail;
