//! The one store of what operations wrote down before they changed something, so that it can be taken back. Knows no
//! engine and no operation's work.

mod file;
mod reading;
mod record;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::fs::{self, DirBuilder, File};
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use time::OffsetDateTime;
use vole_agent::proto::own::Group;

use crate::engine::EngineError;
use crate::engine::contexts::Environment;
use crate::model::{EngineId, MountId};
use crate::store;
use file::Appender;
pub use reading::Undoing;
use record::Record;
pub use record::{End, Header, Operation, Own, Restore, Site};

/// The end of a journal's file name.
const SUFFIX: &str = ".journal";

/// Names a journal: its time and a random part (`20261121-214501-9f3a`), so that later ones sort later.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JournalId(String);

impl JournalId {
    /// Wraps an id as the operator wrote it.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A new one for an operation that begins now.
    fn fresh(at: OffsetDateTime) -> Self {
        let random = RandomState::new().hash_one(at.unix_timestamp_nanos()) & 0xffff;
        let (year, month, day) = at.to_calendar_date();
        let (hour, minute, second) = at.to_hms();
        let month = u8::from(month);
        Self(format!(
            "{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}-{random:04x}"
        ))
    }

    /// Whether it may be part of a file's name.
    fn is_plain(&self) -> bool {
        !self.0.is_empty() && self.0.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    }
}

impl fmt::Display for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far the operation of a journal came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// It ended.
    Done,
    /// It was cut short: killed, cancelled, or it still runs.
    Interrupted,
    /// It was taken back.
    Undone,
    /// It was taken back in part: what changed since was left alone.
    UndoneInPart,
}

impl Stage {
    /// The word that lists and JSON show.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Interrupted => "interrupted",
            Self::Undone => "undone",
            Self::UndoneInPart => "undone in part",
        }
    }
}

/// A journal as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: JournalId,
    /// When the operation began.
    pub at: OffsetDateTime,
    /// The operation in words (`chown 999:998 of blog_data`).
    pub words: String,
    /// The mount.
    pub mount: (MountId, String),
    /// Entries that it can put back.
    pub entries: u64,
    /// How far the operation came.
    pub stage: Stage,
    /// What is wrong with the file itself (a torn end is not); then only what stands before that can be put back.
    pub damage: Option<String>,
}

/// An operation that was cut short and that `vole recover` brings to an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The journal.
    pub id: JournalId,
    /// What was done where.
    pub header: Header,
    /// The volume that was made for it, once it was.
    pub made: Option<Site>,
}

/// The journals of one engine.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
    /// Removes the directory when the last clone goes: the demo's.
    _passing: Option<Arc<Passing>>,
}

/// A directory that goes with the program: nothing is kept of the demo.
#[derive(Debug)]
struct Passing(PathBuf);

impl Drop for Passing {
    fn drop(&mut self) {
        // What cannot be removed lies in the directory for such things.
        let _removed = fs::remove_dir_all(&self.0);
    }
}

impl Store {
    /// The store of an engine: below the state directory, for its owner's eyes. Of the demo nothing is kept: its store is
    /// a private temporary directory that goes with the last clone of this value.
    ///
    /// # Errors
    ///
    /// When there is no place for it (no `HOME`): without a journal nothing may be changed.
    pub fn of(environment: &Environment, engine: &EngineId) -> Result<Self, EngineError> {
        if engine.as_str() == "demo" {
            let name = format!("vole-demo-{}", JournalId::fresh(OffsetDateTime::now_utc()));
            let dir = std::env::temp_dir().join(name);
            return Ok(Self {
                _passing: Some(Arc::new(Passing(dir.clone()))),
                dir,
            });
        }
        let dir = store::kept_dir(store::state_dir(environment), engine);
        let dir = dir.ok_or_else(|| EngineError::Refused {
            reason: "there is no place for the journal that takes a change back: set HOME or XDG_STATE_HOME".to_owned(),
        })?;
        Ok(Self::at(dir.join("journal")))
    }

    /// A store in a given directory.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            _passing: None,
        }
    }

    /// Where the journals are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// All journals that take something back, the latest first. A file that is none is left out with a warning in the
    /// second part.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read.
    pub fn list(&self) -> io::Result<(Vec<Listed>, Vec<String>)> {
        let (mut listed, warnings) = self.each(reading::look)?;
        // Two of the same second sort by their random part, so that a list is the same each time.
        listed.sort_by(|one, other| (other.at, &other.id).cmp(&(one.at, &one.id)));
        Ok((listed, warnings))
    }

    /// Operations that were cut short and are to be recovered, the oldest first; those that run are left out. A file that is
    /// no journal is left out with a warning in the second part.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read.
    pub fn unfinished(&self) -> io::Result<(Vec<Unfinished>, Vec<String>)> {
        let (mut found, warnings) = self.each(reading::unfinished)?;
        found.sort_by(|one, other| one.id.cmp(&other.id));
        Ok((found, warnings))
    }

    /// What a look at each journal gives; those that cannot be read in the second part.
    fn each<T>(&self, look: fn(&Path, JournalId) -> io::Result<Option<T>>) -> io::Result<(Vec<T>, Vec<String>)> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), Vec::new())),
            Err(error) => return Err(error),
        };
        let (mut found, mut warnings) = (Vec::new(), Vec::new());
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let Some(id) = name.and_then(|name| name.strip_suffix(SUFFIX)) else {
                continue;
            };
            match look(&path, JournalId::new(id)) {
                Ok(one) => found.extend(one),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => warnings.push(format!("{} is left out: {error}", path.display())),
            }
        }
        Ok((found, warnings))
    }

    /// Removes the journal of an operation that has ended and that nothing takes back. One that cannot be removed says so
    /// itself: its last record is its end.
    ///
    /// # Errors
    ///
    /// When neither its end can be written nor the file be removed.
    pub fn close(&self, writer: Writer) -> io::Result<()> {
        let path = self.path(writer.id());
        let ended = writer.end(End::Done);
        fs::remove_file(path).or(ended)
    }

    /// Removes the journal of an operation that was recovered.
    ///
    /// # Errors
    ///
    /// When neither that can be written down nor the file be removed.
    pub fn recovered(&self, id: &JournalId, held: Undoing) -> io::Result<()> {
        let marked = held.done(0, 0);
        fs::remove_file(self.path(id)).or(marked)
    }

    /// Begins a journal: its header is on the disk when this returns, and room for so many bytes of records is reserved.
    ///
    /// # Errors
    ///
    /// When the directory cannot be written to or has no room. Then no journal is left.
    pub fn begin(&self, header: Header, room: u64) -> io::Result<Writer> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let (id, mut appender) = self.create(header.began())?;
        let begun = appender
            .reserve(room)
            .and_then(|()| appender.append(&Record::Header(Box::new(header))))
            .and_then(|()| appender.sync())
            .and_then(|()| self.sync_names());
        match begun {
            Ok(()) => Ok(Writer { appender, id }),
            Err(error) => {
                // Why it could not be begun is what the operator needs; a journal without entries takes nothing back.
                let _removed = fs::remove_file(self.path(&id));
                Err(error)
            }
        }
    }

    fn create(&self, at: OffsetDateTime) -> io::Result<(JournalId, Appender)> {
        let mut tries = 0;
        loop {
            let id = JournalId::fresh(at);
            match Appender::create(&self.path(&id)) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < 16 => tries += 1,
                created => return Ok((id, created?)),
            }
        }
    }

    /// Waits until the file's name, and the directory's own, are on the disk.
    fn sync_names(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()?;
        self.dir.parent().map_or(Ok(()), |above| File::open(above)?.sync_all())
    }

    /// Opens a journal to take its operation back; nobody else can meanwhile.
    ///
    /// # Errors
    ///
    /// When there is none of this id, when it cannot be read, or while its operation still runs.
    pub fn undo(&self, id: &JournalId) -> io::Result<Undoing> {
        let none = || io::Error::new(io::ErrorKind::NotFound, "there is no such journal");
        if !id.is_plain() {
            return Err(none());
        }
        match Undoing::open(&self.path(id)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(none()),
            opened => opened,
        }
    }

    fn path(&self, id: &JournalId) -> PathBuf {
        self.dir.join(format!("{id}{SUFFIX}"))
    }
}

/// A journal whose operation runs. Nobody else writes it or takes it back as long as this lives.
#[derive(Debug)]
pub struct Writer {
    appender: Appender,
    id: JournalId,
}

impl Writer {
    /// The journal's id.
    pub fn id(&self) -> &JournalId {
        &self.id
    }

    /// Writes down what entries are before they are changed. They may be changed after [`Self::sync`].
    ///
    /// # Errors
    ///
    /// When there is no room, or the disk fails. Then nothing of it is in the journal.
    pub fn batch(&mut self, number: u64, groups: Vec<Group>) -> io::Result<()> {
        self.appender.append(&Record::Batch { number, groups })
    }

    /// Writes down that a batch was carried out; not waited for, since an undo looks for itself.
    ///
    /// # Errors
    ///
    /// As [`Self::batch`].
    pub fn applied(&mut self, number: u64, changed: u64) -> io::Result<()> {
        self.appender.append(&Record::Applied { number, changed })
    }

    /// Writes down the volume that was made, and waits until it is on the disk.
    ///
    /// # Errors
    ///
    /// As [`Self::batch`].
    pub fn made(&mut self, site: Site) -> io::Result<()> {
        self.appender.append(&Record::Made(Box::new(site)))?;
        self.appender.sync()
    }

    /// Writes down that all was done, and waits until that is on the disk: from then on nothing is recovered.
    ///
    /// # Errors
    ///
    /// As [`Self::batch`].
    pub fn done(&mut self) -> io::Result<()> {
        self.appender.append(&Record::Ended(End::Done))?;
        self.appender.sync()
    }

    /// Waits until all that was written is on the disk.
    ///
    /// # Errors
    ///
    /// When the disk fails: then what was written since the last time is not in the journal.
    pub fn sync(&mut self) -> io::Result<()> {
        self.appender.sync()
    }

    /// Writes down how the operation ended, and gives back the room that it did not need.
    ///
    /// # Errors
    ///
    /// As [`Self::batch`]; then the journal says that the operation was interrupted.
    pub fn end(mut self, end: End) -> io::Result<()> {
        let ended = self.appender.append(&Record::Ended(end));
        self.appender.close().and(ended)
    }
}
