//! The engines of this test binary: started once, shared, one test at a time on each.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use vole_test_support::{Engine, Family, Fleet, Unavailable, Vole};

/// A private engine with its fleet.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) fleet: Fleet,
}

impl World {
    /// `vole`, speaking to this engine.
    pub(crate) fn vole(&self) -> Vole {
        vole().on(self.engine.host())
    }
}

/// The program under test.
pub(crate) fn vole() -> Vole {
    Vole::new(PathBuf::from(env!("CARGO_BIN_EXE_vole")))
}

type Slot = OnceLock<Result<Mutex<World>, Unavailable>>;

/// The shared engine of a family, for one test at a time: several tests count what is left behind. `None` (after a
/// loud word) where none can run.
pub(crate) fn world(family: Family) -> Option<MutexGuard<'static, World>> {
    static DOCKER: Slot = OnceLock::new();
    static PODMAN: Slot = OnceLock::new();
    let slot = match family {
        Family::Docker => &DOCKER,
        Family::Podman => &PODMAN,
    };
    let started = slot.get_or_init(|| {
        Engine::start(family).map(|engine| {
            let fleet = Fleet::build(&engine);
            Mutex::new(World { engine, fleet })
        })
    });
    match started {
        Ok(world) => Some(world.lock().unwrap_or_else(PoisonError::into_inner)),
        Err(why) => skip(family, why),
    }
}

/// An engine of a test's own, for what a shared one must not suffer.
pub(crate) fn own(family: Family) -> Option<Engine> {
    Engine::start(family).map_or_else(|why| skip(family, &why), Some)
}

/// A dockerd whose data root is a small file system of its own (`truncate`'s words for its size).
pub(crate) fn own_on_small_disk(size: &'static str) -> Option<Engine> {
    let small = |dir: &Path| {
        let script = "truncate -s $2 $1.img && mkfs.ext4 -q $1.img && mkdir -p $1/data && mount -o loop $1.img $1/data && rm $1.img";
        let output = Command::new("bash")
            .args(["-euc", script, "small"])
            .arg(dir)
            .arg(size)
            .output();
        let output = output.map_err(|error| Unavailable(error.to_string()))?;
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        output
            .status
            .success()
            .then_some(())
            .ok_or(Unavailable(format!("no loop mount: {why}")))
    };
    Engine::start_prepared(Family::Docker, small).map_or_else(|why| skip(Family::Docker, &why), Some)
}

/// Fills an engine's data root to the last block, root's reserve too.
pub(crate) fn fill_disk(engine: &Engine) {
    // It ends with ENOSPC, as it should.
    let filled = Command::new("dd")
        .args(["if=/dev/zero", "bs=4096", "status=none"])
        .arg(format!("of={}/data/ballast", engine.dir().display()))
        .output()
        .unwrap();
    assert!(!filled.status.success(), "the file system is not full");
}

/// Says that a test is skipped, past the capture of the test runner; fails where engines are required.
pub(crate) fn skip<T>(family: Family, why: &Unavailable) -> Option<T> {
    let required = std::env::var_os("VOLE_ENGINE_TESTS").is_some_and(|word| word == "required");
    assert!(
        !required,
        "VOLE_ENGINE_TESTS=required, but {}: {}",
        family.word(),
        why.0
    );
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    writeln!(std::io::stderr(), "skipped: {name}: {}: {}", family.word(), why.0).expect("stderr takes a line");
    None
}

/// Makes one test per real engine of functions `fn(&mut World)`.
macro_rules! on_engines {
    ($($name:ident)*) => {
        mod docker {
            $(#[test] fn $name() {
                if let Some(mut world) = crate::world::world(vole_test_support::Family::Docker) { super::$name(&mut world); }
            })*
        }
        mod podman {
            $(#[test] fn $name() {
                if let Some(mut world) = crate::world::world(vole_test_support::Family::Podman) { super::$name(&mut world); }
            })*
        }
    };
}
pub(crate) use on_engines;

/// Makes one test per real engine of functions `fn(&Engine)`, each with an engine of its own: for what removes things.
macro_rules! on_own_engines {
    ($($name:ident)*) => {
        mod docker {
            $(#[test] fn $name() {
                if let Some(engine) = crate::world::own(vole_test_support::Family::Docker) { super::$name(&engine); }
            })*
        }
        mod podman {
            $(#[test] fn $name() {
                if let Some(engine) = crate::world::own(vole_test_support::Family::Podman) { super::$name(&engine); }
            })*
        }
    };
}
pub(crate) use on_own_engines;
