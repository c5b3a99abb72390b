//! Help and palette as rows made from the action table. Pure.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use super::action::{Action, Declared, Section};
use super::available;
use super::state::State;

/// A row of help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HelpRow {
    /// An empty line.
    Gap,
    /// A section's title.
    Title(&'static str),
    /// An action with its keys.
    Action {
        /// Its keys, in words.
        keys: String,
        /// What it does.
        doc: &'static str,
    },
}

/// The keys of an action in words (`j, down`); empty when it has none.
pub fn keys(state: &State, action: Action) -> String {
    let keys: Vec<String> = state.keymap.keys(action).iter().map(ToString::to_string).collect();
    keys.join(", ")
}

/// The rows of help: what works on this screen now, by section.
pub fn help(state: &State) -> Vec<HelpRow> {
    let rows = available::beneath(state);
    let mut out = Vec::new();
    let mut section: Option<Section> = None;
    for row in rows {
        let keys = keys(state, row.action);
        if keys.is_empty() {
            continue;
        }
        if section != Some(row.section) {
            if section.is_some() {
                out.push(HelpRow::Gap);
            }
            out.push(HelpRow::Title(row.section.title()));
            section = Some(row.section);
        }
        out.push(HelpRow::Action { keys, doc: row.doc });
    }
    out
}

/// The actions that the palette offers for what is typed, best first.
pub fn palette(state: &State, typed: &str) -> Vec<&'static Declared> {
    let rows = available::beneath(state)
        .into_iter()
        .filter(|row| row.action != Action::Palette);
    if typed.trim().is_empty() {
        return rows.collect();
    }
    let pattern = Pattern::parse(typed, CaseMatching::Ignore, Normalization::Smart);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut buffer = Vec::new();
    let mut scored: Vec<(u32, &'static Declared)> = rows
        .filter_map(|row| {
            // The id counts double: who types an action's name wants that action.
            let mut score = |text: &str| pattern.score(Utf32Str::new(text, &mut buffer), &mut matcher);
            let id = score(row.id).map(|score| score * 2);
            Some((id.max(score(row.doc))?, row))
        })
        .collect();
    scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    scored.into_iter().map(|(_, row)| row).collect()
}
