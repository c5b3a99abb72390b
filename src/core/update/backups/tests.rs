//! The list of archives: whose they are, what a check finds, what is looked into.

use super::*;
use crate::core::available::available;
use crate::core::jobs::JobEnd;
use crate::core::msg::{EngineMsg, Msg, Tone};
use crate::core::sample::{archive, keys, listing, tell, volume};
use crate::core::update;

fn listed(words: &str) -> State {
    let mut state = listing(vec![volume("db"), volume("web")]);
    let effects = keys(&mut state, words);
    assert!(matches!(&effects[..], [Effect::Engine(_, EngineEffect::Archives)]));
    let archives = vec![
        archive("web", 1),
        archive("db", 2),
        archive("shop_db", 3),
        archive("db", 30),
    ];
    tell(&mut state, EngineMsg::Archives(Ok((archives, Vec::new()))));
    state
}

fn names(state: &State) -> Vec<String> {
    let rows = state.engine().unwrap().backups.list.rows();
    rows.iter().map(|archive| archive.origin.name.clone()).collect()
}

#[test]
fn a_mounts_own_backups_are_those_of_its_very_name() {
    let mut state = listed("u");
    assert_eq!(names(&state), ["db", "db"]);
    keys(&mut state, "esc");
    assert_eq!(names(&state).len(), 4);
    keys(&mut state, "/ s h o p enter");
    assert_eq!(names(&state), ["shop_db"]);
    keys(&mut state, "esc");
    assert_eq!((names(&state).len(), state.screen), (4, Screen::Backups));
    keys(&mut state, "esc");
    assert_eq!(state.screen, Screen::Mounts);
}

#[test]
fn a_check_stands_in_its_row_until_the_file_is_another() {
    let mut state = listed("6");
    let effects = keys(&mut state, "j v");
    let [Effect::Engine(_, EngineEffect::Verify { job, path })] = &effects[..] else {
        panic!("{effects:?}")
    };
    let (job, path) = (*job, path.clone());
    assert!(!available(Action::BackupsVerify, &state), "one after the other");
    assert_eq!(keys(&mut state, "x"), [Effect::Cancel(job)]);
    let check = Check {
        verdict: Verdict::Corrupt,
        damage: Some("at base/1: its contents are not as they were written".to_owned()),
    };
    tell(
        &mut state,
        EngineMsg::Verified {
            path: path.clone(),
            result: Ok(check.clone()),
        },
    );
    update(&mut state, Msg::Job(job, JobEvent::Ended(JobEnd::Done(String::new()))));
    let notice = state.notice.clone().unwrap();
    assert_eq!(notice.tone, Tone::Fault);
    assert!(notice.text.contains("corrupt: at base/1"), "{notice:?}");
    let backups = &state.engine().unwrap().backups;
    assert_eq!((backups.check(&path), &backups.checking), (Some(&Ok(check)), &None));
    let written_over = Archive {
        bytes: 7,
        ..archive("db", 2)
    };
    tell(&mut state, EngineMsg::Archives(Ok((vec![written_over], Vec::new()))));
    assert_eq!(state.engine().unwrap().backups.check(&path), None);
}

#[test]
fn an_archive_is_looked_into_as_a_mount_that_nobody_can_change() {
    let mut state = listed("6");
    let effects = keys(&mut state, "enter");
    let path = archive("web", 1).path;
    assert!(
        matches!(&effects[..], [Effect::Engine(_, EngineEffect::Files(
            crate::core::files::Effect::Open { archive: Some(open), .. }))] if *open == path),
        "{effects:?}"
    );
    assert_eq!(state.screen, Screen::Files);
    for action in [Action::FilesChown, Action::ShowDetails] {
        assert!(!available(action, &state), "{action:?}");
    }
    keys(&mut state, "esc");
    assert_eq!(state.screen, Screen::Backups, "back to where it was opened");
}

#[test]
fn read_only_lists_and_checks_but_restores_nothing() {
    let mut state = listed("6");
    state.settings.read_only = true;
    assert!(!available(Action::BackupsRestore, &state) && !available(Action::BackupsFile, &state));
    assert!(available(Action::BackupsVerify, &state) && available(Action::BackupsOpen, &state));
    assert_eq!(keys(&mut state, "u"), []);
}

#[test]
fn the_palette_finds_the_backups() {
    let state = listing(vec![volume("db")]);
    let found = crate::core::menu::palette(&state, "backups");
    assert_eq!(found.first().map(|row| row.action), Some(Action::ShowBackups));
}
