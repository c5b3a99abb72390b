//! The real engine behind [`super::Daemon`]: which question goes to which path. Reading the answers is
//! [`super::wire`]'s part, helpers are [`super::helper`]'s.

use super::client::Client;
use super::helpers_seen::HelpersSeen;

/// A real engine.
#[derive(Debug, Clone)]
pub struct RestDaemon {
    /// The connection.
    pub(crate) client: Client,
    /// The id of this run of vole: the value of its helpers' [`super::labels::HELPER`].
    pub(crate) session: String,
    /// Containers that are vole's own: whoever makes a helper adds it here at once, so that neither lists nor events
    /// show it or its mounts.
    pub(crate) helpers: HelpersSeen,
    /// Whether the operator forbade helper containers.
    pub(crate) no_helper: bool,
}

impl RestDaemon {
    /// Takes a client as an engine. Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// When no random session id can be made.
    pub fn new(client: Client, no_helper: bool) -> std::io::Result<Self> {
        Ok(Self {
            client,
            session: super::identity::random_id()?,
            helpers: HelpersSeen::default(),
            no_helper,
        })
    }
}
