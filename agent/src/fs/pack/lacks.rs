//! What an archive lacks of its tree. Knows no files.

use rustix::io::Errno;

use crate::fs::shortened;
use crate::proto::archive::{Lack, Packed, Want};

/// How many are listed.
const LISTED: usize = 1000;

/// What is wanting so far.
#[derive(Debug, Default)]
pub(super) struct Lacks {
    listed: Vec<Lack>,
    all: u64,
    partial: u64,
}

impl Lacks {
    /// Notes that something is wanting.
    pub(super) fn add(&mut self, path: &[u8], want: Want) {
        self.all += 1;
        self.partial += u64::from(want.is_partial());
        if self.listed.len() < LISTED {
            self.listed.push(Lack {
                path: shortened(path),
                want,
            });
        }
    }

    /// Notes that something could not be read, or is not there any more.
    pub(super) fn fail(&mut self, path: &[u8], errno: Errno) {
        self.add(
            path,
            match errno {
                // Its name stands for something else now.
                Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::STALE | Errno::NXIO => Want::Vanished,
                Errno::XDEV => Want::OtherMount,
                errno => Want::Unreadable(errno.raw_os_error()),
            },
        );
    }

    /// Says it all.
    pub(super) fn tell(self, packed: &mut Packed) {
        packed.lacks = self.listed;
        packed.lacking = self.all;
        packed.partial = self.partial;
    }
}
