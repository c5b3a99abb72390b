//! An archive whose files are on screen, with what is in it made up. Knows no archive.

use vole_agent::proto::{Entry, Kind, Page, Time};

use super::{archive, keys, listing, tell, volume};
use crate::core::effect::{Effect, EngineEffect};
use crate::core::files::{Effect as Wanted, Msg};
use crate::core::msg::EngineMsg;
use crate::core::state::State;

/// What is in it: a directory's entries, directories first.
const TREE: [(&str, &[(&str, Kind)]); 2] = [
    ("", &[("conf", Kind::Dir), ("index.php", Kind::File)]),
    ("conf", &[("app.ini", Kind::File)]),
];

/// A state that lists the volumes `db` and `web` and shows the files of an archive of this volume.
pub(crate) fn browsing(name: &str) -> State {
    let mut state = listing(vec![volume("db"), volume("web")]);
    keys(&mut state, "6");
    let archives = vec![archive(name, 3)];
    tell(&mut state, EngineMsg::Archives(Ok((archives, Vec::new()))));
    let effects = keys(&mut state, "enter");
    answer_files(&mut state, effects);
    state
}

/// Answers what the files screen asks for; returns what was asked for in all.
pub(crate) fn answer_files(state: &mut State, mut effects: Vec<Effect>) -> Vec<Effect> {
    let mut at = 0;
    while let Some(effect) = effects.get(at).cloned() {
        at += 1;
        if let Effect::Engine(_, EngineEffect::Files(wanted)) = effect
            && let Some(msg) = reply(wanted)
        {
            effects.extend(tell(state, EngineMsg::Files(msg)));
        }
    }
    effects
}

fn reply(wanted: Wanted) -> Option<Msg> {
    match wanted {
        Wanted::Open { visit, .. } => {
            let result = Ok(entry("", Kind::Dir));
            Some(Msg::Opened { visit, result })
        }
        Wanted::List { ask, at, .. } => {
            let inside = TREE.iter().find(|(dir, _)| dir.as_bytes() == at.as_bytes());
            let entries: Vec<Entry> = inside
                .into_iter()
                .flat_map(|(_, entries)| entries.iter().map(|(name, kind)| entry(name, *kind)))
                .collect();
            let page = Page {
                total: entries.len() as u64,
                entries,
                next: None,
            };
            Some(Msg::Listed { ask, result: Ok(page) })
        }
        _ => None,
    }
}

fn entry(name: &str, kind: Kind) -> Entry {
    Entry {
        name: name.as_bytes().to_vec(),
        kind,
        mode: 0o644,
        uid: 33,
        gid: 33,
        size: 5000,
        allocated: 8192,
        mtime: Time {
            secs: 1_768_000_000,
            nanos: 0,
        },
        nlink: 1,
        ino: 1,
        target: None,
        other_fs: false,
        errno: None,
    }
}
