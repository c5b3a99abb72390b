//! The digest of a tar stream, which its trailer carries: BLAKE3. Most hosts make it several times faster than SHA-256, many
//! of them by far, for their processors have no instructions for that; and whoever copies a large volume waits for it.

/// Takes the bytes of a stream one after the other.
#[derive(Debug, Clone, Default)]
pub struct Digest(blake3::Hasher);

impl Digest {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes so far.
    pub fn sum(&self) -> [u8; 32] {
        self.0.finalize().into()
    }
}
