//! Out of the files of an archive: what is under the cursor is planned, confirmed, and left again.

use super::*;
use crate::core::files;
use crate::core::sample::{answer_files, browsing};

fn only(request: &Request) -> Vec<&[u8]> {
    request.only.iter().map(BytePath::as_bytes).collect()
}

fn place(state: &State) -> Option<BytePath> {
    state.engine().unwrap().files.as_ref().unwrap().target()
}

#[test]
fn what_is_under_the_cursor_goes_back_to_the_volume_that_it_came_from() {
    let mut state = browsing("db");
    let effects = keys(&mut state, "u");
    assert_eq!(state.screen, Screen::Restore);
    let request = answer(&mut state, &effects);
    assert_eq!(only(&request), [b"conf"], "the directory with all below it");
    assert_eq!((request.target.as_deref(), request.overwrite), (Some("db"), true));
    assert_eq!(request.archive, Some(archive("db", 3).path));
    assert_eq!(keys(&mut state, "enter"), [], "its name is asked for");
    let job = begun(&keys(&mut state, "d b enter"));
    assert_eq!(state.jobs.get(job).unwrap().title, "restore conf to db");
}

#[test]
fn a_file_of_a_volume_that_is_gone_makes_a_new_one_and_another_target_keeps_the_part() {
    let mut state = browsing("gone");
    let effects = keys(&mut state, "enter");
    answer_files(&mut state, effects);
    let effects = keys(&mut state, "j u");
    let request = answer(&mut state, &effects);
    assert_eq!((only(&request), request.overwrite), (vec![&b"conf/app.ini"[..]], false));
    let effects = keys(&mut state, "n ctrl-u w e b enter");
    let request = answer(&mut state, &effects);
    assert_eq!(
        (only(&request), request.target.as_deref()),
        (vec![&b"conf/app.ini"[..]], Some("web"))
    );
    assert!(
        !available(Action::RestoreStrip, &state),
        "the path is one of these names"
    );
    assert!(available(Action::RestoreInPlace, &state));
    let (ask, request) = asked(&keys(&mut state, "R"));
    let listed = state.engine().unwrap().mounts.inventory().unwrap().mounts.clone();
    let mut plan = restore_plan(request, &listed);
    plan.replaced.clear();
    let result = Ok(Arc::new(plan));
    tell(&mut state, EngineMsg::RestorePlanned { ask, result });
    assert!(!available(Action::RestoreInPlace, &state), "nothing gives way");
}

#[test]
fn back_from_the_plan_the_files_stand_as_they_were_and_go_on() {
    let mut state = browsing("db");
    let effects = keys(&mut state, "enter");
    answer_files(&mut state, effects);
    keys(&mut state, "j");
    let before = place(&state);
    let effects = keys(&mut state, "u");
    answer(&mut state, &effects);
    keys(&mut state, "esc");
    assert_eq!((state.screen, place(&state)), (Screen::Files, before.clone()));
    // A check that is not awaited any more leads back as well.
    keys(&mut state, "u x");
    assert_eq!((state.screen, place(&state)), (Screen::Files, before));
    // And what the screen shows next it asks for.
    update(&mut state, Msg::Resize(120, 40));
    let effects = keys(&mut state, "j k");
    let reads = |effect: &Effect| matches!(effect, Effect::Engine(_, EngineEffect::Files(files::Effect::Read { at, .. })) if at.as_bytes() == b"conf/app.ini");
    assert!(effects.iter().any(reads), "{effects:?}");
    keys(&mut state, "esc");
    assert_eq!(state.screen, Screen::Backups);
}

#[test]
fn it_is_offered_in_an_archive_alone_and_to_nobody_who_may_not_change() {
    let mut state = browsing("db");
    assert!(available(Action::FilesRestore, &state));
    state.settings.read_only = true;
    assert!(!available(Action::FilesRestore, &state));
    assert_eq!(keys(&mut state, "u"), []);
    assert_eq!(state.screen, Screen::Files);
    let mut state = listing(vec![volume("db")]);
    let effects = keys(&mut state, "enter");
    answer_files(&mut state, effects);
    assert!(available(Action::FilesChown, &state), "its files are on screen");
    assert!(!available(Action::FilesRestore, &state));
    assert_eq!(keys(&mut state, "u"), []);
}
