//! The bytes of a tar stream one after the other, with their digest up to where the last entry began.

use super::damage::{Broken, Wrong};
use super::header::BLOCK;
use super::open::{Ending, Source};
use crate::archive::digest::Digest;

/// First bytes that are kept: a block, and the start of what follows it.
const START: usize = BLOCK + 64;

/// A stream of bytes.
pub(super) struct Feed<S> {
    source: S,
    buffer: Vec<u8>,
    at: usize,
    /// Bytes of the buffer that are in the digest.
    hashed: usize,
    digest: Digest,
    /// Where in the buffer the bytes begin that wait until it is known whether they belong to the digest.
    held_from: Option<usize>,
    /// Such bytes of buffers before this one.
    held: Vec<u8>,
    /// Bytes before the buffer.
    before: u64,
    /// The first bytes.
    start: Vec<u8>,
    /// Whether its source broke.
    broke: bool,
}

impl<S: Source> Feed<S> {
    pub(super) fn new(source: S) -> Self {
        Self {
            source,
            buffer: Vec::new(),
            at: 0,
            hashed: 0,
            digest: Digest::default(),
            held_from: None,
            held: Vec::new(),
            before: 0,
            start: Vec::new(),
            broke: false,
        }
    }

    /// The first bytes, as many as came of so few that tell whose it is.
    pub(super) fn start(&self) -> &[u8] {
        &self.start
    }

    /// Whether the stream goes no further because what it is made of does not.
    pub(super) fn broke(&self) -> bool {
        self.broke
    }

    /// Bytes that were taken.
    pub(super) fn offset(&self) -> u64 {
        self.before + self.at as u64
    }

    pub(super) fn ending(&self) -> Ending {
        self.source.ending()
    }

    pub(super) fn source(&mut self) -> &mut S {
        &mut self.source
    }

    /// Keeps what follows out of the digest until [`Self::release`].
    pub(super) fn hold(&mut self) {
        self.held_from = Some(self.at);
    }

    /// What was held belongs to the digest.
    pub(super) fn release(&mut self) {
        self.held_from = None;
        if !self.held.is_empty() {
            match self.source.before() {
                Some(before) => self.digest.clone_from(before),
                None => self.digest.update(&self.held),
            }
            self.held.clear();
        }
    }

    /// What is held, and the digest of all before.
    pub(super) fn cut(&mut self) -> (Vec<u8>, [u8; 32]) {
        let from = self.held_from.unwrap_or(self.at);
        if self.held.is_empty() {
            self.digest.update(&self.buffer[self.hashed.min(from)..from]);
            self.hashed = from;
        }
        let mut held = self.held.clone();
        held.extend_from_slice(&self.buffer[from..self.at]);
        (held, self.digest.sum())
    }

    /// Bytes that can be had at once; none at the end.
    pub(super) fn peek(&mut self) -> Result<&[u8], Broken> {
        if self.at >= self.buffer.len() {
            self.refill()?;
        }
        Ok(&self.buffer[self.at..])
    }

    pub(super) fn consume(&mut self, count: usize) {
        self.at = (self.at + count).min(self.buffer.len());
    }

    fn refill(&mut self) -> Result<(), Broken> {
        match &mut self.held_from {
            Some(from) => {
                if self.held.is_empty() {
                    self.digest.update(&self.buffer[self.hashed.min(*from)..*from]);
                }
                self.held.extend_from_slice(&self.buffer[*from..]);
                *from = 0;
            }
            None if self.source.before().is_some() => {}
            None => self.digest.update(&self.buffer[self.hashed..]),
        }
        self.before += self.buffer.len() as u64;
        self.at = 0;
        self.hashed = 0;
        let filled = self.source.fill(&mut self.buffer);
        if filled.is_err() {
            self.broke = true;
            self.buffer.clear();
        }
        let room = START.saturating_sub(self.start.len());
        self.start.extend(self.buffer.iter().take(room));
        if let Some(before) = self.source.before().filter(|_| self.held_from.is_none()) {
            self.digest.clone_from(before);
        }
        filled
    }

    /// Reads exactly so many bytes.
    pub(super) fn exact(&mut self, length: usize) -> Result<Vec<u8>, Broken> {
        let mut out = Vec::new();
        while out.len() < length {
            let bytes = self.peek()?;
            if bytes.is_empty() {
                return Err(cut());
            }
            let count = bytes.len().min(length - out.len());
            out.extend_from_slice(&bytes[..count]);
            self.consume(count);
        }
        Ok(out)
    }

    /// The next block; none at the very end.
    pub(super) fn block(&mut self) -> Result<Option<[u8; BLOCK]>, Broken> {
        let (mut block, mut filled) = ([0; BLOCK], 0);
        while filled < BLOCK {
            let bytes = self.peek()?;
            if bytes.is_empty() {
                return if filled == 0 { Ok(None) } else { Err(cut()) };
            }
            let count = bytes.len().min(BLOCK - filled);
            block[filled..filled + count].copy_from_slice(&bytes[..count]);
            self.consume(count);
            filled += count;
        }
        Ok(Some(block))
    }

    /// Passes over so many bytes.
    pub(super) fn skip(&mut self, mut length: u64) -> Result<(), Broken> {
        while length > 0 {
            let bytes = self.peek()?;
            if bytes.is_empty() {
                return Err(cut());
            }
            let count = usize::try_from(length).map_or(bytes.len(), |length| length.min(bytes.len()));
            self.consume(count);
            length -= count as u64;
        }
        Ok(())
    }
}

/// The stream ends where something must follow.
pub(super) fn cut() -> Broken {
    Broken::new(Wrong::Truncated, "it is cut here")
}
