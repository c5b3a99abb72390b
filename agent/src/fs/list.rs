//! Pages of directories, and the entries in them.

use rustix::io::Errno;

use super::meta::{Meta, unseen};
use super::window::{Window, read_record};
use super::{Roots, entry, fault};
use crate::proto::{Cursor, Entry, Kind, Order, Page, Place};
use crate::serve::{Halt, Sink};

/// Most entries of a page.
const MOST: u32 = 4096;
/// Bytes of a page, so that it fits a frame with the longest entry on top.
const BYTES: usize = 512 << 10;
/// Bytes that an entry takes beside its name and target, at most.
const ENTRY: usize = 96;
/// Longest cursor that this agent makes: rank, key, name and its end.
const CURSOR: usize = 1 + 12 + 256;

impl Roots {
    /// One page of a directory.
    pub(super) fn list(
        &self,
        at: &Place,
        order: Order,
        after: Option<&Cursor>,
        limit: u32,
        sink: &Sink,
    ) -> Result<Page, Halt> {
        let after = after.map_or(&[][..], |cursor| cursor.0.as_slice());
        if after.len() > CURSOR {
            return Err(fault(&at.path, Errno::INVAL, "continuing a list").into());
        }
        let dir = self.dir(at)?;
        let window = self
            .windows
            .get(&dir, order, after, &|| sink.cancelled())
            .map_err(|errno| match errno {
                Errno::CANCELED => Halt::Cancelled,
                errno => fault(&at.path, errno, "reading the directory").into(),
            })?;
        let above = Meta::of(&dir).map_err(|errno| fault(&at.path, errno, "looking at the directory"))?;
        let limit = limit.clamp(1, MOST) as usize;
        let (mut entries, mut bytes, mut rank) = (Vec::new(), 0, window.records.behind(after));
        while entries.len() < limit && bytes < BYTES {
            let Some(record) = window.records.get(rank) else { break };
            rank += 1;
            let Some((name, was_dir)) = read_record(record, order) else {
                continue;
            };
            match Meta::at(&dir, &name) {
                // It went since the scan: it is no entry of the directory any more.
                Err(Errno::NOENT) => {}
                Err(errno) => {
                    let kind = if was_dir { Kind::Dir } else { Kind::Unknown };
                    entries.push(unseen(name.into_bytes(), kind, errno));
                }
                Ok(meta) => entries.push(entry(&dir, &name, &meta, &above)),
            }
            bytes += entries.last().map_or(0, size);
        }
        Ok(Page {
            entries,
            total: window.total,
            next: next(&window, rank),
        })
    }
}

/// Where the next page starts.
fn next(window: &Window, rank: usize) -> Option<Cursor> {
    if rank >= window.records.len() && window.whole {
        return None;
    }
    let last = rank.checked_sub(1).and_then(|rank| window.records.get(rank))?;
    Some(Cursor(last.to_vec()))
}

fn size(entry: &Entry) -> usize {
    ENTRY + entry.name.len() + entry.target.as_ref().map_or(0, Vec::len)
}
