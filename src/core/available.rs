//! What can be done now: one answer for keys, footer, help and palette, so that none of them lies. Pure.

mod archives;

use super::action::{ACTIONS, Action, Declared, Section};
use super::backups::Backups;
use super::doctor::{self, Doctor, Patient};
use super::own;
use super::plan::{Review, Stage};
use super::state::{Dialog, EngineState, Screen, Search, State};
use crate::doctor::Fix;
use crate::model::{Mount, MountKind, Scan};

/// Whether an action can be done in this state.
pub fn available(action: Action, state: &State) -> bool {
    under(state.dialog.as_ref(), action, state)
}

/// What plans a change or a copy: one at a time.
const ALONE: [Action; 7] = [
    Action::Prune,
    Action::Remove,
    Action::Backup,
    Action::BackupsRestore,
    Action::Chown,
    Action::FilesChown,
    Action::FilesRestore,
];

/// Why an action that is not available has to wait, in words.
pub fn held_up(action: Action, state: &State) -> Option<String> {
    let row = action.declared()?;
    let engine = state.engine().filter(|engine| !engine.may_change())?;
    // What is never available does not wait for anything.
    let never = state.settings.read_only && !matches!(action, Action::Prune | Action::Backup);
    if never || !ALONE.contains(&action) || !state.sections().contains(&row.section) {
        return None;
    }
    let job = engine.changing().and_then(|job| state.jobs.get(job));
    let what = job.map_or("a removal", |job| job.title.as_str());
    Some(format!(
        "not now: {what} is running, and there is one change or copy at a time"
    ))
}

/// The actions that can be done now, as the table declares them: special sections first.
pub fn all(state: &State) -> Vec<&'static Declared> {
    listed(state.dialog.as_ref(), state)
}

/// The actions that can be done on the screen when no dialog lies over it.
pub fn beneath(state: &State) -> Vec<&'static Declared> {
    listed(None, state)
}

fn listed(dialog: Option<&Dialog>, state: &State) -> Vec<&'static Declared> {
    let sections = state.sections_under(dialog);
    let of = |section: Section| ACTIONS.iter().filter(move |row| row.section == section);
    sections
        .iter()
        .flat_map(|section| of(*section))
        .filter(|row| under(dialog, row.action, state))
        .collect()
}

fn under(dialog: Option<&Dialog>, action: Action, state: &State) -> bool {
    let Some(row) = action.declared() else { return false };
    state.sections_under(dialog).contains(&row.section)
        && match row.section {
            Section::Global => global(dialog, action, state),
            Section::Move => moving(dialog, state),
            Section::Start => matches!(state.search, Search::Failed(_)),
            Section::Mounts => state.engine().is_some_and(|engine| mounts(action, state, engine)),
            Section::Details => state.engine().is_some_and(has_containers),
            Section::Files | Section::Preview => files(action, state),
            Section::Jobs => cancellable(state),
            Section::Plan => state.engine().is_some_and(|engine| plan(action, state, engine)),
            Section::Confirm => true,
            Section::Rights => state.engine().is_some_and(|engine| rights(action, state, engine)),
            Section::Doctor => state.engine().is_some_and(|engine| doctor(action, state, engine)),
            Section::Own => state.engine().is_some_and(|engine| own(action, state, engine)),
            Section::Undo => state.engine().is_some_and(|engine| undo(action, state, engine)),
            Section::Copies => state.engine().is_some_and(|engine| copies(action, engine)),
            Section::Backup => state
                .engine()
                .is_some_and(|engine| archives::backup(action, state, engine)),
            Section::Backups => state
                .engine()
                .is_some_and(|engine| archives::backups(action, state, engine)),
            Section::Restore => state
                .engine()
                .is_some_and(|engine| archives::restore(action, state, engine)),
            Section::Disk => state.engine().is_some_and(|engine| !engine.disk.is_counting()),
        }
}

fn files(action: Action, state: &State) -> bool {
    if action == Action::FilesRestore {
        return state.engine().is_some_and(|engine| archives::entry(state, engine));
    }
    if action == Action::FilesChown {
        let engine = state
            .engine()
            .filter(|engine| !state.settings.read_only && engine.may_change());
        let files = engine.and_then(|engine| engine.files.as_ref());
        return files.is_some_and(|files| files.archive.is_none() && ownable(&files.mount) && files.target().is_some());
    }
    state
        .engine()
        .and_then(|engine| engine.files.as_ref())
        .is_some_and(|files| files.available(action))
}

fn moving(dialog: Option<&Dialog>, state: &State) -> bool {
    match (dialog, state.screen) {
        (Some(_), _) => true,
        (None, Screen::Start) => false,
        (None, Screen::Mounts) => state.engine().is_some_and(|engine| engine.mounts.current().is_some()),
        (None, Screen::Details | Screen::Files | Screen::Disk | Screen::Own | Screen::Backup | Screen::Restore) => true,
        (None, Screen::Doctor) => doctor_of(state).is_some_and(|doctor| !doctor.findings().is_empty()),
        (None, Screen::Undo) => state.engine().is_some_and(|engine| !engine.undo.rows().is_empty()),
        (None, Screen::Backups) => backups(state).is_some_and(|backups| backups.current().is_some()),
        (None, Screen::Plan) => review(state).is_some_and(|review| !review.lines().is_empty()),
    }
}

fn has_current(engine: &EngineState) -> bool {
    engine.mounts.current().is_some()
}

fn has_containers(engine: &EngineState) -> bool {
    engine
        .mounts
        .current()
        .is_some_and(|(mount, _)| !mount.attachments.is_empty())
}

fn global(dialog: Option<&Dialog>, action: Action, state: &State) -> bool {
    let engine = state.engine();
    let over = dialog.is_some();
    match action {
        Action::Quit | Action::Suspend | Action::Help | Action::Palette | Action::Jobs => true,
        Action::Back => over || back(state),
        Action::Refresh if state.screen == Screen::Plan => {
            !over && review(state).is_some_and(|review| !review.is_busy())
        }
        Action::Refresh if state.screen == Screen::Own => {
            let idle =
                |own: &own::Review| matches!(own.stage, own::Stage::Ready | own::Stage::Failed(_) | own::Stage::Used);
            !over && engine.is_some_and(|engine| !engine.is_changing() && engine.own.as_ref().is_some_and(idle))
        }
        Action::Refresh if matches!(state.screen, Screen::Backup | Screen::Restore) => {
            !over && engine.is_some_and(|engine| archives::again(state, engine))
        }
        Action::Refresh => !over && engine.is_some_and(|engine| engine.loading.is_none()),
        Action::NextPane => {
            !over
                && match state.screen {
                    Screen::Mounts => state.details_open,
                    Screen::Files => files(action, state),
                    Screen::Plan => review(state).is_some_and(|review| !review.lines().is_empty()),
                    Screen::Doctor => doctor_of(state).is_some_and(|doctor| doctor.current().is_some()),
                    Screen::Undo => engine.is_some_and(|engine| engine.undo.current().is_some()),
                    Screen::Backups => backups(state).is_some_and(|backups| backups.current().is_some()),
                    Screen::Start | Screen::Details | Screen::Disk | Screen::Own | Screen::Backup | Screen::Restore => {
                        false
                    }
                }
        }
        Action::ShowDisk => !over && state.screen != Screen::Disk && engine.is_some_and(has_mounts),
        Action::ShowMounts => !over && engine.is_some() && state.screen != Screen::Mounts,
        // Which mount they are of shows on neither of the others.
        Action::ShowDetails => !over && of_a_mount(state, Screen::Details) && engine.is_some_and(has_current),
        Action::ShowFiles => !over && of_a_mount(state, Screen::Files) && engine.is_some_and(browsable),
        Action::ShowBackups => !over && state.screen != Screen::Backups && engine.is_some(),
        Action::ShowUndo => !over && state.screen != Screen::Undo && engine.is_some(),
        Action::ShowPlan => !over && state.screen != Screen::Plan && review(state).is_some(),
        Action::Copy => {
            !over
                && match state.screen {
                    Screen::Start | Screen::Disk | Screen::Restore => false,
                    Screen::Backup => engine.is_some_and(archives::made),
                    Screen::Backups => backups(state).is_some_and(|backups| backups.current().is_some()),
                    Screen::Doctor => doctor_of(state).is_some_and(|doctor| doctor.current().is_some()),
                    Screen::Own => engine.is_some_and(|engine| engine.own.is_some()),
                    Screen::Undo => engine.is_some_and(|engine| engine.undo.current().is_some()),
                    Screen::Mounts | Screen::Details => engine.is_some_and(has_current),
                    Screen::Files => files(action, state),
                    Screen::Plan => review(state).is_some_and(|review| review.copied().is_some()),
                }
        }
        _ => true,
    }
}

/// Whether Back would close, clear or leave something of the screen.
fn back(state: &State) -> bool {
    match state.screen {
        Screen::Start => false,
        Screen::Details
        | Screen::Files
        | Screen::Plan
        | Screen::Disk
        | Screen::Doctor
        | Screen::Own
        | Screen::Undo
        | Screen::Backup
        | Screen::Backups
        | Screen::Restore => true,
        Screen::Mounts => {
            state.details_focused
                || state.details_open
                || state.notice.is_some()
                || state.engine().is_some_and(|engine| {
                    let mounts = &engine.mounts;
                    mounts.in_range() || !mounts.filter.text().is_empty() || mounts.quick().any()
                })
        }
    }
}

fn browsable(engine: &EngineState) -> bool {
    engine
        .mounts
        .current()
        .is_some_and(|(mount, _)| !matches!(mount.scan, Scan::Never(_)))
}

/// Whether a screen about the mount under the cursor can be gone to: one of those that show it is on.
fn of_a_mount(state: &State, to: Screen) -> bool {
    // The files of an archive are of none.
    let files = || state.engine().and_then(|engine| engine.files.as_ref());
    let shown = match state.screen {
        Screen::Mounts | Screen::Details => true,
        Screen::Files => files().is_some_and(|files| files.archive.is_none()),
        _ => false,
    };
    to != state.screen && shown
}

fn backups(state: &State) -> Option<&Backups> {
    Some(&state.engine()?.backups)
}

fn review(state: &State) -> Option<&Review> {
    state.engine()?.plan.as_ref()
}

fn plan(action: Action, state: &State, engine: &EngineState) -> bool {
    let Some(review) = &engine.plan else { return false };
    let changes = !state.settings.read_only;
    let again = review.looks_at().filter(|_| !review.is_busy());
    match action {
        Action::PlanToggle => {
            let stands = review.current().is_some() || review.current_container().is_some();
            changes && stands && review.stage == Stage::Ready
        }
        Action::PlanRemove => changes && review.has_chosen(),
        Action::PlanCancel => match review.stage {
            Stage::Removing(job) => state.jobs.get(job).is_some_and(|job| !job.cancelling),
            _ => false,
        },
        Action::PlanUnfold => review.can_fold(),
        Action::PlanNamed | Action::PlanAge => again.is_some(),
        Action::PlanProject => again.is_some_and(|filter| {
            let project = review.current().and_then(|row| row.mount.project.as_ref());
            filter.project.is_some() || project.is_some()
        }),
        Action::PlanFilter => review.plan().is_some_and(|plan| !plan.rows.is_empty()),
        _ => false,
    }
}

fn mounts(action: Action, state: &State, engine: &EngineState) -> bool {
    // No helper may run while a removal does, and there is one plan at a time.
    let busy = engine.is_changing();
    match action {
        Action::Prune => engine.may_change() && engine.mounts.inventory().is_some(),
        Action::Create => !state.settings.read_only && engine.mounts.inventory().is_some(),
        Action::Remove => {
            engine.may_change() && !state.settings.read_only && !engine.mounts.chosen_volumes().0.is_empty()
        }
        Action::Measure | Action::MeasureAll if busy => false,
        Action::OpenFiles => browsable(engine),
        Action::Inspect | Action::Mark | Action::MarkRange => has_current(engine),
        Action::MarkNone => engine.mounts.has_marks(),
        Action::Measure => engine.measuring.is_none() && !engine.mounts.chosen().is_empty(),
        Action::MeasureAll => engine.measuring.is_none() && has_mounts(engine),
        Action::CancelMeasure => engine.measuring.is_some(),
        _ => has_mounts(engine),
    }
}

fn copies(action: Action, engine: &EngineState) -> bool {
    match action {
        Action::Backup => engine.may_change() && !engine.mounts.meant().is_empty(),
        _ => has_current(engine),
    }
}

fn doctor_of(state: &State) -> Option<&Doctor> {
    state.engine()?.doctor.as_ref()
}

/// Whether a mount's entries may get another owner by vole at all; the plan looks closer.
pub(super) fn ownable(mount: &Mount) -> bool {
    !matches!(mount.kind, MountKind::Tmpfs | MountKind::Image | MountKind::Cluster)
        && !matches!(mount.scan, Scan::Never(_))
}

fn rights(action: Action, state: &State, engine: &EngineState) -> bool {
    match action {
        Action::Doctor => engine.mounts.inventory().is_some() && (engine.doctor.is_some() || !engine.is_changing()),
        Action::DoctorMount => has_current(engine) && !engine.is_changing(),
        Action::Chown => {
            let current = engine.mounts.current();
            !state.settings.read_only && engine.may_change() && current.is_some_and(|(mount, _)| ownable(mount))
        }
        _ => false,
    }
}

fn doctor(action: Action, state: &State, engine: &EngineState) -> bool {
    let Some(doctor) = &engine.doctor else { return false };
    let changes = !state.settings.read_only;
    let inventory = engine.mounts.inventory().map(AsRef::as_ref);
    let patient = || doctor.current().and_then(|finding| doctor::patient(finding, inventory));
    // A state that is not known keeps nothing from the operator: what is as wanted already is no error.
    let live = |wanted: bool| {
        let fits = |patient: Patient| {
            let busy = engine.switching.values().any(|id| *id == patient.id);
            !busy && patient.state.is_none_or(|state| state.is_live() == wanted)
        };
        changes && patient().is_some_and(fits)
    };
    match action {
        Action::DoctorFix => doctor.current().is_some_and(|finding| {
            let vole_does_it = matches!(finding.fix, Fix::Chown { .. } | Fix::Chmod { .. });
            // What vole does not do is said in words; what it may not do now is not offered.
            !vole_does_it || (changes && engine.may_change())
        }),
        Action::DoctorAgain => doctor.job().is_none() && !engine.is_changing(),
        Action::DoctorCancel => {
            let job = doctor.job().and_then(|job| state.jobs.get(job));
            job.is_some_and(|job| !job.cancelling)
        }
        Action::DoctorLog => patient().is_some(),
        Action::DoctorStart => live(false),
        Action::DoctorStop | Action::DoctorRestart => live(true),
        _ => false,
    }
}

fn own(action: Action, state: &State, engine: &EngineState) -> bool {
    let Some(review) = &engine.own else { return false };
    let free = !state.settings.read_only && engine.may_change();
    match action {
        Action::OwnRun => free && review.can_run(),
        Action::OwnEdit => free && review.request.change.mode.is_none(),
        Action::OwnCancel => {
            let job = review.job().and_then(|job| state.jobs.get(job));
            job.is_some_and(|job| !job.cancelling)
        }
        _ => false,
    }
}

fn undo(action: Action, state: &State, engine: &EngineState) -> bool {
    match action {
        Action::UndoRun => !state.settings.read_only && engine.may_change() && engine.undo.can_undo(),
        Action::UndoCancel => {
            let job = engine.undo.running.as_ref().and_then(|(job, _)| state.jobs.get(*job));
            job.is_some_and(|job| !job.cancelling)
        }
        _ => false,
    }
}

fn has_mounts(engine: &EngineState) -> bool {
    engine
        .mounts
        .inventory()
        .is_some_and(|inventory| !inventory.mounts.is_empty())
}

fn cancellable(state: &State) -> bool {
    let Some(Dialog::Jobs { at }) = &state.dialog else {
        return false;
    };
    let chosen = at.or_else(|| state.jobs.newest_first().next().map(|(id, _)| id));
    chosen
        .and_then(|id| state.jobs.get(id))
        .is_some_and(|job| job.end.is_none() && !job.cancelling)
}
