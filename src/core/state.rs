//! The whole state of the TUI, with one owner: the loop. Plain data; only [`super::update()`] changes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use time::OffsetDateTime;

use super::action::Section;
use super::backup;
use super::backups::Backups;
use super::create::Form;
use super::details::Details;
use super::disk::Disk;
use super::doctor::{Doctor, Known};
use super::files::Files;
use super::input::Input;
use super::jobs::Jobs;
use super::keymap::Keymap;
use super::mounts::{Mounts, Order};
use super::msg::{Attempt, Notice, Space};
use super::own;
use super::plan::{self, Review};
use super::restore::{self, Field};
use super::undo::Undo;
use crate::engine::daemon::Switch;
use crate::engine::{About, EngineError};
use crate::fingerprint::Rules;
use crate::journal::JournalId;
use crate::model::{EngineId, JobId};
use crate::ops::list::Depth;

/// The state.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The time of the present batch of messages.
    pub now: OffsetDateTime,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// What the operator chose at the start.
    pub settings: Settings,
    /// The keys.
    pub keymap: Keymap,
    /// Whether an engine is being looked for, and what came of it.
    pub search: Search,
    /// The engines that answered.
    pub engines: BTreeMap<EngineId, EngineState>,
    /// The engine on screen.
    pub current: Option<EngineId>,
    /// What is on screen.
    pub screen: Screen,
    /// Whether keys that move go to the details beside the table.
    pub details_focused: bool,
    /// Whether the details stand beside the table.
    pub details_open: bool,
    /// What lies over the screen.
    pub dialog: Option<Dialog>,
    /// All jobs.
    pub jobs: Jobs,
    /// The line for the operator.
    pub notice: Option<Notice>,
    /// Whether something on screen changed since the last frame; the loop resets it.
    pub changed: bool,
}

/// What the operator chose at the start.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// Nothing that changes a mount, a container or a volume is available.
    pub read_only: bool,
    /// The table's first order.
    pub order: Order,
    /// What contents look like and what that says of their class.
    pub rules: Arc<Rules>,
}

/// The search for an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Search {
    /// It runs.
    Running,
    /// It found one.
    Found,
    /// It found none; what was tried.
    Failed(Vec<Attempt>),
}

/// What is on screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// No engine yet, or none at all.
    Start,
    /// The table of mounts.
    Mounts,
    /// One mount's details on the whole screen.
    Details,
    /// One mount's files.
    Files,
    /// The plan of a removal.
    Plan,
    /// What fills the disk.
    Disk,
    /// What is refused, and why.
    Doctor,
    /// A change of owner or mode.
    Own,
    /// What can be taken back.
    Undo,
    /// The plan of a backup.
    Backup,
    /// The archives on this machine.
    Backups,
    /// The plan of a restore.
    Restore,
}

/// What lies over the screen and takes the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dialog {
    /// The keys that work here now.
    Help {
        /// First line shown.
        top: usize,
    },
    /// Any action by its name.
    Palette {
        /// What is typed.
        input: Input,
        /// The chosen line.
        at: usize,
    },
    /// The jobs.
    Jobs {
        /// The job under the cursor; `None` for the newest.
        at: Option<JobId>,
    },
    /// A name has to be typed before something is taken along.
    Type {
        /// What, and the name.
        wanted: plan::Wanted,
        /// What is typed.
        input: Input,
        /// Whether something else was typed and meant.
        wrong: bool,
    },
    /// Whether the chosen rows of the plan shall be removed.
    Confirm,
    /// What a new volume shall be.
    Create(Box<Form>),
    /// Who shall own a mount, or a part of it.
    Owner(Box<own::Form>),
    /// A line about a restore.
    Field(Box<Field>),
    /// A mount's name has to be typed before something in it is changed.
    Name {
        /// What is changed.
        of: Named,
        /// What is typed.
        input: Input,
        /// Whether something else was typed and meant.
        wrong: bool,
    },
    /// Yes or no.
    Ask(Question),
}

/// What a mount's name has to be typed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// The change of owners on screen.
    Own,
    /// The restore on screen.
    Restore,
}

/// A question to be answered by yes or no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Whether the change on screen shall be carried out.
    Own,
    /// Whether a change shall be taken back.
    Undo(JournalId),
    /// Whether a container shall be stopped or restarted.
    Switch {
        /// Its id, or its name.
        container: String,
        /// Its name.
        name: String,
        /// What is to be done to it.
        switch: Switch,
    },
}

/// One engine and what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineState {
    /// Its endpoint as people write it.
    pub endpoint: String,
    /// What it is.
    pub about: Arc<About>,
    /// Whether it is the demo.
    pub demo: bool,
    /// Whether it can be reached.
    pub link: Link,
    /// The list that was asked for and has not come yet.
    pub loading: Option<Depth>,
    /// Whether a full list came.
    pub listed: bool,
    /// Whether something changed since that list was asked for.
    pub stale: bool,
    /// Whether something changed since the list that is shown was asked for.
    pub outdated: bool,
    /// Why the last list failed.
    pub fault: Option<EngineError>,
    /// The table.
    pub mounts: Mounts,
    /// The details of the mount under the cursor.
    pub details: Details,
    /// The files of the mount that was opened last.
    pub files: Option<Files>,
    /// Whether the measurement at the start began; later ones look at new mounts only.
    pub first_measured: bool,
    /// The running measurement.
    pub measuring: Option<JobId>,
    /// Whether that is the one at the start.
    pub measuring_first: bool,
    /// The plan of a removal that was made last.
    pub plan: Option<Review>,
    /// What fills the disk.
    pub disk: Disk,
    /// The diagnosis that was asked for last.
    pub doctor: Option<Doctor>,
    /// What diagnoses say of the mounts.
    pub known: Known,
    /// The change of owner or mode that was asked for last.
    pub own: Option<own::Review>,
    /// What can be taken back.
    pub undo: Undo,
    /// The backup that was asked for last.
    pub backup: Option<backup::Review>,
    /// Bytes that the last backup of this run copied in a second.
    pub copied: Option<u64>,
    /// The archives on this machine.
    pub backups: Backups,
    /// The restore that was asked for last.
    pub restore: Option<restore::Review>,
    /// Containers that are being started or stopped, and the jobs that do it.
    pub switching: BTreeMap<JobId, String>,
    /// Plans asked for so far.
    pub plans: u64,
    /// Whether sizes of an earlier start were asked for and came.
    pub cached: Asked,
    /// Whether free space was asked for.
    pub space_asked: bool,
    /// The file system that holds the volumes, or why it cannot be told; `None` until that is known.
    pub space: Option<Result<Space, EngineError>>,
}

/// A question that is asked once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Not asked.
    No,
    /// Asked.
    Yes,
    /// Answered.
    Answered,
}

/// Whether an engine can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// It answers and its events are heard.
    Live,
    /// It answers; its events are not heard yet.
    Connecting,
    /// It answers but tells no events: the list is as old as the last refresh. Why.
    Deaf(String),
    /// It went away.
    Lost {
        /// Why.
        error: String,
        /// When it is tried again.
        retry_at: OffsetDateTime,
    },
}

impl EngineState {
    /// Whether a helper of a plan, of a change or of an undo is at work, beside which no other may begin.
    pub fn is_changing(&self) -> bool {
        self.plan.as_ref().is_some_and(Review::is_busy)
            || self.own.as_ref().is_some_and(|own| own.job().is_some())
            || self.undo.running.is_some()
            || self.restore.as_ref().is_some_and(|restore| restore.job().is_some())
    }

    /// The job of the change or copy that runs.
    pub fn changing(&self) -> Option<JobId> {
        let of_undo = self.undo.running.as_ref().map(|(job, _)| *job);
        let of_copy = self.backup.as_ref().and_then(|backup| backup.job());
        let of_restore = self.restore.as_ref().and_then(|restore| restore.job());
        let of_owners = self.own.as_ref().and_then(|own| own.job());
        of_copy.or(of_restore).or(of_owners).or(of_undo)
    }

    /// Whether something may be changed, removed or copied now: one at a time, so that no copy is of what is being changed.
    pub fn may_change(&self) -> bool {
        !self.is_changing() && self.backup.as_ref().is_none_or(|backup| backup.job().is_none())
    }
}

impl State {
    /// The state before anything happened.
    pub fn new(settings: Settings, keymap: Keymap, now: OffsetDateTime, size: (u16, u16)) -> Self {
        Self {
            now,
            size,
            settings,
            keymap,
            search: Search::Running,
            engines: BTreeMap::new(),
            current: None,
            screen: Screen::Start,
            details_focused: false,
            details_open: false,
            dialog: None,
            jobs: Jobs::default(),
            notice: None,
            changed: true,
        }
    }

    /// The engine on screen.
    pub fn engine(&self) -> Option<&EngineState> {
        self.engines.get(self.current.as_ref()?)
    }

    /// The sections whose keys work now, the most special first.
    pub fn sections(&self) -> Vec<Section> {
        self.sections_under(self.dialog.as_ref())
    }

    /// The sections whose keys would work with this dialog over the screen.
    pub fn sections_under(&self, dialog: Option<&Dialog>) -> Vec<Section> {
        let special: &[Section] = match (dialog, self.screen) {
            (Some(Dialog::Confirm | Dialog::Ask(_)), _) => return vec![Section::Confirm],
            (Some(Dialog::Jobs { .. }), _) => &[Section::Jobs],
            (Some(_), _) => &[],
            (None, Screen::Start) => &[Section::Start],
            (None, Screen::Mounts) if self.details_focused => {
                &[Section::Details, Section::Mounts, Section::Rights, Section::Copies]
            }
            (None, Screen::Mounts) if self.details_open => {
                &[Section::Mounts, Section::Details, Section::Rights, Section::Copies]
            }
            (None, Screen::Mounts) => &[Section::Mounts, Section::Rights, Section::Copies],
            (None, Screen::Details) => &[Section::Details, Section::Rights, Section::Copies],
            (None, Screen::Doctor) => &[Section::Doctor],
            (None, Screen::Own) => &[Section::Own],
            (None, Screen::Undo) => &[Section::Undo],
            (None, Screen::Backup) => &[Section::Backup],
            (None, Screen::Backups) => &[Section::Backups],
            (None, Screen::Restore) => &[Section::Restore],
            (None, Screen::Plan) => &[Section::Plan],
            (None, Screen::Disk) => &[Section::Disk],
            (None, Screen::Files) => match self.engine().and_then(|engine| engine.files.as_ref()) {
                Some(files) if files.section() == Section::Preview => &[Section::Preview, Section::Files],
                // The preview may stand beside the list; none of its keys means something else there.
                _ => &[Section::Files, Section::Preview],
            },
        };
        let mut sections = special.to_vec();
        sections.extend([Section::Move, Section::Global]);
        sections
    }

    /// Whether keys go to a text field.
    pub fn wants_text(&self) -> bool {
        match (&self.dialog, self.screen) {
            (
                Some(
                    Dialog::Palette { .. }
                    | Dialog::Type { .. }
                    | Dialog::Create(_)
                    | Dialog::Owner(_)
                    | Dialog::Field(_)
                    | Dialog::Name { .. },
                ),
                _,
            ) => true,
            (Some(_), _) => false,
            (None, Screen::Mounts) => self.engine().is_some_and(|engine| engine.mounts.typing),
            (None, Screen::Files) => self
                .engine()
                .and_then(|engine| engine.files.as_ref())
                .is_some_and(Files::wants_text),
            (None, Screen::Plan) => self
                .engine()
                .and_then(|engine| engine.plan.as_ref())
                .is_some_and(|plan| plan.typing),
            (None, Screen::Backups) => self.engine().is_some_and(|engine| engine.backups.typing),
            (
                None,
                Screen::Start
                | Screen::Details
                | Screen::Disk
                | Screen::Doctor
                | Screen::Own
                | Screen::Undo
                | Screen::Backup
                | Screen::Restore,
            ) => false,
        }
    }
}

/// What a screen of its own may use besides its own state.
#[derive(Debug)]
pub struct Context<'a> {
    /// The time now.
    pub now: OffsetDateTime,
    /// The jobs, to enter one.
    pub jobs: &'a mut Jobs,
    /// The line for the operator.
    pub notice: &'a mut Option<Notice>,
    /// Text for the clipboard of the operator's terminal.
    pub copy: Option<String>,
    /// Set when the operator leaves the screen.
    pub leave: bool,
}
