//! The scenes: what is typed, and what must stand on the screen before the picture is taken.

/// One step of a script.
#[derive(Debug)]
pub(crate) enum Step {
    /// Types keys.
    Keys(&'static str),
    /// Waits until the screen shows a text.
    Shows(&'static str),
    /// Waits until the screen no longer shows a text.
    Hides(&'static str),
}

/// A picture: a name, the arguments of `vole`, and a script.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) args: &'static [&'static str],
    pub(crate) script: &'static [Step],
}

/// The sizes in which every scene is drawn.
pub(crate) const SIZES: &[(u16, u16)] = &[(80, 24), (120, 40)];

use Step::{Hides, Keys, Shows};

const DEMO: &[&str] = &["--demo"];

/// The scenes.
pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "mounts",
        args: DEMO,
        script: &[Shows("shop"), Hides("measuring")],
    },
    Scene {
        name: "start",
        args: &["--host", "unix:///run/vole-nothing-here.sock"],
        script: &[Shows("demo"), Keys("?")],
    },
];
