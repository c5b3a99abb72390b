//! `vole rename`: prints the plan, asks, copies, removes the old volume, and says what came of it.

use std::ffi::OsStr;
use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::mpsc;

use super::args::Rename;
use super::clone::{document, lines};
use super::consent::{No, Question};
use super::exit::{Exit, UsageError, warn};
use super::restore::{done, finish, tell};
use super::session::Context;
use crate::engine::{Engine, EngineError};
use crate::ops::clone::{Plan, Request};
use crate::ops::rename::{self, Renamed};
use crate::text;

pub(super) async fn run(context: &Context, engine: &Engine, options: &Rename) -> anyhow::Result<Exit> {
    if context.globals.read_only && !options.dry_run {
        return Err(EngineError::ReadOnly.into());
    }
    if options.old.contains(['/', ':']) {
        let name = text::printable_str(&options.old);
        return Err(UsageError(format!("{name} is no name of a volume; nothing was changed")).into());
    }
    let place = context.place(engine, OsStr::new(&options.old)).await?;
    let request = Request {
        source: Arc::new(place.mount),
        name: options.new.clone(),
        plain: false,
    };
    let planning = async { Ok(rename::plan(engine, request, OffsetDateTime::now_utc()).await?) };
    let plan = context.until_cancelled(planning).await?;
    let output = &context.output;
    let told = |renamed: Option<&Renamed>| match output.json {
        true => {
            let mut value = document(&plan, renamed.map(|renamed| &renamed.copy), options.dry_run);
            value["removed"] = renamed.is_some_and(|renamed| renamed.kept.is_none()).into();
            value["kept"] = renamed.and_then(|renamed| renamed.kept.clone()).into();
            output.document(&value)
        }
        false => Ok(()),
    };
    if let Some(why) = &plan.refused {
        told(None)?;
        warn(&format!("refused: {why}; nothing was changed"));
        return Ok(Exit::Failed);
    }
    if !output.json {
        let mut lines = lines("copy", &plan);
        lines.push(format!("then remove {}", text::printable_str(&options.old)));
        output.lines(&lines)?;
    }
    if options.dry_run {
        return told(None).map(|()| Exit::Done);
    }
    let question = Question {
        ask: format!(
            "Copy it, and remove {} when the copy is whole?",
            text::printable_str(&options.old)
        ),
        typed: None,
        include: &[],
        subject: &options.old,
        input: true,
    };
    if let Some(No(exit, why)) = question.answer(context).await? {
        told(None)?;
        warn(&why);
        return Ok(exit);
    }
    carry_out(context, engine, &plan, told).await
}

async fn carry_out(
    context: &Context,
    engine: &Engine,
    plan: &Plan,
    told: impl Fn(Option<&Renamed>) -> anyhow::Result<()>,
) -> anyhow::Result<Exit> {
    let (to, news) = mpsc::channel(16);
    let renaming = rename::run(engine, plan, to, context.cancel.clone());
    let (renamed, ()) = tokio::join!(renaming, tell(context, news));
    let renamed = renamed?;
    let old = text::printable_str(&plan.request.source.name);
    let printed = match context.output.json {
        true => told(Some(&renamed)),
        false => {
            let mut lines = vec![done("copied", &renamed.copy)];
            lines.extend(renamed.kept.is_none().then(|| format!("removed {old}")));
            context.output.lines(&lines).map_err(Into::into)
        }
    };
    let exit = finish(&renamed.copy, printed)?;
    match &renamed.kept {
        None => Ok(exit),
        Some(why) => {
            let new = text::printable_str(&plan.wanted.name);
            warn(&format!("{old} was not removed: {why}; both {old} and {new} are there"));
            Ok(Exit::Partly)
        }
    }
}
