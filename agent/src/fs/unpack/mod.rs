//! Makes the entries of an archive.

use super::Roots;
use crate::proto::Fault;
use crate::proto::archive::Unpack;
use crate::serve::{Halt, Sink};

impl Roots {
    /// See [`crate::proto::Request::Unpack`].
    pub(super) fn unpack(&self, _unpack: &Unpack, _sink: &Sink) -> Result<Vec<Fault>, Halt> {
        Err(Halt::Fault(Fault {
            errno: None,
            path: Vec::new(),
            message: "SEAM".into(),
        }))
    }

    /// See [`crate::proto::Request::Mend`].
    pub(super) fn mend(&self, _root: u32, _sink: &Sink) -> Result<Vec<Fault>, Halt> {
        Err(Halt::Fault(Fault {
            errno: None,
            path: Vec::new(),
            message: "SEAM".into(),
        }))
    }
}
