//! The contract that vole keeps on every engine, checked from outside: against the demo, and against a dockerd and a
//! podman that this suite starts itself. Where none can run it says so; with `VOLE_ENGINE_TESTS=required` it fails.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests: what cannot be set up or read is a failed test"
)]

mod accidents;
mod alias;
mod backups;
mod backups_hard;
mod browse;
mod clones;
mod demo;
mod harness;
mod helpers;
mod journeys;
mod list;
mod owning;
mod owning_hard;
mod quiet;
mod removal;
mod restores;
mod restores_hard;
mod restores_held;
mod scenarios;
mod sizes;
mod traces;
mod trouble;
mod world;
