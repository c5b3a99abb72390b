//! The `vole` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    vole::engine::guard::main_if_asked().unwrap_or_else(|| vole::cli::main(std::env::args_os()))
}
