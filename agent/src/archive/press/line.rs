//! The threads between who writes a tar stream and who sends it: one that hashes, some that compress. Knows bytes only.
//!
//! ```text
//! writer ▶ hash ▶ press 0 ▶ deliver       Pieces go to the presses in turn and are collected in turn, so their order is
//!            ├──▶ press 1 ▶    │          kept. Used pieces go back to where they came from: no memory is asked for once
//!            └──▶ press n ▶    │          it runs. Who fails or stops drops its ends of the channels, and all others end.
//! ```

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::{Builder, Scope};
use std::time::Duration;

use super::{PIECE, PRESSED, Press};
use crate::archive::digest::Digest;
use crate::archive::writer::{Piece, Pieces};
use crate::proto::archive::Compression;

/// Pieces that wait for each press.
const AHEAD: usize = 1;
/// How often who delivers is asked whether to go on.
const PULSE: Duration = Duration::from_millis(50);
/// Stack of a thread. Deflate's state passes over it on its way to the heap.
const STACK: usize = 2 << 20;

/// What goes to the thread that hashes.
#[derive(Debug)]
enum Step {
    Piece(Piece),
    /// Asks for the digest so far.
    Digest(SyncSender<[u8; 32]>),
}

/// Where a writer puts its pieces.
#[derive(Debug)]
pub struct Feed {
    free: Receiver<Piece>,
    hash: SyncSender<Step>,
}

impl Pieces for Feed {
    fn take(&mut self, piece: &mut Piece) -> io::Result<()> {
        let empty = self.free.recv().map_err(stopped)?;
        let full = std::mem::replace(piece, empty);
        self.hash.send(Step::Piece(full)).map_err(stopped)
    }

    fn digest(&mut self) -> io::Result<[u8; 32]> {
        let (answer, digest) = sync_channel(1);
        self.hash.send(Step::Digest(answer)).map_err(stopped)?;
        digest.recv().map_err(stopped)
    }
}

/// What is said to who writes when the line stopped; the cause is what `deliver` or a press says.
fn stopped<E>(_: E) -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}

/// One press, as the others see it.
struct Station {
    work: SyncSender<Piece>,
    pressed: Receiver<io::Result<Piece>>,
    used: Sender<Piece>,
}

/// Lets `write` feed a line of so many presses, and `deliver` have what comes out. `deliver` gets nothing now and then, so
/// that it can stop.
///
/// # Errors
///
/// What `write` or `deliver` says, the second when both do; and when a press fails or a thread cannot be started.
pub fn run<T, E>(
    compression: Compression,
    presses: usize,
    write: impl FnOnce(Feed, Piece) -> Result<T, E> + Send,
    mut deliver: impl FnMut(Option<&[u8]>) -> Result<(), E>,
) -> Result<T, E>
where
    T: Send,
    E: From<io::Error> + Send,
{
    std::thread::scope(|scope| {
        let (free, frees) = channel();
        let (hash, steps) = sync_channel(1);
        let mut works = Vec::new();
        let mut outs = Vec::new();
        for _ in 0..presses.max(1) {
            let station = start_press(scope, compression, &free)?;
            works.push(station.work);
            outs.push((station.pressed, station.used));
        }
        // One that is filled, one that is hashed, and those at the presses.
        for _ in 0..=works.len() * (AHEAD + 1) {
            free.send(Piece::with_room(PIECE)).map_err(|_| stopped(()))?;
        }
        drop(free);
        spawn(scope, move || hash_all(&steps, &works))?;
        let writer = spawn(scope, move || {
            write(Feed { free: frees, hash }, Piece::with_room(PIECE))
        })?;
        let collected = collect(&outs, &mut deliver);
        drop(outs);
        let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        collected.and(written)
    })
}

fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<std::thread::ScopedJoinHandle<'scope, T>> {
    Builder::new().stack_size(STACK).spawn_scoped(scope, work)
}

fn start_press<'scope>(
    scope: &'scope Scope<'scope, '_>,
    compression: Compression,
    free: &Sender<Piece>,
) -> io::Result<Station> {
    let (work, pieces) = sync_channel::<Piece>(AHEAD);
    let (out, pressed) = sync_channel(AHEAD);
    let (used, empties) = channel();
    for _ in 0..=AHEAD {
        used.send(Piece::with_room(PRESSED)).map_err(stopped)?;
    }
    let free = free.clone();
    spawn(scope, move || {
        let mut press = match Press::new(compression) {
            Ok(press) => press,
            Err(error) => {
                // Who collects may have gone.
                drop(out.send(Err(error)));
                return;
            }
        };
        while let (Ok(mut piece), Ok(mut empty)) = (pieces.recv(), empties.recv()) {
            let done = press.press(&mut piece, &mut empty).map(|()| empty);
            piece.filled = 0;
            // Nobody may want a free piece any more: all were written.
            drop(free.send(piece));
            let failed = done.is_err();
            if out.send(done).is_err() || failed {
                return;
            }
        }
    })?;
    Ok(Station { work, pressed, used })
}

/// Hashes pieces and deals them out.
fn hash_all(steps: &Receiver<Step>, works: &[SyncSender<Piece>]) {
    let mut digest = Digest::default();
    let mut turn = works.iter().cycle();
    for step in steps {
        match step {
            Step::Piece(piece) => {
                digest.update(piece.as_bytes());
                if turn.next().is_none_or(|work| work.send(piece).is_err()) {
                    return;
                }
            }
            // Who asked may have gone.
            Step::Digest(answer) => drop(answer.send(digest.sum())),
        }
    }
}

/// Takes from the presses in turn, until the one whose turn it is has ended.
fn collect<E: From<io::Error>>(
    outs: &[(Receiver<io::Result<Piece>>, Sender<Piece>)],
    deliver: &mut impl FnMut(Option<&[u8]>) -> Result<(), E>,
) -> Result<(), E> {
    for (pressed, used) in outs.iter().cycle() {
        let mut piece = loop {
            match pressed.recv_timeout(PULSE) {
                Ok(piece) => break piece?,
                Err(RecvTimeoutError::Timeout) => deliver(None)?,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        };
        deliver(Some(piece.as_bytes()))?;
        piece.filled = 0;
        // A press that ended takes none back.
        drop(used.send(piece));
    }
    Ok(())
}
