use std::collections::BTreeMap;

use time::OffsetDateTime;
use vole_agent::proto::{Cursor, Found, Hit, Kind, Page, Time, Totals, UsageItem};

use super::layout::parts;
use super::msg::{Matches, Range, SearchKind, Start};
use super::node::Row;
use super::search::Progress;
use super::*;
use crate::core::action::Action;
use crate::core::jobs::Jobs;
use crate::model::{BytePath, MountId, MountKind, Orphan};

/// A made-up mount that answers what the screen asks for, one effect at a time.
struct World {
    files: Files,
    jobs: Jobs,
    notice: Option<Notice>,
    copied: Option<String>,
    left: bool,
    /// Directories by path, entries by name.
    dirs: BTreeMap<Vec<u8>, Vec<Entry>>,
    /// Effects that were not answered.
    held: Vec<Effect>,
    /// All effects so far.
    seen: Vec<Effect>,
}

fn entry(name: &[u8], kind: Kind, size: u64) -> Entry {
    Entry {
        name: name.to_vec(),
        kind,
        mode: 0o644,
        uid: 0,
        gid: 0,
        size,
        allocated: size.div_ceil(512) * 512,
        mtime: Time {
            secs: size as i64,
            nanos: 0,
        },
        nlink: 1,
        ino: 1,
        target: None,
        other_fs: false,
        errno: None,
    }
}

fn mount() -> Mount {
    Mount {
        id: MountId::new("volume:data"),
        kind: MountKind::Named,
        name: "data".into(),
        driver: "local".into(),
        options: BTreeMap::new(),
        labels: BTreeMap::new(),
        project: None,
        project_derived: false,
        services: Vec::new(),
        created: None,
        host_path: None,
        orphan: Orphan::No,
        reason: String::new(),
        attachments: Vec::new(),
        scan: Scan::Shared,
    }
}

fn tree() -> BTreeMap<Vec<u8>, Vec<Entry>> {
    let file = |name: &[u8], size| entry(name, Kind::File, size);
    let dir = |name: &[u8]| entry(name, Kind::Dir, 4096);
    BTreeMap::from([
        (
            b"".to_vec(),
            vec![
                dir(b"base"),
                dir(b"empty"),
                dir(b"locked"),
                file(b"big.log", 900_000),
                file(b"small", 10),
            ],
        ),
        (b"base".to_vec(), vec![dir(b"deep"), file(b"one", 5000)]),
        (b"base/deep".to_vec(), vec![file(b"x\x1b[31m\xff", 700)]),
        (b"empty".to_vec(), vec![]),
    ])
}

impl World {
    fn new(dirs: BTreeMap<Vec<u8>, Vec<Entry>>, columns: u16) -> Self {
        let (mut jobs, mut notice) = (Jobs::default(), None);
        let now = OffsetDateTime::UNIX_EPOCH + time::Duration::seconds(1);
        let mut cx = Context {
            now,
            jobs: &mut jobs,
            notice: &mut notice,
            copy: None,
            leave: false,
        };
        let (files, effects) = Files::open(mount(), Rect::new(0, 1, columns, 21), &mut cx);
        let mut world = Self {
            files,
            jobs,
            notice,
            copied: None,
            left: false,
            dirs,
            held: Vec::new(),
            seen: Vec::new(),
        };
        world.answer(effects);
        world
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut Files, &mut Context<'_>) -> T) -> T {
        let mut cx = Context {
            now: OffsetDateTime::UNIX_EPOCH,
            jobs: &mut self.jobs,
            notice: &mut self.notice,
            copy: None,
            leave: false,
        };
        let out = act(&mut self.files, &mut cx);
        (self.copied, self.left) = (cx.copy.or(self.copied.take()), self.left || cx.leave);
        out
    }

    fn act(&mut self, action: Action) -> &mut Self {
        let effects = self.with(|files, cx| files.action(action, cx));
        self.answer(effects);
        self
    }

    fn keys(&mut self, keys: &str) -> &mut Self {
        for key in keys.split(' ') {
            let effects = self.with(|files, cx| files.key(key.parse().unwrap(), cx));
            self.answer(effects);
        }
        self
    }

    fn tell(&mut self, msg: Msg) -> &mut Self {
        let effects = self.with(|files, cx| files.update(msg, cx));
        self.answer(effects);
        self
    }

    fn answer(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            self.seen.push(effect.clone());
            assert!(
                self.seen.len() < 1000,
                "the screen asks for ever: {:?}",
                &self.seen[990..]
            );
            match self.reply(&effect) {
                Some(msg) => _ = self.tell(msg),
                None => self.held.push(effect),
            }
        }
    }

    fn entry(&self, at: &BytePath) -> Option<Entry> {
        let parent = at.parent()?;
        self.dirs
            .get(parent.as_bytes())?
            .iter()
            .find(|entry| entry.name == at.name())
            .cloned()
    }

    fn reply(&self, effect: &Effect) -> Option<Msg> {
        match effect {
            Effect::Open { visit, .. } => Some(Msg::Opened {
                visit: *visit,
                result: Ok(entry(b"", Kind::Dir, 4096)),
            }),
            Effect::List {
                ask, at, after, limit, ..
            } => {
                let result = match self.dirs.get(at.as_bytes()) {
                    None => Err("permission denied".to_owned()),
                    Some(all) => {
                        let from = after
                            .as_ref()
                            .map_or(0, |Cursor(bytes)| String::from_utf8_lossy(bytes).parse().unwrap());
                        let to = (from + *limit as usize).min(all.len());
                        let next = (to < all.len()).then(|| Cursor(to.to_string().into_bytes()));
                        Ok(Page {
                            entries: all[from..to].to_vec(),
                            total: all.len() as u64,
                            next,
                        })
                    }
                };
                Some(Msg::Listed { ask: *ask, result })
            }
            Effect::Read { ask, at, start, len } => {
                let size = self.entry(at)?.size;
                let offset = match start {
                    Start::At(offset) => *offset,
                    Start::BeforeEnd(back) => size.saturating_sub(*back),
                };
                let bytes = vec![b'\n'; (size - offset).min(*len) as usize];
                Some(Msg::Read {
                    ask: *ask,
                    result: Ok(Range { offset, bytes, size }),
                })
            }
            Effect::Stat { ask, at } => Some(Msg::Stated {
                ask: *ask,
                result: self.entry(at).ok_or("no such file".to_owned()),
            }),
            _ => None,
        }
    }

    fn tree(&self) -> &Tree {
        self.files.tree().unwrap()
    }

    fn names(&self) -> Vec<String> {
        let tree = self.tree();
        let name = |id| {
            tree.node(id)
                .map(|node| crate::text::printable(&node.entry.name))
                .unwrap()
        };
        let rows = tree.rows().iter();
        rows.map(|row| match row {
            Row::Node(id) => format!("{}{}", " ".repeat(tree.node(*id).unwrap().depth), name(*id)),
            Row::More(_) => "more".into(),
            Row::Note(_) => "note".into(),
        })
        .collect()
    }

    fn at(&self) -> String {
        let tree = self.tree();
        tree.current_node()
            .map_or("-".into(), |id| crate::text::printable(tree.path(id).as_bytes()))
    }
}

fn totals(bytes: u64) -> Totals {
    Totals {
        bytes,
        ..Totals::default()
    }
}

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

#[test]
fn a_huge_directory_is_read_page_by_page_as_its_end_is_reached() {
    let many: Vec<Entry> = (0..2600)
        .map(|n| entry(format!("f{n:06}").as_bytes(), Kind::File, n))
        .collect();
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
fn going_around_a_huge_directory_reads_no_more_of_it() {
    let many: Vec<Entry> = (0..2600)
        .map(|n| entry(format!("f{n:06}").as_bytes(), Kind::File, n))
        .collect();
    let root = vec![entry(b"huge", Kind::Dir, 0), entry(b"last", Kind::File, 0)];
    let mut world = World::new(BTreeMap::from([(b"".to_vec(), root), (b"huge".to_vec(), many)]), 80);
    world.act(Action::Enter).act(Action::Last);
    assert_eq!((world.at().as_str(), world.names().len()), ("last", 503));
    world.act(Action::Up);
    assert_eq!(world.names().len(), 1003, "on the row that stands for more it is");
}

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
fn what_is_kept_is_bounded_and_says_so() {
    let many: Vec<Entry> = (0..60_000)
        .map(|n| entry(format!("f{n:06}").as_bytes(), Kind::File, n))
        .collect();
    let mut world = World::new(BTreeMap::from([(b"".to_vec(), many)]), 80);
    world.act(Action::Last);
    assert!(world.tree().live() <= tree::MAX_ENTRIES + 500);
    assert!(matches!(world.tree().rows().last(), Some(Row::More(_))));
    assert!(tree::more_words(9500, true).contains("9 500 more are not listed"));
}

#[test]
fn half_a_million_entries_move_within_a_frame() {
    let many: Vec<Entry> = (0..50_000)
        .map(|n| entry(format!("f{n:06}").as_bytes(), Kind::File, n))
        .collect();
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
