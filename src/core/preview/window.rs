//! The part of a file that is in memory: a range around what is shown, or the last bytes of a followed file.
//! Bounded whatever the file's size; knows nothing of rows.

use std::ops::Range as Span;

use vole_agent::proto::Followed;

use super::lines::Bytes;

/// Bytes of a followed file that are kept.
pub const FOLLOW_KEEP: usize = 2 << 20;

/// What is in memory of a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Window {
    /// Offset of the first byte. While following it counts all bytes that ever came.
    pub base: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The file's length when it was last read.
    pub size: u64,
    /// Remarks of vole's own among the bytes (truncated, replaced, gone).
    pub remarks: Vec<Span<u64>>,
}

impl Window {
    /// The bytes with their place.
    pub fn view(&self) -> Bytes<'_> {
        Bytes {
            base: self.base,
            bytes: &self.bytes,
        }
    }

    /// Offset behind the last byte.
    pub fn end(&self) -> u64 {
        self.base + self.bytes.len() as u64
    }

    /// Whether a row there is one of vole's remarks.
    pub fn is_remark(&self, offset: u64) -> bool {
        self.remarks.iter().any(|span| span.contains(&offset))
    }

    /// Takes news of the followed file.
    pub fn follow(&mut self, news: Followed) {
        match news {
            Followed::Data { offset, bytes } => {
                if self.bytes.is_empty() && self.remarks.is_empty() {
                    self.base = offset;
                }
                self.bytes.extend_from_slice(&bytes);
            }
            Followed::Truncated => self.remark("the file was truncated; going on at its start"),
            Followed::Rotated => self.remark("another file took its name; going on at its start"),
            Followed::Gone => self.remark("the file is gone; waiting for it to return"),
        }
        // A quarter more than is kept, so that the front is not moved at every line.
        if self.bytes.len() > FOLLOW_KEEP {
            let surplus = self.bytes.len() - FOLLOW_KEEP * 3 / 4;
            self.bytes.drain(..surplus);
            self.base += surplus as u64;
            self.remarks.retain(|span| span.end > self.base);
        }
        self.size = self.end();
    }

    fn remark(&mut self, text: &str) {
        if self.bytes.last().is_some_and(|&byte| byte != b'\n') {
            self.bytes.push(b'\n');
        }
        let start = self.end();
        self.bytes.extend_from_slice(format!("── {text} ──\n").as_bytes());
        self.remarks.push(start..self.end());
    }
}

/// Whether bytes look like something else than text: a NUL, or too much that is no text in any encoding.
pub fn looks_binary(bytes: &[u8]) -> bool {
    let sample = &bytes[..bytes.len().min(8192)];
    if sample.contains(&0) {
        return true;
    }
    let odd = sample
        .iter()
        .filter(|&&byte| byte < 0x20 && !matches!(byte, b'\n' | b'\r' | b'\t' | 0x0c | 0x1b))
        .count();
    odd * 20 > sample.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(offset: u64, bytes: &[u8]) -> Followed {
        Followed::Data {
            offset,
            bytes: bytes.to_vec(),
        }
    }

    #[test]
    fn following_keeps_a_bounded_end_and_says_what_happened() {
        let mut window = Window::default();
        window.follow(data(100, b"one"));
        window.follow(Followed::Rotated);
        window.follow(data(0, b"two\n"));
        assert_eq!(window.base, 100);
        let text = String::from_utf8(window.bytes.clone()).unwrap();
        assert!(text.starts_with("one\n── another file"), "{text}");
        assert!(text.ends_with("──\ntwo\n"), "{text}");
        assert!(window.is_remark(104) && !window.is_remark(101) && !window.is_remark(window.end() - 1));
        for n in 0..40u8 {
            window.follow(data(0, &vec![n; 100_000]));
            assert!(window.bytes.len() <= FOLLOW_KEEP);
        }
        assert_eq!(window.bytes.last(), Some(&39));
        assert!(window.remarks.is_empty());
    }

    #[test]
    fn text_in_any_encoding_is_text() {
        assert!(!looks_binary("grün\n日本".as_bytes()));
        assert!(!looks_binary(b"gr\xfcn in latin-1\n"));
        assert!(!looks_binary(b"\x1b[31mred\x1b[0m"));
        assert!(!looks_binary(b""));
        assert!(looks_binary(b"\x7fELF\x02\x01\x01\0\0"));
        assert!(looks_binary(&[1; 100]));
    }
}
