//! Packs a tree into an archive.

use super::Roots;
use crate::proto::Fault;
use crate::proto::archive::Pack;
use crate::serve::{Halt, Sink};

impl Roots {
    /// See [`crate::proto::Request::Pack`].
    pub(super) fn pack(&self, _pack: &Pack, _sink: &Sink) -> Result<Vec<Fault>, Halt> {
        Err(Halt::Fault(Fault {
            errno: None,
            path: Vec::new(),
            message: "SEAM".into(),
        }))
    }
}
