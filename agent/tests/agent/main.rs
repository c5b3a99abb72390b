//! The agent over pipes, on real directory trees.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a broken step of a test should end it")]

mod archive;
mod browse;
mod client;
mod dump;
mod own;
mod pack;
mod probe;
mod search;
mod signs;
mod unpack;
mod usage;
