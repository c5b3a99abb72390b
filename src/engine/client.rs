//! HTTP to one engine: one connection per request, bounded bodies, typed errors. Knows no path of the API.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bollard::{BollardRequest, Docker};
use bytes::{Bytes, BytesMut};
use futures_util::stream::{BoxStream, Stream};
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::endpoint::{Endpoint, Stream as Socket};
use super::error::EngineError;

/// How long a cheap question may go unanswered: what the engine is, one inspect.
pub const SHORT: Duration = Duration::from_secs(10);
/// How long a list may go unanswered. A dead volume plugin alone costs Docker about 15 s.
pub const LISTS: Duration = Duration::from_secs(30);
/// For what takes as long as it takes: image load, container start, stop, `/system/df`.
pub const PATIENT: Duration = Duration::from_secs(24 * 60 * 60);
/// The largest answer that is read into memory, in bytes.
pub const MAX_BODY: usize = 256 << 20;
/// The most that is read of an error's body, in bytes.
const MAX_ERROR_BODY: usize = 64 << 10;

/// What goes with a request.
pub enum Payload {
    /// Nothing.
    None,
    /// A JSON document.
    Json(serde_json::Value),
    /// A tar archive, streamed.
    Tar(BoxStream<'static, io::Result<Bytes>>),
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Json(value) => f.debug_tuple("Json").field(value).finish(),
            Self::Tar(_) => f.write_str("Tar"),
        }
    }
}

type Chunks = Pin<Box<dyn Stream<Item = io::Result<Frame<Bytes>>> + Send>>;
type Outgoing = Either<Full<Bytes>, StreamBody<Chunks>>;

/// Speaks HTTP/1.1 to one engine. Cheap to clone.
///
/// Each request has a connection of its own: to drop a future or a body is to close its connection, by which the
/// engine learns that nobody waits any more; and no answer is ever lost to a kept connection that went stale.
#[derive(Debug, Clone)]
pub struct Client {
    endpoint: Arc<Endpoint>,
}

impl Client {
    /// Makes a client; connects to nothing yet.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint: Arc::new(endpoint),
        }
    }

    /// Where the engine is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Asks for a JSON document. `what` names it for people (`the list of volumes`). `timeout` bounds the wait for the
    /// answer's start and every pause within it; the whole may take six times as long.
    ///
    /// # Errors
    ///
    /// [`EngineError::Unreachable`], [`EngineError::Status`], [`EngineError::Garbage`], [`EngineError::Timeout`].
    pub async fn get_json<T: DeserializeOwned>(
        &self,
        what: &str,
        path: &str,
        timeout: Duration,
    ) -> Result<T, EngineError> {
        let body = self.get_bytes(what, path, timeout).await?;
        serde_json::from_slice(&body).map_err(|error| garbage(what, &error))
    }

    /// Asks for a document and gives its bytes, at most [`MAX_BODY`]; timeout and errors as [`Self::get_json`].
    ///
    /// # Errors
    ///
    /// As [`Self::get_json`].
    pub async fn get_bytes(&self, what: &str, path: &str, timeout: Duration) -> Result<Bytes, EngineError> {
        let whole = async {
            let response = self.request(what, Method::GET, path, Payload::None, timeout).await?;
            read_body(what, response.into_body(), MAX_BODY, timeout).await
        };
        within(what, timeout.saturating_mul(6), whole).await?
    }

    /// Sends a request and gives the answer as soon as it starts; the body is streamed and has no time limit.
    /// `path` is path and query, percent-encoded by the caller (see [`encode`]). `timeout` covers connecting, sending
    /// and waiting for the answer's start.
    ///
    /// # Errors
    ///
    /// As [`Self::get_json`]; every status but 2xx, 101 and 304 is [`EngineError::Status`].
    pub async fn request(
        &self,
        what: &str,
        method: Method,
        path: &str,
        payload: Payload,
        timeout: Duration,
    ) -> Result<Response<Incoming>, EngineError> {
        let (body, content_type): (Outgoing, _) = match payload {
            Payload::None => (Either::Left(Full::default()), None),
            Payload::Json(value) => (Either::Left(Full::from(value.to_string())), Some("application/json")),
            Payload::Tar(chunks) => {
                use futures_util::StreamExt as _;
                let frames: Chunks = Box::pin(chunks.map(|chunk| chunk.map(Frame::data)));
                (Either::Right(StreamBody::new(frames)), Some("application/x-tar"))
            }
        };
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = path.parse::<Uri>().map_err(|error| garbage(what, &error))?;
        if let Some(content_type) = content_type {
            request
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        let response = within(what, timeout, self.exchange(what, request)).await??;
        accept(what, response).await
    }

    /// A bollard client over the same connections. `timeout` bounds the wait for each answer's start (not bodies, not
    /// hijacked streams): [`SHORT`] for what is quick, [`PATIENT`] for start, stop and attach.
    ///
    /// A hijacked attach works, half-close included, when the container was made with `OpenStdin`, `StdinOnce` and
    /// without a TTY:
    ///
    /// ```no_run
    /// # use futures_util::StreamExt as _;
    /// # use tokio::io::AsyncWriteExt as _;
    /// # async fn example(client: vole::engine::client::Client) -> anyhow::Result<()> {
    /// use bollard::query_parameters::AttachContainerOptionsBuilder;
    /// let docker = client.bollard(vole::engine::client::PATIENT)?;
    /// let options = AttachContainerOptionsBuilder::default().stdin(true).stdout(true).stderr(true).stream(true).build();
    /// // Attach before the start, or the first output is lost.
    /// let mut attached = docker.attach_container("id", Some(options)).await?;
    /// docker.start_container("id", None).await?;
    /// attached.input.write_all(b"to its stdin").await?;
    /// attached.input.shutdown().await?; // it sees EOF; its output still comes
    /// while let Some(frame) = attached.output.next().await {
    ///     match frame? {
    ///         bollard::container::LogOutput::StdOut { message } => drop(message),
    ///         other => drop(other),
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When bollard refuses the endpoint, which it has no reason to.
    pub fn bollard(&self, timeout: Duration) -> Result<Docker, bollard::errors::Error> {
        let client = self.clone();
        let transport = move |request: BollardRequest| {
            let client = client.clone();
            async move {
                let sent = client.exchange("the engine", request).await;
                sent.map_err(|error| bollard::errors::Error::IOError {
                    err: io::Error::other(error),
                })
            }
        };
        // bollard puts the address into the request's URI; `exchange` takes it out again.
        Docker::connect_with_custom_transport(
            transport,
            Some("http://localhost"),
            timeout.as_secs(),
            bollard::API_DEFAULT_VERSION,
        )
    }

    /// Sends one request over a new connection, whatever its URI's authority.
    async fn exchange<B>(&self, what: &str, mut request: Request<B>) -> Result<Response<Incoming>, EngineError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = path.parse::<Uri>().map_err(|error| garbage(what, &error))?;
        let host = HeaderValue::from_str(&self.endpoint.host_header()).map_err(|error| garbage(what, &error))?;
        request.headers_mut().insert(HOST, host);
        let socket = self.endpoint.connect().await.map_err(|cause| self.unreachable(cause))?;
        match socket {
            Socket::Unix(stream) => self.over(what, TokioIo::new(stream), request).await,
            Socket::Tcp(stream) => self.over(what, TokioIo::new(stream), request).await,
        }
    }

    async fn over<I, B>(&self, what: &str, io: I, request: Request<B>) -> Result<Response<Incoming>, EngineError>
    where
        I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let handshake = hyper::client::conn::http1::handshake(io).await;
        let (mut sender, connection) = handshake.map_err(|error| self.broken(what, &error))?;
        // The task ends with the exchange: its errors reach the caller through the response or its body as well.
        tokio::spawn(async move { drop(connection.with_upgrades().await) });
        sender
            .send_request(request)
            .await
            .map_err(|error| self.broken(what, &error))
    }

    fn unreachable(&self, cause: String) -> EngineError {
        EngineError::Unreachable {
            endpoint: self.endpoint.to_string(),
            cause,
        }
    }

    /// An error before the answer's start: either what came was no HTTP, or the engine hung up.
    fn broken(&self, what: &str, error: &hyper::Error) -> EngineError {
        if error.is_parse() || error.is_parse_too_large() {
            return garbage(what, error);
        }
        let cause = error_chain(error);
        self.unreachable(format!("{what}: the connection broke: {cause}"))
    }
}

/// Reads a body into memory, at most `limit` bytes, waiting at most `stall` for each piece.
///
/// # Errors
///
/// [`EngineError::Timeout`], or [`EngineError::Garbage`] when it is too large or ends early.
pub async fn read_body(what: &str, mut body: Incoming, limit: usize, stall: Duration) -> Result<Bytes, EngineError> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = within(what, stall, body.frame()).await? {
        let frame = frame.map_err(|error| garbage(what, &error_chain(&error)))?;
        if let Some(data) = frame.data_ref() {
            if bytes.len() + data.len() > limit {
                return Err(garbage(what, &format!("it is larger than {} MiB", limit >> 20)));
            }
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes.freeze())
}

/// Hands a body's pieces on as they come, until `feed` wants no more; the connection is closed then, whatever is left.
/// Waits at most `stall` for each piece and `whole` for all; whether that was enough.
///
/// # Errors
///
/// [`EngineError::Timeout`] for a pause, or [`EngineError::Garbage`] when the body ends early or `feed` refuses it.
pub async fn read_while(
    what: &str,
    mut body: Incoming,
    stall: Duration,
    whole: Duration,
    mut feed: impl FnMut(&[u8]) -> Result<bool, String>,
) -> Result<bool, EngineError> {
    let reading = async {
        while let Some(frame) = within(what, stall, body.frame()).await? {
            let frame = frame.map_err(|error| garbage(what, &error_chain(&error)))?;
            let Some(data) = frame.data_ref() else { continue };
            if !feed(data).map_err(|error| garbage(what, &error))? {
                break;
            }
        }
        Ok(())
    };
    tokio::time::timeout(whole, reading)
        .await
        .map_or(Ok(false), |read| read.map(|()| true))
}

/// Lets a successful answer through; reads the engine's message from any other.
async fn accept(what: &str, response: Response<Incoming>) -> Result<Response<Incoming>, EngineError> {
    let status = response.status();
    let fine = status.is_success() || matches!(status, StatusCode::SWITCHING_PROTOCOLS | StatusCode::NOT_MODIFIED);
    if fine {
        return Ok(response);
    }
    let message = match read_body(what, response.into_body(), MAX_ERROR_BODY, SHORT).await {
        Ok(body) => error_message(&body),
        Err(error) => format!("(its message could not be read: {error})"),
    };
    Err(EngineError::Status {
        what: what.to_owned(),
        status: status.as_u16(),
        message,
    })
}

/// The message of an error's body: Docker's `{"message": …}`, podman's `{"cause", "message"}`, or the text as it is.
fn error_message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Message {
        message: String,
    }
    match serde_json::from_slice::<Message>(body) {
        Ok(error) => error.message,
        Err(_) if body.trim_ascii().is_empty() => "(no message)".to_owned(),
        Err(_) => String::from_utf8_lossy(&body[..body.len().min(500)]).trim().to_owned(),
    }
}

async fn within<F: Future>(what: &str, limit: Duration, future: F) -> Result<F::Output, EngineError> {
    let timeout = || EngineError::Timeout {
        what: what.to_owned(),
        seconds: limit.as_secs(),
    };
    tokio::time::timeout(limit, future).await.map_err(|_| timeout())
}

fn garbage(what: &str, cause: &dyn fmt::Display) -> EngineError {
    EngineError::Garbage {
        what: what.to_owned(),
        cause: cause.to_string(),
    }
}

/// An error with what caused it; hyper's own words alone leave out the reason.
fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}

/// Percent-encodes one path segment or query value.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
