//! `vole ls`: mounts with their containers, project, size and whether anything refers to them.

use std::collections::HashMap;
use std::sync::Arc;

use super::args::Ls;
use super::du;
use super::exit::Exit;
use super::json::{EngineInfo, List, MountInfo};
use super::output::Output;
use super::session::Context;
use super::table::{Align, Table};
use crate::core::figures;
use crate::engine::Engine;
use crate::model::{Mount, MountId, MountKind, Orphan, Size};
use crate::ops::list::Depth;
use crate::ops::size::Subject;
use crate::text;

pub(super) async fn run(context: &Context, engine: &Engine, options: &Ls) -> anyhow::Result<Exit> {
    let inventory = context.inventory(engine, Depth::Full).await?;
    let passes = |mount: &&Arc<Mount>| {
        options.kind.is_none_or(|kind| kind.passes(mount.kind)) && (!options.orphans || mount.orphan == Orphan::Yes)
    };
    let mounts: Vec<Arc<Mount>> = inventory.mounts.iter().filter(passes).cloned().collect();
    let (mut sizes, mut failed) = (HashMap::new(), 0);
    if options.sizes {
        let subjects = mounts
            .iter()
            .map(|mount| Subject::whole(Arc::clone(mount), false))
            .collect();
        let news = du::measure(context, engine, subjects, 0).await?;
        failed = du::tell_failures(&mounts, &news, false);
        sizes = totals(news);
        du::keep(engine, &inventory, &sizes);
    }
    if context.output.json {
        let rows = mounts
            .iter()
            .map(|mount| MountInfo::new(mount, measured(sizes.get(&mount.id)), &engine.rules))
            .collect();
        context.output.document(&List {
            engine: EngineInfo::new(&inventory.about),
            mounts: rows,
        })?;
    } else {
        print(&mounts, options.sizes.then_some(&sizes), &context.output)?;
    }
    // The list itself is complete: sizes that failed are only a part of it.
    Ok(Exit::of_parts(1, failed))
}

fn totals(news: Vec<crate::ops::size::SizeNews>) -> HashMap<MountId, Size> {
    news.into_iter().map(|one| (one.id, one.size)).collect()
}

fn measured(size: Option<&Size>) -> Option<&crate::model::size::Measured> {
    match size? {
        Size::Measured(measured) => Some(measured),
        _ => None,
    }
}

fn print(mounts: &[Arc<Mount>], sizes: Option<&HashMap<MountId, Size>>, output: &Output) -> anyhow::Result<()> {
    let mut columns = vec![("KIND", Align::Left), ("NAME", Align::Left)];
    if sizes.is_some() {
        columns.extend([
            ("SIZE", Align::Right),
            ("FILES", Align::Right),
            ("LOOKS LIKE", Align::Left),
        ]);
    }
    columns.extend([("PROJECT", Align::Left), ("STATE", Align::Left), ("WHY", Align::Left)]);
    let mut table = Table::new(&columns);
    let name_room = output.columns.map(|columns| (columns / 3).max(20));
    for mount in mounts {
        let name = text::printable_str(&mount.name);
        let name = name_room.map_or(name.clone(), |room| text::fit_middle(&name, room, output.ellipsis()));
        let mut row = vec![kind_word(mount.kind).to_owned(), name];
        if let Some(sizes) = sizes {
            row.extend(size_cells(sizes.get(&mount.id)));
        }
        row.extend([
            project(mount),
            state_word(mount).to_owned(),
            text::printable_str(&mount.reason),
        ]);
        table.row(row);
    }
    output.lines(&table.lines(output.columns, output.ellipsis()))?;
    Ok(())
}

fn size_cells(size: Option<&Size>) -> [String; 3] {
    match size {
        Some(Size::Measured(measured)) => {
            let more = if measured.totals.errors > 0 { ">" } else { "" };
            let files = measured
                .totals
                .files
                .map_or_else(|| "?".to_owned(), |files| files.to_string());
            let looks = measured
                .contents
                .as_ref()
                .map_or_else(|| "-".to_owned(), |contents| text::printable_str(&contents.words()));
            [format!("{more}{}", figures::bytes(measured.totals.bytes)), files, looks]
        }
        Some(Size::Failed(_)) => ["failed".to_owned(), "?".to_owned(), "-".to_owned()],
        _ => ["?".to_owned(), "?".to_owned(), "-".to_owned()],
    }
}

/// The project; one that comes from containers' labels stands in parentheses.
fn project(mount: &Mount) -> String {
    let name = mount.project.as_deref().map(text::printable_str);
    match (name, mount.project_derived) {
        (None, _) => "-".to_owned(),
        (Some(name), false) => name,
        (Some(name), true) => format!("({name})"),
    }
}

fn kind_word(kind: MountKind) -> &'static str {
    match kind {
        MountKind::Named => "named",
        MountKind::Anonymous => "anonymous",
        MountKind::Bind => "bind",
        MountKind::Tmpfs => "tmpfs",
        MountKind::Cluster => "cluster",
        MountKind::Image => "image",
    }
}

fn state_word(mount: &Mount) -> &'static str {
    match mount.orphan {
        Orphan::Yes => "orphan",
        Orphan::Unknown => "unknown",
        Orphan::No => "used",
    }
}
