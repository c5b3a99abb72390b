//! The checks that take too long for every run of the tests: a minute of idleness, a million entries, huge files.

use std::fs::File;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use vole_test_support::{Engine, FakeEngine, FakeFleet, Family, Home, PATIENCE, Pty, Vole};

use crate::program;

/// Runs them all; the first that fails ends it.
pub(crate) fn run() -> anyhow::Result<()> {
    let vole = program::vole()?;
    idle_minute(&vole)?;
    many_volumes(&vole)?;
    let engine = Engine::start(Family::Docker).map_err(|why| anyhow!("no private dockerd: {}", why.0))?;
    let vole = vole.on(engine.host());
    huge_file(&vole, &engine)?;
    million(&vole, &engine)?;
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
fn huge_file(vole: &Vole, engine: &Engine) -> anyhow::Result<()> {
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

/// A million entries: the sums are those of GNU du.
fn million(vole: &Vole, engine: &Engine) -> anyhow::Result<()> {
    engine.run(["volume", "create", "many"]);
    let path = engine.mount_point("many");
    let entries = crate::bench::grow(&path, 1_000_000)?;
    let document = vole.run(&["du", "--json", "many"]).json();
    let entry = &document["entries"][0];
    let output = Command::new("du")
        .args(["-s", "-x", "--block-size=1"])
        .arg(&path)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let theirs: u64 = text.split_whitespace().next().context("du prints a number")?.parse()?;
    println!("{entries} entries: {} bytes, GNU du {theirs}", entry["bytes"]);
    ensure!(entry["bytes"] == theirs, "vole and du count differently");
    Ok(())
}
