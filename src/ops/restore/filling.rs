//! Feeds an archive to an agent that unpacks it, and stops where all of it is ready and nothing has taken the place of
//! anything. Knows streams and sessions, not what they are for.

use std::io::Read;
use std::pin::pin;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vole_agent::archive::seal::{Watch, seal};
use vole_agent::proto::archive::{Compression, Counts, PackItem, Packed, Placing, Unpack, UnpackItem, Unpacked};

use super::Progress;
use crate::engine::{EngineError, Feeder, Packing, Session, Unpacking};
use crate::ops::writable::refusal;

/// Bytes that are read and sent at once.
const CHUNK: usize = 256 << 10;
/// Chunks that were read and not yet sent.
const AHEAD: usize = 8;

/// Where an archive's bytes come from.
pub(in crate::ops) enum Feed {
    /// A file, or a pipe.
    Bytes(Box<dyn Read + Send>),
    /// An agent that packs, with the compression that it uses.
    Agent(Packing, Compression),
}

/// What went through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::ops) struct Fed {
    /// Whether the bytes ended in a seal of what came before it; `None` where there is none to expect.
    pub(in crate::ops) sealed: Option<bool>,
    /// What the agent said that packed.
    pub(in crate::ops) packed: Option<Packed>,
}

/// An archive whose entries are made and wait for their place.
pub(in crate::ops) struct Ready {
    unpacking: Unpacking,
    pub(in crate::ops) unpacked: Unpacked,
    pub(in crate::ops) fed: Fed,
}

impl Ready {
    /// Lets the entries take their place. It is not broken off any more: what was begun is finished.
    pub(in crate::ops) async fn place(mut self) -> Result<Unpacked, EngineError> {
        self.unpacking.confirm();
        while self.unpacking.next().await?.is_some() {}
        Ok(self.unpacked)
    }
}

/// Says how far an unpacking is.
#[derive(Debug, Clone, Copy)]
pub(in crate::ops) struct Teller<'a> {
    pub(in crate::ops) news: &'a mpsc::Sender<Progress>,
    /// Bytes in all, where known.
    pub(in crate::ops) total: Option<u64>,
}

impl Teller<'_> {
    pub(in crate::ops) fn say(&self, phase: &'static str, counts: Counts) {
        let progress = Progress {
            phase,
            entries: counts.entries,
            bytes: counts.bytes,
            total: self.total,
        };
        // Who does not listen misses a figure; the next one comes soon.
        let _heard = self.news.try_send(progress);
    }
}

/// Unpacks until all is ready.
///
/// # Errors
///
/// What either end says, or [`EngineError::Cancelled`]; then nothing of it stays.
pub(in crate::ops) async fn fill(
    session: &Session,
    unpack: Unpack,
    feed: Feed,
    teller: Teller<'_>,
    cancel: &CancellationToken,
) -> Result<Ready, EngineError> {
    let in_place = unpack.placing == Placing::InPlace;
    let mut unpacking = session.unpack(unpack);
    if in_place {
        // The old contents go before the new ones are made, and not unasked.
        unpacking.confirm();
    }
    let mut feeding = pin!(send(feed, unpacking.feeder()));
    let (mut fed, mut unpacked) = (None, None);
    loop {
        if let (Some(fed), Some(unpacked)) = (&mut fed, &mut unpacked) {
            return Ok(Ready {
                unpacking,
                unpacked: std::mem::take(unpacked),
                fed: std::mem::take(fed),
            });
        }
        tokio::select! {
            () = cancel.cancelled() => return Err(EngineError::Cancelled),
            sent = &mut feeding, if fed.is_none() => fed = Some(sent?),
            item = unpacking.next(), if unpacked.is_none() => match item? {
                Some(UnpackItem::Progress(counts)) => teller.say("unpacking", counts),
                Some(UnpackItem::Ready(ready)) => unpacked = Some(ready),
                None => return Err(early()),
            },
        }
    }
}

fn early() -> EngineError {
    EngineError::Garbage {
        what: "unpack the archive".to_owned(),
        cause: "the helper's agent ended before it was ready".to_owned(),
    }
}

async fn send(feed: Feed, feeder: Feeder) -> Result<Fed, EngineError> {
    match feed {
        Feed::Bytes(reader) => send_bytes(reader, feeder).await,
        Feed::Agent(packing, compression) => send_packed(packing, compression, feeder).await,
    }
}

/// Sends what is read. Who unpacks says why it does not take more.
async fn send_bytes(reader: Box<dyn Read + Send>, feeder: Feeder) -> Result<Fed, EngineError> {
    let (to, mut chunks) = mpsc::channel::<std::io::Result<Vec<u8>>>(AHEAD);
    // Not waited for: one that hangs in a read of a pipe ends with the program.
    tokio::task::spawn_blocking(move || read(reader, &to));
    let mut watch: Option<(Watch, Compression)> = None;
    let mut any = false;
    while let Some(chunk) = chunks.recv().await {
        let chunk = chunk.map_err(|error| refusal(format!("the archive could not be read: {error}")))?;
        if !any {
            any = true;
            watch = compression_of(&chunk).map(|compression| (Watch::new(compression), compression));
        }
        if let Some((watch, _)) = &mut watch {
            watch.update(&chunk);
        }
        if !feeder.send(chunk).await {
            // Its end, which says why, comes by the other way.
            return std::future::pending().await;
        }
    }
    feeder.end();
    Ok(Fed {
        sealed: watch.map(|(watch, _)| watch.is_sealed()),
        packed: None,
    })
}

fn read(mut reader: Box<dyn Read + Send>, to: &mpsc::Sender<std::io::Result<Vec<u8>>>) {
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        let (piece, last) = match (&mut reader).take(CHUNK as u64).read_to_end(&mut chunk) {
            Ok(0) => return,
            Ok(_) => (Ok(chunk), false),
            Err(error) => (Err(error), true),
        };
        if to.blocking_send(piece).is_err() || last {
            return;
        }
    }
}

/// The compression of which a seal is expected, by the first bytes.
fn compression_of(first: &[u8]) -> Option<Compression> {
    match first {
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Compression::Zstd),
        [0x1f, 0x8b, ..] => Some(Compression::Gzip),
        _ => None,
    }
}

/// Passes on what another agent packs.
async fn send_packed(mut packing: Packing, compression: Compression, feeder: Feeder) -> Result<Fed, EngineError> {
    use sha2::Digest as _;
    let mut sum = sha2::Sha256::new();
    let mut packed = None;
    while let Some(item) = packing.next().await? {
        match item {
            PackItem::Data(bytes) => {
                sum.update(&bytes);
                if !feeder.send(bytes).await {
                    return std::future::pending().await;
                }
            }
            PackItem::Progress(_) => {}
            PackItem::Packed(all) => packed = Some(all),
        }
    }
    let packed = packed.ok_or_else(|| EngineError::Garbage {
        what: "pack the source".to_owned(),
        cause: "the helper's agent ended before it had packed all".to_owned(),
    })?;
    let seal = seal(compression, sum.finalize().into());
    if !seal.is_empty() && !feeder.send(seal).await {
        return std::future::pending().await;
    }
    feeder.end();
    Ok(Fed {
        sealed: None,
        packed: Some(packed),
    })
}
