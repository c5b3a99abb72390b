//! A volume that is made for an archive's contents: it is in the journal before it is there, and gone again unless all of
//! it came to its end.

use std::future::Future;
use std::time::Duration;

use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use vole_agent::proto::archive::{Placing, Unpack, Unpacked};

use super::filling::{self, Fed, Feed, Teller};
use super::{existing, volumes};
use crate::engine::contexts::Environment;
use crate::engine::daemon::{NewVolume, VolumeRow};
use crate::engine::{Engine, EngineError, Purpose, Session};
use crate::fault;
use crate::journal::{Header, Operation, Restore, Site, Store, Writer};
use crate::model::{BytePath, MountId, MountKind, VolumeName};
use crate::ops::create::{self, CreateError};
use crate::ops::writable::{self, refusal};

/// How long an engine may take, after a bad end, to show that it still answers. A little more than the wait for helpers that
/// are let go: an engine that was silent for all of that is not asked for long.
const ANSWERS: Duration = Duration::from_secs(12);

/// Says why what is ready is not what was to come.
type Check<'a> = dyn Fn(&Unpacked, &Fed) -> Result<(), EngineError> + Send + Sync + 'a;

/// What is to be filled, and with what.
pub(in crate::ops) struct Job<'a> {
    /// What it is, for the journal and for people (`restore of /backup/blog.tar.zst`).
    pub(in crate::ops) words: String,
    pub(in crate::ops) strip: u32,
    pub(in crate::ops) only: Vec<Vec<u8>>,
    pub(in crate::ops) foreign: bool,
    /// Bytes that it will take, where known.
    pub(in crate::ops) room: Option<u64>,
    /// Says why what is ready is not what was to come.
    pub(in crate::ops) check: Box<Check<'a>>,
    pub(in crate::ops) teller: Teller<'a>,
    pub(in crate::ops) cancel: &'a CancellationToken,
}

impl Job<'_> {
    /// The request to the agent; the journal's id names its staging directory.
    pub(super) fn unpack(&self, root: u32, placing: Placing, writer: &Writer) -> Unpack {
        Unpack {
            root,
            placing,
            id: writer.id().as_str().to_owned(),
            strip: self.strip,
            only: self.only.clone(),
            foreign: self.foreign,
        }
    }
}

/// Makes a volume and fills it. What it brings back is true of the volume as it stands.
///
/// # Errors
///
/// Whatever kept it from its end; then there is no such volume, or the error says that there is and the journal knows it.
pub(in crate::ops) async fn fill(
    engine: &Engine,
    wanted: &NewVolume,
    feed: Feed,
    job: &Job<'_>,
) -> Result<Unpacked, EngineError> {
    engine.changes()?;
    create::check_name(&wanted.name).map_err(|error| refusal(error.to_string()))?;
    let _lock = existing::alone(engine, &MountId::new(format!("volume:{}", wanted.name))).await?;
    // Before the journal: a volume that is there was not made by this.
    if engine
        .daemon
        .volume(&VolumeName::new(wanted.name.as_str()))
        .await?
        .is_some()
    {
        return Err(refusal(CreateError::Exists(wanted.name.clone()).to_string()));
    }
    engine.release().await;
    let store = Store::of(&Environment::of_process(), &engine.id)?;
    let mut writer = begin(&store, header(engine, wanted, job)).await?;
    fault::point("restore:before-create");
    let making = create::run(engine, wanted.clone());
    let made = match making.await {
        Ok(made) => made,
        // The engine may have made it and not been able to say so: the journal stays.
        Err(CreateError::Engine(error @ (EngineError::Timeout { .. } | EngineError::Unreachable { .. }))) => {
            return Err(EngineError::Left {
                why: error.to_string(),
                left: format!("volume {} may be there, empty; `vole recover` removes it", wanted.name),
            });
        }
        Err(error) => {
            close(&store, writer).await?;
            return Err(match error {
                CreateError::Engine(error) => error,
                error => refusal(error.to_string()),
            });
        }
    };
    fault::point("restore:created");
    let filled = fill_made(engine, &made, feed, job, &mut writer).await;
    match filled {
        Ok(unpacked) => {
            fault::point("restore:placed");
            close(&store, writer).await?;
            Ok(unpacked)
        }
        // Somebody was there between the look and the making, which engines do not tell: it is his volume.
        Err(error) if existing::is_taken(&error) => {
            close(&store, writer).await?;
            Err(error)
        }
        Err(error) => match remove(engine, &made).await {
            Ok(()) => {
                close(&store, writer).await?;
                Err(error)
            }
            Err(why) => Err(EngineError::Left {
                why: existing::reason(error),
                left: format!(
                    "volume {} was made for it and could not be removed again ({why}): it is not whole; `vole recover` removes it",
                    made.name
                ),
            }),
        },
    }
}

fn header(engine: &Engine, wanted: &NewVolume, job: &Job<'_>) -> Header {
    Header {
        engine: engine.id.clone(),
        endpoint: engine.daemon.endpoint(),
        mount: Site {
            id: MountId::new(format!("volume:{}", wanted.name)),
            kind: MountKind::Named,
            name: wanted.name.clone(),
            driver: wanted.driver.clone().unwrap_or_else(|| "local".to_owned()),
            options: wanted.options.clone(),
            created: None,
            born: None,
            resolved: None,
            dev: (0, 0),
            ino: 0,
        },
        containers: Vec::new(),
        operation: Operation::Restore(Restore {
            words: job.words.clone(),
            makes: true,
            in_place: false,
        }),
        at: OffsetDateTime::now_utc().unix_timestamp(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        process: std::process::id(),
    }
}

/// Begins a journal.
///
/// # Errors
///
/// When it cannot be written: then nothing may be begun.
pub(super) async fn begin(store: &Store, header: Header) -> Result<Writer, EngineError> {
    let dir = store.dir().display().to_string();
    let store = store.clone();
    let begun = tokio::task::spawn_blocking(move || store.begin(header, 4096)).await;
    begun
        .map_err(std::io::Error::other)
        .and_then(|begun| begun)
        .map_err(|error| {
            refusal(format!(
                "the journal by which it is recovered when it is cut short cannot be written in {dir}: {error}"
            ))
        })
}

/// Ends the journal of what is as it should be.
pub(super) async fn close(store: &Store, writer: Writer) -> Result<(), EngineError> {
    let (store, id) = (store.clone(), writer.id().clone());
    let closed = tokio::task::spawn_blocking(move || store.close(writer)).await;
    closed
        .map_err(std::io::Error::other)
        .and_then(|closed| closed)
        .map_err(|error| EngineError::Left {
            why: format!("the end of journal {id} could not be written: {error}"),
            left: "all else is done; `vole recover` would take it for unfinished, so remove that file first".to_owned(),
        })
}

async fn fill_made(
    engine: &Engine,
    made: &VolumeRow,
    feed: Feed,
    job: &Job<'_>,
    writer: &mut Writer,
) -> Result<Unpacked, EngineError> {
    let name = made.name.as_str();
    let cancelled = || EngineError::Cancelled;
    let opening = open(engine, name);
    let (session, root, site) = job.cancel.run_until_cancelled(opening).await.ok_or_else(cancelled)??;
    record(writer, site)?;
    fault::point("restore:made");
    existing::room(&session, root, job.room, name).await?;
    let placing = match volumes::shows(Some(&made.driver), &made.options) {
        // What the options show may hold something: it goes only when all of the new is there.
        Some(_) => Placing::Staged,
        None => Placing::Fresh,
    };
    let unpack = job.unpack(root, placing, writer);
    let ready = filling::fill(&session, unpack, feed, job.teller, job.cancel).await?;
    (job.check)(&ready.unpacked, &ready.fed)?;
    fault::point("restore:before-confirm");
    job.teller.say("placing", ready.unpacked.made);
    if placing == Placing::Fresh {
        // All of it has its place already. From here on nobody may take it for unfinished.
        compare(engine, made).await?;
        whole(writer)?;
    }
    let unpacked = ready.place().await?;
    fault::point("restore:confirmed");
    drop(session);
    if placing != Placing::Fresh {
        compare(engine, made).await?;
        whole(writer)?;
    }
    Ok(unpacked)
}

/// Opens the volume that was made, if it may be written to, and what tells it from another.
async fn open(engine: &Engine, name: &str) -> Result<(Session, u32, Site), EngineError> {
    let id = MountId::new(format!("volume:{name}"));
    let now = writable::now(engine, &id, name, MountKind::Named, &BytePath::root()).await?;
    if let Some(why) = &now.survey.refused {
        return Err(refusal(format!("{name} may not be written to: {why}")));
    }
    existing::unused(&now, name)?;
    let (session, root) = writable::open(engine, &now.mount, Purpose::Unpack).await?;
    let (info, seen) = now.survey.check(&session, root, b"").await?;
    if info.read_only {
        return Err(refusal(format!("{name} is on a file system that is read-only")));
    }
    let site = Site {
        born: seen.born,
        ..Site::of(&now.mount, now.survey.resolved.clone(), seen.dev, seen.ino)
    };
    Ok((session, root, site))
}

fn record(writer: &mut Writer, site: Site) -> Result<(), EngineError> {
    // One small record: not worth a thread.
    writer
        .made(site)
        .map_err(|error| refusal(format!("the journal cannot be written: {error}")))
}

/// Says in the journal that the volume is whole.
pub(super) fn whole(writer: &mut Writer) -> Result<(), EngineError> {
    writer
        .done()
        .map_err(|error| refusal(format!("the journal cannot be written: {error}")))
}

/// Whether the volume is still the one that was made.
async fn compare(engine: &Engine, made: &VolumeRow) -> Result<(), EngineError> {
    let name = VolumeName::new(made.name.as_str());
    let now = engine.daemon.volume(&name).await?;
    let same = now
        .as_ref()
        .is_some_and(|now| now.driver == made.driver && now.options == made.options && now.labels == made.labels);
    match same {
        true => Ok(()),
        false => Err(refusal(format!(
            "the engine's volume {name} has not the driver, options and labels any more with which it was made"
        ))),
    }
}

/// Asks an engine that may have caused the bad end: whoever cancels because it is silent shall not wait for it again.
///
/// # Errors
///
/// As what is asked, or [`EngineError::Timeout`].
pub(super) async fn answered<T>(asking: impl Future<Output = Result<T, EngineError>>) -> Result<T, EngineError> {
    let silent = |_| EngineError::Timeout {
        what: "clean up".to_owned(),
        seconds: ANSWERS.as_secs(),
    };
    tokio::time::timeout(ANSWERS, asking).await.map_err(silent)?
}

/// Removes a volume that was made and is not whole. Only the one that was made, and never by force.
async fn remove(engine: &Engine, made: &VolumeRow) -> Result<(), EngineError> {
    let name = VolumeName::new(made.name.as_str());
    answered(async {
        // The helper that has it mounted is removed first.
        engine.release().await;
        compare(engine, made).await
    })
    .await?;
    // Not bounded: to delete what a large volume holds takes its time.
    engine.changes()?.remove_volume(&name).await?;
    match engine.daemon.volume(&name).await? {
        None => Ok(()),
        Some(_) => Err(refusal(
            "the engine says that it was removed, but it is still there".to_owned(),
        )),
    }
}
