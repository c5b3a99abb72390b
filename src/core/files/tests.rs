mod panes;
mod tree_rows;

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
use crate::model::{BytePath, Orphan};

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
        orphan: Orphan::No,
        ..Mount::sample("data")
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
