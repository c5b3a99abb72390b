//! The files screen's state: the tree of one mount and its preview. Knows no other screen.

use super::action::{Action, Section};
use super::key::Key;
use super::state::Context;
use crate::model::Mount;
use ratatui::layout::Rect;

/// The files of one mount.
#[derive(Debug, Clone, PartialEq)]
pub struct Files {
    /// The mount.
    pub mount: Mount,
}

/// What the files screen's tasks report.
#[derive(Debug, Clone, PartialEq)]
pub enum Msg {
    /// Something failed.
    Failed(String),
}

/// What the files screen wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Open the mount.
    Open(Box<Mount>),
    /// Let go of it.
    Close,
}

impl Files {
    /// Opens a mount; `area` is where the screen will be drawn.
    pub fn open(mount: Mount, _area: Rect, _cx: &mut Context<'_>) -> (Self, Vec<Effect>) {
        let open = Effect::Open(Box::new(mount.clone()));
        (Self { mount }, vec![open])
    }

    /// Takes up the screen again after [`Files::leave`] (the mount is the same).
    pub fn resume(&mut self, _cx: &mut Context<'_>) -> Vec<Effect> {
        Vec::new()
    }

    /// The operator goes to another screen; what runs for this one alone may stop.
    pub fn leave(&mut self) -> Vec<Effect> {
        vec![Effect::Close]
    }

    /// Folds a report.
    pub fn update(&mut self, _msg: Msg, _cx: &mut Context<'_>) -> Vec<Effect> {
        Vec::new()
    }

    /// Does an action of the sections Files, Preview, Move, or [`Action::Back`], [`Action::Copy`], [`Action::NextPane`].
    /// Sets `cx.leave` when the operator leaves the screen by it.
    pub fn action(&mut self, action: Action, cx: &mut Context<'_>) -> Vec<Effect> {
        if matches!(action, Action::Back | Action::Leave) {
            cx.leave = true;
        }
        Vec::new()
    }

    /// Whether keys go to a text field now.
    pub fn wants_text(&self) -> bool {
        false
    }

    /// Takes a key for the text field.
    pub fn key(&mut self, _key: Key, _cx: &mut Context<'_>) -> Vec<Effect> {
        Vec::new()
    }

    /// Takes pasted text for the text field.
    pub fn paste(&mut self, _text: &str) {}

    /// The section whose keys work now.
    pub fn section(&self) -> Section {
        Section::Files
    }

    /// Whether an action of [`Files::action`] can be done now.
    pub fn available(&self, _action: Action) -> bool {
        true
    }

    /// The screen is now drawn here.
    pub fn resize(&mut self, _area: Rect) {}
}
