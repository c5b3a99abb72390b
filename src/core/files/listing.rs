//! Directories of the files screen: which pages and measurements are asked for, and what their answers change.

use vole_agent::proto::{Page, Totals, UsageItem};

use super::msg::{Ask, Effect};
use super::node::{Listing, NodeId, Row};
use super::{Files, Root, fault};
use crate::core::state::Context;
use crate::model::{BytePath, Scan};

/// Entries per page: small enough for a frame of the protocol even when all names are long.
const PAGE: u32 = 500;

/// A path that the tree is being opened to, component by component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reveal {
    /// The entry.
    pub(super) path: BytePath,
}

/// What a reveal does next.
enum Step {
    Wait,
    Open(NodeId),
    Ask(NodeId),
    Arrived(NodeId),
    Lost,
}

impl Files {
    /// Asks for the pages that are in view and not there.
    pub(super) fn ask_pages(&mut self, effects: &mut Vec<Effect>) {
        self.advance_reveal(effects);
        let Some(tree) = self.tree() else { return };
        // A page further than what is shown, so that who pages down does not wait.
        let shown = tree.rows().iter().enumerate().skip(tree.top()).take(2 * tree.height());
        let wanted: Vec<NodeId> = shown
            .filter_map(|(at, row)| match row {
                Row::Note(dir) => Some(*dir),
                // From below, where the cursor came around it, it is not reached.
                Row::More(dir) if at >= tree.cursor() => Some(*dir),
                Row::More(_) | Row::Node(_) => None,
            })
            .filter(|&dir| {
                tree.dir(dir)
                    .is_some_and(|dir| matches!(dir.listing, Listing::Unread | Listing::Read))
            })
            .filter(|&id| {
                tree.dir(id)
                    .is_some_and(|dir| dir.listing == Listing::Unread || dir.next.is_some())
            })
            .collect();
        for dir in wanted {
            self.ask_page(dir, effects);
        }
    }

    /// Asks for a directory's first page, or the next one; not for more than is kept.
    pub(super) fn ask_page(&mut self, id: NodeId, effects: &mut Vec<Effect>) {
        let ask = self.next_ask();
        let order = self.sort.order();
        let Some(tree) = self.tree_mut() else { return };
        if tree.is_full() {
            tree.forget_closed();
        }
        let (at, full) = (tree.path(id), tree.is_full());
        let Some(dir) = tree.dir_mut(id) else { return };
        let after = match dir.listing {
            Listing::Reading(_) | Listing::ReadingMore(_) => return,
            Listing::Unread | Listing::Failed(_) => None,
            Listing::Read => match &dir.next {
                Some(_) if full => return,
                Some(next) => Some(next.clone()),
                None => return,
            },
        };
        dir.listing = if after.is_some() {
            Listing::ReadingMore(ask)
        } else {
            Listing::Reading(ask)
        };
        effects.push(Effect::List {
            ask,
            at,
            order,
            after,
            limit: PAGE,
        });
    }

    /// Asks for a directory's first page again; what is there stays on screen until it comes.
    pub(super) fn ask_again(&mut self, id: NodeId, effects: &mut Vec<Effect>) {
        let Some(tree) = self.tree_mut() else { return };
        let Some(dir) = tree.dir_mut(id) else { return };
        if let Listing::Reading(ask) | Listing::ReadingMore(ask) = dir.listing {
            effects.push(Effect::Cancel { ask });
        }
        dir.listing = Listing::Unread;
        self.ask_page(id, effects);
    }

    pub(super) fn listed(
        &mut self,
        ask: Ask,
        result: Result<Page, String>,
        cx: &mut Context<'_>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(tree) = self.tree_mut() else { return };
        let Some((id, first)) = tree.awaiting(ask) else { return };
        match result {
            Ok(page) => tree.apply_page(id, page, first),
            Err(why) if first && tree.dir(id).is_some_and(|dir| dir.children.is_empty()) => tree.fail(id, why),
            Err(why) => {
                tree.fail(id, why.clone());
                fault(cx, why);
            }
        }
        if let Some(tree) = self.tree_mut().filter(|tree| tree.to_end) {
            tree.move_to(usize::MAX);
        }
        self.measure_if_unknown(id, effects);
    }

    /// Measures the directories that were just read and show sums which are not known.
    pub(super) fn measure_if_unknown(&mut self, id: NodeId, effects: &mut Vec<Effect>) {
        // A remote file system is measured only when asked.
        if matches!(self.mount.scan, Scan::OnDemand(_)) {
            return;
        }
        let unknown = self.tree().is_some_and(|tree| tree.lacks_totals(id));
        if unknown {
            self.measure(id, effects);
        }
    }

    /// Measures a directory and those in it.
    pub(super) fn measure(&mut self, id: NodeId, effects: &mut Vec<Effect>) {
        let ask = self.next_ask();
        let Some(tree) = self.tree_mut() else { return };
        let at = tree.path(id);
        let Some(dir) = tree.dir_mut(id) else { return };
        if let Some((running, _)) = dir.measuring.replace((ask, Totals::default())) {
            effects.push(Effect::Cancel { ask: running });
        }
        dir.measure_error = None;
        effects.push(Effect::Measure { ask, at });
    }

    /// Stops the measurement of a directory.
    pub(super) fn stop_measuring(&mut self, id: NodeId, effects: &mut Vec<Effect>) {
        let running = self
            .tree_mut()
            .and_then(|tree| tree.dir_mut(id))
            .and_then(|dir| dir.measuring.take());
        if let Some((ask, _)) = running {
            effects.push(Effect::Cancel { ask });
        }
    }

    pub(super) fn measured(&mut self, ask: Ask, news: Vec<UsageItem>) {
        let Some(tree) = self.tree_mut() else { return };
        let Some(id) = tree.measuring(ask) else { return };
        let mut children = Vec::new();
        for item in news {
            match item {
                UsageItem::Progress { totals, .. } => {
                    if let Some(dir) = tree.dir_mut(id) {
                        dir.measuring = Some((ask, totals));
                    }
                }
                UsageItem::Dir { path, totals, .. } if path.is_empty() => tree.set_totals(id, totals),
                UsageItem::Dir { path, totals, .. } if !path.contains(&b'/') => children.push((path, totals)),
                UsageItem::Dir { .. } => {}
                UsageItem::Complete { totals, .. } => tree.set_totals(id, totals),
                UsageItem::Failed { fault, .. } => {
                    if let Some(dir) = tree.dir_mut(id) {
                        dir.measure_error = Some(fault.message);
                    }
                }
            }
        }
        tree.set_child_totals(id, children);
    }

    pub(super) fn measure_ended(&mut self, ask: Ask, error: Option<String>) {
        let Some(tree) = self.tree_mut() else { return };
        let Some(id) = tree.measuring(ask) else { return };
        if let Some(dir) = tree.dir_mut(id) {
            dir.measuring = None;
            dir.measure_error = error.or(dir.measure_error.take());
        }
        tree.settle(id);
    }

    // --- opening the tree to a path

    /// Opens the tree to an entry, reading what is needed.
    pub(super) fn reveal(&mut self, path: BytePath) {
        self.reveal = Some(Reveal { path });
    }

    fn advance_reveal(&mut self, effects: &mut Vec<Effect>) {
        while let Some(step) = self.reveal_step() {
            match step {
                Step::Wait => return,
                Step::Open(id) => {
                    if let Some(tree) = self.tree_mut() {
                        tree.set_open(id, true);
                    }
                }
                Step::Ask(id) => return self.ask_page(id, effects),
                Step::Arrived(id) => {
                    self.reveal = None;
                    if let Some(tree) = self.tree_mut() {
                        tree.select(Row::Node(id));
                    }
                }
                Step::Lost => self.reveal = None,
            }
        }
    }

    fn reveal_step(&self) -> Option<Step> {
        let path = &self.reveal.as_ref()?.path;
        let Root::Open(tree) = &self.root else {
            return Some(Step::Wait);
        };
        let mut at = NodeId::ROOT;
        for part in path.components() {
            let Some(dir) = tree.dir(at) else {
                return Some(Step::Lost);
            };
            if !dir.open {
                return Some(Step::Open(at));
            }
            match (tree.child(at, part), &dir.listing) {
                (Some(child), _) => at = child,
                (None, Listing::Reading(_) | Listing::ReadingMore(_)) => return Some(Step::Wait),
                (None, Listing::Unread) => return Some(Step::Ask(at)),
                (None, Listing::Read) if dir.next.is_some() && !tree.is_full() => return Some(Step::Ask(at)),
                (None, Listing::Read | Listing::Failed(_)) => return Some(Step::Lost),
            }
        }
        Some(Step::Arrived(at))
    }
}
