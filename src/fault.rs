//! Named points at which a test kills the program, to see what a crash there leaves. For tests: a release build has none.

/// The variable that names the point.
#[cfg(debug_assertions)]
const VARIABLE: &str = "VOLE_FAULT";

/// In a debug build, when `VOLE_FAULT` is this name: kills the process at once, with SIGKILL, so that nothing is cleaned up.
#[cfg(debug_assertions)]
pub fn point(name: &str) {
    use rustix::process::{Signal, getpid, kill_process};
    if std::env::var_os(VARIABLE).is_none_or(|wanted| wanted != name) {
        return;
    }
    if let Err(error) = kill_process(getpid(), Signal::KILL) {
        // What a test waits for must not go on as if nothing had been asked.
        tell(&format!("cannot die at {name}: {error}"));
        std::process::abort();
    }
    // The signal may reach another thread first: nothing behind this point may run meanwhile.
    loop {
        std::thread::park();
    }
}

#[cfg(debug_assertions)]
fn tell(what: &str) {
    use std::io::Write as _;
    // Nobody is left to be told when that fails.
    let _told = writeln!(std::io::stderr(), "vole: {what}");
}

/// Nothing, in a release build.
#[cfg(not(debug_assertions))]
pub fn point(_name: &str) {}
