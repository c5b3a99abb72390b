//! `vole chown` and `vole chmod`: print the plan, ask, change, and say what came of it and how it is taken back.

mod print;

use std::ffi::OsStr;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;

use anyhow::Context as _;
use time::OffsetDateTime;
use tokio::sync::{mpsc, watch};
use vole_agent::proto::own::{Census, Change};

use super::args::{Changing, Chmod, Chown};
use super::exit::{Exit, UsageError, warn};
use super::place::{self, Place};
use super::progress::{Progress, bar};
use super::session::Context;
use crate::core::figures;
use crate::engine::contexts::Environment;
use crate::engine::{Engine, EngineError};
use crate::journal::Store;
use crate::ops::chown::{self, Plan, Report, Request, words};
use crate::ops::list::Depth;
use crate::text;
pub(super) use print::skipped;

pub(super) async fn chown(context: &Context, engine: &Engine, options: &Chown) -> anyhow::Result<Exit> {
    let (uid, gid) = words::owner(&options.owner).map_err(UsageError)?;
    let change = Change {
        uid,
        gid,
        ..from(&options.changing)?
    };
    let wanted = Wanted {
        change,
        words: &options.owner,
        changing: &options.changing,
    };
    wanted.run(context, engine, &options.place).await
}

pub(super) async fn chmod(context: &Context, engine: &Engine, options: &Chmod) -> anyhow::Result<Exit> {
    let change = Change {
        mode: Some(words::mode(&options.mode).map_err(UsageError)?),
        ..from(&options.changing)?
    };
    let wanted = Wanted {
        change,
        words: &options.mode,
        changing: &options.changing,
    };
    wanted.run(context, engine, &options.place).await
}

fn from(changing: &Changing) -> anyhow::Result<Change> {
    let (from_uid, from_gid) = match &changing.from {
        Some(from) => words::owner(from).map_err(|why| UsageError(format!("--from: {why}")))?,
        None => (None, None),
    };
    Ok(Change {
        from_uid,
        from_gid,
        recursive: !changing.no_recursive,
        ..Change::default()
    })
}

/// What is asked for, whichever command says it.
struct Wanted<'a> {
    change: Change,
    words: &'a str,
    changing: &'a Changing,
}

/// Whether a plan may be carried out.
enum Answer {
    Yes,
    No,
    /// There is no terminal to ask at.
    Nobody,
    /// The mount's name was not typed.
    Untyped,
}

impl Wanted<'_> {
    async fn run(&self, context: &Context, engine: &Engine, place: &std::ffi::OsStr) -> anyhow::Result<Exit> {
        let dry_run = self.changing.dry_run;
        if context.globals.read_only && !dry_run {
            return Err(EngineError::ReadOnly.into());
        }
        let place = named(context, engine, place).await?;
        let request = Request {
            mount: Arc::new(place.mount),
            path: place.path,
            change: self.change.clone(),
            words: self.words.to_owned(),
        };
        let plan = Arc::new(gather(context, engine, request).await?);
        let unknown = |name: &&String| *name != plan.typed_name();
        if let Some(name) = self.changing.include.iter().find(unknown) {
            let why = format!(
                "--include {name}: the plan is about {}; nothing was changed",
                plan.typed_name()
            );
            return Err(UsageError(why).into());
        }
        let output = &context.output;
        let told = |report: &Report| match output.json {
            true => output.document(&print::document(&plan, report, dry_run)),
            false => Ok(()),
        };
        if let Some(why) = &plan.refused {
            told(&Report::default())?;
            anyhow::bail!(
                "refused: {} is left alone: {why}; nothing was changed",
                plan.typed_name()
            );
        }
        if !output.json {
            // Not as an I/O error: a reader that has seen enough would make it a success.
            print::plan(&plan, output).map_err(|error| match dry_run {
                true => error,
                false => anyhow::anyhow!("nothing was changed, since the plan could not be printed: {error:#}"),
            })?;
        }
        if dry_run {
            return told(&Report::default()).map(|()| Exit::Done);
        }
        if plan.census.change > 0 {
            let why = match self.asked(context, &plan).await? {
                Answer::Yes => None,
                Answer::No => Some((Exit::Cancelled, "nothing was changed".to_owned())),
                Answer::Nobody => Some((
                    Exit::Usage,
                    "nothing was changed: without a terminal a change needs --yes".to_owned(),
                )),
                Answer::Untyped => Some((
                    Exit::Failed,
                    format!(
                        "nothing was changed: the mount's name has to be typed: --include {}",
                        plan.typed_name()
                    ),
                )),
            };
            if let Some((exit, why)) = why {
                told(&Report::default())?;
                warn(&why);
                return Ok(exit);
            }
        }
        let report = carry_out(context, engine, &plan).await?;
        let printed = match output.json {
            true => told(&report),
            false => print::report(&plan, &report, output),
        };
        finish(&report, printed)
    }

    async fn asked(&self, context: &Context, plan: &Plan) -> anyhow::Result<Answer> {
        let terminal = !context.output.json && io::stdin().is_terminal() && io::stderr().is_terminal();
        let named = !plan.blocks.iter().any(chown::Block::needs_name) || !self.changing.include.is_empty();
        match (context.globals.yes, terminal) {
            (true, _) if named => return Ok(Answer::Yes),
            (true, false) => return Ok(Answer::Untyped),
            (false, false) => return Ok(Answer::Nobody),
            (_, true) => {}
        }
        if !named {
            let name = text::printable_str(plan.typed_name());
            let typed = ask(context, format!("Type {name} to change it all the same: ")).await?;
            if typed != plan.typed_name() {
                return Ok(Answer::Untyped);
            }
        }
        if context.globals.yes {
            return Ok(Answer::Yes);
        }
        let entries = figures::entries(plan.census.change);
        let answer = ask(context, format!("Change {entries}? `vole undo` takes it back. [y/N] ")).await?;
        Ok(match answer.to_ascii_lowercase().as_str() {
            "y" | "yes" => Answer::Yes,
            _ => Answer::No,
        })
    }
}

/// Finds the place that is meant. What climbs, or ends where a path was to follow (`data:$EMPTY`), is a mistake, not a
/// request to change all of a mount.
async fn named(context: &Context, engine: &Engine, argument: &OsStr) -> anyhow::Result<Place> {
    let bytes = argument.as_bytes();
    let shown = text::printable(bytes);
    if bytes.is_empty() || (!bytes.starts_with(b"/") && bytes.ends_with(b":")) {
        let why = format!("{shown:?} names no place: write a mount, or MOUNT:PATH; nothing was changed");
        return Err(UsageError(why).into());
    }
    // What may not be reached is refused by the plan, which says so in every form.
    let tmpfs = bytes.windows(2).any(|two| two == b":/");
    let depth = if tmpfs { Depth::Full } else { Depth::Rows };
    let inventory = context.inventory(engine, depth).await?;
    let place = place::find(argument, &inventory)?;
    let mut parts = place.path.as_bytes().split(|&byte| byte == b'/');
    if parts.any(|part| part == b"..") {
        let why = format!("{shown} leads out of its mount by way of `..`; nothing was changed");
        return Err(UsageError(why).into());
    }
    Ok(place)
}

/// Says what was left undone and finds the exit code.
fn finish(report: &Report, printed: anyhow::Result<()>) -> anyhow::Result<Exit> {
    if let Some(why) = &report.stopped {
        let back = match &report.journal {
            Some(journal) => format!("; `vole undo {journal}` takes back what was done"),
            None => String::new(),
        };
        let unsure = match report.unsure {
            0 => String::new(),
            count => format!(", and up to {} more", figures::count(count)),
        };
        let changed = figures::entries(report.changed);
        warn(&format!("{changed} changed{unsure}; {why}{back}"));
    }
    let left = report.skipped + u64::from(report.stopped.is_some());
    let done = report.changed + report.unsure + report.unchanged;
    let exit = Exit::of_parts(usize::from(done > 0), usize::from(left > 0));
    match printed {
        Err(error) if exit != Exit::Done => warn(&format!("{error:#}")),
        printed => printed?,
    }
    Ok(exit)
}

/// Asks a question. An interrupt is an answer too: the thread that reads ends with the program.
pub(super) async fn ask(context: &Context, question: String) -> anyhow::Result<String> {
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

async fn gather(context: &Context, engine: &Engine, request: Request) -> anyhow::Result<Plan> {
    let (to, mut counts) = watch::channel(Census::default());
    let mut progress = Progress::new(context.output.progress);
    let gathering = chown::plan(engine, request, OffsetDateTime::now_utc(), to, context.cancel.clone());
    let telling = async {
        while counts.changed().await.is_ok() {
            let entries = counts.borrow_and_update().entries;
            progress.say(|| format!("looking at {}", figures::entries(entries)));
        }
    };
    let (plan, ()) = tokio::join!(gathering, telling);
    plan.context("cannot plan the change")
}

async fn carry_out(context: &Context, engine: &Engine, plan: &Arc<Plan>) -> anyhow::Result<Report> {
    let store = Store::of(&Environment::of_process(), &engine.id)?;
    let (to, news) = mpsc::channel(16);
    let running = chown::run(engine, Arc::clone(plan), &store, to, context.cancel.clone());
    let (report, ()) = tokio::join!(running, tell(context, "changing", news));
    Ok(report?)
}

/// Says how far it is.
pub(super) async fn tell(context: &Context, doing: &str, mut news: mpsc::Receiver<chown::Progress>) {
    let mut progress = Progress::new(context.output.progress);
    while let Some(chown::Progress { done, total }) = news.recv().await {
        progress.say(|| {
            let total = total.unwrap_or(done);
            let bar = bar(
                usize::try_from(done).unwrap_or(usize::MAX),
                usize::try_from(total).unwrap_or(usize::MAX),
            );
            format!("{doing} {bar} {}/{}", figures::count(done), figures::count(total))
        });
    }
}
