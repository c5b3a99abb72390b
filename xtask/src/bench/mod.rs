//! Benchmarks: paired runs in alternating order against what people use today, on private engines and generated trees.
//! Prints a table for the README. Knows vole only from outside.

mod copies;
mod fleet;
mod owners;
mod screen;
mod stats;
mod tree;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail, ensure};
use vole_test_support::{Engine, Family, Home, Vole};

use crate::{peaks, program};
use stats::{Table, paired};
pub(crate) use tree::grow;

/// How many pairs are run; the median of their ratios is told.
const PAIRS: usize = 7;

/// A benchmark: starts and grows what it needs, and adds its rows to the table.
type Bench = fn(&Vole, &mut Table) -> anyhow::Result<()>;

/// All of them, in the order of the table.
const BENCHES: [(&str, Bench); 9] = [
    ("screen", screen::run),
    ("volumes", fleet::run),
    ("tree", big_tree),
    ("directory", screen::directory),
    ("chown", owners::chown),
    ("doctor", owners::doctor),
    ("backups", copies::backups),
    ("restores", copies::restores),
    ("large", copies::large),
];

/// Runs every benchmark, or those whose name is among `only`.
pub(crate) fn run(only: &[&str]) -> anyhow::Result<()> {
    let wanted = wanted(only)?;
    let vole = program::vole()?;
    let mut table = Table::default();
    for bench in wanted {
        bench(&vole, &mut table)?;
    }
    println!("\n{table}");
    Ok(())
}

/// The benchmarks of these names, or all where none is named.
fn wanted(only: &[&str]) -> anyhow::Result<Vec<Bench>> {
    let known = |name: &&&str| BENCHES.iter().any(|(known, _)| *known == **name);
    if let Some(unknown) = only.iter().find(|name| !known(name)) {
        let names = BENCHES.map(|(name, _)| name).join(" ");
        bail!("no benchmark is called {unknown}; there are: {names}");
    }
    let named = BENCHES
        .iter()
        .filter(|(name, _)| only.is_empty() || only.contains(name));
    Ok(named.map(|(_, bench)| *bench).collect())
}

/// A private dockerd.
pub(crate) fn docker() -> anyhow::Result<Engine> {
    Engine::start(Family::Docker).map_err(|why| anyhow!("no private dockerd: {}", why.0))
}

/// Runs a command to its end, its output thrown away, and says how long that took.
pub(crate) fn time(command: &mut Command) -> anyhow::Result<Duration> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command
        .status()
        .with_context(|| format!("{:?} does not start", command.get_program()))?;
    let took = start.elapsed();
    ensure!(matches!(status.code(), Some(0 | 3)), "{command:?} ended with {status}");
    Ok(took)
}

fn installed(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}

/// A million entries in one volume: the scan against GNU du, gdu and dua; the whole command against the engine's own.
fn big_tree(vole: &Vole, table: &mut Table) -> anyhow::Result<()> {
    let engine = docker()?;
    engine.run(["volume", "create", "many"]);
    let path = engine.mount_point("many");
    eprintln!("growing a tree of a million entries …");
    let entries = tree::grow(&path, 1_000_000)?;
    let home = Home::new();
    // The scan alone: in process, on the path.
    let place = path.display().to_string();
    let alone = vole.on(engine.host());
    let mut peers: Vec<(&str, Vec<&str>)> = vec![("du", vec!["-s", &place])];
    if installed("gdu") {
        peers.push(("gdu", vec!["-n", "-p", "-s", &place]));
    }
    if installed("dua") {
        peers.push(("dua", vec!["-t", "2", "aggregate", &place]));
    }
    equal_sums(&alone, &home, &path)?;
    for (name, args) in &peers {
        let pair = paired(
            PAIRS,
            || time(&mut alone.command(&home, &["--no-helper", "du", "--json", &place])),
            || time(Command::new(name).args(args)),
        )?;
        table.pair(
            &format!("scan of {entries} entries, warm, 2 cores: vole in process against `{name}`"),
            &pair,
        );
    }
    let whole = vole.on(engine.host());
    let pair = paired(
        PAIRS,
        || time(&mut whole.command(&home, &["du", "--json", "many"])),
        || time(engine.client().args(["system", "df", "-v"])),
    )?;
    table.pair(
        "the same volume, everything included: `vole du many` against `docker system df -v`",
        &pair,
    );
    let run = whole.command(&home, &["du", "--json", "many"]).spawn()?;
    let (_, peaks) = peaks::watch(&engine, run)?;
    table.value(
        "memory at their peak, same volume: the agent; `vole`",
        &peaks.to_string(),
    );
    for line in engine.run(["images", "--format", "{{.Repository}} {{.Size}}"]).lines() {
        if let Some(size) = line.strip_prefix("localhost/vole-agent ") {
            table.value("size of the agent, which is the whole image", size);
        }
    }
    let cold = paired(
        3,
        || cold(&mut whole.command(&home, &["du", "--json", "many"])),
        || cold(Command::new("du").args(["-s", &place])),
    );
    match cold {
        Ok(pair) => table.pair("the same, cold caches: `vole du many` against `du -s`", &pair),
        Err(why) => eprintln!("no cold figures: {why:#}"),
    }
    Ok(())
}

/// Both must count the same, or the race is worth nothing.
fn equal_sums(vole: &Vole, home: &Home, path: &Path) -> anyhow::Result<()> {
    let place = path.display().to_string();
    let ran = vole.run_in(home, &["--no-helper", "du", "--json", &place]);
    let ours = ran.json()["entries"][0]["bytes"].as_u64().context("vole tells bytes")?;
    let output = Command::new("du")
        .args(["-s", "-x", "--block-size=1"])
        .arg(path)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let theirs: u64 = text.split_whitespace().next().context("du prints a number")?.parse()?;
    ensure!(ours == theirs, "vole counts {ours} bytes and du {theirs}");
    Ok(())
}

fn cold(command: &mut Command) -> anyhow::Result<Duration> {
    ensure!(Command::new("sync").status()?.success(), "sync fails");
    std::fs::write("/proc/sys/vm/drop_caches", "3").context("the caches cannot be dropped")?;
    time(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_told_with_the_known_ones() {
        assert_eq!(wanted(&[]).unwrap().len(), BENCHES.len());
        assert_eq!(wanted(&["restores", "screen"]).unwrap().len(), 2);
        let error = wanted(&["screen", "copies"]).unwrap_err().to_string();
        assert!(
            error.contains("copies") && BENCHES.iter().all(|(name, _)| error.contains(name)),
            "{error}"
        );
    }
}
