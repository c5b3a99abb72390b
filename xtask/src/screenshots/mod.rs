//! Screenshots: the real program on a pseudo-terminal, its screen drawn as SVG, the SVG as PNG.

mod scenes;
mod svg;

use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use sha2::{Digest as _, Sha256};
use vole_test_support::{Home, PATIENCE, Pty, Vole};

use crate::program;
use scenes::{SCENES, SIZES, Scene, Step};

/// Lists the digest of every picture, so that a PNG that belongs to another SVG is noticed without drawing it.
const SUMS: &str = "SHA256SUMS";

/// Where the demo's archives stand for as long as a scene is played; pictures show it.
const ARCHIVES: &str = "/tmp/vole-demo";

/// What makes the demo show the same on every machine and every day.
const REPRODUCIBLE: &[(&str, &str)] = &[
    ("VOLE_DEMO_NOW", "2026-01-15T09:30:00Z"),
    ("VOLE_DEMO_INSTANT", "1"),
    ("COLORTERM", "truecolor"),
    ("VOLE_DEMO_ARCHIVES", ARCHIVES),
];

/// Makes every picture anew.
pub(crate) fn make() -> anyhow::Result<()> {
    let (vole, dir) = (program::vole()?, program::root()?.join("screenshots"));
    fs::create_dir_all(&dir)?;
    let mut sums = String::new();
    for (name, drawn) in draw_all(&vole)? {
        let (svg, png) = (dir.join(format!("{name}.svg")), dir.join(format!("{name}.png")));
        fs::write(&svg, drawn)?;
        to_png(&svg, &png)?;
        for path in [svg, png] {
            writeln!(sums, "{}  {}", digest(&path)?, file_name(&path)?)?;
        }
        println!("{name}");
    }
    fs::write(dir.join(SUMS), sums)?;
    Ok(())
}

/// Checks that the pictures in the project are what the program shows now.
pub(crate) fn check() -> anyhow::Result<()> {
    let (vole, dir) = (program::vole()?, program::root()?.join("screenshots"));
    let sums = fs::read_to_string(dir.join(SUMS)).context("screenshots/SHA256SUMS")?;
    let mut stale = Vec::new();
    for line in sums.lines() {
        let (sum, name) = line
            .split_once("  ")
            .context("a line of SHA256SUMS is no digest and name")?;
        if digest(&dir.join(name))? != sum {
            stale.push(format!("{name} is not the file that was made"));
        }
    }
    for (name, drawn) in draw_all(&vole)? {
        let path = dir.join(format!("{name}.svg"));
        if !sums.contains(&format!("  {name}.png")) {
            stale.push(format!("{name}.png is missing"));
        }
        if fs::read_to_string(&path).is_ok_and(|have| have == drawn) {
            continue;
        }
        let now = program::root()?.join("target").join(format!("{name}.svg"));
        fs::write(&now, drawn)?;
        stale.push(format!(
            "{name}.svg differs from what vole shows now ({})",
            now.display()
        ));
    }
    ensure!(
        stale.is_empty(),
        "{}\nmake them anew: cargo run -p xtask -- screenshots",
        stale.join("\n")
    );
    println!("screenshots are current");
    Ok(())
}

/// Makes one picture of whatever is asked for: `[COLUMNSxROWS] [KEYS] [-- ARGUMENTS]`.
pub(crate) fn shot(words: &[&str]) -> anyhow::Result<()> {
    let (own, args) = match words.iter().position(|word| *word == "--") {
        Some(at) => (words.get(..at).unwrap_or(words), words.get(at + 1..).unwrap_or(&[])),
        None => (words, ["--demo"].as_slice()),
    };
    let size = own.first().map_or(Some((80, 24)), |word| {
        let (columns, rows) = word.split_once('x')?;
        Some((columns.parse().ok()?, rows.parse().ok()?))
    });
    let Some((columns, rows)) = size else {
        bail!("a size is COLUMNSxROWS, as in 80x24")
    };
    let home = Home::new();
    let mut pty = Pty::start(&home, &program::vole()?.line(args), columns, rows);
    pty.settle(Duration::from_millis(1500), PATIENCE);
    // `,` between keys waits for the screen to come to rest.
    for keys in own.get(1).into_iter().flat_map(|keys| keys.split(',')) {
        pty.keys(keys);
        pty.settle(Duration::from_millis(700), PATIENCE);
    }
    let svg = program::root()?.join("target/shot.svg");
    fs::write(&svg, svg::draw(&pty.screen()))?;
    println!("{}", pty.text());
    to_png(&svg, &svg.with_extension("png"))?;
    println!("{}", svg.with_extension("png").display());
    Ok(())
}

fn draw_all(vole: &Vole) -> anyhow::Result<Vec<(String, String)>> {
    let mut drawn = Vec::new();
    for scene in SCENES {
        for (columns, rows) in SIZES {
            let name = format!("{}-{columns}x{rows}", scene.name);
            let picture = play(vole, scene, *columns, *rows);
            match fs::remove_dir_all(ARCHIVES) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error).context(ARCHIVES),
                _ => drawn.push((name, picture)),
            }
        }
    }
    Ok(drawn)
}

/// Plays a scene's script and draws what then stands on the screen.
fn play(vole: &Vole, scene: &Scene, columns: u16, rows: u16) -> String {
    let home = Home::new();
    let mut pty = Pty::start_with(&home, &vole.line(scene.args), columns, rows, REPRODUCIBLE);
    for step in scene.script {
        match step {
            Step::Keys(keys) => pty.keys(keys),
            Step::Shows(text) => {
                pty.wait_for(text, PATIENCE);
            }
            Step::Hides(text) => {
                pty.wait_gone(text, PATIENCE);
            }
        }
    }
    pty.settle(Duration::from_millis(400), PATIENCE);
    svg::draw(&pty.screen())
}

fn to_png(svg: &Path, png: &Path) -> anyhow::Result<()> {
    let status = Command::new("rsvg-convert")
        .args(["--output"])
        .arg(png)
        .arg(svg)
        .status()
        .context("rsvg-convert does not start (apt-get install librsvg2-bin fonts-dejavu-core)")?;
    ensure!(status.success(), "rsvg-convert failed on {}", svg.display());
    Ok(())
}

fn digest(path: &Path) -> anyhow::Result<String> {
    let bytes = fs::read(path).with_context(|| path.display().to_string())?;
    Ok(Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

fn file_name(path: &Path) -> anyhow::Result<String> {
    Ok(path
        .file_name()
        .context("a file has a name")?
        .to_string_lossy()
        .into_owned())
}
