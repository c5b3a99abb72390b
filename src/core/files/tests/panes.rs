//! Preview, searches, downloads, coming and going.

use super::*;

#[test]
fn a_found_directory_is_opened_in_the_tree() {
    let mut world = World::new(tree(), 80);
    world.act(Action::FindName).keys("d enter");
    let Some(Effect::Search { ask, .. }) = world.held.last().cloned() else {
        panic!("{:?}", world.held.last())
    };
    let found = Found {
        path: b"base/deep".to_vec(),
        kind: Kind::Dir,
        size: 0,
    };
    world.tell(Msg::Matched {
        ask,
        matches: Matches::Names(vec![found]),
    });
    world.act(Action::Enter);
    assert!(world.files.search.is_none() && world.files.preview.is_none());
    assert_eq!(world.at(), "base/deep");
}

#[test]
fn the_wide_screen_previews_what_is_under_the_cursor() {
    let mut world = World::new(tree(), 120);
    assert_eq!(world.files.preview.as_ref().unwrap().at.as_bytes(), b"base");
    world.act(Action::Last);
    let preview = world.files.preview.as_ref().unwrap();
    assert_eq!(
        (preview.at.as_bytes(), preview.window().unwrap().bytes.len()),
        (&b"small"[..], 10)
    );
    world.act(Action::Enter);
    assert_eq!(world.files.section(), Section::Preview);
    world.act(Action::Back);
    assert_eq!(world.files.section(), Section::Files);
    world.act(Action::Back);
    assert!(world.left);
}

#[test]
fn the_narrow_screen_reads_a_file_only_when_it_is_opened() {
    let mut world = World::new(tree(), 80);
    world.act(Action::Last);
    assert!(world.files.preview.is_none());
    assert!(!world.seen.iter().any(|effect| matches!(effect, Effect::Read { .. })));
    world.act(Action::Enter);
    assert!(world.files.preview.as_ref().unwrap().has_contents());
    world.act(Action::Leave);
    assert!(world.files.preview.is_none());
    assert_eq!(world.at(), "small");
}

#[test]
fn a_search_streams_stops_and_jumps() {
    let mut world = World::new(tree(), 80);
    world.act(Action::Grep).keys("e r r enter");
    let ask = match world.held.last() {
        Some(Effect::Search {
            ask,
            kind: SearchKind::Lines,
            pattern,
            at,
            limit: 2000,
        }) if at.is_root() => {
            assert_eq!(pattern, "err");
            *ask
        }
        other => panic!("{other:?}"),
    };
    let hit = |path: &[u8], line| Hit {
        path: path.to_vec(),
        line,
        offset: 40,
        text: b"err".to_vec(),
        cut: false,
    };
    world.tell(Msg::Matched {
        ask,
        matches: Matches::Lines(vec![hit(b"big.log", 3), hit(b"base/one", 5)]),
    });
    world.act(Action::Back);
    assert_eq!(world.files.search.as_ref().unwrap().progress, Progress::Stopped);
    assert_eq!(world.held.last(), Some(&Effect::Cancel { ask }));
    world.tell(Msg::SearchEnded { ask, error: None });
    assert_eq!(world.files.search.as_ref().unwrap().progress, Progress::Stopped);
    world.act(Action::Down).act(Action::Enter);
    let preview = world.files.preview.as_ref().unwrap();
    assert_eq!((preview.at.as_bytes(), preview.hit), (&b"base/one"[..], Some(40)));
    assert_eq!(preview.top(), 40);
    world.act(Action::Back);
    assert!(world.files.search.is_some(), "back to the results");
    world.act(Action::Back);
    assert!(world.files.search.is_none() && !world.left);
    assert_eq!(world.at(), "base/one", "the tree was opened to the file");
}

#[test]
fn a_pattern_that_makes_no_sense_says_why_and_keys_go_on() {
    let mut world = World::new(tree(), 80);
    world.act(Action::FindName).keys("( enter");
    let Some(Effect::Search {
        ask,
        kind: SearchKind::Names,
        ..
    }) = world.held.last().cloned()
    else {
        panic!()
    };
    world.tell(Msg::SearchEnded {
        ask,
        error: Some("unclosed group".into()),
    });
    assert_eq!(
        world.files.search.as_ref().unwrap().progress,
        Progress::Failed("unclosed group".into())
    );
    world.act(Action::FindName);
    assert_eq!(
        world.files.prompt.as_ref().unwrap().input.text(),
        "(",
        "the pattern can be corrected"
    );
    world.keys("esc");
    assert!(!world.files.wants_text());
    world.tell(Msg::Matched {
        ask: Ask { visit: 0, number: 0 },
        matches: Matches::Names(vec![Found {
            path: b"x".to_vec(),
            kind: Kind::File,
            size: 0,
        }]),
    });
    assert!(world.files.search.as_ref().unwrap().items.is_empty());
}

#[test]
fn leaving_stops_everything_and_coming_back_goes_on() {
    let mut world = World::new(tree(), 120);
    world.act(Action::Last).act(Action::Follow);
    assert!(world.files.is_following());
    let effects = world.files.leave();
    assert_eq!(
        effects,
        [Effect::Close {
            visit: world.files.visit
        }]
    );
    assert!(!world.files.is_following());
    let effects = world.with(|files, cx| files.resume(cx));
    assert!(
        effects.iter().all(|effect| matches!(effect, Effect::Read { .. })),
        "{effects:?}"
    );
    world.answer(effects);
    assert_eq!(world.at(), "small");
}

#[test]
fn refused_mounts_say_why() {
    let (mut jobs, mut notice) = (Jobs::default(), None);
    let mut cx = Context {
        now: OffsetDateTime::UNIX_EPOCH,
        jobs: &mut jobs,
        notice: &mut notice,
        copy: None,
        leave: false,
    };
    let never = Mount {
        scan: Scan::Never("a socket".into()),
        ..mount()
    };
    let (files, effects) = Files::open(never, Rect::new(0, 0, 80, 20), &mut cx);
    assert_eq!((files.root, effects), (Root::Refused("a socket".into()), vec![]));
    let mut world = World::new(tree(), 80);
    world.files.root = Root::Opening;
    let visit = world.files.visit;
    world.tell(Msg::Opened {
        visit,
        result: Err("the data root is full".into()),
    });
    assert_eq!(world.files.root, Root::Refused("the data root is full".into()));
    world.act(Action::Leave);
    assert!(world.left);
}

#[test]
fn a_download_is_a_job_and_a_path_can_be_copied() {
    let mut world = World::new(tree(), 80);
    world.act(Action::Last).act(Action::Copy);
    assert_eq!(world.copied.as_deref(), Some("small"));
    world.act(Action::Download).keys("ctrl-u / t m p enter");
    match world.held.last() {
        Some(Effect::Download { at, to, .. }) => assert_eq!((at.as_bytes(), to.as_str()), (&b"small"[..], "/tmp")),
        other => panic!("{other:?}"),
    }
    assert_eq!(world.jobs.len(), 1);
}

#[test]
fn no_size_and_no_key_panics() {
    let mut world = World::new(tree(), 120);
    for columns in (0..140).step_by(7) {
        for rows in 0..30 {
            let area = Rect::new(0, 1, columns, rows);
            world.files.resize(area);
            let parts = parts(area, world.files.focus == Focus::Preview, true);
            for part in [
                Some(parts.head),
                Some(parts.list),
                parts.preview,
                parts.rule,
                parts.prompt,
            ]
            .into_iter()
            .flatten()
            {
                assert!(
                    part.is_empty() || area.intersection(part) == part,
                    "{part:?} in {area:?}"
                );
            }
            for action in [
                Action::Last,
                Action::Enter,
                Action::PageDown,
                Action::ToggleHex,
                Action::Up,
                Action::Back,
                Action::First,
                Action::Enter,
                Action::Leave,
            ] {
                world.seen.clear();
                world.act(action);
            }
        }
    }
}
