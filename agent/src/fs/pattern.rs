//! The client's pattern: a sparse DFA that is checked when it arrives, so that the agent needs no regex compiler.

use regex_automata::Input;
use regex_automata::dfa::Automaton;
use regex_automata::dfa::sparse::DFA;
use regex_automata::util::primitives::StateID;

use crate::proto::Fault;

/// A pattern that was checked.
pub(super) struct Pattern<'a> {
    dfa: DFA<&'a [u8]>,
}

/// Where a search through pieces of a text stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress(StateID);

impl<'a> Pattern<'a> {
    /// Takes a DFA's bytes.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, Fault> {
        let refused = |why: String| Fault {
            errno: None,
            path: Vec::new(),
            message: format!("bad pattern: {why}"),
        };
        let (dfa, read) = DFA::from_bytes(bytes).map_err(|error| refused(error.to_string()))?;
        if read != bytes.len() {
            return Err(refused("bytes are left over".into()));
        }
        // A DFA without an unanchored start fails at every search; say so once.
        dfa.try_search_fwd(&Input::new(b""))
            .map_err(|error| refused(error.to_string()))?;
        Ok(Self { dfa })
    }

    /// Whether a whole text matches. A text that the pattern gives up on (a Unicode word boundary beside bytes that
    /// are no ASCII) does not.
    pub(super) fn matches(&self, text: &[u8]) -> bool {
        self.end(text).is_some()
    }

    /// Where the first match in a whole text ends, at the latest.
    pub(super) fn end(&self, text: &[u8]) -> Option<usize> {
        self.dfa
            .try_search_fwd(&Input::new(text).earliest(true))
            .ok()
            .flatten()
            .map(|found| found.offset())
    }

    /// Begins a text that comes in pieces.
    pub(super) fn begin(&self) -> Option<Progress> {
        self.dfa.start_state_forward(&Input::new(b"")).ok().map(Progress)
    }

    /// Goes on with a piece; where in it a match ended. `None` in `progress` ends the search without one.
    pub(super) fn go_on(&self, progress: &mut Option<Progress>, piece: &[u8]) -> Option<usize> {
        let mut state = progress.take()?.0;
        for (at, &byte) in piece.iter().enumerate() {
            state = self.dfa.next_state(state, byte);
            if self.dfa.is_special_state(state) {
                if self.dfa.is_match_state(state) {
                    return Some(at);
                }
                if self.dfa.is_dead_state(state) || self.dfa.is_quit_state(state) {
                    return None;
                }
            }
        }
        *progress = Some(Progress(state));
        None
    }

    /// Ends a text that came in pieces; whether it matches at its end.
    pub(super) fn finish(&self, progress: Option<Progress>) -> bool {
        progress.is_some_and(|progress| self.dfa.is_match_state(self.dfa.next_eoi_state(progress.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex_automata::dfa::dense;

    fn compile(pattern: &str) -> Vec<u8> {
        dense::DFA::new(pattern)
            .unwrap()
            .to_sparse()
            .unwrap()
            .to_bytes_little_endian()
    }

    #[test]
    fn pieces_match_as_the_whole_does_wherever_it_is_cut() {
        let text = b"some words, an needle at the end";
        for (regex, wanted) in [
            ("needle", true),
            ("^some", true),
            ("end$", true),
            ("^needle", false),
            ("words$", false),
            ("s, .n n", true),
        ] {
            let bytes = compile(regex);
            let pattern = Pattern::new(&bytes).unwrap();
            assert_eq!(pattern.matches(text), wanted, "{regex}");
            for cut in 0..=text.len() {
                let mut progress = pattern.begin();
                let pieces = [&text[..cut], &text[cut..]];
                let found = pieces.iter().any(|piece| pattern.go_on(&mut progress, piece).is_some());
                assert_eq!(found || pattern.finish(progress), wanted, "{regex} cut at {cut}");
            }
        }
    }

    #[test]
    fn bad_bytes_are_refused() {
        let good = compile("a+b");
        assert!(Pattern::new(b"").is_err());
        assert!(Pattern::new(&good[..good.len() - 1]).is_err());
        let mut longer = good.clone();
        longer.push(0);
        assert!(Pattern::new(&longer).is_err());
        // Whatever a flipped byte makes of it, it is refused or it searches without panicking.
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x55;
            if let Ok(pattern) = Pattern::new(&bad) {
                pattern.matches(b"xxaaab");
            }
        }
    }
}
