//! Takes a change back, batch by batch as its journal holds them. What is neither as the change left it nor as it was
//! before is left alone; what was taken back before is found so.

use std::io;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vole_agent::proto::own::{Group, Record, Undone};

use super::{Progress, UndoReport};
use crate::engine::{Engine, EngineError, Purpose, Session};
use crate::journal::{self, Header, JournalId, Operation, Own, Undoing};
use crate::model::{BytePath, MountKind};
use crate::ops::writable::{self, refusal};
use crate::text;

/// Skips that a report holds.
const SKIPS: usize = 1000;
/// Bytes of records that are sent at once, about: a frame holds twice as much.
const AT_ONCE: usize = 512 << 10;
/// Bytes of a record beside its name and attributes, at most.
const RECORD: usize = 96;

/// See [`super::undo`].
pub(super) async fn undo(
    engine: &Engine,
    store: &journal::Store,
    id: &JournalId,
    progress: &mpsc::Sender<Progress>,
    cancel: &CancellationToken,
) -> Result<UndoReport, EngineError> {
    let unread = |error: io::Error| {
        refusal(format!(
            "journal {} cannot be used: {error}",
            text::printable_str(id.as_str())
        ))
    };
    let (undoing, entries) = blocking({
        let (store, id) = (store.clone(), id.clone());
        move || {
            let mut undoing = store.undo(&id)?;
            let entries = undoing.entries()?;
            Ok((undoing, entries))
        }
    })
    .await
    .map_err(unread)?;
    let Operation::Own(own) = undoing.header().operation.clone() else {
        let words = undoing.header().words();
        return Err(refusal(format!(
            "journal {id} is of a {words}, which nothing takes back: `vole recover` brings to an end what was cut short"
        )));
    };
    let opening = open(engine, undoing.header());
    let (session, root, dev) = cancel
        .run_until_cancelled(opening)
        .await
        .unwrap_or(Err(EngineError::Cancelled))?;
    let mut back = Back {
        session,
        root,
        was: undoing.header().mount.dev,
        is: dev,
        own,
        report: UndoReport::default(),
        progress,
        entries,
    };
    let undoing = back.all(undoing, cancel).await;
    let mut report = back.report;
    if let Some(undoing) = undoing {
        report.stopped = report.stopped.or_else(|| undoing.damage());
        let (restored, skipped) = (report.restored, report.skipped);
        let marked = blocking(move || undoing.done(restored, skipped)).await;
        if let Err(error) = marked {
            report
                .stopped
                .get_or_insert_with(|| format!("all was put back, but the journal could not be marked so: {error}"));
        }
    }
    Ok(report)
}

/// Opens the mount of a journal, when it is still the one.
async fn open(engine: &Engine, header: &Header) -> Result<(Session, u32, (u32, u32)), EngineError> {
    if header.engine != engine.id {
        return Err(refusal(format!(
            "the journal belongs to another engine, {}",
            header.endpoint
        )));
    }
    let site = &header.mount;
    let now = writable::now(engine, &site.id, &site.name, site.kind, &BytePath::root()).await?;
    if let Some(why) = site.differs(&now.mount, now.is_dated()) {
        return Err(refusal(format!("{} is not the one that was changed: {why}", site.name)));
    }
    let (session, root) = writable::open(engine, &now.mount, Purpose::Own).await?;
    let (info, seen) = now.survey.check(&session, root, b"").await?;
    // A number is given again to the next directory; the time of its making is not.
    let reborn = matches!((site.born, seen.born), (Some(was), Some(is)) if was != is);
    if seen.ino != site.ino || reborn {
        let was = match site.kind {
            MountKind::Bind => "another directory stands there",
            _ => "its data are others",
        };
        return Err(refusal(format!("{} is not the one that was changed: {was}", site.name)));
    }
    if info.read_only {
        return Err(refusal(format!("{} is on a file system that is read-only", site.name)));
    }
    Ok((session, root, info.dev))
}

/// Entries on their way back.
struct Back<'a> {
    session: Session,
    root: u32,
    /// The device that held the root when the journal was written, and the one that does now.
    was: (u32, u32),
    is: (u32, u32),
    own: Own,
    report: UndoReport,
    progress: &'a mpsc::Sender<Progress>,
    entries: u64,
}

impl Back<'_> {
    /// Puts all batches back; the journal again when that was all of it.
    async fn all(&mut self, mut undoing: Undoing, cancel: &CancellationToken) -> Option<Undoing> {
        loop {
            let read = blocking(move || {
                let groups = undoing.next_batch()?;
                Ok((undoing, groups))
            });
            let groups = match read.await {
                Ok((same, Some(groups))) => {
                    undoing = same;
                    groups
                }
                Ok((same, None)) => return Some(same),
                Err(error) => {
                    self.stop(format!("the journal cannot be read: {error}"));
                    return None;
                }
            };
            for groups in portions(groups) {
                if cancel.is_cancelled() {
                    self.stop("cancelled".to_owned());
                    return None;
                }
                if let Err(error) = self.portion(groups).await {
                    self.stop(error.to_string());
                    return None;
                }
            }
        }
    }

    fn stop(&mut self, why: String) {
        self.report.stopped.get_or_insert(why);
    }

    async fn portion(&mut self, mut groups: Vec<Group>) -> Result<(), EngineError> {
        // The numbers of devices may change when a host starts; inodes keep theirs, and nothing of another file system
        // was ever changed.
        for record in groups.iter_mut().flat_map(|group| &mut group.records) {
            if record.dev == self.was {
                record.dev = self.is;
            }
        }
        let undone = self.session.undo(self.root, self.own.change.clone(), groups).await?;
        self.take(undone);
        let done = self.report.restored + self.report.already + self.report.skipped;
        let progress = Progress {
            done,
            total: Some(self.entries),
        };
        // Who started it may have stopped listening.
        let _heard = self.progress.send(progress).await;
        Ok(())
    }

    fn take(&mut self, undone: Undone) {
        let report = &mut self.report;
        report.restored += undone.restored;
        report.already += undone.already;
        report.skipped += undone.skips.len() as u64;
        let room = SKIPS.saturating_sub(report.skips.len());
        report.skips.extend(undone.skips.into_iter().take(room));
        if let Some(first) = undone.faults.first() {
            self.stop(format!(
                "not all could be put back in full; the first: {}",
                text::fault(first)
            ));
        }
    }
}

/// Parts of a batch, each with room in a frame.
fn portions(groups: Vec<Group>) -> Vec<Vec<Group>> {
    let mut portions: Vec<Vec<Group>> = Vec::new();
    let mut size = usize::MAX;
    for group in groups {
        let mut open = false;
        for record in group.records {
            let weight = weight(&record) + if open { 0 } else { group.dir.len() };
            if size.saturating_add(weight) > AT_ONCE {
                portions.push(Vec::new());
                (size, open) = (0, false);
            }
            size += weight;
            let Some(portion) = portions.last_mut() else { continue };
            match portion.last_mut().filter(|_| open) {
                Some(last) => last.records.push(record),
                None => portion.push(Group {
                    dir: group.dir.clone(),
                    records: vec![record],
                }),
            }
            open = true;
        }
    }
    portions
}

fn weight(record: &Record) -> usize {
    let attributes = [&record.capability, &record.acl, &record.default_acl];
    let attributes: usize = attributes.into_iter().flatten().map(Vec::len).sum();
    RECORD + record.name.len() + attributes
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use vole_agent::proto::Kind;

    use super::*;

    fn group(dir: &str, names: usize, length: usize) -> Group {
        let record = |number: usize| Record {
            name: format!("{number:0length$}").into_bytes(),
            dev: (8, 1),
            ino: number as u64,
            kind: Kind::File,
            nlink: 1,
            uid: 0,
            gid: 0,
            mode: 0,
            capability: None,
            acl: None,
            default_acl: None,
        };
        Group {
            dir: dir.as_bytes().to_vec(),
            records: (0..names).map(record).collect(),
        }
    }

    #[test]
    fn portions_fit_a_frame_and_lose_nothing() {
        let groups = vec![group("", 3000, 200), group("d", 1, 3), group("e", 4000, 250)];
        let portions = portions(groups.clone());
        assert!(portions.len() > 2, "{}", portions.len());
        for portion in &portions {
            assert!(postcard::to_stdvec(portion).unwrap().len() <= AT_ONCE);
        }
        let flat = |groups: &[Group]| -> Vec<(Vec<u8>, Record)> {
            let one = |group: &Group| {
                let dir = group.dir.clone();
                group
                    .records
                    .clone()
                    .into_iter()
                    .map(move |record| (dir.clone(), record))
            };
            groups.iter().flat_map(one).collect()
        };
        assert_eq!(flat(&portions.concat()), flat(&groups));
        assert_eq!(super::portions(vec![group("d", 2, 3)]), [vec![group("d", 2, 3)]]);
    }
}
