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
        script: MEASURED,
    },
    Scene {
        name: "orphans",
        args: DEMO,
        script: &[Shows(SUM), Keys("O"), Hides("/srv/media")],
    },
    Scene {
        name: "details",
        args: DEMO,
        script: &[
            Shows(SUM),
            Keys("/shop_uploads<enter>"),
            Hides("/srv/media"),
            Keys("2"),
            Shows("shop-nginx-1"),
        ],
    },
    Scene {
        name: "files",
        args: DEMO,
        script: &[
            Shows(SUM),
            Keys("/shop_uploads<enter>"),
            Hides("/srv/media"),
            Keys("<enter>"),
            Shows("2025/"),
            Keys("<enter>"),
            Shows("IMG_202"),
        ],
    },
    Scene {
        name: "preview",
        args: DEMO,
        script: &[
            Shows(SUM),
            Keys("/shop_logs<enter>"),
            Hides("/srv/media"),
            Keys("<enter>"),
            Shows("access.log"),
            Keys("<enter>"),
            Shows("GET"),
        ],
    },
    Scene {
        name: "grep",
        args: DEMO,
        script: &[
            Shows(SUM),
            Keys("/shop_logs<enter>"),
            Hides("/srv/media"),
            Keys("<enter>"),
            Shows("access.log"),
            Keys("<ctrl-f>"),
            Keys("checkout<enter>"),
            Shows("the first 2"),
        ],
    },
    Scene {
        name: "plan",
        args: DEMO,
        script: &[Shows(SUM), Keys("P"), Shows("2 chosen")],
    },
    Scene {
        name: "removal",
        args: DEMO,
        script: &[
            Shows(SUM),
            Keys("P"),
            Shows("2 chosen"),
            Keys("<enter>"),
            Shows("cannot be undone"),
        ],
    },
    Scene {
        name: "disk",
        args: DEMO,
        script: &[Shows(SUM), Keys("4"), Shows("by class")],
    },
    Scene {
        name: "doctor",
        args: DEMO,
        script: &[Shows(SUM), Keys("D"), Shows("may not write"), Shows("4 findings in")],
    },
    Scene {
        name: "owners",
        args: DEMO,
        script: &[
            Shows(SUM),
            Keys("D"),
            Shows("4 findings in"),
            Keys("o"),
            Shows("For instance"),
            Keys("<enter>"),
            Shows("leave everything"),
        ],
    },
    Scene {
        name: "backups",
        args: DEMO,
        script: &[Shows(SUM), Keys("6"), Shows("3 archives"), Keys("v"), Shows("✓ ok")],
    },
    Scene {
        name: "restore",
        args: DEMO,
        script: &[
            Shows(SUM),
            Keys("6"),
            Shows("3 archives"),
            Keys("u"),
            Shows("refused"),
            Keys("n"),
            Shows("enter plan"),
            Keys("<ctrl-u>redis_copy<enter>"),
            Shows("checked just now"),
        ],
    },
    Scene {
        name: "help",
        args: DEMO,
        script: &[Shows(SUM), Keys("?"), Shows("keys that work here now")],
    },
    Scene {
        name: "start",
        args: &["--host", "unix:///run/nothing-here/docker.sock"],
        script: &[Shows("demo")],
    },
];

/// The sum of the demo's orphans: it stands once everything is measured.
const SUM: &str = "orphans 11 · 2.6 GiB";
const MEASURED: &[Step] = &[Shows(SUM)];
