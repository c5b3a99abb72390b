//! `vole recover`: says what a killed vole left half-done, asks, and brings it to an end.

use std::sync::Arc;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::args::Recover;
use super::consent::{No, Question};
use super::exit::{Exit, warn};
use super::place;
use super::session::Context;
use crate::engine::contexts::Environment;
use crate::engine::{Engine, EngineError};
use crate::journal::Store;
use crate::ops::list::{self, Depth};
use crate::ops::recover::{self, Plan, Report, Row};
use crate::text;

/// Says at the start of another command that something was left half-done.
pub(super) async fn remind(engine: &Engine) {
    // Without a place for journals there are none.
    let Ok(store) = Store::of(&Environment::of_process(), &engine.id) else {
        return;
    };
    for operation in recover::unfinished(&store).await {
        warn(&format!(
            "a {operation} was cut short: `vole recover` brings it to an end"
        ));
    }
}

pub(super) async fn run(context: &Context, engine: &Engine, options: &Recover) -> anyhow::Result<Exit> {
    if context.globals.read_only && !options.dry_run {
        return Err(EngineError::ReadOnly.into());
    }
    let store = Store::of(&Environment::of_process(), &engine.id)?;
    let planning = async {
        let mut asked = Vec::new();
        if !options.mounts.is_empty() {
            let inventory = list::load(engine, Depth::Rows).await?;
            for mount in &options.mounts {
                asked.push(Arc::new(place::find(mount, &inventory)?.mount));
            }
        }
        Ok(recover::plan(engine, &store, &asked, OffsetDateTime::now_utc()).await?)
    };
    let plan = context.until_cancelled(planning).await?;
    for warning in &plan.warnings {
        warn(warning);
    }
    let output = &context.output;
    let told = |report: &Report| match output.json {
        true => output.document(&document(&plan, report, options.dry_run)),
        false => Ok(()),
    };
    if !output.json {
        output.lines(&lines(&plan))?;
    }
    if options.dry_run || !plan.has_something() {
        return told(&Report::default()).map(|()| Exit::Done);
    }
    let question = Question {
        ask: "Do this?".to_owned(),
        typed: None,
        include: &[],
        subject: "",
        input: true,
    };
    if let Some(No(exit, why)) = question.answer(context).await? {
        told(&Report::default())?;
        warn(&why);
        return Ok(exit);
    }
    let report = recover::run(engine, &store, &plan, context.cancel.clone()).await?;
    match output.json {
        true => told(&report)?,
        false => {
            for one in &report.recovered {
                output.line(&text::printable_str(&one.outcome))?;
            }
        }
    }
    let warnings = report
        .recovered
        .iter()
        .flat_map(|one| one.warnings.iter().map(|why| (&one.operation, why)));
    let failed = report.failed.iter().map(|(operation, _, why)| (operation, why));
    for (operation, why) in warnings.chain(failed) {
        warn(&format!("{operation}: {why}"));
    }
    let partly = |one: &recover::Recovered| one.lost || !one.warnings.is_empty();
    Ok(match (report.recovered.len(), report.failed.len()) {
        (_, 0) if report.recovered.iter().any(partly) => Exit::Partly,
        (done, failed) => Exit::of_parts(done, failed),
    })
}

fn lines(plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    for row in &plan.rows {
        let doing = match &row.doing {
            Ok(doing) => doing.words(),
            Err(why) => format!("nothing can be done now: {why}"),
        };
        lines.push(format!(
            "{}  {}: {}",
            row.id,
            text::printable_str(&row.operation),
            text::printable_str(&doing)
        ));
    }
    for journal in &plan.interrupted {
        lines.push(format!(
            "{}  {}: it was cut short; `vole undo {}` takes it back",
            journal.id,
            text::printable_str(&journal.words),
            journal.id
        ));
    }
    for left in &plan.left {
        let words = match &left.found {
            Ok(found) if found.names.is_empty() => continue,
            Ok(found) => format!("{}: {}", found.names.join(", "), recover::Doing::Mend.words()),
            Err(why) => format!("nothing can be done now: {}", text::printable_str(why)),
        };
        lines.push(format!("{}  {words}", text::printable_str(&left.mount.name)));
    }
    if !plan.has_something() {
        lines.insert(0, "nothing is to be recovered".to_owned());
    }
    lines
}

fn document(plan: &Plan, report: &Report, dry_run: bool) -> Value {
    let row = |row: &Row| {
        json!({
            "journal": row.id.as_str(),
            "at": row.began.format(&Rfc3339).ok(),
            "operation": row.operation,
            "volume": row.volume,
            "plan": row.doing.as_ref().ok().map(recover::Doing::words),
            "refused": row.doing.as_ref().err(),
        })
    };
    let left = plan.left.iter().filter(|left| left.is_something()).map(|left| {
        json!({
            "journal": null,
            "operation": recover::UNKNOWN,
            "volume": left.mount.name,
            "plan": left.found.is_ok().then(|| recover::Doing::Mend.words()),
            "refused": left.found.as_ref().err(),
        })
    });
    let recovered = report.recovered.iter().map(|one| {
        json!({
            "operation": one.operation,
            "volume": one.volume,
            "outcome": one.outcome,
            "warnings": one.warnings,
            "lost": one.lost,
        })
    });
    let failed = report
        .failed
        .iter()
        .map(|(operation, volume, why)| json!({ "operation": operation, "volume": volume, "reason": why }));
    let interrupted = plan
        .interrupted
        .iter()
        .map(|one| json!({ "journal": one.id.as_str(), "operation": one.words, "volume": one.mount.1 }));
    json!({
        "dry_run": dry_run,
        "unfinished": plan.rows.iter().map(row).chain(left).collect::<Vec<_>>(),
        "interrupted": interrupted.collect::<Vec<_>>(),
        "recovered": recovered.collect::<Vec<_>>(),
        "failed": failed.collect::<Vec<_>>(),
    })
}
