//! The plan of a change and its outcome, for people and as JSON. Decides nothing.

use serde_json::{Value, json};
use vole_agent::proto::own::{Change, Sampled, Skipped, Why};

use crate::cli::json::Path;
use crate::cli::output::Output;
use crate::core::figures::{self, entries};
use crate::ops::chown::{Block, Plan, Report};
use crate::text;

/// Entries that a list for people shows.
const SHOWN: usize = 10;

pub(super) fn plan(plan: &Plan, output: &Output) -> anyhow::Result<()> {
    let request = &plan.request;
    let census = &plan.census;
    let path = match request.path.as_bytes() {
        [] => String::new(),
        path => format!(":{}", text::printable(path)),
    };
    let verb = if is_chmod(&request.change) { "mode" } else { "owner" };
    let mut lines = vec![format!(
        "{}{path}: {verb} {}{}",
        text::printable_str(&request.mount.name),
        text::printable_str(&request.words),
        if request.change.recursive {
            ", with all beneath"
        } else {
            ""
        }
    )];
    if let Some(resolved) = plan
        .resolved
        .as_ref()
        .filter(|resolved| **resolved != request.mount.name)
    {
        lines.push(format!("  at {} on the host", text::printable_str(resolved)));
    }
    lines.push(format!(
        "  {} to change, {} as they should be, {} left alone",
        entries(census.change),
        figures::count(census.unchanged),
        figures::count(census.skipped)
    ));
    lines.extend(census.owners.iter().map(|owner| {
        let (uid, gid) = (owner.uid, owner.gid);
        format!("  {uid}:{gid} owns {}", entries(owner.entries))
    }));
    lines.extend(census.sample.iter().take(SHOWN).map(|one| sample(&request.change, one)));
    lines.extend(left(&census.skips, census.skipped));
    lines.extend(plan.blocks.iter().map(|block| format!("! {}", block_words(block))));
    lines.extend(
        plan.caveats
            .iter()
            .map(|caveat| format!("  note: {}", text::printable_str(caveat))),
    );
    output.lines(&lines)?;
    Ok(())
}

fn is_chmod(change: &Change) -> bool {
    change.uid.is_none() && change.gid.is_none()
}

fn sample(change: &Change, one: &Sampled) -> String {
    let (uid, gid, mode) = change.of(one.kind, one.uid, one.gid, one.mode);
    let path = match one.path.as_slice() {
        [] => ".".to_owned(),
        path => text::printable(path),
    };
    match is_chmod(change) {
        true => format!("    {path}: {:04o} becomes {mode:04o}", one.mode & 0o7777),
        false => format!("    {path}: {}:{} becomes {uid}:{gid}", one.uid, one.gid),
    }
}

fn left(skips: &[Skipped], skipped: u64) -> Vec<String> {
    let shown = skips.iter().take(SHOWN);
    let mut lines: Vec<String> = shown
        .map(|skip| format!("  left alone: {}: {}", text::printable(&skip.path), reason(&skip.why)))
        .collect();
    let more = skipped.saturating_sub(lines.len() as u64);
    if more > 0 {
        lines.push(format!("  left alone: {} more", figures::count(more)));
    }
    lines
}

pub(super) fn report(plan: &Plan, report: &Report, output: &Output) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    match &report.journal {
        Some(journal) => {
            lines.push(format!("changed {}, journal {journal}", entries(report.changed)));
            lines.extend(left(&report.skips, report.skipped));
            lines.push(format!("`vole undo {journal}` takes it back"));
        }
        None => {
            let name = text::printable_str(&plan.request.mount.name);
            lines.push(format!("nothing to change in {name}"));
        }
    }
    output.lines(&lines)?;
    Ok(())
}

/// Why an entry was left alone.
fn reason(why: &Why) -> String {
    match why {
        Why::OtherMount => "another file system is mounted there".to_owned(),
        Why::Left => "something is mounted there on the host".to_owned(),
        Why::Refused { errno: 0 } => "it could not be read".to_owned(),
        Why::Refused { errno } => std::io::Error::from_raw_os_error(*errno).to_string(),
        Why::Replaced => "another entry took its place".to_owned(),
        Why::Changed => "it was changed since".to_owned(),
        Why::Gone => "it is gone".to_owned(),
    }
}

fn block_words(block: &Block) -> String {
    match block {
        Block::Running { container } => format!("{} runs and uses it", text::printable_str(container)),
        Block::OtherUser { container, uid } => {
            format!(
                "{} works as user {uid} and may lose access",
                text::printable_str(container)
            )
        }
        Block::LinkedOutside { files, first } => format!(
            "{} with names outside of it too, whose owner changes there as well; the first: {}",
            figures::counted(*files, "file"),
            text::printable(first)
        ),
    }
}

/// What was left alone, as scripts read it.
pub(in crate::cli) fn skipped(skips: &[Skipped]) -> Vec<Value> {
    let entry = |skip: &Skipped| with_path(&skip.path, json!({ "reason": reason(&skip.why) }));
    skips.iter().map(entry).collect()
}

fn with_path(path: &[u8], mut value: Value) -> Value {
    let Path { path, bytes_b64 } = Path::new(path);
    value["path"] = path.into();
    if let Some(bytes) = bytes_b64 {
        value["bytes_b64"] = bytes.into();
    }
    value
}

/// The document: the plan, and what came of it.
pub(super) fn document(plan: &Plan, report: &Report, dry_run: bool) -> Value {
    let (request, census) = (&plan.request, &plan.census);
    let began = report.journal.is_some();
    let (skips, count) = match began {
        true => (&report.skips, report.skipped),
        false => (&census.skips, census.skipped),
    };
    let blocks = plan.blocks.iter().map(|block| {
        let mut value = json!({ "reason": block_words(block), "needs_name": block.needs_name() });
        match block {
            Block::Running { container } => value["container"] = container.as_str().into(),
            Block::OtherUser { container, uid } => {
                value["container"] = container.as_str().into();
                value["uid"] = (*uid).into();
            }
            Block::LinkedOutside { files, .. } => value["files"] = (*files).into(),
        }
        value
    });
    let sample = census.sample.iter().map(|one| {
        let (uid, gid, mode) = request.change.of(one.kind, one.uid, one.gid, one.mode);
        with_path(
            &one.path,
            json!({
                "uid": one.uid, "gid": one.gid, "mode": format!("{:04o}", one.mode & 0o7777),
                "to_uid": uid, "to_gid": gid, "to_mode": format!("{:04o}", mode & 0o7777),
            }),
        )
    });
    json!({
        "to": request.words,
        "mount": request.mount.name,
        "path": String::from_utf8_lossy(request.path.as_bytes()),
        "resolved": plan.resolved,
        "dry_run": dry_run,
        "refused": plan.refused,
        "change": census.change,
        "changed": report.changed,
        "unsure": report.unsure,
        "unchanged": if began { report.unchanged } else { census.unchanged },
        "skipped": skipped(skips),
        "skipped_count": count,
        "sample": sample.collect::<Vec<_>>(),
        "blocks": blocks.collect::<Vec<_>>(),
        "caveats": plan.caveats,
        "journal": report.journal.as_ref().map(|journal| journal.as_str()),
        "stopped": report.stopped,
    })
}
