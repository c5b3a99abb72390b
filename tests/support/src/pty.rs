//! A program on a pseudo-terminal, with the screen that a person would see. Tests send keys and wait for text.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{Read as _, Write};
use std::num::NonZero;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use rustix::process::Signal;

use crate::engine::{alive, kill};
use crate::vole::Home;

/// What came out of the terminal so far.
struct Seen {
    parser: vt100::Parser,
    raw: Vec<u8>,
    last: Instant,
    open: bool,
}

/// A program on a pseudo-terminal.
pub struct Pty {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    /// When the program was started.
    pub started: Instant,
}

impl Pty {
    /// Starts a command line on a terminal of this size, in a hermetic environment.
    pub fn start(home: &Home, line: &[String], columns: u16, rows: u16) -> Self {
        Self::start_with(home, line, columns, rows, &[])
    }

    /// As [`Self::start`], with further variables.
    ///
    /// # Panics
    ///
    /// When no pseudo-terminal can be had or the program does not start.
    pub fn start_with(home: &Home, line: &[String], columns: u16, rows: u16, variables: &[(&str, &str)]) -> Self {
        let size = PtySize {
            rows,
            cols: columns,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let (program, args) = line.split_first().expect("a command line");
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.env_clear();
        for (name, value) in home.variables() {
            command.env(name, value);
        }
        command.env("TERM", "xterm-256color");
        for (name, value) in variables {
            command.env(name, value);
        }
        command.cwd(home.path());
        let started = Instant::now();
        let child = pair.slave.spawn_command(command).expect("the program starts");
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().expect("the terminal can be read");
        let writer = pair.master.take_writer().expect("the terminal can be written");
        let seen = Arc::new((
            Mutex::new(Seen {
                parser: vt100::Parser::new(nonzero(rows), nonzero(columns), 0),
                raw: Vec::new(),
                last: started,
                open: true,
            }),
            Condvar::new(),
        ));
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            loop {
                // The end of a pseudo-terminal is an error (EIO) on Linux.
                let got = reader.read(&mut buffer).unwrap_or(0);
                let mut state = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
                if got == 0 {
                    state.open = false;
                } else {
                    let bytes = buffer.get(..got).unwrap_or(&buffer);
                    state.parser.process(bytes);
                    state.raw.extend_from_slice(bytes);
                    state.last = Instant::now();
                }
                shared.1.notify_all();
                if got == 0 {
                    return;
                }
            }
        });
        Self {
            master: pair.master,
            writer,
            child,
            seen,
            started,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Process id of the program.
    ///
    /// # Panics
    ///
    /// When the program has none (it never does on unix).
    pub fn pid(&self) -> u32 {
        self.child.process_id().expect("a pid")
    }

    /// Sends keys as the terminal would send them: text as it is, names in angle brackets (`<enter>`, `<esc>`,
    /// `<down>`, `<ctrl-d>`, `<space>`, `<lt>`).
    ///
    /// # Panics
    ///
    /// At a name that it does not know, or when the terminal is closed.
    pub fn keys(&mut self, keys: &str) {
        let bytes = encode(keys);
        self.writer.write_all(&bytes).expect("the terminal takes keys");
        self.writer.flush().expect("the terminal takes keys");
    }

    /// The screen as text, one line per row, without trailing blanks.
    pub fn text(&self) -> String {
        let state = self.lock();
        screen_text(state.parser.screen())
    }

    /// A copy of the screen, cells and all.
    pub fn screen(&self) -> vt100::Screen {
        self.lock().parser.screen().clone()
    }

    /// Everything that was sent to the terminal.
    pub fn raw(&self) -> Vec<u8> {
        self.lock().raw.clone()
    }

    /// How many bytes were sent to the terminal.
    pub fn sent(&self) -> usize {
        self.lock().raw.len()
    }

    /// When the terminal last got a byte.
    pub fn last_byte(&self) -> Instant {
        self.lock().last
    }

    /// Waits until the screen shows `text`, and returns how long that took from the call.
    pub fn wait_for(&self, text: &str, limit: Duration) -> Duration {
        self.wait_until(&format!("the screen shows {text:?}"), limit, |screen| {
            screen_text(screen).contains(text)
        })
    }

    /// Waits until the screen no longer shows `text`.
    pub fn wait_gone(&self, text: &str, limit: Duration) -> Duration {
        self.wait_until(&format!("the screen no longer shows {text:?}"), limit, |screen| {
            !screen_text(screen).contains(text)
        })
    }

    /// Waits until the screen is as `good` says.
    ///
    /// # Panics
    ///
    /// When it is not within `limit`, or the terminal closes before: with the screen in the message.
    pub fn wait_until(&self, what: &str, limit: Duration, good: impl Fn(&vt100::Screen) -> bool) -> Duration {
        let start = Instant::now();
        let mut state = self.lock();
        loop {
            if good(state.parser.screen()) {
                return start.elapsed();
            }
            let left = limit.saturating_sub(start.elapsed());
            if left.is_zero() || !state.open {
                let why = if state.open {
                    "in vain"
                } else {
                    "until the program ended"
                };
                let text = screen_text(state.parser.screen());
                drop(state);
                panic!("waited {:.1} s {why}: {what}\n{text}", start.elapsed().as_secs_f64());
            }
            state = self
                .seen
                .1
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Waits until nothing has come for `quiet`, at most `limit`. For pictures and measurements, not for assertions.
    pub fn settle(&self, quiet: Duration, limit: Duration) {
        let start = Instant::now();
        while start.elapsed() < limit {
            let since = self.last_byte().max(start).elapsed();
            if since >= quiet {
                return;
            }
            std::thread::sleep(quiet.saturating_sub(since));
        }
    }

    /// Changes the terminal's size, as a window manager does.
    ///
    /// # Panics
    ///
    /// When the terminal is closed.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.lock()
            .parser
            .screen_mut()
            .set_size(nonzero(rows), nonzero(columns));
        self.master
            .resize(PtySize {
                rows,
                cols: columns,
                pixel_width: 0,
                pixel_height: 0,
            })
            .expect("the terminal can be resized");
    }

    /// Sends a signal to the program.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal);
    }

    /// Whether the program still runs.
    pub fn is_alive(&self) -> bool {
        alive(self.pid())
    }

    /// Waits for the program's end.
    ///
    /// # Panics
    ///
    /// When it does not end within `limit`.
    pub fn wait_exit(&mut self, limit: Duration) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the program can be waited for") {
                // The last bytes may still be on their way through the reader.
                let mut state = self.lock();
                while state.open && start.elapsed() < limit {
                    state = self
                        .seen
                        .1
                        .wait_timeout(state, Duration::from_millis(100))
                        .unwrap_or_else(PoisonError::into_inner)
                        .0;
                }
                return status;
            }
            assert!(
                start.elapsed() < limit,
                "the program did not end in {limit:?}\n{}",
                self.text()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// CPU time of each thread so far, user and system together, to the scheduler's nanosecond.
    ///
    /// # Panics
    ///
    /// When the program has ended.
    pub fn cpu_times(&self) -> CpuTimes {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).expect("the program runs");
        let times = tasks.filter_map(Result::ok).filter_map(|task| {
            let line = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            let nanos = line.split_whitespace().next()?.parse().ok()?;
            Some((task.file_name(), nanos))
        });
        CpuTimes(times.collect())
    }

    /// Peak resident memory in KiB (`VmHWM`).
    ///
    /// # Panics
    ///
    /// When the program has ended.
    pub fn peak_memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the program runs");
        status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|word| word.parse().ok())
            .expect("the kernel tells VmHWM")
    }

    /// Whether the terminal is as it was before: main screen, cursor shown, no mouse, no bracketed paste.
    pub fn is_restored(&self) -> bool {
        let state = self.lock();
        let screen = state.parser.screen();
        !screen.alternate_screen()
            && !screen.hide_cursor()
            && !screen.bracketed_paste()
            && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
    }
}

/// CPU time by thread, in nanoseconds.
#[derive(Debug)]
pub struct CpuTimes(BTreeMap<OsString, u64>);

impl CpuTimes {
    /// What was used since an earlier reading. A thread that ended meanwhile is left out.
    pub fn since(&self, earlier: &Self) -> Duration {
        let used = self
            .0
            .iter()
            .map(|(task, nanos)| nanos - earlier.0.get(task).unwrap_or(&0));
        Duration::from_nanos(used.sum())
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        if self.is_alive() {
            self.signal(Signal::KILL);
        }
        // Reaped here so that no zombie stays; the status is of no interest any more.
        let _status = self.child.wait();
    }
}

fn screen_text(screen: &vt100::Screen) -> String {
    let (_, columns) = screen.size();
    let rows: Vec<String> = screen
        .rows(0, columns.get())
        .map(|row| row.trim_end().to_owned())
        .collect();
    rows.join("\n")
}

/// A screen has at least one cell, also when a terminal says 0.
fn nonzero(cells: u16) -> NonZero<u16> {
    NonZero::new(cells).unwrap_or(NonZero::<u16>::MIN)
}

fn encode(keys: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = keys;
    while let Some(open) = rest.find('<') {
        let (plain, tail) = rest.split_at(open);
        out.extend_from_slice(plain.as_bytes());
        let close = tail.find('>').expect("a key's name ends in >");
        let (name, after) = tail.split_at(close);
        out.extend_from_slice(&named(name.trim_start_matches('<')));
        rest = after.trim_start_matches('>');
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

fn named(name: &str) -> Vec<u8> {
    let sequence: &[u8] = match name {
        "enter" => b"\r",
        "esc" => b"\x1b",
        "tab" => b"\t",
        "space" => b" ",
        "backspace" => b"\x7f",
        "up" => b"\x1b[A",
        "down" => b"\x1b[B",
        "right" => b"\x1b[C",
        "left" => b"\x1b[D",
        "home" => b"\x1b[H",
        "end" => b"\x1b[F",
        "pageup" => b"\x1b[5~",
        "pagedown" => b"\x1b[6~",
        "lt" => b"<",
        _ => {
            let letter = name.strip_prefix("ctrl-").and_then(|rest| rest.bytes().next());
            return vec![letter.expect("a known key name") & 0x1f];
        }
    };
    sequence.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_encoded_as_terminals_send_them() {
        assert_eq!(encode("a<enter><ctrl-c>b<lt><down>"), b"a\r\x03b<\x1b[B");
    }

    #[test]
    fn a_program_on_a_terminal_can_be_typed_to_and_read() {
        let home = Home::new();
        let line = ["sh", "-c", "read word; echo got-$word; exit 3"].map(str::to_owned);
        let mut pty = Pty::start(&home, &line, 40, 5);
        pty.keys("fish<enter>");
        pty.wait_for("got-fish", crate::PATIENCE);
        assert_eq!(pty.wait_exit(crate::PATIENCE).exit_code(), 3);
        assert!(pty.is_restored());
    }
}
