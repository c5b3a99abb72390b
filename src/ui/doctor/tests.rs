//! Frames of the doctor: findings, nothing found, still looking, failed; at both sizes.

use super::super::tests::frame;
use crate::core::jobs::{JobEnd, JobEvent};
use crate::core::msg::{EngineMsg, Msg};
use crate::core::sample::{finding, keys, listing, report, tell, used_by, volume};
use crate::core::state::State;
use crate::core::update;
use crate::doctor::{Cause, Confidence, Finding, Fix};
use crate::model::{ContainerState, JobId, Mount};
use crate::ops::doctor::{Event, Report};

fn findings() -> Vec<Finding> {
    let group = Finding {
        cause: Cause::Group,
        summary: "web runs as 1000:1000 and may not write shared, which group 2000 may".to_owned(),
        fix: Fix::Config {
            compose: "group_add:\n  - \"2000\"".to_owned(),
            cli: "--group-add 2000".to_owned(),
        },
        caveats: Vec::new(),
        wrong_fixes: vec!["chown: others use these files by their group".to_owned()],
        ..finding("web", "shared", Confidence::Medium)
    };
    let hostile = Finding {
        cause: Cause::Unknown,
        mount: None,
        path: Some("/tmp/\x1b[2J".to_owned()),
        summary: "cron\u{202e} was refused something".to_owned(),
        evidence: vec!["log: \x07denied".to_owned()],
        fix: Fix::Advice {
            words: "look at its log".to_owned(),
        },
        caveats: Vec::new(),
        wrong_fixes: Vec::new(),
        ..finding("cron", "x", Confidence::Low)
    };
    vec![finding("shop-db-1", "db", Confidence::High), group, hostile]
}

fn looking(size: (u16, u16)) -> State {
    let db = Mount {
        attachments: vec![used_by("shop-db-1", ContainerState::Running)],
        ..volume("db")
    };
    let mut state = listing(vec![db, volume("shared"), volume("other")]);
    update(&mut state, Msg::Resize(size.0, size.1));
    keys(&mut state, "D");
    state
}

fn job(state: &State) -> JobId {
    state.engine().unwrap().doctor.as_ref().unwrap().job().unwrap()
}

fn ended(size: (u16, u16), findings: Vec<Finding>, left_out: &[&str]) -> State {
    let mut state = looking(size);
    let job = job(&state);
    let told = Report {
        left_out: left_out.iter().map(|why| (*why).to_owned()).collect(),
        ..Report::clone(&report(findings))
    };
    let report = std::sync::Arc::new(told);
    tell(&mut state, EngineMsg::Diagnosed { job, report });
    let end = JobEnd::Done(String::new());
    update(&mut state, Msg::Job(job, JobEvent::Ended(end)));
    state
}

#[test]
fn findings_at_the_design_size_and_on_a_wide_terminal() {
    let state = ended((80, 24), findings(), &["backup: its log driver cannot be read"]);
    insta::assert_snapshot!("doctor_80x24", frame(&state));
    insta::assert_snapshot!("doctor_120x40", frame(&ended((120, 40), findings(), &[])));
    let mut state = ended((80, 24), findings(), &[]);
    keys(&mut state, "j l tab G");
    let container = "web".to_owned();
    let result = Ok(vec![b"open /data/x: permission denied\x1b[2J".to_vec()]);
    tell(&mut state, EngineMsg::LogTail { container, result });
    keys(&mut state, "G");
    insta::assert_snapshot!("doctor_log_80x24", frame(&state));
    keys(&mut state, "esc esc j j");
    let shown = frame(&state);
    assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown}");
    assert!(!shown.contains('\u{202e}'), "{shown}");
}

#[test]
fn looking_nothing_found_stopped_and_failed_are_different_things() {
    let mut state = looking((80, 24));
    assert!(frame(&state).contains("listing the containers"));
    let job = job(&state);
    let events = vec![Event::Total(41), Event::Looked];
    tell(&mut state, EngineMsg::Diagnosing { job, events });
    assert!(frame(&state).contains("nothing found yet: 1 of 41 containers looked at"));
    let mut failed = state.clone();
    let why = "the engine went away".to_owned();
    update(&mut failed, Msg::Job(job, JobEvent::Ended(JobEnd::Failed(why))));
    assert!(frame(&failed).contains("could not look: the engine went away. r tries again."));
    update(&mut state, Msg::Job(job, JobEvent::Ended(JobEnd::Cancelled)));
    assert!(frame(&state).contains("stopped before anything was found, 1 container looked at"));
    let shown = frame(&ended((80, 24), Vec::new(), &[]));
    assert!(
        shown.contains("no findings: 2 containers, 3 mounts looked at"),
        "{shown}"
    );
    let shown = frame(&ended((80, 24), Vec::new(), &["nas: remote, and nobody asked"]));
    assert!(shown.contains("1 left out"), "{shown}");
    assert!(shown.contains("nas: remote, and nobody asked"), "{shown}");
}

#[test]
fn what_was_found_is_marked_in_the_table_counted_in_the_header_and_told_in_the_details() {
    let mut state = ended((120, 40), findings(), &[]);
    keys(&mut state, "esc i");
    let shown = frame(&state);
    let row = |name: &str| {
        let mut rows = shown.lines().filter(|line| line.contains(name));
        rows.next().unwrap().to_owned()
    };
    assert!(row("▌ db").contains("▌ db !"), "{shown}");
    assert!(!row(" other").contains("other !"), "{shown}");
    assert!(row("vole  docker").contains("3 findings"), "{shown}");
    keys(&mut state, "/ d b enter");
    let shown = frame(&state);
    assert!(shown.contains("! doctor   uid changed: shop-db-1 runs as"), "{shown}");
}
