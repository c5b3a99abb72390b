//! The archive that is restored, opened once. Knows files and pipes, and not what is in them.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::EngineError;
use crate::ops::writable::refusal;

/// An archive's bytes, from their start. Clones are of the same archive.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source(Option<Arc<Held>>);

#[derive(Debug)]
enum Held {
    File(File),
    Pipe(Arc<Mutex<Piped>>),
}

/// A pipe, and what was read of it to see what comes.
#[derive(Default)]
struct Piped {
    seen: Vec<u8>,
    /// `None` once it was handed on.
    rest: Option<Box<dyn Read + Send>>,
}

impl std::fmt::Debug for Piped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Piped")
            .field("seen", &self.seen.len())
            .finish_non_exhaustive()
    }
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }
}

impl Source {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, or is none.
    pub(super) fn file(path: &Path) -> Result<Self, EngineError> {
        let shown = crate::text::printable(path.as_os_str().as_encoded_bytes());
        // A named pipe without a writer would hold this up for ever.
        let no_wait = rustix::fs::OFlags::NONBLOCK.bits();
        let no_wait = i32::try_from(no_wait).map_err(|error| refusal(error.to_string()))?;
        let opened = OpenOptions::new().read(true).custom_flags(no_wait).open(path);
        let file = opened.map_err(|error| refusal(format!("cannot open {shown}: {error}")))?;
        let meta = file
            .metadata()
            .map_err(|error| refusal(format!("cannot look at {shown}: {error}")))?;
        if !meta.is_file() {
            return Err(refusal(format!(
                "{shown} is no file; what comes by a pipe is restored from -"
            )));
        }
        Ok(Self(Some(Arc::new(Held::File(file)))))
    }

    /// This process's standard input.
    pub(super) fn standard_input() -> Self {
        Self::pipe(Box::new(io::stdin()))
    }

    fn pipe(rest: Box<dyn Read + Send>) -> Self {
        let piped = Piped {
            seen: Vec::new(),
            rest: Some(rest),
        };
        Self(Some(Arc::new(Held::Pipe(Arc::new(Mutex::new(piped))))))
    }

    /// Reads from the start; of a pipe once only.
    ///
    /// # Errors
    ///
    /// When there is nothing to read, or it was read already.
    pub(super) fn reader(&self) -> Result<Box<dyn Read + Send>, EngineError> {
        let once = || refusal("the archive came by a pipe and was read already".to_owned());
        match self.0.as_deref() {
            None => Err(refusal("there is no archive to read".to_owned())),
            Some(Held::File(file)) => {
                let file = file.try_clone();
                let file = file.map_err(|error| refusal(format!("the archive could not be opened again: {error}")))?;
                Ok(Box::new(Positioned { file, at: 0 }))
            }
            Some(Held::Pipe(piped)) => {
                let mut piped = piped.lock().unwrap_or_else(PoisonError::into_inner);
                let rest = piped.rest.take().ok_or_else(once)?;
                Ok(Box::new(io::Cursor::new(std::mem::take(&mut piped.seen)).chain(rest)))
            }
        }
    }

    /// Reads a pipe on and keeps what is read for [`Source::reader`]; `None` of anything else.
    pub(super) fn peek(&self) -> Option<impl Read + Send + use<>> {
        match self.0.as_deref()? {
            Held::Pipe(piped) => Some(Kept(Arc::clone(piped))),
            Held::File(_) => None,
        }
    }

    /// Bytes of a file.
    pub(super) fn length(&self) -> Option<u64> {
        match self.0.as_deref()? {
            Held::File(file) => file.metadata().ok().map(|meta| meta.len()),
            Held::Pipe(_) => None,
        }
    }
}

/// Reads a file from its start, whoever else reads it.
struct Positioned {
    file: File,
    at: u64,
}

impl Read for Positioned {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Reads a pipe and keeps what was read.
struct Kept(Arc<Mutex<Piped>>);

impl Read for Kept {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut piped = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Piped { seen, rest: Some(rest) } = &mut *piped else {
            return Ok(0);
        };
        let count = rest.read(buffer)?;
        seen.extend_from_slice(&buffer[..count]);
        Ok(count)
    }
}
