//! A tar stream that is decompressed on one thread and hashed on another, a few buffers ahead of who reads it, and its file's
//! bytes on a third: making files of it takes a processor for itself.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope};

use super::damage::{Broken, Wrong};
use super::open::{Ending, Opened, Source};
use crate::archive::digest::Digest;

/// Buffers that wait for each thread, at most.
const AHEAD: usize = 4;
/// The gzip decompressor is made on the stack.
const STACK: usize = 1 << 20;

/// What is said when a thread ends without a reason.
const UNSAID: &str = "decompressing failed within itself; this is a bug";

enum Piece {
    Bytes(Vec<u8>),
    /// The input is read on behind a break, to see how it ends.
    Idle,
    End(Ending),
}

/// The reading end. When it is dropped, the threads end with the next bytes of the input.
#[derive(Debug)]
pub struct Pipe {
    pieces: Receiver<Hashed>,
    back: SyncSender<Vec<u8>>,
    before: Digest,
    ending: Ending,
    /// Why nothing comes any more.
    over: Option<Result<(), Broken>>,
}

impl std::fmt::Debug for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Idle => f.write_str("nothing"),
            Self::End(ending) => ending.fmt(f),
        }
    }
}

impl Pipe {
    /// Starts to decompress.
    ///
    /// # Errors
    ///
    /// When a thread cannot be started.
    pub fn start<'scope, R: Read + Send + 'scope>(
        scope: &'scope Scope<'scope, '_>,
        mut input: Opened<R>,
    ) -> io::Result<Self> {
        let (raw, decompressed) = sync_channel(AHEAD);
        let (hashed, pieces) = sync_channel(AHEAD);
        let (back, returned) = sync_channel(AHEAD * 3);
        let ending = input.ending();
        input.sum_beside(scope)?;
        let thread = || Builder::new().stack_size(STACK);
        thread().spawn_scoped(scope, move || hash(&decompressed, &hashed))?;
        thread().spawn_scoped(scope, move || pump(input, &raw, &returned))?;
        Ok(Self {
            pieces,
            back,
            before: Digest::default(),
            ending,
            over: None,
        })
    }
}

type Pieces = SyncSender<Result<Piece, Broken>>;
/// A piece, and the digest of all bytes before it.
type Hashed = (Result<Piece, Broken>, Digest);

/// Passes pieces on, each with the digest of all before it.
fn hash(decompressed: &Receiver<Result<Piece, Broken>>, hashed: &SyncSender<Hashed>) {
    let mut digest = Digest::default();
    for piece in decompressed {
        let before = digest.clone();
        if let Ok(Piece::Bytes(bytes)) = &piece {
            digest.update(bytes);
        }
        // When nothing can be sent, nobody reads any more.
        if hashed.send((piece, before)).is_err() {
            return;
        }
    }
}

fn pump<R: Read>(mut input: Opened<R>, pieces: &Pieces, returned: &Receiver<Vec<u8>>) {
    loop {
        let mut buffer = returned.try_recv().unwrap_or_default();
        let piece = match input.fill(&mut buffer) {
            Ok(()) if buffer.is_empty() => Ok(Piece::End(input.ending())),
            Ok(()) => Ok(Piece::Bytes(buffer)),
            Err(broken) => Err(broken),
        };
        let (last, broken) = (!matches!(piece, Ok(Piece::Bytes(_))), piece.is_err());
        // When nothing can be sent, nobody reads any more.
        if pieces.send(piece).is_err() {
            return;
        }
        if broken {
            return rest(input, pieces);
        }
        if last {
            return;
        }
    }
}

/// Reads on behind a break, as long as somebody wants to know how the input ends.
fn rest<R: Read>(mut input: Opened<R>, pieces: &Pieces) {
    while input.pass() {
        if pieces.send(Ok(Piece::Idle)).is_err() {
            return;
        }
    }
    // Nobody may want to know.
    pieces.send(Ok(Piece::End(input.ending()))).ok();
}

impl Pipe {
    /// Takes note that nothing comes any more.
    fn fail(&mut self, broken: Broken) -> Result<(), Broken> {
        self.over = Some(Err(broken.clone()));
        Err(broken)
    }

    /// Reads on to the end of the input, whatever is wrong with it, so that [`Source::ending`] is known. `go_on` is asked
    /// now and then.
    pub(crate) fn drain<C>(&mut self, mut go_on: impl FnMut() -> Result<(), C>) -> Result<(), C> {
        if self.over == Some(Ok(())) {
            return Ok(());
        }
        while let Ok((piece, _)) = self.pieces.recv() {
            match piece {
                Ok(Piece::End(ending)) => {
                    self.ending = ending;
                    return Ok(());
                }
                Ok(Piece::Bytes(_) | Piece::Idle) | Err(_) => go_on()?,
            }
        }
        Ok(())
    }
}

impl Source for Pipe {
    fn fill(&mut self, buffer: &mut Vec<u8>) -> Result<(), Broken> {
        let used = std::mem::take(buffer);
        if let Some(over) = &self.over {
            return over.clone();
        }
        // When there is no room for it, the buffer is simply dropped.
        self.back.try_send(used).ok();
        let Ok((piece, before)) = self.pieces.recv() else {
            return self.fail(Broken::new(Wrong::Unread, UNSAID));
        };
        self.before = before;
        match piece {
            Ok(Piece::Bytes(bytes)) => {
                *buffer = bytes;
                Ok(())
            }
            Ok(Piece::End(ending)) => {
                self.ending = ending;
                self.over = Some(Ok(()));
                Ok(())
            }
            Err(broken) => self.fail(broken),
            // The thread sends an idle piece only behind a break.
            Ok(Piece::Idle) => self.fail(Broken::new(Wrong::Unread, UNSAID)),
        }
    }

    fn before(&self) -> Option<&Digest> {
        Some(&self.before)
    }

    fn ending(&self) -> Ending {
        self.ending
    }
}
