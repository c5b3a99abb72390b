//! An engine of one volume and one path, with an agent in this process over entries in memory.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::{BoxFuture, ready};
use futures_util::stream::BoxStream;
use time::OffsetDateTime;
use vole_agent::proto::own::{Census, Change, Group, OwnItem, Record, Sampled, Skipped, Undone, Why};
use vole_agent::proto::{Entry, Fault, Hello, Kind, Reply, Request, RootInfo, Time};
use vole_agent::serve::{Backend, Halt, Sink};

use crate::engine::daemon::*;
use crate::engine::{EngineError, OpenSpec, Opened, Target};
use crate::journal::Store;
use crate::model::{Source, VolumeName};

/// Entries of a batch.
const BATCH: usize = 2;

/// One entry in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mode: u32,
}

/// What happens before a batch is carried out.
type Hook = Box<dyn Fn(u64) -> Result<(), String> + Send + Sync>;

/// The agent.
pub(super) struct Tree {
    pub(super) nodes: Mutex<Vec<Node>>,
    pub(super) root: Mutex<RootInfo>,
    pub(super) hook: Mutex<Option<Hook>>,
    /// Journals that must hold a batch before it is carried out.
    pub(super) store: Mutex<Option<Store>>,
    pub(super) journal_bytes: AtomicU64,
    /// The root's inode number.
    pub(super) ino: AtomicU64,
    done: AtomicU64,
}

impl Tree {
    pub(super) fn of(names: usize) -> Arc<Self> {
        let node = |number: usize| Node {
            name: format!("f{number:03}"),
            uid: 0,
            gid: 0,
            mode: 0o644,
        };
        Arc::new(Self {
            nodes: Mutex::new((0..names).map(node).collect()),
            root: Mutex::new(RootInfo {
                kind: Kind::Dir,
                fault: None,
                dev: (8, 1),
                fs_root: b"/lib/docker/volumes/v/_data".to_vec(),
                fs_type: "ext4".to_owned(),
                source: Vec::new(),
                read_only: false,
                born: None,
            }),
            hook: Mutex::new(None),
            store: Mutex::new(None),
            journal_bytes: AtomicU64::new(1000),
            ino: AtomicU64::new(2),
            done: AtomicU64::new(0),
        })
    }

    pub(super) fn owned_by(&self, uid: u32) -> usize {
        self.nodes.lock().unwrap().iter().filter(|node| node.uid == uid).count()
    }

    fn census(&self, change: &Change) -> Census {
        let nodes = self.nodes.lock().unwrap();
        let (mut census, mut sample) = (Census::default(), Vec::new());
        for node in nodes.iter() {
            census.entries += 1;
            if becomes(node, change) == (node.uid, node.gid, node.mode) {
                census.unchanged += 1;
            } else {
                census.change += 1;
                sample.push(Sampled {
                    path: node.name.clone().into_bytes(),
                    kind: Kind::File,
                    uid: node.uid,
                    gid: node.gid,
                    mode: node.mode,
                });
            }
        }
        Census {
            sample,
            journal_bytes: self.journal_bytes.load(Ordering::SeqCst),
            complete: true,
            ..census
        }
    }

    fn own(&self, change: &Change, sink: &Sink) -> Result<(), Halt> {
        let wanted: Vec<(usize, Node)> = {
            let nodes = self.nodes.lock().unwrap();
            let wanted = nodes.iter().cloned().enumerate();
            wanted
                .filter(|(_, node)| becomes(node, change) != (node.uid, node.gid, node.mode))
                .collect()
        };
        self.done.store(0, Ordering::SeqCst);
        let batches: Vec<&[(usize, Node)]> = wanted.chunks(BATCH).collect();
        let send = |at: usize| match batches.get(at) {
            Some(batch) => sink.send(Reply::Own(OwnItem::Batch {
                number: at as u64 + 1,
                groups: vec![Group {
                    dir: Vec::new(),
                    records: batch.iter().map(|(at, node)| record(*at, node)).collect(),
                }],
            })),
            None => Ok(()),
        };
        send(0)?;
        for (at, batch) in batches.iter().enumerate() {
            // One ahead, as an agent that reads while it changes.
            send(at + 1)?;
            let number = at as u64 + 1;
            sink.confirmed(number)?;
            let done = self.done.fetch_add(batch.len() as u64, Ordering::SeqCst) + batch.len() as u64;
            if let Some(store) = &*self.store.lock().unwrap() {
                let held = store.list().unwrap().0.first().map_or(0, |journal| journal.entries);
                assert!(held >= done, "{done} entries change, and the journal holds {held}");
            }
            if let Some(hook) = &*self.hook.lock().unwrap() {
                hook(number).map_err(fault)?;
            }
            for (at, _) in *batch {
                let node = &mut self.nodes.lock().unwrap()[*at];
                (node.uid, node.gid, node.mode) = becomes(node, change);
            }
            sink.send(Reply::Own(OwnItem::Applied {
                number,
                changed: batch.len() as u64,
                skips: Vec::new(),
            }))?;
        }
        sink.send(Reply::Own(OwnItem::Counted(self.census(change))))
    }

    fn undo(&self, change: &Change, groups: &[Group]) -> Undone {
        let mut undone = Undone::default();
        for record in groups.iter().flat_map(|group| &group.records) {
            let nodes = &mut self.nodes.lock().unwrap();
            let node = nodes
                .iter_mut()
                .find(|node| node.name.as_bytes() == record.name)
                .unwrap();
            let is = (node.uid, node.gid, node.mode);
            if is == (record.uid, record.gid, record.mode) {
                undone.already += 1;
            } else if is == change.of(record.kind, record.uid, record.gid, record.mode) {
                (node.uid, node.gid, node.mode) = (record.uid, record.gid, record.mode);
                undone.restored += 1;
            } else {
                undone.skips.push(Skipped {
                    path: record.name.clone(),
                    why: Why::Changed,
                });
            }
        }
        undone
    }
}

fn becomes(node: &Node, change: &Change) -> (u32, u32, u32) {
    change.of(Kind::File, node.uid, node.gid, node.mode)
}

fn record(at: usize, node: &Node) -> Record {
    Record {
        name: node.name.clone().into_bytes(),
        dev: (8, 1),
        ino: at as u64 + 100,
        kind: Kind::File,
        nlink: 1,
        uid: node.uid,
        gid: node.gid,
        mode: node.mode,
        capability: None,
        acl: None,
        default_acl: None,
    }
}

fn fault(message: String) -> Halt {
    Halt::Fault(Fault {
        errno: None,
        path: Vec::new(),
        message,
    })
}

impl Backend for Tree {
    fn hello(&self) -> Hello {
        Hello {
            arch: String::new(),
            kernel: String::new(),
            openat2: true,
            roots: vec![self.root.lock().unwrap().clone()],
        }
    }

    fn handle(&self, request: Request, sink: &Sink) -> Result<Vec<Fault>, Halt> {
        match request {
            Request::Stat { at } if at.path.is_empty() => sink.send(Reply::Entry(Entry {
                name: Vec::new(),
                kind: Kind::Dir,
                mode: 0o755,
                uid: 0,
                gid: 0,
                size: 0,
                allocated: 0,
                mtime: Time { secs: 0, nanos: 0 },
                nlink: 2,
                ino: self.ino.load(Ordering::SeqCst),
                target: None,
                other_fs: false,
                errno: None,
            })),
            Request::Census { change, .. } => sink.send(Reply::Census(self.census(&change))),
            Request::Own { change, .. } => self.own(&change, sink),
            Request::Undo { change, groups, .. } => sink.send(Reply::Undone(self.undo(&change, &groups))),
            _ => Err(fault("not there".to_owned())),
        }?;
        Ok(Vec::new())
    }
}

/// The engine.
pub(super) struct Fake {
    pub(super) agent: Arc<dyn Backend>,
    pub(super) volume: Mutex<VolumeRow>,
    pub(super) containers: Vec<ContainerRow>,
    pub(super) users: Vec<(&'static str, &'static str)>,
    pub(super) about: About,
    /// What was opened, and whether it was writable.
    pub(super) opened: Mutex<Vec<(Target, bool)>>,
}

impl Fake {
    pub(super) fn over(agent: Arc<dyn Backend>) -> Self {
        Self {
            agent,
            volume: Mutex::new(VolumeRow {
                name: "v".to_owned(),
                driver: "local".to_owned(),
                mountpoint: "/var/lib/docker/volumes/v/_data".to_owned(),
                created: Some(OffsetDateTime::UNIX_EPOCH),
                scope: "local".to_owned(),
                ..VolumeRow::default()
            }),
            containers: Vec::new(),
            users: Vec::new(),
            about: About {
                name: "host".to_owned(),
                flavour: Flavour::Docker,
                version: "20.10".to_owned(),
                api: "1.41".to_owned(),
                arch: "x86_64".to_owned(),
                kernel: "6".to_owned(),
                os: "Debian".to_owned(),
                root_dir: "/var/lib/docker".to_owned(),
                same_host: false,
                rootless: false,
                security: Vec::new(),
            },
            opened: Mutex::new(Vec::new()),
        }
    }

    async fn connect(&self, spec: OpenSpec) -> Result<Opened, EngineError> {
        let targets = spec
            .targets
            .iter()
            .map(|target| (target.clone(), spec.purpose.writes()));
        self.opened.lock().unwrap().extend(targets);
        Ok(Opened {
            session: crate::engine::local::in_process(Arc::clone(&self.agent)).await?,
            roots: vec![Ok(0)],
            source: Source::Agent,
        })
    }
}

fn now<T: Send + 'static>(value: T) -> BoxFuture<'static, T> {
    Box::pin(ready(value))
}

impl Daemon for Fake {
    fn endpoint(&self) -> String {
        "unix:///fake".to_owned()
    }
    fn about(&self) -> BoxFuture<'_, Result<About, EngineError>> {
        now(Ok(self.about.clone()))
    }
    fn volumes(&self) -> BoxFuture<'_, Result<VolumeList, EngineError>> {
        now(Ok(VolumeList {
            rows: vec![self.volume.lock().unwrap().clone()],
            ..VolumeList::default()
        }))
    }
    fn containers(&self) -> BoxFuture<'_, Result<ContainerList, EngineError>> {
        now(Ok(ContainerList {
            rows: self.containers.clone(),
            ..ContainerList::default()
        }))
    }
    fn container<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<ContainerDetail>, EngineError>> {
        let user = self.users.iter().find(|(name, _)| *name == id);
        now(Ok(user.map(|(_, user)| {
            let mut detail = ContainerDetail {
                id: id.to_owned(),
                ..ContainerDetail::default()
            };
            detail.run.user = (*user).to_owned();
            detail
        })))
    }
    fn disk_usage(&self) -> BoxFuture<'_, Result<DiskUsage, EngineError>> {
        now(Err(EngineError::Cancelled))
    }
    fn events(&self) -> BoxFuture<'_, Result<BoxStream<'static, Result<EngineEvent, EngineError>>, EngineError>> {
        now(Err(EngineError::Cancelled))
    }
    fn open(&self, spec: OpenSpec) -> BoxFuture<'_, Result<Opened, EngineError>> {
        Box::pin(self.connect(spec))
    }
    fn dangling(&self) -> BoxFuture<'_, Result<HashSet<String>, EngineError>> {
        now(Err(EngineError::Cancelled))
    }
    fn container_count(&self) -> BoxFuture<'_, Result<Option<usize>, EngineError>> {
        now(Ok(None))
    }
    fn log_tail<'a>(
        &'a self,
        _: &'a str,
        _: Option<OffsetDateTime>,
        _: u32,
    ) -> BoxFuture<'a, Result<Vec<Vec<u8>>, EngineError>> {
        now(Ok(Vec::new()))
    }
    fn processes<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<Process>, EngineError>> {
        now(Ok(Vec::new()))
    }
    fn path_in<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<Option<PathIn>, EngineError>> {
        now(Ok(None))
    }
    fn file_in<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, EngineError>> {
        now(Ok(Some(b"app:x:1000:1000::/:/bin/sh\n".to_vec())))
    }
    fn layer<'a>(&'a self, _: &'a str, _: usize) -> BoxFuture<'a, Result<Layer, EngineError>> {
        now(Ok(Layer::default()))
    }
    fn volume<'a>(&'a self, _: &'a VolumeName) -> BoxFuture<'a, Result<Option<VolumeRow>, EngineError>> {
        now(Ok(Some(self.volume.lock().unwrap().clone())))
    }
    fn masked<'a>(&'a self, _: &'a str, _: &'a str, _: usize) -> BoxFuture<'a, Result<Masked, EngineError>> {
        now(Ok(Masked::default()))
    }
}
