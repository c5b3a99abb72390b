//! What engines report, folded into their state: lists, sizes, events. Knows no keys.

use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use super::super::details::Answer as Told;
use super::super::disk::Answer;
use super::super::effect::{Effect, EngineEffect};
use super::super::files::{self, Files};
use super::super::jobs::JobEvent;
use super::super::msg::{Change, EngineMsg, WatchNews};
use super::super::plan::{Review, Stage};
use super::super::state::{Asked, Context, EngineState, Link, Screen, State};
use crate::engine::EngineError;
use crate::model::{EngineId, JobId, Mount, Size};
use crate::ops::list::{Depth, Inventory};

/// A size that is younger than this is not measured again unasked.
const FRESH: Duration = Duration::minutes(2);

/// Folds what an engine's task reports. Returns whether something on screen may look different.
pub(super) fn update(state: &mut State, id: &EngineId, msg: EngineMsg, effects: &mut Vec<Effect>) -> bool {
    let now = state.now;
    if let EngineMsg::Files(msg) = msg {
        return files(state, id, effects, |files, cx| files.update(msg, cx));
    }
    let Some(engine) = state.engines.get_mut(id) else {
        return false;
    };
    match msg {
        EngineMsg::Inventory(result) => {
            inventory(id, engine, result, now, effects);
            if let (Some(review), Some(list)) = (&mut engine.plan, engine.mounts.inventory()) {
                review.compare(list);
            }
            measure_news(state, id, effects);
        }
        EngineMsg::Cached(sizes) => {
            engine.cached = Asked::Answered;
            engine.mounts.set_cached(sizes, now);
            measure_news(state, id, effects);
        }
        EngineMsg::LastUse(known) => {
            let known = Some(known);
            if engine.details.last_use == known {
                return false;
            }
            engine.details.last_use = known;
        }
        EngineMsg::Sizes(job, sizes) => {
            if engine.measuring != Some(job) {
                return false;
            }
            let interrupted = engine
                .plan
                .as_ref()
                .is_some_and(|review| review.stage == Stage::Waiting);
            // What a plan keeps it from is not left out for good.
            let told = sizes
                .into_iter()
                .filter(|(_, size)| !(interrupted && matches!(size, Size::Unknown(_))));
            engine.mounts.set_sizes(told.collect(), now);
        }
        EngineMsg::Space(space) => engine.space = Some(space),
        EngineMsg::Watch(news) => return watch(id, engine, news, effects),
        EngineMsg::Masked { of, result } => {
            engine.details.masked.insert(of, Told::Is(result));
        }
        EngineMsg::FileSystems(result) => {
            engine.disk.systems = Answer::Is(result);
            super::plan::gather(state, id, effects);
        }
        EngineMsg::NotVolumes(result) => engine.disk.others = Answer::Is(result),
        EngineMsg::Created { name, result } => return super::create::made(state, id, name, result, effects),
        EngineMsg::Planning { ask, step } => {
            return engine.plan.as_mut().is_some_and(|review| review.gathering(ask, step));
        }
        EngineMsg::Planned { ask, result } => return super::plan::planned(state, id, ask, result, effects),
        EngineMsg::Removed { job, events } => {
            let review = engine
                .plan
                .as_mut()
                .filter(|review| review.stage == Stage::Removing(job));
            let Some(review) = review else { return false };
            review.removed(events);
        }
        EngineMsg::Diagnosing { job, events } => return super::doctor::news(state, id, job, events),
        EngineMsg::Diagnosed { job, report } => return super::doctor::diagnosed(state, id, job, report),
        EngineMsg::LogTail { container, result } => return super::doctor::logged(state, id, &container, result),
        EngineMsg::OwnCounting { ask, census } => {
            return engine.own.as_mut().is_some_and(|own| own.counting(ask, *census));
        }
        EngineMsg::OwnPlanned { ask, result } => return super::own::planned(state, id, ask, result),
        EngineMsg::Owned { job, result } => return super::own::owned(state, id, job, result),
        EngineMsg::BackupPlanned { ask, result } => return super::backup::planned(state, id, ask, result),
        EngineMsg::BackedUp { job, row, result } => return super::backup::ended(state, id, job, row, result),
        EngineMsg::Archives(result) => engine.backups.listed(result),
        EngineMsg::Verified { path, result } => return super::backups::verified(state, id, path, result),
        EngineMsg::RestoreChecking { ask, progress } => return super::restore::checking(state, id, ask, progress),
        EngineMsg::RestorePlanned { ask, result } => return super::restore::planned(state, id, ask, result),
        EngineMsg::Restored { job, result } => return super::restore::restored(state, id, job, result),
        EngineMsg::Journals(result) => engine.undo.listed(result),
        EngineMsg::Undone {
            id: journal,
            result,
            job: _,
        } => return super::undo::undone(state, id, journal, result),
        // Handled above.
        EngineMsg::Files(_) => return false,
    }
    true
}

/// Asks for the list, or notes that the one on its way is out of date already.
pub(super) fn load(id: &EngineId, engine: &mut EngineState, effects: &mut Vec<Effect>) -> bool {
    engine.outdated = true;
    if engine.loading.is_some() {
        engine.stale = true;
        return false;
    }
    engine.loading = Some(Depth::Full);
    engine.stale = false;
    effects.push(Effect::Engine(id.clone(), EngineEffect::Load(Depth::Full)));
    true
}

fn inventory(
    id: &EngineId,
    engine: &mut EngineState,
    result: Result<Arc<Inventory>, EngineError>,
    now: OffsetDateTime,
    effects: &mut Vec<Effect>,
) {
    let full = engine.loading.take() == Some(Depth::Full);
    let inventory = match result {
        Ok(inventory) => inventory,
        Err(error) => {
            engine.fault = Some(error);
            if engine.stale {
                load(id, engine, effects);
            }
            return;
        }
    };
    engine.fault = None;
    engine.listed |= full;
    let stale = engine.stale;
    if full || engine.mounts.inventory().is_none() {
        engine.about = Arc::clone(&inventory.about);
        engine.mounts.set_inventory(Arc::clone(&inventory), now);
    }
    if engine.cached == Asked::No {
        engine.cached = Asked::Yes;
        effects.push(Effect::Engine(
            id.clone(),
            EngineEffect::ReadSizes(Arc::clone(&inventory)),
        ));
    }
    // On this host it costs nothing; elsewhere it takes a helper, so once is enough.
    if full && (engine.about.same_host || !engine.space_asked) {
        engine.space_asked = true;
        effects.push(Effect::Engine(id.clone(), EngineEffect::Space(inventory)));
    }
    if !full || stale {
        load(id, engine, effects);
    }
    // The rest of the first list is asked for although nothing changed.
    engine.outdated = stale;
}

/// Returns whether something on screen may look different.
fn watch(id: &EngineId, engine: &mut EngineState, news: WatchNews, effects: &mut Vec<Effect>) -> bool {
    match news {
        WatchNews::Live => {
            let back = matches!(engine.link, Link::Lost { .. });
            engine.link = Link::Live;
            // What happened while nobody listened is not known.
            if back {
                load(id, engine, effects);
            }
        }
        // While a list is on its way, what is shown no longer tells whether a volume was removed in between.
        WatchNews::Changed(Change::Made(names)) if !engine.outdated && engine.mounts.has_volumes(&names) => {
            return false;
        }
        WatchNews::Changed(_) => {
            load(id, engine, effects);
        }
        WatchNews::Refused(why) => engine.link = Link::Deaf(why),
        WatchNews::Lost { error, retry_at } => engine.link = Link::Lost { error, retry_at },
    }
    true
}

/// Measures, unasked, what has no fresh size, once kept sizes are in. What only the complete list knows (tmpfs) is
/// measured when the first measurement has ended.
pub(super) fn measure_news(state: &mut State, id: &EngineId, effects: &mut Vec<Effect>) {
    let Some(engine) = state.engines.get(id) else { return };
    if engine.cached != Asked::Answered || engine.measuring.is_some() {
        return;
    }
    let mounts = engine.mounts.unmeasured(if engine.first_measured {
        OffsetDateTime::UNIX_EPOCH
    } else {
        state.now - FRESH
    });
    measure(state, id, mounts, false, effects);
}

/// Starts a measurement of these mounts; none when there are none or one runs.
pub(super) fn measure(
    state: &mut State,
    id: &EngineId,
    mounts: Vec<Arc<Mount>>,
    asked: bool,
    effects: &mut Vec<Effect>,
) -> bool {
    let Some(engine) = state.engines.get_mut(id) else {
        return false;
    };
    let held = engine.plan.as_ref().is_some_and(Review::is_busy);
    if mounts.is_empty() || engine.measuring.is_some() || held {
        return false;
    }
    let title = match mounts.as_slice() {
        [one] => format!("measure {}", one.name),
        many => format!("measure {} mounts", many.len()),
    };
    let job = state.jobs.start(title, state.now);
    engine.measuring = Some(job);
    engine.measuring_first = !asked && !engine.first_measured;
    engine.first_measured = engine.listed;
    effects.push(Effect::Engine(id.clone(), EngineEffect::Measure { job, mounts, asked }));
    true
}

/// The engine whose measurement this event ends.
pub(super) fn job_ended(state: &State, job: JobId, event: &JobEvent) -> Option<EngineId> {
    let JobEvent::Ended(_) = event else { return None };
    state
        .engines
        .iter()
        .find(|(_, engine)| engine.measuring == Some(job))
        .map(|(id, _)| id.clone())
}

/// A measurement ended: keeps its sizes and looks for mounts that came meanwhile.
pub(super) fn measurement_ended(state: &mut State, id: &EngineId, effects: &mut Vec<Effect>) {
    let now = state.now;
    let Some(engine) = state.engines.get_mut(id) else {
        return;
    };
    let job = engine.measuring.take().and_then(|job| state.jobs.get(job));
    let why = job.and_then(|job| job.end.as_ref()).and_then(|end| match end {
        super::super::jobs::JobEnd::Cancelled => Some("the measurement was cancelled".to_owned()),
        super::super::jobs::JobEnd::Failed(why) => Some(why.clone()),
        _ => None,
    });
    // What a plan interrupts is taken up again behind it.
    let interrupted = engine
        .plan
        .as_ref()
        .is_some_and(|review| review.stage == Stage::Waiting);
    if interrupted {
        engine.first_measured &= !engine.measuring_first;
        engine.mounts.settle(None, now);
    } else {
        let why = why.as_deref().unwrap_or("the measurement ended before it was reached");
        engine.mounts.settle(Some(why), now);
    }
    if let Some(inventory) = engine.mounts.inventory() {
        let keep = EngineEffect::WriteSizes(Arc::clone(inventory), engine.mounts.measured());
        effects.push(Effect::Engine(id.clone(), keep));
    }
    if interrupted {
        super::plan::gather(state, id, effects);
    } else {
        measure_news(state, id, effects);
    }
}

/// Runs something on an engine's files screen, and takes over what it wants.
pub(super) fn files(
    state: &mut State,
    id: &EngineId,
    effects: &mut Vec<Effect>,
    f: impl FnOnce(&mut Files, &mut Context<'_>) -> Vec<files::Effect>,
) -> bool {
    let Some(engine) = state.engines.get_mut(id) else {
        return false;
    };
    let Some(files) = &mut engine.files else { return false };
    let mut cx = Context {
        now: state.now,
        jobs: &mut state.jobs,
        notice: &mut state.notice,
        copy: None,
        leave: false,
    };
    let mut wanted = f(files, &mut cx);
    let (copy, leave) = (cx.copy.take(), cx.leave);
    if leave && state.screen == Screen::Files && state.current.as_ref() == Some(id) {
        wanted.extend(files.leave());
        state.screen = if files.archive.is_some() {
            Screen::Backups
        } else {
            Screen::Mounts
        };
    }
    effects.extend(
        wanted
            .into_iter()
            .map(|effect| Effect::Engine(id.clone(), EngineEffect::Files(effect))),
    );
    effects.extend(copy.map(Effect::Copy));
    true
}
