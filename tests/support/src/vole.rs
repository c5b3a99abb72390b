//! Runs `vole` hermetically: own home, own caches, no variable of the surroundings that names an engine.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::wait::PATIENCE;

/// A home directory of its own, removed when dropped.
#[derive(Debug)]
pub struct Home(tempfile::TempDir);

impl Home {
    /// Makes one.
    ///
    /// # Panics
    ///
    /// When no temporary directory can be made.
    #[expect(clippy::new_without_default, reason = "making a directory is no default")]
    pub fn new() -> Self {
        Self(
            tempfile::Builder::new()
                .prefix("vole-h-")
                .tempdir_in("/tmp")
                .expect("a temporary directory"),
        )
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// What a hermetic program sees of the surroundings.
    pub fn variables(&self) -> Vec<(String, String)> {
        let home = self.path().display().to_string();
        [
            ("HOME", home.clone()),
            ("XDG_CONFIG_HOME", format!("{home}/config")),
            ("XDG_CACHE_HOME", format!("{home}/cache")),
            ("XDG_STATE_HOME", format!("{home}/state")),
            ("XDG_DATA_HOME", format!("{home}/data")),
            ("XDG_RUNTIME_DIR", format!("{home}/run")),
            ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            ("LC_ALL", "C.UTF-8".to_owned()),
            ("TZ", "UTC".to_owned()),
            ("RUST_BACKTRACE", "1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }
}

/// The program under test.
#[derive(Debug, Clone)]
pub struct Vole {
    bin: PathBuf,
    host: Option<String>,
}

/// What one run of `vole` gave.
#[derive(Debug)]
pub struct Ran {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: String,
    /// From start to end.
    pub took: Duration,
    args: String,
}

impl Vole {
    /// A program file, with no engine chosen yet.
    pub fn new(bin: impl Into<PathBuf>) -> Self {
        Self {
            bin: bin.into(),
            host: None,
        }
    }

    /// The same, speaking to this endpoint.
    #[must_use]
    pub fn on(&self, host: impl Into<String>) -> Self {
        Self {
            bin: self.bin.clone(),
            host: Some(host.into()),
        }
    }

    /// The program file.
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// The whole command line, for a pseudo-terminal.
    pub fn line(&self, args: &[&str]) -> Vec<String> {
        let host = self.host.iter().flat_map(|host| ["--host".to_owned(), host.clone()]);
        std::iter::once(self.bin.display().to_string())
            .chain(host)
            .chain(args.iter().map(|arg| (*arg).to_owned()))
            .collect()
    }

    /// A hermetic command with pipes.
    pub fn command(&self, home: &Home, args: &[&str]) -> Command {
        let mut command = Command::new(&self.bin);
        command.env_clear().envs(home.variables());
        if let Some(host) = &self.host {
            command.arg("--host").arg(host);
        }
        command
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs it to its end in a home of its own.
    pub fn run(&self, args: &[&str]) -> Ran {
        self.run_in(&Home::new(), args)
    }

    /// Runs it to its end in a given home.
    ///
    /// # Panics
    ///
    /// When it cannot be started, or is not done in [`PATIENCE`].
    pub fn run_in(&self, home: &Home, args: &[&str]) -> Ran {
        let start = Instant::now();
        let mut child = self.command(home, args).spawn().expect("vole starts");
        let pid = child.id();
        let stdout = child.stdout.take().map(drain);
        let stderr = child.stderr.take().map(drain);
        let status = loop {
            if let Some(status) = child.try_wait().expect("vole can be waited for") {
                break status;
            }
            if start.elapsed() > PATIENCE {
                child.kill().expect("vole can be killed");
                panic!("vole {args:?} (pid {pid}) was not done in {PATIENCE:?}");
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let took = start.elapsed();
        Ran {
            status,
            stdout: stdout.map(join).unwrap_or_default(),
            stderr: String::from_utf8_lossy(&stderr.map(join).unwrap_or_default()).into_owned(),
            took,
            args: args.join(" "),
        }
    }
}

fn drain(mut from: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut all = Vec::new();
        from.read_to_end(&mut all).expect("a pipe can be read");
        all
    })
}

fn join(reader: std::thread::JoinHandle<Vec<u8>>) -> Vec<u8> {
    reader.join().expect("the pipe's reader ends")
}

impl Ran {
    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The exit code; -1 when a signal ended it.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or(-1)
    }

    /// Itself, if the exit code is the expected one.
    ///
    /// # Panics
    ///
    /// When it is another.
    #[must_use]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code(),
            code,
            "vole {} ended with {} instead of {code}\n-- stdout --\n{}\n-- stderr --\n{}",
            self.args,
            self.status,
            self.text(),
            self.stderr
        );
        self
    }

    /// Standard output as the one JSON document that it must be.
    ///
    /// # Panics
    ///
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| {
            panic!(
                "vole {} printed no JSON document: {error}\n-- stdout --\n{}\n-- stderr --\n{}",
                self.args,
                self.text(),
                self.stderr
            )
        })
    }
}
