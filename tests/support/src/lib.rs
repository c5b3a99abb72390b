//! What vole's tests, benchmarks and screenshots stand on: private engines, fleets of awkward volumes, fake engines,
//! and pseudo-terminals. Knows vole only from outside: its commands, its screen, its exit codes.
//!
//! A test that cannot set up its world has failed, so this crate panics with the reason instead of returning errors.
#![expect(
    clippy::panic,
    clippy::expect_used,
    reason = "code for tests: a world that cannot be set up is a failed test, and the panic says why"
)]

mod engine;
mod fake;
mod fleet;
mod http;
mod proxy;
mod pty;
mod tree;
mod vole;
mod wait;

pub use engine::{Engine, Family, IMAGE, Unavailable};
pub use fake::{FakeEngine, Fleet as FakeFleet, Reply};
pub use fleet::{Fleet, HOSTILE_CONTENT, HOSTILE_MARKS};
pub use http::{Request, get};
pub use proxy::Proxy;
pub use pty::{CpuTimes, Pty};
pub use tree::{attributes, dump, likeness};
pub use vole::{Home, Ran, Vole};
pub use wait::{PATIENCE, until};
