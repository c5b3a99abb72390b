//! The files screen's state: the tree of one mount, its preview and its searches. Knows no other screen, no
//! session and no terminal; what it wants is asked for by [`Effect`] and answered by [`Msg`].

mod actions;
mod archive;
pub mod layout;
mod listing;
pub mod msg;
pub mod node;
mod prompt;
pub mod search;
pub mod tree;
mod viewing;

use std::path::PathBuf;
use std::sync::Arc;

use ratatui::layout::Rect;
use vole_agent::proto::Entry;

pub use self::msg::{Ask, Effect, Msg};
pub use self::prompt::{Prompt, PromptKind};
pub use self::search::Search;
pub use self::tree::Tree;

use self::listing::Reveal;
use self::node::Sort;
use super::action::Section;
use super::msg::Notice;
use super::preview::Preview;
use super::state::Context;
use crate::archive::Archive;
use crate::model::{Mount, Scan};

/// How far the mount is open.
#[derive(Debug, Clone, PartialEq)]
pub enum Root {
    /// A session is being opened.
    Opening,
    /// It cannot be browsed: why.
    Refused(String),
    /// Its tree.
    Open(Tree),
}

/// Which part the keys go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Focus {
    /// The tree, or the results of a search.
    List,
    /// The preview.
    Preview,
}

/// The files of one mount.
#[derive(Debug, Clone, PartialEq)]
pub struct Files {
    /// The mount.
    pub mount: Arc<Mount>,
    /// The archive that is shown as if it were this mount.
    pub archive: Option<Arc<Archive>>,
    /// How far it is open.
    pub root: Root,
    /// The preview of an entry.
    pub preview: Option<Preview>,
    /// The search whose results stand in the tree's place.
    pub search: Option<Search>,
    /// The open text field.
    pub prompt: Option<Prompt>,
    /// Which part the keys go to.
    pub focus: Focus,
    visit: u64,
    asked: u64,
    area: Rect,
    sort: Sort,
    wrap: bool,
    reveal: Option<Reveal>,
    /// A jump whose entry is being looked up, and the offset to show.
    jump: Option<viewing::Jump>,
    /// Whether the screen is shown; away from it nothing new is asked for.
    shown: bool,
}

impl Files {
    /// Opens a mount; `area` is where the screen will be drawn.
    pub fn open(mount: Mount, area: Rect, cx: &mut Context<'_>) -> (Self, Vec<Effect>) {
        Self::of(mount, None, area, cx)
    }

    /// Opens an archive as if it were a mount.
    pub fn of_archive(archive: Arc<Archive>, area: Rect, cx: &mut Context<'_>) -> (Self, Vec<Effect>) {
        Self::of(archive::mount(&archive), Some(archive), area, cx)
    }

    fn of(mount: Mount, archive: Option<Arc<Archive>>, area: Rect, cx: &mut Context<'_>) -> (Self, Vec<Effect>) {
        let mut files = Self {
            mount: Arc::new(mount),
            archive,
            root: Root::Opening,
            preview: None,
            search: None,
            prompt: None,
            focus: Focus::List,
            // The time tells visits apart, so that a late reply of an earlier one is never taken for this one's.
            visit: u64::try_from(cx.now.unix_timestamp_nanos()).unwrap_or(0),
            asked: 0,
            area,
            sort: Sort::default(),
            wrap: true,
            reveal: None,
            jump: None,
            shown: true,
        };
        let effects = files.start();
        (files, effects)
    }

    fn start(&mut self) -> Vec<Effect> {
        if let Scan::Never(why) = &self.mount.scan {
            self.root = Root::Refused(why.clone());
            return Vec::new();
        }
        self.root = Root::Opening;
        vec![Effect::Open {
            visit: self.visit,
            mount: Arc::clone(&self.mount),
            archive: self.path(),
        }]
    }

    /// Takes up the screen again after [`Files::leave`] (the mount is the same); what was read stays.
    pub fn resume(&mut self, _cx: &mut Context<'_>) -> Vec<Effect> {
        self.shown = true;
        let mut effects = match self.root {
            Root::Open(_) => Vec::new(),
            Root::Opening | Root::Refused(_) => self.start(),
        };
        self.ask_what_is_needed(&mut effects);
        effects
    }

    /// The operator goes to another screen: what runs for this one stops, so that the helper can go.
    pub fn leave(&mut self) -> Vec<Effect> {
        self.shown = false;
        self.prompt = None;
        self.forget_requests();
        vec![Effect::Close { visit: self.visit }]
    }

    /// The file of the archive that is shown.
    pub(super) fn path(&self) -> Option<PathBuf> {
        self.archive.as_ref().map(|archive| archive.path.clone())
    }

    /// Folds a report.
    pub fn update(&mut self, msg: Msg, cx: &mut Context<'_>) -> Vec<Effect> {
        let mut effects = Vec::new();
        match msg {
            Msg::Opened { visit, result } if visit == self.visit => self.opened(result),
            Msg::Opened { .. } => {}
            Msg::Listed { ask, result } => self.listed(ask, result, cx, &mut effects),
            Msg::Measured { ask, news } => self.measured(ask, news),
            Msg::MeasureEnded { ask, error } => self.measure_ended(ask, error),
            Msg::Read { ask, result } => self.read(ask, result),
            Msg::Stated { ask, result } => self.stated(ask, result, cx, &mut effects),
            Msg::Followed { ask, news } => self.followed(ask, news),
            Msg::FollowEnded { ask, error } => self.follow_ended(ask, error, cx),
            Msg::Matched { ask, matches } => {
                if let Some(search) = self.search.as_mut().filter(|search| search.ask == ask) {
                    search.take(matches);
                }
            }
            Msg::SearchEnded { ask, error } => self.search_ended(ask, error),
        }
        self.ask_what_is_needed(&mut effects);
        effects
    }

    fn opened(&mut self, result: Result<Entry, String>) {
        if !matches!(self.root, Root::Opening) {
            return;
        }
        self.root = match result {
            Ok(mut entry) => {
                // The root's own name is the mount's.
                if entry.name.is_empty() {
                    entry.name = self
                        .mount
                        .name
                        .rsplit('/')
                        .next()
                        .unwrap_or_default()
                        .as_bytes()
                        .to_vec();
                }
                Root::Open(Tree::new(entry, self.sort, self.list_height()))
            }
            Err(why) => Root::Refused(why),
        };
    }

    /// The screen is now drawn here.
    pub fn resize(&mut self, area: Rect) {
        self.area = area;
        if !layout::is_wide(area) && self.focus == Focus::List && !self.is_following() {
            self.preview = None;
        }
        self.fit();
    }

    /// Where the parts are.
    pub fn parts(&self) -> layout::Parts {
        layout::parts(self.area, self.focus == Focus::Preview, self.prompt.is_some())
    }

    /// The tree, when the mount is open.
    pub fn tree(&self) -> Option<&Tree> {
        match &self.root {
            Root::Open(tree) => Some(tree),
            Root::Opening | Root::Refused(_) => None,
        }
    }

    /// The section whose keys work first.
    pub fn section(&self) -> Section {
        match self.focus {
            Focus::List => Section::Files,
            Focus::Preview => Section::Preview,
        }
    }

    /// Whether the preview stands beside the list.
    pub fn is_wide(&self) -> bool {
        layout::is_wide(self.area)
    }

    fn tree_mut(&mut self) -> Option<&mut Tree> {
        match &mut self.root {
            Root::Open(tree) => Some(tree),
            Root::Opening | Root::Refused(_) => None,
        }
    }

    fn next_ask(&mut self) -> Ask {
        self.asked += 1;
        Ask {
            visit: self.visit,
            number: self.asked,
        }
    }

    fn list_height(&self) -> usize {
        usize::from(self.parts().list.height)
    }

    /// Tells all parts how much of them fits, after the area or the layout changed.
    fn fit(&mut self) {
        let height = self.list_height();
        let contents = self.parts().preview.map(layout::contents);
        if let Some(tree) = self.tree_mut() {
            tree.resize(height);
        }
        if let Some(search) = &mut self.search {
            search.resize(height);
        }
        if let (Some(preview), Some(size)) = (&mut self.preview, contents) {
            preview.resize(size);
        }
    }

    /// Asks for what the screen shows and does not have: pages in view, the entry to preview, its next range.
    fn ask_what_is_needed(&mut self, effects: &mut Vec<Effect>) {
        if !self.shown {
            return;
        }
        self.ask_pages(effects);
        self.ask_preview(effects);
    }

    /// What was asked for is not awaited any more.
    fn forget_requests(&mut self) {
        if let Some(tree) = self.tree_mut() {
            tree.forget_requests();
        }
        if let Some(preview) = &mut self.preview {
            preview.pending = None;
            preview.stop_following();
        }
        if let Some(search) = self.search.as_mut().filter(|search| search.is_running()) {
            search.progress = search::Progress::Stopped;
        }
        (self.reveal, self.jump) = (None, None);
    }
}

/// A line for the operator about something that failed.
fn fault(cx: &mut Context<'_>, text: String) {
    *cx.notice = Some(Notice::fault(text));
}

#[cfg(test)]
mod tests;
