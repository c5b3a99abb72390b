//! vole, the VOLume Explorer.

pub mod cli;
pub mod config;
pub mod core;
pub mod demo;
pub mod engine;
pub mod inventory;
pub mod model;
pub mod ops;
pub mod runtime;
pub mod store;
pub mod text;
pub mod ui;
