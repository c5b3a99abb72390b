//! The copying itself: one helper per mount, its archive into a draft or a pipe, and a commit only when everybody says that
//! all is well.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vole_agent::proto::archive::{Compression, Counts, Pack, PackItem, Packed};
use vole_agent::proto::{Kind, Place};

use super::plan::{self, on_this_host};
use super::sink::{Pipe, Sink, Takes};
use super::{BackupError, Event, Plan, Report, Row, words};
use crate::archive::{Archive, Draft, Lock, Origin, Seal, Status, hex, shelf};
use crate::engine::contexts::Environment;
use crate::engine::host::Mounts;
use crate::engine::{Engine, OpenSpec, Packing, Purpose, Session, Target};
use crate::model::Mount;
use crate::ops::{host_paths, recover};
use crate::store;

/// How often news are sent.
const EVERY: Duration = Duration::from_millis(100);

/// See [`super::run`].
pub(super) async fn run(
    engine: &Engine,
    plan: &Plan,
    news: &mpsc::Sender<Event>,
    cancel: &CancellationToken,
) -> Report {
    let mut report = Report::default();
    for (index, row) in plan.rows.iter().enumerate() {
        if cancel.is_cancelled() {
            report.cancelled = true;
            break;
        }
        let work = Work {
            engine,
            row,
            compression: plan.request.compression,
            at: plan.at,
            given: plan.request.to.is_some(),
            news: News::new(index, news),
            cancel,
        };
        let result = match work.into_file().await {
            Ok(archive) => {
                report.archives.push(archive.clone());
                Ok(archive)
            }
            Err(BackupError::Cancelled) => {
                report.cancelled = true;
                Err(BackupError::Cancelled.to_string())
            }
            Err(BackupError::Failed(why)) => {
                report.failed.push((row.mount.name.clone(), why.clone()));
                Err(why)
            }
        };
        // Whoever asked may have gone; the report says it all.
        news.send(Event::Ended { row: index, result }).await.ok();
    }
    report
}

/// See [`super::stream`].
pub(super) async fn stream(
    engine: &Engine,
    plan: &Plan,
    out: Box<dyn Write + Send>,
    news: &mpsc::Sender<Event>,
    cancel: &CancellationToken,
) -> Result<Archive, BackupError> {
    let [row] = plan.rows.as_slice() else {
        return Err(BackupError::Failed("a pipe takes the archive of one mount".to_owned()));
    };
    let work = Work {
        engine,
        row,
        compression: plan.request.compression,
        at: plan.at,
        given: false,
        news: News::new(0, news),
        cancel,
    };
    work.into_pipe(out).await
}

/// Tells how far one row is, now and then.
struct News<'a> {
    row: usize,
    to: &'a mpsc::Sender<Event>,
    counts: Counts,
    last: Option<Instant>,
}

impl<'a> News<'a> {
    fn new(row: usize, to: &'a mpsc::Sender<Event>) -> Self {
        Self {
            row,
            to,
            counts: Counts::default(),
            last: None,
        }
    }

    fn tell(&mut self, written: u64) {
        if self.last.is_some_and(|last| last.elapsed() < EVERY) {
            return;
        }
        self.last = Some(Instant::now());
        // Whoever is slow to listen misses some: each says it all.
        let _told = self.to.try_send(Event::Progress {
            row: self.row,
            entries: self.counts.entries,
            bytes: self.counts.bytes,
            written,
        });
    }
}

/// One row's copying.
struct Work<'a> {
    engine: &'a Engine,
    row: &'a Row,
    compression: Compression,
    at: OffsetDateTime,
    /// Whether the operator named the directory: then it is not made.
    given: bool,
    news: News<'a>,
    cancel: &'a CancellationToken,
}

impl Work<'_> {
    async fn into_file(mut self) -> Result<Archive, BackupError> {
        self.unless_refused()?;
        let _lock = self.lock().await?;
        let leftovers = self.directory().await?;
        let (packing, origin) = self.open().await?;
        let draft = self.draft().await?;
        let aside = draft.partial_path();
        let (draft, packed) = self.fill(packing, draft, &aside).await?;
        let mut archive = described(origin, &packed);
        archive.warned += u64::from(leftovers.is_some());
        archive.warnings.splice(0..0, leftovers);
        self.commit(draft, archive, aside).await
    }

    async fn into_pipe(mut self, out: Box<dyn Write + Send>) -> Result<Archive, BackupError> {
        self.unless_refused()?;
        let (packing, origin) = self.open().await?;
        let place = Path::new("standard output");
        let pipe = Pipe::new(out, Seal::new(self.compression));
        let (pipe, packed) = self.fill(packing, pipe, place).await?;
        let ending = tokio::task::spawn_blocking(move || pipe.end());
        let ended = self.cancel.run_until_cancelled(ending).await;
        let seal = match ended.ok_or(BackupError::Cancelled)? {
            Ok(ended) => ended.map_err(|error| unwritten(place, &error))?,
            Err(error) => return Err(unwritten(place, &io::Error::other(error))),
        };
        Ok(Archive {
            path: PathBuf::from("-"),
            bytes: seal.bytes(),
            sha256: seal.sha256(),
            ..described(origin, &packed)
        })
    }

    fn unless_refused(&self) -> Result<(), BackupError> {
        match &self.row.refused {
            Some(why) => Err(BackupError::Failed(format!("refused: {why}"))),
            None => Ok(()),
        }
    }

    async fn lock(&self) -> Result<Lock, BackupError> {
        let (engine, mount) = (self.engine.id.clone(), self.row.mount.id.clone());
        let taken = on_this_host(move || Lock::take(&Environment::of_process(), &engine, &mount)).await?;
        let taken =
            taken.map_err(|error| BackupError::Failed(format!("cannot lock out other backups of it: {error}")))?;
        taken.ok_or_else(|| BackupError::Failed(format!("refused: {}", Lock::TAKEN)))
    }

    /// Makes the usual directory, and removes what killed backups of the mount left in it; what of that could not be.
    async fn directory(&self) -> Result<Option<String>, BackupError> {
        let (dir, given, name) = (self.row.dir.clone(), self.given, self.row.mount.name.clone());
        let made = on_this_host(move || {
            if !given {
                store::make_dir(&dir)?;
            }
            Ok(shelf::remove_leftovers(&dir, &name).err())
        });
        let left = made
            .await?
            .map_err(|error: io::Error| unwritten(&self.row.dir, &error))?;
        let dir = self.row.dir.display();
        Ok(left.map(|error| format!("what an earlier backup left in {dir} could not be removed: {error}")))
    }

    async fn draft(&self) -> Result<Draft, BackupError> {
        let (dir, name) = (self.row.dir.clone(), self.row.mount.name.clone());
        let (at, compression) = (self.at, self.compression);
        let begun = on_this_host(move || Draft::begin(&dir, &name, at, compression)).await?;
        begun.map_err(|error| unwritten(&self.row.dir, &error))
    }

    /// Opens the mount in a helper of its own and starts to pack it.
    async fn open(&self) -> Result<(Packing, Origin), BackupError> {
        let mount = &self.row.mount;
        let opening = async {
            let about = self.engine.daemon.about().await?;
            let leave = if about.same_host {
                leave(mount).await?
            } else {
                Vec::new()
            };
            let spec = OpenSpec {
                targets: vec![Target::of(mount).map_err(BackupError::Failed)?],
                purpose: Purpose::Pack,
                through_store: false,
            };
            let opened = self.engine.open(spec).await?;
            let root = opened.roots.into_iter().next();
            let root = root.unwrap_or_else(|| Err("the helper opened nothing".to_owned()));
            let root = root.map_err(|why| BackupError::Failed(format!("it could not be mounted: {why}")))?;
            check(&opened.session, root, &mount.name).await?;
            Ok::<_, BackupError>((opened.session, root, leave))
        };
        let opened = self.cancel.run_until_cancelled(opening).await;
        let (session, root, leave) = opened.ok_or(BackupError::Cancelled)??;
        let origin = Origin::of(mount, self.engine.daemon.endpoint(), self.at);
        let head = serde_json::to_vec(&origin)
            .map_err(|error| BackupError::Failed(format!("cannot describe it in its archive: {error}")))?;
        let packing = session.pack(Pack {
            at: top(root),
            leave,
            compression: self.compression,
            head,
            threads: 0,
        });
        Ok((packing, origin))
    }

    /// Lets the archive's bytes flow into a sink.
    async fn fill<T: Takes>(
        &mut self,
        mut packing: Packing,
        into: T,
        place: &Path,
    ) -> Result<(T, Packed), BackupError> {
        let sink = Sink::start(into);
        let cancel = self.cancel;
        let flowing = cancel.run_until_cancelled(self.flow(&mut packing, &sink)).await;
        match flowing.unwrap_or(Err(BackupError::Cancelled)) {
            Ok(Some(packed)) => {
                let into = sink.end().await.map_err(|error| unwritten(place, &error))?;
                Ok((into, packed))
            }
            Ok(None) => match sink.end().await {
                Err(error) => Err(unwritten(place, &error)),
                Ok(_) => Err(unwritten(place, &io::Error::other("its writer ended"))),
            },
            Err(error) => {
                sink.give_up().await;
                Err(error)
            }
        }
    }

    /// What was packed, once all of it is on its way; `None` when the sink takes no more.
    async fn flow<T: Takes>(&mut self, packing: &mut Packing, sink: &Sink<T>) -> Result<Option<Packed>, BackupError> {
        let mut written = 0;
        let mut packed = None;
        while let Some(item) = packing.next().await? {
            match item {
                _ if packed.is_some() => return Err(senseless("it goes on behind its end")),
                PackItem::Data(bytes) => {
                    written += bytes.len() as u64;
                    if !sink.put(bytes).await {
                        return Ok(None);
                    }
                }
                PackItem::Progress(counts) => self.news.counts = counts,
                PackItem::Packed(all) => {
                    self.news.counts = all.counts;
                    packed = Some(all);
                }
            }
            self.news.tell(written);
        }
        packed
            .map(Some)
            .ok_or_else(|| senseless("it ended before it said that all was packed"))
    }

    /// Brings all of it onto the disk and commits it, unless somebody cancelled meanwhile.
    async fn commit(&self, mut draft: Draft, archive: Archive, aside: PathBuf) -> Result<Archive, BackupError> {
        let cancel = self.cancel.clone();
        let committing = tokio::task::spawn_blocking(move || {
            draft.secure()?;
            if cancel.is_cancelled() {
                return Ok(None);
            }
            draft.commit(archive).map(Some)
        });
        match committing.await {
            Ok(Ok(archive)) => archive.ok_or(BackupError::Cancelled),
            Ok(Err(error)) => Err(unwritten(&aside, &error)),
            Err(error) => Err(unwritten(&aside, &io::Error::other(error))),
        }
    }
}

fn unwritten(path: &Path, error: &io::Error) -> BackupError {
    BackupError::Failed(words::unwritten(path, error))
}

fn senseless(what: &str) -> BackupError {
    BackupError::Failed(format!(
        "the helper's answer makes no sense: {what}; nothing of it was kept"
    ))
}

fn top(root: u32) -> Place {
    Place { root, path: Vec::new() }
}

/// What is mounted on this host beneath a mount's contents.
async fn leave(mount: &Mount) -> Result<Vec<Vec<u8>>, BackupError> {
    let Some(path) = plan::contents(mount) else {
        return Ok(Vec::new());
    };
    let look = move || {
        let resolved = host_paths::resolve(&path);
        let path = resolved.ok_or_else(|| format!("{path} leads through too many symlinks"))?;
        let mounts = Mounts::read().ok_or("this host does not say what is mounted on it")?;
        Ok(mounts.beneath(path.as_os_str().as_encoded_bytes()))
    };
    on_this_host(look)
        .await?
        .map_err(|why: String| BackupError::Failed(why))
}

/// Whether what was opened can be packed: a file, or a directory in which no restore was cut short.
pub(in crate::ops) async fn check(session: &Session, root: u32, name: &str) -> Result<(), BackupError> {
    let info = session.hello().roots.get(root as usize);
    let info = info.ok_or_else(|| senseless("it did not say what it opened"))?;
    match info.kind {
        Kind::Dir => {}
        Kind::File => return Ok(()),
        _ => return Err(BackupError::Failed("it is neither a directory nor a file".to_owned())),
    }
    match recover::left_in(session, root).await?.into_iter().next() {
        Some(left) => Err(BackupError::Failed(recover::cut_short(&left, name))),
        None => Ok(()),
    }
}

/// What is known of an archive but its file.
fn described(origin: Origin, packed: &Packed) -> Archive {
    Archive {
        path: PathBuf::new(),
        origin,
        bytes: 0,
        sha256: String::new(),
        entries: packed.counts.entries,
        content_bytes: packed.counts.bytes,
        digest: hex(&packed.digest),
        status: if packed.partial > 0 {
            Status::Partial
        } else {
            Status::Ok
        },
        warnings: packed.lacks.iter().map(words::lack).collect(),
        warned: packed.lacking,
    }
}
