//! What keys do on the files screen, and which of them can do something now.

use vole_agent::proto::Kind;

use super::msg::{Effect, SearchKind};
use super::node::{Listing, NodeId, Row};
use super::prompt::{Prompt, PromptKind};
use super::search::Item;
use super::{Files, Focus, Root};
use crate::core::action::Action;
use crate::core::input::Input;
use crate::core::msg::Notice;
use crate::core::state::Context;

impl Files {
    /// Does an action of the sections Files, Preview, Move, or [`Action::Back`], [`Action::Copy`],
    /// [`Action::NextPane`], [`Action::Refresh`]. Sets `cx.leave` when the operator leaves the screen by it.
    pub fn action(&mut self, action: Action, cx: &mut Context<'_>) -> Vec<Effect> {
        let mut effects = Vec::new();
        if !matches!(action, Action::Copy | Action::Follow | Action::ToggleHex | Action::Wrap)
            && let Some(tree) = self.tree_mut()
        {
            tree.to_end = false;
        }
        match action {
            Action::Back => self.back(cx, &mut effects),
            Action::NextPane => self.next_pane(&mut effects),
            Action::Copy => {
                cx.copy = self
                    .target()
                    .map(|path| String::from_utf8_lossy(path.as_bytes()).into_owned())
            }
            Action::Refresh => self.refresh(&mut effects),
            Action::FindName => self.ask_pattern(SearchKind::Names),
            Action::Grep => self.ask_pattern(SearchKind::Lines),
            Action::Download => self.ask_destination(),
            Action::FilesSort => self.next_sort(&mut effects),
            Action::MeasureTree => self.measure_here(&mut effects),
            Action::Follow => self.follow(&mut effects),
            Action::ToggleHex => {
                if let Some(preview) = &mut self.preview {
                    preview.toggle_hex();
                }
            }
            Action::Wrap => {
                self.wrap = !self.wrap;
                if let Some(preview) = &mut self.preview {
                    preview.toggle_wrap();
                }
            }
            _ if self.focus == Focus::Preview => self.preview_action(action, &mut effects),
            _ if self.search.is_some() => self.results_action(action, &mut effects),
            _ => self.tree_action(action, cx, &mut effects),
        }
        self.ask_what_is_needed(&mut effects);
        effects
    }

    /// Whether an action of [`Files::action`] can be done now.
    pub fn available(&self, action: Action) -> bool {
        let in_preview = self.focus == Focus::Preview;
        let preview = self.preview.as_ref();
        let results = self.search.is_some();
        match action {
            Action::Follow => preview.is_some_and(|preview| preview.is_file()),
            Action::ToggleHex => preview.is_some_and(|preview| preview.has_contents() && preview.following.is_none()),
            Action::Wrap => preview.is_some_and(|preview| preview.has_contents()),
            Action::NextPane => in_preview || (self.is_wide() && preview.is_some()),
            Action::Back | Action::Leave => true,
            Action::Copy | Action::Download => self.target().is_some(),
            Action::Enter => match (in_preview, &self.search, self.tree()) {
                (true, ..) => false,
                (false, Some(search), _) => search.current().is_some(),
                (false, None, tree) => tree.is_some_and(|tree| tree.current().is_some()),
            },
            Action::FilesSort | Action::MeasureTree => self.tree().is_some() && !results && !in_preview,
            Action::FindName | Action::Grep | Action::Refresh => self.tree().is_some(),
            Action::Down | Action::Up | Action::PageDown | Action::PageUp | Action::First | Action::Last => {
                if in_preview {
                    preview.is_some_and(|preview| preview.has_contents())
                } else {
                    self.tree().is_some()
                }
            }
            _ => false,
        }
    }

    /// The entry that an action is about.
    pub(in crate::core) fn target(&self) -> Option<crate::model::BytePath> {
        if self.focus == Focus::Preview {
            return self.preview.as_ref().map(|preview| preview.at.clone());
        }
        match &self.search {
            Some(search) => search.current().map(Item::path),
            None => self.tree().and_then(|tree| tree.current_node().map(|id| tree.path(id))),
        }
    }

    fn back(&mut self, cx: &mut Context<'_>, effects: &mut Vec<Effect>) {
        if self.focus == Focus::Preview {
            self.focus_list(effects);
        } else if self.search.is_some() {
            // The first press stops a running search, the next closes its results.
            if !self.stop_search(effects) {
                self.close_results(effects);
            }
        } else {
            cx.leave = true;
        }
    }

    fn focus_list(&mut self, effects: &mut Vec<Effect>) {
        self.focus = Focus::List;
        if !self.is_wide() {
            self.close_preview(effects);
        }
        self.fit();
    }

    fn focus_preview(&mut self) {
        self.focus = Focus::Preview;
        self.fit();
    }

    fn next_pane(&mut self, effects: &mut Vec<Effect>) {
        match self.focus {
            Focus::Preview => self.focus_list(effects),
            Focus::List if self.preview.is_some() => self.focus_preview(),
            Focus::List => {}
        }
    }

    // --- the tree

    fn tree_action(&mut self, action: Action, cx: &mut Context<'_>, effects: &mut Vec<Effect>) {
        match action {
            Action::Enter => self.enter(cx, effects),
            Action::Leave => self.close_or_go_up(cx, effects),
            _ => {
                if let Some(tree) = self.tree_mut() {
                    let mut to = moved(action, tree.cursor(), tree.height());
                    if action == Action::PageDown {
                        to = tree.unread_before(to).unwrap_or(to);
                    }
                    tree.to_end = action == Action::Last;
                    tree.move_to(to);
                }
            }
        }
    }

    fn enter(&mut self, cx: &mut Context<'_>, effects: &mut Vec<Effect>) {
        let Some(tree) = self.tree() else { return };
        let Some(row) = tree.current() else { return };
        let (Row::Node(id) | Row::More(id) | Row::Note(id)) = row;
        let Some(node) = tree.node(id) else { return };
        let failed = node
            .dir
            .as_ref()
            .is_some_and(|dir| matches!(dir.listing, Listing::Failed(_)));
        match (row, &node.dir) {
            (Row::More(_), _) => self.ask_page(id, effects),
            (Row::Note(_), _) if failed => self.ask_again(id, effects),
            (Row::Note(_), _) => {}
            (Row::Node(_), Some(dir)) if dir.open => {
                let below = tree.cursor() + 1;
                if let Some(tree) = self.tree_mut() {
                    tree.move_to(below);
                }
            }
            (Row::Node(_), Some(dir)) => {
                let read = !dir.children.is_empty();
                if let Some(tree) = self.tree_mut() {
                    tree.set_open(id, true);
                }
                match read {
                    true => self.measure_if_unknown(id, effects),
                    false if failed => self.ask_again(id, effects),
                    false => self.ask_page(id, effects),
                }
            }
            (Row::Node(_), None) if node.entry.kind == Kind::Dir => {
                *cx.notice = Some(Notice::warning(
                    "another file system is mounted here; it is not part of this mount",
                ));
            }
            (Row::Node(_), None) => {
                self.preview_node(id, effects);
                self.focus_preview();
            }
        }
    }

    fn close_or_go_up(&mut self, cx: &mut Context<'_>, effects: &mut Vec<Effect>) {
        let Some(tree) = self.tree() else {
            cx.leave = true;
            return;
        };
        let open = tree
            .current_node()
            .filter(|&id| tree.node(id).is_some_and(super::node::Node::is_open));
        let around = match tree.current() {
            Some(Row::Node(id)) => tree.node(id).and_then(|node| node.parent),
            Some(Row::More(dir) | Row::Note(dir)) => Some(dir),
            None => None,
        };
        match (open, around) {
            (Some(id), _) if id != NodeId::ROOT => {
                self.stop_measuring(id, effects);
                if let Some(tree) = self.tree_mut() {
                    tree.set_open(id, false);
                }
            }
            (_, Some(dir)) if dir != NodeId::ROOT => {
                if let Some(tree) = self.tree_mut() {
                    tree.select(Row::Node(dir));
                }
            }
            _ => cx.leave = true,
        }
    }

    fn next_sort(&mut self, effects: &mut Vec<Effect>) {
        self.sort = self.sort.next();
        let sort = self.sort;
        let partial = self.tree_mut().map(|tree| tree.set_sort(sort)).unwrap_or_default();
        for dir in partial {
            self.ask_again(dir, effects);
        }
    }

    fn measure_here(&mut self, effects: &mut Vec<Effect>) {
        if let Some(here) = self.tree().map(super::Tree::here) {
            self.measure(here, effects);
        }
    }

    fn refresh(&mut self, effects: &mut Vec<Effect>) {
        let Root::Open(tree) = &self.root else {
            effects.extend(self.start());
            return;
        };
        for dir in tree.open_dirs() {
            self.ask_again(dir, effects);
        }
        self.close_preview(effects);
        if self.focus == Focus::Preview {
            self.focus_list(effects);
        }
    }

    // --- results

    fn results_action(&mut self, action: Action, effects: &mut Vec<Effect>) {
        match action {
            Action::Enter => self.open_result(effects),
            Action::Leave => {
                self.stop_search(effects);
                self.close_results(effects);
            }
            _ => {
                if let Some(search) = &mut self.search {
                    search.move_to(moved(action, search.cursor, search.height()));
                }
            }
        }
    }

    /// Opens the tree to the result under the cursor and shows what it is; the results stay behind a file.
    fn open_result(&mut self, effects: &mut Vec<Effect>) {
        let Some(item) = self.search.as_ref().and_then(|search| search.current()) else {
            return;
        };
        let (path, hit) = (item.path(), item.offset());
        let is_dir = matches!(item, Item::Name(found) if found.kind == Kind::Dir);
        self.reveal(path.clone());
        if is_dir {
            self.stop_search(effects);
            self.close_results(effects);
        } else {
            self.jump_to(path, hit);
            self.focus_preview();
        }
    }

    fn close_results(&mut self, effects: &mut Vec<Effect>) {
        self.search = None;
        self.close_preview(effects);
        self.fit();
    }

    // --- the preview

    fn preview_action(&mut self, action: Action, effects: &mut Vec<Effect>) {
        if action == Action::Leave {
            return self.focus_list(effects);
        }
        let Some(preview) = &mut self.preview else { return };
        match action {
            Action::Down => preview.scroll(1),
            Action::Up => preview.scroll(-1),
            Action::PageDown => preview.page(true),
            Action::PageUp => preview.page(false),
            Action::First => preview.first(),
            Action::Last => preview.last(),
            _ => {}
        }
    }

    fn follow(&mut self, effects: &mut Vec<Effect>) {
        self.toggle_follow(effects);
        if self.is_following() {
            self.focus_preview();
        }
    }

    fn ask_destination(&mut self) {
        if let Some(at) = self.target() {
            self.set_prompt(Some(Prompt {
                kind: PromptKind::Download(at),
                input: Input::with("."),
            }));
        }
    }
}

/// Where an action of the section Move takes a cursor in a list of which `height` rows fit.
fn moved(action: Action, cursor: usize, height: usize) -> usize {
    let half = (height / 2).max(1);
    match action {
        Action::Down => cursor.saturating_add(1),
        Action::Up => cursor.saturating_sub(1),
        Action::PageDown => cursor.saturating_add(half),
        Action::PageUp => cursor.saturating_sub(half),
        Action::First => 0,
        Action::Last => usize::MAX,
        _ => cursor,
    }
}
