//! Private engines: own data root, own socket, no bridge, no registry; gone when the test process is gone, however it
//! ended. Never touches an engine that it did not start.

use std::fs;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::wait::{PATIENCE, until};

/// The image that every private engine has: a static busybox, one layer, nothing else.
pub const IMAGE: &str = "localhost/vole-test:1";

const GUARD: &str = include_str!("guard.sh");

/// Which engine program is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// dockerd.
    Docker,
    /// podman's service.
    Podman,
}

impl Family {
    /// The client's program, which is also the word in messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }
}

/// Why no engine can run here.
#[derive(Debug, Clone)]
pub struct Unavailable(pub String);

/// A running private engine.
#[derive(Debug)]
pub struct Engine {
    family: Family,
    dir: PathBuf,
    guard: Child,
}

impl Engine {
    /// Starts a private engine in a fresh directory and imports the test image.
    ///
    /// # Errors
    ///
    /// When this machine cannot run one (no root, no program, it ends at once).
    pub fn start(family: Family) -> Result<Self, Unavailable> {
        Self::start_prepared(family, |_| Ok(()))
    }

    /// As [`Self::start`], with the engine's (still empty) directory prepared by the caller.
    ///
    /// # Errors
    ///
    /// As [`Self::start`].
    pub fn start_prepared(
        family: Family,
        prepare: impl FnOnce(&Path) -> Result<(), Unavailable>,
    ) -> Result<Self, Unavailable> {
        if !rustix::process::geteuid().is_root() {
            return Err(Unavailable("a private engine needs root".to_owned()));
        }
        let program = match family {
            Family::Docker => "dockerd",
            Family::Podman => "podman",
        };
        find_program(program).ok_or_else(|| Unavailable(format!("{program} is not installed")))?;
        let busybox = static_busybox()?;
        // A socket's path has at most 107 bytes, so the directory is short.
        let dir = tempfile::Builder::new()
            .prefix("vole-t-")
            .tempdir_in("/tmp")
            .map_err(|error| Unavailable(format!("no directory under /tmp: {error}")))?
            .keep();
        prepare(&dir)?;
        fs::write(dir.join("containers.conf"), containers_conf())
            .map_err(|error| Unavailable(format!("cannot write in {}: {error}", dir.display())))?;
        let guard = Command::new("bash")
            .args(["-c", GUARD, "guard.sh", family.word()])
            .arg(&dir)
            .env("CONTAINERS_CONF", dir.join("containers.conf"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| Unavailable(format!("cannot start bash: {error}")))?;
        let engine = Self { family, dir, guard };
        engine.wait_ready()?;
        engine.import(&busybox)?;
        Ok(engine)
    }

    /// The family.
    pub fn family(&self) -> Family {
        self.family
    }

    /// The endpoint as `--host` takes it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// The socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("engine.sock")
    }

    /// Its directory, for what a test wants removed with it.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Process id of the engine, as of now.
    ///
    /// # Panics
    ///
    /// When the guard's note cannot be read.
    pub fn pid(&self) -> u32 {
        fs::read_to_string(self.dir.join("engine.pid"))
            .expect("the guard notes the engine's pid")
            .trim()
            .parse()
            .expect("a pid")
    }

    /// The engine's own client, speaking to this engine.
    pub fn client(&self) -> Command {
        let mut command = Command::new(self.family.word());
        for name in ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "CONTAINER_HOST"] {
            command.env_remove(name);
        }
        match self.family {
            Family::Docker => command.arg("-H").arg(self.host()),
            Family::Podman => command
                .env("CONTAINERS_CONF", self.dir.join("containers.conf"))
                .arg("--root")
                .arg(self.dir.join("data"))
                .arg("--runroot")
                .arg(self.dir.join("run"))
                .arg("--tmpdir")
                .arg(self.dir.join("tmp")),
        };
        command.stdin(Stdio::null());
        command
    }

    /// Runs the client and returns what it printed.
    ///
    /// # Panics
    ///
    /// When the client fails.
    pub fn run<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> String {
        let args: Vec<&str> = args.into_iter().collect();
        let output = self.try_run(&args);
        assert!(
            output.status.success(),
            "{} {args:?} failed: {}",
            self.family.word(),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Runs the client, whatever comes of it.
    ///
    /// # Panics
    ///
    /// When the client cannot be started.
    pub fn try_run(&self, args: &[&str]) -> Output {
        self.client().args(args).output().expect("the client starts")
    }

    /// Runs shell code in a throw-away container with the volume at `/d`.
    pub fn prepare(&self, volume: &str, code: &str) {
        let mount = format!("{volume}:/d");
        self.run([
            "run",
            "--rm",
            "--network",
            "none",
            "-v",
            &mount,
            IMAGE,
            "sh",
            "-euc",
            code,
        ]);
    }

    /// Names of all volumes, sorted.
    pub fn volume_names(&self) -> Vec<String> {
        sorted_lines(&self.run(["volume", "ls", "-q"]))
    }

    /// Names of the volumes that no container refers to, as the engine says it, sorted.
    pub fn dangling(&self) -> Vec<String> {
        sorted_lines(&self.run(["volume", "ls", "-q", "-f", "dangling=true"]))
    }

    /// Ids of all containers, running or not, sorted.
    pub fn container_ids(&self) -> Vec<String> {
        sorted_lines(&self.run(["ps", "-aq", "--no-trunc"]))
    }

    /// Ids of vole's helper containers.
    pub fn helper_ids(&self) -> Vec<String> {
        sorted_lines(&self.run(["ps", "-aq", "--no-trunc", "--filter", "label=vole.helper"]))
    }

    /// Waits until it has no helper any more: those of a client that was killed go a moment after it.
    ///
    /// # Panics
    ///
    /// When one stays.
    pub fn wait_without_helpers(&self) {
        until("no helper stays", PATIENCE, || {
            self.helper_ids().is_empty().then_some(())
        });
    }

    /// Names of all images, sorted.
    pub fn image_names(&self) -> Vec<String> {
        sorted_lines(&self.run(["images", "--format", "{{.Repository}}:{{.Tag}}"]))
    }

    /// Where a volume's data lies on this machine.
    pub fn mount_point(&self, volume: &str) -> PathBuf {
        PathBuf::from(self.run(["volume", "inspect", "-f", "{{.Mountpoint}}", volume]))
    }

    /// Kills the engine with SIGKILL, as a crash would; [`Self::restart`] brings it back.
    pub fn crash(&self) {
        kill(self.pid(), rustix::process::Signal::KILL);
        let pid = self.pid();
        until("the killed engine is gone", PATIENCE, || (!alive(pid)).then_some(()));
        // dockerd's containerd dies with it. Where nobody reaps it the next dockerd takes the zombie for alive and waits
        // for it in vain, so its note goes too.
        let note = self.dir.join("exec/containerd/containerd.pid");
        if let Some(pid) = fs::read_to_string(&note).ok().and_then(|text| text.trim().parse().ok()) {
            kill(pid, rustix::process::Signal::KILL);
            until("its containerd is gone", PATIENCE, || (!alive(pid)).then_some(()));
        }
        for file in ["pid", "engine.sock", "exec/containerd/containerd.pid"] {
            // Either may be gone already, which is as good.
            let _gone = fs::remove_file(self.dir.join(file));
        }
    }

    /// Starts the engine again after [`Self::crash`].
    ///
    /// # Panics
    ///
    /// When it does not answer.
    pub fn restart(&mut self) {
        // The note of the dead one must not tell that the new one has ended.
        fs::remove_file(self.dir.join("engine.pid")).expect("the guard noted the engine's pid");
        let stdin = self.guard.stdin.as_mut().expect("the guard listens");
        stdin.write_all(b"start\n").expect("the guard listens");
        self.wait_ready().expect("the engine starts again");
    }

    fn wait_ready(&self) -> Result<(), Unavailable> {
        let start = Instant::now();
        loop {
            let probe = Command::new("curl")
                .args(["-s", "-m", "5", "--unix-socket"])
                .arg(self.socket())
                .arg("http://engine/_ping")
                .output();
            if probe.is_ok_and(|output| output.stdout == b"OK") {
                return Ok(());
            }
            let ended = self.dir.join("engine.pid").exists() && !alive(self.pid());
            if ended || start.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.dir.join("log")).unwrap_or_else(|error| error.to_string());
                let tail: Vec<&str> = log.lines().rev().take(3).collect();
                return Err(Unavailable(format!(
                    "{} does not start: {}",
                    self.family.word(),
                    tail.join(" | ")
                )));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Imports the image: busybox under all its names, two users, a directory with content of its own at
    /// `/var/lib/seeded` (for the copy-up trap), an empty one at `/srv/empty`, and one that only root passes at `/locked`.
    fn import(&self, busybox: &Path) -> Result<(), Unavailable> {
        let script = r#"
            r=$1/rootfs; mkdir -p $r/bin $r/etc $r/tmp $r/srv/empty $r/locked $r/var/lib/seeded; chmod 1777 $r/tmp; chmod 700 $r/locked; cp "$2" $r/bin/busybox
            for a in $($r/bin/busybox --list); do [ -e $r/bin/$a ] || ln -s busybox $r/bin/$a; done
            printf 'root:x:0:0::/:/bin/sh\napp:x:999:998::/:/bin/sh\n' >$r/etc/passwd
            printf 'root:x:0:\nappg:x:998:\n' >$r/etc/group
            echo from-image >$r/var/lib/seeded/README; chown -R 999:998 $r/var/lib/seeded
            tar -C $r --numeric-owner -cf $1/image.tar . && rm -rf $r"#;
        let made = Command::new("bash")
            .args(["-euc", script, "image"])
            .arg(&self.dir)
            .arg(busybox)
            .output()
            .map_err(|error| Unavailable(format!("cannot run bash: {error}")))?;
        if !made.status.success() {
            let why = String::from_utf8_lossy(&made.stderr).into_owned();
            return Err(Unavailable(format!("cannot make the test image: {why}")));
        }
        let tar = self.dir.join("image.tar");
        let output = self
            .client()
            .args(["import", "-c", "CMD [\"/bin/sh\"]"])
            .arg(&tar)
            .arg(IMAGE)
            .output()
            .map_err(|error| Unavailable(format!("{} does not start: {error}", self.family.word())))?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Unavailable(format!("cannot import the test image: {why}")));
        }
        fs::remove_file(&tar).map_err(|error| Unavailable(format!("cannot remove {}: {error}", tar.display())))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // Whatever the guard could not do shows in the leftover check of `.ci/run`.
        let _status = self.guard.wait();
    }
}

/// For podman: no shared memory locks (they would be shared with the machine's own podman), no journald, and limits
/// that a machine without CAP_SYS_RESOURCE can set (soft below hard is refused by the service of 4.3).
fn containers_conf() -> String {
    // crun refuses a machine whose second hierarchy has controllers beside the first one's (1.8.1: "cgroups in hybrid mode
    // not supported"); runc does not mind.
    let unified = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    let runtime = match find_program("runc").filter(|_| !unified) {
        Some(_) => "runtime = \"runc\"\n",
        None => "",
    };
    format!(
        "[containers]\n\
         default_ulimits = [\"nofile=4096:4096\", \"nproc=4096:4096\"]\n\
         [engine]\n\
         lock_type = \"file\"\n\
         events_logger = \"file\"\n\
         cgroup_manager = \"cgroupfs\"\n\
         {runtime}"
    )
}

fn sorted_lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text
        .lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect();
    lines.sort();
    lines
}

fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// A busybox that runs in an empty image: Debian's `busybox-static`.
fn static_busybox() -> Result<PathBuf, Unavailable> {
    let path = std::env::var_os("VOLE_TEST_BUSYBOX")
        .map(PathBuf::from)
        .or_else(|| find_program("busybox"))
        .ok_or_else(|| Unavailable("busybox is not installed (apt-get install busybox-static)".to_owned()))?;
    let dynamic = Command::new("ldd")
        .arg(&path)
        .output()
        .is_ok_and(|output| output.status.success());
    if dynamic {
        return Err(Unavailable(format!(
            "{} is linked dynamically (apt-get install busybox-static)",
            path.display()
        )));
    }
    Ok(path)
}

/// Whether a process runs; a zombie does not.
pub(crate) fn alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        let state = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next());
        !matches!(state, Some("Z" | "X"))
    })
}

/// Sends a signal to a process that this crate started.
pub(crate) fn kill(pid: u32, signal: rustix::process::Signal) {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .expect("a pid");
    // It may have ended by itself meanwhile; the caller waits for that anyway.
    let _gone = rustix::process::kill_process(pid, signal);
}
