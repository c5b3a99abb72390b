//! The checks that take too long for every run of the tests: a minute of idleness, a million entries, huge files.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, fchown, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use vole_test_support::{Engine, FakeEngine, FakeFleet, Home, PATIENCE, Pty, Vole, likeness};

use crate::bench::{docker, grow};
use crate::{peaks, program};

/// Entries of the large tree.
const MILLION: usize = 1_000_000;
/// What the agent and the program may take at a million entries, in kB.
const AGENT: u64 = 64_000;
const CLIENT: u64 = 40_000;

/// A check; it fails where what it looks at is not so.
type Check = fn(&Vole) -> anyhow::Result<()>;

const CHECKS: [(&str, Check); 4] = [
    ("idle", idle_minute),
    ("volumes", many_volumes),
    ("huge", huge_file),
    ("million", million),
];

/// Runs them all, or those that are named; the first that fails ends it.
pub(crate) fn run(only: &[&str]) -> anyhow::Result<()> {
    let known = |name: &&&str| CHECKS.iter().any(|(known, _)| *known == **name);
    if let Some(unknown) = only.iter().find(|name| !known(name)) {
        bail!(
            "no check is called {unknown}; there are: {}",
            CHECKS.map(|(name, _)| name).join(" ")
        );
    }
    let vole = program::vole()?;
    for (_, check) in CHECKS.iter().filter(|(name, _)| only.is_empty() || only.contains(name)) {
        check(&vole)?;
    }
    println!("all is well");
    Ok(())
}

/// On an engine without events: no byte to the terminal, under 10 ms of the processor.
fn idle_minute(vole: &Vole) -> anyhow::Result<()> {
    let fleet = FakeFleet::new(1_000, 200);
    let engine = FakeEngine::start(move |request| fleet.reply(request));
    let home = Home::new();
    let mut pty = Pty::start(&home, &vole.on(engine.host()).line(&[]), 120, 40);
    pty.wait_for("_volume0", PATIENCE);
    pty.settle(Duration::from_secs(12), PATIENCE);
    let (sent, cpu, asked) = (pty.sent(), pty.cpu_times(), engine.requests().len());
    std::thread::sleep(Duration::from_secs(60));
    let (sent, cpu, asked) = (
        pty.sent() - sent,
        pty.cpu_times().since(&cpu),
        engine.requests().len() - asked,
    );
    println!("a minute of idleness: {sent} bytes to the terminal, {cpu:?} of the processor, {asked} requests");
    ensure!(
        sent == 0 && asked == 0 && cpu < Duration::from_millis(10),
        "idle is not idle"
    );
    pty.keys("q");
    pty.wait_exit(PATIENCE);
    Ok(())
}

/// Ten thousand volumes stay within 60 MB and end on `q`.
fn many_volumes(vole: &Vole) -> anyhow::Result<()> {
    let fleet = FakeFleet::new(10_000, 200);
    let engine = FakeEngine::start(move |request| fleet.reply(request));
    let home = Home::new();
    let mut pty = Pty::start(&home, &vole.on(engine.host()).line(&[]), 120, 40);
    pty.wait_for("_volume0", PATIENCE);
    pty.settle(Duration::from_secs(2), PATIENCE);
    pty.keys("Ggs/99<enter>");
    pty.settle(Duration::from_secs(1), PATIENCE);
    let memory = pty.peak_memory_kib() as f64 * 1024.0 / 1e6;
    println!("10,000 volumes: {memory:.1} MB");
    ensure!(memory < 60.0, "10,000 volumes take {memory:.1} MB");
    pty.keys("<ctrl-c>");
    pty.wait_exit(PATIENCE);
    Ok(())
}

/// A sparse file of 9 GiB: its end is read at once, and a range of it costs no more than the range.
fn huge_file(vole: &Vole) -> anyhow::Result<()> {
    let engine = docker()?;
    let vole = vole.on(engine.host());
    engine.run(["volume", "create", "huge"]);
    let file = File::create(engine.mount_point("huge").join("file"))?;
    file.set_len(9 << 30)?;
    let home = Home::new();
    let mut pty = Pty::start(&home, &vole.line(&[]), 120, 40);
    pty.wait_for("huge", PATIENCE);
    pty.settle(Duration::from_secs(2), PATIENCE);
    pty.keys("<enter>");
    pty.wait_for("file", PATIENCE);
    pty.keys("g<enter>");
    pty.settle(Duration::from_secs(1), PATIENCE);
    pty.keys("G");
    pty.settle(Duration::from_secs(1), PATIENCE);
    let memory = pty.peak_memory_kib() as f64 * 1024.0 / 1e6;
    println!("the end of a file of 9 GiB: {memory:.1} MB");
    ensure!(
        memory < 40.0,
        "looking at a huge file takes {memory:.1} MB\n{}",
        pty.text()
    );
    pty.keys("<ctrl-c>");
    pty.wait_exit(PATIENCE);
    engine.run(["volume", "rm", "huge"]);
    Ok(())
}

/// A million entries: the sums are those of GNU du, and an archive of them brings all of it back, in little memory.
fn million(vole: &Vole) -> anyhow::Result<()> {
    let engine = docker()?;
    let (vole, home) = (vole.on(engine.host()), Home::new());
    engine.run(["volume", "create", "many"]);
    let path = engine.mount_point("many");
    let entries = grow(&path, MILLION)? + vary(&path)?;
    sums(&vole, &path, entries)?;
    let before = likeness(&path);
    ensure!(before.len() > MILLION, "the tree has only {} entries", before.len());
    let to = engine.dir().display().to_string();
    let copied = measured(&engine, &vole, &home, &["backup", "many", "--to", &to, "--json"], true)?;
    let archive = copied["archives"][0]["path"]
        .as_str()
        .context("it says where the archive is")?;
    ensure!(
        copied["archives"][0]["status"] == "ok",
        "the archive is partial: {copied}"
    );
    let checked = measured(&engine, &vole, &home, &["verify", archive, "--json"], false)?;
    ensure!(checked["status"] == "ok", "the archive is not whole: {checked}");
    measured(
        &engine,
        &vole,
        &home,
        &["restore", archive, "--as", "again", "--yes", "--json"],
        true,
    )?;
    let after = likeness(&engine.mount_point("again"));
    if let Some((one, other)) = before.iter().zip(&after).find(|(one, other)| one != other) {
        bail!("it came back differently:\n{one}\n{other}");
    }
    ensure!(
        before.len() == after.len(),
        "{} entries came back of {}",
        after.len(),
        before.len()
    );
    println!("{} entries came back as they were", after.len());
    Ok(())
}

/// Runs it to its end, and answers what it printed; told and judged is what it took of memory.
fn measured(engine: &Engine, vole: &Vole, home: &Home, args: &[&str], helped: bool) -> anyhow::Result<Value> {
    let start = Instant::now();
    let (output, peaks) = peaks::watch(engine, vole.command(home, args).spawn()?)?;
    let what = args.first().copied().unwrap_or_default();
    println!(
        "{what}: {:.1} s, the agent and vole at their peak {peaks}",
        start.elapsed().as_secs_f64()
    );
    ensure!(
        output.status.success(),
        "{what} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    ensure!(
        (peaks.agent > 0) == helped,
        "{what}: the agent's peak is {} kB",
        peaks.agent
    );
    ensure!(
        peaks.agent <= AGENT && peaks.client <= CLIENT,
        "{what} takes too much memory"
    );
    serde_json::from_slice(&output.stdout).with_context(|| format!("{what} prints one document"))
}

/// Both sums of a tree.
fn sums(vole: &Vole, path: &Path, entries: usize) -> anyhow::Result<()> {
    let document = vole.run(&["du", "--json", "many"]).json();
    let entry = &document["entries"][0];
    let output = Command::new("du")
        .args(["-s", "-x", "--block-size=1"])
        .arg(path)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let theirs: u64 = text.split_whitespace().next().context("du prints a number")?.parse()?;
    println!("{entries} entries: {} bytes, GNU du {theirs}", entry["bytes"]);
    ensure!(entry["bytes"] == theirs, "vole and du count differently");
    Ok(())
}

/// Gives the entries of a tree owners, modes and times that differ, and each hundredth directory a symlink and a FIFO.
/// Returns how many entries that makes.
fn vary(root: &Path) -> anyhow::Result<usize> {
    let (mut made, mut count) = (0, 0_u32);
    let (mut left, mut directories) = (vec![root.to_owned()], Vec::new());
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            count += 1;
            match entry.file_type()?.is_dir() {
                true => left.push(entry.path()),
                false => mark(&entry.path(), count)?,
            }
        }
        directories.push(dir);
        if directories.len() % 100 == 0 {
            let dir = directories.last().context("it was pushed")?;
            symlink(format!("../nowhere/{count}"), dir.join("link"))?;
            ensure!(
                Command::new("mkfifo").arg(dir.join("fifo")).status()?.success(),
                "mkfifo fails"
            );
            made += 2;
        }
    }
    // The deepest first: what changes in a directory sets its time.
    for dir in directories.iter().rev() {
        count += 1;
        mark(dir, count)?;
    }
    Ok(made)
}

/// Gives a file or directory the owner, mode and time of a number.
fn mark(path: &Path, number: u32) -> anyhow::Result<()> {
    let time = SystemTime::UNIX_EPOCH
        + Duration::new(
            1_600_000_000 + u64::from(number),
            number.wrapping_mul(997) % 1_000_000_000,
        );
    let file = File::open(path)?;
    fchown(&file, Some(number % 70_000), Some(number % 777))?;
    file.set_permissions(fs::Permissions::from_mode(number.wrapping_mul(37) & 0o7777))?;
    file.set_modified(time).with_context(|| path.display().to_string())
}
