//! Reads regular files by ranges; never opens anything else.

use std::os::fd::OwnedFd;

use rustix::fs::OFlags;
use rustix::io::{Errno, pread, retry_on_intr};

use super::meta::Meta;
use super::{Roots, fault};
use crate::proto::{Fault, Kind, Place, Reply};
use crate::serve::{Halt, Sink};

/// Bytes of a file in one reply.
pub(super) const CHUNK: usize = 256 << 10;
/// How often a file is looked up anew when its name changes hands between looking and opening.
const RACES: usize = 8;
/// Reading never waits and never makes a terminal ours, whatever a race puts under the name.
const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

impl Roots {
    /// Sends a range of a file; it ends early when the file does.
    pub(super) fn read(&self, at: &Place, offset: u64, len: u64, sink: &Sink) -> Result<(), Halt> {
        let (file, _) = self.regular(at)?;
        let mut buffer = vec![0; CHUNK.min(usize::try_from(len).unwrap_or(CHUNK))];
        let (mut offset, mut left) = (offset, len);
        while left > 0 && i64::try_from(offset).is_ok() {
            let want = buffer.len().min(usize::try_from(left).unwrap_or(CHUNK));
            let got = retry_on_intr(|| pread(&file, &mut buffer[..want], offset))
                .map_err(|errno| fault(&at.path, errno, "reading the file"))?;
            if got == 0 {
                break;
            }
            sink.send(Reply::Data(buffer[..got].to_vec()))?;
            offset += got as u64;
            left -= got as u64;
        }
        Ok(())
    }

    /// Opens a regular file for reading. Looks first: opening a FIFO or a device has effects.
    pub(super) fn regular(&self, at: &Place) -> Result<(OwnedFd, Meta), Fault> {
        let tried = |errno| fault(&at.path, errno, "opening the file");
        let root = self.root(at)?;
        for _ in 0..RACES {
            let seen = self.meta(at)?;
            if seen.kind() != Kind::File {
                return Err(not_regular(at, seen.kind()));
            }
            let opened = if at.path.is_empty() {
                root.reopen(FLAGS)
            } else {
                let (dir, name) = self.resolver.parent(root.fd()?, &at.path).map_err(tried)?;
                self.resolver.child(&dir, &name, FLAGS)
            };
            let file = match opened {
                // It was there a moment ago: look again and say what is there now.
                Err(Errno::LOOP | Errno::NXIO) => continue,
                other => other.map_err(tried)?,
            };
            let now = Meta::of(&file).map_err(tried)?;
            // A root that is a file may have been replaced by name since it was opened.
            if now.same(&seen) || (at.path.is_empty() && now.kind() == Kind::File) {
                return Ok((file, now));
            }
        }
        Err(tried(Errno::STALE))
    }
}

fn not_regular(at: &Place, kind: Kind) -> Fault {
    let (errno, what) = match kind {
        Kind::Dir => (Errno::ISDIR, "a directory"),
        Kind::Symlink => (Errno::LOOP, "a symbolic link, which is not followed"),
        Kind::Fifo => (Errno::INVAL, "a named pipe, which is not opened"),
        Kind::Socket => (Errno::INVAL, "a socket, which is not opened"),
        Kind::CharDevice | Kind::BlockDevice => (Errno::INVAL, "a device, which is not opened"),
        Kind::File | Kind::Unknown => (Errno::INVAL, "no regular file"),
    };
    Fault {
        errno: Some(errno.raw_os_error()),
        path: super::shortened(&at.path),
        message: format!("it is {what}"),
    }
}
