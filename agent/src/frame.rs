//! Frames: how a protocol message becomes bytes and back, for both sides. Knows no requests and does no scheduling.

use std::fmt;
use std::io::{self, Read};

use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::proto::{MAGIC, MAX_FRAME, VERSION};

/// Bytes of the length in front of each body.
pub const HEADER: usize = 4;
/// Bytes of the preamble that an agent writes before its first frame.
pub const PREAMBLE: usize = MAGIC.len() + 2;

/// Why bytes are no frame of this protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameError {
    /// The stream does not start with [`MAGIC`]: whatever answers is no agent.
    NotAnAgent,
    /// The agent speaks another version of the protocol.
    Version(u16),
    /// A body is longer than [`MAX_FRAME`]; holds its length.
    TooLong(usize),
    /// A body is no message of this protocol, or has bytes left over.
    Malformed,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnAgent => f.write_str("the stream does not start as an agent's does"),
            Self::Version(version) => write!(f, "the agent speaks protocol {version}, not {VERSION}"),
            Self::TooLong(len) => write!(f, "a frame of {len} bytes is over the limit of {MAX_FRAME}"),
            Self::Malformed => f.write_str("a frame is no message of the agent's protocol"),
        }
    }
}

impl std::error::Error for FrameError {}

impl From<FrameError> for io::Error {
    fn from(error: FrameError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// The bytes that an agent writes before its first frame.
#[must_use]
pub fn preamble() -> [u8; PREAMBLE] {
    let version = VERSION.to_le_bytes();
    [MAGIC[0], MAGIC[1], MAGIC[2], MAGIC[3], version[0], version[1]]
}

/// Checks the bytes that an agent wrote before its first frame.
///
/// # Errors
///
/// [`FrameError::NotAnAgent`] and [`FrameError::Version`].
pub fn check_preamble(bytes: [u8; PREAMBLE]) -> Result<(), FrameError> {
    if bytes[..MAGIC.len()] != MAGIC {
        return Err(FrameError::NotAnAgent);
    }
    match u16::from_le_bytes([bytes[4], bytes[5]]) {
        VERSION => Ok(()),
        other => Err(FrameError::Version(other)),
    }
}

/// Encodes a message as one frame, its length in front.
///
/// # Errors
///
/// [`FrameError::TooLong`] when the body would be over [`MAX_FRAME`].
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let mut frame = Vec::new();
    append(&mut frame, message)?;
    Ok(frame)
}

/// As [`encode()`], behind what is there already; nothing is added on an error.
///
/// # Errors
///
/// As [`encode()`].
pub fn append<T: Serialize>(out: &mut Vec<u8>, message: &T) -> Result<(), FrameError> {
    framed(out, |out| put(out, message))
}

/// As [`append()`], for a message whose last field is a string of bytes: these, which are lent. In the message it is empty.
///
/// # Errors
///
/// As [`append()`], and [`FrameError::Malformed`] for a message that ends in something else.
pub fn append_with<T: Serialize>(out: &mut Vec<u8>, message: &T, bytes: &[u8]) -> Result<(), FrameError> {
    framed(out, |out| {
        put(out, message)?;
        // The length of nothing.
        if out.pop() != Some(0) {
            return Err(FrameError::Malformed);
        }
        put(out, &bytes.len())?;
        out.extend_from_slice(bytes);
        Ok(())
    })
}

fn put<T: Serialize>(out: &mut Vec<u8>, message: &T) -> Result<(), FrameError> {
    postcard::serialize_with_flavor(message, Appending(out)).map_err(|_| FrameError::Malformed)
}

/// Puts a length in front of what `body` adds.
fn framed(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>) -> Result<(), FrameError>) -> Result<(), FrameError> {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER]);
    let done = body(out).and_then(|()| {
        let len = out.len() - start - HEADER;
        let header = u32::try_from(len).ok().filter(|_| len <= MAX_FRAME);
        header.ok_or(FrameError::TooLong(len))
    });
    match done {
        Ok(header) => {
            out[start..start + HEADER].copy_from_slice(&header.to_le_bytes());
            Ok(())
        }
        Err(error) => {
            out.truncate(start);
            Err(error)
        }
    }
}

/// Adds what postcard makes to a vector, strings of bytes as a whole: its own `to_extend` takes them one by one.
struct Appending<'a>(&'a mut Vec<u8>);

impl Flavor for Appending<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// The length of the body behind a header.
///
/// # Errors
///
/// [`FrameError::TooLong`] when it is over [`MAX_FRAME`].
pub fn body_len(header: [u8; HEADER]) -> Result<usize, FrameError> {
    let len = usize::try_from(u32::from_le_bytes(header)).map_err(|_| FrameError::TooLong(usize::MAX))?;
    if len > MAX_FRAME {
        Err(FrameError::TooLong(len))
    } else {
        Ok(len)
    }
}

/// Decodes a frame's body.
///
/// # Errors
///
/// [`FrameError::Malformed`] when it is not exactly one message.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    match postcard::take_from_bytes(body) {
        Ok((message, [])) => Ok(message),
        _ => Err(FrameError::Malformed),
    }
}

/// Reads one frame; `None` when the stream ends between frames.
///
/// # Errors
///
/// When the stream breaks or ends within a frame, and for bytes that are no message.
pub fn read<T: DeserializeOwned>(input: &mut impl Read) -> io::Result<Option<T>> {
    read_into(input, &mut Vec::new())
}

/// As [`read()`], by way of memory that is used again for each frame.
///
/// # Errors
///
/// As [`read()`].
pub fn read_into<T: DeserializeOwned>(input: &mut impl Read, body: &mut Vec<u8>) -> io::Result<Option<T>> {
    let mut header = [0; HEADER];
    let first = loop {
        match input.read(&mut header) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other?,
        }
    };
    if first == 0 {
        return Ok(None);
    }
    input.read_exact(&mut header[first..])?;
    body.resize(body_len(header)?, 0);
    input.read_exact(body)?;
    Ok(Some(decode(body)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::archive::PackItem;
    use crate::proto::{FromAgent, Reply, ToAgent};

    #[test]
    fn a_message_survives_the_wire() {
        let message = FromAgent::Reply {
            id: 7,
            reply: Reply::Data(vec![0, 255, b'\n']),
        };
        let bytes = encode(&message).unwrap();
        assert_eq!(read::<FromAgent>(&mut bytes.as_slice()).unwrap(), Some(message));
    }

    #[test]
    fn bytes_that_are_lent_make_the_frame_of_bytes_that_are_owned() {
        let of = |bytes: &[u8]| FromAgent::Reply {
            id: 70_000,
            reply: Reply::Pack(PackItem::Data(bytes.to_vec())),
        };
        let mut out = b"before".to_vec();
        for len in [0, 1, 127, 128, 70_000] {
            let bytes = vec![7; len];
            out.truncate(6);
            append_with(&mut out, &of(b""), &bytes).unwrap();
            assert_eq!(out[6..], encode(&of(&bytes)).unwrap());
        }
        let huge = append_with(&mut out, &of(b""), &vec![1; MAX_FRAME]);
        assert!(matches!(huge, Err(FrameError::TooLong(_))));
        let other = append_with(&mut out, &ToAgent::Cancel { id: 1 }, b"x");
        assert_eq!(other, Err(FrameError::Malformed));
        assert_eq!(out[6..], encode(&of(&[7; 70_000])).unwrap(), "what failed adds nothing");
    }

    #[test]
    fn an_end_between_frames_is_no_error_but_within_one_is() {
        let bytes = encode(&ToAgent::Cancel { id: 1 }).unwrap();
        assert_eq!(read::<ToAgent>(&mut [].as_slice()).unwrap(), None);
        for cut in 1..bytes.len() {
            assert!(read::<ToAgent>(&mut &bytes[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn a_body_over_the_limit_is_refused_on_both_sides_before_it_is_held() {
        let huge = FromAgent::Reply {
            id: 1,
            reply: Reply::Data(vec![1; MAX_FRAME]),
        };
        assert!(matches!(encode(&huge), Err(FrameError::TooLong(len)) if len > MAX_FRAME));
        let error = read::<ToAgent>(&mut u32::MAX.to_le_bytes().as_slice()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn left_over_and_random_bytes_are_malformed() {
        let mut body = encode(&ToAgent::Cancel { id: 1 }).unwrap().split_off(HEADER);
        body.push(0);
        assert_eq!(decode::<ToAgent>(&body), Err(FrameError::Malformed));
        // A list that claims 2^60 elements must neither decode nor allocate.
        assert_eq!(
            decode::<ToAgent>(&[0, 1, 4, 255, 255, 255, 255, 255, 255, 255, 255, 16]),
            Err(FrameError::Malformed)
        );
    }

    #[test]
    fn the_preamble_tells_an_agent_from_an_error_text_and_from_another_version() {
        assert_eq!(check_preamble(preamble()), Ok(()));
        assert_eq!(check_preamble(*b"exec /"), Err(FrameError::NotAnAgent));
        assert_eq!(check_preamble(*b"VOLE\x09\x01"), Err(FrameError::Version(0x109)));
    }
}
