//! Searches names and lines of the demo's trees with the client's automaton. Knows nothing of patterns as
//! people write them, nor of screens.

use regex_automata::Input;
use regex_automata::dfa::{Automaton, sparse::DFA};
use vole_agent::proto::{Fault, Found, Hit, Kind, Place, Reply};
use vole_agent::serve::{Halt, Sink};

use super::backend::Trees;
use super::contents::Contents;
use super::tree::{Node, fault};
use super::usage::joined;

/// Bytes read at a time.
const CHUNK: usize = 64 << 10;
/// The longest part of a line that is searched as one, in bytes.
const LONGEST: usize = 1 << 20;
/// How far a file is searched; the demo's films have no end that is worth waiting for.
const FILE_LIMIT: u64 = 64 << 20;
/// A NUL within so many bytes makes a file binary.
const BINARY_PROBE: usize = 8 << 10;
/// The most notes about a search.
const NOTES: usize = 16;
/// Results in one reply.
const BATCH: usize = 64;

/// Bounds of a search for lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Lines to find.
    pub(super) lines: u32,
    /// Longest excerpt, in bytes.
    pub(super) max_line: u32,
    /// Whether binary files are searched.
    pub(super) binary: bool,
}

/// Finds entries by name.
pub(super) fn find(trees: &Trees, at: &Place, dfa: &[u8], limit: u32, sink: &Sink) -> Result<Vec<Fault>, Halt> {
    let dfa = automaton(dfa)?;
    let node = trees.node(at)?;
    let mut left = limit as usize;
    let mut batch = Vec::new();
    let mut notes = Vec::new();
    walk(&node, &at.path, &mut notes, &mut |child, path| {
        if sink.cancelled() {
            return Err(Halt::Cancelled);
        }
        if left > 0 && match_end(&dfa, &child.name)?.is_some() {
            left -= 1;
            let entry = child.entry();
            batch.push(Found {
                path: path.to_vec(),
                kind: entry.kind,
                size: entry.size,
            });
            if batch.len() == BATCH {
                sink.send(Reply::Found(std::mem::take(&mut batch)))?;
            }
        }
        Ok(left > 0)
    })?;
    if !batch.is_empty() {
        sink.send(Reply::Found(batch))?;
    }
    Ok(notes)
}

/// Finds lines.
pub(super) fn grep(trees: &Trees, at: &Place, dfa: &[u8], limits: Limits, sink: &Sink) -> Result<Vec<Fault>, Halt> {
    let dfa = automaton(dfa)?;
    let node = trees.node(at)?;
    let mut search = Search {
        dfa,
        limits,
        left: limits.lines as usize,
        hits: Vec::new(),
        cut_short: Vec::new(),
    };
    let mut notes = Vec::new();
    if node.kind() == Kind::File {
        search.file(&node, &at.path, sink)?;
    } else {
        walk(&node, &at.path, &mut notes, &mut |child, path| {
            search.file(child, path, sink)
        })?;
    }
    search.flush(sink)?;
    notes.extend(search.cut_short);
    notes.truncate(NOTES);
    Ok(notes)
}

fn automaton(bytes: &[u8]) -> Result<DFA<&[u8]>, Fault> {
    DFA::from_bytes(bytes).map(|(dfa, _)| dfa).map_err(|error| Fault {
        errno: None,
        path: Vec::new(),
        message: format!("the search pattern could not be read: {error}"),
    })
}

/// Where a match in `line` ends.
fn match_end(dfa: &DFA<&[u8]>, line: &[u8]) -> Result<Option<usize>, Fault> {
    match dfa.try_search_fwd(&Input::new(line)) {
        Ok(found) => Ok(found.map(|half| half.offset())),
        Err(error) => Err(Fault {
            errno: None,
            path: Vec::new(),
            message: format!("the search pattern does not work on this text: {error}"),
        }),
    }
}

type Visit<'a> = dyn FnMut(&Node, &[u8]) -> Result<bool, Halt> + 'a;

/// Visits everything beneath `node` in the order of names, until `visit` answers `false`.
fn walk(node: &Node, path: &[u8], notes: &mut Vec<Fault>, visit: &mut Visit<'_>) -> Result<bool, Halt> {
    if let Err(errno) = node.enterable() {
        if notes.len() < NOTES {
            notes.push(fault(errno, path, "opening the directory"));
        }
        return Ok(true);
    }
    let mut outcome = Ok(true);
    node.each_child(&mut |child| {
        let path = joined(path, &child.name);
        outcome = visit(child, &path);
        if matches!(outcome, Ok(true)) && child.kind() == Kind::Dir && !child.is_other_fs() {
            outcome = walk(child, &path, notes, visit);
        }
        matches!(outcome, Ok(true))
    });
    outcome
}

struct Search<'a> {
    dfa: DFA<&'a [u8]>,
    limits: Limits,
    left: usize,
    hits: Vec<Hit>,
    cut_short: Vec<Fault>,
}

/// Where a search stands in a file.
struct Position {
    line: u64,
    /// Where the line starts.
    start: u64,
    /// Where its next part starts.
    next: u64,
    /// Whether that earlier part was a hit.
    hit: bool,
}

impl Search<'_> {
    /// Searches one entry if it is a regular file; answers whether the search goes on.
    fn file(&mut self, node: &Node, path: &[u8], sink: &Sink) -> Result<bool, Halt> {
        let Some(contents) = node.contents() else {
            return Ok(self.left > 0);
        };
        if !self.limits.binary && contents.read(node.mtime(), 0, BINARY_PROBE).contains(&0) {
            return Ok(self.left > 0);
        }
        if contents.len() > FILE_LIMIT && self.cut_short.len() < NOTES {
            self.cut_short.push(Fault {
                errno: None,
                path: path.to_vec(),
                message: format!(
                    "the demo searches only the first 64 MiB of {}",
                    crate::text::printable(path)
                ),
            });
        }
        self.contents(contents, node.mtime(), path, sink)?;
        Ok(self.left > 0)
    }

    fn contents(&mut self, contents: &Contents, mtime: i64, path: &[u8], sink: &Sink) -> Result<(), Halt> {
        let mut position = Position {
            line: 1,
            start: 0,
            next: 0,
            hit: false,
        };
        let mut carry: Vec<u8> = Vec::new();
        let mut at = 0;
        while self.left > 0 && at < FILE_LIMIT {
            if sink.cancelled() {
                return Err(Halt::Cancelled);
            }
            let chunk = contents.read(mtime, at, CHUNK);
            if chunk.is_empty() {
                break;
            }
            at += chunk.len() as u64;
            for piece in chunk.split_inclusive(|&byte| byte == b'\n') {
                carry.extend_from_slice(piece);
                if piece.ends_with(b"\n") || carry.len() >= LONGEST {
                    self.line(&carry, path, &mut position)?;
                    carry.clear();
                }
            }
            if self.hits.len() >= BATCH {
                self.flush(sink)?;
            }
        }
        if !carry.is_empty() {
            self.line(&carry, path, &mut position)?;
        }
        self.flush(sink)
    }

    /// Searches a line, or a part of one that is too long.
    fn line(&mut self, bytes: &[u8], path: &[u8], position: &mut Position) -> Result<(), Halt> {
        let ended = bytes.ends_with(b"\n");
        let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        if self.left > 0
            && !position.hit
            && let Some(end) = match_end(&self.dfa, text)?
        {
            self.left -= 1;
            position.hit = true;
            self.hits
                .push(self.hit(text, end, path, position, !ended && bytes.len() >= LONGEST));
        }
        position.next += bytes.len() as u64;
        if ended {
            position.line += 1;
            position.start = position.next;
            position.hit = false;
        }
        Ok(())
    }

    fn hit(&self, text: &[u8], end: usize, path: &[u8], position: &Position, part: bool) -> Hit {
        let room = (self.limits.max_line as usize).max(1);
        let start = end.saturating_sub(room / 2).min(text.len().saturating_sub(room));
        let excerpt = &text[start..text.len().min(start + room)];
        Hit {
            path: path.to_vec(),
            line: position.line,
            offset: position.start,
            text: excerpt.to_vec(),
            cut: part || position.next > position.start || excerpt.len() < text.len(),
        }
    }

    fn flush(&mut self, sink: &Sink) -> Result<(), Halt> {
        if self.hits.is_empty() {
            return Ok(());
        }
        sink.send(Reply::Hits(std::mem::take(&mut self.hits)))
    }
}
