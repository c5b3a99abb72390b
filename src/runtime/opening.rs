//! An archive that is browsed: read to its end once, when it is first asked for, and served within this process for as long as
//! somebody looks into it. Knows no screen.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::archive::view::{View, ViewError};
use crate::engine::local::in_process;
use crate::engine::{EngineError, Session};

/// An archive, open or not yet.
#[derive(Debug)]
pub(super) struct Opening {
    path: PathBuf,
    open: OnceCell<Open>,
}

/// An open archive.
#[derive(Debug, Clone)]
pub(super) struct Open {
    /// What serves it.
    pub(super) session: Session,
    /// Why it could not be read to its end, if it could not: then it is not all there.
    pub(super) damage: Option<String>,
}

impl Opening {
    /// An archive that was not read yet.
    pub(super) fn new(path: PathBuf) -> Arc<Self> {
        Arc::new(Self {
            path,
            open: OnceCell::new(),
        })
    }

    /// Whether it is the one of this path.
    pub(super) fn is(&self, path: &Path) -> bool {
        self.path == path
    }

    /// What serves it; it is read when this is asked for first, until nobody waits for it any more.
    ///
    /// # Errors
    ///
    /// When it cannot be read. The next call tries again.
    pub(super) async fn open(&self) -> Result<Open, EngineError> {
        self.open.get_or_try_init(|| read(self.path.clone())).await.cloned()
    }
}

async fn read(path: PathBuf) -> Result<Open, EngineError> {
    let refused = |reason: String| EngineError::Refused { reason };
    let wanted = CancellationToken::new();
    let _while_awaited = wanted.clone().drop_guard();
    let reading = tokio::task::spawn_blocking(move || View::open(&path, |_| !wanted.is_cancelled()));
    let view = match reading.await {
        Ok(Ok(view)) => view,
        Ok(Err(ViewError::Cancelled)) => return Err(EngineError::Cancelled),
        Ok(Err(error)) => return Err(refused(error.to_string())),
        Err(error) => return Err(refused(error.to_string())),
    };
    let damage = view.damage().map(ToString::to_string);
    let session = in_process(Arc::new(view)).await?;
    Ok(Open { session, damage })
}
