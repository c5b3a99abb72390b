//! `vole config`: where vole keeps its files, whether they are there, and what is configured.

use std::path::PathBuf;

use serde::Serialize;

use super::args::Globals;
use super::exit::{Exit, UsageError};
use super::output::Output;
use crate::config::{self, Config};
use crate::engine::contexts::Environment;
use crate::{store, text};

#[derive(Debug, Serialize)]
struct Document {
    config: Place,
    cache: Place,
    data: Place,
    state: Place,
    values: Config,
}

#[derive(Debug, Serialize)]
struct Place {
    path: Option<String>,
    exists: bool,
}

impl Place {
    fn of(path: Option<PathBuf>) -> Self {
        Self {
            exists: path.as_ref().is_some_and(|path| path.exists()),
            path: path.map(|path| path.to_string_lossy().into_owned()),
        }
    }
}

pub(super) fn run(globals: &Globals, output: &Output) -> anyhow::Result<Exit> {
    let environment = Environment::of_process();
    let values = Config::load(globals.config.as_deref()).map_err(|error| UsageError(error.to_string()))?;
    let document = Document {
        config: Place::of(globals.config.clone().or_else(config::usual_place)),
        cache: Place::of(store::cache_dir(&environment)),
        data: Place::of(store::data_dir(&environment)),
        state: Place::of(store::state_dir(&environment)),
        values,
    };
    if output.json {
        output.document(&document)?;
        return Ok(Exit::Done);
    }
    for (name, place) in [
        ("config", &document.config),
        ("cache", &document.cache),
        ("data", &document.data),
        ("state", &document.state),
    ] {
        let path = place
            .path
            .as_deref()
            .map_or_else(|| "nowhere: HOME is not set".to_owned(), text::printable_str);
        let absent = if place.exists || place.path.is_none() {
            ""
        } else {
            "  (not there)"
        };
        output.line(&format!("{name:<8}{path}{absent}"))?;
    }
    // What stands in the file, in the words of the file; what does not stands there with its default.
    let values = toml::to_string(&document.values)?;
    for line in values.lines() {
        output.line(&text::printable_str(line))?;
    }
    Ok(Exit::Done)
}
