//! The terminal as ratatui draws on it: one write per frame, as a synchronised update, and none when nothing
//! differs. Knows no state.

use std::io::{self, Write};

use super::scroll::Shown;
use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};

/// Starts and ends a synchronised update; terminals that do not know it ignore it.
const SYNC: (&[u8], &[u8]) = (b"\x1b[?2026h", b"\x1b[?2026l");

/// Where the terminal's size comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeFrom {
    /// The terminal.
    Terminal,
    /// It is given (tests); columns and rows.
    Given(u16, u16),
}

/// A terminal behind a writer.
#[derive(Debug)]
pub struct Screen<W: Write> {
    inner: CrosstermBackend<Once<W>>,
    shown: Shown,
    size: SizeFrom,
}

/// Gathers what is written until it is flushed.
#[derive(Debug)]
struct Once<W> {
    gathered: Vec<u8>,
    out: W,
}

impl<W: Write> Write for Once<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.gathered.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let whole = [SYNC.0, &self.gathered, SYNC.1].concat();
        self.gathered.clear();
        self.out.write_all(&whole)?;
        self.out.flush()
    }
}

impl<W: Write> Screen<W> {
    /// A terminal behind this writer.
    pub fn new(out: W, size: SizeFrom) -> Self {
        let mut screen = Self {
            inner: CrosstermBackend::new(Once {
                gathered: Vec::new(),
                out,
            }),
            shown: Shown::default(),
            size,
        };
        // A terminal without a size is drawn on without memory; it is asked again before every frame.
        if let Ok(size) = screen.size() {
            screen.shown.clear(size);
        }
        screen
    }

    /// Sends bytes that draw nothing (a clipboard's text), at once.
    ///
    /// # Errors
    ///
    /// When the terminal is gone.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.inner.write_all(bytes)?;
        Write::flush(&mut self.inner)
    }

    /// Sets the size that is given from now on.
    pub fn set_size(&mut self, columns: u16, rows: u16) {
        self.size = SizeFrom::Given(columns, rows);
    }
}

impl<W: Write> Backend for Screen<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let bytes = self.shown.draw(content);
        self.inner.write_all(&bytes)
    }

    /// The cursor is hidden once, when the terminal is set up; text fields draw their own.
    fn hide_cursor(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(Position::ORIGIN)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, _position: P) -> io::Result<()> {
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    /// Whatever is to be cleared, all is: ratatui asks for nothing else on a whole screen.
    fn clear_region(&mut self, _: ClearType) -> io::Result<()> {
        self.shown.clear(self.size()?);
        self.inner.clear_region(ClearType::All)
    }

    fn size(&self) -> io::Result<Size> {
        match self.size {
            SizeFrom::Given(columns, rows) => Ok(Size::new(columns, rows)),
            SizeFrom::Terminal => rustix::termios::tcgetwinsize(io::stdout())
                .map(|size| Size::new(size.ws_col, size.ws_row))
                .map_err(io::Error::from),
        }
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize {
            columns_rows: self.size()?,
            pixels: Size::ZERO,
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Write::flush(&mut self.inner)
    }
}
