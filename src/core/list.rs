//! A list with a cursor that stays with its row when the rows change, and scrolls by itself. Knows nothing of what the rows
//! are.

use super::action::Action;
use super::steps;

/// Rows, one of them under the cursor.
#[derive(Debug, Clone, PartialEq)]
pub struct List<T> {
    rows: Vec<T>,
    /// Whether the operator moved the cursor: from then on it follows its row, before that it stays on the first.
    moved: bool,
    at: usize,
    top: usize,
    height: usize,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            moved: false,
            at: 0,
            top: 0,
            height: 0,
        }
    }
}

impl<T> List<T> {
    /// Takes other rows; `same` says which is which. The cursor keeps its row and its line of the screen. Returns whether
    /// it is on another row now.
    pub fn set(&mut self, rows: Vec<T>, same: impl Fn(&T, &T) -> bool) -> bool {
        let line = self.at.saturating_sub(self.top);
        let before = std::mem::replace(&mut self.rows, rows);
        let before = before.get(self.at);
        let wanted = before.filter(|_| self.moved);
        let kept = wanted.and_then(|wanted| self.rows.iter().position(|row| same(row, wanted)));
        self.at = match (kept, self.moved) {
            (Some(at), _) => at,
            (None, true) => self.at.min(self.rows.len().saturating_sub(1)),
            (None, false) => 0,
        };
        self.top = self.at.saturating_sub(line);
        let stays = match (before, self.current()) {
            (Some(before), Some(now)) => same(before, now),
            (before, now) => before.is_none() && now.is_none(),
        };
        self.scroll();
        !stays
    }

    /// The rows.
    pub fn rows(&self) -> &[T] {
        &self.rows
    }

    /// The row under the cursor.
    pub fn current(&self) -> Option<&T> {
        self.rows.get(self.at)
    }

    /// The cursor's line.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The first line on screen.
    pub fn top(&self) -> usize {
        self.top
    }

    /// The rows on screen with their lines.
    pub fn visible(&self) -> impl Iterator<Item = (usize, &T)> {
        self.rows.iter().enumerate().skip(self.top)
    }

    /// The list is this many lines high now.
    pub fn set_height(&mut self, height: usize) {
        self.height = height;
        self.scroll();
    }

    /// Moves as an action of the section Move says. Returns whether the cursor is on another row.
    pub fn go(&mut self, action: Action) -> bool {
        let step = |by| steps::step(self.at, by, self.rows.len(), |_| true);
        let to = match action {
            Action::Down => step(1),
            Action::Up => step(-1),
            Action::PageDown => step(steps::half(self.height, true)),
            Action::PageUp => step(steps::half(self.height, false)),
            Action::First | Action::Last => {
                let edge = steps::edge(action == Action::Last, self.rows.len(), |_| true);
                edge.unwrap_or(self.at)
            }
            _ => return false,
        };
        let moved = to != self.at;
        self.at = to;
        self.moved = true;
        self.scroll();
        moved
    }

    fn scroll(&mut self) {
        let height = self.height.max(1);
        self.top = self.top.min(self.at);
        if self.at >= self.top + height {
            self.top = self.at + 1 - height;
        }
        self.top = self.top.min(self.rows.len().saturating_sub(height));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(list: &mut List<char>, rows: &str) -> bool {
        list.set(rows.chars().collect(), char::eq)
    }

    #[test]
    fn the_cursor_stays_first_until_it_was_moved_and_follows_its_row_from_then_on() {
        let mut list = List::default();
        list.set_height(3);
        assert!(set(&mut list, "bc"));
        assert!(set(&mut list, "abc"), "untouched, it stays on the first line");
        assert!(list.go(Action::Down) && !list.go(Action::Copy));
        assert!(!set(&mut list, "xyzabc"));
        assert_eq!((list.current(), list.at() - list.top()), (Some(&'b'), 1));
        assert!(set(&mut list, "xy"), "its row is gone");
        assert_eq!(list.current(), Some(&'y'));
        assert!(set(&mut list, "") && !list.go(Action::Last));
        assert_eq!(list.current(), None);
    }

    #[test]
    fn it_scrolls_with_the_cursor_and_shows_no_empty_lines() {
        let mut list = List::default();
        list.set_height(4);
        set(&mut list, "abcdefghij");
        list.go(Action::Last);
        assert_eq!((list.at(), list.top()), (9, 6));
        list.go(Action::PageUp);
        assert_eq!((list.at(), list.top()), (7, 6));
        list.set_height(20);
        assert_eq!(list.top(), 0);
        list.go(Action::First);
        assert_eq!(list.visible().next(), Some((0, &'a')));
    }
}
