//! `vole grep`: lines that match, in the files of a mount.

use anyhow::Context as _;
use futures_util::StreamExt;
use serde::Serialize;
use vole_agent::proto::Hit;

use super::args::Grep;
use super::exit::{Exit, UsageError, warn};
use super::json::{Path, b64_unless_text};
use super::session::Context;
use crate::engine::{Engine, EngineError};
use crate::ops::browse;
use crate::ops::search::{self, Case, Reading};
use crate::text;

/// The longest part of a line that is shown, in bytes.
const LONGEST: u32 = 4096;

#[derive(Debug, Serialize)]
struct Document {
    volume: String,
    hits: Vec<Row>,
    errors: usize,
}

#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    path: Path,
    line: u64,
    offset: u64,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    text_b64: Option<String>,
    cut: bool,
}

impl From<Hit> for Row {
    fn from(hit: Hit) -> Self {
        Self {
            path: Path::new(&hit.path),
            line: hit.line,
            offset: hit.offset,
            text: String::from_utf8_lossy(&hit.text).into_owned(),
            text_b64: b64_unless_text(&hit.text),
            cut: hit.cut,
        }
    }
}

pub(super) async fn run(context: &Context, engine: &Engine, options: &Grep) -> anyhow::Result<Exit> {
    let case = if options.ignore_case {
        Case::Insensitive
    } else {
        Case::Sensitive
    };
    let reading = Reading {
        case,
        literal: options.fixed_strings,
    };
    let pattern = search::compile(&options.pattern, reading).map_err(|error| UsageError(error.to_string()))?;
    if pattern.ascii_only {
        warn("the pattern is large: its classes and its case know ASCII letters only");
    }
    let place = context.place(engine, &options.place).await?;
    let (mut rows, mut errors) = (Vec::new(), 0);
    let searching = async {
        let open = browse::open(engine, &place.mount).await?;
        let at = open.place(&place.path);
        let mut hits = open.session.grep(at, pattern.dfa, u32::MAX, LONGEST, options.binary);
        while let Some(some) = hits.next().await {
            match some {
                Ok(some) if context.output.json => rows.extend(some.into_iter().map(Row::from)),
                Ok(some) => some.iter().try_for_each(|hit| context.output.line(&line(hit)))?,
                Err(EngineError::Partial { notes }) => {
                    errors = notes.len();
                    notes.iter().for_each(|fault| warn(&text::fault(fault)));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    };
    context
        .until_cancelled(searching)
        .await
        .with_context(|| place.blamed())?;
    if context.output.json {
        context.output.document(&Document {
            volume: place.mount.name.clone(),
            hits: rows,
            errors,
        })?;
    }
    Ok(Exit::of_parts(1, errors))
}

fn line(hit: &Hit) -> String {
    let cut = if hit.cut { " [cut]" } else { "" };
    format!(
        "{}:{}:{}{cut}",
        text::printable(&hit.path),
        hit.line,
        text::printable(&hit.text)
    )
}
