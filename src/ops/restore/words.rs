//! Restores in words: what is done, what differs, what an agent says of an archive.

use rustix::io::Errno;

use super::Request;
use crate::archive::Origin;
use crate::core::figures;
use crate::engine::EngineError;
use crate::model::{BytePath, Mount};
use crate::text;

/// What is done, for the journal and for people.
pub fn operation(request: &Request) -> String {
    match &request.archive {
        Some(path) => format!("restore of {}", text::printable(path.as_os_str().as_encoded_bytes())),
        None => "restore of what came by a pipe".to_owned(),
    }
}

/// What gives way to a restore, and that nothing brings it back; some paths of the target, or all of it.
pub(super) fn replaces(name: &str, paths: Option<&[BytePath]>, in_place: bool) -> String {
    let there = match paths {
        None => format!("{name} holds now"),
        Some([path]) => format!("{name} holds at {}", text::printable(path.as_bytes())),
        Some(paths) => format!("{name} holds at {}", figures::counted(paths.len() as u64, "path")),
    };
    match in_place {
        false => format!("what {there} is replaced, and nothing brings it back"),
        true => format!("what {there} is removed before the new contents are there, and nothing brings it back"),
    }
}

/// What differs between the volume that an archive was made of and the one whose contents it replaces.
pub(super) fn differs(origin: &Origin, mount: &Mount) -> Option<String> {
    let same = origin.driver == mount.driver && origin.options == mount.options;
    (origin.kind.is_volume() && mount.kind.is_volume() && !same).then(|| {
        format!(
            "{} keeps its own driver and options, which are not those of the volume that the archive was made of",
            mount.name
        )
    })
}

/// An agent's word on the archive itself, as what it is: it answers `EBADMSG` then.
pub(in crate::ops) fn damaged(error: EngineError) -> EngineError {
    match error {
        EngineError::Agent(fault) if fault.errno == Some(Errno::BADMSG.raw_os_error()) => {
            EngineError::Damaged(text::fault(&fault))
        }
        error => error,
    }
}
