//! One entry of an archive as plain data.

use crate::proto::Time;

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Components joined by `/`, without a leading `./`; empty for the top. As an archive of another program has it, it
    /// may be anything: a reader does not judge it, who unpacks does.
    pub path: Vec<u8>,
    /// What it is.
    pub form: Form,
    /// Permission bits (07777).
    pub mode: u32,
    /// Numeric owner.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
    /// Last change of the contents.
    pub mtime: Time,
    /// Extended attributes, raw, in the order of their names.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whether it had an access control list of which these attributes lack something: another program wrote names without
    /// numbers, or a kind that Linux has not.
    pub acl_cut: bool,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// A regular file, whose contents follow.
    File {
        /// Its length in bytes.
        size: u64,
        /// Offset and length of its data, ascending, for a sparse file; the contents that follow are these alone.
        map: Option<Vec<(u64, u64)>>,
    },
    /// A directory.
    Dir,
    /// A symbolic link.
    Symlink {
        /// Where it points, as written.
        target: Vec<u8>,
    },
    /// Another name of an earlier entry.
    Hardlink {
        /// That entry's path, spelled as [`Entry::path`].
        target: Vec<u8>,
    },
    /// A named pipe.
    Fifo,
    /// A character device.
    CharDevice {
        /// Major and minor number.
        dev: (u32, u32),
    },
    /// A block device.
    BlockDevice {
        /// Major and minor number.
        dev: (u32, u32),
    },
}

impl Form {
    /// Bytes of contents that follow the entry in an archive.
    pub fn stored(&self) -> u64 {
        match self {
            Self::File { size, map: None } => *size,
            Self::File { map: Some(map), .. } => map.iter().map(|(_, len)| len).sum(),
            _ => 0,
        }
    }
}
