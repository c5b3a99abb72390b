//! Starts the TUI on the real terminal: options, configuration, locale. Knows no loop.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use anyhow::Context as _;
use crossterm::event::EventStream;
use ratatui::Terminal;
use time::OffsetDateTime;

use super::{Chosen, Ended, Found, Looking, Loop, Screen, SizeFrom, Tty, World, attempt};
use crate::config::Config;
use crate::core::msg::Attempt;
use crate::core::state::Settings;
use crate::demo::{self, DemoOptions};
use crate::engine::connect::{self, ConnectError, ConnectOptions};
use crate::fingerprint::Rules;
use crate::ui::{Colours, Theme};

/// What the command line says to the TUI.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Which engine.
    pub connect: ConnectOptions,
    /// The demo instead of an engine.
    pub demo: bool,
    /// Nothing that changes a mount, a container or a volume.
    pub read_only: bool,
    /// No colours.
    pub no_color: bool,
    /// ASCII alone.
    pub ascii: bool,
    /// The configuration, as it was read.
    pub config: Config,
}

/// Runs the TUI until the operator ends it.
///
/// # Errors
///
/// When stdin or stdout is no terminal, or the terminal fails.
pub async fn run(options: Options) -> anyhow::Result<Ended> {
    anyhow::ensure!(
        io::stdin().is_terminal() && io::stdout().is_terminal(),
        "the TUI needs a terminal on stdin and stdout; without one use `vole ls`, `vole du` and the other commands"
    );
    let tty = Tty::set_up().context("cannot set up the terminal")?;
    let terminal = Terminal::new(Screen::new(io::stdout(), SizeFrom::Terminal)).context("cannot draw")?;
    let rules = options.config.rules();
    let chosen = chosen(&options, &rules);
    let world = world(&options, &rules);
    let ended = Loop::new(terminal, world, chosen, Some(tty))?
        .run(EventStream::new())
        .await;
    ended.context("the terminal failed")
}

fn chosen(options: &Options, rules: &Arc<Rules>) -> Chosen {
    let config = &options.config;
    let bare = options.no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colours = if bare { Colours::Mono } else { config.theme };
    let ascii = options.ascii || config.ascii.unwrap_or_else(|| !utf8_locale());
    Chosen {
        settings: Settings {
            read_only: options.read_only,
            order: config.order(),
            rules: Arc::clone(rules),
        },
        keymap: config.keymap(),
        theme: Theme::new(colours, ascii),
    }
}

/// Whether the locale's character set is UTF-8, by the rules of POSIX: the first of these that is set decides.
fn utf8_locale() -> bool {
    let set = |name: &&str| std::env::var(name).ok().filter(|value| !value.is_empty());
    // Many containers and SSH sessions set none at all; their terminals speak UTF-8 all the same.
    ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(set)
        .is_none_or(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        })
}

fn world(options: &Options, rules: &Arc<Rules>) -> World {
    let (demo, connect, read_only) = (options.demo, options.connect.clone(), options.read_only);
    let rules = Arc::clone(rules);
    // Whatever engine it is, it has the operator's rules.
    let ruled = move |looking: Looking| -> Looking {
        let rules = Arc::clone(&rules);
        Box::pin(async move {
            let found = looking.await?;
            let engine = found.engine.with_rules(rules).read_only(read_only);
            Ok(Found { engine, ..found })
        })
    };
    let demos = ruled.clone();
    World {
        connect: Box::new(move || ruled(if demo { start_demo() } else { look(connect.clone()) })),
        demo: Box::new(move || demos(start_demo())),
        now: Box::new(if options.demo {
            demo::now
        } else {
            OffsetDateTime::now_utc
        }),
    }
}

fn look(options: ConnectOptions) -> Looking {
    Box::pin(async move {
        let engine = connect::connect(&options).await.map_err(|error| match error {
            ConnectError::NotConnected(none) => none.tried.into_iter().map(Attempt::from).collect(),
            other => vec![Attempt {
                endpoint: String::new(),
                origin: String::new(),
                outcome: other.to_string(),
            }],
        })?;
        let about = engine
            .daemon
            .about()
            .await
            .map_err(|error| vec![attempt(&engine.daemon.endpoint(), &error)])?;
        Ok(Found {
            engine,
            about: Arc::new(about),
            demo: false,
        })
    })
}

impl From<connect::Tried> for Attempt {
    fn from(tried: connect::Tried) -> Self {
        Self {
            endpoint: tried.endpoint,
            origin: tried.origin,
            outcome: tried.outcome,
        }
    }
}

fn start_demo() -> Looking {
    Box::pin(async {
        let engine = demo::engine(DemoOptions::from_env(demo::now()));
        let about = engine
            .daemon
            .about()
            .await
            .map_err(|error| vec![attempt("demo", &error)])?;
        Ok(Found {
            engine,
            about: Arc::new(about),
            demo: true,
        })
    })
}
