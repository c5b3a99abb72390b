//! A line of text being typed. Knows keys, not what the text is for.

use crossterm::event::KeyCode;
use unicode_segmentation::UnicodeSegmentation;

use super::key::Key;

/// The longest text that a field takes, in characters.
const LIMIT: usize = 4096;

/// A line of text with a cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Input {
    text: String,
    /// Byte offset of the cursor, always on a grapheme's edge.
    at: usize,
}

/// What a key did to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typed {
    /// The text changed.
    Changed,
    /// Only the cursor moved.
    Moved,
    /// Enter: the text is meant.
    Accepted,
    /// Escape (or Ctrl-C): the field is to be closed.
    Dropped,
    /// The key means nothing in a text field.
    Ignored,
}

impl Input {
    /// A field with text in it and the cursor at its end.
    pub fn with(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            at: text.len(),
        }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text before the cursor.
    pub fn before(&self) -> &str {
        &self.text[..self.at]
    }

    /// The text from the cursor on.
    pub fn after(&self) -> &str {
        &self.text[self.at..]
    }

    /// Empties the field.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Inserts pasted text; line ends and other control characters are left out.
    pub fn paste(&mut self, text: &str) {
        let room = LIMIT.saturating_sub(self.text.chars().count());
        let clean: String = text.chars().filter(|c| !c.is_control()).take(room).collect();
        self.text.insert_str(self.at, &clean);
        self.at += clean.len();
    }

    /// Takes a key.
    pub fn key(&mut self, key: Key) -> Typed {
        let letter = |c: char| key.ctrl && key.code == KeyCode::Char(c);
        if key.code == KeyCode::Enter {
            return Typed::Accepted;
        }
        if key.code == KeyCode::Esc || letter('c') {
            return Typed::Dropped;
        }
        if let Some(c) = key.text().filter(|c| !c.is_control()) {
            self.paste(c.encode_utf8(&mut [0; 4]));
            return Typed::Changed;
        }
        let old = (self.text.len(), self.at);
        match key.code {
            KeyCode::Backspace => self.cut(self.left()),
            _ if letter('h') => self.cut(self.left()),
            _ if letter('w') => self.cut(self.word_left()),
            _ if letter('u') => self.cut(0),
            _ if letter('k') => self.text.truncate(self.at),
            KeyCode::Delete => {
                let end = self.right();
                self.text.replace_range(self.at..end, "");
            }
            KeyCode::Left => self.at = self.left(),
            KeyCode::Right => self.at = self.right(),
            KeyCode::Home => self.at = 0,
            KeyCode::End => self.at = self.text.len(),
            _ if letter('a') => self.at = 0,
            _ if letter('e') => self.at = self.text.len(),
            _ => return Typed::Ignored,
        }
        match old {
            (len, _) if len != self.text.len() => Typed::Changed,
            (_, at) if at != self.at => Typed::Moved,
            _ => Typed::Ignored,
        }
    }

    /// Removes from an earlier offset to the cursor.
    fn cut(&mut self, from: usize) {
        self.text.replace_range(from..self.at, "");
        self.at = from;
    }

    fn left(&self) -> usize {
        self.before().grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn right(&self) -> usize {
        self.at + self.after().graphemes(true).next().map_or(0, str::len)
    }

    fn word_left(&self) -> usize {
        let trimmed = self.before().trim_end();
        trimmed.rfind(|c: char| !c.is_alphanumeric()).map_or(0, |at| {
            let end = at + trimmed[at..].chars().next().map_or(0, char::len_utf8);
            if end == trimmed.len() { at } else { end }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[&str]) -> Input {
        let mut input = Input::default();
        for key in keys {
            input.key(key.parse().unwrap());
        }
        input
    }

    #[test]
    fn edits_by_whole_graphemes_and_words() {
        let mut input = Input::with("shop db-日本");
        assert_eq!(input.key("backspace".parse().unwrap()), Typed::Changed);
        assert_eq!(input.text(), "shop db-日");
        input.key("ctrl-w".parse().unwrap());
        assert_eq!(input.text(), "shop db-");
        input.key("ctrl-w".parse().unwrap());
        input.key("ctrl-w".parse().unwrap());
        assert_eq!(input.text(), "shop ");
        input.key("home".parse().unwrap());
        input.key("delete".parse().unwrap());
        assert_eq!((input.before(), input.after()), ("", "hop "));
    }

    #[test]
    fn control_characters_do_not_get_in() {
        let mut input = typed(&["a", "space", "b"]);
        input.paste("\x1b[31m\n");
        assert_eq!(input.text(), "a b[31m");
        assert_eq!(input.key("f1".parse().unwrap()), Typed::Ignored);
        assert_eq!(input.key("enter".parse().unwrap()), Typed::Accepted);
    }
}
