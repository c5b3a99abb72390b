//! What is said of a backup, in words.

use std::io;
use std::path::Path;

use rustix::io::Errno;
use vole_agent::proto::archive::{Lack, Want};

use crate::text;

/// The most columns of a path in a warning: it may have thousands.
const LONGEST: usize = 300;

/// What an archive lacks of an entry.
pub fn lack(lack: &Lack) -> String {
    let path = match lack.path.as_slice() {
        b"" => "the top".to_owned(),
        path => text::fit_middle(&text::printable(path), LONGEST, "…"),
    };
    format!("{path} {}", want(lack.want))
}

fn want(want: Want) -> String {
    let because = |errno: i32| io::Error::from_raw_os_error(errno).to_string();
    match want {
        Want::Socket => "is a socket, which means nothing without the program that made it: left out".to_owned(),
        Want::OtherMount => "is another mount, which is not entered: what is in it is left out".to_owned(),
        Want::Changed => "changed each time it was read: what was read last is in the archive".to_owned(),
        Want::Vanished => "was gone when its turn came".to_owned(),
        Want::Unreadable(errno) => format!("could not be read: {}", because(errno)),
        Want::Refused(errno) => format!("could not be set as it was: {}", because(errno)),
        Want::AccessList => {
            "lacks part of its access control list: the archive has users or groups by name, with no number \
                             beside it, or rights that Linux does not know"
                .to_owned()
        }
    }
}

/// Why an archive could not be written, and what to try.
pub(super) fn unwritten(path: &Path, error: &io::Error) -> String {
    let full = error.raw_os_error().map(Errno::from_raw_os_error);
    let hint = match full {
        Some(Errno::NOSPC | Errno::DQUOT) => "; make room there, or choose another place with --to",
        Some(Errno::FBIG) => "; the file system takes no longer files: choose another place with --to",
        _ => "",
    };
    format!("cannot write {}: {error}{hint}; nothing of it was kept", path.display())
}
