//! Builds the agent for every architecture that can be built here and hands it to `src/engine/embedded.rs`.
//!
//! The agent is a static Linux program, so it is built by a cargo of its own: another target (musl where installed,
//! else this target's glibc, linked statically), another profile, a target directory inside `OUT_DIR`. Debug builds
//! carry the agent of their own architecture only, unless `VOLE_AGENTS=all` asks for all whose targets are installed: then one
//! that does not build is an error. `VOLE_AGENT_X86_64` and `VOLE_AGENT_AARCH64` name finished programs instead.

use std::env;
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Architectures as `uname -m` names them, and their overrides.
const ARCHITECTURES: [(&str, &str); 2] = [("x86_64", "VOLE_AGENT_X86_64"), ("aarch64", "VOLE_AGENT_AARCH64")];

/// What the outer cargo sets for this build and the inner one must not inherit: wrappers (clippy), flags, targets.
const OUTER: [&str; 12] = [
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_BUILD_BUILD_DIR",
    "CARGO_TARGET_DIR",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
    "CLIPPY_ARGS",
];

fn main() -> Result<()> {
    for input in ["build.rs", "Cargo.toml", "Cargo.lock", "agent/Cargo.toml", "agent/src"] {
        println!("cargo::rerun-if-changed={input}");
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let own = env::var("CARGO_CFG_TARGET_ARCH")?;
    let on_linux = env::var("CARGO_CFG_TARGET_OS")? == "linux";
    println!("cargo::rerun-if-env-changed=VOLE_AGENTS");
    let all = env::var_os("VOLE_AGENTS").is_some_and(|agents| agents == "all");
    let few = env::var("PROFILE")? == "debug" && !all;
    let mut table = String::from("[");
    for (arch, variable) in ARCHITECTURES {
        println!("cargo::rerun-if-env-changed={variable}");
        let is_own = arch == own;
        let program = match env::var_os(variable) {
            Some(path) => {
                println!("cargo::rerun-if-changed={}", Path::new(&path).display());
                Some((PathBuf::from(path), "given".to_owned()))
            }
            None if few && !is_own => continue,
            None => match build(arch, is_own, &out) {
                Ok(program) => program,
                Err(error) if all || (is_own && on_linux) => return Err(error),
                // Another architecture is a bonus; an engine that needs it gets a message that says what to do.
                Err(error) => {
                    println!(
                        "cargo::warning=no agent for {arch}: {}",
                        error.to_string().replace('\n', " ")
                    );
                    continue;
                }
            },
        };
        match program {
            Some((program, target)) => embed(arch, &program, &target, &out, &mut table)?,
            None => println!("no agent for {arch}: its target is not installed"),
        }
    }
    table.push(']');
    fs::write(out.join("agents.rs"), table)?;
    Ok(())
}

/// Copies a program to where it is included from and writes its line of the table.
fn embed(arch: &str, program: &Path, target: &str, out: &Path, table: &mut String) -> Result<()> {
    let bytes = fs::read(program).map_err(|error| format!("reading the agent {}: {error}", program.display()))?;
    if !bytes.starts_with(b"\x7fELF") {
        return Err(format!("{} is no program for Linux", program.display()).into());
    }
    let copy = out.join(format!("agent-{arch}"));
    fs::write(&copy, &bytes)?;
    let mut hash = String::new();
    for byte in Sha256::digest(&bytes).iter().take(8) {
        write!(hash, "{byte:02x}")?;
    }
    write!(
        table,
        "({arch:?}, Embedded {{ bytes: include_bytes!({copy:?}), hash: {hash:?}, target: {target:?} }}),"
    )?;
    Ok(())
}

/// Builds the agent and says for which target; `None` when nothing here can build for the architecture.
fn build(arch: &str, is_own: bool, out: &Path) -> Result<Option<(PathBuf, String)>> {
    let root = env::var("CARGO_MANIFEST_DIR")?;
    let rustc = env::var("RUSTC")?;
    let musl = format!("{arch}-unknown-linux-musl");
    let mut flags = vec!["-Ctarget-feature=+crt-static".to_owned()];
    let target = if installed(&rustc, &musl)? {
        if !is_own && !linker_configured(&musl) {
            // What little C is in the agent needs no start files, so the linker that comes with Rust links it.
            flags.extend(["-Clinker=rust-lld".to_owned(), "-Clinker-flavor=ld.lld".to_owned()]);
        }
        musl
    } else if is_own && env::var("CARGO_CFG_TARGET_OS")? == "linux" {
        env::var("TARGET")?
    } else {
        return Ok(None);
    };
    let target_dir = out.join("agent-target");
    let mut cargo = Command::new(env::var_os("CARGO").ok_or("cargo did not say where it is")?);
    for name in OUTER {
        cargo.env_remove(name);
    }
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PROFILE_")) {
            cargo.env_remove(name);
        }
    }
    // Paths of this machine have no place in the program, nor in its hash.
    flags.push(format!("--remap-path-prefix={root}=."));
    if let Some(home) =
        env::var_os("CARGO_HOME").or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".cargo").into()))
    {
        flags.push(format!("--remap-path-prefix={}=cargo", Path::new(&home).display()));
    }
    let mut features = Vec::new();
    match c_compiler(arch, &target, is_own, out) {
        Some(compiler) => {
            let name = target.replace('-', "_");
            cargo.env(format!("CC_{name}"), &compiler);
            cargo.env(format!("CFLAGS_{name}"), c_flags(&name));
        }
        None => {
            println!("no C compiler for {target}: this agent compresses by gzip alone");
            features.extend(["--no-default-features", "--features", "pure"]);
        }
    }
    let output = cargo
        .current_dir(&root)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .args([
            "build",
            "--locked",
            "--quiet",
            "--profile",
            "agent",
            "--package",
            "vole-agent",
            "--bin",
            "vole-agent",
        ])
        .args(features)
        .args(["--target", &target, "--target-dir"])
        .arg(&target_dir)
        .output()
        .map_err(|error| format!("starting cargo: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "building the agent for {target} failed; VOLE_AGENT_{}=PATH names a finished one instead:\n{said}",
            arch.to_uppercase()
        )
        .into());
    }
    Ok(Some((target_dir.join(&target).join("agent/vole-agent"), target)))
}

/// A C compiler whose programs the target's linker takes: the user's own choice, the target's, or the host's for its own
/// architecture (what zstd asks of a C library's headers is the same in glibc and musl).
fn c_compiler(arch: &str, target: &str, is_own: bool, out: &Path) -> Option<OsString> {
    let chosen = [format!("CC_{}", target.replace('-', "_")), format!("CC_{target}")];
    let chosen = chosen.into_iter().find_map(|name| {
        println!("cargo::rerun-if-env-changed={name}");
        env::var_os(name)
    });
    let mut candidates: Vec<String> = vec![format!("{arch}-linux-musl-gcc"), format!("{arch}-linux-gnu-gcc")];
    if is_own {
        candidates.insert(0, "musl-gcc".to_owned());
        candidates.extend(["cc", "gcc", "clang"].map(str::to_owned));
    }
    if !target.ends_with("musl") {
        candidates.retain(|name| !name.contains("musl"));
    }
    let candidates = candidates.into_iter().map(OsString::from);
    chosen
        .into_iter()
        .chain(candidates)
        .find(|compiler| compiles(compiler, out))
}

/// Whether a C compiler is there and finds the headers that zstd includes.
fn compiles(compiler: &OsStr, out: &Path) -> bool {
    let probe = out.join("probe.c");
    let source = "#include <pthread.h>\n#include <stdlib.h>\n#include <string.h>\nint probe(void) { return 0; }\n";
    if fs::write(&probe, source).is_err() {
        return false;
    }
    let mut command = Command::new(compiler);
    command.arg("-c").arg(&probe).arg("-o").arg(out.join("probe.o"));
    command.output().is_ok_and(|output| output.status.success())
}

/// Flags for the C in the agent: without what levels above the first compress by, which would be half of its size, and
/// without the checks for which only glibc has the functions.
fn c_flags(target: &str) -> String {
    let name = format!("CFLAGS_{target}");
    println!("cargo::rerun-if-env-changed={name}");
    let mut flags = env::var(name).unwrap_or_default();
    flags.push_str(" -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=0 -fno-stack-protector");
    flags.push_str(" -O2 -DZSTD_STRIP_ERROR_STRINGS=1 -ffunction-sections -fdata-sections");
    for strategy in ["DFAST", "GREEDY", "LAZY", "LAZY2", "BTLAZY2", "BTOPT", "BTULTRA"] {
        flags.push_str(&format!(" -DZSTD_EXCLUDE_{strategy}_BLOCK_COMPRESSOR"));
    }
    flags
}

/// Whether the standard library for a target is there.
fn installed(rustc: &str, target: &str) -> Result<bool> {
    let output = Command::new(rustc).args(["--print", "sysroot"]).output()?;
    let sysroot = String::from_utf8(output.stdout)?;
    Ok(Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(target)
        .join("lib")
        .is_dir())
}

/// Whether the user has named a linker for a target.
fn linker_configured(target: &str) -> bool {
    let name = format!("CARGO_TARGET_{}_LINKER", target.to_uppercase().replace('-', "_"));
    println!("cargo::rerun-if-env-changed={name}");
    env::var_os(name).is_some()
}
