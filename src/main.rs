//! The `vole` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    vole::cli::main(std::env::args_os())
}
