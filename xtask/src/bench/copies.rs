//! Archives against what people use today: the host's own pipe, GNU tar in a container, the engine's archive API.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use vole_test_support::{Engine, Home, IMAGE, Vole};

use super::docker;
use super::stats::{Pair, Table, paired};

/// Pairs of the slow ones.
const PAIRS: usize = 5;

/// What each of them works on.
struct Bench {
    engine: Engine,
    vole: Vole,
    home: Home,
    out: PathBuf,
    count: Cell<u32>,
}

/// Backups of many small files.
pub(super) fn backups(vole: &Vole, table: &mut Table) -> anyhow::Result<()> {
    let bench = Bench::start(vole)?;
    bench.grow_many()?;
    bench.of_many("many", "200,000 files, 2 GB", table)
}

/// Backups of few large files.
pub(super) fn large(vole: &Vole, table: &mut Table) -> anyhow::Result<()> {
    let bench = Bench::start(vole)?;
    eprintln!("writing 4 GB of large files …");
    segments(&bench.volume("large")?)?;
    let pair = paired(PAIRS, || bench.backup("large", "zstd"), || bench.pipe("large"))?;
    table.pair(
        "backup of 4 GB in 8 files: `vole backup` against `tar | zstd -1 -T2` on the host",
        &pair,
    );
    Ok(())
}

/// Checking and restoring an archive of many small files.
pub(super) fn restores(vole: &Vole, table: &mut Table) -> anyhow::Result<()> {
    let bench = Bench::start(vole)?;
    bench.grow_many()?;
    bench.back(table)
}

impl Bench {
    fn start(vole: &Vole) -> anyhow::Result<Self> {
        let engine = docker()?;
        let out = engine.dir().join("out");
        fs::create_dir(&out)?;
        Ok(Self {
            vole: vole.on(engine.host()),
            home: Home::new(),
            engine,
            out,
            count: Cell::new(0),
        })
    }

    /// A new volume, and where its contents stand.
    fn volume(&self, name: &str) -> anyhow::Result<PathBuf> {
        self.engine.run(["volume", "create", name]);
        Ok(self.engine.mount_point(name))
    }

    fn grow_many(&self) -> anyhow::Result<()> {
        eprintln!("growing 200,000 files of 2 GB …");
        packages(&self.volume("many")?)
    }

    fn of_many(&self, volume: &str, what: &str, table: &mut Table) -> anyhow::Result<()> {
        let against = |name: &str, pair: &Pair, table: &mut Table| {
            table.pair(&format!("backup of {what}: `vole backup` against {name}"), pair);
        };
        let pair = paired(PAIRS, || self.backup(volume, "zstd"), || self.pipe(volume))?;
        against("`tar | zstd -1 -T2` on the host, as root", &pair, table);
        let pair = paired(PAIRS, || self.backup(volume, "zstd"), || self.contained(volume, "-cf"))?;
        against("`tar -cf` in a container", &pair, table);
        let pair = paired(PAIRS, || self.backup(volume, "zstd"), || self.contained(volume, "-czf"))?;
        against("`tar -czf` in a container", &pair, table);
        Ok(())
    }

    /// One backup, its file on the disk, and gone again outside of the time.
    fn backup(&self, volume: &str, compression: &str) -> anyhow::Result<Duration> {
        let to = self.out.display().to_string();
        let mut command = self.command(&["backup", volume, "--to", &to, "--compress", compression, "--json"]);
        let took = on_disk(&mut command, &self.out)?;
        empty(&self.out)?;
        Ok(took)
    }

    fn pipe(&self, volume: &str) -> anyhow::Result<Duration> {
        let script = format!(
            "set -e -o pipefail; tar -C {} -cf - . | zstd -1 -T2 -q -o {}/pipe.tar.zst",
            self.engine.mount_point(volume).display(),
            self.out.display()
        );
        let took = on_disk(Command::new("bash").args(["-c", &script]), &self.out)?;
        empty(&self.out)?;
        Ok(took)
    }

    fn contained(&self, volume: &str, how: &str) -> anyhow::Result<Duration> {
        let mut command = self.gnu(volume);
        command.args(["/usr/bin/tar", how, "/o/classic.tar", "-C", "/d", "."]);
        let took = on_disk(&mut command, &self.out)?;
        empty(&self.out)?;
        Ok(took)
    }

    /// This machine's programs in a container that has the volume and a directory of the host.
    fn gnu(&self, volume: &str) -> Command {
        let mut command = self.engine.client();
        command.args(["run", "--rm", "--network", "none", "-v", &format!("{volume}:/d")]);
        command.args(["-v", &format!("{}:/o", self.out.display())]);
        // The test image is a busybox; GNU's programs come from this machine.
        for dir in ["/usr", "/lib", "/lib64", "/bin"] {
            command.args(["-v", &format!("{dir}:{dir}:ro")]);
        }
        command.arg(IMAGE);
        command
    }

    fn back(&self, table: &mut Table) -> anyhow::Result<()> {
        let to = self.out.display().to_string();
        on_disk(&mut self.command(&["backup", "many", "--to", &to, "--json"]), &self.out)?;
        let archive = fs::read_dir(&self.out)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension().is_some_and(|end| end == "zst"))
            .context("no archive was made")?;
        let archive = archive.display().to_string();
        let verify = paired(
            PAIRS,
            || super::time(&mut self.command(&["verify", &archive, "--json"])),
            || super::time(Command::new("zstd").args(["-t", "-q", &archive])),
        )?;
        table.pair(
            "checking that archive: `vole verify` against `zstd -t`, which only decompresses",
            &verify,
        );
        let name = archive.rsplit('/').next().context("it has a name")?;
        let pair = paired(
            PAIRS,
            || {
                self.in_new(
                    |volume| Ok(self.command(&["restore", &archive, "--as", volume, "--yes", "--json"])),
                    false,
                )
            },
            || {
                self.in_new(
                    |volume| {
                        let mut command = self.gnu(volume);
                        command.args(["/usr/bin/tar", "--zstd", "-xpf", &format!("/o/{name}"), "-C", "/d"]);
                        Ok(command)
                    },
                    true,
                )
            },
        )?;
        table.pair(
            "restoring it: `vole restore` into a new volume against GNU `tar -x` in a container",
            &pair,
        );
        ensure!(
            Command::new("zstd")
                .args(["-d", "-q", "-f", &archive, "-o"])
                .arg(self.out.join("plain.tar"))
                .status()?
                .success(),
            "zstd fails"
        );
        let plain = self.out.join("plain.tar");
        let pair = paired(
            2,
            || {
                self.in_new(
                    |volume| Ok(self.command(&["restore", &archive, "--as", volume, "--yes", "--json"])),
                    false,
                )
            },
            || self.put(&plain),
        )?;
        table.pair("the same against the engine's archive API (`docker cp -`)", &pair);
        empty(&self.out)
    }

    /// Times a command that fills a volume that is new. It stays to the end: an ext4 without a journal looks for a minute past
    /// each inode that was freed, and what fills the next volume would pay for it.
    fn in_new(&self, command: impl Fn(&str) -> anyhow::Result<Command>, make: bool) -> anyhow::Result<Duration> {
        self.count.set(self.count.get() + 1);
        let volume = format!("restored{}", self.count.get());
        if make {
            self.engine.run(["volume", "create", &volume]);
        }
        let took = on_disk(&mut command(&volume)?, self.engine.dir())?;
        Ok(took)
    }

    fn put(&self, plain: &Path) -> anyhow::Result<Duration> {
        self.count.set(self.count.get() + 1);
        let (volume, name) = (format!("put{}", self.count.get()), format!("p{}", self.count.get()));
        self.engine.run(["volume", "create", &volume]);
        self.engine.run([
            "create",
            "--network",
            "none",
            "--name",
            &name,
            "-v",
            &format!("{volume}:/d"),
            IMAGE,
            "true",
        ]);
        let mut copy = self.engine.client();
        copy.args(["cp", "-", &format!("{name}:/d")]).stdin(File::open(plain)?);
        let start = Instant::now();
        let status = copy.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        sync(self.engine.dir())?;
        let took = start.elapsed();
        ensure!(status.success(), "docker cp ended with {status}");
        self.engine.run(["rm", &name]);
        Ok(took)
    }

    fn command(&self, args: &[&str]) -> Command {
        self.vole.command(&self.home, args)
    }
}

/// Times a command until what it wrote is on the disk.
fn on_disk(command: &mut Command, dir: &Path) -> anyhow::Result<Duration> {
    ensure!(Command::new("sync").status()?.success(), "sync fails");
    let start = Instant::now();
    super::time(command)?;
    sync(dir)?;
    Ok(start.elapsed())
}

/// Waits until a file system is on the disk.
fn sync(dir: &Path) -> anyhow::Result<()> {
    ensure!(
        Command::new("sync").arg("-f").arg(dir).status()?.success(),
        "sync fails"
    );
    Ok(())
}

fn empty(dir: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(dir)? {
        fs::remove_file(entry?.path())?;
    }
    Ok(())
}

/// 200,000 files of 2 GB, as a package manager leaves them: text, a few words of which are the file's own.
fn packages(root: &Path) -> anyhow::Result<()> {
    let words = [
        "function",
        "return",
        "const",
        "module",
        "exports",
        "require",
        "undefined",
        "prototype",
        "this",
        "await",
    ];
    let mut state = 1_u64;
    let mut next = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    for index in 0..200_000_u32 {
        let dir = root.join(format!("node_modules/{:04}/lib", index / 20));
        if index % 20 == 0 {
            fs::create_dir_all(&dir)?;
        }
        let mut file = BufWriter::new(File::create(dir.join(format!("{index}.js")))?);
        let size = 200 + next() % 19_800;
        let mut written = 0;
        while written < size {
            let word = words.get(next() as usize % words.len()).copied().unwrap_or_default();
            let number = next();
            writeln!(file, "  {word} {number:x} {{ {word}_{}(); }}", number % 97)?;
            written += 30;
        }
        file.flush()?;
    }
    Ok(())
}

/// 4 GB in eight files, half of each text and half noise.
fn segments(root: &Path) -> anyhow::Result<()> {
    let mut state = 7_u64;
    for index in 0..8 {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(root.join(format!("segment-{index}")))?);
        for block in 0..512_u32 {
            let mut bytes = vec![0_u8; 1 << 20];
            for chunk in bytes.chunks_exact_mut(8) {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let value = if block % 2 == 0 { state } else { state >> 58 };
                chunk.copy_from_slice(&value.to_le_bytes());
            }
            file.write_all(&bytes)?;
        }
        file.flush()?;
    }
    Ok(())
}
