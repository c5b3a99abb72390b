//! `vole create`: makes a volume.

use serde_json::json;

use super::args::Create;
use super::exit::{Exit, UsageError};
use super::session::Context;
use crate::engine::Engine;
use crate::engine::daemon::NewVolume;
use crate::ops::create::{self, CreateError};
use crate::text;

pub(super) async fn run(context: &Context, engine: &Engine, options: &Create) -> anyhow::Result<Exit> {
    let wanted = NewVolume {
        name: options.name.clone(),
        driver: options.driver.clone(),
        options: options.options.iter().cloned().collect(),
        labels: options.labels.iter().cloned().collect(),
    };
    let making = async { create::run(engine, wanted).await.map_err(error) };
    let made = context.until_cancelled(making).await?;
    if context.output.json {
        context
            .output
            .document(&json!({"name": made.name, "driver": made.driver, "mountpoint": made.mountpoint}))?;
    } else {
        context.output.line(&text::printable_str(&made.name))?;
    }
    Ok(Exit::Done)
}

fn error(error: CreateError) -> anyhow::Error {
    match error {
        CreateError::BadName(_) => UsageError(error.to_string()).into(),
        CreateError::Engine(error) => error.into(),
        CreateError::Exists(_) | CreateError::Another(_) => error.into(),
    }
}
