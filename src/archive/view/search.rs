//! Searches names and lines of an archive's files with the client's automaton. Knows nothing of patterns as people write
//! them, nor of screens.

use regex_automata::Input;
use regex_automata::dfa::{Automaton, sparse::DFA};
use vole_agent::proto::{Fault, Found, Hit, Kind, Place, Reply};
use vole_agent::serve::{Halt, Sink};

use super::View;

/// The longest part of a line that is searched as one, in bytes.
const LONGEST: usize = 1 << 20;
/// A NUL within so many bytes makes a file binary.
const BINARY_PROBE: usize = 8 << 10;
/// Results in one reply.
const BATCH: usize = 64;
/// The most notes about a search.
const NOTES: usize = 16;

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

/// A path and a name in it.
pub(super) fn joined(path: &[u8], name: &[u8]) -> Vec<u8> {
    match path {
        [] => name.to_vec(),
        path => [path, name].join(&b'/'),
    }
}

impl View {
    /// Finds entries by name.
    pub(super) fn find(&self, at: &Place, dfa: &[u8], limit: u32, sink: &Sink) -> Result<Vec<Fault>, Halt> {
        let dfa = automaton(dfa)?;
        let mut left = limit;
        let mut batch = Vec::new();
        self.walk(at, sink, |row, path| {
            if left > 0 && match_end(&dfa, self.index.name(row))?.is_some() {
                left -= 1;
                batch.push(Found {
                    path: path.to_vec(),
                    kind: self.index.row(row).kind,
                    size: self.index.row(row).size,
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
        Ok(Vec::new())
    }

    /// Visits everything beneath a place until `visit` answers `false`.
    fn walk(
        &self,
        at: &Place,
        sink: &Sink,
        mut visit: impl FnMut(u32, &[u8]) -> Result<bool, Halt>,
    ) -> Result<(), Halt> {
        let mut stack = vec![(self.row(at)?, at.path.clone())];
        while let Some((dir, path)) = stack.pop() {
            if sink.cancelled() {
                return Err(Halt::Cancelled);
            }
            for &child in self.index.children(dir) {
                let path = joined(&path, self.index.name(child));
                if !visit(child, &path)? {
                    return Ok(());
                }
                if self.index.row(child).kind == Kind::Dir {
                    stack.push((child, path));
                }
            }
        }
        Ok(())
    }

    /// Finds lines, in the order in which files stand in the archive, so that it is decompressed once.
    pub(super) fn grep(&self, at: &Place, dfa: &[u8], limits: Limits, sink: &Sink) -> Result<Vec<Fault>, Halt> {
        let mut search = Search {
            dfa: automaton(dfa)?,
            limits,
            left: limits.lines,
            hits: Vec::new(),
        };
        let top = self.row(at)?;
        let mut files = Vec::new();
        if self.index.row(top).kind == Kind::File {
            files.push((top, at.path.clone()));
        }
        self.walk(at, sink, |row, path| {
            if self.index.row(row).kind == Kind::File {
                files.push((row, path.to_vec()));
            }
            Ok(true)
        })?;
        files.sort_by_key(|(row, _)| self.index.row(*row).data);
        let (mut stream, mut notes) = (None, Vec::new());
        for (row, path) in &files {
            let mut position = Position::default();
            let searched = self.each_chunk(*row, (0, u64::MAX), &mut stream, sink, |bytes| {
                search.bytes(bytes, path, &mut position, sink)
            });
            match searched {
                Ok(()) => search.last(path, &mut position)?,
                Err(Halt::Fault(fault)) if notes.len() < NOTES => notes.push(Fault {
                    path: path[..path.len().min(4096)].to_vec(),
                    ..fault
                }),
                Err(Halt::Fault(_)) => {}
                Err(Halt::Cancelled) => return Err(Halt::Cancelled),
            }
            if search.left == 0 {
                break;
            }
        }
        search.flush(sink)?;
        Ok(notes)
    }
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

struct Search<'a> {
    dfa: DFA<&'a [u8]>,
    limits: Limits,
    left: u32,
    hits: Vec<Hit>,
}

/// Where a search stands in a file.
#[derive(Default)]
struct Position {
    /// Lines before this one.
    lines: u64,
    /// Where the line starts.
    start: u64,
    /// Where its next part starts.
    next: u64,
    /// Whether an earlier part of it was a hit.
    hit: bool,
    /// The part that was not searched yet.
    carry: Vec<u8>,
    begun: bool,
}

impl Search<'_> {
    /// Searches the next bytes of a file; answers whether more of it is wanted.
    fn bytes(&mut self, bytes: &[u8], path: &[u8], position: &mut Position, sink: &Sink) -> Result<bool, Halt> {
        let binary = !position.begun && bytes[..bytes.len().min(BINARY_PROBE)].contains(&0);
        position.begun = true;
        if binary && !self.limits.binary {
            return Ok(false);
        }
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            position.carry.extend_from_slice(piece);
            if piece.ends_with(b"\n") || position.carry.len() >= LONGEST {
                self.last(path, position)?;
            }
        }
        if self.hits.len() >= BATCH {
            self.flush(sink)?;
        }
        Ok(self.left > 0)
    }

    /// Searches what was carried over: a line, a part of one that is too long, or the end of the file.
    fn last(&mut self, path: &[u8], position: &mut Position) -> Result<(), Halt> {
        let mut carry = std::mem::take(&mut position.carry);
        let ended = carry.ends_with(b"\n");
        let text = carry.strip_suffix(b"\n").unwrap_or(&carry);
        if self.left > 0
            && !position.hit
            && !carry.is_empty()
            && let Some(end) = match_end(&self.dfa, text)?
        {
            self.left -= 1;
            position.hit = true;
            let part = !ended && carry.len() >= LONGEST;
            self.hits.push(self.hit(text, end, path, position, part));
        }
        position.next += carry.len() as u64;
        if ended {
            position.lines += 1;
            position.start = position.next;
            position.hit = false;
        }
        carry.clear();
        position.carry = carry;
        Ok(())
    }

    fn hit(&self, text: &[u8], end: usize, path: &[u8], position: &Position, part: bool) -> Hit {
        let room = (self.limits.max_line as usize).max(1);
        let start = end.saturating_sub(room / 2).min(text.len().saturating_sub(room));
        let excerpt = &text[start..text.len().min(start.saturating_add(room))];
        Hit {
            path: path.to_vec(),
            line: position.lines + 1,
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
