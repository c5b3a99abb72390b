//! Sessions against a scripted agent at the other end of a pair of sockets.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use vole_agent::proto::{Fault, MAGIC, MAX_FRAME, ToAgent, VERSION, WINDOW};

use super::*;

/// The agent's side of a connection, driven by the test.
struct Script {
    stream: DuplexStream,
}

impl Script {
    async fn read(&mut self) -> ToAgent {
        let length = self.stream.read_u32_le().await.unwrap();
        let mut body = vec![0; length as usize];
        self.stream.read_exact(&mut body).await.unwrap();
        frame::decode(&body).unwrap()
    }

    async fn send(&mut self, message: &FromAgent) {
        self.stream.write_all(&frame::encode(message).unwrap()).await.unwrap();
    }

    async fn reply(&mut self, id: u32, reply: Reply) {
        self.send(&FromAgent::Reply { id, reply }).await;
    }

    async fn request(&mut self) -> u32 {
        match self.read().await {
            ToAgent::Request { id, .. } => id,
            other => panic!("expected a request, got {other:?}"),
        }
    }
}

fn hello() -> Hello {
    Hello {
        arch: "x86_64".into(),
        kernel: "6.1".into(),
        openat2: true,
        roots: Vec::new(),
    }
}

fn at() -> Place {
    Place {
        root: 0,
        path: Vec::new(),
    }
}

async fn connected_keeping(keep: Box<dyn Send + Sync>) -> (Session, Script) {
    let (ours, theirs) = duplex(1 << 16);
    let mut script = Script { stream: theirs };
    let agent = async {
        script.stream.write_all(&MAGIC).await.unwrap();
        script.stream.write_u16_le(VERSION).await.unwrap();
        script.send(&FromAgent::Hello(hello())).await;
    };
    let (session, ()) = tokio::join!(Session::connect(Box::pin(ours), keep), agent);
    (session.unwrap(), script)
}

async fn connected() -> (Session, Script) {
    connected_keeping(Box::new(())).await
}

async fn refused(bytes: &[u8]) -> EngineError {
    let (ours, mut theirs) = duplex(1 << 16);
    theirs.write_all(bytes).await.unwrap();
    drop(theirs);
    Session::connect(Box::pin(ours), Box::new(())).await.unwrap_err()
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), what)
        .await
        .expect("nothing happened")
}

#[tokio::test]
async fn an_error_text_instead_of_an_agent_is_quoted_harmlessly() {
    let error = refused(b"exec /vole-agent: exec format \x1b[31merror").await;
    let said = error.to_string();
    assert!(said.contains("exec format \\e[31merror"), "{said}");
    let long = refused(&[b'x'; 5000]).await.to_string();
    assert!(long.len() < 400, "{long}");
}

#[tokio::test]
async fn silence_another_version_and_a_huge_frame_are_errors() {
    assert!(matches!(refused(b"").await, EngineError::SessionLost(_)));
    assert!(matches!(refused(b"VO").await, EngineError::Garbage { .. }));
    let newer = [MAGIC.as_slice(), &99u16.to_le_bytes()].concat();
    assert!(refused(&newer).await.to_string().contains("99"));
    let huge = [
        MAGIC.as_slice(),
        &VERSION.to_le_bytes(),
        &(MAX_FRAME as u32 + 1).to_le_bytes(),
    ]
    .concat();
    assert!(matches!(refused(&huge).await, EngineError::Garbage { .. }));
    let cut = [MAGIC.as_slice(), &VERSION.to_le_bytes(), &7u32.to_le_bytes(), b"abc"].concat();
    assert!(matches!(refused(&cut).await, EngineError::SessionLost(_)));
}

#[tokio::test]
async fn requests_run_at_once_and_answers_find_their_request() {
    let (session, mut script) = connected().await;
    let other = session.clone();
    let first = tokio::spawn(async move { other.file_systems(vec![0]).await });
    let one = soon(script.request()).await;
    let second = tokio::spawn(async move { session.list(at(), Order::Name, None, 10).await });
    let two = soon(script.request()).await;
    script
        .reply(
            two,
            Reply::Page(Page {
                entries: Vec::new(),
                total: 7,
                next: None,
            }),
        )
        .await;
    script.reply(two, Reply::Done { notes: Vec::new() }).await;
    assert_eq!(soon(second).await.unwrap().unwrap().total, 7);
    let fault = Fault {
        errno: Some(13),
        path: Vec::new(),
        message: "may not".into(),
    };
    script.reply(one, Reply::Failed(fault.clone())).await;
    assert_eq!(soon(first).await.unwrap(), Err(EngineError::Agent(fault)));
}

#[tokio::test]
async fn a_consumer_that_waits_holds_up_nobody_and_returns_credit_as_it_takes() {
    let (session, mut script) = connected().await;
    let mut slow = session.read(at(), 0, u64::MAX);
    let slow_id = soon(script.request()).await;
    for n in 0..WINDOW {
        script.reply(slow_id, Reply::Data(vec![n as u8])).await;
    }
    let listing = tokio::spawn({
        let session = session.clone();
        async move { session.file_systems(Vec::new()).await }
    });
    let id = soon(script.request()).await;
    script.reply(id, Reply::FileSystems(Vec::new())).await;
    script.reply(id, Reply::Done { notes: Vec::new() }).await;
    soon(listing).await.unwrap().unwrap();

    let mut credit = 0;
    for n in 0..WINDOW {
        assert_eq!(soon(slow.next()).await.unwrap().unwrap(), vec![n as u8]);
    }
    while credit < WINDOW {
        match soon(script.read()).await {
            ToAgent::Credit { id, frames } if id == slow_id => credit += frames,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(credit, WINDOW);
}

#[tokio::test]
async fn an_agent_that_overruns_its_credit_loses_the_session() {
    let (session, mut script) = connected().await;
    let mut stream = session.read(at(), 0, u64::MAX);
    let id = soon(script.request()).await;
    for _ in 0..WINDOW + 2 {
        script.reply(id, Reply::Data(vec![0])).await;
    }
    let mut last = None;
    while let Some(item) = soon(stream.next()).await {
        last = Some(item);
    }
    assert!(matches!(last, Some(Err(EngineError::SessionLost(_)))), "{last:?}");
}

#[tokio::test]
async fn dropping_a_stream_or_a_future_cancels_the_request() {
    let (session, mut script) = connected().await;
    let stream = session.follow(at(), 0);
    let id = soon(script.request()).await;
    drop(stream);
    assert_eq!(soon(script.read()).await, ToAgent::Cancel { id });

    let stat = tokio::spawn({
        let session = session.clone();
        async move { session.stat(at()).await }
    });
    let id = soon(script.request()).await;
    stat.abort();
    assert_eq!(soon(script.read()).await, ToAgent::Cancel { id });
    // Late replies to a cancelled request are no breach.
    script.reply(id, Reply::Cancelled).await;
    let next = tokio::spawn(async move { session.file_systems(Vec::new()).await });
    let id = soon(script.request()).await;
    script.reply(id, Reply::FileSystems(Vec::new())).await;
    script.reply(id, Reply::Done { notes: Vec::new() }).await;
    soon(next).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_could_not_be_read_is_the_last_item() {
    let (session, mut script) = connected().await;
    let mut stream = session.find(at(), Vec::new(), 10);
    let id = soon(script.request()).await;
    script.reply(id, Reply::Found(Vec::new())).await;
    let fault = Fault {
        errno: Some(13),
        path: b"x".to_vec(),
        message: "may not".into(),
    };
    script
        .reply(
            id,
            Reply::Done {
                notes: vec![fault.clone()],
            },
        )
        .await;
    assert_eq!(soon(stream.next()).await, Some(Ok(Vec::new())));
    assert_eq!(
        soon(stream.next()).await,
        Some(Err(EngineError::Partial { notes: vec![fault] }))
    );
    assert_eq!(soon(stream.next()).await, None);
}

#[tokio::test]
async fn a_lost_stream_ends_everything_with_its_reason() {
    let (session, mut script) = connected().await;
    let mut stream = session.follow(at(), 0);
    soon(script.request()).await;
    drop(script);
    assert!(matches!(
        soon(stream.next()).await,
        Some(Err(EngineError::SessionLost(_)))
    ));
    assert!(matches!(
        soon(session.stat(at())).await,
        Err(EngineError::SessionLost(_))
    ));
    assert_eq!(*session.activity().borrow(), Activity::Lost);
}

#[tokio::test]
async fn a_request_that_fits_no_frame_fails_alone() {
    let (session, mut script) = connected().await;
    let mut stream = session.find(at(), vec![0; MAX_FRAME], 1);
    let error = soon(stream.next()).await;
    assert!(matches!(error, Some(Err(EngineError::Agent(_)))), "{error:?}");
    let next = session.follow(at(), 0);
    soon(script.request()).await;
    drop(next);
}

#[tokio::test]
async fn the_guard_falls_with_the_last_clone_and_a_stream_is_one() {
    struct Flag(Arc<AtomicBool>);
    impl Drop for Flag {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let fell = Arc::new(AtomicBool::new(false));
    let (session, mut script) = connected_keeping(Box::new(Flag(Arc::clone(&fell)))).await;
    let activity = session.activity();
    assert!(matches!(*activity.borrow(), Activity::IdleSince(_)));
    let stream = session.follow(at(), 0);
    let id = soon(script.request()).await;
    assert_eq!(*activity.borrow(), Activity::Busy);
    drop(session);
    assert!(!fell.load(Ordering::SeqCst));
    drop(stream);
    assert!(fell.load(Ordering::SeqCst));
    let _ = id;
    let mut rest = Vec::new();
    soon(script.stream.read_to_end(&mut rest)).await.unwrap();
}
