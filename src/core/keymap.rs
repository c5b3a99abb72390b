//! Finds the action of a key: the table of [`super::action`] plus the operator's own keys. Knows no state.

use std::collections::BTreeMap;

use super::action::{ACTIONS, Action, Section};
use super::key::{BadKey, Key};

/// Which key asks for which action, per section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keymap {
    bindings: Vec<Binding>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Binding {
    section: Section,
    action: Action,
    keys: Vec<Key>,
}

/// Why the operator's keys cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeymapError {
    /// No action has this id.
    #[error("there is no action \u{201c}{0}\u{201d}; `vole keys` lists them")]
    NoAction(String),
    /// A key that cannot be read.
    #[error("action {action}: {error}")]
    BadKey {
        /// The action's id.
        action: String,
        /// What is wrong.
        error: BadKey,
    },
    /// One key for two actions that can be active together.
    #[error("{key} means both {first} and {second}")]
    Twice {
        /// The key.
        key: String,
        /// One action's id.
        first: &'static str,
        /// The other's.
        second: &'static str,
    },
}

impl Keymap {
    /// The table's keys with the operator's in their place, by action id. An empty list takes an action's keys away.
    ///
    /// # Errors
    ///
    /// An unknown action, an unreadable key, or one key that means two things in the same place.
    pub fn new(own: &BTreeMap<String, Vec<String>>) -> Result<Self, KeymapError> {
        if let Some(id) = own.keys().find(|id| !ACTIONS.iter().any(|row| row.id == id.as_str())) {
            return Err(KeymapError::NoAction(id.clone()));
        }
        let mut bindings = Vec::with_capacity(ACTIONS.len());
        for row in ACTIONS {
            let words: Vec<&str> = match own.get(row.id) {
                Some(words) => words.iter().map(String::as_str).collect(),
                None => row.keys.to_vec(),
            };
            let keys = words
                .into_iter()
                .map(str::parse)
                .collect::<Result<Vec<Key>, BadKey>>()
                .map_err(|error| KeymapError::BadKey {
                    action: row.id.to_owned(),
                    error,
                })?;
            bindings.push(Binding {
                section: row.section,
                action: row.action,
                keys,
            });
        }
        let map = Self { bindings };
        map.check()?;
        Ok(map)
    }

    fn check(&self) -> Result<(), KeymapError> {
        let id = |action: Action| action.declared().map_or("?", |row| row.id);
        for (at, first) in self.bindings.iter().enumerate() {
            for second in &self.bindings[at + 1..] {
                if !together(first.section, second.section) {
                    continue;
                }
                if let Some(key) = first.keys.iter().find(|key| second.keys.contains(key)) {
                    let (first, second) = (id(first.action), id(second.action));
                    return Err(KeymapError::Twice {
                        key: key.to_string(),
                        first,
                        second,
                    });
                }
            }
        }
        Ok(())
    }

    /// The action of a key where these sections are active, the most special first.
    pub fn action(&self, key: Key, sections: &[Section]) -> Option<Action> {
        sections.iter().find_map(|section| {
            self.bindings
                .iter()
                .find(|binding| binding.section == *section && binding.keys.contains(&key))
                .map(|binding| binding.action)
        })
    }

    /// The keys of an action.
    pub fn keys(&self, action: Action) -> &[Key] {
        self.bindings
            .iter()
            .find(|binding| binding.action == action)
            .map_or(&[], |binding| &binding.keys)
    }
}

/// Whether keys of both sections can be active at once.
fn together(a: Section, b: Section) -> bool {
    let everywhere = |section| matches!(section, Section::Global | Section::Move);
    // The question before a removal leaves no other key a meaning.
    let alone = a == Section::Confirm || b == Section::Confirm;
    a == b
        || !alone && (everywhere(a) || everywhere(b))
        || matches!(
            (a, b),
            (
                Section::Mounts | Section::Details | Section::Rights,
                Section::Mounts | Section::Details | Section::Rights
            )
        )
}

impl Default for Keymap {
    fn default() -> Self {
        // The table's own keys are checked by a test; were one wrong, vole would start without keys rather than not at all.
        Self::new(&BTreeMap::new()).unwrap_or(Self { bindings: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(pairs: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        pairs
            .iter()
            .map(|(id, keys)| ((*id).to_owned(), keys.iter().map(|key| (*key).to_owned()).collect()))
            .collect()
    }

    #[test]
    fn the_table_is_a_valid_keymap() {
        let map = Keymap::new(&BTreeMap::new()).unwrap();
        assert_eq!(map, Keymap::default());
        let sections = [Section::Mounts, Section::Move, Section::Global];
        assert_eq!(map.action("enter".parse().unwrap(), &sections), Some(Action::OpenFiles));
        assert_eq!(
            map.action("enter".parse().unwrap(), &[Section::Files]),
            Some(Action::Enter)
        );
        assert_eq!(map.action("ctrl-c".parse().unwrap(), &sections), Some(Action::Quit));
        assert_eq!(map.action("Z".parse().unwrap(), &sections), None);
    }

    #[test]
    fn own_keys_replace_the_tables() {
        let map = Keymap::new(&own(&[("quit", &["Q"]), ("group", &[])])).unwrap();
        assert_eq!(map.action("q".parse().unwrap(), &[Section::Global]), None);
        assert_eq!(map.action("Q".parse().unwrap(), &[Section::Global]), Some(Action::Quit));
        assert!(map.keys(Action::Group).is_empty());
    }

    #[test]
    fn mistakes_are_named() {
        let error = |pairs: &[(&str, &[&str])]| Keymap::new(&own(pairs)).unwrap_err().to_string();
        assert!(error(&[("fly", &["x"])]).contains("fly"));
        assert!(error(&[("quit", &["hyper-q"])]).contains("hyper-q"));
        assert_eq!(error(&[("quit", &["s"])]), "s means both quit and sort");
    }
}
