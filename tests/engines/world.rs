//! The engines of this test binary: started once, shared, one test at a time on each.

use std::io::Write as _;
use std::path::PathBuf;
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
