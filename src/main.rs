//! The `vole` program.

fn main() {}
