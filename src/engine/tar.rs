//! Reads a tar stream as it comes, header by header; who is asked decides what of it is wanted. The stream is hostile.
//! Knows neither engines nor what a caller makes of it.

const BLOCK: usize = 512;
/// The longest extension (long name, extended header) that is read, in bytes.
const MAX_EXTENSION: u64 = 1 << 20;

/// What a header says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Header {
    /// The path as written.
    pub(super) path: Vec<u8>,
    /// The type flag.
    pub(super) kind: u8,
    /// Permission bits (07777).
    pub(super) mode: u32,
    /// Owner.
    pub(super) uid: u32,
    /// Group.
    pub(super) gid: u32,
    /// Where a link points; empty for everything else.
    pub(super) link: Vec<u8>,
}

impl Header {
    /// Whether it is a directory.
    pub(super) fn is_dir(&self) -> bool {
        self.kind == b'5'
    }

    /// Whether it is a symbolic link.
    pub(super) fn is_symlink(&self) -> bool {
        self.kind == b'2'
    }

    /// Whether it is a regular file.
    pub(super) fn is_file(&self) -> bool {
        matches!(self.kind, b'0' | 0 | b'7')
    }
}

/// What is wanted after a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The next header.
    Header,
    /// The contents of this entry.
    Contents,
    /// Nothing more.
    Enough,
}

/// Who reads an archive.
pub(super) trait Reader {
    /// Takes a header.
    fn header(&mut self, header: Header) -> Next;

    /// Takes a piece of contents that were wanted; whether more are.
    fn contents(&mut self, piece: &[u8]) -> bool {
        let _ = piece;
        false
    }
}

/// What the next bytes of the stream are.
#[derive(Debug)]
enum Expect {
    /// A header.
    Header,
    /// Bytes of no account.
    Skip(u64),
    /// Contents that are wanted, and the bytes of no account behind them.
    Contents { left: u64, padding: u64 },
    /// An extension that belongs to the next entry.
    Extension { kind: u8, length: usize, padded: usize },
}

/// What extensions say of the next entry, over what its header says.
#[derive(Debug, Default)]
struct Extended {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    uid: Option<u64>,
    gid: Option<u64>,
    size: Option<u64>,
}

/// A tar stream, as far as it has come.
#[derive(Debug)]
pub(super) struct Tar {
    buffer: Vec<u8>,
    expect: Expect,
    extended: Extended,
}

impl Tar {
    /// Nothing read yet.
    pub(super) fn new() -> Self {
        Self {
            buffer: Vec::new(),
            expect: Expect::Header,
            extended: Extended::default(),
        }
    }

    /// Takes the next bytes; whether more are wanted.
    ///
    /// # Errors
    ///
    /// When they are no tar.
    pub(super) fn feed(&mut self, mut data: &[u8], reader: &mut impl Reader) -> Result<bool, String> {
        loop {
            let wanted = match &mut self.expect {
                Expect::Skip(left) => {
                    data = take(data, left).1;
                    if *left > 0 {
                        return Ok(true);
                    }
                    self.expect = Expect::Header;
                    BLOCK
                }
                Expect::Contents { left, padding } => {
                    let (piece, rest) = take(data, left);
                    data = rest;
                    if !piece.is_empty() && !reader.contents(piece) {
                        return Ok(false);
                    }
                    if *left > 0 {
                        return Ok(true);
                    }
                    self.expect = Expect::Skip(*padding);
                    continue;
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
                Expect::Extension { kind, length, .. } => {
                    self.extension(&block[..length], kind);
                    true
                }
                Expect::Header | Expect::Skip(_) | Expect::Contents { .. } => self.header(&block, reader)?,
            };
            if !wants_more {
                return Ok(false);
            }
        }
    }

    fn extension(&mut self, text: &[u8], kind: u8) {
        self.expect = Expect::Header;
        match kind {
            b'L' => self.extended.path = Some(until_nul(text).to_vec()),
            b'K' => self.extended.link = Some(until_nul(text).to_vec()),
            _ => self.extended.read(text),
        }
    }

    fn header(&mut self, block: &[u8], reader: &mut impl Reader) -> Result<bool, String> {
        if block.iter().all(|&byte| byte == 0) {
            return Ok(false);
        }
        let size = number(&block[124..136]).ok_or("an entry has no size")?;
        let kind = block[156];
        match kind {
            b'x' | b'L' | b'K' if size <= MAX_EXTENSION => {
                let (length, padded) = (size as usize, padded(size)? as usize);
                self.expect = match padded {
                    0 => Expect::Header,
                    _ => Expect::Extension { kind, length, padded },
                };
                return Ok(true);
            }
            b'x' | b'L' | b'K' => return Err("an entry's name is larger than a mebibyte".to_owned()),
            // What holds for all that follows: nothing that is read here.
            b'g' => {
                self.expect = Expect::Skip(padded(size)?);
                return Ok(true);
            }
            _ => {}
        }
        let extended = std::mem::take(&mut self.extended);
        let size = extended.size.unwrap_or(size);
        let whole = padded(size)?;
        let next = reader.header(extended.over(block)?);
        // Links and the like have no contents whatever their size says.
        let has_contents = !matches!(kind, b'1'..=b'6');
        self.expect = match next {
            Next::Enough => return Ok(false),
            _ if !has_contents => Expect::Header,
            Next::Header => Expect::Skip(whole),
            Next::Contents => Expect::Contents {
                left: size,
                padding: whole - size,
            },
        };
        Ok(true)
    }
}

impl Extended {
    /// Reads the records of an extended header (`LENGTH KEY=VALUE\n`…), as far as they make sense.
    fn read(&mut self, mut text: &[u8]) {
        while let Some((record, rest)) = record(text) {
            text = rest;
            let Some(equals) = record.iter().position(|&byte| byte == b'=') else {
                continue;
            };
            let value = &record[equals + 1..];
            match &record[..equals] {
                b"path" => self.path = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"uid" => self.uid = decimal(value),
                b"gid" => self.gid = decimal(value),
                b"size" => self.size = decimal(value),
                _ => {}
            }
        }
    }

    /// The header of a block, with what the extensions say instead.
    fn over(self, block: &[u8]) -> Result<Header, String> {
        let id = |extended: Option<u64>, field: &[u8]| {
            let told = extended.or_else(|| number(field)).ok_or("an entry has no owner")?;
            u32::try_from(told).map_err(|_| "an entry's owner is no number of a user")
        };
        Ok(Header {
            kind: block[156],
            mode: number(&block[100..108]).map_or(0, |mode| (mode & 0o7777) as u32),
            uid: id(self.uid, &block[108..116])?,
            gid: id(self.gid, &block[116..124])?,
            path: self.path.unwrap_or_else(|| short_name(block)),
            link: self.link.unwrap_or_else(|| until_nul(&block[157..257]).to_vec()),
        })
    }
}

/// Takes up to `left` bytes off, and counts them.
fn take<'a>(data: &'a [u8], left: &mut u64) -> (&'a [u8], &'a [u8]) {
    let taken = (*left).min(data.len() as u64);
    *left -= taken;
    data.split_at(taken as usize)
}

fn padded(size: u64) -> Result<u64, String> {
    let padded = size.checked_next_multiple_of(BLOCK as u64);
    padded.ok_or_else(|| "an entry is larger than anything".to_owned())
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

fn decimal(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The next record of an extended header, and what follows it.
fn record(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let blank = text.iter().position(|&byte| byte == b' ')?;
    let length: usize = std::str::from_utf8(&text[..blank]).ok()?.parse().ok()?;
    let record = text.get(blank + 1..length)?.strip_suffix(b"\n")?;
    Some((record, &text[length..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[derive(Default)]
    struct First {
        header: Option<Header>,
        contents: Vec<u8>,
    }

    impl Reader for First {
        fn header(&mut self, header: Header) -> Next {
            if self.header.is_some() {
                return Next::Enough;
            }
            self.header = Some(header);
            Next::Contents
        }

        fn contents(&mut self, piece: &[u8]) -> bool {
            self.contents.extend_from_slice(piece);
            true
        }
    }

    /// The first entry of an archive of a file, packed with these options and read in pieces.
    fn first(name: &str, options: &[&str], piece: usize) -> First {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(name), [7; 700]).unwrap();
        let mut tar = Command::new("tar");
        let tar = tar.args(options).arg("-cf").arg("-").arg("-C").arg(dir.path());
        let archive = tar.arg(name).output().unwrap().stdout;
        let (mut tar, mut first) = (Tar::new(), First::default());
        for piece in archive.chunks(piece) {
            if !tar.feed(piece, &mut first).unwrap() {
                break;
            }
        }
        first
    }

    #[test]
    fn owner_mode_and_contents_are_read_however_the_stream_is_cut_and_whoever_packed_it() {
        for format in ["--format=gnu", "--format=pax", "--format=ustar"] {
            for piece in [1, 511, 100_000] {
                let name = "n".repeat(90);
                let options = [format, "--owner=1234", "--group=777", "--mode=4750"];
                let read = first(&name, &options, piece);
                let header = read.header.unwrap();
                assert_eq!((header.uid, header.gid, header.mode), (1234, 777, 0o4750), "{format}");
                assert!(header.is_file() && header.path == name.as_bytes());
                assert_eq!(read.contents, [7; 700], "{format} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn an_owner_beyond_the_field_is_read_from_the_extension() {
        for format in ["--format=gnu", "--format=pax"] {
            let read = first("f", &[format, "--owner=x:2952792063", "--group=y:3000000000"], 512);
            let header = read.header.unwrap();
            assert_eq!((header.uid, header.gid), (2_952_792_063, 3_000_000_000), "{format}");
        }
    }

    #[test]
    fn rubbish_is_an_error_or_the_end_but_no_panic() {
        let fed = |bytes: &[u8]| Tar::new().feed(bytes, &mut First::default());
        assert!(fed(&[0xff; 4096]).is_err() && fed(&[b'z'; 4096]).is_err());
        let mut header = [b'0'; 512];
        header[124] = 0xff;
        header[125..136].fill(0xff);
        assert!(fed(&header).is_err());
        for text in [b"0 path=x\n".as_slice(), b"999999 path=x\n", b"x", b"9 path=x\n"] {
            let mut extended = Extended::default();
            extended.read(text);
            assert_eq!(extended.path, None.or((text == b"9 path=x\n").then(|| b"x".to_vec())));
        }
    }
}
