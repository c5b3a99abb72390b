//! `vole undo`: lists the journals, or takes the change of one back and says what came of it.

use std::io::{self, IsTerminal as _};

use anyhow::Context as _;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use tokio::sync::mpsc;

use super::args::Undo;
use super::chown::{ask, skipped, tell};
use super::exit::{Exit, UsageError, warn};
use super::output::Output;
use super::session::Context;
use crate::core::figures;
use crate::engine::contexts::Environment;
use crate::engine::{Engine, EngineError};
use crate::journal::{JournalId, Listed, Stage, Store};
use crate::ops::chown::{self, UndoReport};
use crate::text;

pub(super) async fn run(context: &Context, engine: &Engine, options: &Undo) -> anyhow::Result<Exit> {
    let store = Store::of(&Environment::of_process(), &engine.id)?;
    let (journals, warnings) = store
        .list()
        .with_context(|| format!("cannot list the journals in {}", store.dir().display()))?;
    for warning in &warnings {
        warn(warning);
    }
    let output = &context.output;
    let terminal = !output.json && io::stdin().is_terminal() && io::stderr().is_terminal();
    if options.list || (options.id.is_none() && !terminal && !context.globals.yes) {
        return list(&journals, output);
    }
    if context.globals.read_only {
        return Err(EngineError::ReadOnly.into());
    }
    let chosen = match &options.id {
        Some(id) => journals.iter().find(|one| one.id.as_str() == id),
        None => journals.iter().find(|one| is_open(one)),
    };
    let Some(chosen) = chosen else {
        match &options.id {
            Some(id) => anyhow::bail!("there is no journal {id}; `vole undo --list` lists them all"),
            None => anyhow::bail!("there is nothing to take back"),
        }
    };
    if !output.json {
        output.line(&line(chosen))?;
    }
    if !context.globals.yes {
        if !terminal {
            let why = "nothing was taken back: without a terminal it needs --yes";
            return Err(UsageError(why.to_owned()).into());
        }
        let answer = ask(context, "Take it back? [y/N] ".to_owned()).await?;
        if !matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes") {
            warn("nothing was taken back");
            return Ok(Exit::Cancelled);
        }
    }
    let (to, news) = mpsc::channel(16);
    let undoing = chown::undo(engine, &store, &chosen.id, to, context.cancel.clone());
    let (report, ()) = tokio::join!(undoing, tell(context, "taking back", news));
    finish(&chosen.id, &report?, output)
}

/// Whether nothing of it was taken back yet.
fn is_open(journal: &Listed) -> bool {
    journal.entries > 0 && matches!(journal.stage, Stage::Done | Stage::Interrupted)
}

fn list(journals: &[Listed], output: &Output) -> anyhow::Result<Exit> {
    if output.json {
        let rows: Vec<Value> = journals.iter().map(row).collect();
        output.document(&json!({ "journals": rows }))?;
    } else if !journals.is_empty() {
        output.lines(&journals.iter().map(line).collect::<Vec<_>>())?;
    }
    Ok(Exit::Done)
}

fn row(journal: &Listed) -> Value {
    json!({
        "id": journal.id.as_str(),
        "at": journal.at.format(&Rfc3339).ok(),
        "operation": journal.words,
        "mount": journal.mount.1,
        "entries": journal.entries,
        "state": journal.stage.word(),
        "damage": journal.damage,
    })
}

fn line(journal: &Listed) -> String {
    let damage = journal.damage.as_ref().map(|damage| format!("; {damage}"));
    format!(
        "{}  {}, {} entries, {}{}",
        text::printable_str(journal.id.as_str()),
        text::printable_str(&journal.words),
        figures::count(journal.entries),
        journal.stage.word(),
        damage.unwrap_or_default()
    )
}

fn finish(id: &JournalId, report: &UndoReport, output: &Output) -> anyhow::Result<Exit> {
    if output.json {
        output.document(&json!({
            "journal": id.as_str(),
            "restored": report.restored,
            "already": report.already,
            "skipped": skipped(&report.skips),
            "skipped_count": report.skipped,
            "stopped": report.stopped,
        }))?;
    } else {
        output.line(&format!(
            "put back {}, {} were as before already, {} left alone",
            figures::count(report.restored),
            figures::count(report.already),
            figures::count(report.skipped)
        ))?;
        for skip in report.skips.iter().take(10) {
            let one = skipped(std::slice::from_ref(skip));
            let reason = one
                .first()
                .and_then(|one| one["reason"].as_str())
                .unwrap_or_default()
                .to_owned();
            warn(&format!("{} was left alone: {reason}", text::printable(&skip.path)));
        }
    }
    if let Some(why) = &report.stopped {
        warn(why);
    }
    let done = report.restored + report.already > 0;
    let left = report.skipped > 0 || report.stopped.is_some();
    Ok(Exit::of_parts(usize::from(done), usize::from(left)))
}
