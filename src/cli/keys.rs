//! `vole keys`: the keys of the screen, from the one table of actions.

use serde::Serialize;

use super::args::{Globals, Keys};
use super::exit::Exit;
use super::output::Output;
use super::table::{Align, Table};
use crate::core::action::{ACTIONS, Declared, Section};

#[derive(Debug, Serialize)]
struct Document {
    keys: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    section: &'static str,
    action: &'static str,
    keys: &'static [&'static str],
    doc: &'static str,
}

pub(super) fn run(options: &Keys, _globals: &Globals, output: &Output) -> anyhow::Result<Exit> {
    if output.json {
        let row = |row: &Declared| Row {
            section: row.section.title(),
            action: row.id,
            keys: row.keys,
            doc: row.doc,
        };
        output.document(&Document {
            keys: ACTIONS.iter().map(row).collect(),
        })?;
    } else if options.markdown {
        for line in markdown() {
            output.line(&line)?;
        }
    } else {
        let mut table = Table::new(&[
            ("WHERE", Align::Left),
            ("KEYS", Align::Left),
            ("ACTION", Align::Left),
            ("", Align::Left),
        ]);
        for (section, row) in by_section() {
            let cells = [section.title(), &row.keys.join(" "), row.id, row.doc];
            table.row(cells.map(str::to_owned).to_vec());
        }
        for line in table.lines(output.columns, output.ellipsis()) {
            output.line(&line)?;
        }
    }
    Ok(Exit::Done)
}

fn by_section() -> impl Iterator<Item = (Section, &'static Declared)> {
    Section::ALL.into_iter().flat_map(|section| {
        ACTIONS
            .iter()
            .filter(move |row| row.section == section)
            .map(move |row| (section, row))
    })
}

/// The table as the documents show it.
fn markdown() -> Vec<String> {
    let mut lines = vec![
        "| Where | Keys | Does | Name |".to_owned(),
        "|---|---|---|---|".to_owned(),
    ];
    for (section, row) in by_section() {
        // A bar or backquote would end the cell.
        let keys: Vec<String> = row
            .keys
            .iter()
            .map(|key| format!("`{}`", key.replace('|', "\\|")))
            .collect();
        lines.push(format!(
            "| {} | {} | {} | `{}` |",
            section.title(),
            keys.join(" "),
            row.doc.replace('|', "\\|"),
            row.id
        ));
    }
    lines
}
