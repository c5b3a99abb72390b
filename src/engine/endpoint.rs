//! Where an engine is: reads endpoints as people write them and says in words why one cannot be reached.
//! Knows sockets, not HTTP.

use std::fmt;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::{TcpStream, UnixStream};

use super::accounts::{self, Account};

/// How long a connection may take to come about.
pub const CONNECT: Duration = Duration::from_secs(5);
/// The pause before another try at a socket whose queue is full.
const QUEUE_FULL: Duration = Duration::from_millis(20);

/// When the kernel starts to probe a silent TCP connection.
const PROBE_AFTER: Duration = Duration::from_secs(60);
/// The pause between probes.
const PROBE_EVERY: Duration = Duration::from_secs(10);
/// Probes without an answer after which the connection is dead.
const PROBES: u32 = 3;

/// An address that this version can speak to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A unix socket.
    Unix(PathBuf),
    /// Plain HTTP over TCP: host (without brackets) and port.
    Tcp {
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
    },
}

/// Why an endpoint's text is no [`Endpoint`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadEndpoint {
    /// It is known what it means, but this version cannot do it.
    #[error("{scheme} is not supported yet; {instead}")]
    NotYet {
        /// The scheme, or `TLS`.
        scheme: &'static str,
        /// What to do until then.
        instead: &'static str,
    },
    /// It means nothing.
    #[error("\"{text}\" is no endpoint: {reason}; write unix:///path/to.sock or tcp://HOST:PORT")]
    Nonsense {
        /// What was given.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

const SSH: BadEndpoint = BadEndpoint::NotYet {
    scheme: "ssh://",
    instead: "forward the socket with `ssh -nNT -L /tmp/engine.sock:/var/run/docker.sock HOST` and use --host unix:///tmp/engine.sock",
};
const TLS: BadEndpoint = BadEndpoint::NotYet {
    scheme: "TLS",
    instead: "run vole on the engine's host, or forward its socket with ssh",
};

impl Endpoint {
    /// Reads an endpoint. `tls` says that the surroundings ask for TLS (`DOCKER_TLS_VERIFY`, a context's certificates).
    ///
    /// # Errors
    ///
    /// [`BadEndpoint`] when it means nothing, or something that this version cannot do.
    pub fn parse(text: &str, tls: bool) -> Result<Self, BadEndpoint> {
        let nonsense = |reason| BadEndpoint::Nonsense {
            text: text.to_owned(),
            reason,
        };
        let trimmed = text.trim();
        let (scheme, rest) = match trimmed.split_once("://") {
            Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
            None if trimmed.starts_with('/') => ("unix".to_owned(), trimmed),
            None if trimmed.is_empty() => return Err(nonsense("it is empty")),
            None => return Err(nonsense("it has no scheme")),
        };
        match scheme.as_str() {
            "unix" if rest.is_empty() => Err(nonsense("it has no path")),
            "unix" => Ok(Self::Unix(PathBuf::from(rest))),
            "tcp" | "http" if tls => Err(TLS),
            "tcp" | "http" => Self::parse_tcp(rest, if scheme == "http" { 80 } else { 2375 }).map_err(nonsense),
            "https" => Err(TLS),
            "ssh" => Err(SSH),
            "npipe" => Err(nonsense("named pipes are for Windows")),
            "fd" => Err(nonsense("only an engine can use fd://")),
            _ => Err(nonsense("its scheme is unknown")),
        }
    }

    fn parse_tcp(rest: &str, default_port: u16) -> Result<Self, &'static str> {
        let authority = match rest.split_once('/') {
            Some((authority, "")) => authority,
            Some(_) => return Err("a path behind the port is not supported"),
            None => rest,
        };
        let (host, port) = match authority.strip_prefix('[') {
            Some(bracketed) => match bracketed.split_once(']') {
                Some((host, "")) => (host, None),
                Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or("its address is malformed")?)),
                None => return Err("its address is malformed"),
            },
            None => match authority.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let port = match port {
            Some(port) => port.parse().map_err(|_| "its port is no number below 65536")?,
            None => default_port,
        };
        let host = if host.is_empty() { "localhost" } else { host };
        if host.contains(|c: char| c.is_whitespace() || c.is_control() || "@?#".contains(c)) {
            return Err("its host is malformed");
        }
        Ok(Self::Tcp {
            host: host.to_owned(),
            port,
        })
    }

    /// Whether this address can only lead to this machine (a socket may still be forwarded from elsewhere).
    pub fn is_unix(&self) -> bool {
        matches!(self, Self::Unix(_))
    }

    /// The `Host` header for it.
    pub(super) fn host_header(&self) -> String {
        match self {
            Self::Unix(_) => "localhost".to_owned(),
            Self::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Self::Tcp { host, port } => format!("{host}:{port}"),
        }
    }

    /// Connects within [`CONNECT`].
    ///
    /// # Errors
    ///
    /// A sentence that says why not, with a hint.
    pub(super) async fn connect(&self) -> Result<Stream, String> {
        match tokio::time::timeout(CONNECT, self.dial()).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(self.explain(&error)),
            Err(_) => Err(format!("no connection within {} s", CONNECT.as_secs())),
        }
    }

    async fn dial(&self) -> io::Result<Stream> {
        match self {
            Self::Unix(path) => loop {
                match UnixStream::connect(path).await {
                    Ok(stream) => return Ok(Stream::Unix(stream)),
                    // A unix socket refuses at once when its queue is full, where TCP would wait.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => tokio::time::sleep(QUEUE_FULL).await,
                    Err(error) => return Err(error),
                }
            },
            Self::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                keep_alive(&stream)?;
                Ok(Stream::Tcp(stream))
            }
        }
    }

    fn explain(&self, error: &io::Error) -> String {
        match (self, error.kind()) {
            (Self::Unix(path), io::ErrorKind::PermissionDenied) => explain_denied(path),
            (Self::Unix(path), _) if path.metadata().is_ok_and(|meta| !meta.file_type().is_socket()) => {
                "this is no socket".to_owned()
            }
            (Self::Unix(_), io::ErrorKind::ConnectionRefused) => {
                "the socket is there but nothing listens: the engine is not running (try `systemctl start docker`)"
                    .to_owned()
            }
            (Self::Unix(_), io::ErrorKind::NotFound) => "there is no such socket".to_owned(),
            (Self::Tcp { .. }, io::ErrorKind::ConnectionRefused) => "nothing listens at this port".to_owned(),
            _ => error.to_string(),
        }
    }
}

/// Lets the kernel notice a host that vanished: an event stream is silent for days, and no timer of ours watches it.
fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, PROBE_AFTER)?;
    sockopt::set_tcp_keepintvl(stream, PROBE_EVERY)?;
    sockopt::set_tcp_keepcnt(stream, PROBES)?;
    Ok(())
}

/// Says who may use a socket that refused this user.
fn explain_denied(path: &Path) -> String {
    let Ok(meta) = path.metadata() else {
        return "permission denied: a directory above the socket is closed to this user (try sudo)".to_owned();
    };
    let user = accounts::user(rustix::process::geteuid().as_raw());
    explain_mode(
        meta.mode(),
        &user,
        &accounts::user(meta.uid()),
        meta.gid(),
        &accounts::group(meta.gid()),
    )
}

/// Says who may use a socket by its mode and owners; behind it, which names could not be looked up.
fn explain_mode(mode: u32, user: &Account, owner: &Account, gid: u32, group: &Account) -> String {
    let (hint, named): (String, &[&Account]) = if mode & 0o060 != 0o060 {
        (format!("only {} may use this socket (try sudo)", owner.name), &[owner])
    } else if gid == 0 {
        (
            format!("the socket belongs to group {} (try sudo)", group.name),
            &[group],
        )
    } else {
        let hint = format!(
            "the socket belongs to group {0}; join it with `sudo usermod -aG {0} {1}` and log in again, or try sudo",
            group.name, user.name
        );
        (hint, &[group, user])
    };
    let mut said = format!("permission denied: {hint}");
    for doubt in named.iter().filter_map(|account| account.doubt.as_ref()) {
        said.push_str(&format!("; {doubt}, so a number stands for a name"));
    }
    said
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { .. } => write!(f, "tcp://{}", self.host_header()),
        }
    }
}

/// A connected socket.
#[derive(Debug)]
pub(super) enum Stream {
    /// A unix socket.
    Unix(UnixStream),
    /// A TCP connection.
    Tcp(TcpStream),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_read_as_people_write_them() {
        let tcp = |host: &str, port| {
            Ok(Endpoint::Tcp {
                host: host.to_owned(),
                port,
            })
        };
        assert_eq!(Endpoint::parse("unix:///a b", true), Ok(Endpoint::Unix("/a b".into())));
        assert_eq!(
            Endpoint::parse("/run/x.sock", false),
            Ok(Endpoint::Unix("/run/x.sock".into()))
        );
        assert_eq!(Endpoint::parse("tcp://h", false), tcp("h", 2375));
        assert_eq!(Endpoint::parse("tcp://h:1/", false), tcp("h", 1));
        assert_eq!(Endpoint::parse("HTTP://h", false), tcp("h", 80));
        assert_eq!(Endpoint::parse("tcp://[::1]:5", false), tcp("::1", 5));
        assert_eq!(Endpoint::parse("tcp://[::1]", false), tcp("::1", 2375));
        assert_eq!(Endpoint::parse("tcp://:99", false), tcp("localhost", 99));
    }

    #[test]
    fn what_cannot_be_done_yet_says_so_and_nonsense_says_what_is_wrong() {
        assert_eq!(Endpoint::parse("ssh://me@h", false), Err(SSH));
        assert_eq!(Endpoint::parse("https://h", false), Err(TLS));
        assert_eq!(Endpoint::parse("tcp://h:2376", true), Err(TLS));
        for text in [
            "",
            "h:2375",
            "unix://",
            "ftp://h",
            "tcp://h:99999",
            "tcp://[::1",
            "tcp://h/path",
            "npipe:////./pipe/x",
        ] {
            assert!(
                matches!(Endpoint::parse(text, false), Err(BadEndpoint::Nonsense { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn a_refused_socket_says_whom_to_be_and_which_names_are_unknown() {
        let account = |name: &str| Account {
            name: name.to_owned(),
            doubt: None,
        };
        let (me, root, docker) = (account("me"), account("root"), account("docker"));
        let join = explain_mode(0o660, &me, &root, 998, &docker);
        assert!(
            join.contains("usermod -aG docker me`") && join.ends_with("try sudo"),
            "{join}"
        );
        assert!(explain_mode(0o600, &me, &root, 998, &docker).contains("only root may"));
        assert!(explain_mode(0o660, &me, &root, 0, &root).contains("group root (try sudo)"));
        let unread = Account {
            name: "998".to_owned(),
            doubt: Some("/etc/group cannot be read: denied".to_owned()),
        };
        let numbered = explain_mode(0o660, &me, &root, 998, &unread);
        assert!(numbered.contains("usermod -aG 998 me`"), "{numbered}");
        assert!(numbered.contains("; /etc/group cannot be read: denied"), "{numbered}");
    }

    #[tokio::test]
    async fn each_way_of_not_connecting_has_its_own_words() {
        let dir = tempfile::tempdir().unwrap();
        let say = async |path: PathBuf| Endpoint::Unix(path).connect().await.unwrap_err();
        assert_eq!(say(dir.path().join("none")).await, "there is no such socket");
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(say(file).await, "this is no socket");
        let stale = dir.path().join("stale");
        drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
        assert!(say(stale).await.contains("not running"));
    }
}
