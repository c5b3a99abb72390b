//! Makes the plan: what the archive is, whether it is whole, where it goes, and what stands there. Changes nothing.

use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::existing::Looked;
use super::look::{self, Checked};
use super::source::Source;
use super::{Into, Plan, Progress, Request, existing, volumes, words};
use crate::archive::{Origin, Verdict};
use crate::core::figures;
use crate::engine::daemon::NewVolume;
use crate::engine::{Engine, EngineError};
use crate::inventory;
use crate::model::{BytePath, Mount, MountId, MountKind, VolumeName, bind_device};
use crate::ops::create;
use crate::ops::list::{self, Depth};
use crate::ops::writable::{self, refusal};

/// The way out for who wants a volume of its own.
const PLAIN: &str = "--plain makes the volume without options";

/// See [`super::plan`].
pub(super) async fn plan(
    engine: &Engine,
    request: Request,
    at: OffsetDateTime,
    news: &mpsc::Sender<Progress>,
    cancel: &CancellationToken,
) -> Result<Plan, EngineError> {
    let source = match &request.archive {
        Some(path) => Source::file(path)?,
        None => Source::standard_input(),
    };
    let checked = match &request.archive {
        Some(path) => look::check(&source, path, &request, news, cancel).await?,
        None => look::peek(&source).await?,
    };
    let origin = checked.origin.clone();
    let wanted = request
        .target
        .clone()
        .or_else(|| origin.as_ref().map(|origin| origin.name.clone()));
    let mut plan = Plan {
        request,
        at,
        origin,
        verdict: checked.verdict,
        counts: checked.counts,
        part: checked.part,
        digest: checked.digest,
        strip: 0,
        prefix: None,
        unclear: None,
        into: Into::New(NewVolume::default()),
        seen: None,
        replaced: Vec::new(),
        refused: checked.why.clone(),
        needs_name: None,
        caveats: checked.caveats.clone(),
        source,
    };
    prefix(&mut plan, &checked);
    let Some(wanted) = wanted else {
        let why = "the archive does not say of which volume it is: name the target with --as".to_owned();
        plan.refused.get_or_insert(why);
        return Ok(plan);
    };
    let inventory = list::load(engine, Depth::Rows).await?;
    let id = match wanted.starts_with('/') {
        true => MountId::new(format!("bind:{}", inventory::normalise(&wanted))),
        false => MountId::new(format!("volume:{wanted}")),
    };
    let there = inventory.mounts.iter().find(|mount| mount.id == id).cloned();
    match there {
        Some(mount) => over(engine, &mut plan, mount).await?,
        None if wanted.starts_with('/') => {
            let mount = inventory::host_path(&wanted, &inventory::PathFacts::default());
            over(engine, &mut plan, Arc::new(mount)).await?;
        }
        None => new(engine, &mut plan, &wanted, checked.origin.as_ref()).await?,
    }
    Ok(plan)
}

/// What is taken away from the names.
fn prefix(plan: &mut Plan, checked: &Checked) {
    if let Some(strip) = plan.request.strip {
        plan.strip = strip;
        plan.prefix = (strip > 0).then(|| crate::core::figures::counted(u64::from(strip), "component"));
        return;
    }
    match checked.names.as_ref().map(super::foreign::Names::strip) {
        None => {}
        Some(Ok((strip, prefix))) => (plan.strip, plan.prefix) = (strip, prefix),
        Some(Err(unclear)) => {
            plan.strip = unclear.strip;
            plan.unclear = Some(unclear);
        }
    }
}

/// Over a target that is there.
async fn over(engine: &Engine, plan: &mut Plan, mount: Arc<Mount>) -> Result<(), EngineError> {
    let name = mount.name.clone();
    plan.into = Into::Existing(Arc::clone(&mount));
    if plan.refused.is_some() {
        return Ok(());
    }
    let is_path = mount.kind == MountKind::Bind;
    if !plan.request.overwrite && !is_path {
        plan.refused = Some(format!(
            "there is a volume {name} already: --as NAME restores beside it, --overwrite replaces what it holds"
        ));
        return Ok(());
    }
    if plan.request.in_place && plan.verdict != Some(Verdict::Ok) {
        let why =
            "--in-place removes the old contents first: that is done only with an archive that was proved whole before";
        plan.refused = Some(why.to_owned());
        return Ok(());
    }
    let now = existing::now(engine, &mount).await?;
    plan.into = Into::Existing(Arc::clone(&now.mount));
    let looked = existing::look(engine, &now, &plan.request.only).await?;
    plan.seen = looked.seen;
    plan.replaced.clone_from(&looked.stands);
    plan.refused.clone_from(&looked.refused);
    if plan.refused.is_some() {
        return Ok(());
    }
    if !plan.request.overwrite && !looked.empty {
        plan.refused = Some(format!("{name} is not empty: --overwrite replaces what it holds"));
        return Ok(());
    }
    plan.refused = room(plan, &looked, &name);
    if plan.refused.is_some() {
        return Ok(());
    }
    plan.needs_name = match plan.request.only.is_empty() {
        true => (!looked.empty).then(|| words::replaces(&name, None, plan.request.in_place)),
        false => {
            (!looked.stands.is_empty()).then(|| words::replaces(&name, Some(&looked.stands), plan.request.in_place))
        }
    };
    if let Some(origin) = &plan.origin {
        plan.caveats.extend(words::differs(origin, &now.mount));
    }
    Ok(())
}

/// Why the contents have no room in a target that is there, as far as that is known.
fn room(plan: &Plan, looked: &Looked, name: &str) -> Option<String> {
    let needed = plan.needed()?;
    let (free, size) = (looked.free?, looked.size?);
    if needed > size {
        let (needed, size) = (figures::bytes(needed), figures::bytes(size));
        return Some(format!(
            "the contents take {needed}, and all of the file system where {name} lies has {size}"
        ));
    }
    if plan.request.in_place || needed <= free {
        return None;
    }
    let room = existing::no_room(name, needed, free);
    Some(format!(
        "{room}: the old contents stay until the new ones are there; --in-place removes them first"
    ))
}

impl Plan {
    /// Bytes that its contents take, where that is known.
    pub(super) fn needed(&self) -> Option<u64> {
        let counts = match self.request.only.is_empty() {
            true => self.counts,
            false => self.part,
        };
        counts.map(|(_, bytes)| bytes)
    }
}

/// Into a volume that is made for it.
async fn new(engine: &Engine, plan: &mut Plan, name: &str, origin: Option<&Origin>) -> Result<(), EngineError> {
    let wanted = volumes::of_origin(origin, name, plan.request.plain);
    plan.into = Into::New(wanted.clone());
    if plan.refused.is_some() {
        return Ok(());
    }
    if let Err(error) = create::check_name(name) {
        plan.refused = Some(error.to_string());
        return Ok(());
    }
    // The list may lag behind.
    if engine.daemon.volume(&VolumeName::new(name)).await?.is_some() {
        plan.refused = Some(format!(
            "there is a volume {name} already, which the engine does not list"
        ));
        return Ok(());
    }
    if plan.request.in_place {
        plan.refused = Some(format!(
            "there is no volume {name}, so --in-place has nothing to remove"
        ));
        return Ok(());
    }
    if volumes::vanishes(wanted.driver.as_deref(), &wanted.options) {
        plan.refused = Some(format!(
            "its options make {name} memory, which is gone as soon as nobody has it mounted: --plain restores into an ordinary volume"
        ));
        return Ok(());
    }
    if let Some(why) = volumes::shows(wanted.driver.as_deref(), &wanted.options) {
        plan.refused = leads_to(engine, &wanted).await?;
        plan.needs_name = Some(format!("{why}, which is replaced; {PLAIN}"));
        if plan.refused.is_none() {
            shown(engine, plan, &wanted).await?;
        }
    }
    if let Some(origin) = origin {
        plan.caveats
            .extend(volumes::compose_caveat(&wanted.labels, &origin.name, name));
    }
    Ok(())
}

/// Looks at the directory of the host that a new volume's options show: what it holds gives way like a target's that is there.
async fn shown(engine: &Engine, plan: &mut Plan, wanted: &NewVolume) -> Result<(), EngineError> {
    let driver = wanted.driver.as_deref().unwrap_or("local");
    let Some(device) = bind_device(driver, &wanted.options) else {
        return Ok(());
    };
    let mount = inventory::host_path(device, &inventory::PathFacts::default());
    let now = existing::now(engine, &mount).await?;
    let looked = existing::look(engine, &now, &[]).await?;
    plan.refused = looked.refused;
    let device = crate::text::printable_str(device);
    let words = match looked.empty {
        true => format!("its options show {device} of the host, which is empty"),
        false => format!(
            "its options show {device} of the host, and what that holds now is replaced: nothing brings it back"
        ),
    };
    plan.needs_name = Some(format!("{words}; {PLAIN}"));
    Ok(())
}

/// Why a place that a new volume's options lead to may not be written to.
pub(in crate::ops) async fn leads_to(engine: &Engine, wanted: &NewVolume) -> Result<Option<String>, EngineError> {
    let about = engine.daemon.about().await?;
    let mount = volumes::unmade(wanted);
    let survey = writable::survey(&about, &mount, BytePath::root().as_bytes(), Vec::new()).await?;
    Ok(survey.refused)
}

/// An archive that is damaged, as an error for those who go no further.
///
/// # Errors
///
/// [`EngineError::Damaged`], or [`EngineError::Refused`].
pub(crate) fn stop(plan: &Plan) -> Result<(), EngineError> {
    match (&plan.refused, plan.verdict) {
        (None, _) => Ok(()),
        (Some(why), Some(Verdict::Truncated | Verdict::Corrupt)) => Err(EngineError::Damaged(why.clone())),
        (Some(why), _) => Err(refusal(why.clone())),
    }
}
