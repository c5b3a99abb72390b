//! Searches a tree by base name.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::Roots;
use super::meta::Meta;
use super::pattern::Pattern;
use super::walk::{Notes, Visit, Walk};
use crate::proto::{Fault, Found, Place, Reply};
use crate::serve::{Halt, Sink};

/// Bytes of names in one reply.
const BATCH: usize = 64 << 10;
/// How long a match waits for others.
const GATHER: Duration = Duration::from_millis(50);
/// Longest path that is reported.
const PATH: usize = 64 << 10;

impl Roots {
    /// Sends the entries whose base name matches.
    pub(super) fn find(&self, at: &Place, dfa: &[u8], limit: u32, sink: &Sink) -> Result<Vec<Fault>, Halt> {
        let pattern = Pattern::new(dfa)?;
        let (mut found, mut bytes, mut left) = (Vec::new(), 0, limit);
        let mut notes = Notes::default();
        let mut sent = Instant::now();
        let visit = |visit: &Visit<'_>, _: &mut Notes| {
            if left == 0 {
                return Ok(ControlFlow::Break(()));
            }
            if pattern.matches(visit.name.to_bytes()) {
                let mut path = visit.path();
                path.truncate(PATH);
                bytes += path.len();
                // The size of what went meanwhile is nothing.
                let size = Meta::at(visit.dir, visit.name).map_or(0, |meta| meta.size);
                found.push(Found {
                    path,
                    kind: visit.kind,
                    size,
                });
                left -= 1;
            }
            if !found.is_empty() && (bytes >= BATCH || sent.elapsed() >= GATHER) {
                sink.send(Reply::Found(std::mem::take(&mut found)))?;
                bytes = 0;
                sent = Instant::now();
            }
            Ok(ControlFlow::Continue(()))
        };
        Walk::new(self, at, sink, visit).run(&mut notes)?;
        if !found.is_empty() {
            sink.send(Reply::Found(found))?;
        }
        Ok(notes.0)
    }
}
