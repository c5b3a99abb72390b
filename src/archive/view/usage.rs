//! Sums over an archive's tree, as `du` has them. A file counts what it takes in the archive, holes left out.

use vole_agent::proto::{Fault, Kind, Place, Reply, Totals, UsageItem};
use vole_agent::serve::{Halt, Sink};

use super::View;
use super::search::joined;

/// The most items in one reply.
const BATCH: usize = 512;

impl View {
    /// Measures places; see [`vole_agent::proto::Request::Usage`]. Signs are not looked for.
    pub(super) fn usage(&self, places: &[Place], depth: u32, sink: &Sink) -> Result<Vec<Fault>, Halt> {
        for (place, at) in (0_u32..).zip(places) {
            let items = match self.row(at) {
                Ok(row) => self.measure(place, row, depth, sink)?,
                Err(fault) => vec![UsageItem::Failed { place, fault }],
            };
            for batch in items.chunks(BATCH) {
                sink.send(Reply::Usage(batch.to_vec()))?;
            }
        }
        Ok(Vec::new())
    }

    fn measure(&self, place: u32, top: u32, depth: u32, sink: &Sink) -> Result<Vec<UsageItem>, Halt> {
        let mut met = std::collections::HashSet::new();
        let mut items = Vec::new();
        // Directories that are being summed: their row, path, level and sums, and how many entries were taken.
        let mut stack = vec![(top, Vec::new(), 0_u32, Totals::default(), 0_usize)];
        self.count(top, &mut met, &mut stack[0].3);
        let mut total = stack[0].3;
        while let Some((dir, path, level, totals, taken)) = stack.last_mut() {
            if sink.cancelled() {
                return Err(Halt::Cancelled);
            }
            let Some(&child) = self.index.children(*dir).get(*taken) else {
                let (path, level, totals) = (std::mem::take(path), *level, *totals);
                stack.pop();
                match stack.last_mut() {
                    Some((.., above, _)) => add(above, &totals),
                    None => total = totals,
                }
                if level > 0 && level <= depth {
                    items.push(UsageItem::Dir { place, path, totals });
                }
                continue;
            };
            *taken += 1;
            if self.index.row(child).kind == Kind::Dir {
                let path = joined(path, self.index.name(child));
                let level = *level + 1;
                let mut totals = Totals::default();
                self.count(child, &mut met, &mut totals);
                stack.push((child, path, level, totals, 0));
            } else {
                self.count(child, &mut met, totals);
            }
        }
        items.push(UsageItem::Complete {
            place,
            totals: total,
            other_fs: 0,
            faults: Vec::new(),
            seen: Vec::new(),
            stray: 0,
        });
        Ok(items)
    }

    /// Counts one entry by itself; a file with several names once.
    fn count(&self, row: u32, met: &mut std::collections::HashSet<u32>, totals: &mut Totals) {
        let entry = self.index.entry_key(row);
        if entry.nlink < 2 || met.insert(entry.file) {
            totals.bytes += entry.allocated;
            totals.apparent += entry.size;
        }
        if entry.is_dir {
            totals.dirs += 1;
        } else {
            totals.files += 1;
            totals.newest = totals.newest.max(Some(entry.mtime));
        }
    }
}

fn add(sum: &mut Totals, part: &Totals) {
    sum.bytes += part.bytes;
    sum.apparent += part.apparent;
    sum.files += part.files;
    sum.dirs += part.dirs;
    sum.errors += part.errors;
    sum.newest = sum.newest.max(part.newest);
}
