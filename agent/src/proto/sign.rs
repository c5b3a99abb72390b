//! The protocol's words for what a measurement looks out for. Plain data.

use serde::{Deserialize, Serialize};

/// Something to look out for while sizes are counted: an entry whose path ends in these components.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sign {
    /// The components, the upper ones first; each is literal but for one `*` at most. None is the root itself, which
    /// only [`Cover`] makes sense for.
    pub path: Vec<Vec<u8>>,
    /// Whether it is a directory or a regular file. A symlink is neither.
    pub dir: bool,
    /// How many directories may stand above the first component.
    pub levels: u8,
    /// Bytes of a regular file to send along, at most 64.
    pub head: u16,
    /// How a regular file has to start.
    pub magic: Vec<u8>,
    /// Set when the directory speaks for all that is beneath it.
    pub cover: Option<Cover>,
}

/// How a directory speaks for all that is beneath it: nothing there is stray.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cover {
    /// Regular files of which one has to be in the directory; none asks for none.
    pub markers: Vec<Marker>,
}

/// A file that marks a directory.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Marker {
    /// Its base name.
    pub name: Vec<u8>,
    /// How it has to start.
    pub magic: Vec<u8>,
}

/// A sign that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Index of the sign in the request.
    pub sign: u32,
    /// The entry's path below the place; empty for the place itself.
    pub path: Vec<u8>,
    /// How the file starts, as far as that was asked for.
    pub head: Vec<u8>,
}
