//! `vole keys`: the keys of the screen, from the one table of actions.

use serde::Serialize;

use super::args::{Globals, Keys};
use super::exit::{Exit, UsageError};
use super::output::Output;
use super::table::{Align, Table};
use crate::config::Config;
use crate::core::action::{ACTIONS, Declared, Section};
use crate::text;

#[derive(Debug, Serialize)]
struct Document<'a> {
    keys: Vec<Row<'a>>,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    section: &'static str,
    action: &'static str,
    keys: Vec<&'a str>,
    doc: &'static str,
}

pub(super) fn run(options: &Keys, globals: &Globals, output: &Output) -> anyhow::Result<Exit> {
    let config = Config::load(globals.config.as_deref()).map_err(|error| UsageError(error.to_string()))?;
    if output.json {
        let row = |row: &'static Declared| Row {
            section: row.section.title(),
            action: row.id,
            keys: keys(row, &config),
            doc: row.doc,
        };
        output.document(&Document {
            keys: ACTIONS.iter().map(row).collect(),
        })?;
    } else if options.markdown {
        output.lines(&markdown())?;
    } else {
        let mut table = Table::new(&[
            ("WHERE", Align::Left),
            ("KEYS", Align::Left),
            ("ACTION", Align::Left),
            ("", Align::Left),
        ]);
        for (section, row) in by_section() {
            let cells = [
                section.title(),
                &text::printable_str(&keys(row, &config).join(" ")),
                row.id,
                row.doc,
            ];
            table.row(cells.map(str::to_owned).to_vec());
        }
        output.lines(&table.lines(output.columns, output.ellipsis()))?;
    }
    Ok(Exit::Done)
}

/// The keys of an action: those of the configuration, else the usual ones.
fn keys<'a>(row: &'static Declared, config: &'a Config) -> Vec<&'a str> {
    match config.keys.get(row.id) {
        Some(own) => own.iter().map(String::as_str).collect(),
        None => row.keys.to_vec(),
    }
}

fn by_section() -> impl Iterator<Item = (Section, &'static Declared)> {
    Section::ALL.into_iter().flat_map(|section| {
        ACTIONS
            .iter()
            .filter(move |row| row.section == section)
            .map(move |row| (section, row))
    })
}

/// The table as the documents show it, with the usual keys.
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
