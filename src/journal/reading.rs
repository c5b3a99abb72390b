//! Journals that are listed or taken back. Holds one batch at a time, whatever the journal's length.

use std::io;
use std::path::Path;

use vole_agent::proto::own::Group;

use super::file::{Ending, Records};
use super::record::{End, Header, Operation, Record, Site};
use super::{JournalId, Listed, Stage, Unfinished};

/// What is said of a journal at a glance; `None` of one that takes nothing back.
pub(super) fn look(path: &Path, id: JournalId) -> io::Result<Option<Listed>> {
    let mut records = Records::open(path)?;
    let header = header_of(&mut records)?;
    match header.operation {
        Operation::Own(_) => {}
        Operation::Restore(_) => return Ok(None),
    }
    let (mut entries, mut stage) = (0, Stage::Interrupted);
    while let Some(record) = records.next()? {
        match record {
            Record::Batch { groups, .. } => entries += count(&groups),
            Record::Ended(End::Done) => stage = Stage::Done,
            Record::Undone { skipped: 0, .. } => stage = Stage::Undone,
            Record::Undone { .. } => stage = Stage::UndoneInPart,
            Record::Header(_) | Record::Applied { .. } | Record::Ended(End::Stopped(_)) | Record::Made(_) => {}
        }
    }
    Ok(Some(Listed {
        id,
        at: header.began(),
        words: header.words(),
        mount: (header.mount.id.clone(), header.mount.name.clone()),
        entries,
        stage,
        damage: damage(&records),
    }))
}

/// What is to be recovered of a journal: `None` when its operation ended, runs, or is not one that is recovered.
pub(super) fn unfinished(path: &Path, id: JournalId) -> io::Result<Option<Unfinished>> {
    let mut records = Records::open(path)?;
    let header = header_of(&mut records)?;
    if !matches!(header.operation, Operation::Restore(_)) || records.is_locked()? {
        return Ok(None);
    }
    Ok(state(&mut records)?.map(|made| Unfinished { id, header, made }))
}

/// The volume that was made, of an operation that has not ended.
fn state(records: &mut Records) -> io::Result<Option<Option<Site>>> {
    let mut made = None;
    while let Some(record) = records.next()? {
        match record {
            Record::Made(site) => made = Some(*site),
            Record::Ended(End::Done) | Record::Undone { .. } => return Ok(None),
            Record::Header(_) | Record::Batch { .. } | Record::Applied { .. } | Record::Ended(End::Stopped(_)) => {}
        }
    }
    Ok(Some(made))
}

fn count(groups: &[Group]) -> u64 {
    groups.iter().map(|group| group.records.len() as u64).sum()
}

fn header_of(records: &mut Records) -> io::Result<Header> {
    match records.next()? {
        Some(Record::Header(header)) => Ok(*header),
        Some(_) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "its first record is no header",
        )),
        // The header is on the disk before anything is done.
        None => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "its first record is not whole: what it was begun for changed nothing, or the file is damaged",
        )),
    }
}

fn damage(records: &Records) -> Option<String> {
    match records.ending()? {
        Ending::Whole => None,
        Ending::Damaged(at) => Some(format!(
            "it is damaged at byte {at}: only what stands before that can be put back"
        )),
    }
}

/// A journal that is being taken back.
#[derive(Debug)]
pub struct Undoing {
    header: Header,
    records: Records,
}

impl Undoing {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut records = Records::open_locked(path)?;
        let header = header_of(&mut records)?;
        Ok(Self { header, records })
    }

    /// What was done where.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Counts the entries that it can put back, and starts again.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn entries(&mut self) -> io::Result<u64> {
        let mut entries = 0;
        self.records.rewind()?;
        while let Some(groups) = self.next_batch()? {
            entries += count(&groups);
        }
        self.records.rewind()?;
        Ok(entries)
    }

    /// The entries of the next batch; `None` when there are no more.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn next_batch(&mut self) -> io::Result<Option<Vec<Group>>> {
        while let Some(record) = self.records.next()? {
            if let Record::Batch { groups, .. } = record {
                return Ok(Some(groups));
            }
        }
        Ok(None)
    }

    /// The volume that its operation made; the outer `None` when that has ended meanwhile.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn unfinished(&mut self) -> io::Result<Option<Option<Site>>> {
        self.records.rewind()?;
        state(&mut self.records)
    }

    /// What is wrong with the file, once all of it was read: what stands behind that place cannot be put back.
    pub fn damage(&self) -> Option<String> {
        damage(&self.records)
    }

    /// Writes down what came of it. A damaged file is left as it is, since nothing could be found behind its damage.
    ///
    /// # Errors
    ///
    /// When the file cannot be written to; what was put back stays so.
    pub fn done(mut self, restored: u64, skipped: u64) -> io::Result<()> {
        while self.records.next()?.is_some() {}
        if self.records.ending() != Some(Ending::Whole) {
            return Ok(());
        }
        let mut appender = self.records.into_appender()?;
        appender.append(&Record::Undone { restored, skipped })?;
        appender.close()
    }
}
