//! Frames of states that the demo does not reach: engines that are slow, lost, refusing.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use time::Duration;

use super::{Colours, Theme, view};
use crate::core::jobs::{JobEvent, Progress};
use crate::core::msg::{EngineMsg, Msg, Notice, WatchNews};
use crate::core::sample::{NOW, keys, listing, news, tell, volume};
use crate::core::state::State;
use crate::core::update;
use crate::engine::EngineError;
use crate::model::{Mount, MountId, Scan, Size};

pub(super) fn frame(state: &State) -> String {
    let mut terminal = Terminal::new(TestBackend::new(state.size.0, state.size.1)).unwrap();
    let theme = Theme::new(Colours::Default, false);
    terminal.draw(|frame| view(state, &theme, frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let row = |y| {
        (0..state.size.0)
            .map(|x| buffer[(x, y)].symbol())
            .collect::<String>()
            .trim_end()
            .to_owned()
    };
    (0..state.size.1).map(row).collect::<Vec<_>>().join("\n")
}

fn fleet() -> Vec<Mount> {
    let mut mounts: Vec<Mount> = ["data", "cache", "remote", "socket"]
        .iter()
        .map(|name| volume(name))
        .collect();
    mounts[2].scan = Scan::OnDemand("nfs".to_owned());
    mounts[3].scan = Scan::Never("a socket".to_owned());
    mounts
}

#[test]
fn a_lost_engine_says_when_it_is_tried_again_and_why() {
    let mut state = listing(fleet());
    update(&mut state, Msg::Resize(80, 12));
    tell(&mut state, EngineMsg::Watch(WatchNews::Live));
    let error = "the engine's events: connection refused\x1b[2J".to_owned();
    tell(
        &mut state,
        EngineMsg::Watch(WatchNews::Lost {
            error,
            retry_at: NOW + Duration::seconds(8),
        }),
    );
    insta::assert_snapshot!("lost", frame(&state));
}

#[test]
fn an_engine_that_cannot_list_is_not_one_without_mounts() {
    let mut state = listing(Vec::new());
    update(&mut state, Msg::Resize(80, 12));
    insta::assert_snapshot!("empty", frame(&state));
    let error = EngineError::Status {
        what: "volumes".to_owned(),
        status: 500,
        message: "disk on fire".to_owned(),
    };
    let engine = state.engines.values_mut().next().unwrap();
    engine.mounts = crate::core::mounts::Mounts::default();
    assert!(frame(&state).contains("listing the mounts"));
    tell(&mut state, EngineMsg::Inventory(Err(error)));
    insta::assert_snapshot!("failed", frame(&state));
}

#[test]
fn a_measurement_shows_its_rows_and_its_progress() {
    let mut state = listing(fleet());
    update(&mut state, Msg::Resize(80, 12));
    tell(&mut state, EngineMsg::Cached(Vec::new()));
    let job = state.engine().unwrap().measuring.unwrap();
    let so_far = crate::model::size::Totals {
        bytes: 5 << 20,
        files: 3,
        ..Default::default()
    };
    let cache = (MountId::new("volume:cache"), Size::Measuring { so_far, before: None });
    update(&mut state, Msg::Now(NOW + Duration::seconds(2)));
    tell(&mut state, EngineMsg::Sizes(job, vec![news("data", 3 << 30), cache]));
    let progress = Progress {
        items: 1,
        items_total: Some(2),
        bytes: 3 << 30,
        ..Progress::default()
    };
    update(&mut state, Msg::Job(job, JobEvent::Progress(progress)));
    insta::assert_snapshot!("measuring", frame(&state));
    keys(&mut state, "w x");
    insta::assert_snapshot!("jobs", frame(&state));
}

#[test]
fn a_last_write_in_the_future_shows() {
    let mut state = listing(vec![volume("ahead"), volume("odd")]);
    update(&mut state, Msg::Resize(100, 12));
    tell(&mut state, EngineMsg::Cached(Vec::new()));
    let job = state.engine().unwrap().measuring.unwrap();
    let newest_at = |name: &str, newest: i64| {
        let (id, mut size) = news(name, 1);
        if let Size::Measured(measured) = &mut size {
            measured.totals.newest = Some(newest);
        }
        (id, size)
    };
    let ahead = (NOW + Duration::days(12)).unix_timestamp();
    let sizes = vec![newest_at("ahead", ahead), newest_at("odd", i64::MAX)];
    tell(&mut state, EngineMsg::Sizes(job, sizes));
    let shown = frame(&state);
    let row = |name: &str| shown.lines().find(|line| line.contains(name)).unwrap().to_owned();
    assert!(row("ahead").contains("+12d"), "{shown}");
    assert!(row("odd").contains(" ?"), "{shown}");
}

#[test]
fn a_notice_has_the_line_for_itself_and_carries_no_control() {
    let mut state = listing(fleet());
    update(&mut state, Msg::Resize(80, 12));
    update(
        &mut state,
        Msg::Notice(Notice::fault("sizes could not be kept: disk full\x07\x1b[31m")),
    );
    let shown = frame(&state);
    assert!(
        shown.contains("! sizes could not be kept: disk full\\x07\\e[31m"),
        "{shown}"
    );
    assert!(!shown.contains("orphans 4"));
}

#[test]
fn hostile_names_stay_on_their_row() {
    let mut state = listing(vec![volume("a\nb\x1b[2J\u{202e}gpj"), volume(&"日本".repeat(60))]);
    update(&mut state, Msg::Resize(60, 12));
    let shown = frame(&state);
    assert!(shown.contains("a\\nb\\e[2J\\u{202e}gpj"), "{shown}");
    keys(&mut state, "2");
    assert!(frame(&state).chars().all(|c| c == '\n' || !c.is_control()));
}
