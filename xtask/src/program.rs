//! Builds `vole` in the profile of this command and says where it is.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use vole_test_support::Vole;

/// The project's root.
pub(crate) fn root() -> anyhow::Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    Ok(root.context("xtask has no parent directory")?.to_owned())
}

/// The program, built anew from what is checked out; or the one that `VOLE_BIN` names.
pub(crate) fn vole() -> anyhow::Result<Vole> {
    if let Some(path) = std::env::var_os("VOLE_BIN") {
        return Ok(Vole::new(path));
    }
    let own = std::env::current_exe().context("where this program is")?;
    let dir = own.parent().context("this program is in no directory")?;
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build
        .args(["build", "--quiet", "--package", "vole-tui"])
        .current_dir(root()?);
    if dir.file_name().is_some_and(|name| name == "release") {
        build.arg("--release");
    }
    ensure!(
        build.status().context("cargo does not start")?.success(),
        "vole does not build"
    );
    Ok(Vole::new(dir.join("vole")))
}
