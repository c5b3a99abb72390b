//! The fuzzy filter of tables: whether one of some texts matches what is typed. Knows no table.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

/// A filter; one of nothing but spaces lets everything through.
pub(super) struct Fuzzy {
    pattern: Option<(Pattern, Matcher)>,
    buffer: Vec<char>,
}

impl Fuzzy {
    /// The filter of what is typed.
    pub(super) fn new(typed: &str) -> Self {
        let pattern = (!typed.trim().is_empty()).then(|| {
            let pattern = Pattern::parse(typed, CaseMatching::Smart, Normalization::Smart);
            (pattern, Matcher::new(Config::DEFAULT))
        });
        Self {
            pattern,
            buffer: Vec::new(),
        }
    }

    /// Whether one of these texts matches.
    pub(super) fn lets<'a>(&mut self, mut texts: impl Iterator<Item = &'a str>) -> bool {
        let Some((pattern, matcher)) = &mut self.pattern else {
            return true;
        };
        let buffer = &mut self.buffer;
        texts.any(|text| pattern.score(Utf32Str::new(text, buffer), matcher).is_some())
    }
}
