//! The guard: a process of its own that removes what vole leaves when it is killed. Knows labels, not helpers' work.
//!
//! It holds the reading end of a pipe whose writing end only vole has. Vole writes one byte before it makes a
//! container and another when one is gone; at the pipe's end, which comes with vole's however it ends, the guard
//! removes every container of the session unless all were removed already.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::client::Client;
use super::endpoint::Endpoint;
use super::sweep;

/// The hidden subcommand by which the guard is started.
const SUBCOMMAND: &str = "__guard";
/// The guard's name in process lists; other than vole's, so that `pkill vole` leaves it to its work.
const NAME: &str = "container-guard";
/// What the guard says when it is out of reach of vole's terminal.
const READY: &[u8] = b"!";
const MADE: u8 = b'+';
const REMOVED: u8 = b'-';
/// How long a request that was under way when vole died may still make a container.
const LATECOMERS: Duration = Duration::from_secs(3);
/// How long the guard tries.
const PATIENCE: Duration = Duration::from_secs(15);
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(250);

/// Vole's end: starts the guard before the first container and keeps it informed.
#[derive(Debug)]
pub(super) struct Guard {
    endpoint: String,
    session: String,
    program: OnceLock<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: Option<(Child, ChildStdin)>,
    /// Containers that were made, or asked for, and are not known to be gone.
    left: usize,
}

impl State {
    /// Tells the running guard; whether there is one.
    fn tell(&mut self, note: u8) -> bool {
        let told = self
            .running
            .as_mut()
            .is_some_and(|(_, pipe)| pipe.write_all(&[note]).is_ok());
        if !told {
            self.running = None;
        }
        told
    }
}

impl Guard {
    /// A guard for one engine and session; no process yet.
    pub(super) fn new(endpoint: String, session: String) -> Self {
        Self {
            endpoint,
            session,
            program: OnceLock::new(),
            state: Mutex::default(),
        }
    }

    /// Names the program to start, once; it is this one otherwise.
    pub(super) fn run_by(&self, program: PathBuf) {
        self.program.get_or_init(|| program);
    }

    /// Says that a container is about to be made; starts the guard when it is not there.
    ///
    /// # Errors
    ///
    /// When the guard cannot be started: then nothing may be made.
    pub(super) fn will_make(&self) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.tell(MADE) {
            // The first time, or the guard was killed: then the new one learns of what is there already.
            let (child, mut pipe) = self.spawn()?;
            pipe.write_all(&vec![MADE; state.left + 1])?;
            state.running = Some((child, pipe));
        }
        state.left += 1;
        Ok(())
    }

    /// Says that a container is gone, or was not made after all.
    pub(super) fn is_gone(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.left = state.left.saturating_sub(1);
        // Nobody to tell: the guard was killed; the next container starts another.
        let _told = state.tell(REMOVED);
    }

    fn spawn(&self) -> io::Result<(Child, ChildStdin)> {
        let mut child = Command::new(self.program.get_or_init(own_program))
            .arg0(NAME)
            .args([SUBCOMMAND, &self.endpoint, &self.session])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (Some(pipe), Some(mut said)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the guard has no standard input or output"));
        };
        // Until it says so, ^C and the terminal's end still reach it: nothing may be made before.
        match said.read_exact(&mut [0; READY.len()]) {
            Ok(()) => Ok((child, pipe)),
            Err(error) => {
                drop(pipe);
                let ended = child.wait()?;
                Err(io::Error::other(format!("the guard did not start ({ended}): {error}")))
            }
        }
    }
}

/// The running program, also when its file was replaced or deleted meanwhile.
fn own_program() -> PathBuf {
    let link = PathBuf::from("/proc/self/exe");
    if link.exists() {
        link
    } else {
        std::env::current_exe().unwrap_or(link)
    }
}

/// Runs the guard when this process was started as one; to be called before anything else in `main`.
pub fn main_if_asked() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    if args.next()? != SUBCOMMAND {
        return None;
    }
    let (endpoint, session) = (args.next()?.into_string().ok()?, args.next()?.into_string().ok()?);
    // The name is for people; the guard works without it.
    let _named = File::create("/proc/self/comm").and_then(|mut comm| comm.write_all(NAME.as_bytes()));
    if leave_terminal().is_err() {
        return Some(ExitCode::FAILURE);
    }
    if wait_for_end(io::stdin().lock()) == 0 {
        return Some(ExitCode::SUCCESS);
    }
    Some(match clean_up(&endpoint, &session) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) | Err(_) => ExitCode::FAILURE,
    })
}

/// Starts a session of its own, which neither ^C nor the hang-up of vole's terminal reaches, and says so.
fn leave_terminal() -> io::Result<()> {
    rustix::process::setsid()?;
    let mut out = io::stdout().lock();
    out.write_all(READY)?;
    out.flush()
}

/// Reads until vole is gone; how many containers it left, as far as it could say.
fn wait_for_end(mut pipe: impl Read) -> i64 {
    let mut left = 0;
    let mut notes = [0; 256];
    loop {
        match pipe.read(&mut notes) {
            Ok(0) => return left,
            Ok(n) => {
                for note in &notes[..n] {
                    match *note {
                        MADE => left += 1,
                        REMOVED => left -= 1,
                        _ => {}
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Better one look too many.
            Err(_) => return left.max(1),
        }
    }
}

/// Removes the session's containers until none appears any more; whether it came that far.
fn clean_up(endpoint: &str, session: &str) -> io::Result<bool> {
    let endpoint = Endpoint::parse(endpoint, false).map_err(io::Error::other)?;
    let client = Client::new(endpoint);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let clean = matches!(sweep::remove_session(&client, session).await, Ok(0));
            if clean && started.elapsed() >= LATECOMERS {
                return Ok(true);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(false)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_what_was_made_and_not_removed() {
        assert_eq!(wait_for_end(b"".as_slice()), 0);
        assert_eq!(wait_for_end(b"++-+--".as_slice()), 0);
        assert_eq!(wait_for_end(b"++-".as_slice()), 1);
    }

    #[test]
    fn this_program_is_found() {
        assert!(own_program().exists());
    }
}
