//! Sets the terminal up and puts it back on every way out: return, error, panic, signal, suspend. Draws nothing.

use std::io::{self, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};

/// Whether the terminal is set up now, for the panic hook.
static SET_UP: AtomicBool = AtomicBool::new(false);

/// The terminal while it is set up; dropping it puts everything back.
#[derive(Debug)]
pub(super) struct Tty {
    _private: (),
}

impl Tty {
    /// Sets the terminal up: raw, alternate screen, no cursor, pasted text marked as such.
    ///
    /// # Errors
    ///
    /// When stdout is no terminal or does not take it.
    pub(super) fn set_up() -> io::Result<Self> {
        hook_panics();
        enter()?;
        Ok(Self { _private: () })
    }

    /// Stops the process group, as a shell's Ctrl-Z would, and sets the terminal up again when it continues.
    ///
    /// # Errors
    ///
    /// When the terminal does not take it.
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        leave()?;
        rustix::process::kill_current_process_group(rustix::process::Signal::STOP).map_err(io::Error::from)?;
        enter()
    }

    /// Sets the terminal up again after something else had it (the process was stopped from outside).
    ///
    /// # Errors
    ///
    /// When the terminal does not take it.
    pub(super) fn take_again(&mut self) -> io::Result<()> {
        // Crossterm remembers the mode that it found; what the shell left in between is what it must find again.
        disable_raw_mode()?;
        enter()
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        if let Err(error) = leave() {
            // The terminal is gone or broken: there is nothing left to tell it.
            drop(error);
        }
    }
}

fn enter() -> io::Result<()> {
    enable_raw_mode()?;
    SET_UP.store(true, Ordering::SeqCst);
    execute!(io::stdout(), EnterAlternateScreen, Hide, EnableBracketedPaste)
}

fn leave() -> io::Result<()> {
    if !SET_UP.swap(false, Ordering::SeqCst) {
        return Ok(());
    }
    // Should a panic come in the middle of a frame, the synchronised update is ended too.
    let written = io::stdout().write_all(b"\x1b[?2026l\x1b[0m");
    let left = execute!(io::stdout(), DisableBracketedPaste, Show, LeaveAlternateScreen);
    disable_raw_mode()?;
    written.and(left)
}

/// A panic of the loop's thread puts the terminal back before its message is printed. One in a task prints
/// nothing over the screen: its job ends with the message.
fn hook_panics() {
    static HOOKED: Once = Once::new();
    HOOKED.call_once(|| {
        let ui = thread::current().id();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if thread::current().id() == ui {
                drop(leave());
                before(info);
            } else if !SET_UP.load(Ordering::SeqCst) {
                before(info);
            }
        }));
    });
}
