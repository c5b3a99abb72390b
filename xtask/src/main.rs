//! Commands of the project that are no part of the product: screenshots now, benchmarks and heavy checks.

mod bench;
mod docs;
mod heavy;
mod peaks;
mod program;
mod screenshots;

use std::process::ExitCode;

use vole_test_support::{Engine, Family, Fleet};

const USAGE: &str = "\
cargo run -p xtask -- docs [--check]           writes the generated parts of the documents, or checks that they are current
cargo run -p xtask -- screenshots [--check]    makes screenshots/ from the real program, or checks that they are current
cargo run -p xtask -- shot [COLUMNSxROWS] [KEYS] [-- VOLE ARGUMENTS]
                                               one picture of anything, as target/shot.svg and target/shot.png
cargo run -p xtask -- engine docker|podman     a private engine with the tests' fleet, until its input ends
cargo run -p xtask --release -- bench [screen] [volumes] [tree] [directory] [chown] [doctor] [backups] [restores]
                                               [large]
                                               measures, and prints the README's table; needs root and 3 GB under /tmp
cargo run -p xtask --release -- heavy [CHECK ...]
                                               the long checks, or those that are named: idle, volumes, huge, million";

/// Keeps a private engine with the fleet of the tests for whoever wants to look at it.
fn engine(family: &str) -> anyhow::Result<()> {
    let family = match family {
        "docker" => Family::Docker,
        "podman" => Family::Podman,
        _ => anyhow::bail!("an engine is docker or podman"),
    };
    let engine = Engine::start(family).map_err(|why| anyhow::anyhow!("no private engine: {}", why.0))?;
    let fleet = Fleet::build(&engine);
    println!(
        "--host {}\nits directory: {}\nCONTAINERS_CONF there: containers.conf\nanonymous orphan: {}",
        engine.host(),
        engine.dir().display(),
        fleet.anonymous_orphan
    );
    println!("end of input (ctrl-d) ends it");
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["docs"] => docs::run(false),
        ["docs", "--check"] => docs::run(true),
        ["screenshots"] => screenshots::make(),
        ["screenshots", "--check"] => screenshots::check(),
        ["bench", only @ ..] => bench::run(only),
        ["engine", family] => engine(family),
        ["heavy", only @ ..] => heavy::run(only),
        ["shot", rest @ ..] => screenshots::shot(rest),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
