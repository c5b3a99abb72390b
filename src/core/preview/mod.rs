//! The preview of one entry: what is shown of it, where, and which range of the file is wanted next. A file is
//! only ever read by ranges. Knows no requests' ids but its own and draws nothing.

pub mod hex;
pub mod lines;
pub mod window;

use vole_agent::proto::{Entry, Followed, Kind};

use self::lines::Shape;
use self::window::Window;
use super::files::msg::{Ask, Range, Start};
use crate::model::BytePath;

/// Bytes that are read before what is shown, and behind it; pieces of endless lines need a few KiB before.
const BEFORE: u64 = 64 << 10;
const BEHIND: u64 = 128 << 10;
/// The same behind, where lines are cut instead of wrapped and a screen may need more.
const BEHIND_CUT: u64 = 512 << 10;
/// How near the window's edge may come before the next one is read.
const MARGIN: u64 = 24 << 10;
/// Bytes before the end that following starts with.
pub const TAIL: u64 = 64 << 10;

/// How bytes are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// As text.
    Text,
    /// As a hex dump.
    Hex,
}

/// What is known of the contents.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// There are none to read: a directory, a link, a device, an empty file, ….
    Nothing,
    /// The first range is on its way.
    Waiting,
    /// They could not be read: why.
    Failed(String),
    /// A window of them.
    Window(Window),
}

/// A running follow.
#[derive(Debug, Clone, PartialEq)]
pub struct Following {
    /// Its request.
    pub ask: Ask,
    /// Whether the view goes along with the end.
    pub sticks: bool,
    /// Why it ended, when it ended by itself.
    pub ended: Option<String>,
}

/// Where the view is to be when the range that was asked for is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    Keep,
    At(u64),
    End,
}

/// The preview of one entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// Its path.
    pub at: BytePath,
    /// The entry as it was last seen.
    pub entry: Entry,
    /// Its contents.
    pub body: Body,
    /// How they are shown; `None` until the first bytes tell.
    mode: Option<Mode>,
    /// Whether long lines wrap.
    pub wrap: bool,
    /// Offset of the first byte shown.
    top: u64,
    /// The line that was jumped to.
    pub hit: Option<u64>,
    /// Following, when it is on.
    pub following: Option<Following>,
    /// Lengths before and after, when the file became shorter while it was open.
    pub shrank: Option<(u64, u64)>,
    /// The range that is on its way.
    pub pending: Option<Ask>,
    goal: Goal,
    columns: usize,
    rows: usize,
}

impl Preview {
    /// Starts the preview of an entry, at the line that begins at `hit` where one was jumped to.
    pub fn new(at: BytePath, entry: Entry, hit: Option<u64>, wrap: bool, (columns, rows): (usize, usize)) -> Self {
        let readable = entry.kind == Kind::File && entry.errno.is_none() && entry.size > 0;
        Self {
            at,
            body: if readable { Body::Waiting } else { Body::Nothing },
            entry,
            mode: None,
            wrap,
            top: hit.unwrap_or(0),
            hit,
            following: None,
            shrank: None,
            pending: None,
            goal: hit.map_or(Goal::At(0), Goal::At),
            columns,
            rows,
        }
    }

    /// How the bytes are shown.
    pub fn mode(&self) -> Mode {
        self.mode.unwrap_or(Mode::Text)
    }

    /// Offset of the first byte shown.
    pub fn top(&self) -> u64 {
        self.top
    }

    /// Whether it shows the contents of a file, so that scrolling and modes make sense.
    pub fn has_contents(&self) -> bool {
        matches!(self.body, Body::Window(_))
    }

    /// Whether it could be followed: a regular file.
    pub fn is_file(&self) -> bool {
        self.entry.kind == Kind::File && self.entry.errno.is_none()
    }

    /// The window of the contents.
    pub fn window(&self) -> Option<&Window> {
        match &self.body {
            Body::Window(window) => Some(window),
            Body::Nothing | Body::Waiting | Body::Failed(_) => None,
        }
    }

    /// How rows of text are made now.
    pub fn shape(&self) -> Shape {
        Shape {
            width: self.columns.max(1),
            height: self.rows.max(1),
            wrap: self.wrap,
        }
    }

    /// Bytes per row of the hex dump.
    pub fn per_row(&self) -> usize {
        hex::per_row(self.columns, hex::digits(self.size()))
    }

    /// The file's length as it was last seen.
    pub fn size(&self) -> u64 {
        self.window().map_or(self.entry.size, |window| window.size)
    }

    /// Offset behind the last byte on screen.
    pub fn bottom(&self) -> u64 {
        let Some(window) = self.window() else { return 0 };
        match self.mode() {
            Mode::Text => lines::rows_from(window.view(), self.top, self.shape())
                .last()
                .map_or(self.top, |line| line.end),
            Mode::Hex => (self.top + (self.per_row() * self.rows.max(1)) as u64).min(window.end()),
        }
    }

    /// Tells the size of the area for the contents.
    pub fn resize(&mut self, (columns, rows): (usize, usize)) {
        self.columns = columns;
        self.rows = rows;
        self.normalise();
    }

    // --- moving

    /// Moves by rows, down when positive.
    pub fn scroll(&mut self, by: isize) {
        let (mode, shape, step) = (self.mode(), self.shape(), self.per_row());
        let Some(window) = self.window() else { return };
        let (view, n) = (window.view(), by.unsigned_abs());
        let last = match mode {
            Mode::Text => lines::bottom(view, shape),
            Mode::Hex => hex::bottom(window.end(), step, shape.height).max(hex::align(window.base, step)),
        };
        let moved = match (mode, by >= 0) {
            (Mode::Text, true) => lines::down(view, self.top, n, shape),
            (Mode::Text, false) => lines::up(view, self.top, n, shape),
            (Mode::Hex, true) => hex::align(self.top, step) + (n * step) as u64,
            (Mode::Hex, false) => hex::align(self.top, step)
                .saturating_sub((n * step) as u64)
                .max(window.base),
        };
        // Not beyond the last full screen, but a place that a jump led to stays.
        self.top = if by >= 0 { moved.min(last.max(self.top)) } else { moved };
        if let Some(following) = &mut self.following {
            following.sticks = by > 0 && self.top >= last;
        }
    }

    /// Moves by half a screen.
    pub fn page(&mut self, down: bool) {
        let half = (self.rows / 2).max(1) as isize;
        self.scroll(if down { half } else { -half });
    }

    /// Moves to the file's start.
    pub fn first(&mut self) {
        match &mut self.following {
            Some(following) => {
                following.sticks = false;
                self.top = self.window().map_or(0, |window| window.base);
            }
            None => self.jump(Goal::At(0)),
        }
    }

    /// Moves to the file's end, wherever that is now.
    pub fn last(&mut self) {
        match &mut self.following {
            Some(following) => {
                following.sticks = true;
                self.show_bottom();
            }
            None => self.jump(Goal::End),
        }
    }

    fn jump(&mut self, goal: Goal) {
        if !self.has_contents() {
            return;
        }
        self.goal = goal;
        if let (Goal::At(offset), Some(window)) = (goal, self.window())
            && window.base <= offset
            && offset < window.end()
        {
            self.top = offset;
            self.goal = Goal::Keep;
        }
    }

    fn show_bottom(&mut self) {
        let (shape, step) = (self.shape(), self.per_row());
        let Some(window) = self.window() else { return };
        self.top = match self.mode() {
            Mode::Text => lines::bottom(window.view(), shape),
            Mode::Hex => hex::bottom(window.end(), step, shape.height).max(hex::align(window.base, step)),
        };
    }

    /// Puts the top on the start of a row of the present shape.
    fn normalise(&mut self) {
        let (mode, shape, step) = (self.mode(), self.shape(), self.per_row());
        if self.following.as_ref().is_some_and(|following| following.sticks) {
            return self.show_bottom();
        }
        let Some(window) = self.window() else { return };
        self.top = match mode {
            Mode::Text => {
                let one = Shape { height: 1, ..shape };
                lines::rows_from(window.view(), self.top, one)
                    .first()
                    .map_or(self.top, |line| line.offset)
            }
            Mode::Hex => hex::align(self.top, step),
        };
    }

    // --- modes

    /// Shows hex instead of text, or the other way round.
    pub fn toggle_hex(&mut self) {
        self.mode = Some(if self.mode() == Mode::Hex {
            Mode::Text
        } else {
            Mode::Hex
        });
        self.normalise();
    }

    /// Wraps long lines, or cuts them.
    pub fn toggle_wrap(&mut self) {
        self.wrap = !self.wrap;
        self.normalise();
    }

    /// Starts following; the contents are read anew from near the end.
    pub fn start_following(&mut self, ask: Ask) {
        self.following = Some(Following {
            ask,
            sticks: true,
            ended: None,
        });
        self.body = Body::Window(Window::default());
        self.mode = Some(Mode::Text);
        self.pending = None;
        self.goal = Goal::Keep;
        self.hit = None;
        self.top = 0;
    }

    /// Stops following and shows the file's end.
    pub fn stop_following(&mut self) -> Option<Ask> {
        let following = self.following.take()?;
        self.body = Body::Waiting;
        self.top = 0;
        self.goal = Goal::End;
        Some(following.ask)
    }

    // --- reading

    /// The range that is wanted now, when one is and none is on its way.
    pub fn wants(&self) -> Option<(Start, u64)> {
        if self.pending.is_some() || self.following.is_some() {
            return None;
        }
        let behind = if self.wrap || self.mode() == Mode::Hex {
            BEHIND
        } else {
            BEHIND_CUT
        };
        let around = |offset: u64| {
            let from = offset.saturating_sub(BEFORE) & !(BEFORE - 1);
            (Start::At(from), offset - from + behind)
        };
        match (&self.body, self.goal) {
            (Body::Nothing | Body::Failed(_), _) => None,
            (_, Goal::End) => Some((Start::BeforeEnd(BEFORE + behind), BEFORE + behind)),
            (_, Goal::At(offset)) => Some(around(offset)),
            (Body::Waiting, Goal::Keep) => Some(around(self.top)),
            (Body::Window(window), Goal::Keep) => {
                let before = window.base > 0 && self.top < window.base + MARGIN;
                let behind = window.end() < window.size && self.bottom() + MARGIN > window.end();
                (before || behind).then(|| around(self.top))
            }
        }
    }

    /// Takes the range that was asked for.
    pub fn take(&mut self, range: Range) {
        let before = self.size();
        if range.size < before {
            self.shrank = Some((before, range.size));
        }
        if self.mode.is_none() {
            self.mode = Some(if window::looks_binary(&range.bytes) {
                Mode::Hex
            } else {
                Mode::Text
            });
        }
        // What was there ended while it was read: that is its length now, whatever the stat before said.
        let end = range.offset + range.bytes.len() as u64;
        self.entry.size = range.size;
        self.body = if range.size == 0 && range.bytes.is_empty() {
            Body::Nothing
        } else {
            Body::Window(Window {
                base: range.offset,
                bytes: range.bytes,
                size: range.size.max(end),
                remarks: Vec::new(),
            })
        };
        match std::mem::replace(&mut self.goal, Goal::Keep) {
            Goal::Keep => {}
            Goal::At(offset) => self.top = offset,
            Goal::End => return self.show_bottom(),
        }
        match self.window() {
            Some(window) if self.top >= window.end() => self.show_bottom(),
            _ => self.normalise(),
        }
    }

    /// Notes that the contents could not be read.
    pub fn fail(&mut self, why: String) {
        self.body = Body::Failed(why);
        self.goal = Goal::Keep;
    }

    /// Takes news of the followed file.
    pub fn follow(&mut self, news: Followed) {
        if let Body::Window(window) = &mut self.body {
            window.follow(news);
            self.top = self.top.max(window.base);
        }
        if self.following.as_ref().is_some_and(|following| following.sticks) {
            self.show_bottom();
        }
    }
}

#[cfg(test)]
mod tests;
