//! What the screen costs: time to the first frame, memory, bytes and time per key, huge directories.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use vole_test_support::{FakeEngine, FakeFleet, Home, PATIENCE, Pty, Vole};

use super::stats::{Table, median, quantile};
use super::{PAIRS, docker, tree};

/// Everything that needs no real engine.
pub(crate) fn run(vole: &Vole, table: &mut Table) -> anyhow::Result<()> {
    for (volumes, containers) in [(1_000, 200), (10_000, 200)] {
        let fleet = FakeFleet::new(volumes, containers);
        let engine = FakeEngine::start(move |request| fleet.reply(request));
        let vole = vole.on(engine.host());
        let what = format!("{volumes} volumes, {containers} containers");
        starts(&vole, &what, table);
        keys(&vole, &what, table)?;
    }
    Ok(())
}

fn starts(vole: &Vole, what: &str, table: &mut Table) {
    let (mut drawn, mut listed, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        let home = Home::new();
        let mut pty = Pty::start(&home, &vole.line(&[]), 120, 40);
        pty.wait_until("a first screen", PATIENCE, |screen| {
            !screen.contents().trim().is_empty()
        });
        drawn.push(pty.started.elapsed().as_secs_f64());
        pty.wait_until("rows", PATIENCE, |screen| screen.contents().contains("_volume0"));
        listed.push(pty.started.elapsed().as_secs_f64());
        pty.settle(Duration::from_millis(1000), PATIENCE);
        memory.push(pty.peak_memory_kib() as f64 * 1024.0 / 1e6);
        pty.keys("q");
        pty.wait_exit(PATIENCE);
    }
    table.times(&format!("from exec to the first screen ({what})"), &drawn);
    table.times(&format!("from exec to rows on the screen ({what})"), &listed);
    table.value(
        &format!("memory of vole at its peak ({what})"),
        &format!("{:.1} MB", median(&memory)),
    );
}

/// Bytes to the terminal and time until the screen has changed, per key.
fn keys(vole: &Vole, what: &str, table: &mut Table) -> anyhow::Result<()> {
    let home = Home::new();
    let mut pty = Pty::start(&home, &vole.line(&[]), 120, 40);
    pty.wait_until("rows", PATIENCE, |screen| screen.contents().contains("_volume0"));
    pty.settle(Duration::from_millis(1500), PATIENCE);
    for open in [false, true] {
        let (bytes, times) = moves(&mut pty, 200)?;
        let pane = if open { "details open" } else { "details closed" };
        table.value(
            &format!("bytes to the terminal per cursor key at 120×40, {pane} ({what})"),
            &format!("{:.0} (p99 {:.0})", median(&bytes), quantile(&bytes, 0.99)),
        );
        table.value(
            &format!("from key to changed screen, {pane} ({what})"),
            &format!(
                "{:.1} ms (p99 {:.1})",
                median(&times) * 1e3,
                quantile(&times, 0.99) * 1e3
            ),
        );
        pty.keys("i");
        pty.settle(Duration::from_millis(500), PATIENCE);
    }
    let (_, filter) = timed(&mut pty, "/")?;
    let (_, letter) = timed(&mut pty, "9")?;
    table.value(
        &format!("from key to changed screen: opening the filter, its first letter ({what})"),
        &format!("{:.1} ms, {:.1} ms", filter * 1e3, letter * 1e3),
    );
    // The first closes the field, the second ends the program.
    pty.keys("<ctrl-c><ctrl-c>");
    pty.wait_exit(PATIENCE);
    Ok(())
}

fn moves(pty: &mut Pty, count: usize) -> anyhow::Result<(Vec<f64>, Vec<f64>)> {
    let (mut bytes, mut times) = (Vec::new(), Vec::new());
    for index in 0..count {
        // Ten down, five up: moving over the edge of the page scrolls, which is part of the price.
        let key = if index % 15 < 10 { "<down>" } else { "<up>" };
        let (sent, took) = timed(pty, key)?;
        bytes.push(sent as f64);
        times.push(took);
    }
    Ok((bytes, times))
}

/// Presses one key; bytes until the terminal rests, and seconds until its first byte.
fn timed(pty: &mut Pty, key: &str) -> anyhow::Result<(usize, f64)> {
    let before = pty.sent();
    let start = Instant::now();
    pty.keys(key);
    while pty.sent() == before {
        if start.elapsed() > Duration::from_secs(10) {
            return Err(anyhow::anyhow!("nothing happened at {key}\n{}", pty.text()));
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    let took = start.elapsed().as_secs_f64();
    pty.settle(Duration::from_millis(25), PATIENCE);
    Ok((pty.sent() - before, took))
}

/// A directory of half a million entries, through a helper of a real engine.
pub(crate) fn directory(vole: &Vole, table: &mut Table) -> anyhow::Result<()> {
    let engine = docker()?;
    engine.run(["volume", "create", "flat"]);
    eprintln!("making a directory of 500,000 entries …");
    tree::flat(&engine.mount_point("flat").join("d"), 500_000)?;
    std::fs::write(engine.mount_point("flat").join("beside"), "x")?;
    // The largest, so that it is on the first page by size only.
    std::fs::write(engine.mount_point("flat").join("d/entry-250000"), "x")?;
    let vole = vole.on(engine.host());
    let (mut opened, mut again, mut first, mut by_size, mut further) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..5 {
        let home = Home::new();
        let mut pty = Pty::start(&home, &vole.line(&[]), 120, 40);
        pty.wait_for("flat", PATIENCE);
        pty.settle(Duration::from_millis(3000), PATIENCE);
        let start = Instant::now();
        pty.keys("<enter>");
        pty.wait_for("beside", PATIENCE);
        opened.push(start.elapsed().as_secs_f64());
        pty.keys("<esc>");
        pty.wait_gone("beside", PATIENCE);
        pty.settle(Duration::from_millis(300), PATIENCE);
        let start = Instant::now();
        pty.keys("<enter>");
        pty.wait_for("beside", PATIENCE);
        again.push(start.elapsed().as_secs_f64());
        pty.settle(Duration::from_millis(1500), PATIENCE);
        let start = Instant::now();
        pty.keys("g<enter>");
        pty.wait_for("entry-", PATIENCE);
        first.push(start.elapsed().as_secs_f64());
        pty.settle(Duration::from_millis(1500), PATIENCE);
        for _ in 0..40 {
            let (_, took) = timed(&mut pty, "<pagedown>").context("paging down")?;
            further.push(took);
        }
        pty.keys("g");
        let start = Instant::now();
        pty.keys("s");
        pty.wait_for("entry-250000", PATIENCE);
        by_size.push(start.elapsed().as_secs_f64());
        pty.keys("<ctrl-c>");
        pty.wait_exit(PATIENCE);
    }
    table.times("opening a volume's files, helper started", &opened);
    table.times("opening them again, same helper", &again);
    table.times("a directory of 500,000 entries: its first page by name", &first);
    table.times("the same: its first page by size", &by_size);
    table.value(
        "the same: paging down, key to screen",
        &format!(
            "{:.1} ms (p99 {:.1})",
            median(&further) * 1e3,
            quantile(&further, 0.99) * 1e3
        ),
    );
    Ok(())
}
