//! What was seen in one place, within bounds: per sign, so that one never crowds out another, and in all.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::{HEAD, Signs};
use crate::proto::{Seen, Sign};
use crate::serve::lock;

/// Entries kept per sign and place.
const KEPT: u32 = 8;
/// Files opened per sign and place: a directory may hold half a million of one suffix.
const OPENED: u32 = 64;
/// Bytes of what is seen in one place, far below a frame.
const BYTES: usize = 256 << 10;
/// Bytes of one sign's paths in one place, so that long names of one sign never crowd out another.
const BYTES_OF_SIGN: u64 = 2 << 10;

/// What was seen in one place so far; walkers share it.
#[derive(Debug, Default)]
pub struct Finds {
    signs: Vec<Counts>,
    seen: Mutex<(Vec<Seen>, usize)>,
    stray: AtomicU64,
}

#[derive(Debug, Default)]
struct Counts {
    kept: AtomicU32,
    opened: AtomicU32,
    bytes: AtomicU64,
}

impl Finds {
    /// Nothing seen yet of so many signs.
    #[must_use]
    pub fn of(signs: &Signs) -> Self {
        Self {
            signs: signs.signs.iter().map(|_| Counts::default()).collect(),
            ..Self::default()
        }
    }

    /// Counts entries that nothing speaks for.
    pub fn add_stray(&self, entries: u64) {
        self.stray.fetch_add(entries, Ordering::Relaxed);
    }

    /// Keeps an entry that matches a sign, unless enough of them are kept or it does not start as it should. `head`
    /// reads so many bytes of it.
    pub fn see(
        &self,
        at: usize,
        sign: &Sign,
        path: impl FnOnce() -> Vec<u8>,
        head: impl FnOnce(usize) -> Option<Vec<u8>>,
    ) {
        let Some(counts) = self.signs.get(at) else { return };
        let full = |count: &AtomicU32, most: u32| count.load(Ordering::Relaxed) >= most;
        if full(&counts.kept, KEPT) || counts.bytes.load(Ordering::Relaxed) >= BYTES_OF_SIGN {
            return;
        }
        let want = usize::from(sign.head).max(sign.magic.len()).min(HEAD);
        let mut start = Vec::new();
        if want > 0 && !sign.dir {
            if full(&counts.opened, OPENED) {
                return;
            }
            counts.opened.fetch_add(1, Ordering::Relaxed);
            match head(want) {
                Some(found) => start = found,
                None if sign.magic.is_empty() => {}
                None => return,
            }
            if !start.starts_with(&sign.magic) {
                return;
            }
            start.truncate(usize::from(sign.head));
        }
        let (path, Ok(index)) = (path(), u32::try_from(at)) else {
            return;
        };
        let bytes = path.len() + start.len() + 16;
        let mut seen = lock(&self.seen);
        if seen.1 + bytes <= BYTES && counts.kept.fetch_add(1, Ordering::Relaxed) < KEPT {
            counts.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
            seen.1 += bytes;
            seen.0.push(Seen {
                sign: index,
                path,
                head: start,
            });
        }
    }

    /// What was seen, sorted, and the number of stray entries.
    pub fn take(&self) -> (Vec<Seen>, u64) {
        let (mut seen, _) = std::mem::take(&mut *lock(&self.seen));
        seen.sort_by(|a, b| (a.sign, &a.path).cmp(&(b.sign, &b.path)));
        (seen, self.stray.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(name: &str, magic: &[u8]) -> Sign {
        Sign {
            path: vec![name.as_bytes().to_vec()],
            dir: false,
            levels: 2,
            head: 0,
            magic: magic.to_vec(),
            cover: None,
        }
    }

    #[test]
    fn what_is_kept_of_one_sign_is_bounded_and_leaves_room_for_the_others() {
        let (many, other) = (sign("*.sql", b""), sign("PG_VERSION", b""));
        let finds = Finds::of(&Signs::new(vec![many.clone(), other.clone()]));
        let long = vec![b'x'; 1200];
        for _ in 0..1000 {
            finds.see(0, &many, || long.clone(), |_| None);
        }
        finds.see(1, &other, || b"PG_VERSION".to_vec(), |_| None);
        let (seen, _) = finds.take();
        assert_eq!(seen.len(), 3, "two long names, and the other sign");
        assert_eq!(seen[2].path, b"PG_VERSION");
    }

    #[test]
    fn no_more_than_a_few_files_are_opened_for_a_sign() {
        let sign = sign("*.db", b"SQLite");
        let (finds, opened) = (Finds::of(&Signs::new(vec![sign.clone()])), std::cell::Cell::new(0));
        for index in 0..10_000 {
            let read = |_| {
                opened.set(opened.get() + 1);
                Some(if index == 3 {
                    b"SQLite format".to_vec()
                } else {
                    b"else".to_vec()
                })
            };
            finds.see(0, &sign, || b"x".to_vec(), read);
        }
        assert_eq!((finds.take().0.len(), opened.get()), (1, OPENED));
    }
}
