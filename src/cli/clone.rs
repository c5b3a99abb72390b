//! `vole clone`: prints the plan, asks, copies, and says what came of it.

use std::sync::Arc;

use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::sync::mpsc;

use super::args::Clone;
use super::consent::{self, No, Question};
use super::exit::{Exit, UsageError, warn};
use super::restore::{done, finish, result, tell};
use super::session::Context;
use crate::engine::{Engine, EngineError};
use crate::ops::clone::{self, Plan, Request};
use crate::ops::restore::Report;
use crate::text;

pub(super) async fn run(context: &Context, engine: &Engine, options: &Clone) -> anyhow::Result<Exit> {
    if context.globals.read_only && !options.dry_run {
        return Err(EngineError::ReadOnly.into());
    }
    let place = context.place(engine, &options.source).await?;
    if !place.path.is_root() {
        let why = "a whole mount is copied: name a volume, or the path of the host itself; nothing was changed";
        return Err(UsageError(why.to_owned()).into());
    }
    let other = match &options.to_host {
        Some(host) => Some(context.connect_to(host).await?),
        None => None,
    };
    let to = other.as_ref().unwrap_or(engine);
    let request = Request {
        source: Arc::new(place.mount),
        name: options.name.clone(),
        plain: options.plain,
    };
    let copying = copy(context, (engine, to), request, options);
    let ended = copying.await;
    if let Some(other) = &other {
        // No helper outlives its client.
        other.release().await;
    }
    ended
}

async fn copy(
    context: &Context,
    (engine, to): (&Engine, &Engine),
    request: Request,
    options: &Clone,
) -> anyhow::Result<Exit> {
    let planning = async { Ok(clone::plan(engine, to, request, OffsetDateTime::now_utc()).await?) };
    let plan = context.until_cancelled(planning).await?;
    consent::check(&options.include, plan.typed_name())?;
    let output = &context.output;
    let told = |report: Option<&Report>| match output.json {
        true => output.document(&document(&plan, report, options.dry_run)),
        false => Ok(()),
    };
    if let Some(why) = &plan.refused {
        told(None)?;
        warn(&format!("refused: {why}; nothing was changed"));
        return Ok(Exit::Failed);
    }
    if !output.json {
        output.lines(&lines("copy", &plan))?;
    }
    if options.dry_run {
        return told(None).map(|()| Exit::Done);
    }
    let question = Question {
        ask: format!("Copy into a new volume {}?", text::printable_str(plan.typed_name())),
        typed: plan.needs_name.as_ref().map(|_| plan.typed_name()),
        include: &options.include,
        subject: plan.typed_name(),
        input: true,
    };
    if let Some(No(exit, why)) = question.answer(context).await? {
        told(None)?;
        warn(&why);
        return Ok(exit);
    }
    let (to_us, news) = mpsc::channel(16);
    let copying = clone::run(engine, to, &plan, to_us, context.cancel.clone());
    let (report, ()) = tokio::join!(copying, tell(context, news));
    let report = report?;
    let printed = match output.json {
        true => told(Some(&report)),
        false => output.line(&done("copied", &report)).map_err(anyhow::Error::from),
    };
    finish(&report, printed)
}

/// The plan in lines.
pub(super) fn lines(verb: &str, plan: &Plan) -> Vec<String> {
    let source = text::printable_str(&plan.request.source.name);
    let target = text::printable_str(&plan.wanted.name);
    let other = plan
        .other
        .as_ref()
        .map(|other| format!(" on {}", text::printable_str(other)));
    let mut lines = vec![format!(
        "{verb} {source} into a new volume {target}{}",
        other.unwrap_or_default()
    )];
    lines.extend(
        plan.needs_name
            .iter()
            .map(|why| format!("  ask: {}", text::printable_str(why))),
    );
    lines.extend(
        plan.caveats
            .iter()
            .map(|caveat| format!("  note: {}", text::printable_str(caveat))),
    );
    lines
}

/// The plan, and what came of it.
pub(super) fn document(plan: &Plan, report: Option<&Report>, dry_run: bool) -> Value {
    let mut value = json!({
        "source": plan.request.source.name,
        "target": plan.wanted.name,
        "to": plan.other,
        "dry_run": dry_run,
        "copied": report.is_some(),
        "refused": plan.refused,
        "needs_name": plan.needs_name,
        "caveats": plan.caveats,
        "entries": Value::Null,
        "bytes": Value::Null,
        "digest": Value::Null,
        "warnings": Value::Array(Vec::new()),
    });
    if let Some(report) = report {
        result(&mut value, report);
    }
    value
}
