//! `vole restore`: prints the plan, asks, restores, and says what came of it.

use std::os::unix::ffi::OsStrExt as _;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::mpsc;

use super::args::Restore;
use super::consent::{self, No, Question};
use super::exit::{Exit, UsageError, warn};
use super::progress::{Progress as Line, bar};
use super::session::Context;
use crate::archive::{Verdict, hex};
use crate::core::figures;
use crate::engine::{Engine, EngineError};
use crate::model::BytePath;
use crate::ops::restore::{self, Into, Plan, Progress, Report, Request, Unclear};
use crate::text;

pub(super) async fn run(context: &Context, engine: &Engine, options: &Restore) -> anyhow::Result<Exit> {
    if context.globals.read_only && !options.dry_run {
        return Err(EngineError::ReadOnly.into());
    }
    let plan = gather(context, engine, request(options)?).await?;
    consent::check(&options.include, plan.typed_name())?;
    let output = &context.output;
    let told = |report: Option<&Report>| match output.json {
        true => output.document(&document(&plan, report, options.dry_run)),
        false => Ok(()),
    };
    if let Some(why) = &plan.refused {
        told(None)?;
        warn(&format!("refused: {why}; nothing was changed"));
        return Ok(match plan.verdict {
            Some(Verdict::Truncated | Verdict::Corrupt) => Exit::Findings,
            _ => Exit::Failed,
        });
    }
    if let Some(unclear) = &plan.unclear {
        told(None)?;
        return Err(UsageError(ambiguous(unclear)).into());
    }
    if !output.json {
        output.lines(&lines(&plan)).map_err(|error| match options.dry_run {
            true => error.into(),
            // Not as an I/O error: a reader that has seen enough would make it a success.
            false => anyhow::anyhow!("nothing was changed, since the plan could not be printed: {error:#}"),
        })?;
    }
    if options.dry_run {
        return told(None).map(|()| Exit::Done);
    }
    // Who wrote --overwrite and --yes has named what is replaced; that nothing stands until the end is another matter.
    let replaces = matches!(plan.into, Into::Existing(_)) && !plan.request.in_place;
    let says_so = replaces && options.overwrite && context.globals.yes;
    let question = Question {
        ask: format!("Restore into {}?", text::printable_str(plan.typed_name())),
        typed: plan.needs_name.as_ref().filter(|_| !says_so).map(|_| plan.typed_name()),
        include: &options.include,
        subject: plan.typed_name(),
        input: plan.request.archive.is_some(),
    };
    if let Some(No(exit, why)) = question.answer(context).await? {
        told(None)?;
        warn(&why);
        return Ok(exit);
    }
    let (to, news) = mpsc::channel(16);
    let restoring = restore::run(engine, &plan, to, context.cancel.clone());
    let (report, ()) = tokio::join!(restoring, tell(context, news));
    let report = report?;
    let printed = match output.json {
        true => told(Some(&report)),
        false => output.line(&done("restored", &report)).map_err(anyhow::Error::from),
    };
    finish(&report, printed)
}

fn request(options: &Restore) -> anyhow::Result<Request> {
    let climbs = |path: &BytePath| path.components().any(|part| part == b"..");
    let only: Vec<BytePath> = options
        .paths
        .iter()
        .map(|path| BytePath::new(path.as_bytes()))
        .collect();
    if let Some(path) = only.iter().find(|path| path.is_root() || climbs(path)) {
        let shown = text::printable(path.as_bytes());
        return Err(UsageError(format!(
            "--path {shown:?} names nothing in the archive; nothing was changed"
        ))
        .into());
    }
    Ok(Request {
        archive: Some(options.archive.clone()).filter(|path| path.as_os_str() != "-"),
        target: options.target.clone(),
        only,
        overwrite: options.overwrite,
        in_place: options.in_place,
        strip: options.strip_components,
        plain: options.plain,
    })
}

async fn gather(context: &Context, engine: &Engine, request: Request) -> anyhow::Result<Plan> {
    let (to, news) = mpsc::channel(16);
    let at = OffsetDateTime::now_utc();
    let planning = restore::plan(engine, request, at, to, context.cancel.clone());
    let (plan, ()) = tokio::join!(planning, tell(context, news));
    Ok(plan?)
}

/// Says how far it is.
pub(super) async fn tell(context: &Context, mut news: mpsc::Receiver<Progress>) {
    let mut line = Line::new(context.output.progress);
    while let Some(progress) = news.recv().await {
        line.say(|| {
            let bytes = figures::bytes(progress.bytes);
            let per_mille = progress.total.filter(|total| *total > 0);
            let bar = per_mille.map(|total| {
                let done = progress.bytes.min(total).saturating_mul(1000) / total;
                format!("{} ", bar(usize::try_from(done).unwrap_or(1000), 1000))
            });
            format!(
                "{} {}{bytes}, {}",
                progress.phase,
                bar.unwrap_or_default(),
                figures::entries(progress.entries)
            )
        });
    }
}

fn ambiguous(unclear: &Unclear) -> String {
    format!(
        "it cannot be told what the names begin with: {}. Say it with --strip-components N (0 takes them as they are). The \
         first names: {}; nothing was changed",
        unclear.why,
        unclear.seen.join(", ")
    )
}

fn lines(plan: &Plan) -> Vec<String> {
    let archive = match &plan.request.archive {
        Some(path) => text::printable(path.as_os_str().as_encoded_bytes()),
        None => "what comes by standard input".to_owned(),
    };
    let whole = match plan.verdict {
        Some(Verdict::Ok) => "; it is whole",
        Some(_) | None => "",
    };
    let target = text::printable_str(plan.typed_name());
    let into = match &plan.into {
        Into::New(_) => format!("a new volume {target}"),
        Into::Existing(_) => format!("{target}, which is there"),
    };
    let mut lines = vec![format!("restore {archive} into {into}{whole}")];
    if let Some(origin) = &plan.origin {
        let at = origin
            .begun
            .format(&Rfc3339)
            .unwrap_or_else(|_| "a time that cannot be told".to_owned());
        lines.push(format!("  a copy of {}, begun {at}", text::printable_str(&origin.name)));
    }
    if let Some((entries, bytes)) = plan.counts {
        lines.push(format!("  {}, {}", figures::entries(entries), figures::bytes(bytes)));
    }
    if let Into::New(wanted) = &plan.into {
        let options = wanted.options.iter().map(|(key, value)| format!("{key}={value}"));
        let options: Vec<String> = options.map(|option| text::printable_str(&option)).collect();
        let driver = text::printable_str(wanted.driver.as_deref().unwrap_or("local"));
        lines.push(match options.as_slice() {
            [] => format!("  driver {driver}"),
            options => format!("  driver {driver}, options {}", options.join(" ")),
        });
    }
    for path in &plan.request.only {
        lines.push(format!("  only {}", text::printable(path.as_bytes())));
    }
    if let Some((entries, bytes)) = plan.part {
        lines.push(format!(
            "  of that: {}, {}",
            figures::entries(entries),
            figures::bytes(bytes)
        ));
    }
    lines.extend(plan.prefix.as_ref().map(|prefix| {
        // Who says how many gets a number of them, else it is the name of what they begin with.
        let number = plan.request.strip.map_or(1, |strip| strip as usize);
        format!("  {prefix} {} taken off the names", figures::verb(number, "is", "are"))
    }));
    let ask = plan
        .needs_name
        .iter()
        .map(|why| format!("  ask: {}", text::printable_str(why)));
    lines.extend(ask);
    lines.extend(
        plan.caveats
            .iter()
            .map(|caveat| format!("  note: {}", text::printable_str(caveat))),
    );
    lines
}

/// What came of it, in a line.
pub(super) fn done(verb: &str, report: &Report) -> String {
    let proof = match &report.digest {
        Some(digest) => format!(", blake3 {digest}"),
        None => ", without a proof that it is whole".to_owned(),
    };
    format!(
        "{verb} {} into {}: {}{proof}",
        figures::entries(report.entries),
        text::printable_str(&report.target),
        figures::bytes(report.bytes)
    )
}

/// Says what lacks and finds the exit code.
pub(super) fn finish(report: &Report, printed: anyhow::Result<()>) -> anyhow::Result<Exit> {
    for warning in &report.warnings {
        warn(warning);
    }
    let more = report.warned.saturating_sub(report.warnings.len() as u64);
    if more > 0 {
        warn(&format!("and {} more", figures::count(more)));
    }
    let exit = match report.partial {
        0 => Exit::Done,
        _ => Exit::Partly,
    };
    match printed {
        Err(error) if exit != Exit::Done => warn(&format!("{error:#}")),
        printed => printed?,
    }
    Ok(exit)
}

fn document(plan: &Plan, report: Option<&Report>, dry_run: bool) -> Value {
    let mut value = json!({
        "target": plan.typed_name(),
        "new": matches!(plan.into, Into::New(_)),
        "dry_run": dry_run,
        "restored": report.is_some(),
        "verdict": plan.verdict.map(Verdict::word),
        "origin": plan.origin.as_ref().map(|origin| origin.name.as_str()),
        "strip_components": plan.strip,
        "unclear": plan.unclear.as_ref().map(|unclear| json!({ "why": unclear.why, "names": unclear.seen })),
        "refused": plan.refused,
        "needs_name": plan.needs_name,
        "caveats": plan.caveats,
        "entries": plan.counts.map(|(entries, _)| entries),
        "bytes": plan.counts.map(|(_, bytes)| bytes),
        "digest": plan.digest.map(|digest| hex(&digest)),
        "warnings": Value::Array(Vec::new()),
    });
    if let Some(report) = report {
        result(&mut value, report);
    }
    value
}

/// Adds what came of it to a document.
pub(super) fn result(value: &mut Value, report: &Report) {
    value["entries"] = report.entries.into();
    value["bytes"] = report.bytes.into();
    value["digest"] = report.digest.clone().into();
    value["warnings"] = report.warnings.clone().into();
    value["warned"] = report.warned.into();
    value["status"] = if report.partial == 0 { "ok" } else { "partial" }.into();
}
