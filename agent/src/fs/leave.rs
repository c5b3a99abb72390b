//! Which paths are left alone: a tree of names, so that a walk asks once per entry and only where there is something.
//! Knows no descriptors.

use std::collections::HashMap;
use std::sync::Arc;

/// Names on the way to what is left alone.
#[derive(Debug, Default)]
pub(crate) struct Leave {
    below: HashMap<Vec<u8>, Arc<Leave>>,
    /// Whether this is left alone, with all beneath.
    here: bool,
}

/// What a walk does with a path.
#[derive(Debug, Clone)]
pub(crate) enum Bid {
    /// It is left alone.
    Left,
    /// It is walked; where there is something beneath that is left alone, this says what.
    Walk(Option<Arc<Leave>>),
}

impl Leave {
    /// Of paths relative to the root; an empty one leaves everything alone.
    pub(crate) fn of(paths: &[Vec<u8>]) -> Self {
        let mut top = Self::default();
        for path in paths {
            top.add(path);
        }
        top
    }

    fn add(&mut self, path: &[u8]) {
        let mut here = self;
        for name in path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
            let below = here.below.entry(name.to_vec()).or_default();
            // Nobody else has it yet.
            let Some(below) = Arc::get_mut(below) else { return };
            here = below;
        }
        here.here = true;
    }

    /// What to do at a path relative to the root.
    pub(crate) fn at(self, path: &[u8]) -> Bid {
        let mut bid = if self.here {
            Bid::Left
        } else {
            Bid::Walk(Some(Arc::new(self)))
        };
        for name in path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
            bid = match bid {
                Bid::Walk(Some(leave)) => leave.child(name),
                settled => return settled,
            };
        }
        bid
    }

    /// What to do with a name in a directory.
    pub(crate) fn child(&self, name: &[u8]) -> Bid {
        match self.below.get(name) {
            Some(leave) if leave.here => Bid::Left,
            Some(leave) => Bid::Walk(Some(Arc::clone(leave))),
            None => Bid::Walk(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bid(leave: &[&[u8]], path: &[u8]) -> &'static str {
        let paths: Vec<Vec<u8>> = leave.iter().map(|path| path.to_vec()).collect();
        match Leave::of(&paths).at(path) {
            Bid::Left => "left",
            Bid::Walk(Some(_)) => "beneath",
            Bid::Walk(None) => "free",
        }
    }

    #[test]
    fn what_is_left_is_left_with_all_beneath_and_nothing_beside() {
        let leave: [&[u8]; 3] = [b"a/b", b"a/b/c", b"\xffx"];
        assert_eq!(bid(&leave, b""), "beneath");
        assert_eq!(bid(&leave, b"a"), "beneath");
        for left in [&b"a/b"[..], b"a/b/c", b"a/b/c/d", b"a/b/x", b"\xffx"] {
            assert_eq!(bid(&leave, left), "left", "{left:?}");
        }
        for free in [&b"b"[..], b"a/c", b"ab", b"a/bb", b"\xff"] {
            assert_eq!(bid(&leave, free), "free", "{free:?}");
        }
        assert_eq!(bid(&[b""], b""), "left");
        assert_eq!(bid(&[b""], b"a/b"), "left");
        assert_eq!(bid(&[], b"a"), "free");
    }
}
