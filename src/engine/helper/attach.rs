//! The stream of an attached helper: its standard input and output as one carrier. What it says on standard error
//! is no part of the stream; it becomes the error that the stream ends with. Knows no protocol.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bollard::container::{AttachContainerResults, LogOutput};
use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::text;

/// How much of a helper's standard error is kept, in bytes.
const COMPLAINT: usize = 500;

type Output = Pin<Box<dyn Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send>>;

/// An attached helper's standard input and output.
pub(super) struct Attached {
    output: Output,
    input: Pin<Box<dyn AsyncWrite + Send>>,
    chunk: Bytes,
    complaint: Vec<u8>,
    /// What the stream broke with before anybody read it.
    failed: Option<bollard::errors::Error>,
}

impl Attached {
    /// Takes an attachment made before the helper's start.
    pub(super) fn new(attached: AttachContainerResults) -> Self {
        Self {
            output: attached.output,
            input: attached.input,
            chunk: Bytes::new(),
            complaint: Vec::new(),
            failed: None,
        }
    }

    /// Waits until there is something to read: bytes, or the stream's end.
    pub(super) async fn speaks(&mut self) {
        while self.chunk.is_empty() {
            match self.output.next().await {
                Some(Ok(LogOutput::StdOut { message } | LogOutput::Console { message })) => self.chunk = message,
                Some(Ok(LogOutput::StdErr { message })) => self.complain(&message),
                Some(Ok(LogOutput::StdIn { .. })) => {}
                Some(Err(error)) => return self.failed = Some(error),
                None => return,
            }
        }
    }

    fn complain(&mut self, message: &[u8]) {
        let room = COMPLAINT.saturating_sub(self.complaint.len());
        self.complaint.extend_from_slice(&message[..message.len().min(room)]);
    }
}

impl AsyncRead for Attached {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if !self.chunk.is_empty() {
                let taken = self.chunk.len().min(buf.remaining());
                buf.put_slice(&self.chunk[..taken]);
                self.chunk.advance(taken);
                return Poll::Ready(Ok(()));
            }
            if let Some(error) = self.failed.take() {
                return Poll::Ready(Err(io::Error::other(error)));
            }
            match ready!(self.output.as_mut().poll_next(cx)) {
                Some(Ok(LogOutput::StdOut { message } | LogOutput::Console { message })) => self.chunk = message,
                Some(Ok(LogOutput::StdErr { message })) => self.complain(&message),
                Some(Ok(LogOutput::StdIn { .. })) => {}
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None if self.complaint.is_empty() => return Poll::Ready(Ok(())),
                None => {
                    let said = text::printable(self.complaint.trim_ascii());
                    return Poll::Ready(Err(io::Error::other(format!("its agent says: {said}"))));
                }
            }
        }
    }
}

impl AsyncWrite for Attached {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.input.as_mut().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input.as_mut().poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use tokio::io::AsyncReadExt as _;

    fn attached(frames: Vec<LogOutput>) -> Attached {
        Attached::new(AttachContainerResults {
            output: Box::pin(stream::iter(frames.into_iter().map(Ok))),
            input: Box::pin(tokio::io::sink()),
        })
    }

    #[tokio::test]
    async fn frames_become_one_stream() {
        let out = |text: &'static [u8]| LogOutput::StdOut {
            message: Bytes::from_static(text),
        };
        let mut read = Vec::new();
        attached(vec![out(b"ab"), out(b""), out(b"cde")])
            .read_to_end(&mut read)
            .await
            .unwrap();
        assert_eq!(read, b"abcde");
    }

    #[tokio::test]
    async fn what_is_said_on_standard_error_is_the_streams_error_bounded_and_harmless() {
        let complaint = LogOutput::StdErr {
            message: Bytes::from(vec![b'\x1b'; 4000]),
        };
        let error = attached(vec![complaint])
            .read_to_end(&mut Vec::new())
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("\\e\\e") && error.len() < 4 * COMPLAINT, "{error}");
    }
}
