//! The real engine behind [`super::Daemon`]: which question goes to which path. Reading the answers is
//! [`super::wire`]'s part, helpers are [`super::helper`]'s.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use hyper::Method;
use time::OffsetDateTime;
use tokio::sync::Mutex;

use super::client::{Client, LISTS, Payload, SHORT, encode};
use super::daemon::{
    About, Changes, ContainerDetail, ContainerList, Daemon, DiskUsage, EngineEvent, Layer, Masked, NewVolume, PathIn,
    Process, Switch, VolumeList, VolumeRow,
};
use super::error::EngineError;
use super::helpers_seen::HelpersSeen;
use super::session::{OpenSpec, Opened};
use super::{changes, events, helper, host, identity, labels, logs, looks, wire};
use crate::model::VolumeName;

/// How long `/system/df` may go unanswered: it walks every volume.
const DISK_USAGE: Duration = Duration::from_secs(60 * 60);
/// Pauses before asking `/system/df` again while somebody else's question runs.
const DISK_USAGE_RETRIES: [u64; 6] = [1, 2, 4, 8, 15, 30];

/// A real engine.
#[derive(Debug, Clone)]
pub struct RestDaemon {
    /// The connection.
    pub(crate) client: Client,
    /// Containers that are vole's own: whoever makes a helper adds it here at once, so that neither lists nor events
    /// show it or its mounts.
    pub(crate) helpers: HelpersSeen,
    /// Whether the operator forbade helper containers.
    pub(crate) no_helper: bool,
    /// What the engine is; asked once, since the answer costs podman a tenth of a second, and again only after the
    /// events broke off: it may have been restarted as another version.
    known: Arc<Mutex<Option<About>>>,
    /// Whether its events were subscribed to before.
    subscribed: Arc<AtomicBool>,
    /// What this run's helpers share.
    pub(crate) crew: helper::Crew,
    /// Engines refuse a second `/system/df` while one runs.
    measuring: Arc<Mutex<()>>,
}

impl RestDaemon {
    /// Takes a client as an engine. Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// When no random session id can be made.
    pub fn new(client: Client, no_helper: bool) -> std::io::Result<Self> {
        let session = identity::random_id()?;
        Ok(Self {
            crew: helper::Crew::new(client.endpoint().to_string(), &session),
            client,
            helpers: HelpersSeen::default(),
            no_helper,
            known: Arc::default(),
            subscribed: Arc::default(),
            measuring: Arc::default(),
        })
    }

    /// Has the guard process run by a given `vole` (see [`super::guard`]), for programs that are not vole themselves.
    #[must_use]
    pub fn guarded_by(self, program: impl Into<std::path::PathBuf>) -> Self {
        self.crew.guard().run_by(program.into());
        self
    }

    /// Asks what the engine is, and its own id where that is stable (not podman's).
    ///
    /// # Errors
    ///
    /// When it cannot be reached, or what answers is no container engine.
    pub async fn about_and_id(&self) -> Result<(About, Option<String>), EngineError> {
        let (greeting, info) = tokio::join!(
            self.greeting(),
            self.client.get_bytes("the engine's description", "/info", SHORT),
        );
        // A socket proxy may hide the description; the version alone will do.
        let info = match info {
            Ok(info) => Some(info),
            Err(EngineError::Status { .. }) => None,
            Err(error) => return Err(error),
        };
        let greeted = greeting?.map(|greeting| wire::about(greeting, info.as_deref()));
        let (mut about, id) = match greeted.transpose()? {
            Some((about, id))
                if [&about.arch, &about.kernel, &about.os]
                    .iter()
                    .all(|told| !told.is_empty()) =>
            {
                (about, id)
            }
            _ => {
                let version = self.client.get_bytes("the engine's version", "/version", SHORT);
                wire::about(wire::version(&version.await?)?, info.as_deref())?
            }
        };
        about.same_host = host::is_this_host(self.client.endpoint(), &about);
        Ok((about, id))
    }

    /// What the engine says on being greeted: podman takes three times as long for `/version` as for all the rest.
    /// `None` when it does not tell, or a proxy forbids it.
    async fn greeting(&self) -> Result<Option<wire::Greeting>, EngineError> {
        let answer = self
            .client
            .request("the engine's version", Method::GET, "/_ping", Payload::None, SHORT);
        match answer.await {
            Ok(answer) => Ok(wire::greeting(answer.headers())),
            Err(EngineError::Status { .. } | EngineError::Garbage { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps an answer of [`Self::about_and_id`] for every later call of [`Daemon::about`].
    pub(super) async fn remember(&self, about: About) {
        *self.known.lock().await = Some(about);
    }

    /// What the engine is. Who asks while somebody else does waits for the same answer.
    async fn known_about(&self) -> Result<About, EngineError> {
        let mut known = self.known.lock().await;
        if let Some(about) = known.as_ref() {
            return Ok(about.clone());
        }
        let (about, _) = self.about_and_id().await?;
        *known = Some(about.clone());
        Ok(about)
    }

    async fn subscribe(&self) -> Result<BoxStream<'static, Result<EngineEvent, EngineError>>, EngineError> {
        if self.subscribed.swap(true, Ordering::Relaxed) {
            *self.known.lock().await = None;
        }
        events::subscribe(&self.client, &self.helpers).await
    }

    async fn list_volumes(&self) -> Result<VolumeList, EngineError> {
        wire::volumes(&self.client.get_bytes("the list of volumes", "/volumes", LISTS).await?)
    }

    async fn list_containers(&self) -> Result<ContainerList, EngineError> {
        let body = self
            .client
            .get_bytes("the list of containers", "/containers/json?all=1", LISTS)
            .await?;
        let mut list = wire::containers(&body)?;
        let told = list.rows.len();
        list.rows.retain(|row| {
            let ours = row.labels.contains_key(labels::HELPER);
            if ours {
                self.helpers.add(&row.id);
            }
            !ours
        });
        list.helpers = told - list.rows.len();
        Ok(list)
    }

    async fn inspect(&self, id: &str) -> Result<Option<ContainerDetail>, EngineError> {
        let path = format!("/containers/{}/json", encode(id));
        match self.client.get_bytes("a container's details", &path, SHORT).await {
            Ok(body) => wire::container(&body).map(Some),
            Err(EngineError::Status { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Podman measures the empty directory beneath a volume with options as long as nothing mounts it, and Docker
    /// leaves such volumes out: their sizes are unknown on both.
    async fn measure(&self) -> Result<DiskUsage, EngineError> {
        let mut usage = self.ask_disk_usage().await?;
        for volume in self.list_volumes().await?.rows {
            if !volume.options.is_empty() {
                usage.volumes.remove(&volume.name);
            }
        }
        Ok(usage)
    }

    async fn ask_disk_usage(&self) -> Result<DiskUsage, EngineError> {
        let _alone = self.measuring.lock().await;
        let mut pauses = DISK_USAGE_RETRIES.iter();
        loop {
            // `verbose` is what makes Engine 29 name the volumes; others ignore it.
            match self
                .client
                .get_bytes("disk usage", "/system/df?verbose=true", DISK_USAGE)
                .await
            {
                Ok(body) => return wire::disk_usage(&body),
                Err(error) => match pauses.next() {
                    Some(&seconds) if is_measuring_already(&error) => {
                        tokio::time::sleep(Duration::from_secs(seconds)).await;
                    }
                    _ => return Err(error),
                },
            }
        }
    }
}

/// Whether somebody else's `/system/df` is running; the engine serves one at a time.
fn is_measuring_already(error: &EngineError) -> bool {
    matches!(error, EngineError::Status { message, .. } if message.contains("disk usage operation is already running"))
}

impl Daemon for RestDaemon {
    fn endpoint(&self) -> String {
        self.client.endpoint().to_string()
    }

    fn about(&self) -> BoxFuture<'_, Result<About, EngineError>> {
        Box::pin(self.known_about())
    }

    fn volumes(&self) -> BoxFuture<'_, Result<VolumeList, EngineError>> {
        Box::pin(self.list_volumes())
    }

    fn containers(&self) -> BoxFuture<'_, Result<ContainerList, EngineError>> {
        Box::pin(self.list_containers())
    }

    fn container<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<ContainerDetail>, EngineError>> {
        Box::pin(self.inspect(id))
    }

    fn disk_usage(&self) -> BoxFuture<'_, Result<DiskUsage, EngineError>> {
        Box::pin(self.measure())
    }

    fn events(&self) -> BoxFuture<'_, Result<BoxStream<'static, Result<EngineEvent, EngineError>>, EngineError>> {
        Box::pin(self.subscribe())
    }

    fn open(&self, spec: OpenSpec) -> BoxFuture<'_, Result<Opened, EngineError>> {
        Box::pin(helper::open(self, spec))
    }

    fn settle(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.crew.settle())
    }

    fn dangling(&self) -> BoxFuture<'_, Result<HashSet<String>, EngineError>> {
        Box::pin(changes::dangling(&self.client))
    }

    fn container_count(&self) -> BoxFuture<'_, Result<Option<usize>, EngineError>> {
        Box::pin(changes::container_count(&self.client))
    }

    fn volume<'a>(&'a self, name: &'a VolumeName) -> BoxFuture<'a, Result<Option<VolumeRow>, EngineError>> {
        Box::pin(changes::volume(&self.client, name))
    }

    fn changes(&self) -> Option<&dyn Changes> {
        Some(self)
    }

    fn log_tail<'a>(
        &'a self,
        id: &'a str,
        since: Option<OffsetDateTime>,
        lines: u32,
    ) -> BoxFuture<'a, Result<Vec<Vec<u8>>, EngineError>> {
        Box::pin(async move {
            let flavour = self.known_about().await?.flavour;
            logs::tail(&self.client, flavour, id, since, lines).await
        })
    }

    fn processes<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Vec<Process>, EngineError>> {
        Box::pin(async move {
            let flavour = self.known_about().await?.flavour;
            looks::processes(&self.client, flavour, id).await
        })
    }

    fn path_in<'a>(&'a self, id: &'a str, path: &'a str) -> BoxFuture<'a, Result<Option<PathIn>, EngineError>> {
        Box::pin(looks::path_in(&self.client, id, path))
    }

    fn file_in<'a>(&'a self, id: &'a str, path: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, EngineError>> {
        Box::pin(looks::file_in(&self.client, id, path))
    }

    fn layer<'a>(&'a self, id: &'a str, limit: usize) -> BoxFuture<'a, Result<Layer, EngineError>> {
        Box::pin(looks::layer(&self.client, id, limit))
    }

    fn masked<'a>(
        &'a self,
        container_id: &'a str,
        destination: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Masked, EngineError>> {
        Box::pin(helper::masked(self, container_id, destination, limit))
    }
}

impl Changes for RestDaemon {
    fn remove_volume<'a>(&'a self, name: &'a VolumeName) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(changes::remove_volume(&self.client, name))
    }

    fn create_volume<'a>(&'a self, wanted: &'a NewVolume) -> BoxFuture<'a, Result<VolumeRow, EngineError>> {
        Box::pin(changes::create_volume(&self.client, wanted))
    }

    fn remove_container<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(changes::remove_container(&self.client, id))
    }

    fn switch_container<'a>(&'a self, id: &'a str, switch: Switch) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(looks::switch(&self.client, id, switch))
    }
}
