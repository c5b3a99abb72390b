//! Bytes of a file as rows of a hex dump. Knows nothing of how they were read.

use super::lines::Bytes;

/// A row of a hex dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HexLine {
    /// Offset of its first byte.
    pub offset: u64,
    /// Its bytes, as many as a row holds or fewer at the end.
    pub bytes: Vec<u8>,
}

/// Bytes per row that fit: offset, two digits each, a gap per eight, and the characters.
pub fn per_row(width: usize, digits: usize) -> usize {
    // Digits, two columns of gap, three columns a byte and one per eight of them, a gap, one column a byte.
    let needs = |n: usize| digits + 2 + 3 * n + n / 8 + 1 + n;
    [32, 16, 8].into_iter().find(|&n| needs(n) <= width).unwrap_or(4)
}

/// Hexadecimal digits that offsets of a file of this length need, at least eight.
pub fn digits(size: u64) -> usize {
    [8, 10, 12]
        .into_iter()
        .find(|&digits| size >> (4 * digits) == 0)
        .unwrap_or(16)
}

/// The rows from `top` on.
pub fn rows_from(window: Bytes<'_>, top: u64, per_row: usize, height: usize) -> Vec<HexLine> {
    let step = per_row.max(1);
    let first = align(top, step);
    (0..height as u64)
        .map_while(|row| {
            let offset = first + row * step as u64;
            let from = usize::try_from(offset.checked_sub(window.base)?).ok()?;
            let bytes = window.bytes.get(from..)?;
            (!bytes.is_empty()).then(|| HexLine {
                offset,
                bytes: bytes[..step.min(bytes.len())].to_vec(),
            })
        })
        .collect()
}

/// The start of the row that holds an offset.
pub fn align(offset: u64, per_row: usize) -> u64 {
    let step = per_row.max(1) as u64;
    offset / step * step
}

/// The top that shows the last rows of so many bytes.
pub fn bottom(size: u64, per_row: usize, height: usize) -> u64 {
    let step = per_row.max(1) as u64;
    size.div_ceil(step).saturating_sub(height as u64) * step
}

/// A byte as the column of characters shows it.
pub fn character(byte: u8) -> char {
    if (0x20..0x7f).contains(&byte) {
        char::from(byte)
    } else {
        '·'
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_aligned_and_end_with_the_file() {
        let bytes: Vec<u8> = (0..40).collect();
        let window = Bytes {
            base: 16,
            bytes: &bytes,
        };
        let rows = rows_from(window, 20, 16, 9);
        assert_eq!(
            rows.iter().map(|row| (row.offset, row.bytes.len())).collect::<Vec<_>>(),
            [(16, 16), (32, 16), (48, 8)]
        );
        assert_eq!(bottom(100, 16, 3), 64);
        assert_eq!(bottom(10, 16, 3), 0);
    }

    #[test]
    fn a_row_fits_the_width() {
        assert_eq!(per_row(80, 8), 16);
        assert_eq!(
            per_row(80, digits(40 << 30)),
            16,
            "a file of forty gigabytes in the design width"
        );
        assert_eq!(
            (digits(u64::from(u32::MAX)), digits(1 << 32), digits(u64::MAX)),
            (8, 10, 16)
        );
        assert_eq!(per_row(57, 8), 8);
        assert_eq!(per_row(150, 8), 32);
        assert_eq!(per_row(3, 8), 4);
    }
}
