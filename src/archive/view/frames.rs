//! Where the frames of a zstd archive begin, so that reading need not begin at its start. Decompresses nothing.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// Most frames that are remembered: four thousand gigabytes of an archive of vole's.
const MOST: usize = 1 << 22;

/// Where frames begin: offset in the tar stream, offset in the file; ascending.
#[derive(Debug, Default)]
pub(super) struct Frames(Vec<(u64, u64)>);

impl Frames {
    /// Looks through a file. Frames behind one that does not say its length, or is none, are not known.
    pub(super) fn of(file: &File) -> Self {
        let (mut found, mut plain, mut at) = (Vec::new(), 0, 0);
        while found.len() < MOST {
            let Some((content, length)) = frame(file, at) else {
                break;
            };
            if content > 0 {
                found.push((plain, at));
            }
            plain += content;
            at += length;
        }
        Self(found)
    }

    /// The last place at or before an offset of the tar stream where reading can begin: that place's offset there, and in
    /// the file.
    pub(super) fn before(&self, offset: u64) -> (u64, u64) {
        let behind = self.0.partition_point(|&(plain, _)| plain <= offset);
        behind.checked_sub(1).map_or((0, 0), |at| self.0[at])
    }
}

/// Bytes that a frame stands for, and its length (RFC 8878).
fn frame(file: &File, at: u64) -> Option<(u64, u64)> {
    let mut head = [0; 18];
    let got = file.read_at(&mut head, at).ok()?;
    let head = &head[..got];
    let (&magic, rest) = head.split_first_chunk::<4>()?;
    let magic = u32::from_le_bytes(magic);
    if (0x184d_2a50..=0x184d_2a5f).contains(&magic) {
        let length = u32::from_le_bytes(*rest.first_chunk()?);
        return Some((0, 8 + u64::from(length)));
    }
    if magic != 0xfd2f_b528 {
        return None;
    }
    let &descriptor = rest.first()?;
    let single = descriptor & 0x20 != 0;
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let from = 1 + usize::from(!single) + dictionary;
    let number = |bytes: &[u8]| {
        let numbers = bytes.iter().rev();
        numbers.fold(0_u64, |number, &byte| number << 8 | u64::from(byte))
    };
    let (content, width) = match descriptor >> 6 {
        0 if single => (number(rest.get(from..from + 1)?), 1),
        0 => return None,
        1 => (number(rest.get(from..from + 2)?) + 256, 2),
        2 => (number(rest.get(from..from + 4)?), 4),
        _ => (number(rest.get(from..from + 8)?), 8),
    };
    let mut length = 4 + (from + width) as u64;
    loop {
        let mut block = [0; 3];
        file.read_exact_at(&mut block, at.checked_add(length)?).ok()?;
        let header = number(&block);
        // A block of one repeated byte holds that byte alone.
        let size = if header >> 1 & 3 == 1 { 1 } else { header >> 3 };
        length += 3 + size;
        if header & 1 == 1 {
            break;
        }
    }
    let checksum = if descriptor & 4 == 0 { 0 } else { 4 };
    Some((content, length + checksum))
}
