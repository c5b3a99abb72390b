//! Turns patterns as people write them into the automata that agents search with. The pattern's language stays
//! here: an agent gets states and transitions, and searches in time that grows with the data alone.

use regex_automata::dfa::{StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use thiserror::Error;

/// The largest automaton that is sent, in bytes: with the request around it, it has to fit a frame.
const SENT_LIMIT: usize = vole_agent::proto::MAX_FRAME - (64 << 10);
/// What the first step of building an automaton may take, in bytes, so that no pattern takes long or much memory.
const NFA_LIMIT: usize = 1 << 20;
/// What the second step may take, in bytes.
const DFA_LIMIT: usize = 2 << 20;

/// Whether upper and lower case differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Case {
    /// They differ when the pattern has an upper-case letter.
    #[default]
    Smart,
    /// They differ.
    Sensitive,
    /// They do not.
    Insensitive,
}

/// How a pattern is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Reading {
    /// Whether upper and lower case differ.
    pub case: Case,
    /// Whether the pattern stands for itself instead of being a regular expression.
    pub literal: bool,
}

/// A pattern ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// An unanchored sparse DFA of `regex-automata` in little-endian bytes.
    pub dfa: Vec<u8>,
    /// Whether classes, word boundaries and case know ASCII letters only, because the automaton for all of Unicode
    /// would be too large.
    pub ascii_only: bool,
}

/// Why a pattern cannot be searched for.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum PatternError {
    /// There is nothing in it.
    #[error("there is nothing to search for")]
    Empty,
    /// It is no regular expression.
    #[error("not a regular expression: {0}; to search for it as it stands, ask for a literal search")]
    Syntax(String),
    /// Its automaton would be too large.
    #[error("the pattern is too large to search with; use fewer or smaller repetitions")]
    TooLarge,
}

/// Compiles a pattern. `^` and `$` stand for the ends of a line (or of a name), and bytes that are no UTF-8 may
/// stand anywhere in what is searched.
///
/// # Errors
///
/// See [`PatternError`].
pub fn compile(pattern: &str, reading: Reading) -> Result<Compiled, PatternError> {
    if pattern.is_empty() {
        return Err(PatternError::Empty);
    }
    let insensitive = match reading.case {
        Case::Sensitive => false,
        Case::Insensitive => true,
        Case::Smart if reading.literal => !pattern.chars().any(char::is_uppercase),
        Case::Smart => !has_uppercase_letter(pattern),
    };
    let pattern = if reading.literal {
        escape(pattern)
    } else {
        pattern.to_owned()
    };
    match build(&pattern, insensitive, true) {
        Ok(dfa) => Ok(Compiled { dfa, ascii_only: false }),
        Err(PatternError::TooLarge) => {
            let dfa = build(&pattern, insensitive, false).map_err(|_| PatternError::TooLarge)?;
            Ok(Compiled { dfa, ascii_only: true })
        }
        Err(error) => Err(error),
    }
}

fn build(pattern: &str, insensitive: bool, unicode: bool) -> Result<Vec<u8>, PatternError> {
    let syntax = syntax::Config::new()
        .unicode(unicode)
        .utf8(false)
        .multi_line(true)
        .case_insensitive(insensitive);
    let nfa = thompson::Config::new().utf8(false).nfa_size_limit(Some(NFA_LIMIT));
    let dfa = dense::Config::new()
        .start_kind(StartKind::Unanchored)
        .dfa_size_limit(Some(DFA_LIMIT))
        .determinize_size_limit(Some(DFA_LIMIT));
    let dense = dense::Builder::new()
        .syntax(syntax)
        .thompson(nfa)
        .configure(dfa)
        .build(pattern)
        .map_err(|error| explain(&error))?;
    let bytes = dense
        .to_sparse()
        .map_err(|_| PatternError::TooLarge)?
        .to_bytes_little_endian();
    if bytes.len() > SENT_LIMIT {
        return Err(PatternError::TooLarge);
    }
    Ok(bytes)
}

/// Tells a mistake in the pattern from an automaton that cannot be built. The parser's message stands at the end
/// of the chain of causes, behind a drawing of the pattern.
fn explain(error: &dense::BuildError) -> PatternError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let message = cause.to_string();
    match message.rsplit_once("error: ") {
        Some((_, reason)) => PatternError::Syntax(reason.trim().to_owned()),
        None => PatternError::TooLarge,
    }
}

/// Whether a letter of the expression itself is upper-case: not one of `\S`, `\p{Greek}`, `\x4A` or `(?P<Name>…)`.
fn has_uppercase_letter(pattern: &str) -> bool {
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => {
                let escaped = rest.next();
                if matches!(escaped, Some('p' | 'P' | 'x' | 'u' | 'U' | 'b')) && rest.peek() == Some(&'{') {
                    rest.by_ref().find(|&c| c == '}');
                } else if escaped == Some('x') {
                    rest.nth(1);
                } else if matches!(escaped, Some('p' | 'P')) {
                    rest.next();
                }
            }
            '(' if rest.peek() == Some(&'?') => {
                rest.find(|c| matches!(c, '>' | ':' | ')'));
            }
            c if c.is_uppercase() => return true,
            _ => {}
        }
    }
    false
}

fn escape(literal: &str) -> String {
    let mut out = String::with_capacity(literal.len() + 8);
    for c in literal.chars() {
        if r"\.+*?()|[]{}^$#&-~".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex_automata::Input;
    use regex_automata::dfa::{Automaton, sparse::DFA};

    fn matches(pattern: &str, reading: Reading, text: &[u8]) -> bool {
        let compiled = compile(pattern, reading).unwrap();
        let (dfa, _) = DFA::from_bytes(&compiled.dfa).unwrap();
        dfa.try_search_fwd(&Input::new(text)).unwrap().is_some()
    }

    fn plain(pattern: &str, text: &str) -> bool {
        matches(pattern, Reading::default(), text.as_bytes())
    }

    #[test]
    fn expressions_match_lines_and_bytes_that_are_no_text() {
        assert!(plain("o+k$", "it is ook"));
        assert!(!plain("^is", "it is"));
        assert!(plain(r"\d{4}-\d\d", "on 2026-11-21"));
        assert!(plain("naïve", "NAÏVE"));
        assert!(matches("end", Reading::default(), b"\xff\xfe\x00end"));
        assert!(matches("^b$", Reading::default(), b"a\nb\nc"));
    }

    #[test]
    fn case_is_as_the_pattern_shows_it() {
        assert!(plain("error", "ERROR"));
        assert!(!plain("Error", "ERROR"));
        let names_and_classes = [
            r"\Serror",
            r"(?P<Word>error)",
            r"\p{Greek}*error",
            r"\x4A?error",
            r"\pL*error",
        ];
        for pattern in names_and_classes {
            assert!(
                plain(pattern, "xERROR"),
                "{pattern} has no upper-case letter of its own"
            );
        }
        let sensitive = Reading {
            case: Case::Sensitive,
            literal: false,
        };
        assert!(!matches("error", sensitive, b"ERROR"));
        let insensitive = Reading {
            case: Case::Insensitive,
            literal: true,
        };
        assert!(matches("Error", insensitive, b"ERROR"));
    }

    #[test]
    fn literals_stand_for_themselves() {
        let literal = Reading {
            case: Case::Smart,
            literal: true,
        };
        let all: String = (' '..='~').collect();
        assert!(matches(&all, literal, all.as_bytes()));
        assert!(!matches("a.c", literal, b"abc"));
        assert!(matches(r"\S(", literal, br"x\S(y"));
    }

    #[test]
    fn word_boundaries_fall_back_to_ascii_and_say_so() {
        let compiled = compile(r"\bcat\b", Reading::default()).unwrap();
        assert!(compiled.ascii_only);
        assert!(plain(r"\bcat\b", "a cat sat"));
        assert!(!plain(r"\bcat\b", "concatenate"));
        assert!(!compile("cat", Reading::default()).unwrap().ascii_only);
    }

    #[test]
    fn bad_patterns_get_a_sentence_and_huge_ones_end_soon() {
        let syntax = compile("a(b", Reading::default()).unwrap_err();
        assert_eq!(syntax, PatternError::Syntax("unclosed group".to_owned()));
        assert_eq!(compile("", Reading::default()), Err(PatternError::Empty));
        let huge = ["(a{1000}){1000}", r"[a-z]*x[a-z]{25}y"];
        for pattern in huge {
            assert_eq!(
                compile(pattern, Reading::default()),
                Err(PatternError::TooLarge),
                "{pattern}"
            );
        }
    }

    #[test]
    fn what_is_sent_fits_a_frame() {
        for pattern in [r"\w+@\w+", ".*error.*", r"(?i)straße|\p{Cyrillic}+"] {
            let compiled = compile(pattern, Reading::default()).unwrap();
            assert!(compiled.dfa.len() <= SENT_LIMIT, "{pattern}: {}", compiled.dfa.len());
        }
    }
}
