//! What a plan is made of: the mount as it is now, who uses it, what would change. Changes nothing.

use std::sync::Arc;

use futures_util::StreamExt as _;
use time::OffsetDateTime;
use tokio::sync::watch;
use vole_agent::proto::own::{Census, ModeChange};

use super::{Block, Plan, Request, users};
use crate::engine::{Engine, EngineError, Purpose, Session};
use crate::ops::writable::{Now, Survey, at, now, open};

/// See [`super::plan`].
pub(super) async fn plan(
    engine: &Engine,
    request: Request,
    made: OffsetDateTime,
    progress: watch::Sender<Census>,
) -> Result<Plan, EngineError> {
    let wanted = &request.mount;
    let now = now(engine, &wanted.id, &wanted.name, wanted.kind, &request.path).await?;
    let mut plan = Plan {
        request: Request {
            mount: Arc::clone(&now.mount),
            ..request
        },
        at: made,
        resolved: now
            .survey
            .resolved
            .clone()
            .or_else(|| now.survey.known.first().cloned()),
        seen: None,
        refused: now.survey.refused.clone(),
        census: Census::default(),
        blocks: Vec::new(),
        caveats: Vec::new(),
    };
    if plan.refused.is_some() {
        return Ok(plan);
    }
    let (session, root) = open(engine, &now.mount, Purpose::Measure).await?;
    match now.survey.check(&session, root, plan.request.path.as_bytes()).await {
        Ok((_, seen)) => plan.seen = Some(seen),
        Err(EngineError::Refused { reason }) => {
            plan.refused = Some(reason);
            return Ok(plan);
        }
        Err(error) => return Err(error),
    }
    plan.census = census(&session, root, &plan.request, &now.survey, |census| {
        progress.send_replace(census.clone());
    })
    .await?;
    drop(session);
    hints(engine, &now, &mut plan).await;
    Ok(plan)
}

/// Counts what would change. What could not be read is among what is left alone.
///
/// # Errors
///
/// As the agent reports it.
pub(super) async fn census(
    session: &Session,
    root: u32,
    request: &Request,
    survey: &Survey,
    mut news: impl FnMut(&Census),
) -> Result<Census, EngineError> {
    let mut counts = session.census(
        at(root, request.path.as_bytes()),
        request.change.clone(),
        survey.leave.clone(),
    );
    let mut census = Census::default();
    while let Some(next) = counts.next().await {
        match next {
            Ok(counted) => {
                news(&counted);
                census = counted;
            }
            Err(EngineError::Partial { notes }) => {
                census.skipped += notes.len() as u64;
                census.skips.extend(notes.iter().map(super::run::skip_of));
                census.complete = false;
                return Ok(census);
            }
            Err(error) => return Err(error),
        }
    }
    if !census.complete {
        return Err(EngineError::SessionLost("it ended before all was counted".to_owned()));
    }
    Ok(census)
}

/// What must be confirmed and what must be known.
async fn hints(engine: &Engine, now: &Now, plan: &mut Plan) {
    let live = now.uses.iter().filter(|one| one.state.is_live());
    plan.blocks.extend(live.map(|one| Block::Running {
        container: one.container.clone(),
    }));
    if !plan.blocks.is_empty() {
        let what = "what a running container makes meanwhile has the owner that the container gives it";
        plan.caveats.push(what.to_owned());
    }
    if let Some(uid) = plan.request.change.uid {
        let found = users::of(engine, &now.about, &now.uses).await;
        let others = found.users.iter().filter(|one| one.uid != 0 && one.uid != uid);
        plan.blocks.extend(others.map(|one| Block::OtherUser {
            container: one.container.clone(),
            uid: one.uid,
        }));
        plan.caveats.extend(found.doubts);
    }
    let census = &plan.census;
    if census.linked_outside > 0 {
        plan.blocks.push(Block::LinkedOutside {
            files: census.linked_outside,
            first: census.linked.first().cloned().unwrap_or_default(),
        });
    }
    let volume = now.mount.kind.is_volume() && now.mount.options.is_empty();
    if volume && plan.request.path.is_root() && census.entries == 1 && census.change > 0 {
        let what = "the volume is empty: the next container whose image has something at its destination gives it the \
            image's owner again; nocopy, or a file in it, prevents that";
        plan.caveats.push(what.to_owned());
    }
    let enters = |change: &ModeChange| change.of(0o755, true) & 0o100 != 0;
    if plan.request.change.recursive && plan.request.change.mode.as_ref().is_some_and(|mode| !enters(mode)) {
        let what = "directories lose their x, so that nobody but root gets into them: u=rwX,go=rX gives x to \
            directories and to programs only";
        plan.caveats.push(what.to_owned());
    }
    if census.privileged > 0 {
        let files = crate::core::figures::counted(census.privileged, "file");
        plan.caveats.push(format!(
            "{files} with set-id bits or capabilities, which the kernel clears and vole puts back"
        ));
    }
    if !census.complete {
        plan.caveats
            .push("not all could be read, so the counts are too low".to_owned());
    }
}
