use ratatui::Terminal;
use ratatui::backend::TestBackend;
use time::OffsetDateTime;
use vole_agent::proto::{Entry, Followed, Hit, Kind, Page, Time, UsageItem};

use super::*;
use crate::core::action::Action;
use crate::core::files::msg::{Matches, Range};
use crate::core::files::{Effect, Msg};
use crate::core::jobs::Jobs;
use crate::core::state::Context;
use crate::model::{Mount, Orphan};
use crate::ui::theme::Colours;

fn entry(name: &[u8], kind: Kind, size: u64) -> Entry {
    Entry {
        name: name.to_vec(),
        kind,
        mode: if kind == Kind::Dir { 0o2755 } else { 0o640 },
        uid: 999,
        gid: 999,
        size,
        allocated: size.div_ceil(4096) * 4096,
        mtime: Time {
            secs: 1_750_000_000,
            nanos: 0,
        },
        nlink: 1,
        ino: 1,
        target: None,
        other_fs: false,
        errno: None,
    }
}

fn root() -> Vec<Entry> {
    let file = |name: &[u8], size| entry(name, Kind::File, size);
    vec![
        entry(b"base", Kind::Dir, 4096),
        Entry {
            other_fs: true,
            ..entry(b"elsewhere", Kind::Dir, 4096)
        },
        entry(b"lost+found", Kind::Dir, 4096),
        Entry {
            target: Some(b"/etc/\x1b[2Jpasswd".to_vec()),
            ..entry(b"current", Kind::Symlink, 11)
        },
        entry(b"fifo", Kind::Fifo, 0),
        entry(b"socket", Kind::Socket, 0),
        Entry {
            errno: Some(13),
            ..entry(b"secret", Kind::Unknown, 0)
        },
        file(b"evil\x1b]0;owned\x07\n\xff\xe2\x80\xaename.txt", 10),
        file(
            "日本語のとても長い名前がここにありますので切られます.log".as_bytes(),
            81_000,
        ),
        file(b"postgresql.conf", 29_000),
    ]
}

fn mount() -> Mount {
    Mount {
        orphan: Orphan::No,
        ..Mount::sample("shop_pgdata")
    }
}

struct Shown {
    files: Files,
    jobs: Jobs,
    size: (u16, u16),
    root: Vec<Entry>,
    base: Vec<Entry>,
    contents: Vec<u8>,
    last: Option<Effect>,
}

impl Shown {
    fn new(size: (u16, u16), root: Vec<Entry>) -> Self {
        let mut jobs = Jobs::default();
        let mut cx = Context {
            now: OffsetDateTime::UNIX_EPOCH,
            jobs: &mut jobs,
            notice: &mut None,
            copy: None,
            leave: false,
        };
        let (files, effects) = Files::open(mount(), Rect::new(0, 0, size.0, size.1), &mut cx);
        let base = vec![
            entry(b"16384", Kind::Dir, 4096),
            entry(b"pg_filenode.map", Kind::File, 512),
        ];
        let contents = b"# Configuration\nlisten_addresses = '*'\t\x1b[31mred\n".to_vec();
        let mut shown = Self {
            files,
            jobs,
            size,
            root,
            base,
            contents,
            last: None,
        };
        shown.answer(effects);
        shown
    }

    fn act(&mut self, actions: &[Action]) -> &mut Self {
        for &action in actions {
            let mut cx = Context {
                now: OffsetDateTime::UNIX_EPOCH,
                jobs: &mut self.jobs,
                notice: &mut None,
                copy: None,
                leave: false,
            };
            let effects = self.files.action(action, &mut cx);
            self.answer(effects);
        }
        self
    }

    fn tell(&mut self, msg: Msg) {
        let mut cx = Context {
            now: OffsetDateTime::UNIX_EPOCH,
            jobs: &mut self.jobs,
            notice: &mut None,
            copy: None,
            leave: false,
        };
        let effects = self.files.update(msg, &mut cx);
        self.answer(effects);
    }

    fn answer(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            self.last = Some(effect.clone());
            match effect {
                Effect::Open { visit, .. } => self.tell(Msg::Opened {
                    visit,
                    result: Ok(entry(b"", Kind::Dir, 4096)),
                }),
                Effect::List { ask, at, .. } => {
                    let result = match at.as_bytes() {
                        b"" => Ok(self.root.clone()),
                        b"base" => Ok(self.base.clone()),
                        b"base/16384" => Ok(Vec::new()),
                        deep if deep.ends_with(b"deeper") => Ok(self.root.clone()),
                        _ => Err("permission denied".to_owned()),
                    };
                    let page = |entries: Vec<Entry>| Page {
                        total: entries.len() as u64,
                        entries,
                        next: None,
                    };
                    self.tell(Msg::Listed {
                        ask,
                        result: result.map(page),
                    });
                }
                Effect::Measure { ask, at } if at.is_root() => {
                    let sums = |bytes| Totals {
                        bytes,
                        apparent: bytes,
                        files: 1204,
                        dirs: 5,
                        ..Totals::default()
                    };
                    let dir = |path: &[u8], bytes| UsageItem::Dir {
                        place: 0,
                        path: path.to_vec(),
                        totals: sums(bytes),
                    };
                    let all = UsageItem::Complete {
                        place: 0,
                        totals: sums(400_000_000),
                        other_fs: 1,
                        faults: vec![],
                        seen: vec![],
                        stray: 0,
                    };
                    let partly = Totals {
                        errors: 2,
                        ..sums(90_000_000)
                    };
                    let lost = UsageItem::Dir {
                        place: 0,
                        path: b"lost+found".to_vec(),
                        totals: partly,
                    };
                    self.tell(Msg::Measured {
                        ask,
                        news: vec![dir(b"base", 300_000_000), lost, all],
                    });
                    self.tell(Msg::MeasureEnded { ask, error: None });
                }
                Effect::Read { ask, .. } => {
                    let (bytes, size) = (self.contents.clone(), self.contents.len() as u64);
                    self.tell(Msg::Read {
                        ask,
                        result: Ok(Range { offset: 0, bytes, size }),
                    });
                }
                _ => {}
            }
        }
    }

    fn text(&self, theme: Theme) -> String {
        let mut terminal = Terminal::new(TestBackend::new(self.size.0, self.size.1)).unwrap();
        terminal
            .draw(|frame| view(&self.files, frame, frame.area(), &theme))
            .unwrap();
        let buffer = terminal.backend().buffer().clone();
        assert!(
            buffer
                .content()
                .iter()
                .all(|cell| !cell.symbol().chars().any(|c| c.is_control() || c == '\u{202e}')),
            "something hostile reached a cell"
        );
        terminal.backend().to_string()
    }
}

fn theme() -> Theme {
    Theme::new(Colours::Mono, false)
}

#[test]
fn narrow_tree() {
    let mut shown = Shown::new((80, 21), root());
    shown.act(&[Action::Enter, Action::Enter, Action::Enter]);
    insta::assert_snapshot!(shown.text(theme()));
}

#[test]
fn wide_tree_with_preview_of_a_directory() {
    let mut shown = Shown::new((120, 30), root());
    shown.act(&[Action::Enter]);
    insta::assert_snapshot!(shown.text(theme()));
}

#[test]
fn wide_tree_with_preview_of_a_file() {
    let mut shown = Shown::new((120, 16), root());
    shown.act(&[Action::Last]);
    insta::assert_snapshot!(shown.text(theme()));
}

#[test]
fn narrow_hex() {
    let mut shown = Shown::new((80, 12), root());
    shown.contents = (0..=255).collect();
    shown.act(&[Action::Last, Action::Enter]);
    insta::assert_snapshot!(shown.text(theme()));
}

#[test]
fn followed_log() {
    let mut shown = Shown::new((80, 10), root());
    shown.act(&[Action::Last, Action::Enter, Action::Follow]);
    let Some(Effect::Follow { ask, .. }) = shown.last.clone() else {
        panic!("{:?}", shown.last)
    };
    shown.tell(Msg::Followed {
        ask,
        news: Followed::Data {
            offset: 0,
            bytes: b"one\ntwo".to_vec(),
        },
    });
    shown.tell(Msg::Followed {
        ask,
        news: Followed::Rotated,
    });
    shown.tell(Msg::Followed {
        ask,
        news: Followed::Data {
            offset: 0,
            bytes: b"three\n".to_vec(),
        },
    });
    insta::assert_snapshot!(shown.text(theme()));
}

#[test]
fn results_of_a_search() {
    let mut shown = Shown::new((80, 10), root());
    shown.act(&[Action::Grep]);
    for key in ["r", "e", "d"] {
        let mut cx = Context {
            now: OffsetDateTime::UNIX_EPOCH,
            jobs: &mut shown.jobs,
            notice: &mut None,
            copy: None,
            leave: false,
        };
        shown.files.key(key.parse().unwrap(), &mut cx);
    }
    let prompt = shown.text(theme());
    let mut cx = Context {
        now: OffsetDateTime::UNIX_EPOCH,
        jobs: &mut shown.jobs,
        notice: &mut None,
        copy: None,
        leave: false,
    };
    let effects = shown.files.key("enter".parse().unwrap(), &mut cx);
    let Some(Effect::Search { ask, .. }) = effects.first().cloned() else {
        panic!("{effects:?}")
    };
    let hit = |path: &[u8], text: &[u8]| Hit {
        path: path.to_vec(),
        line: 2,
        offset: 16,
        text: text.to_vec(),
        cut: false,
    };
    let hits = vec![
        hit(b"postgresql.conf", b"  listen \x1b[31mred"),
        hit(b"base/16384/very/deep/and/very/long/path/of/a/file.log", b"red"),
    ];
    shown.tell(Msg::Matched {
        ask,
        matches: Matches::Lines(hits),
    });
    shown.act(&[Action::Down]);
    insta::assert_snapshot!(format!("{prompt}\n{}", shown.text(theme())));
}

#[test]
fn refused() {
    let mut shown = Shown::new((60, 8), root());
    shown.files.root = Root::Refused(
        "browsing needs a helper, and none can run: the data root is full (/var/lib/docker: 0 B free)".into(),
    );
    insta::assert_snapshot!(shown.text(theme()));
}

#[test]
fn ascii_is_ascii() {
    let mut shown = Shown::new((120, 20), root());
    shown.root.retain(|entry| entry.name.is_ascii());
    shown.act(&[Action::Refresh, Action::Enter]);
    assert!(shown.text(Theme::new(Colours::Mono, true)).is_ascii());
}

#[test]
fn deep_directories_keep_room_for_names() {
    let mut shown = Shown::new((80, 12), root());
    shown.root = vec![entry(b"deeper", Kind::Dir, 4096)];
    shown.act(&[Action::Refresh]);
    for _ in 0..120 {
        shown.act(&[Action::Enter]);
    }
    assert!(shown.files.tree().unwrap().rows().len() > 50);
    let text = shown.text(theme());
    assert!(
        text.lines()
            .skip(1)
            .all(|line| line.chars().take(40).any(|c| c.is_alphabetic())),
        "{text}"
    );
}

#[test]
fn no_size_panics() {
    let mut shown = Shown::new((120, 30), root());
    for steps in [
        &[][..],
        &[Action::Enter],
        &[Action::Last, Action::Enter],
        &[Action::ToggleHex],
        &[Action::Back, Action::FindName],
    ] {
        shown.act(steps);
        for columns in 1..=130 {
            for rows in (1..=45).step_by(if columns % 26 == 0 { 1 } else { 22 }) {
                shown.size = (columns, rows);
                shown.files.resize(Rect::new(0, 0, columns, rows));
                shown.text(theme());
            }
        }
        shown.size = (120, 30);
        shown.files.resize(Rect::new(0, 0, 120, 30));
    }
}

#[test]
fn a_huge_directory_costs_a_screen() {
    let many = (0..50_000)
        .map(|n| entry(format!("file-{n:06}").as_bytes(), Kind::File, n))
        .collect();
    let mut shown = Shown::new((120, 40), many);
    let start = std::time::Instant::now();
    for action in [Action::Down, Action::PageDown, Action::Last, Action::First].repeat(5) {
        shown.act(&[action]);
        shown.text(theme());
    }
    let each = start.elapsed() / 20;
    assert!(
        each.as_millis() < 60,
        "{each:?} a key and a frame, unoptimised, on a busy machine"
    );
}
