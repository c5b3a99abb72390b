//! Frames of the Backups screen: archives, none, unreadable, and what a check found.

use super::super::tests::frame;
use crate::archive::{Archive, Status, Verdict};
use crate::core::backups::Check;
use crate::core::msg::{EngineMsg, Msg};
use crate::core::sample::{archive, keys, listing, tell, volume};
use crate::core::state::State;
use crate::core::update;

fn listed(size: (u16, u16)) -> State {
    let mut state = listing(vec![volume("db")]);
    update(&mut state, Msg::Resize(size.0, size.1));
    keys(&mut state, "6");
    let mut partial = Archive {
        status: Status::Partial,
        warnings: vec!["log/app.log changed while it was read".to_owned()],
        warned: 1,
        ..archive("web", 26)
    };
    partial.path.set_extension("gz");
    let mut other = archive("odd\x1b[2J", 900);
    other.origin.engine = "ssh://nas".to_owned();
    other.origin.options.insert("type".to_owned(), "nfs".to_owned());
    let archives = vec![archive("db", 3), partial, other];
    let warnings = vec!["/x/db-1.tar.zst has no sidecar: it was never committed".to_owned()];
    tell(&mut state, EngineMsg::Archives(Ok((archives, warnings))));
    state
}

#[test]
fn archives_at_the_design_size_and_what_a_check_found() {
    let mut state = listed((80, 24));
    insta::assert_snapshot!("backups_80x24", frame(&state));
    insta::assert_snapshot!("backups_120x40", frame(&listed((120, 40))));
    let check = Check {
        verdict: Verdict::Truncated,
        damage: Some("it ends within base/1, at byte 1048576".to_owned()),
    };
    let (path, result) = (archive("db", 3).path, Ok(check));
    tell(&mut state, EngineMsg::Verified { path, result });
    insta::assert_snapshot!("backups_checked_80x24", frame(&state));
    update(&mut state, Msg::Resize(30, 8));
    assert!(frame(&state).contains("too small"));
}

#[test]
fn none_none_of_this_mount_and_unreadable_are_different_things() {
    let mut state = listing(vec![volume("db")]);
    keys(&mut state, "6");
    assert!(frame(&state).contains("listing the archives"));
    tell(&mut state, EngineMsg::Archives(Ok((Vec::new(), Vec::new()))));
    assert!(frame(&state).contains("no backups on this machine yet"));
    tell(
        &mut state,
        EngineMsg::Archives(Ok((vec![archive("web", 1)], Vec::new()))),
    );
    keys(&mut state, "1 u");
    assert!(frame(&state).contains("no backup of db here; esc shows those of others"));
    tell(&mut state, EngineMsg::Archives(Err("permission denied".to_owned())));
    assert!(frame(&state).contains("the archives cannot be listed: permission denied. r tries again."));
}
