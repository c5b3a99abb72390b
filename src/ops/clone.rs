//! Copies a mount into a volume that is made for it, on the same engine or on another: one agent packs, the other unpacks,
//! and what arrived is compared with what was sent before the copy counts.

use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vole_agent::proto::Kind;
use vole_agent::proto::archive::{Compression, Counts, Pack, Unpacked};

use super::backup::{check_source, words::lack};
use super::create;
use super::restore::filling::{Fed, Feed, Teller};
use super::restore::fresh::{self, Job};
use super::restore::{Progress, Report, leads_to, report, volumes, words};
use super::writable::{self, at, refusal};
use crate::archive::Origin;
use crate::engine::daemon::NewVolume;
use crate::engine::{Engine, EngineError, Purpose, Target};
use crate::model::{BytePath, Mount, Orphan, VolumeName};
use crate::text;

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// What is copied: a volume, or a path of the host.
    pub source: Arc<Mount>,
    /// The new volume's name.
    pub name: String,
    /// Whether it is made with the local driver and without options.
    pub plain: bool,
}

/// What would be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What it was made for.
    pub request: Request,
    /// When.
    pub at: OffsetDateTime,
    /// The volume that is made.
    pub wanted: NewVolume,
    /// The engine on which it is made, when it is another one.
    pub other: Option<String>,
    /// Why it is not done at all.
    pub refused: Option<String>,
    /// Why yes is not enough: the new volume's name must be typed (its options lead to live data).
    pub needs_name: Option<String>,
    /// What must be known.
    pub caveats: Vec<String>,
}

impl Plan {
    /// What the operator types when yes is not enough.
    pub fn typed_name(&self) -> &str {
        &self.wanted.name
    }
}

/// Makes the plan. Changes nothing. `to` is where the new volume is made; the same engine, or another one.
///
/// # Errors
///
/// When an engine does not answer.
pub async fn plan(from: &Engine, to: &Engine, request: Request, made: OffsetDateTime) -> Result<Plan, EngineError> {
    let mount = &request.source;
    let wanted = volumes::like(mount, &request.name, request.plain);
    let mut plan = Plan {
        at: made,
        other: (from.id != to.id).then(|| to.daemon.endpoint()),
        refused: None,
        needs_name: None,
        caveats: caveats(mount, &wanted),
        wanted,
        request,
    };
    plan.refused = refused(to, &plan).await?;
    if plan.refused.is_some() {
        return Ok(plan);
    }
    if let Some(why) = volumes::shows(plan.wanted.driver.as_deref(), &plan.wanted.options) {
        plan.refused = leads_to(to, &plan.wanted).await?;
        plan.needs_name = Some(format!("{why}; --plain makes it without options"));
    }
    Ok(plan)
}

async fn refused(to: &Engine, plan: &Plan) -> Result<Option<String>, EngineError> {
    let (mount, wanted) = (&plan.request.source, &plan.wanted);
    if let Err(why) = Target::of(mount) {
        return Ok(Some(why));
    }
    if let Err(error) = create::check_name(&wanted.name) {
        return Ok(Some(error.to_string()));
    }
    if to
        .daemon
        .volume(&VolumeName::new(wanted.name.as_str()))
        .await?
        .is_some()
    {
        return Ok(Some(format!("there is a volume {} already", wanted.name)));
    }
    if volumes::vanishes(wanted.driver.as_deref(), &wanted.options) {
        return Ok(Some(format!(
            "its options would make {} memory, which is gone as soon as nobody has it mounted: --plain copies into an ordinary \
             volume",
            wanted.name
        )));
    }
    Ok(None)
}

fn caveats(mount: &Mount, wanted: &NewVolume) -> Vec<String> {
    let mut caveats = Vec::new();
    let live: Vec<&str> = mount
        .attachments
        .iter()
        .filter(|one| one.state.is_live() && one.rw)
        .map(|one| one.container.as_str())
        .collect();
    if !live.is_empty() {
        caveats.push(format!(
            "{} may write to it meanwhile: files that change while they are read are tried again, and named if they go on",
            live.join(", ")
        ));
    } else if mount.orphan == Orphan::Unknown {
        caveats.push("whether something writes to it could not be told".to_owned());
    }
    caveats.extend(volumes::compose_caveat(&wanted.labels, &mount.name, &wanted.name));
    caveats
}

/// Carries a plan out. An error means that no new volume is left, or says that one is.
///
/// # Errors
///
/// Whatever kept it from its end.
pub async fn run(
    from: &Engine,
    to: &Engine,
    plan: &Plan,
    news: mpsc::Sender<Progress>,
    cancel: CancellationToken,
) -> Result<Report, EngineError> {
    if let Some(why) = &plan.refused {
        return Err(refusal(why.clone()));
    }
    to.changes()?;
    from.release().await;
    let mount = &plan.request.source;
    let compression = match plan.other {
        Some(_) => Compression::Zstd,
        None => Compression::None,
    };
    let packing = open(from, plan, compression);
    let packing = cancel
        .run_until_cancelled(packing)
        .await
        .unwrap_or(Err(EngineError::Cancelled))?;
    let sent: std::sync::Mutex<Option<Fed>> = std::sync::Mutex::default();
    let job = Job {
        words: format!("clone of {}", text::printable_str(&mount.name)),
        strip: 0,
        only: Vec::new(),
        foreign: false,
        room: None,
        check: Box::new(|unpacked, fed| {
            check(unpacked, fed)?;
            *sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(fed.clone());
            Ok(())
        }),
        teller: Teller {
            news: &news,
            total: None,
        },
        cancel: &cancel,
    };
    job.teller.say("copying", Counts::default());
    let filled = fresh::fill(to, &plan.wanted, Feed::Agent(packing, compression), &job).await;
    let unpacked = filled.map_err(words::damaged)?;
    drop(job);
    let mut report = report(&plan.wanted.name, &unpacked);
    let sent = sent.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(packed) = sent.and_then(|fed| fed.packed) {
        report.warnings.splice(0..0, packed.lacks.iter().map(lack));
        report.warned += packed.lacking;
        report.partial += packed.partial;
    }
    Ok(report)
}

/// Begins to pack the source.
async fn open(from: &Engine, plan: &Plan, compression: Compression) -> Result<crate::engine::Packing, EngineError> {
    let mount = &plan.request.source;
    let now = writable::now(from, &mount.id, &mount.name, mount.kind, &BytePath::root()).await?;
    let (session, root) = writable::open(from, &now.mount, Purpose::Pack).await?;
    let kind = session.hello().roots.get(root as usize).map(|info| info.kind);
    if kind != Some(Kind::Dir) {
        return Err(refusal(format!(
            "{} is no directory, and a volume holds one",
            mount.name
        )));
    }
    check_source(&session, root, &mount.name)
        .await
        .map_err(|why| refusal(why.to_string()))?;
    let origin = Origin::of(&now.mount, from.daemon.endpoint(), plan.at);
    let head =
        serde_json::to_vec(&origin).map_err(|error| refusal(format!("the source cannot be described: {error}")))?;
    Ok(session.pack(Pack {
        at: at(root, b""),
        leave: now.survey.leave.clone(),
        compression,
        head,
        threads: 0,
    }))
}

/// Whether what arrived is what was sent.
fn check(unpacked: &Unpacked, fed: &Fed) -> Result<(), EngineError> {
    let same = fed
        .packed
        .as_ref()
        .is_some_and(|packed| unpacked.digest == Some(packed.digest) && unpacked.held == packed.counts);
    match same {
        true => Ok(()),
        false => Err(EngineError::Damaged("what arrived is not what was sent".to_owned())),
    }
}
