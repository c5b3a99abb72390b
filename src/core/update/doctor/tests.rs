use super::*;
use crate::core::available::available;
use crate::core::msg::{EngineMsg, Msg, Tone};
use crate::core::sample::{NOW, answer, finding, keys, listing, plan, report, row, tell, used_by, volume};
use crate::core::update;
use crate::doctor::{Confidence, Fix};
use crate::model::{ContainerState, Mount, MountId};
use crate::ops::prune::Group;

/// Two volumes and their containers; `db` runs, `web` does not.
fn fleet() -> State {
    let with = |mount: &str, container: &str, state| Mount {
        attachments: vec![used_by(container, state)],
        ..volume(mount)
    };
    listing(vec![
        with("data", "db", ContainerState::Running),
        with("files", "web", ContainerState::Exited),
    ])
}

fn job(state: &State) -> JobId {
    state.engine().unwrap().doctor.as_ref().unwrap().job().unwrap()
}

fn found(state: &mut State, container: &str, mount: &str, confidence: Confidence) {
    let job = job(state);
    let event = Event::Found(Box::new(finding(container, mount, confidence)));
    tell(
        state,
        EngineMsg::Diagnosing {
            job,
            events: vec![event],
        },
    );
}

/// Ends the diagnosis as the runtime does.
fn end(state: &mut State, findings: Vec<crate::doctor::Finding>) {
    let job = job(state);
    let report = report(findings);
    tell(state, EngineMsg::Diagnosed { job, report });
    update(state, Msg::Job(job, JobEvent::Ended(JobEnd::Done(String::new()))));
}

fn current(state: &State) -> String {
    let doctor = state.engine().unwrap().doctor.as_ref().unwrap();
    doctor.current().unwrap().container.clone().unwrap()
}

fn wanted(effects: Vec<Effect>) -> Vec<EngineEffect> {
    let of = |effect| match effect {
        Effect::Engine(_, effect) => Some(effect),
        _ => None,
    };
    effects.into_iter().filter_map(of).collect()
}

#[test]
fn findings_stream_in_surest_first_and_the_cursor_stays_with_its_own() {
    let mut state = fleet();
    let effects = wanted(keys(&mut state, "D"));
    let scope = Scope::default();
    let first = EngineEffect::Diagnose {
        job: job(&state),
        scope,
        at: NOW,
    };
    assert_eq!(effects, [first]);
    assert_eq!(state.screen, Screen::Doctor);
    found(&mut state, "web", "files", Confidence::Low);
    found(&mut state, "db", "data", Confidence::High);
    assert_eq!(current(&state), "db", "untouched, the cursor is on the surest");
    keys(&mut state, "j");
    assert_eq!(current(&state), "web");
    found(&mut state, "cache", "data", Confidence::High);
    assert_eq!(current(&state), "web", "what comes in above does not take its place");
    let all = ["db", "cache", "web"].map(|name| finding(name, "data", Confidence::High));
    let mut all = all.to_vec();
    all[2] = finding("web", "files", Confidence::Low);
    end(&mut state, all);
    assert_eq!(current(&state), "web");
    assert_eq!(
        keys(&mut state, "esc D"),
        [],
        "what was looked at is shown, not looked at again"
    );
    assert_eq!(wanted(keys(&mut state, "r")).len(), 1);
}

#[test]
fn news_of_an_earlier_diagnosis_and_of_one_that_failed_change_nothing_known() {
    let mut state = fleet();
    keys(&mut state, "D");
    end(&mut state, vec![finding("db", "data", Confidence::High)]);
    let data = MountId::new("volume:data");
    let known = |state: &State| state.engine().unwrap().known.surest(&data);
    assert_eq!(known(&state), Some(Confidence::High));
    let earlier = JobId(1);
    keys(&mut state, "r");
    tell(
        &mut state,
        EngineMsg::Diagnosed {
            job: earlier,
            report: report(Vec::new()),
        },
    );
    let running = job(&state);
    assert_ne!(running, earlier);
    let why = "the engine went away".to_owned();
    update(
        &mut state,
        Msg::Job(running, JobEvent::Ended(JobEnd::Failed(why.clone()))),
    );
    let doctor = state.engine().unwrap().doctor.as_ref().unwrap();
    assert_eq!(doctor.stage, Stage::Failed(why));
    assert_eq!(known(&state), Some(Confidence::High), "the last one that ended stands");
    keys(&mut state, "r");
    end(&mut state, Vec::new());
    assert_eq!(known(&state), None);
}

#[test]
fn a_diagnosis_of_one_mount_says_nothing_of_the_others() {
    let mut state = fleet();
    keys(&mut state, "D");
    let both = vec![
        finding("db", "data", Confidence::High),
        finding("web", "files", Confidence::High),
    ];
    end(&mut state, both);
    let effects = wanted(keys(&mut state, "esc g e"));
    let here = state.engine().unwrap().mounts.current().unwrap().0.id.clone();
    assert!(
        matches!(&effects[..], [EngineEffect::Diagnose { scope, .. }] if scope.mounts == [here.clone()]),
        "{effects:?}"
    );
    end(&mut state, Vec::new());
    let known = &state.engine().unwrap().known;
    assert_eq!((known.count(), known.surest(&here)), (1, None));
}

#[test]
fn a_fix_that_vole_does_opens_its_plan_and_any_other_says_why_not() {
    let mut state = fleet();
    keys(&mut state, "D");
    let refused = crate::doctor::Finding {
        fix: Fix::Refused {
            why: "it is /etc of the host".to_owned(),
        },
        ..finding("web", "files", Confidence::High)
    };
    end(&mut state, vec![finding("db", "data", Confidence::High), refused]);
    let effects = keys(&mut state, "y");
    assert_eq!(effects, [Effect::Copy("vole chown data 70:70".to_owned())]);
    let effects = wanted(keys(&mut state, "enter"));
    assert!(
        matches!(&effects[..], [EngineEffect::OwnPlan { request, .. }] if request.words == "70:70"),
        "{effects:?}"
    );
    assert_eq!(state.screen, Screen::Own);
    let effects = wanted(keys(&mut state, "esc"));
    assert_eq!(effects, [EngineEffect::DropOwn], "nobody waits for the count");
    assert_eq!(state.screen, Screen::Doctor);
    assert_eq!(keys(&mut state, "j enter"), []);
    let notice = state.notice.clone().unwrap();
    assert!(notice.text.contains("/etc of the host"), "{notice:?}");
    keys(&mut state, "y");
    assert_eq!(state.notice.as_ref().unwrap().tone, Tone::Warning);
}

#[test]
fn containers_are_started_at_once_and_stopped_after_a_question() {
    let mut state = fleet();
    keys(&mut state, "D");
    let both = vec![
        finding("db", "data", Confidence::High),
        finding("web", "files", Confidence::High),
    ];
    end(&mut state, both);
    assert!(!available(Action::DoctorStart, &state), "it runs");
    assert_eq!(keys(&mut state, "S n"), []);
    let effects = wanted(keys(&mut state, "T y"));
    assert!(
        matches!(&effects[..], [EngineEffect::Switch { container, switch: Switch::Restart, .. }] if container == "id-of-db"),
        "{effects:?}"
    );
    assert!(!available(Action::DoctorStop, &state), "one thing at a time");
    let job = *state.engine().unwrap().switching.keys().next().unwrap();
    update(&mut state, Msg::Job(job, JobEvent::Ended(JobEnd::Done(String::new()))));
    assert!(available(Action::DoctorStop, &state));
    assert!(state.engine().unwrap().doctor.as_ref().unwrap().outdated);
    let effects = wanted(keys(&mut state, "j s"));
    assert!(
        matches!(
            &effects[..],
            [EngineEffect::Switch {
                switch: Switch::Start,
                ..
            }]
        ),
        "{effects:?}"
    );
}

#[test]
fn read_only_changes_neither_owners_nor_containers() {
    let mut state = fleet();
    state.settings.read_only = true;
    keys(&mut state, "D");
    end(&mut state, vec![finding("db", "data", Confidence::High)]);
    assert_eq!(wanted(keys(&mut state, "enter s S T")), []);
    assert_eq!((state.screen, &state.dialog), (Screen::Doctor, &None));
    for action in [Action::DoctorFix, Action::DoctorStop, Action::DoctorRestart] {
        assert!(!available(action, &state), "{action:?}");
    }
    assert!(available(Action::DoctorLog, &state));
    keys(&mut state, "esc o");
    assert_eq!(state.dialog, None);
}

#[test]
fn a_log_is_taken_only_where_it_belongs() {
    let mut state = fleet();
    keys(&mut state, "D");
    let both = vec![
        finding("db", "data", Confidence::High),
        finding("web", "files", Confidence::High),
    ];
    end(&mut state, both);
    let effects = wanted(keys(&mut state, "l"));
    assert_eq!(effects, [EngineEffect::LogTail("id-of-db".to_owned())]);
    keys(&mut state, "j l");
    let container = "id-of-db".to_owned();
    let result = Ok(vec![b"denied".to_vec()]);
    tell(&mut state, EngineMsg::LogTail { container, result });
    let log = |state: &State| state.engine().unwrap().doctor.as_ref().unwrap().log.clone();
    assert_eq!(log(&state).unwrap().lines, None, "that was the other's");
    keys(&mut state, "l");
    assert_eq!(log(&state), None);
}

/// Its helper would make volumes count as used.
#[test]
fn a_plan_of_a_removal_waits_for_the_diagnosis_to_stop() {
    let mut state = fleet();
    keys(&mut state, "D");
    let job = job(&state);
    let effects = keys(&mut state, "esc P");
    assert_eq!(effects, [Effect::Cancel(job)]);
    let effects = update(&mut state, Msg::Job(job, JobEvent::Ended(JobEnd::Cancelled)));
    assert!(matches!(&wanted(effects)[..], [EngineEffect::Plan { .. }]));
    answer(&mut state, plan(vec![row("data", Group::Safe, Some(1))]));
    keys(&mut state, "enter y");
    assert_eq!(keys(&mut state, "1 e"), [], "and none begins beside it");
    assert_eq!(keys(&mut state, "D r"), []);
}
