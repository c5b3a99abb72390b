//! Leases over scripted agents, in paused time.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::sleep;
use vole_agent::frame;
use vole_agent::proto::{Fault, FromAgent, Hello, Place, Reply, Request, ToAgent};

use super::*;
use crate::engine::daemon::{
    About, ContainerDetail, ContainerList, DiskUsage, EngineEvent, Layer, Masked, PathIn, Process, VolumeList,
    VolumeRow,
};
use crate::engine::session::Opened;
use crate::model::{Scan, VolumeName};

/// An engine that opens scripted sessions and counts them.
#[derive(Default)]
struct Fake {
    opened: AtomicUsize,
    alive: Arc<AtomicUsize>,
}

struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Fake {
    fn alive(&self) -> usize {
        self.alive.load(Ordering::SeqCst)
    }

    async fn open_one(&self) -> Result<Opened, EngineError> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        self.alive.fetch_add(1, Ordering::SeqCst);
        let (ours, theirs) = duplex(1 << 16);
        tokio::spawn(agent(theirs));
        let session = Session::connect(Box::pin(ours), Box::new(Alive(Arc::clone(&self.alive)))).await?;
        Ok(Opened {
            session,
            roots: vec![Ok(0)],
            source: Source::Agent,
        })
    }
}

/// Fails every request but to follow, which lasts.
async fn agent(mut stream: DuplexStream) {
    let hello = Hello {
        arch: String::new(),
        kernel: String::new(),
        openat2: true,
        roots: Vec::new(),
    };
    stream.write_all(&frame::preamble()).await.unwrap();
    stream
        .write_all(&frame::encode(&FromAgent::Hello(hello)).unwrap())
        .await
        .unwrap();
    while let Ok(length) = stream.read_u32_le().await {
        let mut body = vec![0; length as usize];
        stream.read_exact(&mut body).await.unwrap();
        let (id, reply) = match frame::decode(&body).unwrap() {
            ToAgent::Request {
                request: Request::Follow { .. },
                ..
            }
            | ToAgent::Credit { .. }
            | ToAgent::Data { .. }
            | ToAgent::End { .. }
            | ToAgent::Confirm { .. } => continue,
            ToAgent::Request { id, .. } => (
                id,
                Reply::Failed(Fault {
                    errno: None,
                    path: Vec::new(),
                    message: "as scripted".into(),
                }),
            ),
            ToAgent::Cancel { id } => (id, Reply::Cancelled),
        };
        let frame = frame::encode(&FromAgent::Reply { id, reply }).unwrap();
        if stream.write_all(&frame).await.is_err() {
            return;
        }
    }
}

fn never<T: Send + 'static>() -> BoxFuture<'static, T> {
    Box::pin(std::future::pending())
}

impl Daemon for Fake {
    fn log_tail<'a>(
        &'a self,
        _: &'a str,
        _: Option<time::OffsetDateTime>,
        _: u32,
    ) -> BoxFuture<'a, Result<Vec<Vec<u8>>, EngineError>> {
        never()
    }
    fn processes<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<Process>, EngineError>> {
        never()
    }
    fn path_in<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<Option<PathIn>, EngineError>> {
        never()
    }
    fn file_in<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, EngineError>> {
        never()
    }
    fn layer<'a>(&'a self, _: &'a str, _: usize) -> BoxFuture<'a, Result<Layer, EngineError>> {
        never()
    }
    fn endpoint(&self) -> String {
        String::new()
    }
    fn about(&self) -> BoxFuture<'_, Result<About, EngineError>> {
        never()
    }
    fn volumes(&self) -> BoxFuture<'_, Result<VolumeList, EngineError>> {
        never()
    }
    fn containers(&self) -> BoxFuture<'_, Result<ContainerList, EngineError>> {
        never()
    }
    fn container<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<ContainerDetail>, EngineError>> {
        never()
    }
    fn disk_usage(&self) -> BoxFuture<'_, Result<DiskUsage, EngineError>> {
        never()
    }
    fn events(&self) -> BoxFuture<'_, Result<BoxStream<'static, Result<EngineEvent, EngineError>>, EngineError>> {
        never()
    }
    fn open(&self, _: OpenSpec) -> BoxFuture<'_, Result<Opened, EngineError>> {
        Box::pin(self.open_one())
    }
    fn dangling(&self) -> BoxFuture<'_, Result<HashSet<String>, EngineError>> {
        never()
    }
    fn container_count(&self) -> BoxFuture<'_, Result<Option<usize>, EngineError>> {
        never()
    }
    fn volume<'a>(&'a self, _: &'a VolumeName) -> BoxFuture<'a, Result<Option<VolumeRow>, EngineError>> {
        never()
    }
    fn masked<'a>(&'a self, _: &'a str, _: &'a str, _: usize) -> BoxFuture<'a, Result<Masked, EngineError>> {
        never()
    }
}

fn at() -> Place {
    Place {
        root: 0,
        path: Vec::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_taken_up_and_ends_by_idleness_although_it_is_held() {
    let (fake, leases) = (Fake::default(), Leases::default());
    let held = leases.take(&fake, &Mount::sample("a")).await.unwrap();
    sleep(IDLE - Duration::from_secs(1)).await;
    leases.take(&fake, &Mount::sample("a")).await.unwrap();
    assert_eq!(
        fake.opened.load(Ordering::SeqCst),
        1,
        "the second call takes the first one's session"
    );
    sleep(IDLE - Duration::from_secs(1)).await;
    assert_eq!(fake.alive(), 1, "to take it up counts as use");
    sleep(Duration::from_secs(2)).await;
    assert_eq!(fake.alive(), 0, "the helper is gone although the lease is held");
    assert!(matches!(
        held.session.stat(at()).await,
        Err(EngineError::SessionLost(_))
    ));
    leases.take(&fake, &Mount::sample("a")).await.unwrap();
    assert_eq!(fake.opened.load(Ordering::SeqCst), 2, "the next call opens another");
}

#[tokio::test(start_paused = true)]
async fn requests_and_running_streams_keep_it() {
    let (fake, leases) = (Fake::default(), Leases::default());
    let lease = leases.take(&fake, &Mount::sample("a")).await.unwrap();
    sleep(IDLE - Duration::from_secs(1)).await;
    assert!(matches!(lease.session.stat(at()).await, Err(EngineError::Agent(_))));
    sleep(IDLE - Duration::from_secs(1)).await;
    assert_eq!(fake.alive(), 1);
    let mut following = lease.session.follow(at(), 0);
    tokio::select! {
        item = following.next() => panic!("{item:?}"),
        () = sleep(IDLE * 10) => {}
    }
    assert_eq!(fake.alive(), 1, "a stream that runs keeps the helper");
    drop(following);
    sleep(IDLE + Duration::from_secs(1)).await;
    assert_eq!(fake.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn only_a_few_are_kept_and_release_ends_all() {
    let (fake, leases) = (Fake::default(), Leases::default());
    for name in ["a", "b", "c", "d", "e", "f"] {
        leases.take(&fake, &Mount::sample(name)).await.unwrap();
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(fake.alive(), KEPT);
    leases.take(&fake, &Mount::sample("f")).await.unwrap();
    assert_eq!(
        fake.opened.load(Ordering::SeqCst),
        6,
        "the newest are the ones that are kept"
    );
    leases.release().await;
    assert_eq!(fake.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_reached_says_why() {
    let (fake, leases) = (Fake::default(), Leases::default());
    let never = Mount {
        scan: Scan::Never("a socket".to_owned()),
        ..Mount::sample("a")
    };
    let error = leases.take(&fake, &never).await.unwrap_err();
    assert_eq!(
        error,
        EngineError::NoHelper {
            reason: "a socket".to_owned()
        }
    );
}
