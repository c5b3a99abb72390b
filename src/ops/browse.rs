//! Looks into one mount for a caller without a screen: a session that is held for one command and let go with it.
//! (The screen's sessions are leased, see [`Engine::browse`].)

use vole_agent::proto::Place;

use crate::engine::{Engine, EngineError, OpenSpec, Purpose, Session, Target};
use crate::model::{BytePath, Mount};

/// An open mount.
#[derive(Debug, Clone)]
pub struct Open {
    /// The session; its helper is removed when the last clone is dropped.
    pub session: Session,
    root: u32,
}

impl Open {
    /// An archive, through a session that serves it alone.
    pub fn archive(session: Session) -> Self {
        Self { session, root: 0 }
    }

    /// A path of the mount, for the session.
    pub fn place(&self, path: &BytePath) -> Place {
        Place {
            root: self.root,
            path: path.as_bytes().to_vec(),
        }
    }
}

/// Opens a mount for reading.
///
/// # Errors
///
/// [`EngineError::NoHelper`] with the reason when its contents cannot be reached.
pub async fn open(engine: &Engine, mount: &Mount) -> Result<Open, EngineError> {
    let target = Target::of(mount).map_err(|reason| EngineError::NoHelper { reason })?;
    let spec = OpenSpec {
        targets: vec![target],
        purpose: Purpose::Browse,
        through_store: false,
    };
    let opened = engine.open(spec).await?;
    let root = opened.roots.into_iter().next();
    let root = root.unwrap_or_else(|| Err("the helper does not know it".to_owned()));
    Ok(Open {
        session: opened.session,
        root: root.map_err(|reason| EngineError::NoHelper { reason })?,
    })
}
