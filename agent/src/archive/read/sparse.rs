//! Maps of sparse files: old GNU ones in headers, those of GNU's extended headers, and one before the contents.

use super::damage::{Broken, Wrong};
use super::feed::{Feed, cut};
use super::header::{BLOCK, Header, MORE, PIECES, length, number};
use super::open::Source;
use super::pax;

/// Most pieces of a map: 16 MiB.
const MOST: usize = 1 << 20;
/// Bytes of a piece in a header: two numbers.
const PIECE: usize = 24;
/// Where an extension block says whether another follows; 21 pieces stand before.
const EXTENSION_MORE: usize = 504;

/// Data of a sparse file: offset and length of its pieces.
type Map = Vec<(u64, u64)>;

/// Reads an old GNU map: its first pieces stand in the header, more in blocks behind it.
pub(super) fn old(header: &Header<'_>, feed: &mut Feed<impl Source>) -> Result<Map, Broken> {
    let mut map = Vec::new();
    take(&header.0[PIECES], &mut map)?;
    let mut more = header.0[MORE] != 0;
    while more {
        let block = feed.block()?.ok_or_else(cut)?;
        take(&block[..EXTENSION_MORE], &mut map)?;
        more = block[EXTENSION_MORE] != 0;
    }
    Ok(map)
}

fn take(pieces: &[u8], map: &mut Map) -> Result<(), Broken> {
    for piece in pieces.chunks_exact(PIECE) {
        let part = |field: &[u8]| {
            let value =
                number(field).map_err(|why| Broken::corrupt(format!("a number of a sparse file's map {why}")))?;
            length(value)
        };
        // The rest is unused from the first one that is blank.
        if piece.iter().all(|&byte| byte == 0) {
            break;
        }
        push(map, (part(&piece[..12])?, part(&piece[12..])?))?;
    }
    Ok(())
}

fn push(map: &mut Map, piece: (u64, u64)) -> Result<(), Broken> {
    if map.len() >= MOST {
        return Err(Broken::new(Wrong::Unsupported, "a sparse file has too many pieces"));
    }
    map.push(piece);
    Ok(())
}

/// Reads the map that stands before the contents (GNU.sparse 1.0): decimal numbers, each in a line, filled up to blocks.
/// Returns the bytes that it took.
pub(super) fn before_contents(feed: &mut Feed<impl Source>, stored: u64) -> Result<(Map, u64), Broken> {
    let (mut taken, mut line, mut numbers) = (0, Vec::new(), Vec::new());
    let mut wanted = None;
    loop {
        if wanted == Some(numbers.len()) {
            break;
        }
        if taken + BLOCK as u64 > stored {
            return Err(Broken::corrupt("a sparse file's map is longer than its contents"));
        }
        let block = feed.block()?.ok_or_else(cut)?;
        taken += BLOCK as u64;
        for &byte in &block {
            if wanted == Some(numbers.len()) {
                break;
            }
            match byte {
                b'\n' => {
                    let value = decimal(&line)?;
                    line.clear();
                    match wanted {
                        None => wanted = Some(pieces(value)? * 2),
                        Some(_) => numbers.push(value),
                    }
                }
                digit @ b'0'..=b'9' if line.len() < 20 => line.push(digit),
                _ => return Err(Broken::corrupt("a sparse file's map is malformed")),
            }
        }
    }
    let map = numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    Ok((map, taken))
}

fn pieces(count: u64) -> Result<usize, Broken> {
    let count = usize::try_from(count).ok().filter(|count| *count <= MOST);
    count.ok_or_else(|| Broken::new(Wrong::Unsupported, "a sparse file has too many pieces"))
}

fn decimal(line: &[u8]) -> Result<u64, Broken> {
    let text = std::str::from_utf8(line).ok().and_then(|text| text.parse().ok());
    text.ok_or_else(|| Broken::corrupt("a sparse file's map is malformed"))
}

/// Which of GNU's extended formats a file has.
pub(super) enum Extended {
    /// The map stands in the records.
    Records(Map),
    /// The map stands before the contents.
    BeforeContents,
}

/// Tells the format by the records.
pub(super) fn extended(sparse: &pax::Sparse) -> Result<Option<Extended>, Broken> {
    if !sparse.any {
        return Ok(None);
    }
    match (sparse.major, sparse.minor) {
        (None | Some(0), _) => Ok(Some(Extended::Records(sparse.pieces.clone()))),
        (Some(1), None | Some(0)) => Ok(Some(Extended::BeforeContents)),
        (major, minor) => Err(Broken::new(
            Wrong::Unsupported,
            format!(
                "a sparse file has the unknown format {}.{}",
                major.unwrap_or(0),
                minor.unwrap_or(0)
            ),
        )),
    }
}

/// Makes sure that a map's pieces ascend, lie within the file and are all of what is stored; leaves empty ones out.
pub(super) fn checked(map: Map, size: u64, stored: u64) -> Result<Map, Broken> {
    let (mut end, mut sum) = (0_u64, 0_u64);
    for &(offset, len) in &map {
        let past = offset.checked_add(len).filter(|past| *past <= size && offset >= end);
        end = past.ok_or_else(|| Broken::corrupt("a sparse file's map does not fit the file"))?;
        // No more than `size`, as they do not overlap.
        sum += len;
    }
    if sum != stored {
        return Err(Broken::corrupt("a sparse file's map does not fit what is stored"));
    }
    Ok(map.into_iter().filter(|(_, len)| *len > 0).collect())
}
