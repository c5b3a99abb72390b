//! `vole df`: the file systems behind the mounts, and what else the engine keeps.

use serde::Serialize;

use super::exit::{Exit, warn};
use super::json::b64_unless_text;
use super::output::Output;
use super::session::Context;
use super::table::{Align, Table};
use crate::core::figures;
use crate::engine::Engine;
use crate::ops::df::{self, Backing, FileSystems, NotVolumes};
use crate::ops::list::Depth;
use crate::text;

#[derive(Debug, Serialize)]
struct Document {
    file_systems: Vec<Row>,
    volumes_bytes: Option<u64>,
    images: Option<u64>,
    layers_bytes: Option<u64>,
    containers_bytes: Option<u64>,
    logs_bytes: Option<u64>,
    build_cache_bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Row {
    source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_b64: Option<String>,
    r#type: String,
    size_bytes: u64,
    free_bytes: u64,
    available_bytes: u64,
    inodes: Option<u64>,
    inodes_free: Option<u64>,
    mounts: Vec<String>,
}

impl From<Backing> for Row {
    fn from(backing: Backing) -> Self {
        Self {
            source: String::from_utf8_lossy(&backing.source).into_owned(),
            bytes_b64: b64_unless_text(&backing.source),
            r#type: backing.fs_type,
            size_bytes: backing.size,
            free_bytes: backing.free,
            available_bytes: backing.available,
            inodes: backing.inodes.map(|(all, _)| all),
            inodes_free: backing.inodes.map(|(_, free)| free),
            mounts: backing.mounts,
        }
    }
}

pub(super) async fn run(context: &Context, engine: &Engine) -> anyhow::Result<Exit> {
    let inventory = context.inventory(engine, Depth::Rows).await?;
    let asking = async {
        let both = tokio::join!(
            df::file_systems(engine, &inventory),
            df::not_volumes(engine, &inventory.about)
        );
        Ok((both.0, both.1?))
    };
    let (systems, others) = context.until_cancelled(asking).await?;
    let mut failed = 0;
    let mut tell = |what: &str, why: String| {
        failed += 1;
        warn(&format!("{what}: {why}"));
    };
    let systems = systems.unwrap_or_else(|error| {
        tell("cannot look at the file systems", error.to_string());
        FileSystems::default()
    });
    for why in &systems.left_out {
        warn(why);
    }
    let systems = systems.rows;
    if let Some(why) = &others.usage_failed {
        tell("the engine did not say what images and caches take", why.clone());
    }
    if context.output.json {
        context.output.document(&document(systems, &others))?;
    } else {
        print(&systems, &others, &context.output)?;
    }
    Ok(Exit::of_parts(2 - failed, failed))
}

fn volumes_bytes(others: &NotVolumes) -> Option<u64> {
    others.usage.as_ref().map(|usage| usage.volumes.values().sum())
}

fn document(systems: Vec<Backing>, others: &NotVolumes) -> Document {
    let usage = others.usage.as_ref();
    Document {
        file_systems: systems.into_iter().map(Row::from).collect(),
        volumes_bytes: volumes_bytes(others),
        images: usage.and_then(|usage| usage.images),
        layers_bytes: usage.and_then(|usage| usage.layers),
        containers_bytes: usage.and_then(|usage| usage.containers),
        logs_bytes: others.logs,
        build_cache_bytes: usage.and_then(|usage| usage.build_cache),
    }
}

fn print(systems: &[Backing], others: &NotVolumes, output: &Output) -> anyhow::Result<()> {
    let mut table = Table::new(&[
        ("SIZE", Align::Right),
        ("FREE", Align::Right),
        ("USED", Align::Right),
        ("INODES FREE", Align::Right),
        ("MOUNTS", Align::Right),
        ("FILE SYSTEM", Align::Left),
    ]);
    for system in systems {
        let used = 100 * u128::from(system.size - system.free.min(system.size)) / u128::from(system.size.max(1));
        let source = match system.source.as_slice() {
            b"" => "the engine's data root".to_owned(),
            source => text::printable(source),
        };
        table.row(vec![
            figures::bytes(system.size),
            figures::bytes(system.available),
            format!("{used} %"),
            system
                .inodes
                .map_or_else(|| "-".to_owned(), |(_, free)| figures::count(free)),
            system.mounts.len().to_string(),
            format!("{source} {}", text::printable_str(&system.fs_type)),
        ]);
    }
    let usage = others.usage.as_ref();
    let images = usage.and_then(|usage| usage.images);
    let images = images.map_or_else(|| "? images".to_owned(), |count| figures::counted(count, "image"));
    let mut rest = Table::new(&[("TAKEN", Align::Right), ("BY (AS THE ENGINE COUNTS)", Align::Left)]);
    for (what, bytes) in [
        ("volumes without driver options".to_owned(), volumes_bytes(others)),
        (format!("image layers ({images})"), usage.and_then(|usage| usage.layers)),
        (
            "containers' writable layers".to_owned(),
            usage.and_then(|usage| usage.containers),
        ),
        ("containers' logs".to_owned(), others.logs),
        ("build cache".to_owned(), usage.and_then(|usage| usage.build_cache)),
    ] {
        rest.row(vec![bytes.map_or_else(|| "?".to_owned(), figures::bytes), what]);
    }
    let tables = [
        table.lines(output.columns, output.ellipsis()),
        vec![String::new()],
        rest.lines(output.columns, output.ellipsis()),
    ];
    output.lines(&tables.concat())?;
    Ok(())
}
