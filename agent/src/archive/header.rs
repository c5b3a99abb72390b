//! Writes the headers of entries: pax records, long names, GNU header blocks. Knows no contents and no files.
//!
//! What stands before an entry's own header follows the order that GNU tar, bsdtar, busybox and Python all read: an `x`
//! header with POSIX magic, then `L` and `K`, then the GNU header. The `x` header is left out where it has nothing to
//! say. Times before 1970 are written as POSIX and GNU tar have them: `-1.5` is one and a half seconds before (bsdtar
//! reads the fraction forward).

use std::ops::Range;

use super::entry::{Entry, Form};
use super::{BLOCK, HEAD_MARK, TRAILER_MARK};
use crate::proto::Time;
use crate::proto::archive::Counts;

/// What every name and every hardlink's target begins with. Without it bsdtar takes away what looks like the root of a drive,
/// a share or a device of Windows (`c:`, `\`, `\\?\`).
const HERE: &[u8] = b"./";
/// Names of this length and more stand in an `L` or `K` entry: some readers want a NUL behind those in the header.
const LONG: usize = 100;
/// Segments of a sparse file that fit its header.
const SEGMENTS: usize = 4;
/// Segments that fit each block behind it.
const MORE_SEGMENTS: usize = 21;
/// The greatest number of seconds that eleven octal digits hold.
const LAST_OCTAL: i64 = (1 << 33) - 1;

/// Where the fields of a header stand.
mod field {
    use std::ops::Range;

    pub(super) const NAME: Range<usize> = 0..100;
    pub(super) const MODE: Range<usize> = 100..108;
    pub(super) const UID: Range<usize> = 108..116;
    pub(super) const GID: Range<usize> = 116..124;
    pub(super) const SIZE: Range<usize> = 124..136;
    pub(super) const MTIME: Range<usize> = 136..148;
    pub(super) const CHECKSUM: Range<usize> = 148..156;
    pub(super) const TYPE: usize = 156;
    pub(super) const LINK: Range<usize> = 157..257;
    pub(super) const MAGIC: Range<usize> = 257..265;
    pub(super) const MAJOR: Range<usize> = 329..337;
    pub(super) const MINOR: Range<usize> = 337..345;
    pub(super) const SPARSE: usize = 386;
    pub(super) const EXTENDED: usize = 482;
    pub(super) const REAL_SIZE: Range<usize> = 483..495;
}

/// Writes headers; keeps its buffer from one to the next.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    records: Vec<u8>,
}

impl Encoder {
    /// Appends the head of an archive.
    pub(super) fn head(&mut self, text: &[u8], out: &mut Vec<u8>) {
        self.records.clear();
        record(&mut self.records, b"comment", &[HEAD_MARK.as_bytes(), text]);
        extended(b'g', b"pax_global_header", &self.records, out);
    }

    /// Appends all headers of an entry.
    pub(super) fn entry(&mut self, entry: &Entry, out: &mut Vec<u8>) {
        self.records.clear();
        self.entry_with_records(entry, out);
    }

    /// Appends the headers of an archive's trailer.
    pub(super) fn trailer(&mut self, top: &Entry, counts: Counts, digest: [u8; 32], out: &mut Vec<u8>) {
        let mut hex = String::new();
        for byte in digest {
            hex.extend([byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])));
        }
        let Counts { entries, bytes } = counts;
        let text = format!("{TRAILER_MARK}entries={entries} bytes={bytes} blake3={hex}");
        self.records.clear();
        record(&mut self.records, b"comment", &[text.as_bytes()]);
        self.entry_with_records(top, out);
    }

    fn entry_with_records(&mut self, entry: &Entry, out: &mut Vec<u8>) {
        let Time { secs, nanos } = entry.mtime;
        if nanos != 0 || !(0..=LAST_OCTAL).contains(&secs) {
            record(&mut self.records, b"mtime", &[decimal(entry.mtime).as_bytes()]);
        }
        for (name, value) in &entry.xattrs {
            record(&mut self.records, &xattr_keyword(name), &[value]);
        }
        if !self.records.is_empty() {
            extended(b'x', b"././@PaxHeader", &self.records, out);
        }
        basic(entry, out);
    }
}

/// Whether bytes begin as an archive does, as far as they go.
pub(super) fn begins(bytes: &[u8]) -> bool {
    let mut empty = Vec::new();
    Encoder::default().head(b"", &mut empty);
    let (block, records) = bytes.split_at(bytes.len().min(BLOCK));
    let mut pairs = block.iter().zip(&empty).enumerate();
    let same = pairs.all(|(at, (byte, wanted))| {
        // Its text has any length, and so the sum is any.
        let any = field::SIZE.contains(&at) || field::CHECKSUM.contains(&at);
        byte == wanted || any && matches!(byte, b'0'..=b'7')
    });
    let digits = records.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mark = [b" comment=", HEAD_MARK.as_bytes()].concat();
    same && records[digits..].iter().zip(&mark).all(|(byte, wanted)| byte == wanted)
}

/// A time as decimal seconds.
fn decimal(Time { secs, nanos }: Time) -> String {
    match (secs < 0, nanos) {
        (_, 0) => secs.to_string(),
        (false, _) => format!("{secs}.{nanos:09}"),
        // The fraction counts away from zero.
        (true, _) => format!(
            "-{}.{:09}",
            (secs + 1).unsigned_abs(),
            1_000_000_000_u32.saturating_sub(nanos)
        ),
    }
}

/// The keyword of an extended attribute. A keyword ends at the first `=`, so GNU tar writes it, and `%`, in hex.
fn xattr_keyword(name: &[u8]) -> Vec<u8> {
    let mut keyword = b"SCHILY.xattr.".to_vec();
    for &byte in name {
        match byte {
            b'=' => keyword.extend(b"%3D"),
            b'%' => keyword.extend(b"%25"),
            _ => keyword.push(byte),
        }
    }
    keyword
}

/// Appends a pax record: its length, which counts itself, the keyword and the value.
fn record(records: &mut Vec<u8>, keyword: &[u8], value: &[&[u8]]) {
    let rest = 1 + keyword.len() + 1 + value.iter().map(|part| part.len()).sum::<usize>() + 1;
    let mut length = rest + 1;
    while rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    records.extend(length.to_string().bytes());
    records.push(b' ');
    records.extend(keyword);
    records.push(b'=');
    for part in value {
        records.extend(*part);
    }
    records.push(b'\n');
}

/// Appends pax records with their header.
fn extended(kind: u8, name: &[u8], records: &[u8], out: &mut Vec<u8>) {
    let mut block = [0; BLOCK];
    put(&mut block, field::NAME, name);
    put(&mut block, field::MAGIC, b"ustar\x0000");
    common(&mut block, 0o644, (0, 0), records.len() as u64, 0);
    block[field::TYPE] = kind;
    seal(&mut block, out);
    contents(records, out);
}

/// Appends a name that is too long for a header.
fn long(kind: u8, name: &[u8], out: &mut Vec<u8>) {
    let mut block = gnu();
    put(&mut block, field::NAME, b"././@LongLink");
    common(&mut block, 0o644, (0, 0), name.len() as u64 + 1, 0);
    block[field::TYPE] = kind;
    seal(&mut block, out);
    contents(&[name, b"\0"].concat(), out);
}

/// Writes a name into its field; appends it before where it is too long for that, and then leaves its start in the field.
fn text(block: &mut [u8; BLOCK], field: Range<usize>, kind: u8, parts: &[&[u8]], out: &mut Vec<u8>) {
    if parts.iter().map(|part| part.len()).sum::<usize>() >= LONG {
        long(kind, &parts.concat(), out);
    }
    let mut rest = &mut block[field];
    for part in parts {
        let count = part.len().min(rest.len());
        let (here, after) = rest.split_at_mut(count);
        here.copy_from_slice(&part[..count]);
        rest = after;
    }
}

/// Appends what is no pax header.
fn basic(entry: &Entry, out: &mut Vec<u8>) {
    let (kind, target): (u8, [&[u8]; 2]) = match &entry.form {
        Form::File { map: None, .. } => (b'0', [b"", b""]),
        Form::File { map: Some(_), .. } => (b'S', [b"", b""]),
        Form::Dir => (b'5', [b"", b""]),
        // It leads from where it stands, not from the top.
        Form::Symlink { target } => (b'2', [b"", target]),
        Form::Hardlink { target } => (b'1', [HERE, target]),
        Form::Fifo => (b'6', [b"", b""]),
        Form::CharDevice { .. } => (b'3', [b"", b""]),
        Form::BlockDevice { .. } => (b'4', [b"", b""]),
    };
    let mut block = gnu();
    let slash: &[u8] = if entry.form == Form::Dir && !entry.path.is_empty() {
        b"/"
    } else {
        b""
    };
    text(&mut block, field::NAME, b'L', &[HERE, &entry.path, slash], out);
    text(&mut block, field::LINK, b'K', &target, out);
    common(
        &mut block,
        entry.mode & 0o7777,
        (entry.uid, entry.gid),
        entry.form.stored(),
        entry.mtime.secs,
    );
    block[field::TYPE] = kind;
    match &entry.form {
        Form::CharDevice { dev } | Form::BlockDevice { dev } => {
            number(&mut block[field::MAJOR], dev.0.into());
            number(&mut block[field::MINOR], dev.1.into());
        }
        Form::File { size, map: Some(map) } => return sparse(block, *size, map, out),
        _ => {}
    }
    seal(&mut block, out);
}

/// Appends the header of a sparse file and the blocks with the rest of its map.
fn sparse(mut block: [u8; BLOCK], size: u64, map: &[(u64, u64)], out: &mut Vec<u8>) {
    // A hole at the end is told by an empty segment behind it.
    let data_end = map.last().map_or(0, |(offset, length)| offset.saturating_add(*length));
    let last = (data_end < size || map.is_empty()).then_some((size, 0));
    let mut segments = map.iter().copied().chain(last).peekable();
    number(&mut block[field::REAL_SIZE], size.into());
    let mut fill = |block: &mut [u8], most: usize| {
        for (field, (offset, length)) in block.chunks_mut(24).zip(segments.by_ref().take(most)) {
            number(&mut field[..12], offset.into());
            number(&mut field[12..24], length.into());
        }
        segments.peek().is_some()
    };
    let mut more = fill(&mut block[field::SPARSE..field::EXTENDED], SEGMENTS);
    block[field::EXTENDED] = more.into();
    seal(&mut block, out);
    while more {
        let mut block = [0; BLOCK];
        more = fill(&mut block[..24 * MORE_SEGMENTS], MORE_SEGMENTS);
        block[24 * MORE_SEGMENTS] = more.into();
        out.extend(block);
    }
}

/// A header block with GNU magic.
fn gnu() -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    put(&mut block, field::MAGIC, b"ustar  \0");
    block
}

/// Fills in the numbers that every header has.
fn common(block: &mut [u8; BLOCK], mode: u32, owner: (u32, u32), size: u64, mtime: i64) {
    number(&mut block[field::MODE], mode.into());
    number(&mut block[field::UID], owner.0.into());
    number(&mut block[field::GID], owner.1.into());
    number(&mut block[field::SIZE], size.into());
    number(&mut block[field::MTIME], mtime.into());
}

/// Writes as much of a text as fits a field; the rest of the field stays zero.
fn put(block: &mut [u8; BLOCK], field: Range<usize>, text: &[u8]) {
    let length = text.len().min(field.len());
    block[field.start..field.start + length].copy_from_slice(&text[..length]);
}

/// Writes a number in octal with a NUL behind it, or in binary (base 256, two's complement, the first bit set) where
/// octal does not reach.
fn number(field: &mut [u8], value: i128) {
    let digits = field.len() - 1;
    if value >= 0 && value < 1 << (3 * digits) {
        let mut rest = value;
        for digit in field[..digits].iter_mut().rev() {
            *digit = b'0' + (rest & 7) as u8;
            rest >>= 3;
        }
        field[digits] = 0;
    } else {
        let bytes = value.to_be_bytes();
        let from = bytes.len() - field.len();
        field.copy_from_slice(&bytes[from..]);
        field[0] |= 0x80;
    }
}

/// Appends a header with its checksum.
fn seal(block: &mut [u8; BLOCK], out: &mut Vec<u8>) {
    block[field::CHECKSUM].fill(b' ');
    let sum: u32 = block.iter().copied().map(u32::from).sum();
    number(&mut block[field::CHECKSUM.start..field::CHECKSUM.end - 1], sum.into());
    out.extend(*block);
}

/// Appends contents, filled up to whole blocks.
fn contents(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend(bytes);
    out.resize(out.len().next_multiple_of(BLOCK), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_its_own_length() {
        for length in 0..1200 {
            let mut records = Vec::new();
            record(&mut records, b"k", &[&vec![b'v'; length]]);
            let text = String::from_utf8(records.clone()).unwrap();
            let said: usize = text.split(' ').next().unwrap().parse().unwrap();
            assert_eq!(said, records.len());
        }
    }

    #[test]
    fn what_an_archive_begins_with_is_known_however_little_it_is() {
        for length in [0, 7, 64, 5000] {
            let mut head = Vec::new();
            Encoder::default().head(&vec![b'x'; length], &mut head);
            for cut in 0..=head.len() {
                assert!(begins(&head[..cut]), "{cut} of {length}");
            }
            for at in [0, 20, 100, 140, 156, 300, 511, BLOCK + 4, BLOCK + 20] {
                head[at] ^= 0x20;
                assert!(!begins(&head), "changed at {at}");
                head[at] ^= 0x20;
            }
        }
        for other in [&b"text\n"[..], b"PK\x03\x04", b"pax_global_header and on", b"./"] {
            assert!(!begins(other));
        }
    }

    #[test]
    fn times_before_1970_count_away_from_zero() {
        let at = |secs, nanos| decimal(Time { secs, nanos });
        assert_eq!(at(5, 0), "5");
        assert_eq!(at(5, 70), "5.000000070");
        assert_eq!(at(-2, 500_000_000), "-1.500000000");
        assert_eq!(at(-1, 999_999_999), "-0.000000001");
        assert_eq!(at(-3, 0), "-3");
        assert_eq!(at(i64::MIN, 1), "-9223372036854775807.999999999");
    }

    #[test]
    fn numbers_are_octal_where_that_reaches_and_binary_elsewhere() {
        let eight = |value| {
            let mut field = [1; 8];
            number(&mut field, value);
            field
        };
        assert_eq!(&eight(0o644), b"0000644\0");
        assert_eq!(&eight(0o777_7777), b"7777777\0");
        assert_eq!(eight(0o1000_0000), [0x80, 0, 0, 0, 0, 0x20, 0, 0]);
        assert_eq!(eight(-2), [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe]);
    }

    #[test]
    fn an_equals_sign_in_an_attribute_s_name_does_not_end_the_keyword() {
        assert_eq!(xattr_keyword(b"user.a=b%\xff"), b"SCHILY.xattr.user.a%3Db%25\xff");
    }
}
