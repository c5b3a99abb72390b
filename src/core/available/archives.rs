//! What can be done now on the screens of backups and restores. Pure.

use std::sync::Arc;

use super::super::action::Action;
use super::super::backup;
use super::super::restore;
use super::super::state::{EngineState, Screen, State};
use crate::model::JobId;
use crate::ops::restore::{Into, Plan};

/// On the plan of a backup.
pub(super) fn backup(action: Action, state: &State, engine: &EngineState) -> bool {
    let Some(review) = &engine.backup else { return false };
    match action {
        Action::BackupRun => engine.may_change() && review.can_run(),
        Action::BackupCompress => review.stage == backup::Stage::Ready,
        Action::BackupCancel => cancellable(state, review.job()),
        _ => false,
    }
}

/// On the list of archives.
pub(super) fn backups(action: Action, state: &State, engine: &EngineState) -> bool {
    let backups = &engine.backups;
    let restores = !state.settings.read_only && engine.may_change();
    match action {
        Action::BackupsOpen => backups.current().is_some(),
        Action::BackupsVerify => backups.checking.is_none() && backups.current().is_some(),
        Action::BackupsRestore => restores && backups.current().is_some(),
        Action::BackupsFile => restores,
        Action::BackupsFilter => backups.count() > 0,
        Action::BackupsAgain => true,
        Action::BackupsCancel => cancellable(state, backups.checking.as_ref().map(|(job, _)| *job)),
        _ => false,
    }
}

/// Whether the entry under the cursor of the files can be restored: they are an archive's.
pub(super) fn entry(state: &State, engine: &EngineState) -> bool {
    let restores = !state.settings.read_only && engine.may_change();
    let files = engine
        .files
        .as_ref()
        .filter(|files| restores && files.archive.is_some());
    files.is_some_and(|files| files.target().is_some_and(|path| !path.is_root()))
}

/// On the plan of a restore.
pub(super) fn restore(action: Action, state: &State, engine: &EngineState) -> bool {
    let Some(review) = &engine.restore else { return false };
    let idle = again(state, engine);
    let into = review.plan().map(|plan| &plan.into);
    match action {
        Action::RestoreRun => !state.settings.read_only && engine.may_change() && review.can_run(),
        Action::RestoreAs => idle,
        // The paths that were chosen are those of the names as they are.
        Action::RestoreStrip => idle && review.request.only.is_empty(),
        Action::RestoreInPlace => {
            let gives_way = |plan: &Arc<Plan>| plan.request.only.is_empty() || !plan.replaced.is_empty();
            let any = review.request.in_place || review.plan().is_some_and(gives_way);
            idle && any && matches!(into, Some(Into::Existing(_)))
        }
        Action::RestorePlain => {
            let options = |volume: &crate::engine::daemon::NewVolume| !volume.options.is_empty();
            let has = matches!(into, Some(Into::New(volume)) if options(volume));
            idle && (has || review.request.plain)
        }
        Action::RestoreCancel => {
            matches!(review.stage, restore::Stage::Planning(_)) || cancellable(state, review.job())
        }
        _ => false,
    }
}

/// Whether the plan on screen can be made again.
pub(super) fn again(state: &State, engine: &EngineState) -> bool {
    let planned = match state.screen {
        Screen::Backup => engine.backup.as_ref().map(|review| {
            matches!(
                review.stage,
                backup::Stage::Ready | backup::Stage::Failed(_) | backup::Stage::Used
            )
        }),
        _ => engine.restore.as_ref().map(|review| {
            matches!(
                review.stage,
                restore::Stage::Ready | restore::Stage::Failed(_) | restore::Stage::Used
            )
        }),
    };
    engine.may_change() && planned == Some(true)
}

/// Whether the backup on screen made an archive.
pub(super) fn made(engine: &EngineState) -> bool {
    let outcomes = engine.backup.iter().flat_map(|review| review.outcomes.values());
    outcomes.into_iter().any(Result::is_ok)
}

fn cancellable(state: &State, job: Option<JobId>) -> bool {
    let job = job.and_then(|job| state.jobs.get(job));
    job.is_some_and(|job| !job.cancelling)
}
