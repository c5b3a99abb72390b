//! Watches how much memory a run of `vole`, and the agent that works for it, take.

use std::process::{Child, Output};
use std::time::{Duration, Instant};

use vole_test_support::Engine;

/// How often the engine is asked for the helpers.
const AGAIN: Duration = Duration::from_millis(200);

/// The most memory of both sides over a run, in kB.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Peaks {
    /// Of the helpers' agents; 0 where there was none.
    pub(crate) agent: u64,
    /// Of the program itself.
    pub(crate) client: u64,
}

impl std::fmt::Display for Peaks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.1} MB; {:.1} MB",
            self.agent as f64 / 1e3,
            self.client as f64 / 1e3
        )
    }
}

/// Watches a run to its end, which prints no more than a pipe holds.
///
/// # Errors
///
/// When it cannot be waited for.
pub(crate) fn watch(engine: &Engine, mut child: Child) -> anyhow::Result<(Output, Peaks)> {
    let mut peaks = Peaks::default();
    let (mut agents, mut looked) = (Vec::new(), None::<Instant>);
    while child.try_wait()?.is_none() {
        peaks.client = peaks.client.max(of(&child.id().to_string()));
        // One helper may follow another.
        if looked.is_none_or(|looked| looked.elapsed() > AGAIN) {
            agents = helper_pids(engine);
            looked = Some(Instant::now());
        }
        peaks.agent = agents.iter().map(|pid| of(pid)).max().unwrap_or(0).max(peaks.agent);
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok((child.wait_with_output()?, peaks))
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
fn of(pid: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|word| word.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024 / 1000
}
