//! What one header, with the records before it, says an entry is.

use super::damage::{Broken, Wrong};
use super::feed::Feed;
use super::header::Header;
use super::open::Source;
use super::pax::Pax;
use super::sparse::{self, Extended};
use crate::archive::{Entry, Form};
use crate::proto::Time;

/// The entry of a header, and the bytes of contents that follow it. `raw` is its name as written, `link` its target.
pub(super) fn entry(
    header: &Header<'_>,
    mut pax: Pax,
    raw: &[u8],
    link: Vec<u8>,
    feed: &mut Feed<impl Source>,
) -> Result<(Entry, u64), Broken> {
    let size = match pax.size {
        Some(size) => size,
        None => header.size()?,
    };
    let mut stored = 0;
    let form = match header.kind() {
        b'0' | 0 if raw.ends_with(b"/") => Form::Dir,
        b'0' | 0 | b'7' | b'S' => {
            let form = file(header, &pax, size, feed)?;
            stored = form.stored();
            form
        }
        // Only with extended headers the length counts; elsewhere it may be the first name's.
        b'1' if pax.size.is_some_and(|size| size > 0) => {
            return Err(Broken::new(
                Wrong::Unsupported,
                "a hardlink carries contents of its own; repack the archive with GNU tar",
            ));
        }
        b'1' => Form::Hardlink { target: plain(&link) },
        b'2' => Form::Symlink { target: link },
        b'3' => Form::CharDevice { dev: header.device()? },
        b'4' => Form::BlockDevice { dev: header.device()? },
        b'5' => Form::Dir,
        // GNU's incremental directory: a list of names follows.
        b'D' => {
            stored = size;
            Form::Dir
        }
        b'6' => Form::Fifo,
        other => {
            return Err(Broken::new(
                Wrong::Unsupported,
                format!("an entry is of the unknown type {:?}", char::from(other)),
            ));
        }
    };
    let acl_cut = pax.add_lists()?;
    pax.xattrs.sort();
    let mtime = match pax.mtime {
        Some(mtime) => mtime,
        None => Time {
            secs: header.mtime()?,
            nanos: 0,
        },
    };
    let entry = Entry {
        path: plain(raw),
        form,
        mode: header.mode()?,
        uid: pax.uid.map_or_else(|| header.uid(), Ok)?,
        gid: pax.gid.map_or_else(|| header.gid(), Ok)?,
        mtime,
        xattrs: pax.xattrs,
        acl_cut,
    };
    Ok((entry, stored))
}

/// A regular file, sparse or not.
fn file(header: &Header<'_>, pax: &Pax, size: u64, feed: &mut Feed<impl Source>) -> Result<Form, Broken> {
    let (map, real, before) = if header.kind() == b'S' {
        (sparse::old(header, feed)?, header.real_size()?, 0)
    } else {
        let real = || {
            let real = pax.sparse.real;
            real.ok_or_else(|| Broken::corrupt("a sparse file's length is missing"))
        };
        match sparse::extended(&pax.sparse)? {
            None => return Ok(Form::File { size, map: None }),
            Some(Extended::Records(map)) => (map, real()?, 0),
            Some(Extended::BeforeContents) => {
                let (map, taken) = sparse::before_contents(feed, size)?;
                (map, real()?, taken)
            }
        }
    };
    let map = sparse::checked(map, real, size - before)?;
    Ok(Form::File {
        size: real,
        map: Some(map),
    })
}

/// A name as [`Entry::path`] has it: without leading `./` and trailing slashes.
pub(super) fn plain(raw: &[u8]) -> Vec<u8> {
    let mut path = raw;
    while let Some(rest) = path.strip_prefix(b"./") {
        path = rest;
        while let Some(rest) = path.strip_prefix(b"/") {
            path = rest;
        }
    }
    while let [rest @ .., b'/'] = path {
        if rest.is_empty() {
            break;
        }
        path = rest;
    }
    if path == b"." { Vec::new() } else { path.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn names_lose_only_what_means_nothing() {
        for (raw, path) in [
            ("./", ""),
            (".", ""),
            ("././", ""),
            (".//", ""),
            ("./a/", "a"),
            ("a//", "a"),
            ("/", "/"),
            ("//", "/"),
            ("/a", "/a"),
            ("../a", "../a"),
            ("a/./b", "a/./b"),
            (".a", ".a"),
            (".././", "../."),
        ] {
            assert_eq!(plain(raw.as_bytes()), path.as_bytes(), "{raw:?}");
        }
    }
}
