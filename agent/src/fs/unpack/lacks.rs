//! What could not be made as it was: all of it counted, the first of it told.

use rustix::io::Errno;

use crate::proto::archive::{Lack, Want};

/// Most that is told of what could not be made as it was.
const TOLD: usize = 1000;
/// Bytes of paths in it, well below a frame.
const TOLD_BYTES: usize = 256 << 10;

/// What could not be made as it was.
#[derive(Debug, Default)]
pub(super) struct Lacks {
    pub(super) first: Vec<Lack>,
    bytes: usize,
    pub(super) count: u64,
}

impl Lacks {
    pub(super) fn refused(&mut self, path: &[u8], errno: Errno) {
        self.add(path, Want::Refused(errno.raw_os_error()));
    }

    pub(super) fn add(&mut self, path: &[u8], want: Want) {
        self.count += 1;
        self.bytes += path.len();
        if self.first.len() < TOLD && self.bytes < TOLD_BYTES {
            self.first.push(Lack {
                path: path.to_vec(),
                want,
            });
        }
    }
}
