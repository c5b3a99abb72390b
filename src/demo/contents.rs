//! The contents of the demo's files, generated for any range, so that a film of 4 GB costs no memory and any
//! split of a read gives the same bytes. Knows nothing of trees or requests.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::lines::Lines;

/// Lines are generated in blocks of so many bytes; a block always ends with a line feed.
const BLOCK: u64 = 4096;
/// How long a block of log lines took to be written, in seconds.
const BLOCK_SECONDS: i64 = 45;

/// What a file holds.
#[derive(Debug, Clone)]
pub(super) struct Contents {
    len: u64,
    seed: u64,
    form: Form,
}

#[derive(Debug, Clone)]
enum Form {
    Text(Cow<'static, [u8]>),
    Kept(Arc<[u8]>),
    Lines(Lines),
    Random { magic: &'static [u8] },
    Heap,
    Zeros,
    Growing { lines: Lines, growth: Arc<Growth> },
}

/// A text as it stands.
pub(super) fn text(text: impl Into<Cow<'static, str>>) -> Contents {
    let bytes = match text.into() {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    };
    Contents {
        len: bytes.len() as u64,
        seed: 0,
        form: Form::Text(bytes),
    }
}

/// Bytes as they stand.
pub(super) fn bytes(bytes: &'static [u8]) -> Contents {
    Contents {
        len: bytes.len() as u64,
        seed: 0,
        form: Form::Text(Cow::Borrowed(bytes)),
    }
}

/// Bytes that were unpacked.
pub(super) fn kept(bytes: Arc<[u8]>) -> Contents {
    Contents {
        len: bytes.len() as u64,
        seed: 0,
        form: Form::Kept(bytes),
    }
}

/// Generated lines.
pub(super) fn lines(kind: Lines, len: u64, seed: u64) -> Contents {
    Contents {
        len,
        seed,
        form: Form::Lines(kind),
    }
}

/// A binary file: a format's first bytes, then noise.
pub(super) fn random(magic: &'static [u8], len: u64, seed: u64) -> Contents {
    Contents {
        len,
        seed,
        form: Form::Random { magic },
    }
}

/// Pages of a PostgreSQL table.
pub(super) fn heap(len: u64, seed: u64) -> Contents {
    Contents {
        len,
        seed,
        form: Form::Heap,
    }
}

/// Zero bytes.
pub(super) fn zeros(len: u64) -> Contents {
    Contents {
        len,
        seed: 0,
        form: Form::Zeros,
    }
}

/// Generated lines, and one more at each tick of `growth` once somebody follows.
pub(super) fn growing(kind: Lines, len: u64, seed: u64, growth: Arc<Growth>) -> Contents {
    Contents {
        len,
        seed,
        form: Form::Growing { lines: kind, growth },
    }
}

/// The clock of a growing file. It stands still until somebody follows, so that what is listed and measured
/// before that never changes.
#[derive(Debug)]
pub(super) struct Growth {
    tick: Duration,
    started: OnceLock<Instant>,
}

impl Growth {
    /// A clock that adds a line per `tick`.
    pub(super) fn new(tick: Duration) -> Self {
        Self {
            tick,
            started: OnceLock::new(),
        }
    }

    /// Lines added by now.
    fn added(&self) -> u64 {
        match (self.started.get(), self.tick.as_millis()) {
            (Some(started), tick @ 1..) => u64::try_from(started.elapsed().as_millis() / tick).unwrap_or(u64::MAX),
            (Some(_) | None, _) => 0,
        }
    }
}

impl Contents {
    /// The length in bytes, now.
    pub(super) fn len(&self) -> u64 {
        match &self.form {
            Form::Growing { lines, growth } => self.len + growth.added() * lines.tail_len(),
            Form::Text(_) | Form::Kept(_) | Form::Lines(_) | Form::Random { .. } | Form::Heap | Form::Zeros => self.len,
        }
    }

    /// Seconds by which the file's last change is later than its node says.
    pub(super) fn grown_seconds(&self) -> i64 {
        match &self.form {
            Form::Growing { growth, .. } => i64::try_from(growth.added()).unwrap_or(i64::MAX),
            Form::Text(_) | Form::Kept(_) | Form::Lines(_) | Form::Random { .. } | Form::Heap | Form::Zeros => 0,
        }
    }

    /// Lets a growing file grow from now on; says how long to wait between looks at it.
    pub(super) fn start_growing(&self) -> Option<Duration> {
        match &self.form {
            Form::Growing { growth, .. } => {
                growth.started.get_or_init(Instant::now);
                Some(growth.tick / 4)
            }
            Form::Text(_) | Form::Kept(_) | Form::Lines(_) | Form::Random { .. } | Form::Heap | Form::Zeros => None,
        }
    }

    /// Bytes from `offset` on, at most `len`, fewer where the file ends. `end` is when the file was last
    /// changed before it began to grow, in seconds since the epoch; log lines lead up to it.
    pub(super) fn read(&self, end: i64, offset: u64, len: usize) -> Vec<u8> {
        let stop = self.len().min(offset.saturating_add(len as u64));
        let mut out = Vec::with_capacity(usize::try_from(stop.saturating_sub(offset)).unwrap_or(0));
        let mut at = offset;
        while at < stop {
            let (start, part) = self.part(end, at);
            let from = usize::try_from(at - start).unwrap_or(0);
            let until = usize::try_from(stop - start).unwrap_or(usize::MAX).min(part.len());
            if from >= until {
                break;
            }
            out.extend_from_slice(&part[from..until]);
            at = start + until as u64;
        }
        out
    }

    /// The part that holds `at`, and where it starts.
    fn part(&self, end: i64, at: u64) -> (u64, Cow<'_, [u8]>) {
        match &self.form {
            Form::Text(text) => (0, Cow::Borrowed(&text[..])),
            Form::Kept(bytes) => (0, Cow::Borrowed(&bytes[..])),
            Form::Lines(kind) => self.lines_part(*kind, end, at),
            Form::Growing { lines, .. } if at < self.len => self.lines_part(*lines, end, at),
            Form::Growing { lines, .. } => {
                let index = (at - self.len) / lines.tail_len();
                let when = end + 1 + i64::try_from(index).unwrap_or(0);
                (self.len + index * lines.tail_len(), Cow::Owned(lines.tail(index, when)))
            }
            Form::Random { magic } => {
                let start = at / BLOCK * BLOCK;
                let mut block = noise(self.seed, start, BLOCK);
                if start == 0 {
                    block[..magic.len()].copy_from_slice(magic);
                    // No generated binary may pass for text: a NUL stands early in each.
                    block[magic.len()] = 0;
                }
                (start, Cow::Owned(block))
            }
            Form::Heap => {
                let start = at / BLOCK * BLOCK;
                (start, Cow::Owned(heap_half_page(self.seed, start)))
            }
            Form::Zeros => (at / BLOCK * BLOCK, Cow::Owned(vec![0; BLOCK as usize])),
        }
    }

    fn lines_part(&self, kind: Lines, end: i64, at: u64) -> (u64, Cow<'_, [u8]>) {
        let index = at / BLOCK;
        let start = index * BLOCK;
        let behind = i64::try_from(self.len.div_ceil(BLOCK) - index).unwrap_or(0);
        let room = (self.len - start).min(BLOCK);
        let block = kind.block(
            mix(self.seed ^ index),
            end - behind * BLOCK_SECONDS,
            BLOCK_SECONDS,
            usize::try_from(room).unwrap_or(0),
        );
        (start, Cow::Owned(block))
    }
}

/// Half a page of a PostgreSQL table: the first has header and line pointers, the second the rows.
fn heap_half_page(seed: u64, start: u64) -> Vec<u8> {
    let mut block = vec![0; BLOCK as usize];
    if start.is_multiple_of(2 * BLOCK) {
        block[..8].copy_from_slice(&(0x01_6b37_4d28 + start / 8).to_le_bytes());
        block[12..24].copy_from_slice(&[0xd4, 0x00, 0x00, 0x10, 0x00, 0x20, 0x04, 0x20, 0, 0, 0, 0]);
        for (index, pointer) in block[24..0xd4].chunks_exact_mut(4).enumerate() {
            let place = 8192 - 92 * (index as u32 + 1);
            pointer.copy_from_slice(&(place | 1 << 15 | 92 << 17).to_le_bytes());
        }
        return block;
    }
    for (index, place) in block.chunks_exact_mut(92).enumerate() {
        let hash = mix(seed ^ start ^ index as u64);
        place[..8].copy_from_slice(&(hash & 0xff_ffff).to_le_bytes());
        let (order, customer, token) = (hash % 10_000_000, hash % 4_211, hash >> 32);
        let row = format!("order-{order:07} customer{customer}@example.org {token:08x}");
        let room = row.len().min(place.len() - 24);
        place[24..24 + room].copy_from_slice(&row.as_bytes()[..room]);
    }
    block
}

fn noise(seed: u64, start: u64, len: u64) -> Vec<u8> {
    (start / 8..(start + len) / 8)
        .flat_map(|word| mix(seed ^ word.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_le_bytes())
        .collect()
}

/// Mixes 64 bits thoroughly (SplitMix64), so that equal inputs give equal demos and nothing else does.
pub(super) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
