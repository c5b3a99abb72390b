//! Changing owners of a million entries against GNU `chown -R` in a container, and diagnosing a large engine.

use std::cell::Cell;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use vole_test_support::{Engine, Home, IMAGE, Vole};

use super::stats::{Table, paired};
use super::{PAIRS, docker, time, tree};

/// Containers of the large engine; each has two mounts.
const CONTAINERS: usize = 200;

/// A million entries: nothing to change, everything to change, a dry run, and taking it back.
pub(super) fn chown(vole: &Vole, table: &mut Table) -> anyhow::Result<()> {
    let engine = docker()?;
    engine.run(["volume", "create", "many"]);
    eprintln!("growing a tree of a million entries …");
    let entries = tree::grow(&engine.mount_point("many"), 1_000_000)?;
    let (vole, home) = (vole.on(engine.host()), Home::new());
    let owner = Cell::new(1000);
    let gnu = |uid: u32| {
        let mut command = engine.client();
        command.args(["run", "--rm", "--network", "none", "-v", "many:/d"]);
        // The test image is a busybox; GNU's program comes from this machine.
        for dir in ["/usr", "/lib", "/lib64"] {
            command.args(["-v", &format!("{dir}:{dir}:ro")]);
        }
        command.args([IMAGE, "/usr/bin/chown", "-R", &format!("{uid}:{uid}"), "/d"]);
        command
    };
    let ours = |uid: u32, more: &str| vole.command(&home, &["chown", "many", &format!("{uid}:{uid}"), more, "--json"]);
    let settled = |command: &mut Command| {
        let took = time(command)?;
        ensure!(Command::new("sync").status()?.success(), "sync fails");
        Ok(took)
    };
    settled(&mut gnu(1000))?;
    let right = paired(PAIRS, || settled(&mut ours(1000, "--yes")), || settled(&mut gnu(1000)))?;
    table.pair(
        &format!("owners of {entries} entries, all right already: `vole chown` against `chown -R` in a container"),
        &right,
    );
    let next = || {
        owner.set(owner.get() + 1);
        owner.get()
    };
    let all = paired(
        PAIRS,
        || settled(&mut ours(next(), "--yes")),
        || settled(&mut gnu(next())),
    )?;
    table.pair("the same, all change, with the journal written", &all);
    let dry: Vec<Duration> = (0..PAIRS)
        .map(|_| time(&mut ours(1, "--dry-run")))
        .collect::<anyhow::Result<_>>()?;
    table.times("a dry run of it", &seconds(&dry));
    settled(&mut ours(next(), "--yes"))?;
    let back = settled(&mut vole.command(&home, &["undo", "--yes", "--json"]))?;
    table.times("taking it back, once", &seconds(&[back]));
    Ok(())
}

/// Two hundred containers that run, two mounts each: one diagnosis of all.
pub(super) fn doctor(vole: &Vole, table: &mut Table) -> anyhow::Result<()> {
    let engine = docker()?;
    eprintln!("starting {CONTAINERS} containers …");
    for index in 0..CONTAINERS {
        start(&engine, index).with_context(|| format!("container {index}"))?;
    }
    let (vole, home) = (vole.on(engine.host()), Home::new());
    let ran = vole.run_in(&home, &["doctor", "--json"]);
    ensure!(ran.code() == 4, "{}{}", ran.text(), ran.stderr);
    let found = ran.json()["findings"].as_array().map_or(0, Vec::len);
    ensure!(found == CONTAINERS / 10, "{found} findings: {}", ran.text());
    let times: Vec<Duration> = (0..PAIRS)
        .map(|_| vole.run_in(&home, &["doctor", "--json"]).took)
        .collect();
    let what = format!("diagnosing {CONTAINERS} containers with {} mounts", 2 * CONTAINERS);
    table.times(&what, &seconds(&times));
    Ok(())
}

fn seconds(times: &[Duration]) -> Vec<f64> {
    times.iter().map(Duration::as_secs_f64).collect()
}

/// Every tenth has a volume that it may not write.
fn start(engine: &Engine, index: usize) -> anyhow::Result<()> {
    let host = engine.dir().join(format!("host{index}"));
    std::fs::create_dir(&host)?;
    let (volume, bind) = (format!("vol{index}:/data"), format!("{}:/host:ro", host.display()));
    let name = format!("c{index}");
    let mut args = vec![
        "run",
        "-d",
        "--network",
        "none",
        "--name",
        &name,
        "-v",
        &volume,
        "-v",
        &bind,
    ];
    if index.is_multiple_of(10) {
        args.extend(["-u", "1000:1000"]);
    }
    args.extend([IMAGE, "sleep", "1000000"]);
    engine.run(args);
    Ok(())
}
