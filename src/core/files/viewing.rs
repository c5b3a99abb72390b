//! The preview of the files screen: which entry it shows, which ranges are asked for, and what answers change.

use vole_agent::proto::{Entry, Followed};

use super::msg::{Ask, Effect, Range};
use super::node::NodeId;
use super::{Files, Focus, fault, layout};
use crate::core::preview::{Preview, TAIL};
use crate::core::state::Context;
use crate::model::BytePath;

/// A place that the preview jumps to, its entry being looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Jump {
    ask: Option<Ask>,
    path: BytePath,
    hit: Option<u64>,
}

impl Files {
    /// Whether a file is being followed.
    pub fn is_following(&self) -> bool {
        self.preview.as_ref().is_some_and(|preview| preview.following.is_some())
    }

    /// Keeps the preview at the entry under the cursor and asks for the range that it wants.
    pub(super) fn ask_preview(&mut self, effects: &mut Vec<Effect>) {
        if self.focus == Focus::List && self.is_wide() {
            self.preview_current(effects);
        }
        self.ask_jump(effects);
        let ask = self.next_ask();
        let Some(preview) = &mut self.preview else { return };
        if let Some((start, len)) = preview.wants() {
            preview.pending = Some(ask);
            effects.push(Effect::Read {
                ask,
                at: preview.at.clone(),
                start,
                len,
            });
        }
    }

    fn preview_current(&mut self, effects: &mut Vec<Effect>) {
        if let Some(search) = &self.search {
            if let Some((path, hit)) = search.current().map(|item| (item.path(), item.offset())) {
                self.jump_to(path, hit);
            }
            return;
        }
        self.jump = None;
        let Some(tree) = self.tree() else { return };
        match tree
            .current_node()
            .and_then(|id| Some((tree.path(id), tree.node(id)?.entry.clone())))
        {
            Some((path, entry)) => {
                // The entry may be listed anew while its preview is open; that alone opens nothing again.
                if self
                    .preview
                    .as_ref()
                    .is_none_or(|preview| preview.at != path || preview.hit.is_some())
                {
                    self.show(path, entry, None, effects);
                }
            }
            None => self.close_preview(effects),
        }
    }

    /// Shows an entry of the tree.
    pub(super) fn preview_node(&mut self, id: NodeId, effects: &mut Vec<Effect>) {
        let Some(tree) = self.tree() else { return };
        let Some(entry) = tree.node(id).map(|node| node.entry.clone()) else {
            return;
        };
        let path = tree.path(id);
        if self.preview.as_ref().is_none_or(|preview| preview.at != path) {
            self.show(path, entry, None, effects);
        }
    }

    fn show(&mut self, path: BytePath, entry: Entry, hit: Option<u64>, effects: &mut Vec<Effect>) {
        self.close_preview(effects);
        let area = layout::parts(self.area, true, self.prompt.is_some()).preview;
        let size = area.map_or((0, 0), layout::contents);
        self.preview = Some(Preview::new(path, entry, hit, self.wrap, size));
    }

    /// Closes the preview and stops what it asked for.
    pub(super) fn close_preview(&mut self, effects: &mut Vec<Effect>) {
        if let Some(preview) = self.preview.take() {
            let running = preview
                .pending
                .into_iter()
                .chain(preview.following.map(|following| following.ask));
            effects.extend(running.map(|ask| Effect::Cancel { ask }));
        }
    }

    /// Shows a place of a file that a search found, after its entry was looked up.
    pub(super) fn jump_to(&mut self, path: BytePath, hit: Option<u64>) {
        let there = self
            .preview
            .as_ref()
            .is_some_and(|preview| preview.at == path && preview.hit == hit);
        let going = self
            .jump
            .as_ref()
            .is_some_and(|jump| jump.path == path && jump.hit == hit);
        if there {
            self.jump = None;
        } else if !going {
            self.jump = Some(Jump { ask: None, path, hit });
        }
    }

    fn ask_jump(&mut self, effects: &mut Vec<Effect>) {
        let ask = self.next_ask();
        if let Some(jump) = self.jump.as_mut().filter(|jump| jump.ask.is_none()) {
            jump.ask = Some(ask);
            effects.push(Effect::Stat {
                ask,
                at: jump.path.clone(),
            });
        }
    }

    pub(super) fn stated(
        &mut self,
        ask: Ask,
        result: Result<Entry, String>,
        cx: &mut Context<'_>,
        effects: &mut Vec<Effect>,
    ) {
        if self.jump.as_ref().is_none_or(|jump| jump.ask != Some(ask)) {
            return;
        }
        let Some(jump) = self.jump.take() else { return };
        match result {
            Ok(entry) => self.show(jump.path, entry, jump.hit, effects),
            Err(why) => fault(cx, why),
        }
    }

    pub(super) fn read(&mut self, ask: Ask, result: Result<Range, String>) {
        let Some(preview) = self.preview.as_mut().filter(|preview| preview.pending == Some(ask)) else {
            return;
        };
        preview.pending = None;
        match result {
            Ok(range) => preview.take(range),
            Err(why) => preview.fail(why),
        }
    }

    // --- following

    /// Starts to follow the file in the preview, or stops.
    pub(super) fn toggle_follow(&mut self, effects: &mut Vec<Effect>) {
        let ask = self.next_ask();
        let Some(preview) = self.preview.as_mut().filter(|preview| preview.is_file()) else {
            return;
        };
        if let Some(running) = preview.stop_following() {
            effects.push(Effect::Cancel { ask: running });
            return;
        }
        effects.extend(preview.pending.map(|ask| Effect::Cancel { ask }));
        preview.start_following(ask);
        effects.push(Effect::Follow {
            ask,
            at: preview.at.clone(),
            tail: TAIL,
        });
    }

    pub(super) fn followed(&mut self, ask: Ask, news: Followed) {
        if let Some(preview) = self.preview.as_mut().filter(|preview| follows(preview, ask)) {
            preview.follow(news);
        }
    }

    pub(super) fn follow_ended(&mut self, ask: Ask, error: String, cx: &mut Context<'_>) {
        if let Some(preview) = self.preview.as_mut().filter(|preview| follows(preview, ask)) {
            if let Some(following) = &mut preview.following {
                following.ended = Some(error.clone());
            }
            fault(cx, error);
        }
    }
}

fn follows(preview: &Preview, ask: Ask) -> bool {
    preview.following.as_ref().is_some_and(|following| following.ask == ask)
}
