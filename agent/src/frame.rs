//! Frames: how a protocol message becomes bytes and back, for both sides. Knows no requests and does no scheduling.

use std::fmt;
use std::io::{self, Read};

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
    let frame = postcard::to_extend(message, vec![0; HEADER]).map_err(|_| FrameError::Malformed)?;
    let len = frame.len() - HEADER;
    let header = u32::try_from(len)
        .ok()
        .filter(|_| len <= MAX_FRAME)
        .ok_or(FrameError::TooLong(len))?;
    let mut frame = frame;
    frame[..HEADER].copy_from_slice(&header.to_le_bytes());
    Ok(frame)
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
    let mut body = vec![0; body_len(header)?];
    input.read_exact(&mut body)?;
    Ok(Some(decode(&body)?))
}

#[cfg(test)]
mod tests {
    use super::*;
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
