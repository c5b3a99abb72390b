//! What keys and answers do on the doctor screen, and to the containers that it names. Knows no engine.

use std::sync::Arc;

use super::super::action::Action;
use super::super::doctor::{self, Doctor, Log, Patient, Stage};
use super::super::effect::{Effect, EngineEffect};
use super::super::jobs::{JobEnd, JobEvent};
use super::super::layout;
use super::super::msg::Notice;
use super::super::plan::Review;
use super::super::state::{Dialog, Question, Screen, State};
use super::{arrange, dialogs, own, screens, with_current};
use crate::engine::EngineError;
use crate::engine::daemon::Switch;
use crate::model::{EngineId, JobId};
use crate::ops::doctor::{Event, Report, Scope};

/// Shows the diagnosis of the whole engine: the last one, where it was of that, else a new one.
pub(super) fn of_engine(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    open(state, Scope::default(), None, effects)
}

/// Shows the diagnosis of the mount under the cursor.
pub(super) fn of_mount(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    let current = state.engine().and_then(|engine| engine.mounts.current());
    let Some((id, name)) = current.map(|(mount, _)| (mount.id.clone(), mount.name.clone())) else {
        return false;
    };
    let scope = Scope {
        mounts: vec![id],
        ..Scope::default()
    };
    open(state, scope, Some(name), effects)
}

fn open(state: &mut State, scope: Scope, about: Option<String>, effects: &mut Vec<Effect>) -> bool {
    let same = state.engine().and_then(|engine| engine.doctor.as_ref());
    let same = same.is_some_and(|doctor| doctor.scope == scope);
    screens::show(state, Screen::Doctor, effects);
    if !same {
        begin(state, scope, about, effects);
    }
    true
}

/// Begins a diagnosis; one that runs is cancelled.
fn begin(state: &mut State, scope: Scope, about: Option<String>, effects: &mut Vec<Effect>) -> bool {
    if state.engine().is_none_or(super::super::state::EngineState::is_changing) {
        return false;
    }
    stop(state, effects);
    let title = match &about {
        Some(name) => format!("diagnose {name}"),
        None => "diagnose everything".to_owned(),
    };
    let (job, at) = (state.jobs.start(title, state.now), state.now);
    with_current(state, |id, engine| {
        engine.doctor = Some(Doctor::new(scope.clone(), about, job, at));
        effects.push(Effect::Engine(id.clone(), EngineEffect::Diagnose { job, scope, at }));
    });
    arrange(state);
    true
}

/// Cancels the diagnosis that runs. Returns whether one does.
pub(super) fn stop(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    let job = state.engine().and_then(|engine| engine.doctor.as_ref()?.job());
    if let Some(job) = job {
        dialogs::cancel(state, job, effects);
    }
    job.is_some()
}

/// Does an action of the screen. Returns whether something on screen may look different.
pub(super) fn act(state: &mut State, action: Action, effects: &mut Vec<Effect>) -> bool {
    match action {
        Action::Back => back(state, effects),
        Action::NextPane => with(state, |doctor| {
            doctor.pane_focused = !doctor.pane_focused;
            true
        }),
        Action::Copy => copy(state, effects),
        Action::DoctorFix => fix(state, effects),
        Action::DoctorAgain => {
            let asked = state.engine().and_then(|engine| engine.doctor.as_ref());
            let asked = asked.map(|doctor| (doctor.scope.clone(), doctor.about.clone()));
            asked.is_some_and(|(scope, about)| begin(state, scope, about, effects))
        }
        Action::DoctorCancel => stop(state, effects),
        Action::DoctorLog => log(state, effects),
        Action::DoctorStart => switch(state, Switch::Start, effects),
        Action::DoctorStop => switch(state, Switch::Stop, effects),
        Action::DoctorRestart => switch(state, Switch::Restart, effects),
        _ if screens::is_move(action) => moved(state, action),
        _ => false,
    }
}

/// The container of the finding under the cursor.
fn patient(state: &State) -> Option<Patient> {
    let engine = state.engine()?;
    let finding = engine.doctor.as_ref()?.current()?;
    doctor::patient(finding, engine.mounts.inventory().map(AsRef::as_ref))
}

fn fix(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    let request = state.engine().and_then(|engine| {
        let finding = engine.doctor.as_ref()?.current()?;
        Some(doctor::fix_plan(finding, engine.mounts.inventory().map(AsRef::as_ref)))
    });
    match request {
        Some(Ok(request)) => own::open(state, request, effects),
        Some(Err(why)) => {
            state.notice = Some(Notice::warning(why));
            true
        }
        None => false,
    }
}

fn copy(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    let finding = state.engine().and_then(|engine| engine.doctor.as_ref()?.current());
    let Some(finding) = finding else { return false };
    match doctor::fix_line(&finding.fix) {
        Some(line) => {
            let shown = line.lines().next().unwrap_or_default();
            state.notice = Some(Notice::good(format!("copied {shown}")));
            effects.push(Effect::Copy(line));
        }
        None => state.notice = Some(Notice::warning("this fix is no line that could be copied")),
    }
    true
}

/// Shows the log of the finding's container, or not.
fn log(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    let Some(patient) = patient(state) else { return false };
    with_current(state, |id, engine| {
        let Some(doctor) = &mut engine.doctor else { return false };
        if doctor.log.take().is_none() {
            let container = patient.id.clone();
            doctor.log = Some(Log { container, lines: None });
            effects.push(Effect::Engine(id.clone(), EngineEffect::LogTail(patient.id)));
        }
        true
    })
}

/// Takes the lines of a log.
pub(super) fn logged(
    state: &mut State,
    id: &EngineId,
    container: &str,
    result: Result<Vec<Vec<u8>>, EngineError>,
) -> bool {
    let doctor = state.engines.get_mut(id).and_then(|engine| engine.doctor.as_mut());
    let log = doctor.and_then(|doctor| doctor.log.as_mut());
    let Some(log) = log.filter(|log| log.container == container) else {
        return false;
    };
    log.lines = Some(result);
    true
}

fn switch(state: &mut State, switch: Switch, effects: &mut Vec<Effect>) -> bool {
    let Some(patient) = patient(state) else { return false };
    let (container, name) = (patient.id, patient.name);
    match switch {
        Switch::Start => switched(state, container, name, switch, effects),
        // Whoever uses its service now loses it.
        Switch::Stop | Switch::Restart => {
            let question = Question::Switch {
                container,
                name,
                switch,
            };
            dialogs::open(state, Dialog::Ask(question))
        }
    }
}

/// Starts, stops or restarts a container.
pub(super) fn switched(
    state: &mut State,
    container: String,
    name: String,
    switch: Switch,
    effects: &mut Vec<Effect>,
) -> bool {
    let job = state.jobs.start(format!("{} {name}", verb(switch)), state.now);
    with_current(state, |id, engine| {
        engine.switching.insert(job, container.clone());
        let wanted = EngineEffect::Switch {
            job,
            container,
            name,
            switch,
        };
        effects.push(Effect::Engine(id.clone(), wanted));
        true
    })
}

/// What is done to a container, as a verb.
pub fn verb(switch: Switch) -> &'static str {
    match switch {
        Switch::Start => "start",
        Switch::Stop => "stop",
        Switch::Restart => "restart",
    }
}

/// Takes news of a diagnosis.
pub(super) fn news(state: &mut State, id: &EngineId, job: JobId, events: Vec<Event>) -> bool {
    let doctor = state.engines.get_mut(id).and_then(|engine| engine.doctor.as_mut());
    doctor.is_some_and(|doctor| doctor.news(job, events))
}

/// Takes what a diagnosis came to.
pub(super) fn diagnosed(state: &mut State, id: &EngineId, job: JobId, report: Arc<Report>) -> bool {
    let now = state.now;
    let Some(engine) = state.engines.get_mut(id) else {
        return false;
    };
    let Some(doctor) = &mut engine.doctor else { return false };
    let taken = doctor.ended(job, Arc::clone(&report));
    if taken {
        engine.known.take(&doctor.scope, &report, now);
    }
    taken
}

/// A job ended: that of a diagnosis that told no report, or that of a container.
pub(super) fn job_ended(state: &mut State, job: JobId, event: &JobEvent, effects: &mut Vec<Effect>) {
    let JobEvent::Ended(end) = event else { return };
    let mut free: Option<EngineId> = None;
    for (id, engine) in &mut state.engines {
        if engine.switching.remove(&job).is_some()
            && let Some(doctor) = &mut engine.doctor
        {
            doctor.outdated = true;
        }
        let Some(doctor) = &mut engine.doctor else { continue };
        if doctor.job() == Some(job) {
            doctor.stage = match end {
                JobEnd::Failed(why) => Stage::Failed(why.clone()),
                JobEnd::Cancelled => Stage::Cancelled,
                JobEnd::Done(_) | JobEnd::Partial(_) => Stage::Done,
            };
        }
        // A plan may wait for its helper to go.
        let waits = |review: &Review| review.stage == super::super::plan::Stage::Waiting;
        if doctor.job().is_none() && engine.plan.as_ref().is_some_and(waits) {
            free = Some(id.clone());
        }
    }
    if let Some(id) = free {
        super::plan::gather(state, &id, effects);
    }
}

/// Leaves the pane, or the screen; a diagnosis goes on behind it.
fn back(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    let cleared = with(state, |doctor| {
        std::mem::take(&mut doctor.pane_focused) || doctor.log.take().is_some()
    });
    cleared || screens::show(state, Screen::Mounts, effects)
}

fn moved(state: &mut State, action: Action) -> bool {
    let area = layout::plan(state.size).pane;
    with_current(state, |_, engine| {
        let inventory = engine.mounts.inventory().map(AsRef::as_ref);
        let Some(doctor) = &mut engine.doctor else { return false };
        if doctor.pane_focused {
            let lines = doctor::pane(doctor, inventory, area.width).len();
            return dialogs::scroll_lines(action, &mut doctor.pane_top, lines, area.height);
        }
        doctor.go(action)
    })
}

fn with(state: &mut State, f: impl FnOnce(&mut Doctor) -> bool) -> bool {
    with_current(state, |_, engine| engine.doctor.as_mut().is_some_and(f))
}

#[cfg(test)]
mod tests;
