//! The watcher against scripted event streams, on a paused clock.

use std::collections::HashSet;
use std::collections::VecDeque;
use std::sync::Mutex;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;

use super::*;
use crate::engine::daemon::{
    About, ContainerDetail, ContainerList, DiskUsage, Layer, Masked, PathIn, Process, VolumeList, VolumeRow,
};
use crate::engine::session::{OpenSpec, Opened};
use crate::model::VolumeName;

type Item = Result<EngineEvent, EngineError>;

/// Gives out one stream per connection, fed by the test; refuses when there is none left.
struct Scripted {
    streams: Mutex<VecDeque<Result<mpsc::UnboundedReceiver<Item>, EngineError>>>,
}

fn never<'a, T: Send + 'a>() -> BoxFuture<'a, Result<T, EngineError>> {
    Box::pin(std::future::ready(Err(EngineError::Cancelled)))
}

impl Daemon for Scripted {
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
        "test://".to_owned()
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
    fn container<'a>(&'a self, _id: &'a str) -> BoxFuture<'a, Result<Option<ContainerDetail>, EngineError>> {
        never()
    }
    fn disk_usage(&self) -> BoxFuture<'_, Result<DiskUsage, EngineError>> {
        never()
    }
    fn events(&self) -> BoxFuture<'_, Result<Events, EngineError>> {
        let next = self.streams.lock().unwrap().pop_front();
        Box::pin(std::future::ready(match next {
            Some(Ok(mut feed)) => Ok(futures_util::stream::poll_fn(move |cx| feed.poll_recv(cx)).boxed()),
            Some(Err(error)) => Err(error),
            None => Err(down()),
        }))
    }
    fn open(&self, _spec: OpenSpec) -> BoxFuture<'_, Result<Opened, EngineError>> {
        never()
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

fn down() -> EngineError {
    EngineError::Unreachable {
        endpoint: "test://".to_owned(),
        cause: "down".to_owned(),
    }
}

fn gone(name: usize) -> Item {
    Ok(EngineEvent::Volume {
        name: name.to_string(),
        action: "destroy".to_owned(),
        container: None,
    })
}

struct Stage {
    told: mpsc::Receiver<Watch>,
    feeds: Vec<mpsc::UnboundedSender<Item>>,
    daemon: Arc<Scripted>,
    retry: Arc<Notify>,
}

impl Stage {
    fn new(connections: usize) -> Self {
        let (feeds, streams): (Vec<_>, VecDeque<_>) = (0..connections)
            .map(|_| mpsc::unbounded_channel())
            .map(|(feed, stream)| (feed, Ok(stream)))
            .unzip();
        let daemon = Arc::new(Scripted {
            streams: Mutex::new(streams),
        });
        let retry = Arc::new(Notify::new());
        let told = watch(Arc::<Scripted>::clone(&daemon), Arc::clone(&retry));
        Self {
            told,
            feeds,
            daemon,
            retry,
        }
    }

    async fn next(&mut self) -> Watch {
        self.told.recv().await.unwrap()
    }

    async fn lost(&mut self) -> Duration {
        match self.next().await {
            Watch::Lost { retry_in, .. } => retry_in,
            other => panic!("expected a loss, got {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_few_batches() {
    let mut stage = Stage::new(1);
    assert_eq!(stage.next().await, Watch::Connected);
    let feed = stage.feeds.remove(0);
    let feeder = tokio::spawn(async move {
        for name in 0..1000 {
            feed.send(gone(name)).unwrap();
            sleep(Duration::from_millis(10)).await;
        }
        feed
    });
    let started = Instant::now();
    let mut batches = 0;
    while started.elapsed() < Duration::from_secs(15) {
        match tokio::time::timeout(Duration::from_secs(3), stage.next()).await {
            Ok(Watch::Changed(events)) => {
                assert!(!events.is_empty() && events.len() <= MAX_BATCH);
                batches += 1;
            }
            Ok(other) => panic!("{other:?}"),
            Err(_) => break,
        }
    }
    assert!((3..=12).contains(&batches), "{batches} batches for 10 s of events");
    drop(feeder);
}

#[tokio::test(start_paused = true)]
async fn one_event_is_told_soon_and_quiet_is_quiet() {
    let mut stage = Stage::new(1);
    assert_eq!(stage.next().await, Watch::Connected);
    let asked = Instant::now();
    stage.feeds[0].send(gone(1)).unwrap();
    stage.feeds[0].send(gone(1)).unwrap();
    assert_eq!(
        stage.next().await,
        Watch::Changed(vec![gone(1).unwrap()]),
        "the same event twice is one"
    );
    assert!(asked.elapsed() <= Duration::from_millis(110));
    let silence = tokio::time::timeout(Duration::from_secs(3600), stage.next()).await;
    assert!(silence.is_err(), "nothing comes from a quiet engine");
}

#[tokio::test(start_paused = true)]
async fn a_lost_engine_is_tried_again_with_growing_pauses_and_told_when_back() {
    let mut stage = Stage::new(1);
    assert_eq!(stage.next().await, Watch::Connected);
    stage.feeds[0].send(gone(1)).unwrap();
    stage.feeds[0].send(Err(down())).unwrap();
    assert!(
        matches!(stage.next().await, Watch::Changed(_)),
        "what was gathered is not lost"
    );
    let mut pauses = Vec::new();
    for _ in 0..8 {
        pauses.push(stage.lost().await.as_millis());
    }
    assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);

    let (feed, stream) = mpsc::unbounded_channel();
    stage.daemon.streams.lock().unwrap().push_back(Ok(stream));
    let asked = Instant::now();
    stage.retry.notify_one();
    assert_eq!(stage.next().await, Watch::Reconnected);
    assert!(
        asked.elapsed() < Duration::from_secs(1),
        "the operator need not wait for the pause"
    );
    sleep(STEADY).await;
    drop(feed);
    assert_eq!(
        stage.lost().await,
        FIRST_PAUSE,
        "after a good connection the pauses start anew"
    );
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_refuses_events_is_not_asked_again_by_itself() {
    let mut stage = Stage::new(0);
    stage.daemon.streams.lock().unwrap().push_back(Err(EngineError::Status {
        what: "events".to_owned(),
        status: 403,
        message: "no".to_owned(),
    }));
    assert!(matches!(stage.next().await, Watch::Refused(_)));
    assert!(
        tokio::time::timeout(Duration::from_secs(3600), stage.next())
            .await
            .is_err()
    );
    stage.retry.notify_one();
    assert!(matches!(stage.next().await, Watch::Lost { .. }));
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_its_consumer() {
    let mut stage = Stage::new(1);
    assert_eq!(stage.next().await, Watch::Connected);
    let feed = stage.feeds[0].clone();
    drop(stage.told);
    feed.closed().await;
}
