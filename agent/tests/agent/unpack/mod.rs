//! Archives that are unpacked over pipes: that the same tree comes of them, and that nothing else does.

mod evil;
mod placing;
mod trips;

use std::path::Path;

use vole_agent::proto::Fault;
use vole_agent::proto::archive::{Placing, Unpack, Unpacked};

use crate::client::Client;

pub(crate) fn request(placing: Placing) -> Unpack {
    Unpack {
        root: 0,
        placing,
        id: "t-1".into(),
        strip: 0,
        only: Vec::new(),
        foreign: false,
    }
}

pub(crate) fn foreign(placing: Placing) -> Unpack {
    Unpack {
        foreign: true,
        ..request(placing)
    }
}

pub(crate) fn unpack(top: &Path, unpack: Unpack, archive: &[u8]) -> Result<Unpacked, Fault> {
    let (unpacked, notes) = Client::over(top).unpack(unpack, archive)?;
    assert_eq!(notes, []);
    Ok(unpacked)
}
