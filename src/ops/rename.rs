//! Gives a volume another name: engines cannot, so it is copied, the copy compared, and the old one removed by the plan that
//! removes volumes, never by force.

use std::collections::BTreeSet;
use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::clone;
use super::list::{self, Depth};
use super::prune::{self, Scope, Step};
use super::restore::existing::reason;
use super::restore::{Progress, Report};
use super::writable::refusal;
use crate::core::figures;
use crate::engine::{Engine, EngineError};
use crate::model::{Mount, Orphan, VolumeName};

/// What a renaming came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// The copy under the new name.
    pub copy: Report,
    /// Why the old volume is still there; `None` when it is gone.
    pub kept: Option<String>,
}

/// Makes the plan: that of the copy, refused while anything attaches the old volume. Changes nothing.
///
/// # Errors
///
/// As [`clone::plan`].
pub async fn plan(engine: &Engine, request: clone::Request, made: OffsetDateTime) -> Result<clone::Plan, EngineError> {
    let mount = Arc::clone(&request.source);
    let mut plan = clone::plan(engine, engine, request, made).await?;
    if let Some(why) = attached(&mount) {
        plan.refused = Some(why);
    }
    if plan.needs_name.is_some() && plan.refused.is_none() {
        plan.refused = Some(format!(
            "the options of {} lead to data that stay where they are: make a volume of the same options by the new name, and \
             remove the old one",
            mount.name
        ));
    }
    Ok(plan)
}

/// Why a volume cannot lose its name.
fn attached(mount: &Mount) -> Option<String> {
    let name = &mount.name;
    if !mount.kind.is_volume() {
        return Some(format!(
            "{name} is no volume, and only volumes have names that vole changes"
        ));
    }
    let users: BTreeSet<&str> = mount.attachments.iter().map(|one| one.container.as_str()).collect();
    if !users.is_empty() {
        let users: Vec<&str> = users.into_iter().collect();
        return Some(format!(
            "{} {} it by its name {name}, running or not: remove the {} first, and make {} anew with the new name",
            users.join(", "),
            figures::verb(users.len(), "knows", "know"),
            figures::verb(users.len(), "container", "containers"),
            figures::verb(users.len(), "it", "them")
        ));
    }
    (mount.orphan != Orphan::Yes).then(|| format!("{name} may be in use: {}", mount.reason))
}

/// Carries a plan out. When the old volume cannot be removed, both stay, and the report says so.
///
/// # Errors
///
/// Whatever kept the copy from its end; then the old volume is as it was.
pub async fn run(
    engine: &Engine,
    plan: &clone::Plan,
    news: mpsc::Sender<Progress>,
    cancel: CancellationToken,
) -> Result<Renamed, EngineError> {
    let copy = clone::run(engine, engine, plan, news, cancel.clone()).await?;
    crate::fault::point("rename:copied");
    let kept = match copy.partial {
        0 => removed(engine, &plan.request.source, cancel).await,
        _ => Some("the copy lacks something".to_owned()),
    };
    Ok(Renamed { copy, kept })
}

/// Removes the old volume; why not, when it is still there.
async fn removed(engine: &Engine, mount: &Mount, cancel: CancellationToken) -> Option<String> {
    let removing = remove(engine, mount, cancel).await;
    removing.err().map(reason)
}

async fn remove(engine: &Engine, mount: &Mount, cancel: CancellationToken) -> Result<(), EngineError> {
    engine.release().await;
    let inventory = list::load(engine, Depth::Rows).await?;
    let now = inventory.mounts.iter().find(|one| one.id == mount.id);
    let now = now.ok_or_else(|| refusal(format!("{} is gone already", mount.name)))?;
    if let Some(why) = attached(now) {
        return Err(refusal(why));
    }
    let name = VolumeName::new(mount.name.as_str());
    let scope = Scope::Named {
        volumes: vec![name.clone()],
        containers: Vec::new(),
    };
    let (to, _steps) = watch::channel(Step::default());
    let evidence = prune::gather(engine, &scope, OffsetDateTime::now_utc(), to, cancel.clone()).await?;
    let plan = Arc::new(prune::plan(scope, &evidence, &engine.rules));
    let row = plan
        .row(&name)
        .ok_or_else(|| refusal(format!("{name} is gone already")))?;
    if row.blocked {
        return Err(refusal(row.reason.clone()));
    }
    // Who renames it has typed its name: it goes whatever it holds, since the copy holds that too.
    let chosen = BTreeSet::from([name.clone()]);
    let (to, mut news) = mpsc::channel(4);
    let listening = async { while news.recv().await.is_some() {} };
    let (report, ()) = tokio::join!(prune::run(engine, Arc::clone(&plan), chosen, to, cancel), listening);
    let report = report?;
    match report.removed.contains(&name) {
        true => Ok(()),
        false => {
            let why = report.failed.into_iter().next().map(|(_, why)| why);
            Err(refusal(why.unwrap_or_else(|| "it was cancelled before".to_owned())))
        }
    }
}
