//! The tree: walking, pages, sizes, orders.

use super::*;

#[test]
fn walks_in_and_out_and_keeps_the_place() {
    let mut world = World::new(tree(), 80);
    assert_eq!(world.names(), ["base", "empty", "locked", "big.log", "small"]);
    world.act(Action::Enter);
    assert_eq!(
        world.names(),
        ["base", " deep", " one", "empty", "locked", "big.log", "small"]
    );
    world.act(Action::Enter).act(Action::Enter).act(Action::Enter);
    assert_eq!(world.at(), "base/deep/x\\e[31m\\xff");
    world.act(Action::Leave);
    assert_eq!(world.at(), "base/deep");
    world.act(Action::Leave).act(Action::Leave);
    assert_eq!(world.at(), "base");
    world.act(Action::Leave);
    assert_eq!(world.names().len(), 5);
    assert!(!world.left);
    world.act(Action::Enter);
    assert_eq!(world.names()[1], " deep", "what was read is still there");
    world.act(Action::Leave).act(Action::Leave);
    assert!(world.left, "h on the top level goes back to the mounts");
}

#[test]
fn empty_locked_and_being_read_are_different_rows() {
    let mut world = World::new(tree(), 80);
    world.act(Action::Down).act(Action::Enter);
    let note = |world: &World, at: usize| match world.tree().rows()[at] {
        Row::Note(id) => world.tree().dir(id).unwrap().listing.clone(),
        row => panic!("{row:?}"),
    };
    assert_eq!(note(&world, 2), node::Listing::Read);
    world.act(Action::Down).act(Action::Down).act(Action::Enter);
    assert_eq!(note(&world, 4), node::Listing::Failed("permission denied".into()));
    assert_eq!(world.notice, None, "it stands in the tree, not in the notice");
    world
        .dirs
        .insert(b"locked".to_vec(), vec![entry(b"key", Kind::File, 1)]);
    world.act(Action::Down).act(Action::Enter);
    assert_eq!(world.names()[4], " key", "enter on the failure reads it again");
}

#[test]
fn replies_of_other_visits_and_of_forgotten_requests_are_dropped() {
    let mut world = World::new(tree(), 80);
    let before = world.files.clone();
    let page = Page {
        entries: vec![entry(b"ghost", Kind::File, 1)],
        total: 1,
        next: None,
    };
    for visit in [0, before.visit] {
        world.tell(Msg::Listed {
            ask: Ask { visit, number: 1 },
            result: Ok(page.clone()),
        });
        world.tell(Msg::Read {
            ask: Ask { visit, number: 1 },
            result: Err("late".into()),
        });
    }
    world.tell(Msg::Opened {
        visit: 0,
        result: Err("late".into()),
    });
    assert_eq!(world.names(), ["base", "empty", "locked", "big.log", "small"]);
    assert_eq!(world.notice, None);
}

#[test]
fn measured_sums_arrive_order_and_give_shares() {
    let mut world = World::new(tree(), 80);
    let ask = world.held.iter().find_map(|effect| match effect {
        Effect::Measure { ask, at } if at.is_root() => Some(*ask),
        _ => None,
    });
    let ask = ask.expect("the root is measured unasked");
    world.act(Action::FilesSort).act(Action::Last);
    assert_eq!(world.at(), "small");
    let dir = |path: &[u8], bytes| UsageItem::Dir {
        place: 0,
        path: path.to_vec(),
        totals: totals(bytes),
    };
    world.tell(Msg::Measured {
        ask,
        news: vec![dir(b"base", 5_000_000), dir(b"empty", 4096)],
    });
    world.tell(Msg::Measured {
        ask,
        news: vec![UsageItem::Complete {
            place: 0,
            totals: totals(10_000_000),
            other_fs: 0,
            faults: vec![],
            seen: vec![],
            stray: 0,
        }],
    });
    let order = world.names();
    world.tell(Msg::MeasureEnded { ask, error: None });
    assert_eq!(world.names(), ["base", "big.log", "empty", "locked", "small"]);
    assert_ne!(order, world.names(), "rows move once, when the sums are complete");
    assert_eq!(world.at(), "small", "the cursor stays on its entry");
    let tree = world.tree();
    let base = tree.child(node::NodeId::ROOT, b"base").unwrap();
    assert_eq!(tree.share(base), Some(500));
    world.act(Action::First).act(Action::Enter);
    assert!(
        world
            .held
            .iter()
            .any(|effect| matches!(effect, Effect::Measure { at, .. } if at.as_bytes() == b"base"))
    );
}

#[test]
fn a_remote_volume_is_measured_only_when_asked() {
    let mut world = World::new(tree(), 80);
    world.files.mount = Arc::new(Mount {
        scan: Scan::OnDemand("nfs".into()),
        ..mount()
    });
    world.seen.clear();
    world.act(Action::Enter);
    assert!(!world.seen.iter().any(|effect| matches!(effect, Effect::Measure { .. })));
    world.act(Action::MeasureTree);
    assert!(world.seen.iter().any(|effect| matches!(effect, Effect::Measure { .. })));
}

/// So many files.
fn many(count: u64) -> Vec<Entry> {
    (0..count)
        .map(|n| entry(format!("f{n:06}").as_bytes(), Kind::File, n))
        .collect()
}

#[test]
fn a_huge_directory_is_read_page_by_page_as_its_end_is_reached() {
    let many = many(2600);
    let mut world = World::new(BTreeMap::from([(b"".to_vec(), many)]), 80);
    assert_eq!(world.names().len(), 501);
    for _ in 0..500 {
        world.act(Action::Down);
    }
    assert_eq!(world.at(), "f000500", "the cursor goes on into the next page");
    assert_eq!(world.names().len(), 1001);
    assert_eq!(
        world.tree().cursor() - world.tree().top(),
        world.tree().height() - 1,
        "and the rows do not jump"
    );
    world.act(Action::Last);
    assert_eq!((world.names().len(), world.at().as_str()), (2600, "f002599"));
}

#[test]
fn paging_down_does_not_pass_what_is_not_read() {
    let many = many(2600);
    let root = vec![entry(b"huge", Kind::Dir, 0), entry(b"last", Kind::File, 0)];
    let mut world = World::new(BTreeMap::from([(b"".to_vec(), root), (b"huge".to_vec(), many)]), 80);
    world.act(Action::Enter);
    let mut seen = Vec::new();
    while world.at() != "last" && seen.len() < 2600 {
        seen.push(world.tree().cursor());
        world.act(Action::PageDown);
    }
    assert_eq!(world.names().len(), 2602, "all of it was read");
    let half = world.tree().height() / 2;
    assert!(seen.windows(2).all(|two| two[0] < two[1] && two[1] - two[0] <= half));
}

#[test]
fn going_around_a_huge_directory_reads_no_more_of_it() {
    let many = many(2600);
    let root = vec![entry(b"huge", Kind::Dir, 0), entry(b"last", Kind::File, 0)];
    let mut world = World::new(BTreeMap::from([(b"".to_vec(), root), (b"huge".to_vec(), many)]), 80);
    world.act(Action::Enter).act(Action::Last);
    assert_eq!((world.at().as_str(), world.names().len()), ("last", 503));
    world.act(Action::Up);
    assert_eq!(world.names().len(), 1003, "on the row that stands for more it is");
}

#[test]
fn what_is_kept_is_bounded_and_says_so() {
    let many = many(60_000);
    let mut world = World::new(BTreeMap::from([(b"".to_vec(), many)]), 80);
    world.act(Action::Last);
    assert!(world.tree().live() <= tree::MAX_ENTRIES + 500);
    assert!(matches!(world.tree().rows().last(), Some(Row::More(_))));
    assert!(tree::more_words(9500, true).contains("9 500 more are not listed"));
}

#[test]
fn half_a_million_entries_move_within_a_frame() {
    let many = many(50_000);
    let mut world = World::new(BTreeMap::from([(b"".to_vec(), many)]), 80);
    world.act(Action::Last);
    world.held.clear();
    world.seen.clear();
    let start = std::time::Instant::now();
    for action in [Action::First, Action::Last, Action::PageUp, Action::Up].repeat(25) {
        let effects = world.with(|files, cx| files.action(action, cx));
        assert!(effects.is_empty());
    }
    let each = start.elapsed() / 100;
    assert!(each.as_millis() < 16, "{each:?} a key, unoptimised");
}
