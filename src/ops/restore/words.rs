//! Restores in words: what is done, what an archive or a target lacks, what differs.

use vole_agent::proto::archive::{Lack, Want};

use super::Request;
use crate::archive::Origin;
use crate::engine::EngineError;
use crate::model::Mount;
use crate::text;

/// What is done, for the journal and for people.
pub fn operation(request: &Request) -> String {
    match &request.archive {
        Some(path) => format!("restore of {}", text::printable(path.as_os_str().as_encoded_bytes())),
        None => "restore of what came by a pipe".to_owned(),
    }
}

/// What an entry lacks.
pub fn lack(lack: &Lack) -> String {
    let path = match lack.path.as_slice() {
        b"" => "the top".to_owned(),
        path => text::printable(path),
    };
    let errno = |errno: i32| std::io::Error::from_raw_os_error(errno).to_string();
    let why = match lack.want {
        Want::Socket => "a socket, which means nothing without its program".to_owned(),
        Want::OtherMount => "another file system is mounted there".to_owned(),
        Want::Changed => "it changed while it was read, each time".to_owned(),
        Want::Vanished => "it was gone when its turn came".to_owned(),
        Want::Unreadable(number) => format!("it could not be read: {}", errno(number)),
        Want::Refused(number) => format!("not all of it could be made as it was: {}", errno(number)),
    };
    format!("{path}: {why}")
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

/// An agent's word on the archive itself, as what it is.
pub(in crate::ops) fn damaged(error: EngineError) -> EngineError {
    match error {
        EngineError::Agent(fault) if is_damage(&fault.message) => EngineError::Damaged(text::fault(&fault)),
        error => error,
    }
}

/// How the reader begins what it says of an archive that is not whole.
fn is_damage(message: &str) -> bool {
    message.starts_with("the archive ends too early") || message.starts_with("the archive is damaged")
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    crate::archive::hex(bytes)
}
