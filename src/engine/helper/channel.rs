//! The way for bulk data on the engine's own host: a socket in a private directory that is mounted into the helper, so that
//! the engine does not copy every byte (its attach stream carries 222 MB/s at best). Knows no protocol.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};

/// The socket's name in its directory.
pub(super) const SOCKET: &str = "socket";

/// How old a channel is that nobody waits at any more, in any process namespace.
const ABANDONED: Duration = Duration::from_secs(600);

/// Tells apart the channels of one process.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A socket that waits for one helper. Dropping it removes its directory.
#[derive(Debug)]
pub(super) struct Channel {
    dir: PathBuf,
    listener: UnixListener,
}

impl Channel {
    /// Makes one, below the directory for such things. Only who may enter the directory (mode 0700) gets to the socket,
    /// and a helper, into which the directory is mounted.
    ///
    /// # Errors
    ///
    /// When the system refuses the directory or the socket.
    pub(super) fn open() -> io::Result<Self> {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let above = runtime.filter(|dir| dir.is_dir()).unwrap_or_else(std::env::temp_dir);
        sweep(&above);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = above.join(format!("vole-{}-{number}.channel", std::process::id()));
        DirBuilder::new().mode(0o700).create(&dir)?;
        let socket = dir.join(SOCKET);
        // A helper's root need not be this user, nor have the right to pass over a socket's mode.
        let bound = UnixListener::bind(&socket)
            .and_then(|listener| fs::set_permissions(&socket, Permissions::from_mode(0o666)).map(|()| listener));
        match bound {
            Ok(listener) => Ok(Self { dir, listener }),
            Err(error) => {
                remove(&dir);
                Err(error)
            }
        }
    }

    /// The directory on this host.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Waits for the helper. The directory goes then: nobody else is waited for.
    ///
    /// # Errors
    ///
    /// When the socket breaks.
    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        let (stream, _) = self.listener.accept().await?;
        remove(&self.dir);
        Ok(stream)
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        remove(&self.dir);
    }
}

/// Removes what a process left that was killed before its helper came: channels wait for seconds.
fn sweep(above: &Path) {
    let Ok(entries) = fs::read_dir(above) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let ours = name
            .to_str()
            .and_then(|name| name.strip_prefix("vole-")?.strip_suffix(".channel"));
        let pid = ours.and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        let old = entry.metadata().and_then(|meta| meta.modified());
        let old = old.is_ok_and(|made| made.elapsed().is_ok_and(|age| age > ABANDONED));
        if old && pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            remove(&entry.path());
        }
    }
}

fn remove(dir: &Path) {
    // Nobody is there to be told; what stays is an empty directory with a name that says whose it was.
    let _socket = fs::remove_file(dir.join(SOCKET));
    let _dir = fs::remove_dir(dir);
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_channel_carries_bytes_and_leaves_nothing() {
        let channel = Channel::open().unwrap();
        let dir = channel.dir().to_owned();
        assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
        let (ours, theirs) = tokio::join!(channel.accept(), UnixStream::connect(dir.join(SOCKET)));
        theirs.unwrap().write_all(b"to vole").await.unwrap();
        let mut read = Vec::new();
        ours.unwrap().read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"to vole");
        assert!(!dir.exists());
        let unused = Channel::open().unwrap();
        let dir = unused.dir().to_owned();
        drop(unused);
        assert!(!dir.exists());
    }
}
