//! The text field of the files screen: what is to be found, or where a download goes. Knows keys only through
//! [`Input`].

use super::msg::{Effect, SearchKind};
use super::search::{Progress, Search};
use super::{Ask, Files, Focus};
use crate::core::input::{Input, Typed};
use crate::core::key::Key;
use crate::core::state::Context;
use crate::model::BytePath;
use crate::text;

/// What the field is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PromptKind {
    /// A search that begins in a directory.
    Search(SearchKind, BytePath),
    /// The directory of this machine that a download goes to, and what is downloaded.
    Download(BytePath),
}

/// An open text field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// What it is for.
    pub kind: PromptKind,
    /// What is typed.
    pub input: Input,
}

impl Files {
    /// Whether keys go to the text field now.
    pub fn wants_text(&self) -> bool {
        self.prompt.is_some()
    }

    /// Takes a key for the text field.
    pub fn key(&mut self, key: Key, cx: &mut Context<'_>) -> Vec<Effect> {
        let mut effects = Vec::new();
        let Some(prompt) = &mut self.prompt else { return effects };
        match prompt.input.key(key) {
            Typed::Accepted => self.accept(cx, &mut effects),
            Typed::Dropped => self.set_prompt(None),
            Typed::Changed | Typed::Moved | Typed::Ignored => {}
        }
        self.ask_what_is_needed(&mut effects);
        effects
    }

    /// Takes pasted text for the text field.
    pub fn paste(&mut self, text: &str) {
        if let Some(prompt) = &mut self.prompt {
            prompt.input.paste(text);
        }
    }

    pub(super) fn set_prompt(&mut self, prompt: Option<Prompt>) {
        self.prompt = prompt;
        self.fit();
    }

    /// Opens the field for a search, with the last pattern in it.
    pub(super) fn ask_pattern(&mut self, kind: SearchKind) {
        let Some(tree) = self.tree() else { return };
        let at = tree.path(tree.here());
        let last = self.search.as_ref().filter(|search| search.kind == kind);
        let input = last.map(|search| Input::with(&search.pattern)).unwrap_or_default();
        self.set_prompt(Some(Prompt {
            kind: PromptKind::Search(kind, at),
            input,
        }));
    }

    fn accept(&mut self, cx: &mut Context<'_>, effects: &mut Vec<Effect>) {
        let Some(prompt) = self.prompt.take() else { return };
        let typed = prompt.input.text().to_owned();
        match prompt.kind {
            PromptKind::Search(..) if typed.is_empty() => {}
            PromptKind::Search(kind, at) => self.start_search(kind, at, typed, effects),
            PromptKind::Download(at) => {
                let name = if at.is_root() {
                    self.mount.name.as_bytes()
                } else {
                    at.name()
                };
                let job = cx.jobs.start(format!("download {}", text::printable(name)), cx.now);
                let to = if typed.is_empty() { ".".to_owned() } else { typed };
                effects.push(Effect::Download {
                    job,
                    mount: self.mount.clone(),
                    archive: self.path(),
                    at,
                    to,
                });
            }
        }
        self.fit();
    }

    fn start_search(&mut self, kind: SearchKind, at: BytePath, pattern: String, effects: &mut Vec<Effect>) {
        self.stop_search(effects);
        self.close_preview(effects);
        let ask = self.next_ask();
        let search = Search::new(kind, pattern.clone(), at.clone(), ask, self.list_height());
        let limit = search.limit();
        self.search = Some(search);
        self.focus = Focus::List;
        effects.push(Effect::Search {
            ask,
            kind,
            at,
            pattern,
            limit,
        });
    }

    /// Stops a running search; what it found stays. Returns whether one ran.
    pub(super) fn stop_search(&mut self, effects: &mut Vec<Effect>) -> bool {
        match self.search.as_mut().filter(|search| search.is_running()) {
            Some(search) => {
                search.progress = Progress::Stopped;
                effects.push(Effect::Cancel { ask: search.ask });
                true
            }
            None => false,
        }
    }

    pub(super) fn search_ended(&mut self, ask: Ask, error: Option<String>) {
        if let Some(search) = self
            .search
            .as_mut()
            .filter(|search| search.ask == ask && search.is_running())
        {
            search.progress = error.map_or(Progress::Done, Progress::Failed);
        }
    }
}
