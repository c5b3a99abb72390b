//! The static binary: serves the roots given as arguments on its standard input and output.

fn main() {}
