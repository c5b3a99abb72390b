//! A thousand small volumes: all sizes, the first one, and their removal.

use std::process::Command;
use std::time::Duration;

use anyhow::ensure;
use vole_test_support::{Engine, Home, PATIENCE, Pty, Vole};

use super::stats::{Table, paired};
use super::{PAIRS, docker, time};

const VOLUMES: usize = 1000;

pub(crate) fn run(vole: &Vole, table: &mut Table) -> anyhow::Result<()> {
    let engine = docker()?;
    eprintln!("making {VOLUMES} volumes …");
    make(&engine)?;
    let vole = vole.on(engine.host());
    let home = Home::new();
    let pair = paired(
        PAIRS,
        || time(&mut vole.command(&home, &["du", "--json"])),
        || time(engine.client().args(["system", "df", "-v"])),
    )?;
    table.pair("1,000 small volumes: `vole du` against `docker system df -v`", &pair);
    let mut first = Vec::new();
    for _ in 0..PAIRS {
        // A home of its own, so that no size is remembered.
        let home = Home::new();
        let mut pty = Pty::start(&home, &vole.line(&[]), 120, 40);
        pty.wait_until("a size", PATIENCE, |screen| screen.contents().lines().any(shows_size));
        first.push(pty.started.elapsed().as_secs_f64());
        pty.settle(Duration::from_millis(500), PATIENCE);
        pty.keys("q");
        pty.wait_exit(PATIENCE);
    }
    table.times(
        "1,000 small volumes: from exec to the first measured size on the screen",
        &first,
    );
    let plan = paired(
        PAIRS,
        || time(&mut vole.command(&home, &["prune", "--named", "--dry-run", "--json"])),
        || time(&mut vole.command(&home, &["du", "--json"])),
    )?;
    table.times(
        "1,000 orphans: the plan of what may go, looking into them included",
        &plan.ours,
    );
    table.times("1,000 orphans: measuring them alone, in turns with that", &plan.theirs);
    let took = time(&mut vole.command(&home, &["prune", "--named", "--yes", "--json"]))?;
    ensure!(engine.volume_names().is_empty(), "not all volumes were removed");
    table.times(
        "1,000 orphans: plan and removal, each looked at again",
        &[took.as_secs_f64()],
    );
    Ok(())
}

/// Whether a row of a volume shows a number with a unit.
pub(crate) fn shows_size(line: &str) -> bool {
    let mut words = line.split_whitespace().skip_while(|word| !word.contains("small"));
    words.next().is_some() && words.any(|word| ["KiB", "kB", "KB", "K"].iter().any(|unit| word.ends_with(unit)))
}

fn make(engine: &Engine) -> anyhow::Result<()> {
    let script = r#"
        for i in $(seq -w 0 999); do
          curl -s -m 20 --unix-socket "$1" -H 'Content-Type: application/json' -d "{\"Name\":\"small$i\"}" http://d/volumes/create >/dev/null
          mkdir "$2/small$i/_data/node_modules"
          for f in 1 2 3; do echo "$i" >"$2/small$i/_data/node_modules/$f"; done
        done"#;
    let status = Command::new("bash")
        .args(["-euc", script, "volumes"])
        .arg(engine.socket())
        .arg(engine.dir().join("data/volumes"))
        .status()?;
    ensure!(status.success(), "the volumes could not be made");
    Ok(())
}
