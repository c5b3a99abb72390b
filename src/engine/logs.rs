//! The end of a container's log: asked for, taken out of its frames, bounded. Knows nothing of what lines mean.

use std::time::Duration;

use hyper::Method;
use hyper::header::CONTENT_TYPE;
use time::OffsetDateTime;

use super::client::{Client, LISTS, Payload, encode, read_while};
use super::daemon::Flavour;
use super::error::EngineError;

/// Bytes of a log that are kept, the last ones.
const KEPT: usize = 256 << 10;
/// How long a log is read; an engine that has to search a huge file takes longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of a frame's header.
const HEADER: usize = 8;

/// The last lines of a container's log, oldest first.
pub(super) async fn tail(
    client: &Client,
    flavour: Flavour,
    id: &str,
    since: Option<OffsetDateTime>,
    lines: u32,
) -> Result<Vec<Vec<u8>>, EngineError> {
    let since = since.map(|since| format!("&since={}", moment(since, flavour)));
    let path = format!(
        "/containers/{}/logs?stdout=1&stderr=1&tail={lines}{}",
        encode(id),
        since.unwrap_or_default()
    );
    let what = "a container's log";
    let answer = client.request(what, Method::GET, &path, Payload::None, LISTS).await?;
    let kind = answer.headers().get(CONTENT_TYPE);
    let framed = kind.is_some_and(|kind| kind == "application/vnd.docker.multiplexed-stream");
    let mut log = Log::new(framed.then_some(true));
    let read = read_while(what, answer.into_body(), LISTS, PATIENCE, |data| {
        log.feed(data);
        Ok(true)
    });
    // A log that is too long to be read through in time is told as far as it was read.
    read.await?;
    Ok(log.finish(lines as usize))
}

/// A moment as the engine takes it. Podman is asked for whole seconds: not every version reads fractions.
fn moment(since: OffsetDateTime, flavour: Flavour) -> String {
    match flavour {
        Flavour::Docker => format!("{}.{:09}", since.unix_timestamp(), since.nanosecond()),
        Flavour::Podman => since.unix_timestamp().to_string(),
    }
}

/// A log as it comes: in frames, or bare when the container has a terminal.
#[derive(Debug)]
struct Log {
    /// Whether it is in frames; `None` until the first bytes tell, since older engines do not say.
    framed: Option<bool>,
    header: Vec<u8>,
    /// Bytes of the present frame that are to come.
    left: usize,
    kept: Vec<u8>,
    cut: bool,
}

impl Log {
    fn new(framed: Option<bool>) -> Self {
        Self {
            framed,
            header: Vec::new(),
            left: 0,
            kept: Vec::new(),
            cut: false,
        }
    }

    fn feed(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            if self.framed == Some(false) {
                return self.keep(data);
            }
            if self.left > 0 {
                let (piece, rest) = data.split_at(self.left.min(data.len()));
                self.left -= piece.len();
                self.keep(piece);
                data = rest;
                continue;
            }
            let (piece, rest) = data.split_at((HEADER - self.header.len()).min(data.len()));
            self.header.extend_from_slice(piece);
            data = rest;
            if self.header.len() == HEADER || !may_be_header(&self.header) {
                self.frame();
            }
        }
    }

    /// Takes what was read as a header, or as the start of bare text when it is none.
    fn frame(&mut self) {
        let header = std::mem::take(&mut self.header);
        match <[u8; HEADER]>::try_from(header.as_slice()) {
            Ok([_, _, _, _, a, b, c, d]) if may_be_header(&header) => {
                self.framed = Some(true);
                self.left = u32::from_be_bytes([a, b, c, d]) as usize;
            }
            _ => {
                self.framed = Some(false);
                self.keep(&header);
            }
        }
    }

    fn keep(&mut self, piece: &[u8]) {
        self.kept.extend_from_slice(piece);
        if self.kept.len() > 2 * KEPT {
            self.kept.drain(..self.kept.len() - KEPT);
            self.cut = true;
        }
    }

    /// The last lines. A line whose start was let go of is left out.
    fn finish(mut self, most: usize) -> Vec<Vec<u8>> {
        // What never became a header is text.
        let rest = std::mem::take(&mut self.header);
        if self.framed.is_none() {
            self.keep(&rest);
        }
        if self.kept.len() > KEPT {
            self.kept.drain(..self.kept.len() - KEPT);
            self.cut = true;
        }
        let text = self.kept.strip_suffix(b"\n").unwrap_or(&self.kept);
        if text.is_empty() {
            return Vec::new();
        }
        let lines = text.split(|&byte| byte == b'\n');
        let mut lines: Vec<Vec<u8>> = lines
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec())
            .collect();
        if self.cut && lines.len() > 1 {
            lines.remove(0);
        }
        lines.split_off(lines.len().saturating_sub(most))
    }
}

/// Whether bytes can start a frame: the stream's number and three zeros.
fn may_be_header(start: &[u8]) -> bool {
    start.first().is_none_or(|stream| *stream <= 3) && start.iter().take(4).skip(1).all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(stream: u8, text: &[u8]) -> Vec<u8> {
        let mut frame = vec![stream, 0, 0, 0];
        frame.extend((text.len() as u32).to_be_bytes());
        frame.extend(text);
        frame
    }

    fn lines(bytes: &[u8], piece: usize, most: usize) -> Vec<Vec<u8>> {
        let mut log = Log::new(None);
        bytes.chunks(piece).for_each(|piece| log.feed(piece));
        log.finish(most)
    }

    #[test]
    fn frames_are_taken_off_however_the_stream_is_cut() {
        let bytes = [
            frame(1, b"out\n"),
            frame(2, b"sh: can't create \xff: Permission denied\n"),
            frame(1, b"half"),
            frame(1, b" line\n"),
        ]
        .concat();
        for piece in [1, 3, 8, 1000] {
            let read = lines(&bytes, piece, 10);
            let wanted: [&[u8]; 3] = [b"out", b"sh: can't create \xff: Permission denied", b"half line"];
            assert_eq!(read, wanted, "in pieces of {piece}");
        }
        assert_eq!(lines(&bytes, 7, 1), [b"half line"]);
    }

    #[test]
    fn a_terminals_log_is_bare() {
        for piece in [1, 1000] {
            assert_eq!(lines(b"one\r\ntwo", piece, 10), [b"one".as_slice(), b"two"]);
            assert_eq!(lines(b"", piece, 10), Vec::<Vec<u8>>::new());
            assert_eq!(lines(b"\x01ab", piece, 10), [b"\x01ab"]);
        }
    }

    #[test]
    fn of_a_huge_log_the_end_is_kept_in_whole_lines() {
        let line = [[b'x'; 99].as_slice(), b"\n"].concat();
        let bytes = frame(1, &line.repeat(20_000));
        let read = lines(&bytes, 4096, usize::MAX);
        assert!(read.len() > 2000 && read.len() * 100 <= KEPT, "{}", read.len());
        assert!(read.iter().all(|line| line.len() == 99));
    }

    #[test]
    fn moments_are_told_as_each_engine_reads_them() {
        let at = OffsetDateTime::from_unix_timestamp_nanos(1_500_000_007_000_000_042).unwrap();
        assert_eq!(moment(at, Flavour::Docker), "1500000007.000000042");
        assert_eq!(moment(at, Flavour::Podman), "1500000007");
    }
}
