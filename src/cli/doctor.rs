//! `vole doctor`: has containers and mounts examined, and prints each finding with its evidence and its fix.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use anyhow::Context as _;
use time::OffsetDateTime;
use tokio::sync::mpsc;

use super::args::Doctor;
use super::exit::{Exit, UsageError, warn};
use super::json::Diagnosis;
use super::output::Output;
use super::place;
use super::progress::{Progress, bar};
use super::session::Context;
use crate::core::figures;
use crate::doctor::{Finding, Fix};
use crate::engine::Engine;
use crate::engine::daemon::ContainerRow;
use crate::model::MountId;
use crate::ops::doctor::{self, Event, Report, Scope};
use crate::ops::list::{Depth, Inventory};
use crate::text;

/// Digits of an id that name a container.
const ID_DIGITS: usize = 4;
/// Columns of the words before what they introduce.
const INDENT: &str = "  ";

pub(super) async fn run(context: &Context, engine: &Engine, options: &Doctor) -> anyhow::Result<Exit> {
    let scope = scope(context, engine, &options.subjects).await?;
    let report = diagnose(context, engine, &scope).await?;
    for line in &report.left_out {
        warn(&format!("left out: {line}"));
    }
    let output = &context.output;
    let printed = match output.json {
        true => output.document(&Diagnosis {
            findings: report.findings.iter().map(Into::into).collect(),
            containers: report.containers,
            mounts: report.mounts,
            left_out: &report.left_out,
        }),
        false => print(&report, output),
    };
    let exit = match report.findings.is_empty() {
        true => Exit::Done,
        false => Exit::Findings,
    };
    match printed {
        // What was found has its exit code, also where nothing could be printed.
        Err(error) if exit != Exit::Done => warn(&format!("{error:#}")),
        printed => printed?,
    }
    Ok(exit)
}

/// Finds what the arguments mean: containers and mounts, both where both are called so.
async fn scope(context: &Context, engine: &Engine, subjects: &[OsString]) -> anyhow::Result<Scope> {
    let mut scope = Scope::default();
    if subjects.is_empty() {
        return Ok(scope);
    }
    let inventory = context.inventory(engine, Depth::Full).await?;
    let listing = async { engine.daemon.containers().await.context("cannot list the containers") };
    let containers = context.until_cancelled(listing).await?;
    for subject in subjects {
        let container = container(subject, &containers.rows)?;
        let mount = mount(subject, &inventory);
        if let (None, Err(why)) = (&container, &mount) {
            let shown = text::printable(subject.as_bytes());
            return Err(UsageError(format!("no container is called {shown}, and {why}")).into());
        }
        scope.containers.extend(container);
        scope.mounts.extend(mount.ok());
    }
    Ok(scope)
}

/// The container that an argument names, by its name or the beginning of its id.
fn container(subject: &OsStr, rows: &[ContainerRow]) -> Result<Option<String>, UsageError> {
    let Some(subject) = subject.to_str() else {
        return Ok(None);
    };
    let name = subject.trim_start_matches('/');
    if let Some(row) = rows.iter().find(|row| row.name == name && !subject.contains(':')) {
        return Ok(Some(row.id.clone()));
    }
    let digits = subject.len() >= ID_DIGITS && subject.bytes().all(|byte| byte.is_ascii_hexdigit());
    let begun: Vec<&ContainerRow> = rows
        .iter()
        .filter(|row| digits && row.id.starts_with(subject))
        .collect();
    match begun.as_slice() {
        [] => Ok(None),
        [row] => Ok(Some(row.id.clone())),
        _ => Err(UsageError(format!(
            "several containers begin with {subject}; give more of the id"
        ))),
    }
}

/// The mount that an argument names; in words why none.
fn mount(subject: &OsStr, inventory: &Inventory) -> Result<MountId, String> {
    let exact = inventory
        .mounts
        .iter()
        .find(|mount| mount.name.as_bytes() == subject.as_bytes());
    if let Some(mount) = exact {
        return Ok(mount.id.clone());
    }
    let place = place::resolve(subject, inventory).map_err(|error| format!("{error:#}"))?;
    if !inventory.mounts.iter().any(|mount| mount.id == place.mount.id) {
        return Err(format!(
            "no container mounts {}",
            text::printable_str(&place.mount.name)
        ));
    }
    match place.path.is_root() {
        true => Ok(place.mount.id),
        false => Err("a mount is examined as a whole: leave the path out".to_owned()),
    }
}

async fn diagnose(context: &Context, engine: &Engine, scope: &Scope) -> anyhow::Result<Report> {
    let (to, mut news) = mpsc::channel(16);
    let mut progress = Progress::new(context.output.progress);
    let telling = async {
        let (mut looked, mut total, mut found) = (0, 0, 0_u64);
        while let Some(event) = news.recv().await {
            match event {
                Event::Total(containers) => total = containers,
                Event::Looked => looked += 1,
                Event::Found(_) => found += 1,
            }
            progress.say(|| {
                let bar = bar(looked, total);
                format!(
                    "examining {bar} {looked}/{total} containers, {}",
                    figures::counted(found, "finding")
                )
            });
        }
    };
    let now = OffsetDateTime::now_utc();
    let diagnosing = doctor::diagnose(engine, scope, now, to, context.cancel.clone());
    let (report, ()) = tokio::join!(diagnosing, telling);
    report.context("cannot examine the containers")
}

fn print(report: &Report, output: &Output) -> anyhow::Result<()> {
    let mut lines: Vec<String> = Vec::new();
    for finding in &report.findings {
        lines.extend(block(finding));
        lines.push(String::new());
    }
    let looked = format!(
        "{} and {} examined",
        figures::counted(report.containers as u64, "container"),
        figures::counted(report.mounts as u64, "mount")
    );
    lines.push(match report.findings.len() {
        0 => format!("Nothing is wrong: {looked}."),
        n => format!("{}; {looked}.", figures::counted(n as u64, "finding")),
    });
    Ok(output.lines(&lines)?)
}

/// One finding: what and where, the sentence, what it rests on, what mends it and what does not.
fn block(finding: &Finding) -> Vec<String> {
    let mut head = vec![finding.cause.word().to_owned()];
    head.extend(finding.container.as_deref().map(text::printable_str));
    head.extend(finding.mount.as_ref().map(|(_, name)| text::printable_str(name)));
    head.extend(finding.path.as_deref().map(text::printable_str));
    head.push(format!("({} confidence)", finding.confidence.word()));
    let mut lines = vec![
        head.join("  "),
        format!("{INDENT}{}", text::printable_str(&finding.summary)),
    ];
    let evidence = finding.evidence.iter();
    lines.extend(evidence.map(|line| format!("{INDENT}{INDENT}{}", text::printable_str(line))));
    lines.extend(fix(&finding.fix).into_iter().map(|line| format!("{INDENT}{line}")));
    let told = |word: &'static str| move |line: &String| format!("{INDENT}{word} {}", text::printable_str(line));
    lines.extend(finding.caveats.iter().map(told("note:")));
    lines.extend(finding.wrong_fixes.iter().map(told("not: ")));
    lines
}

fn fix(fix: &Fix) -> Vec<String> {
    let line = |word: &str, line: &str| format!("{word} {}", text::printable_str(line));
    match fix {
        Fix::Chown { .. } | Fix::Chmod { .. } | Fix::Host { .. } => {
            fix.command().iter().map(|command| line("fix: ", command)).collect()
        }
        Fix::Config { compose, cli } => vec![line("fix: ", cli), line("      compose:", compose)],
        Fix::Refused { why } => vec![line("fix:  vole refuses it:", why)],
        Fix::Advice { words } => vec![line("fix: ", words)],
    }
}

#[cfg(test)]
mod tests {
    use vole_agent::proto::own::Change;

    use super::*;
    use crate::demo::{self, DemoOptions};
    use crate::doctor::{Cause, Confidence, Counted};
    use crate::model::BytePath;
    use crate::ops::list;

    fn finding() -> Finding {
        Finding {
            cause: Cause::Ownership,
            container: Some("web".to_owned()),
            mount: Some((MountId::new("volume:da ta"), "da ta".to_owned())),
            path: Some("/da\u{1b}ta".to_owned()),
            summary: "web may not".to_owned(),
            evidence: vec!["runs as 1000:1000".to_owned()],
            confidence: Confidence::High,
            fix: Fix::Chown {
                mount: MountId::new("volume:da ta"),
                name: "da ta".to_owned(),
                path: BytePath::root(),
                change: Change {
                    uid: Some(1000),
                    gid: Some(1000),
                    ..Change::default()
                },
            },
            counted: Some(Counted {
                change: 412,
                unchanged: 1,
            }),
            caveats: vec!["it reverts".to_owned()],
            wrong_fixes: vec!["chmod 777".to_owned()],
        }
    }

    #[test]
    fn a_finding_is_a_block_with_a_line_to_copy() {
        let lines = block(&finding());
        assert_eq!(
            lines,
            [
                "ownership  web  da ta  /da\\eta  (high confidence)",
                "  web may not",
                "    runs as 1000:1000",
                "  fix:  vole chown 'da ta' 1000:1000",
                "  note: it reverts",
                "  not:  chmod 777",
            ]
        );
    }

    #[test]
    fn the_json_has_the_names_that_scripts_rely_on() {
        let finding = finding();
        let info = super::super::json::FindingInfo::from(&finding);
        let json = serde_json::to_value(&info).unwrap();
        assert_eq!(json["cause"], "ownership");
        assert_eq!(json["mount"], "da ta");
        assert_eq!(json["fix"]["kind"], "chown");
        assert_eq!(json["fix"]["command"], "vole chown 'da ta' 1000:1000");
        assert_eq!(
            json["fix"]["plan"],
            serde_json::json!({"to": "1000:1000", "change": 412, "unchanged": 1})
        );
        let advice = Finding {
            fix: Fix::Advice {
                words: "look".to_owned(),
            },
            ..finding.clone()
        };
        let json = serde_json::to_value(super::super::json::FindingInfo::from(&advice)).unwrap();
        assert!(json["fix"]["command"].is_null() && json["fix"]["plan"].is_null());
        assert_eq!(json["wrong_fixes"][0], "chmod 777");
    }

    #[tokio::test]
    async fn an_argument_names_a_container_or_a_mount() {
        let engine = demo::engine(DemoOptions::instant(OffsetDateTime::UNIX_EPOCH));
        let rows = engine.daemon.containers().await.unwrap().rows;
        let row = &rows[0];
        let named = |subject: &str| container(OsStr::new(subject), &rows).unwrap();
        assert_eq!(named(&row.name), Some(row.id.clone()));
        assert_eq!(named(&row.id), Some(row.id.clone()));
        assert_eq!(named("nosuch"), None);
        let inventory = list::load(&engine, Depth::Full).await.unwrap();
        let known = |subject: &str| mount(OsStr::new(subject), &inventory);
        assert_eq!(known("shop_dbdata"), Ok(MountId::new("volume:shop_dbdata")));
        assert!(known("shop_dbdata:base").unwrap_err().contains("leave the path out"));
        assert!(known("/nowhere/at/all").unwrap_err().contains("no container mounts"));
    }
}
