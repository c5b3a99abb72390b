//! An archive that is browsed: read to its end once, when it is first asked for, and served within this process for as long as
//! somebody looks into it. Knows no screen.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::engine::{EngineError, Session};

/// An archive, open or not yet.
#[derive(Debug)]
pub(super) struct Opening {
    path: PathBuf,
    session: OnceCell<Session>,
}

impl Opening {
    /// An archive that was not read yet.
    pub(super) fn new(path: PathBuf) -> Arc<Self> {
        Arc::new(Self {
            path,
            session: OnceCell::new(),
        })
    }

    /// Whether it is the one of this path.
    pub(super) fn is(&self, path: &Path) -> bool {
        self.path == path
    }

    /// A session that serves what is in it.
    ///
    /// # Errors
    ///
    /// When it cannot be read to its end. The next call tries again.
    pub(super) async fn session(&self) -> Result<Session, EngineError> {
        let open = || async { Err(EngineError::Refused { reason: "SEAM".to_owned() }) };
        self.session.get_or_try_init(open).await.cloned()
    }
}
