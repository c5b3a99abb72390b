//! The records of an exchange: written whole or not at all, and known to be whole when they are read.

use std::ffi::CStr;

use rustix::fs::{Mode, OFlags, fsync, openat, renameat};
use rustix::io::{Errno, read, write};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::swap::{COMMIT, MOVED, Phase, Plan, Staging, Stop, WRITING};
use super::told;

/// Most bytes of a record.
const RECORD: usize = 64 << 20;

impl Staging<'_> {
    /// Writes a record, whole or not at all.
    pub(super) fn write(&self, name: &CStr, record: &impl Serialize) -> Result<(), Stop> {
        let tried = "writing down what is exchanged";
        let body = postcard::to_stdvec(record).map_err(|_| self.fail(Errno::INVAL, tried))?;
        let digest: [u8; 32] = Sha256::digest(&body).into();
        let bytes = [digest.as_slice(), &body].concat();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let written = openat(&self.dir, WRITING, flags, Mode::RUSR | Mode::WUSR).and_then(|fd| {
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let count = write(&fd, rest)?;
                rest = &rest[count..];
            }
            fsync(&fd)
        });
        written
            .and_then(|()| renameat(&self.dir, WRITING, &self.dir, name))
            .and_then(|()| fsync(&self.dir))
            .map_err(|errno| self.fail(errno, tried))
    }

    /// Reads a record; `None` when there is none.
    pub(super) fn read<T: DeserializeOwned>(&self, name: &CStr) -> Result<Option<T>, Stop> {
        let tried = "reading what was to be exchanged";
        let fd = match self.resolver.child(&self.dir, name, OFlags::RDONLY) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(self.fail(errno, tried)),
        };
        let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
        loop {
            let count = read(&fd, &mut buffer[..]).map_err(|errno| self.fail(errno, tried))?;
            bytes.extend_from_slice(&buffer[..count]);
            if count == 0 || bytes.len() > RECORD {
                break;
            }
        }
        let record = bytes.split_at_checked(32).filter(|(digest, body)| {
            let right: [u8; 32] = Sha256::digest(body).into();
            right == **digest
        });
        let record = record.and_then(|(_, body)| postcard::from_bytes(body).ok());
        record.map(Some).ok_or_else(|| {
            told(
                self.name.to_bytes(),
                Errno::BADMSG,
                "its record of what is exchanged is damaged",
            )
            .into()
        })
    }

    /// The plan of an exchange that was begun, and how far it is.
    pub(super) fn begun(&self) -> Result<Option<(Plan, Phase)>, Stop> {
        if let Some(plan) = self.read(MOVED)? {
            return Ok(Some((plan, Phase::Moved)));
        }
        Ok(self.read(COMMIT)?.map(|plan| (plan, Phase::Commit)))
    }
}
