//! Remembers which containers are vole's own helpers, whoever started them. Knows only their ids.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Helpers remembered; the oldest go first. Their events come within seconds of their life.
const REMEMBERED: usize = 4096;

/// A bounded, shared set of container ids. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct HelpersSeen {
    ids: Arc<Mutex<Ids>>,
}

#[derive(Debug, Default)]
struct Ids {
    known: HashSet<String>,
    order: VecDeque<String>,
}

impl HelpersSeen {
    /// Remembers a helper.
    pub fn add(&self, id: &str) {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        if !ids.known.insert(id.to_owned()) {
            return;
        }
        ids.order.push_back(id.to_owned());
        if ids.order.len() > REMEMBERED
            && let Some(oldest) = ids.order.pop_front()
        {
            ids.known.remove(&oldest);
        }
    }

    /// Whether a container is one of vole's helpers, as far as is known.
    pub fn contains(&self, id: &str) -> bool {
        self.ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .known
            .contains(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten_and_clones_share() {
        let seen = HelpersSeen::default();
        let shared = seen.clone();
        for id in 0..=REMEMBERED {
            seen.add(&id.to_string());
            seen.add(&id.to_string());
        }
        assert!(!shared.contains("0"));
        assert!(shared.contains("1") && shared.contains(&REMEMBERED.to_string()));
    }
}
