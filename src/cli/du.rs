//! `vole du`: measures mounts, or directories in them.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::args::Du;
use super::exit::{Exit, warn};
use super::json::{Path, Usage, UsageEntry};
use super::output::Output;
use super::progress::Progress;
use super::session::Context;
use super::table::{Align, Table};
use crate::core::figures;
use crate::engine::contexts::Environment;
use crate::engine::{Engine, EngineError};
use crate::model::size::Measured;
use crate::model::{Mount, MountId, Size};
use crate::ops::list::{Depth, Inventory};
use crate::ops::size::{self, SizeNews, Subject};
use crate::ops::sizes::SizeCache;
use crate::text;

pub(super) async fn run(context: &Context, engine: &Engine, options: &Du) -> anyhow::Result<Exit> {
    let asked = !options.places.is_empty();
    let mut unfound = 0;
    let (subjects, inventory) = if asked {
        let mut subjects = Vec::new();
        for place in context.places(engine, &options.places).await? {
            match place {
                Ok(place) => subjects.push(Subject {
                    mount: Arc::new(place.mount),
                    path: place.path,
                    asked,
                }),
                Err(error) if options.places.len() == 1 => return Err(error),
                Err(error) => {
                    unfound += 1;
                    warn(&format!("{error:#}"));
                }
            }
        }
        (subjects, None)
    } else {
        let inventory = context.inventory(engine, Depth::Full).await?;
        let subjects = inventory
            .mounts
            .iter()
            .map(|mount| Subject::whole(Arc::clone(mount), asked))
            .collect();
        (subjects, Some(inventory))
    };
    let order: Vec<Arc<Mount>> = subjects.iter().map(|subject| Arc::clone(&subject.mount)).collect();
    let news = measure(context, engine, subjects, options.depth).await?;
    if let Some(inventory) = inventory.as_ref() {
        let whole = |one: &&SizeNews| one.path.is_root();
        let sizes = news
            .iter()
            .filter(whole)
            .map(|one| (one.id.clone(), one.size.clone()))
            .collect();
        keep(engine, inventory, &sizes);
    }
    let done = news.iter().filter(|one| matches!(one.size, Size::Measured(_))).count();
    let failed = unfound + tell_failures(&order, &news, asked);
    let entries = entries(&order, &news);
    if context.output.json {
        context.output.document(&Usage { entries })?;
    } else if !entries.is_empty() || failed == 0 {
        print(&entries, &context.output)?;
    }
    Ok(Exit::of_parts(done, failed))
}

/// Measures subjects with progress on stderr; returns the last news of each, and of each directory.
pub(super) async fn measure(
    context: &Context,
    engine: &Engine,
    subjects: Vec<Subject>,
    depth: u32,
) -> anyhow::Result<Vec<SizeNews>> {
    let all = subjects.len();
    let (sender, mut receiver) = mpsc::channel::<Vec<SizeNews>>(64);
    let mut progress = Progress::new(context.output.progress);
    let (mut last, mut running): (Vec<SizeNews>, HashMap<MountId, u64>) = Default::default();
    let collecting = async {
        while let Some(batch) = receiver.recv().await {
            for one in batch {
                if let Size::Measuring { so_far, .. } = &one.size {
                    running.insert(one.id.clone(), so_far.bytes);
                } else {
                    if let Size::Measured(measured) = &one.size {
                        running.insert(one.id.clone(), measured.totals.bytes);
                    }
                    last.push(one);
                }
            }
            progress.say(|| {
                let bytes = figures::bytes(running.values().sum());
                format!("measuring {} of {all} mounts: {bytes}", last.len().min(all))
            });
        }
    };
    let (outcome, ()) = tokio::join!(
        size::run(engine, subjects, depth, sender, context.cancel.clone()),
        collecting
    );
    if outcome.cancelled {
        return Err(EngineError::Cancelled.into());
    }
    Ok(last)
}

/// Keeps whole mounts' sizes for the next start.
pub(super) fn keep(engine: &Engine, inventory: &Inventory, sizes: &HashMap<MountId, Size>) {
    let mut cache = SizeCache::open(&engine.id, &Environment::of_process());
    for mount in &inventory.mounts {
        if let Some(Size::Measured(measured)) = sizes.get(&mount.id) {
            cache.put(mount, measured.clone());
        }
    }
    cache.prune(inventory);
    if let Err(error) = cache.save() {
        warn(&error.to_string());
    }
}

/// Tells on stderr what has no size and why; returns how many failed. What is not measured unasked did not fail.
pub(super) fn tell_failures(order: &[Arc<Mount>], news: &[SizeNews], asked: bool) -> usize {
    let names: HashMap<&MountId, &str> = order.iter().map(|mount| (&mount.id, mount.name.as_str())).collect();
    let mut failed = 0;
    let mut unasked: Vec<&str> = Vec::new();
    for one in news {
        let name = names.get(&one.id).copied().unwrap_or_default();
        match &one.size {
            Size::Failed(why) => {
                failed += 1;
                warn(&format!("{name}: {why}"));
            }
            Size::Unknown(why) if asked => {
                failed += 1;
                warn(&format!(
                    "{name}: not measured: {}",
                    why.as_deref().unwrap_or("nobody knows why")
                ));
            }
            Size::Unknown(_) => unasked.push(name),
            Size::Measured(measured) if one.path.is_root() && measured.totals.errors > 0 => {
                let first = one
                    .faults
                    .first()
                    .map(|fault| format!("; {}", text::fault(fault)))
                    .unwrap_or_default();
                let count = figures::counted(measured.totals.errors, "entry").replace("entrys", "entries");
                warn(&format!(
                    "{name}: {count} could not be read, so it is at least this large{first}"
                ));
            }
            Size::Measured(_) | Size::Measuring { .. } => {}
        }
    }
    if !unasked.is_empty() {
        warn(&format!("measured only when named, if at all: {}", unasked.join(", ")));
    }
    failed
}

/// What was measured, by mount in the order asked, by path within.
fn entries(order: &[Arc<Mount>], news: &[SizeNews]) -> Vec<UsageEntry> {
    let at: HashMap<&MountId, usize> = order.iter().enumerate().map(|(at, mount)| (&mount.id, at)).collect();
    let mut measured: Vec<(usize, &SizeNews, &Measured)> = news
        .iter()
        .filter_map(|one| match &one.size {
            Size::Measured(measured) => Some((*at.get(&one.id)?, one, measured)),
            _ => None,
        })
        .collect();
    measured.sort_by(|a, b| (a.0, &a.1.path).cmp(&(b.0, &b.1.path)));
    let entry = |(at, one, measured): (usize, &SizeNews, &Measured)| UsageEntry {
        volume: order[at].name.clone(),
        path: Path::new(one.path.as_bytes()),
        totals: measured.totals.into(),
        source: measured.source,
    };
    measured.into_iter().map(entry).collect()
}

fn print(entries: &[UsageEntry], output: &Output) -> anyhow::Result<()> {
    let columns = [
        ("SIZE", Align::Right),
        ("FILES", Align::Right),
        ("BY", Align::Left),
        ("MOUNT", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for entry in entries {
        let path = if entry.path.path.is_empty() {
            String::new()
        } else {
            format!(":{}", entry.path.path)
        };
        let source = match entry.source {
            crate::model::Source::Agent => "agent",
            crate::model::Source::Local => "local",
            crate::model::Source::Engine => "engine",
        };
        let cells = [entry.totals.human(), entry.totals.files_word(), source.to_owned()];
        let name = text::printable_str(&format!("{}{path}", entry.volume));
        table.row(cells.into_iter().chain([name]).collect());
    }
    output.lines(&table.lines(output.columns, output.ellipsis()))?;
    Ok(())
}
