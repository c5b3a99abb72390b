//! Reads an archive, one of ours or of any other `tar`: its entries, their contents, and whether it is whole. Judges
//! nothing that an entry says of itself, and makes nothing.

mod acl;
mod damage;
mod entries;
mod feed;
mod forms;
mod header;
mod open;
mod pax;
mod pipe;
mod sparse;
mod sum;

pub(crate) use damage::shown;
pub use damage::{Broken, Damage, Wrong};

pub use entries::Reader;
pub use open::{Ending, Opened, Seal, Source};
pub use pipe::Pipe;
