//! The plan and its outcome for people. Decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::{Choice, freed};
use crate::cli::output::Output;
use crate::cli::table::{Align, Table};
use crate::core::figures;
use crate::model::{Orphan, VolumeName};
use crate::ops::prune::{Group, Plan, Report, Row, Scope};
use crate::text;

pub(super) fn report(plan: &Plan, report: &Report, output: &Output) -> anyhow::Result<()> {
    let volumes = figures::counted(report.removed.len() as u64, "volume");
    let mut line = format!("removed {volumes}, freed {}", figures::bytes(report.freed));
    let removed: BTreeSet<VolumeName> = report.removed.iter().cloned().collect();
    let (_, unknown) = plan.freed(&removed);
    if unknown > 0 {
        line.push_str(&format!(" and what {unknown} of unknown size held"));
    }
    if !report.containers.is_empty() {
        let containers = figures::counted(report.containers.len() as u64, "container");
        line = format!("removed {containers}; {line}");
    }
    if report.cancelled {
        line.push_str("; cancelled before the rest");
    }
    output.line(&line)?;
    Ok(())
}

pub(super) fn plan(plan: &Plan, choice: &Choice, output: &Output) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    for one in &plan.containers {
        let frees: Vec<String> = one.frees.iter().map(|name| text::printable_str(name)).collect();
        let frees = if frees.is_empty() {
            "nothing".to_owned()
        } else {
            frees.join(", ")
        };
        let name = text::printable_str(&one.name);
        lines.push(match (&one.blocked, one.chosen) {
            (Some(why), _) => format!("container {name} stays: {}", text::printable_str(why)),
            (None, true) => format!("container {name} goes; it frees {frees}"),
            (None, false) => {
                format!("container {name} is stopped and frees {frees}; take it along with --container {name}")
            }
        });
        if !one.anonymous.is_empty() {
            let count = one.anonymous.len();
            lines.push(format!(
                "  {count} of them nobody named: `rm -v` would remove them unseen"
            ));
        }
    }
    let going: Vec<&Row> = plan
        .rows
        .iter()
        .filter(|row| choice.going.contains(&row.name()))
        .collect();
    let sum = freed(plan, &choice.going);
    section(
        &mut lines,
        &format!("{} to remove, {sum}", figures::counted(going.len() as u64, "volume")),
        &going,
        output,
    );
    let left = |group: Group| plan.group(group).filter(|row| !choice.going.contains(&row.name()));
    let ask: Vec<&Row> = left(Group::Ask).collect();
    if !ask.is_empty() {
        section(
            &mut lines,
            &format!("{} to ask about: take one along with --include NAME", ask.len()),
            &ask,
            output,
        );
    }
    // In a plan of everything the volumes in use are only counted.
    let named = matches!(plan.scope, Scope::Named { .. });
    let (used, keep): (Vec<&Row>, Vec<&Row>) =
        left(Group::Keep).partition(|row| !named && row.blocked && row.mount.orphan == Orphan::No);
    if !keep.is_empty() {
        section(&mut lines, &format!("{} to keep", keep.len()), &keep, output);
    }
    if !used.is_empty() {
        lines.push(format!("{} in use", figures::counted(used.len() as u64, "volume")));
    }
    output.lines(&lines)?;
    Ok(())
}

fn section(lines: &mut Vec<String>, title: &str, rows: &[&Row], output: &Output) {
    lines.push(title.to_owned());
    if rows.is_empty() {
        return;
    }
    let terminal = output.columns;
    let mut columns = vec![
        ("  NAME", Align::Left),
        ("SIZE", Align::Right),
        ("LOOKS LIKE", Align::Left),
    ];
    // On a terminal the reasons stand below their rows, whole; in a pipe each row is one line.
    columns.extend(terminal.is_none().then_some(("WHY", Align::Left)));
    let mut table = Table::new(&columns);
    let room = terminal.map(|columns| (columns / 2).max(16));
    for row in rows {
        let name = text::printable_str(&row.mount.name);
        let name = room.map_or(name.clone(), |room| text::fit_middle(&name, room, output.ellipsis()));
        table.row(vec![
            format!("  {name}"),
            row.size.known_bytes().map_or_else(|| "?".to_owned(), figures::bytes),
            row.fingerprint
                .as_deref()
                .map_or_else(|| "?".to_owned(), text::printable_str),
            why(row),
        ]);
    }
    let mut printed = table.lines(None, output.ellipsis()).into_iter();
    lines.extend(printed.next());
    for (row, line) in rows.iter().zip(printed) {
        lines.push(line);
        let Some(columns) = terminal else { continue };
        let reason = text::wrap(&why(row), columns.saturating_sub(6).max(20));
        lines.extend(reason.into_iter().map(|part| format!("      {part}")));
    }
    let hints: BTreeMap<&str, &str> = rows
        .iter()
        .filter_map(|row| Some((row.mount.name.as_str(), row.hint.as_deref()?)))
        .collect();
    for (name, hint) in hints {
        lines.push(format!(
            "  to re-attach {}, in its compose file:",
            text::printable_str(name)
        ));
        lines.push(format!("    {}", text::printable_str(hint)));
    }
}

/// The reason, and who used it last where that is known.
fn why(row: &Row) -> String {
    let last_use = row.last_use.iter().map(|used| format!("; {used}"));
    text::printable_str(&std::iter::once(row.reason.clone()).chain(last_use).collect::<String>())
}
