//! The agent: walks, reads and searches mounts on behalf of `vole`, over a byte stream.
//!
//! It knows nothing of engines, containers or terminals: it serves [`proto`] requests about the
//! directories ("roots") that it was started with, and never leaves them.

pub mod archive;
pub mod frame;
pub mod fs;
mod outlet;
pub mod proto;
pub mod serve;
pub mod signs;
