//! The seal at the end of a compressed archive: SHA-256 of the file before it, in a form that decompressors pass over.

use sha2::{Digest as _, Sha256};

use crate::proto::archive::Compression;

/// What marks a seal's contents.
const MARK: &[u8; 4] = b"vole";

/// The bytes that seal an archive whose bytes before have this SHA-256. Empty for one that is not compressed: all of its
/// bits are looked at by a reader.
pub fn seal(compression: Compression, digest: [u8; 32]) -> Vec<u8> {
    let payload = [MARK.as_slice(), &digest].concat();
    match compression {
        // A skippable frame (RFC 8878, 3.1.2): magic, length, contents.
        Compression::Zstd => [[0x5e, 0x2a, 0x4d, 0x18].as_slice(), &36_u32.to_le_bytes(), &payload].concat(),
        // A member without contents, the payload in its extra field (RFC 1952, 2.3.1.1).
        Compression::Gzip => {
            let header = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 40, 0, b'V', b'O', 36, 0];
            let empty = [3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            [header.as_slice(), &payload, &empty].concat()
        }
        Compression::None => Vec::new(),
    }
}

/// Reads along with an archive's bytes and says at their end whether the seal is right.
#[derive(Debug, Clone)]
pub struct Watch {
    /// Everything but the last bytes, which may be the seal.
    before: Sha256,
    held: Vec<u8>,
    compression: Compression,
}

impl Watch {
    /// For an archive of this compression.
    pub fn new(compression: Compression) -> Self {
        Self {
            before: Sha256::new(),
            held: Vec::new(),
            compression,
        }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        let length = seal(self.compression, [0; 32]).len();
        if bytes.len() >= length {
            self.before.update(&self.held);
            let (before, held) = bytes.split_at(bytes.len() - length);
            self.before.update(before);
            self.held = held.to_vec();
        } else {
            self.held.extend_from_slice(bytes);
            let over = self.held.len().saturating_sub(length);
            self.before.update(&self.held[..over]);
            self.held.drain(..over);
        }
    }

    /// SHA-256 of all that came.
    pub fn digest(&self) -> [u8; 32] {
        self.before.clone().chain_update(&self.held).finalize().into()
    }

    /// Whether what came ends in the seal of what came before it.
    pub fn is_sealed(self) -> bool {
        self.held == seal(self.compression, self.before.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_known_in_pieces_of_any_size_and_any_flip_breaks_it() {
        for compression in [Compression::Zstd, Compression::Gzip] {
            let body: Vec<u8> = (0..500_u32).map(|n| n.to_le_bytes()[0]).collect();
            let whole = [body.clone(), seal(compression, Sha256::digest(&body).into())].concat();
            let sealed = |bytes: &[u8], piece: usize| {
                let mut watch = Watch::new(compression);
                bytes.chunks(piece).for_each(|piece| watch.update(piece));
                watch.is_sealed()
            };
            for piece in [1, 7, 43, 44, 45, 57, 58, 59, 1000] {
                assert!(sealed(&whole, piece), "{compression:?} by {piece}");
            }
            for bit in 0..whole.len() * 8 {
                let mut flipped = whole.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(!sealed(&flipped, 64), "{compression:?} bit {bit}");
            }
            assert!(!sealed(&body, 64) && !sealed(b"", 64));
        }
    }
}
