//! Finds where a sparse file has data. Reads no data.

use std::os::fd::BorrowedFd;

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

use crate::archive::SPARSE_FROM;
use crate::fs::meta::Meta;

/// Most segments of one file: above, small holes are stored as zeros.
const SEGMENTS: usize = 1 << 16;

/// Offset and length of the data of a file with enough holes to be stored as sparse; `None` for any other, and where the
/// file system does not tell.
pub(super) fn map(file: BorrowedFd<'_>, meta: &Meta) -> Result<Option<Vec<(u64, u64)>>, Errno> {
    if meta.size < SPARSE_FROM || meta.allocated >= meta.size {
        return Ok(None);
    }
    let mut map: Vec<(u64, u64)> = Vec::new();
    let (mut at, mut least) = (0, 1);
    while at < meta.size {
        let data = match seek(file, SeekFrom::Data(at)) {
            Ok(data) => data.min(meta.size),
            // No data from here on.
            Err(Errno::NXIO) => break,
            Err(Errno::INVAL | Errno::NOTSUP) => return Ok(None),
            Err(errno) => return Err(errno),
        };
        if data >= meta.size {
            break;
        }
        // The file may have shrunk between the two.
        let hole = match seek(file, SeekFrom::Hole(data)) {
            Err(Errno::NXIO) => break,
            other => other?.clamp(data, meta.size),
        };
        if hole == data {
            break;
        }
        add(&mut map, (data, hole - data), least);
        if map.len() > SEGMENTS {
            (map, least) = coarser(map, least);
        }
        at = hole;
    }
    let stored: u64 = map.iter().map(|(_, length)| length).sum();
    Ok((meta.size - stored >= SPARSE_FROM).then_some(map))
}

/// Adds a segment; a hole before it that is shorter than `least` is taken in.
fn add(map: &mut Vec<(u64, u64)>, (offset, length): (u64, u64), least: u64) {
    match map.last_mut() {
        Some((start, before)) if offset - (*start + *before) < least => *before = offset + length - *start,
        _ => map.push((offset, length)),
    }
}

/// Takes holes in, ever larger ones, until half as many segments are left.
fn coarser(mut map: Vec<(u64, u64)>, mut least: u64) -> (Vec<(u64, u64)>, u64) {
    while map.len() > SEGMENTS / 2 {
        least *= 2;
        let finer = std::mem::take(&mut map);
        for segment in finer {
            add(&mut map, segment, least);
        }
    }
    (map, least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_segments_become_fewer_that_cover_the_same() {
        let fine: Vec<(u64, u64)> = (0..SEGMENTS as u64 + 1).map(|n| (n * 8192, 4096)).collect();
        let (coarse, least) = coarser(fine.clone(), 1);
        assert!(coarse.len() <= SEGMENTS / 2 && least == 8192);
        assert_eq!(coarse, [(0, SEGMENTS as u64 * 8192 + 4096)]);
        let (mixed, _) = coarser(fine.iter().map(|&(at, len)| (at + (at >> 20 << 22), len)).collect(), 1);
        assert!(mixed.len() > 1 && mixed.len() <= SEGMENTS / 2);
    }
}
