//! Reads the first-level names out of a tar stream as it comes, and nothing else. The stream is hostile.

use std::collections::BTreeSet;

const BLOCK: usize = 512;
/// The longest extension (long name, extended header) that is read, in bytes.
const MAX_EXTENSION: u64 = 1 << 20;

/// What the next bytes of the stream are.
#[derive(Debug)]
enum Expect {
    /// A header.
    Header,
    /// The contents of an entry, of which so many bytes are to be skipped.
    Skip(u64),
    /// An extension that names the next entry.
    Extension { pax: bool, length: usize, padded: usize },
}

/// Collects the names below the one directory that the archive holds, bounded.
#[derive(Debug)]
pub(super) struct TarNames {
    buffer: Vec<u8>,
    expect: Expect,
    long_name: Option<Vec<u8>>,
    names: BTreeSet<Vec<u8>>,
    limit: usize,
    more: bool,
}

impl TarNames {
    /// Nothing read yet; keeps at most `limit` names.
    pub(super) fn new(limit: usize) -> Self {
        let (buffer, names) = (Vec::new(), BTreeSet::new());
        Self {
            buffer,
            expect: Expect::Header,
            long_name: None,
            names,
            limit,
            more: false,
        }
    }

    /// Takes the next bytes; whether more are wanted.
    ///
    /// # Errors
    ///
    /// When they are no tar.
    pub(super) fn feed(&mut self, mut data: &[u8]) -> Result<bool, String> {
        loop {
            let wanted = match &mut self.expect {
                Expect::Skip(left) => {
                    let skipped = (*left).min(data.len() as u64);
                    *left -= skipped;
                    data = &data[skipped as usize..];
                    if *left > 0 {
                        return Ok(true);
                    }
                    self.expect = Expect::Header;
                    BLOCK
                }
                Expect::Header => BLOCK,
                Expect::Extension { padded, .. } => *padded,
            };
            let taken = data.len().min(wanted - self.buffer.len());
            self.buffer.extend_from_slice(&data[..taken]);
            data = &data[taken..];
            if self.buffer.len() < wanted {
                return Ok(true);
            }
            let block = std::mem::take(&mut self.buffer);
            let wants_more = match self.expect {
                Expect::Extension { pax, length, .. } => {
                    self.extension(&block[..length], pax);
                    true
                }
                Expect::Header | Expect::Skip(_) => self.header(&block)?,
            };
            if !wants_more {
                return Ok(false);
            }
        }
    }

    /// The names in order, and whether there are more.
    pub(super) fn finish(self) -> (Vec<Vec<u8>>, bool) {
        (self.names.into_iter().collect(), self.more)
    }

    fn extension(&mut self, text: &[u8], pax: bool) {
        self.expect = Expect::Header;
        let name = if pax { pax_path(text) } else { Some(until_nul(text)) };
        if let Some(name) = name {
            self.long_name = Some(name.to_vec());
        }
    }

    fn header(&mut self, block: &[u8]) -> Result<bool, String> {
        if block.iter().all(|&byte| byte == 0) {
            return Ok(false);
        }
        let size = number(&block[124..136]).ok_or("an entry has no size")?;
        let padded = size
            .checked_next_multiple_of(BLOCK as u64)
            .ok_or("an entry is larger than anything")?;
        let kind = block[156];
        match kind {
            b'x' | b'L' if size <= MAX_EXTENSION => {
                let (length, padded) = (size as usize, padded as usize);
                self.expect = match padded {
                    0 => Expect::Header,
                    _ => Expect::Extension {
                        pax: kind == b'x',
                        length,
                        padded,
                    },
                };
                return Ok(true);
            }
            b'x' | b'L' => return Err("an entry's name is larger than a mebibyte".to_owned()),
            b'g' | b'K' => {}
            _ => {
                let name = self.long_name.take().unwrap_or_else(|| short_name(block));
                if !self.note(&name, kind == b'5') {
                    return Ok(false);
                }
            }
        }
        // Links and the like have no contents whatever their size says.
        self.expect = match kind {
            b'1'..=b'6' => Expect::Header,
            _ => Expect::Skip(padded),
        };
        Ok(true)
    }

    /// Notes the first level of an entry's path; whether there is room for more.
    fn note(&mut self, path: &[u8], is_dir: bool) -> bool {
        let mut parts = path
            .split(|&byte| byte == b'/')
            .filter(|part| !part.is_empty() && *part != b".");
        let top = parts.next();
        let name = match (parts.next(), top) {
            (Some(name), _) => name,
            // The archive of a single file holds but itself.
            (None, Some(top)) if !is_dir => top,
            (None, _) => return true,
        };
        let mut name = name.to_vec();
        if is_dir || parts.next().is_some() {
            name.push(b'/');
        }
        if self.names.contains(&name) {
            return true;
        }
        if self.names.len() >= self.limit {
            self.more = true;
            return false;
        }
        self.names.insert(name);
        true
    }
}

fn until_nul(text: &[u8]) -> &[u8] {
    text.split(|&byte| byte == 0).next().unwrap_or(text)
}

/// The name in a header: prefix and name for ustar.
fn short_name(block: &[u8]) -> Vec<u8> {
    let name = until_nul(&block[..100]);
    let prefix = if &block[257..263] == b"ustar\0" {
        until_nul(&block[345..500])
    } else {
        &[]
    };
    if prefix.is_empty() {
        name.to_vec()
    } else {
        [prefix, b"/", name].concat()
    }
}

/// A number in octal, or in base 256 when its first bit says so.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let (first, rest) = field.split_first()?;
        let start = u64::from(first & 0x7f);
        return rest
            .iter()
            .try_fold(start, |sum, &byte| sum.checked_mul(256)?.checked_add(u64::from(byte)));
    }
    let text = std::str::from_utf8(until_nul(field)).ok()?.trim();
    if text.is_empty() {
        Some(0)
    } else {
        u64::from_str_radix(text, 8).ok()
    }
}

/// The path in an extended header (`LENGTH path=VALUE\n`…).
fn pax_path(mut text: &[u8]) -> Option<&[u8]> {
    loop {
        let blank = text.iter().position(|&byte| byte == b' ')?;
        let length: usize = std::str::from_utf8(&text[..blank]).ok()?.parse().ok()?;
        let record = text.get(blank + 1..length)?.strip_suffix(b"\n")?;
        if let Some(path) = record.strip_prefix(b"path=") {
            return Some(path);
        }
        text = &text[length..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn archive() -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().join("data");
        std::fs::create_dir_all(top.join("sub/deeper")).unwrap();
        std::fs::write(top.join("sub/deeper/file"), [1; 2000]).unwrap();
        std::fs::write(top.join("a file"), [1; 513]).unwrap();
        std::fs::write(top.join("L".repeat(200)), "").unwrap();
        std::os::unix::fs::symlink("a file", top.join("link")).unwrap();
        let made = Command::new("tar")
            .args(["--sort=name", "-cf", "-", "-C"])
            .arg(dir.path())
            .arg("data")
            .output();
        made.unwrap().stdout
    }

    fn names(piece: usize, limit: usize) -> (Vec<Vec<u8>>, bool) {
        let mut names = TarNames::new(limit);
        for piece in archive().chunks(piece) {
            if !names.feed(piece).unwrap() {
                break;
            }
        }
        names.finish()
    }

    #[test]
    fn the_first_level_is_listed_however_the_stream_is_cut() {
        let long = "L".repeat(200).into_bytes();
        let wanted = vec![long, b"a file".to_vec(), b"link".to_vec(), b"sub/".to_vec()];
        for piece in [1, 7, 512, 100_000] {
            assert_eq!(names(piece, 100), (wanted.clone(), false), "in pieces of {piece}");
        }
    }

    #[test]
    fn the_limit_ends_the_reading() {
        let (names, more) = names(512, 2);
        assert_eq!((names.len(), more), (2, true));
    }

    #[test]
    fn rubbish_is_an_error_or_the_end_but_no_panic() {
        assert!(TarNames::new(10).feed(&[0xff; 4096]).is_err() || TarNames::new(10).feed(&[b'z'; 4096]).is_err());
        let mut header = [b'0'; 512];
        header[124] = 0xff;
        header[125..136].fill(0xff);
        assert!(TarNames::new(10).feed(&header).is_err());
        assert_eq!(pax_path(b"0 path=x\n"), None);
        assert_eq!(pax_path(b"999999 path=x\n"), None);
    }
}
