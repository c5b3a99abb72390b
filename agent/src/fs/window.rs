//! A window into a sorted directory of any size: the next names behind a cursor, in bounded memory. Knows orders
//! and records, not requests.
//!
//! A record is a run of bytes whose plain comparison is the order: a byte that puts directories first, the key, the
//! name. A cursor is the record that a page ended with, so paging needs no state here; a window only spares scans.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{FileType, RawDir, SeekFrom, seek};
use rustix::io::Errno;

use super::meta::{Meta, kind};
use crate::proto::{Kind, Order};
use crate::serve::lock;

/// Bytes of `getdents64` replies.
pub(super) const DIRENTS: usize = 64 << 10;
/// Bytes of records that a window holds unless told otherwise; half as much again is taken while it is made.
const WINDOW: usize = 18 << 20;
/// A directory whose records fit in so many bytes is not remembered: scanning it again is as fast.
const SMALL: usize = 128 << 10;
/// Bytes that a record costs beside itself.
const INDEX: usize = size_of::<u32>() + 2;
/// A directory that changed so lately may change again within the same time stamp.
const SETTLED_SECS: i64 = 2;

/// Bits of a place that are an offset; those above number the run.
const OFFSET_BITS: u32 = 29;
/// Threads that look at the entries of a huge directory, at most; there are numbers for so many runs.
const THREADS: usize = 4;

/// Whether the client still waits.
type Cancelled<'a> = dyn Fn() -> bool + Sync + 'a;

/// Sorted records, packed.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// Each record behind its length (`u16`, little-endian); one run of bytes per thread that gathered them.
    runs: Vec<Vec<u8>>,
    /// Where records start, in order once sorted.
    index: Vec<u32>,
}

impl Records {
    fn push(&mut self, record: &[u8]) {
        if self.runs.is_empty() {
            self.runs.push(Vec::new());
        }
        let run = &mut self.runs[0];
        // Offsets fit: a window is megabytes. A record is a name and a few bytes.
        let (Ok(at), Ok(len)) = (u32::try_from(run.len()), u16::try_from(record.len())) else {
            return;
        };
        self.index.push(at);
        run.extend_from_slice(&len.to_le_bytes());
        run.extend_from_slice(record);
    }

    fn at(runs: &[Vec<u8>], place: u32) -> &[u8] {
        let run = &runs[(place >> OFFSET_BITS) as usize];
        let at = (place & ((1 << OFFSET_BITS) - 1)) as usize;
        let len = usize::from(u16::from_le_bytes([run[at], run[at + 1]]));
        &run[at + 2..at + 2 + len]
    }

    /// A record by its rank.
    pub(super) fn get(&self, rank: usize) -> Option<&[u8]> {
        self.index.get(rank).map(|&place| Self::at(&self.runs, place))
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// The rank of the first record behind a cursor.
    pub(super) fn behind(&self, cursor: &[u8]) -> usize {
        self.index
            .partition_point(|&place| Self::at(&self.runs, place) <= cursor)
    }

    fn cost(&self) -> usize {
        self.runs.iter().map(Vec::len).sum::<usize>() + self.index.len() * size_of::<u32>()
    }

    fn sort(&mut self) {
        let runs = &self.runs;
        // Stable, because it sees that parts are sorted already.
        self.index.sort_by(|&a, &b| Self::at(runs, a).cmp(Self::at(runs, b)));
    }

    /// Sorts and forgets the later half; returns the last record that is left.
    fn halve(&mut self) -> Vec<u8> {
        self.sort();
        let keep = (self.index.len() / 2).max(1);
        let mut kept = Self::default();
        for &place in self.index.iter().take(keep) {
            kept.push(Self::at(&self.runs, place));
        }
        *self = kept;
        self.get(self.len().saturating_sub(1))
            .map(<[u8]>::to_vec)
            .unwrap_or_default()
    }

    /// Puts sorted records together, up to the last one that none of them lacks.
    fn merge(parts: Vec<Self>, bound: Option<&[u8]>) -> Self {
        let mut merged = Self::default();
        for (part, number) in parts.into_iter().zip(0..) {
            let Some(run) = part.runs.into_iter().next() else {
                continue;
            };
            merged.runs.resize_with(number, Vec::new);
            merged.runs.push(run);
            let number = u32::try_from(number).unwrap_or_default() << OFFSET_BITS;
            merged.index.extend(part.index.into_iter().map(|place| place | number));
        }
        merged.sort();
        if let Some(bound) = bound {
            merged.index.truncate(merged.behind(bound));
        }
        merged
    }
}

/// A part of a directory in order.
#[derive(Debug)]
pub(super) struct Window {
    /// The records, sorted.
    pub(super) records: Records,
    /// Entries in the whole directory.
    pub(super) total: u64,
    /// The cursor that it starts behind; empty for the directory's start.
    after: Vec<u8>,
    /// Whether it reaches the directory's end.
    pub(super) whole: bool,
    dir: Meta,
    order: Order,
    settled: bool,
}

impl Window {
    /// Whether a page behind `after` can be taken from here.
    fn serves(&self, dir: &Meta, order: Order, after: &[u8]) -> bool {
        let fresh = !after.is_empty() || (self.settled && self.dir.mtime == dir.mtime);
        self.dir.same(dir)
            && self.order == order
            && fresh
            && after >= self.after.as_slice()
            && (self.whole || self.records.behind(after) < self.records.len())
    }
}

/// The windows that are remembered: as many as fit the budget, the latest used last.
#[derive(Debug)]
pub(super) struct Windows {
    budget: usize,
    kept: Mutex<Vec<Arc<Window>>>,
    /// Held while a window of a huge directory is made, so that only one such scan takes memory at a time.
    making: Mutex<()>,
}

impl Default for Windows {
    fn default() -> Self {
        Self::of(WINDOW)
    }
}

impl Windows {
    pub(super) fn of(budget: usize) -> Self {
        Self {
            budget,
            kept: Mutex::default(),
            making: Mutex::default(),
        }
    }

    /// Finds or makes the window of a directory behind a cursor (empty for the start).
    pub(super) fn get(
        &self,
        dir: &OwnedFd,
        order: Order,
        after: &[u8],
        cancelled: &Cancelled<'_>,
    ) -> Result<Arc<Window>, Errno> {
        let meta = Meta::of(dir)?;
        if let Some(window) = self.find(&meta, order, after) {
            return Ok(window);
        }
        let mut scan = Scan {
            dir,
            meta,
            order,
            after,
            limit: self.budget.min(SMALL),
            may_cut: self.budget <= SMALL,
        };
        if let Some(window) = scan.run(cancelled)? {
            return Ok(Arc::new(window));
        }
        let _turn = lock(&self.making);
        if let Some(window) = self.find(&meta, order, after) {
            return Ok(window);
        }
        // What is remembered and what is made share the budget.
        lock(&self.kept).clear();
        scan.limit = self.budget;
        scan.may_cut = true;
        let window = Arc::new(scan.run(cancelled)?.ok_or(Errno::NOMEM)?);
        lock(&self.kept).push(Arc::clone(&window));
        Ok(window)
    }

    fn find(&self, dir: &Meta, order: Order, after: &[u8]) -> Option<Arc<Window>> {
        lock(&self.kept)
            .iter()
            .find(|window| window.serves(dir, order, after))
            .cloned()
    }
}

/// One pass over a directory.
struct Scan<'a> {
    dir: &'a OwnedFd,
    meta: Meta,
    order: Order,
    after: &'a [u8],
    limit: usize,
    /// Whether records beyond the limit are forgotten; else the scan gives up there.
    may_cut: bool,
}

/// What one thread gathered.
struct Part {
    records: Records,
    total: u64,
    /// The last record behind which some were forgotten.
    bound: Option<Vec<u8>>,
}

impl Scan<'_> {
    /// `None` when the directory is larger than the limit and may not be cut.
    fn run(&self, cancelled: &Cancelled<'_>) -> Result<Option<Window>, Errno> {
        seek(self.dir, SeekFrom::Start(0))?;
        // Looking at each entry is what takes its time; names alone are read faster than they are handed over.
        let threads = match self.may_cut && key_len(self.order) > 0 {
            true => thread::available_parallelism().map_or(1, |cores| cores.get().min(THREADS)),
            false => 1,
        };
        let (limit, reading) = (self.limit / threads, Mutex::new(()));
        let gather = || self.gather(limit, &reading, cancelled);
        let parts: Vec<Result<Option<Part>, Errno>> = thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(gather)).collect();
            let own = gather();
            let joined = others
                .into_iter()
                .map(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic)));
            [own].into_iter().chain(joined).collect()
        });
        let Some(parts) = parts.into_iter().collect::<Result<Option<Vec<Part>>, Errno>>()? else {
            return Ok(None);
        };
        let total = parts.iter().map(|part| part.total).sum();
        let bound = parts.iter().filter_map(|part| part.bound.clone()).min();
        let records = parts.into_iter().map(|part| part.records).collect();
        Ok(Some(Window {
            records: Records::merge(records, bound.as_deref()),
            total,
            after: self.after.to_vec(),
            whole: bound.is_none(),
            dir: self.meta,
            order: self.order,
            settled: now() - self.meta.mtime.secs > SETTLED_SECS,
        }))
    }

    /// Reads entries until there are no more; other threads read the same directory meanwhile, and each entry comes
    /// to one of them.
    fn gather(&self, limit: usize, reading: &Mutex<()>, cancelled: &Cancelled<'_>) -> Result<Option<Part>, Errno> {
        let mut part = Part {
            records: Records::default(),
            total: 0,
            bound: None,
        };
        let mut buffer = vec![MaybeUninit::uninit(); DIRENTS];
        let mut entries = RawDir::new(self.dir, &mut buffer);
        let mut record = Vec::new();
        loop {
            let turn = entries.is_buffer_empty().then(|| lock(reading));
            let Some(entry) = entries.next() else { break };
            drop(turn);
            let entry = entry?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            part.total += 1;
            if part.total.is_multiple_of(1024) && cancelled() {
                return Err(Errno::CANCELED);
            }
            write_record(&mut record, self.order, self.dir, name, entry.file_type());
            let beyond = |part: &Part| part.bound.as_ref().is_some_and(|bound| record > *bound);
            if record.as_slice() <= self.after || beyond(&part) {
                continue;
            }
            if part.records.cost() + record.len() + INDEX > limit {
                if !self.may_cut {
                    return Ok(None);
                }
                part.bound = Some(part.records.halve());
                if beyond(&part) {
                    continue;
                }
            }
            part.records.push(&record);
        }
        part.records.sort();
        Ok(Some(part))
    }
}

fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}

/// Bytes of a key in front of the name.
fn key_len(order: Order) -> usize {
    match order {
        Order::Name | Order::NameDescending => 0,
        Order::Size => 8,
        Order::Modified => 12,
    }
}

/// Writes the record of an entry. One that cannot be looked at comes last among its like.
fn write_record(record: &mut Vec<u8>, order: Order, dir: &OwnedFd, name: &CStr, file_type: FileType) {
    record.clear();
    let needs_meta = key_len(order) > 0 || file_type == FileType::Unknown;
    let meta = if needs_meta { Meta::at(dir, name).ok() } else { None };
    let is_dir = meta.map_or(kind(file_type), |meta| meta.kind()) == Kind::Dir;
    record.push(u8::from(!is_dir));
    match order {
        Order::Name | Order::NameDescending => {}
        Order::Size => record.extend((!meta.map_or(0, |meta| meta.allocated)).to_be_bytes()),
        Order::Modified => {
            let (secs, nanos) = meta.map_or((i64::MIN, 0), |meta| (meta.mtime.secs, meta.mtime.nanos));
            record.extend((!(secs.cast_unsigned() ^ (1 << 63))).to_be_bytes());
            record.extend((!nanos).to_be_bytes());
        }
    }
    match order {
        // No name holds a NUL, so 255 ends an inverted one behind all that it is a prefix of.
        Order::NameDescending => {
            record.extend(name.to_bytes().iter().map(|byte| !byte));
            record.push(u8::MAX);
        }
        Order::Name | Order::Size | Order::Modified => record.extend_from_slice(name.to_bytes()),
    }
}

/// The name in a record, and whether it was a directory; `None` for bytes that are no record.
pub(super) fn read_record(record: &[u8], order: Order) -> Option<(CString, bool)> {
    let (&rank, rest) = record.split_first()?;
    let name = rest.get(key_len(order)..)?;
    let name = match order {
        Order::NameDescending => name.strip_suffix(&[u8::MAX])?.iter().map(|byte| !byte).collect(),
        Order::Name | Order::Size | Order::Modified => name.to_vec(),
    };
    Some((CString::new(name).ok()?, rank == 0))
}
