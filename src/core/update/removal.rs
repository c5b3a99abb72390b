//! What a yes to a plan's question sets going, and its end. Knows no keys.

use super::super::effect::{Effect, EngineEffect};
use super::super::figures;
use super::super::jobs::JobEvent;
use super::super::msg::Notice;
use super::super::plan::{Review, Stage};
use super::super::state::{EngineState, State};
use super::{dialogs, engine};
use crate::model::{EngineId, JobId};

/// The operator said yes: the chosen rows of the plan go.
pub(super) fn confirmed(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    state.dialog = None;
    let Some(id) = state.current.clone() else { return true };
    let review = state.engines.get_mut(&id).and_then(|engine| engine.plan.as_mut());
    let Some(review) = review.filter(|review| review.has_chosen()) else {
        return true;
    };
    let Some(plan) = review.plan().cloned() else {
        return true;
    };
    let chosen = review.chosen().clone();
    let title = match (chosen.iter().next(), chosen.len()) {
        (Some(one), 1) => format!("remove {one}"),
        (_, 0) => format!(
            "remove {}",
            figures::counted(review.taken().count() as u64, "container")
        ),
        (_, many) => format!("remove {}", figures::counted(many as u64, "volume")),
    };
    let job = state.jobs.start(title, state.now);
    review.begin(job);
    effects.push(Effect::Engine(id, EngineEffect::Remove { job, plan, chosen }));
    true
}

/// Stops a removal that runs before its next volume, and a change of owners or an undo behind its present batch, for an
/// operator who wants to quit; `false` when none runs or it was stopped before.
pub(super) fn stop(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    let removing = |engine: &EngineState| match engine.plan.as_ref()?.stage {
        Stage::Removing(job) => Some((job, "the removal stops before its next volume")),
        _ => None,
    };
    let copying = |engine: &EngineState| {
        let backup = engine.backup.as_ref().and_then(|backup| backup.job());
        let backup = backup.map(|job| (job, "the backup stops, and removes the copy that is not whole"));
        let restore = || engine.restore.as_ref().and_then(|restore| restore.job());
        backup.or_else(|| Some((restore()?, "the restore stops, and leaves what was there")))
    };
    let changing = |engine: &EngineState| {
        let own = engine.own.as_ref().and_then(|own| own.job());
        let job = own.or_else(|| engine.undo.running.as_ref().map(|(job, _)| *job))?;
        Some((job, "the change stops behind its present batch"))
    };
    let mut engines = state.engines.values();
    let running = engines.find_map(|engine| {
        let changing = || changing(engine).or_else(|| copying(engine));
        removing(engine).or_else(changing)
    });
    let Some((job, words)) = running else { return false };
    let stopped = dialogs::cancel(state, job, effects);
    if stopped {
        let text = format!("{words}; quit again to end vole without waiting");
        state.notice = Some(Notice::warning(text));
    }
    stopped
}

/// The engine whose removal this event ends.
pub(super) fn job_ended(state: &State, job: JobId, event: &JobEvent) -> Option<EngineId> {
    let JobEvent::Ended(_) = event else { return None };
    let removing = |review: &Review| review.stage == Stage::Removing(job);
    let mut engines = state.engines.iter();
    engines
        .find(|(_, engine)| engine.plan.as_ref().is_some_and(removing))
        .map(|(id, _)| id.clone())
}

/// A removal ended: what was held back for it goes on.
pub(super) fn ended(state: &mut State, id: &EngineId, effects: &mut Vec<Effect>) {
    if let Some(review) = state.engines.get_mut(id).and_then(|engine| engine.plan.as_mut()) {
        review.stage = Stage::Used;
    }
    engine::measure_news(state, id, effects);
}
