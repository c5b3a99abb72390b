//! The lines of a plan: containers, then volumes by group, those that are used folded into one. Where the cursor is; it
//! follows what it stands on, not its line.

use std::iter;

use super::super::fuzzy::Fuzzy;
use super::super::steps;
use super::{Review, Stage};
use crate::model::VolumeName;
use crate::ops::prune::{Group, Plan, Row, Stopped};

/// A part of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Containers that do not run.
    Stopped,
    /// Volumes of a group.
    Group(Group),
}

/// A sum of what rows free.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// Rows.
    pub rows: usize,
    /// Bytes of those that were measured.
    pub bytes: u64,
    /// Rows that nobody could measure.
    pub unknown: usize,
}

/// A line of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Something that was left open; its place among the plan's warnings.
    Warning(usize),
    /// The header of a part.
    Title(Section, Sum),
    /// A container, by its place in the plan.
    Container(usize),
    /// A volume, by its place in the plan.
    Volume(usize),
    /// The volumes that are used, in one line.
    Fold(Sum),
}

/// What the cursor stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// A container, by its id.
    Container(String),
    /// A volume.
    Volume(VolumeName),
    /// The line of those that are used.
    Fold,
}

impl Sum {
    fn of<'a>(rows: impl Iterator<Item = &'a Row>) -> Self {
        rows.fold(Self::default(), |sum, row| Self {
            rows: sum.rows + 1,
            bytes: sum.bytes.saturating_add(row.frees.unwrap_or(0)),
            unknown: sum.unknown + usize::from(row.frees.is_none()),
        })
    }
}

impl Review {
    /// The lines.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The cursor's line.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The first line on screen.
    pub fn top(&self) -> usize {
        self.top
    }

    /// Whether volumes that are used are listed.
    pub fn is_unfolded(&self) -> bool {
        self.unfolded || !self.filter.text().trim().is_empty()
    }

    /// Whether volumes that are used could be listed, or not.
    pub fn can_fold(&self) -> bool {
        self.filter.text().trim().is_empty() && self.lines.iter().any(|line| matches!(line, Line::Fold(_)))
    }

    /// Lists the volumes that are used, or not.
    pub fn fold(&mut self) {
        self.unfolded = !self.unfolded;
        if !self.unfolded && self.current().is_some_and(|row| row.blocked) {
            self.cursor = Some(At::Fold);
        }
        self.arrange();
    }

    /// The list is this many lines high now.
    pub fn set_height(&mut self, height: usize) {
        self.height = height;
        self.scroll();
    }

    /// Moves the cursor by so many lines that it can stand on. Returns whether it moved.
    pub fn step(&mut self, by: isize) -> bool {
        let at = steps::step(self.at, by, self.lines.len(), |line| self.id(line).is_some());
        self.go(at)
    }

    /// Moves by half a screen.
    pub fn page(&mut self, down: bool) -> bool {
        self.step(steps::half(self.height, down))
    }

    /// Moves to the first or the last line.
    pub fn edge(&mut self, last: bool) -> bool {
        let at = steps::edge(last, self.lines.len(), |line| self.id(line).is_some());
        at.is_some_and(|at| self.go(at))
    }

    fn go(&mut self, at: usize) -> bool {
        let moved = at != self.at;
        self.at = at;
        self.cursor = self.id(at);
        if moved {
            self.pane_top = 0;
        }
        self.scroll();
        moved
    }

    fn id(&self, line: usize) -> Option<At> {
        let plan = self.plan()?;
        match self.lines.get(line)? {
            Line::Container(place) => Some(At::Container(plan.containers.get(*place)?.id.clone())),
            Line::Volume(place) => Some(At::Volume(plan.rows.get(*place)?.name())),
            Line::Fold(_) => Some(At::Fold),
            Line::Warning(_) | Line::Title(..) => None,
        }
    }

    /// Computes the lines anew; the cursor stays with what it stands on.
    pub fn arrange(&mut self) {
        let line = self.at.saturating_sub(self.top);
        self.lines = match (self.plan(), &self.stage) {
            (Some(plan), Stage::Ready | Stage::Removing(_) | Stage::Used) => {
                lines(plan, self.filter.text(), self.is_unfolded())
            }
            _ => Vec::new(),
        };
        if self.lines.is_empty() {
            (self.at, self.top) = (0, 0);
            return;
        }
        let kept = self
            .cursor
            .as_ref()
            .and_then(|wanted| (0..self.lines.len()).find(|line| self.id(*line).as_ref() == Some(wanted)));
        match kept {
            Some(at) => {
                self.at = at;
                self.top = at.saturating_sub(line);
                self.scroll();
            }
            None => {
                let stands = |line: &usize| self.id(*line).is_some();
                // At first on a volume: a container is nothing to begin with.
                let volume = self.lines.iter().position(|line| matches!(line, Line::Volume(_)));
                let first = volume.filter(|_| self.cursor.is_none());
                let near = first.unwrap_or(self.at).min(self.lines.len() - 1);
                let at = (near..self.lines.len())
                    .find(stands)
                    .or_else(|| (0..near).rev().find(stands));
                // Without the flag of a move, the pane would keep its place over another row.
                self.pane_top = 0;
                self.go(at.unwrap_or(0));
            }
        }
    }

    /// Brings the cursor into view, with the headers right above it.
    fn scroll(&mut self) {
        let height = self.height.max(1);
        let headers = self.lines[..self.at.min(self.lines.len())]
            .iter()
            .rev()
            .take_while(|line| matches!(line, Line::Title(..) | Line::Warning(_)))
            .count();
        let first = if headers < height { self.at - headers } else { self.at };
        self.top = self.top.min(first);
        if self.at >= self.top + height {
            self.top = self.at + 1 - height;
        }
        self.top = self.top.min(self.lines.len().saturating_sub(height)).min(first);
    }
}

fn lines(plan: &Plan, typed: &str, unfolded: bool) -> Vec<Line> {
    let mut filter = Fuzzy::new(typed);
    let mut lines: Vec<Line> = Vec::new();
    if typed.trim().is_empty() {
        lines.extend((0..plan.warnings.len()).map(Line::Warning));
    }
    let stopped = (0..plan.containers.len()).filter(|place| filter.lets(container_texts(&plan.containers[*place])));
    let stopped: Vec<usize> = stopped.collect();
    if !stopped.is_empty() {
        let sum = Sum {
            rows: stopped.len(),
            ..Sum::default()
        };
        lines.push(Line::Title(Section::Stopped, sum));
        lines.extend(stopped.into_iter().map(Line::Container));
    }
    let mut shown: Vec<usize> = (0..plan.rows.len()).collect();
    shown.retain(|place| filter.lets(texts(&plan.rows[*place])));
    let (used, open): (Vec<usize>, Vec<usize>) = shown.into_iter().partition(|place| plan.rows[*place].blocked);
    let sum = |places: &[usize]| Sum::of(places.iter().map(|place| &plan.rows[*place]));
    for group in [Group::Safe, Group::Ask, Group::Keep] {
        let of = open.iter().copied().filter(|place| plan.rows[*place].group == group);
        let of: Vec<usize> = of.collect();
        // That nothing is safe is worth a line; that nothing is in another group is not.
        if !of.is_empty() || group == Group::Safe && typed.trim().is_empty() {
            lines.push(Line::Title(Section::Group(group), sum(&of)));
            lines.extend(of.into_iter().map(Line::Volume));
        }
    }
    if !used.is_empty() {
        lines.push(Line::Fold(sum(&used)));
        if unfolded {
            lines.extend(used.into_iter().map(Line::Volume));
        }
    }
    lines
}

/// What the filter looks at. A reason is long enough to match nearly anything.
fn texts(row: &Row) -> impl Iterator<Item = &str> {
    let mount = &row.mount;
    iter::once(mount.name.as_str())
        .chain(mount.project.as_deref())
        .chain(row.fingerprint.as_deref())
}

fn container_texts(stopped: &Stopped) -> impl Iterator<Item = &str> {
    let names = stopped.frees.iter().map(String::as_str);
    [stopped.name.as_str(), stopped.image.as_str()].into_iter().chain(names)
}
