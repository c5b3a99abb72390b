//! Compresses pieces of a tar stream, each by itself: a zstd frame or a gzip member per piece. So pieces are compressed
//! side by side, whatever the format, and a reader can begin at any of them. Knows no tar.

mod line;

use std::io;

use flate2::{Compress, Crc, FlushCompress, Status};

use super::writer::Piece;
use crate::proto::archive::Compression;

pub use line::{Feed, run};

/// Bytes of the tar stream in a piece.
pub(crate) const PIECE: usize = 1 << 20;
/// Room for what becomes of a piece that cannot be compressed: more than either format adds.
const PRESSED: usize = PIECE + PIECE / 64 + 1024;
/// The level of gzip: what `gzip` itself takes.
const GZIP_LEVEL: u32 = 6;

/// Compresses one piece after the other.
enum Press {
    #[cfg(feature = "zstd")]
    Zstd(zstd::bulk::Compressor<'static>),
    Gzip(Compress),
    None,
}

impl Press {
    fn new(compression: Compression) -> io::Result<Self> {
        match compression {
            Compression::Zstd => zstd_press(),
            Compression::Gzip => Ok(Self::Gzip(Compress::new(flate2::Compression::new(GZIP_LEVEL), false))),
            Compression::None => Ok(Self::None),
        }
    }

    /// Compresses a piece into an empty one.
    fn press(&mut self, piece: &mut Piece, out: &mut Piece) -> io::Result<()> {
        match self {
            #[cfg(feature = "zstd")]
            Self::Zstd(press) => {
                out.filled = press.compress_to_buffer(piece.as_bytes(), &mut out.bytes[..])?;
            }
            Self::Gzip(press) => gzip_member(press, piece.as_bytes(), out)?,
            Self::None => std::mem::swap(piece, out),
        }
        Ok(())
    }
}

#[cfg(feature = "zstd")]
fn zstd_press() -> io::Result<Press> {
    let mut press = zstd::bulk::Compressor::new(1)?;
    press.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true))?;
    Ok(Press::Zstd(press))
}

#[cfg(not(feature = "zstd"))]
fn zstd_press() -> io::Result<Press> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "this agent was built without zstd, as there was no C compiler; use --compress gzip",
    ))
}

/// A gzip member (RFC 1952) of these bytes.
fn gzip_member(press: &mut Compress, bytes: &[u8], out: &mut Piece) -> io::Result<()> {
    const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    out.bytes[..HEADER.len()].copy_from_slice(&HEADER);
    press.reset();
    let status = press.compress(bytes, &mut out.bytes[HEADER.len()..PRESSED - 8], FlushCompress::Finish)?;
    if status != Status::StreamEnd {
        return Err(io::Error::other(
            "a piece of the archive did not fit its room compressed",
        ));
    }
    let end = HEADER.len() + usize::try_from(press.total_out()).map_err(io::Error::other)?;
    let mut crc = Crc::new();
    crc.update(bytes);
    out.bytes[end..end + 4].copy_from_slice(&crc.sum().to_le_bytes());
    out.bytes[end + 4..end + 8].copy_from_slice(&crc.amount().to_le_bytes());
    out.filled = end + 8;
    Ok(())
}
