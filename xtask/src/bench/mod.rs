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

use crate::program;
use stats::{Table, paired};
pub(crate) use tree::grow;

/// How many pairs are run; the median of their ratios is told.
const PAIRS: usize = 7;

/// A benchmark: starts and grows what it needs, and adds its rows to the table.
type Bench = fn(&Vole, &mut Table) -> anyhow::Result<()>;

/// All of them, in the order of the table.
const BENCHES: [(&str, Bench); 10] = [
    ("screen", screen::run),
    ("volumes", fleet::run),
    ("tree", big_tree),
    ("directory", screen::directory),
    ("chown", owners::chown),
    ("doctor", owners::doctor),
    ("backups", copies::backups),
    ("restores", copies::restores),
    ("large", copies::large),
    ("memory", copies::memory),
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
    let peak = agent_memory(&whole, &home, &engine)?;
    table.value(
        "memory of the agent at its peak, same volume",
        &format!("{:.1} MB", peak as f64 / 1e3),
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

/// Peak memory in kB of the agents of this engine while `vole du` runs.
fn agent_memory(vole: &Vole, home: &Home, engine: &Engine) -> anyhow::Result<u64> {
    let mut child = vole.command(home, &["du", "--json", "many"]).spawn()?;
    let mut peak = 0;
    let mut pids: Vec<String> = Vec::new();
    while child.try_wait()?.is_none() {
        if pids.is_empty() {
            pids = helper_pids(engine);
        }
        peak = pids.iter().map(|pid| peak_of(pid)).max().unwrap_or(0).max(peak);
        std::thread::sleep(Duration::from_millis(10));
    }
    ensure!(peak > 0, "the agent was never seen");
    Ok(peak)
}

/// The processes of the helpers that run.
fn helper_pids(engine: &Engine) -> Vec<String> {
    let pid = |id: String| {
        let output = engine.try_run(&["inspect", "-f", "{{.State.Pid}}", &id]);
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let pids = engine.helper_ids().into_iter().map(pid);
    pids.filter(|pid| !pid.is_empty() && pid != "0").collect()
}

/// The most memory in kB that a process had; 0 of one that is gone.
fn peak_of(pid: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|word| word.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024 / 1000
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
