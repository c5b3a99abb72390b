//! `vole prune` and `vole rm`: print the plan, ask, remove, and say what came of each row.

mod print;

use std::collections::BTreeSet;
use std::io::{self, BufRead, IsTerminal as _, Write as _};
use std::sync::Arc;

use anyhow::Context as _;
use time::OffsetDateTime;
use tokio::sync::{mpsc, watch};

use super::args::{Prune, Rm};
use super::exit::{Exit, UsageError, warn};
use super::json::{RemovalInfo, RowInfo};
use super::output::Output;
use super::progress::{Progress, bar};
use super::session::Context;
use crate::core::figures;
use crate::engine::{Engine, EngineError};
use crate::model::VolumeName;
use crate::ops::prune::{self, Event, Filter, Group, Outcome, Plan, Report, Row, Scope, Step};
use crate::text;

/// What a removal is asked for, whichever command says it.
struct Wanted {
    scope: Scope,
    /// Names that were typed: what would be asked about goes too.
    include: Vec<String>,
    dry_run: bool,
}

pub(super) async fn prune(context: &Context, engine: &Engine, options: &Prune) -> anyhow::Result<Exit> {
    let label = |label: &String| match label.split_once('=') {
        Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
        None => (label.clone(), None),
    };
    let filter = Filter {
        older_than: options.older_than,
        labels: options.labels.iter().map(label).collect(),
        project: options.project.clone(),
        named: options.named,
    };
    let wanted = Wanted {
        scope: Scope::Orphans(filter),
        include: options.include.clone(),
        dry_run: options.dry_run,
    };
    run(context, engine, wanted).await
}

pub(super) async fn rm(context: &Context, engine: &Engine, options: &Rm) -> anyhow::Result<Exit> {
    if options.volumes.is_empty() && options.containers.is_empty() {
        return Err(UsageError("name a volume, or a container with --container".to_owned()).into());
    }
    // What removes takes names only: a path may be one that a volume binds.
    if let Some(path) = options.volumes.iter().find(|name| name.contains('/')) {
        return Err(UsageError(format!("{path} is no name of a volume; only volumes are removed")).into());
    }
    let unique: BTreeSet<&String> = options.volumes.iter().collect();
    let wanted = Wanted {
        scope: Scope::Named {
            volumes: unique.into_iter().map(|name| VolumeName::new(name.as_str())).collect(),
            containers: options.containers.clone(),
        },
        include: options.include.clone(),
        dry_run: options.dry_run,
    };
    run(context, engine, wanted).await
}

async fn run(context: &Context, engine: &Engine, wanted: Wanted) -> anyhow::Result<Exit> {
    if !wanted.dry_run {
        engine.changes()?;
    }
    let plan = plan(context, engine, &wanted.scope).await?;
    for warning in &plan.warnings {
        warn(warning);
    }
    let mut choice = choose(&plan, &wanted)?;
    let output = &context.output;
    if !output.json {
        let printed = print::plan(&plan, &choice, output);
        // Not as an I/O error: a reader that has seen enough would make it a success.
        printed.map_err(|error| match wanted.dry_run {
            true => error,
            false => anyhow::anyhow!("nothing was removed, since the plan could not be printed: {error:#}"),
        })?;
    }
    let nothing = choice.going.is_empty() && plan.containers.iter().all(|one| !one.chosen);
    if wanted.dry_run || (nothing && choice.untyped.is_empty()) {
        return finish(&plan, choice, Report::default(), output, wanted.dry_run);
    }
    if !context.globals.yes {
        match asked(context, &plan, &mut choice).await? {
            Answer::Yes => {}
            Answer::No => {
                if output.json {
                    output.document(&RemovalInfo::new(&plan, &Report::default()))?;
                }
                warn("nothing was removed");
                return Ok(Exit::Cancelled);
            }
            Answer::Nobody => {
                if output.json {
                    output.document(&RemovalInfo::new(&plan, &Report::default()))?;
                }
                let why = "nothing was removed: without a terminal a removal needs --yes";
                return Err(UsageError(why.to_owned()).into());
            }
        }
    }
    let report = remove(context, engine, &plan, &choice.going).await?;
    finish(&plan, choice, report, output, false)
}

async fn plan(context: &Context, engine: &Engine, scope: &Scope) -> anyhow::Result<Arc<Plan>> {
    let (to, mut steps) = watch::channel(Step::default());
    let mut progress = Progress::new(context.output.progress);
    let gathering = prune::gather(engine, scope, OffsetDateTime::now_utc(), to, context.cancel.clone());
    let telling = async {
        while steps.changed().await.is_ok() {
            let step = *steps.borrow_and_update();
            progress.say(|| match step {
                Step::Listing => "listing volumes and containers".to_owned(),
                Step::Looking { done, total, bytes } => {
                    format!("looking into {done} of {total} volumes: {}", figures::bytes(bytes))
                }
                Step::Checking => "listing them again".to_owned(),
            });
        }
    };
    let (evidence, ()) = tokio::join!(gathering, telling);
    let evidence = evidence.context("cannot plan the removal")?;
    Ok(Arc::new(prune::plan(scope.clone(), &evidence, &engine.rules)))
}

/// What goes, and what was named and does not.
struct Choice {
    going: BTreeSet<VolumeName>,
    /// Rows that `rm` names and whose names were not typed.
    untyped: Vec<VolumeName>,
    /// Rows that were named and are blocked, and why.
    refused: Vec<(String, String)>,
}

/// Takes the safe rows and those whose names were typed. A name that cannot be taken along is an error before
/// anything is removed.
fn choose(plan: &Plan, wanted: &Wanted) -> anyhow::Result<Choice> {
    let mut going = plan.safe();
    let mut refused = Vec::new();
    for typed in &wanted.include {
        let exact = plan.row(&VolumeName::new(typed.as_str()));
        let begun = plan
            .rows
            .iter()
            .filter(|row| exact.is_none() && row.typed_name() == typed);
        let found: Vec<&Row> = exact.into_iter().chain(begun).collect();
        match found.as_slice() {
            [] => {
                let why = format!("--include {typed}: the plan has no such volume; nothing was removed");
                return Err(UsageError(why).into());
            }
            [row] if row.blocked => refused.push((row.mount.name.clone(), row.reason.clone())),
            [row] => drop(going.insert(row.name())),
            _ => {
                let why = format!("--include {typed}: several volumes begin so; give the whole name");
                return Err(UsageError(why).into());
            }
        }
    }
    let mut untyped = Vec::new();
    if matches!(wanted.scope, Scope::Named { .. }) {
        for row in &plan.rows {
            if row.blocked && !refused.iter().any(|(name, _)| *name == row.mount.name) {
                refused.push((row.mount.name.clone(), row.reason.clone()));
            } else if !row.blocked && !going.contains(&row.name()) {
                untyped.push(row.name());
            }
        }
    }
    Ok(Choice {
        going,
        untyped,
        refused,
    })
}

enum Answer {
    Yes,
    No,
    /// There is no terminal to ask at.
    Nobody,
}

/// Asks at the terminal: the names of what is asked about when `rm` named it, then once for all.
async fn asked(context: &Context, plan: &Plan, choice: &mut Choice) -> anyhow::Result<Answer> {
    if context.output.json || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(Answer::Nobody);
    }
    for name in std::mem::take(&mut choice.untyped) {
        let Some(row) = plan.row(&name) else { continue };
        let question = format!("Type {} to remove it: ", text::printable_str(row.typed_name()));
        let typed = ask(context, question).await?;
        if typed == row.typed_name() || typed == name.as_str() {
            choice.going.insert(name);
        } else {
            choice.untyped.push(name);
        }
    }
    let containers = plan
        .containers
        .iter()
        .filter(|one| one.chosen && one.blocked.is_none())
        .count();
    if choice.going.is_empty() && containers == 0 {
        return Ok(Answer::No);
    }
    let containers = match containers {
        0 => String::new(),
        n => format!("{} and ", figures::counted(n as u64, "container")),
    };
    let volumes = figures::counted(choice.going.len() as u64, "volume");
    let question = format!(
        "Remove {containers}{volumes}, {}? This cannot be undone. [y/N] ",
        freed(plan, &choice.going)
    );
    let answer = ask(context, question).await?;
    Ok(match answer.to_ascii_lowercase().as_str() {
        "y" | "yes" => Answer::Yes,
        _ => Answer::No,
    })
}

/// Asks a question. An interrupt is an answer too: the thread that reads ends with the program.
async fn ask(context: &Context, question: String) -> anyhow::Result<String> {
    let asking = tokio::task::spawn_blocking(move || -> io::Result<String> {
        let mut stderr = io::stderr().lock();
        stderr.write_all(question.as_bytes())?;
        stderr.flush()?;
        drop(stderr);
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        Ok(line.trim().to_owned())
    });
    context.until_cancelled(async { Ok(asking.await??) }).await
}

fn freed(plan: &Plan, chosen: &BTreeSet<VolumeName>) -> String {
    let (bytes, unknown) = plan.freed(chosen);
    match unknown {
        0 => figures::bytes(bytes),
        n => format!("{} and {n} of unknown size", figures::bytes(bytes)),
    }
}

async fn remove(
    context: &Context,
    engine: &Engine,
    plan: &Arc<Plan>,
    going: &BTreeSet<VolumeName>,
) -> Result<Report, EngineError> {
    let total = going.len() + plan.containers.iter().filter(|one| one.chosen).count();
    let (to, mut news) = mpsc::channel(16);
    let mut progress = Progress::new(context.output.progress);
    let telling = async {
        let (mut done, mut bytes) = (0, 0_u64);
        while let Some(event) = news.recv().await {
            done += 1;
            if let Event::Volume(_, Outcome::Removed(Some(freed))) = event {
                bytes = bytes.saturating_add(freed);
            }
            progress.say(|| {
                let bar = bar(done, total);
                format!("removing {bar} {done}/{total}, {} freed", figures::bytes(bytes))
            });
        }
    };
    let removing = prune::run(engine, Arc::clone(plan), going.clone(), to, context.cancel.clone());
    let (report, ()) = tokio::join!(removing, telling);
    report
}

/// Says what came of it and finds the exit code.
fn finish(plan: &Plan, choice: Choice, mut report: Report, output: &Output, dry_run: bool) -> anyhow::Result<Exit> {
    report.failed.extend(choice.refused);
    for name in choice.untyped {
        let why = format!("its name has to be typed: --include {name}");
        report.failed.push((name.as_str().to_owned(), why));
    }
    let printed = if output.json {
        output.document(&RemovalInfo::new(plan, &report))
    } else if dry_run {
        Ok(())
    } else {
        print::report(plan, &report, output)
    };
    if dry_run {
        return printed.map(|()| Exit::Done);
    }
    // What came of it is told and has its exit code, also where nothing could be printed.
    for (name, why) in &report.failed {
        warn(&format!("{name} was not removed: {why}"));
    }
    let done = report.removed.len() + report.containers.len();
    let exit = match report.cancelled {
        true => Exit::Cancelled,
        false => Exit::of_parts(done, report.failed.len()),
    };
    match printed {
        Err(error) if exit != Exit::Done => warn(&format!("{error:#}")),
        printed => printed?,
    }
    Ok(exit)
}

impl<'a> RemovalInfo<'a> {
    fn new(plan: &'a Plan, report: &'a Report) -> Self {
        let group = |group: Group| plan.group(group).map(RowInfo::new).collect();
        let removed = report.removed.iter().filter_map(|name| plan.row(name));
        let failed = report.failed.iter().map(|(name, why)| {
            let row = plan.row(&VolumeName::new(name.as_str()));
            RowInfo::failed(name, why, row)
        });
        Self {
            safe: group(Group::Safe),
            ask: group(Group::Ask),
            keep: group(Group::Keep),
            containers: plan.containers.iter().map(Into::into).collect(),
            removed: removed.map(RowInfo::new).collect(),
            containers_removed: &report.containers,
            failed: failed.collect(),
            freed_bytes: report.freed,
        }
    }
}
