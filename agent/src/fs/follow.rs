//! Follows a growing file by looking at it a few times a second: survives truncation and rotation.
//! Looks rather than listens: inotify misses writes on network and overlay file systems.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::{pread, retry_on_intr};

use super::file::CHUNK;
use super::meta::Meta;
use super::{Roots, fault};
use crate::proto::{Followed, Kind, Place, Reply};
use crate::serve::{Halt, Sink};

const LOOK: Duration = Duration::from_millis(200);

/// A file that is followed.
struct Tail {
    file: OwnedFd,
    offset: u64,
}

impl Roots {
    /// Sends a file's end and what is appended, until cancelled.
    pub(super) fn follow(&self, at: &Place, tail: u64, sink: &Sink) -> Result<(), Halt> {
        let (file, meta) = self.regular(at)?;
        let mut followed = Tail {
            file,
            offset: meta.size.saturating_sub(tail),
        };
        let mut gone = false;
        loop {
            followed.drain(at, sink)?;
            let held = Meta::of(&followed.file).map_err(|errno| fault(&at.path, errno, "looking at the file"))?;
            match self.named(at) {
                Some(named) if named.same(&held) => gone = false,
                Some(_) => {
                    // Another file has the name. One that cannot be opened yet is tried again.
                    if let Ok((file, _)) = self.regular(at) {
                        followed.drain(at, sink)?;
                        sink.send(Reply::Followed(Followed::Rotated))?;
                        followed = Tail { file, offset: 0 };
                        gone = false;
                        continue;
                    }
                }
                None if gone => {}
                None => {
                    gone = true;
                    sink.send(Reply::Followed(Followed::Gone))?;
                }
            }
            sink.pause(LOOK)?;
        }
    }

    /// What has the name now, when it is a regular file.
    fn named(&self, at: &Place) -> Option<Meta> {
        let found = if at.path.is_empty() {
            // The root's descriptor holds the old file for ever: ask by name.
            self.regular(at).map(|(_, meta)| meta)
        } else {
            self.meta(at)
        };
        found.ok().filter(|meta| meta.kind() == Kind::File)
    }
}

impl Tail {
    /// Sends what stands behind the offset.
    fn drain(&mut self, at: &Place, sink: &Sink) -> Result<(), Halt> {
        let failed = |errno| fault(&at.path, errno, "reading the file");
        if Meta::of(&self.file).map_err(failed)?.size < self.offset {
            self.offset = 0;
            sink.send(Reply::Followed(Followed::Truncated))?;
        }
        let mut buffer = vec![0; CHUNK];
        loop {
            let got = retry_on_intr(|| pread(&self.file, &mut buffer, self.offset)).map_err(failed)?;
            if got == 0 {
                return Ok(());
            }
            let bytes = buffer[..got].to_vec();
            sink.send(Reply::Followed(Followed::Data {
                offset: self.offset,
                bytes,
            }))?;
            self.offset += got as u64;
        }
    }
}
