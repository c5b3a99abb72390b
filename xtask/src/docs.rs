//! Generated parts of the documents: the key table of the README, which comes from the program's own table of actions.

use std::fs;

use anyhow::{Context as _, ensure};

use crate::program;

const START: &str = "<!-- keys -->\n";
const END: &str = "<!-- /keys -->";

/// Writes the generated parts, or (`check`) only says whether they are current.
pub(crate) fn run(check: bool) -> anyhow::Result<()> {
    let path = program::root()?.join("README.md");
    let readme = fs::read_to_string(&path).context("README.md")?;
    let (before, rest) = readme.split_once(START).context("README.md has no <!-- keys -->")?;
    let (_, after) = rest.split_once(END).context("README.md has no <!-- /keys -->")?;
    let keys = program::vole()?.run(&["keys", "--markdown"]);
    ensure!(keys.code() == 0, "vole keys --markdown: {}", keys.stderr);
    let current = format!("{before}{START}{}\n{END}{after}", keys.text().trim_end());
    if check {
        ensure!(
            readme == current,
            "the keys in README.md are not those of the program; write them anew: cargo run -p xtask -- docs"
        );
        println!("documents are current");
    } else {
        fs::write(&path, current)?;
    }
    Ok(())
}
