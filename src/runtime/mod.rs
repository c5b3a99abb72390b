//! The shell around the core: terminal, loop, tasks, signals. Knows no operation.
//!
//! The loop takes everything that is queued — keys, messages of tasks, signals — folds it into the state, starts
//! what the core wants done, and then draws at most once per [`FRAME`], and only when something changed. It waits
//! for nothing else: no timer runs while nothing moves, and no engine is ever awaited here.

mod archiving;
mod diagnosing;
mod downloads;
mod encode;
pub mod files;
pub mod mail;
mod measure;
mod opening;
mod owning;
mod removing;
mod restoring;
pub mod screen;
mod scroll;
mod sightings;
mod start;
mod tasks;
mod telling;
mod tty;
mod watching;

use std::io::{self, Write};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crossterm::event::{Event, KeyEventKind};
use futures_util::future::BoxFuture;
use futures_util::{Stream, StreamExt as _};
use ratatui::Terminal;
use time::OffsetDateTime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::core::keymap::Keymap;
use crate::core::msg::{Attempt, Msg, Notice};
use crate::core::state::Settings;
use crate::core::{Effect, Key, State, update};
use crate::engine::{About, Engine, EngineError};
use crate::ui::{self, Theme};
use screen::{Screen, SizeFrom};
use tasks::Tasks;
use tty::Tty;

pub use start::{Options, run};

/// The shortest time between two frames.
pub const FRAME: Duration = Duration::from_millis(10);
/// How long the end waits for tasks to clean up behind them.
const PARTING: Duration = Duration::from_secs(3);
/// Messages folded before a frame gets its turn.
const BATCH: usize = 512;

/// How the TUI ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The operator ended it.
    Quit,
    /// A signal ended it; its number.
    Signal(i32),
}

/// An engine that answers.
#[derive(Clone)]
pub struct Found {
    /// The engine.
    pub engine: Engine,
    /// What it is.
    pub about: Arc<About>,
    /// Whether it is the demo.
    pub demo: bool,
}

/// A search for an engine on its way.
pub type Looking = BoxFuture<'static, Result<Found, Vec<Attempt>>>;

/// What the loop gets from outside, so that tests can give other things.
pub struct World {
    /// Looks for an engine.
    pub connect: Box<dyn Fn() -> Looking + Send>,
    /// Starts the demo.
    pub demo: Box<dyn Fn() -> Looking + Send>,
    /// The clock.
    pub now: Box<dyn Fn() -> OffsetDateTime + Send>,
}

/// What the operator chose.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// What the state starts with.
    pub settings: Settings,
    /// The keys.
    pub keymap: Keymap,
    /// Colours and glyphs.
    pub theme: Theme,
}

/// Runs the loop on this terminal until it ends. `tty` is the real terminal's set-up, where there is one.
///
/// # Errors
///
/// When the terminal or its input fails.
pub async fn run_with<W: Write>(
    terminal: Terminal<Screen<W>>,
    input: impl Stream<Item = io::Result<Event>>,
    world: World,
    chosen: Chosen,
) -> io::Result<Ended> {
    Loop::new(terminal, world, chosen, None)?.run(input).await
}

/// The signals that the loop hears.
struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
    stop: Signal,
    cont: Signal,
}

/// A signal, for the loop.
#[derive(Debug, Clone, Copy)]
enum Heard {
    End(i32),
    Stop,
    Continue,
}

impl Signals {
    fn new() -> io::Result<Self> {
        // SIGTSTP has no name in tokio; its number is 20 on every Linux architecture but MIPS and SPARC.
        let stop = SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw());
        let cont = SignalKind::from_raw(rustix::process::Signal::CONT.as_raw());
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
            stop: signal(stop)?,
            cont: signal(cont)?,
        })
    }

    async fn next(&mut self) -> Heard {
        tokio::select! {
            _ = self.term.recv() => Heard::End(15),
            _ = self.int.recv() => Heard::End(2),
            _ = self.hup.recv() => Heard::End(1),
            _ = self.stop.recv() => Heard::Stop,
            _ = self.cont.recv() => Heard::Continue,
        }
    }
}

/// What woke the loop.
enum Woken {
    Input(Option<io::Result<Event>>),
    Msg(Msg),
    Found(Result<Found, Vec<Attempt>>),
    Signal(Heard),
    Frame,
}

struct Loop<W: Write> {
    terminal: Terminal<Screen<W>>,
    tty: Option<Tty>,
    theme: Theme,
    state: State,
    world: World,
    tasks: Tasks,
    messages: mpsc::Receiver<Msg>,
    found: mpsc::Receiver<Result<Found, Vec<Attempt>>>,
    drawn: Instant,
    ended: Option<Ended>,
}

impl<W: Write> Loop<W> {
    fn new(terminal: Terminal<Screen<W>>, world: World, chosen: Chosen, tty: Option<Tty>) -> io::Result<Self> {
        let size = terminal.size()?;
        let state = State::new(chosen.settings, chosen.keymap, (world.now)(), (size.width, size.height));
        let (to, messages) = mpsc::channel(mail::CAPACITY);
        let (to_found, found) = mpsc::channel(1);
        Ok(Self {
            terminal,
            tty,
            theme: chosen.theme,
            state,
            world,
            tasks: Tasks::new(to, to_found),
            messages,
            found,
            drawn: Instant::now(),
            ended: None,
        })
    }

    async fn run(mut self, input: impl Stream<Item = io::Result<Event>>) -> io::Result<Ended> {
        let ended = self.turn(input).await;
        // The terminal goes back first: cleaning up may take a moment.
        self.tty = None;
        self.tasks.part(PARTING).await;
        ended
    }

    async fn turn(&mut self, input: impl Stream<Item = io::Result<Event>>) -> io::Result<Ended> {
        let mut input = pin!(input);
        let mut signals = Signals::new()?;
        // The screen stands before anything else is asked.
        self.draw()?;
        self.execute(Effect::Connect)?;
        loop {
            let woken = self.wait(&mut input, &mut signals).await;
            self.fold(Msg::Now((self.world.now)()))?;
            self.wake(woken)?;
            for _ in 0..BATCH {
                let Some(next) = self.queued(&mut input).await else {
                    break;
                };
                self.wake(next)?;
            }
            if let Some(ended) = self.ended {
                return Ok(ended);
            }
            if self.state.changed && self.drawn.elapsed() >= FRAME {
                self.draw()?;
            }
        }
    }

    async fn wait(
        &mut self,
        input: &mut std::pin::Pin<&mut impl Stream<Item = io::Result<Event>>>,
        signals: &mut Signals,
    ) -> Woken {
        let due = self.drawn + FRAME;
        tokio::select! {
            biased;
            event = input.next() => Woken::Input(event),
            heard = signals.next() => Woken::Signal(heard),
            Some(found) = self.found.recv() => Woken::Found(found),
            Some(msg) = self.messages.recv() => Woken::Msg(msg),
            () = tokio::time::sleep_until(due), if self.state.changed => Woken::Frame,
        }
    }

    /// What is there already, without waiting.
    async fn queued(&mut self, input: &mut std::pin::Pin<&mut impl Stream<Item = io::Result<Event>>>) -> Option<Woken> {
        // Polled with this task's own waker: crossterm's stream keeps the first waker that it sees.
        let event = std::future::poll_fn(|cx| Poll::Ready(input.as_mut().poll_next(cx))).await;
        if let Poll::Ready(event) = event {
            return Some(Woken::Input(event));
        }
        self.messages.try_recv().ok().map(Woken::Msg)
    }

    fn wake(&mut self, woken: Woken) -> io::Result<()> {
        match woken {
            Woken::Frame => Ok(()),
            Woken::Msg(msg) => self.fold(msg),
            Woken::Found(Ok(found)) => {
                let connected = self.tasks.take(found);
                self.fold(Msg::Connected(connected))
            }
            Woken::Found(Err(tried)) => self.fold(Msg::NotConnected(tried)),
            Woken::Signal(heard) => self.heard(heard),
            Woken::Input(Some(Ok(event))) => self.event(event),
            Woken::Input(Some(Err(error))) => Err(error),
            // The terminal is gone, as with SIGHUP.
            Woken::Input(None) => {
                self.ended.get_or_insert(Ended::Signal(1));
                Ok(())
            }
        }
    }

    fn event(&mut self, event: Event) -> io::Result<()> {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.fold(Msg::Key(Key::from(key))),
            Event::Paste(text) => self.fold(Msg::Paste(text)),
            Event::Resize(columns, rows) => self.fold(Msg::Resize(columns, rows)),
            _ => Ok(()),
        }
    }

    fn heard(&mut self, heard: Heard) -> io::Result<()> {
        match heard {
            Heard::End(number) => {
                self.ended.get_or_insert(Ended::Signal(number));
                Ok(())
            }
            Heard::Stop => self.suspend(),
            Heard::Continue => {
                if let Some(tty) = &mut self.tty {
                    tty.take_again()?;
                }
                self.redraw()
            }
        }
    }

    fn suspend(&mut self) -> io::Result<()> {
        let Some(tty) = &mut self.tty else { return Ok(()) };
        tty.suspend()?;
        self.redraw()
    }

    /// Takes nothing on the terminal for granted.
    fn redraw(&mut self) -> io::Result<()> {
        self.terminal.clear()?;
        let size = self.terminal.size()?;
        self.fold(Msg::Resize(size.width, size.height))
    }

    fn fold(&mut self, msg: Msg) -> io::Result<()> {
        for effect in update(&mut self.state, msg) {
            self.execute(effect)?;
        }
        Ok(())
    }

    fn execute(&mut self, effect: Effect) -> io::Result<()> {
        match effect {
            Effect::Quit => self.ended = Some(Ended::Quit),
            Effect::Suspend => self.suspend()?,
            Effect::Copy(text) => self.copy(&text)?,
            Effect::Connect => self.tasks.look((self.world.connect)()),
            Effect::Demo => self.tasks.look((self.world.demo)()),
            Effect::Cancel(job) => self.tasks.cancel(job),
            Effect::Engine(id, effect) => self.tasks.execute(id, effect),
        }
        Ok(())
    }

    /// Hands text to the clipboard of the operator's terminal, over SSH too (OSC 52); base64 carries no control.
    fn copy(&mut self, text: &str) -> io::Result<()> {
        /// Terminals cut or refuse more.
        const LIMIT: usize = 74_994;
        if text.len() > LIMIT {
            return self.fold(Msg::Notice(Notice::warning("too long for the clipboard of a terminal")));
        }
        let sequence = format!("\x1b]52;c;{}\x07", crate::text::base64(text.as_bytes()));
        self.terminal.backend_mut().send(sequence.as_bytes())
    }

    fn draw(&mut self) -> io::Result<()> {
        self.state.changed = false;
        let (state, theme) = (&self.state, &self.theme);
        self.terminal.draw(|frame| ui::view(state, theme, frame))?;
        self.drawn = Instant::now();
        Ok(())
    }
}

/// An error of the connecting, as an attempt for the start screen.
fn attempt(endpoint: &str, error: &EngineError) -> Attempt {
    Attempt {
        endpoint: endpoint.to_owned(),
        origin: String::new(),
        outcome: error.to_string(),
    }
}

#[cfg(test)]
mod tests;
