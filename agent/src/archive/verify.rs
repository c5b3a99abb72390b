//! Checks an archive by itself: is it whole, and if it is none of ours, what is in it. Makes nothing.

use std::collections::BTreeSet;
use std::io::Read;
use std::thread;

use super::read::{Broken, Damage, Opened, Pipe, Reader, Wrong};
use super::{Entry, Form};
use crate::proto::archive::{Compression, Counts};

/// How whole an archive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It is one of ours, and whole.
    Ok,
    /// It ends before its end.
    Truncated,
    /// Something in it is not as it was written.
    Corrupt,
    /// It is none of ours: nothing in it says whether it is whole. [`Checked::damage`] says whether it can be read to
    /// its end all the same.
    Foreign,
}

/// What checking came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// How whole it is.
    pub state: State,
    /// Entries that were read, and bytes of their contents.
    pub counts: Counts,
    /// The digest of the tar stream before its trailer; only when it is whole and ours.
    pub digest: Option<[u8; 32]>,
    /// JSON of its head.
    pub head: Option<Vec<u8>>,
    /// SHA-256 of all bytes of the input, whole or not; `None` when it could not be read to its end.
    pub sha256: Option<[u8; 32]>,
    /// What is wrong first.
    pub damage: Option<Damage>,
    /// How it is compressed; `None` when nothing could be read.
    pub compression: Option<Compression>,
    /// What its names have in common.
    pub shape: Shape,
}

/// What the names in an archive have in common: whether a leading component is to be taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    /// Whether there is an entry for the top itself: then names are relative to it.
    pub has_top: bool,
    /// The first component that all names and all hardlinks' targets share, when something lies beneath it.
    pub common: Option<Vec<u8>>,
    /// First components of names, at most [`Shape::MOST`].
    pub names: BTreeSet<Vec<u8>>,
    /// Whether something lies beneath one of them.
    beneath: bool,
    /// Whether a hardlink leads to another first component than those of names.
    strays: bool,
}

impl Shape {
    /// Most first components that are kept.
    pub const MOST: usize = 1000;

    /// Takes an entry in.
    pub fn take(&mut self, entry: &Entry) {
        if entry.path.is_empty() {
            self.has_top = true;
            return;
        }
        self.beneath |= entry.path.contains(&b'/');
        let name = first(&entry.path);
        if self.names.len() < Self::MOST && !self.names.contains(name) {
            self.names.insert(name.to_vec());
        }
        if let Form::Hardlink { target } = &entry.form {
            self.strays |= !self.names.contains(first(target));
        }
        self.common = match self.names.iter().next() {
            // A lone file at the top is no prefix.
            Some(only) if self.names.len() == 1 && self.beneath && !self.strays => Some(only.clone()),
            _ => None,
        };
    }
}

fn first(path: &[u8]) -> &[u8] {
    let first = path.split(|&byte| byte == b'/').next().unwrap_or_default();
    // Nothing that is longer can be made; one byte more tells that it is.
    &first[..first.len().min(256)]
}

/// Checks an archive from its first byte to its last. Decompresses on a thread of its own. `progress` is called between
/// entries and now and then within large ones; when it fails, so does the check, with damage of the kind
/// [`Wrong::Cancelled`] in [`State::Truncated`].
pub fn verify<R, P, C>(input: R, progress: P) -> Result<Checked, C>
where
    R: Read + Send,
    P: FnMut(Counts) -> Result<(), C>,
{
    let opened = match Opened::new(input) {
        Ok(opened) => opened.summed(),
        Err(broken) => return Ok(unread(broken)),
    };
    thread::scope(|scope| match Pipe::start(scope, opened) {
        Ok(pipe) => check(Reader::new(pipe), progress),
        Err(error) => Ok(unread(Broken {
            kind: Wrong::Unread,
            what: format!("starting a thread: {error}"),
        })),
    })
}

/// Bytes of contents between two calls of `progress`.
const STRIDE: usize = 4 << 20;

fn check<P, C>(mut reader: Reader<Pipe>, mut progress: P) -> Result<Checked, C>
where
    P: FnMut(Counts) -> Result<(), C>,
{
    let mut shape = Shape::default();
    let damage = loop {
        match reader.next() {
            Ok(Some(entry)) => shape.take(&entry),
            Ok(None) => break None,
            Err(damage) => break Some(damage),
        }
        progress(reader.counts())?;
        match pass(&mut reader, &mut progress)? {
            Ok(()) => {}
            Err(damage) => break Some(damage),
        }
    };
    // How the file ends tells whose it is, when its start is damaged; and what is damaged has a digest as well.
    if damage.is_some() {
        let counts = reader.counts();
        reader.source().drain(|| progress(counts))?;
    }
    Ok(judge(&reader, shape, damage))
}

/// Passes over an entry's contents.
fn pass<P, C>(reader: &mut Reader<Pipe>, progress: &mut P) -> Result<Result<(), Damage>, C>
where
    P: FnMut(Counts) -> Result<(), C>,
{
    let mut since = 0;
    loop {
        let count = match reader.contents() {
            Ok([]) => return Ok(Ok(())),
            Ok(bytes) => bytes.len(),
            Err(damage) => return Ok(Err(damage)),
        };
        reader.consume(count);
        since += count;
        if since >= STRIDE {
            since = 0;
            progress(reader.counts())?;
        }
    }
}

fn judge(reader: &Reader<Pipe>, shape: Shape, damage: Option<Damage>) -> Checked {
    let head = reader.head().map(<[u8]>::to_vec);
    let ending = reader.ending();
    let state = match &damage {
        None if reader.digest().is_some() => State::Ok,
        None => State::Foreign,
        Some(damage) => {
            let ours = head.is_some() || ending.looks_ours;
            // Cut before it could say whose it is.
            let starts = reader.counts().entries == 0 && reader.begins_ours();
            of_damage(damage, ours, starts)
        }
    };
    Checked {
        state,
        counts: reader.counts(),
        digest: reader.digest(),
        head,
        sha256: ending
            .sha256
            .filter(|_| damage.as_ref().is_none_or(|damage| damage.kind != Wrong::Unread)),
        damage,
        compression: Some(ending.compression),
        shape,
    }
}

/// What damage means: for an archive that is not ours, nothing but that it cannot be read to its end. `starts` says whether
/// it is cut so early that it may have been one of ours.
fn of_damage(damage: &Damage, ours: bool, starts: bool) -> State {
    match damage.kind {
        Wrong::Truncated if ours || starts => State::Truncated,
        Wrong::Corrupt | Wrong::Unsupported if ours => State::Corrupt,
        Wrong::Unread | Wrong::Cancelled => State::Truncated,
        Wrong::Truncated | Wrong::Corrupt | Wrong::Unsupported => State::Foreign,
    }
}

/// What cannot even be opened.
fn unread(broken: Broken) -> Checked {
    let state = match broken.kind {
        Wrong::Unsupported | Wrong::Corrupt => State::Foreign,
        Wrong::Truncated | Wrong::Unread | Wrong::Cancelled => State::Truncated,
    };
    Checked {
        state,
        counts: Counts::default(),
        digest: None,
        head: None,
        sha256: None,
        damage: Some(Damage {
            kind: broken.kind,
            path: Vec::new(),
            offset: 0,
            what: broken.what,
        }),
        compression: None,
        shape: Shape::default(),
    }
}
