//! The archive: a plain tar that any `tar` extracts, and that proves by itself that it is whole. Knows streams of bytes, no
//! file systems.
//!
//! ```text
//! pax 'g' header     comment = HEAD_MARK + JSON that says what was packed (no file comes of it at an extraction)
//! ./                 the top first, so that its owner and mode are kept
//! entries            each: 'x' header (mtime with nanoseconds, SCHILY.xattr.*; POSIX magic), 'L' and 'K' for long names, then a
//!                    GNU header with binary numbers where they do not fit, then the contents. Directories come before
//!                    what is in them; further names of a file are hardlinks to its first; files with more than 1 MiB of
//!                    holes are old-GNU sparse ('S'). Every name, and every hardlink's target, begins with ./
//! ./ again           the trailer: its 'x' header's comment = TRAILER_MARK + entries, bytes and digest; [`trailer`] makes it
//! 1024 zero bytes
//! ```
//!
//! Entries and bytes count what stands before the trailer; the digest ([`digest`]) is BLAKE3 of every byte of the tar stream
//! before the trailer's first header. Nothing may follow the zeros. So a flipped bit of the tar stream shows: before the trailer
//! by the digest, behind it because a reader makes the trailer anew and compares it byte by byte.
//!
//! Compressed (zstd frames with checksums, or gzip members, of which a reader takes all), bits remain that no decompressor
//! looks at (a gzip header's time, zstd's unused bits). So a [`seal`] follows: something that every decompressor
//! passes over, with SHA-256 of all bytes of the file before it.

pub mod digest;
pub mod entry;
mod header;
pub mod left;
pub mod press;
pub mod read;
pub mod seal;
pub mod verify;
pub mod writer;

pub use entry::{Entry, Form};
pub use writer::{Writer, trailer};

/// Bytes of a block: all headers and contents of a tar stream take whole ones.
pub const BLOCK: usize = 512;
/// What stands behind the trailer, at the very end.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// What the comment of an archive's head begins with; JSON follows.
pub const HEAD_MARK: &str = "vole.archive.2 ";
/// What the comment of a trailer begins with; `entries=N bytes=N blake3=HEX` follows.
pub const TRAILER_MARK: &str = "vole.trailer.2 ";
/// Holes of a file, in bytes, from which on it is stored as sparse.
pub const SPARSE_FROM: u64 = 1 << 20;
