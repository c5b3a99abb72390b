//! Archives for tests.

use std::path::{Path, PathBuf};

use time::OffsetDateTime;
use vole_agent::archive::{Entry, Form, Writer};
use vole_agent::proto::Time;
use vole_agent::proto::archive::Compression;

use super::{Archive, Draft, Origin, Status, hex};
use crate::model::Mount;

/// An entry as whoever packs finds it.
pub(crate) fn entry(path: &str, form: Form) -> Entry {
    Entry {
        path: path.into(),
        form,
        mode: 0o700,
        uid: 1,
        gid: 2,
        mtime: Time { secs: 3, nanos: 4 },
        xattrs: Vec::new(),
        acl_cut: false,
    }
}

/// A committed archive of two entries.
pub(crate) fn committed(dir: &Path) -> Archive {
    let origin = Origin::of(&Mount::sample("db"), "unix:///x".to_owned(), OffsetDateTime::UNIX_EPOCH);
    let mut writer = Writer::begin(Vec::new(), &serde_json::to_vec(&origin).unwrap()).unwrap();
    let top = entry("", Form::Dir);
    writer.entry(&top).unwrap();
    writer.entry(&entry("file", Form::File { size: 4, map: None })).unwrap();
    writer.contents(b"1234").unwrap();
    let (bytes, counts, digest) = writer.finish(&top).unwrap();
    let mut draft = Draft::begin(dir, "db", OffsetDateTime::UNIX_EPOCH, Compression::None).unwrap();
    draft.write(&bytes).unwrap();
    let archive = Archive {
        path: PathBuf::new(),
        origin,
        bytes: 0,
        sha256: String::new(),
        entries: counts.entries,
        content_bytes: counts.bytes,
        digest: hex(&digest),
        status: Status::Ok,
        warnings: Vec::new(),
        warned: 0,
    };
    draft.commit(archive).unwrap()
}
