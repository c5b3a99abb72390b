//! Data that goes with its container: in the writable layer, or in a volume that is removed with it.

use super::exam::Exam;
use super::finding::{Cause, Confidence, Finding, Fix};
use super::lines;
use crate::core::figures;
use crate::model::MountKind;
use crate::text;

/// Files and directories that only databases and the like make; the directory above them is the data's.
const MARKS: [(&str, &str); 14] = [
    ("global/pg_control", "PostgreSQL"),
    ("PG_VERSION", "PostgreSQL"),
    ("ibdata1", "MySQL/MariaDB"),
    ("aria_log_control", "MySQL/MariaDB"),
    ("WiredTiger.wt", "MongoDB"),
    ("WiredTiger", "MongoDB"),
    ("appendonly.aof", "Redis/Valkey"),
    ("appendonlydir", "Redis/Valkey"),
    ("dump.rdb", "Redis/Valkey"),
    ("queries.active", "Prometheus"),
    ("grafana.db", "Grafana"),
    ("chunks_head", "Prometheus"),
    ("node.lock", "Elasticsearch/OpenSearch"),
    ("influxd.bolt", "InfluxDB"),
];
/// Endings of databases in one file.
const SUFFIXES: [&str; 3] = [".sqlite3", ".sqlite", ".mdb"];
/// Directories whose contents nobody misses.
const PASSING: [&str; 8] = [
    "/tmp",
    "/var/tmp",
    "/run",
    "/proc",
    "/sys",
    "/dev",
    "/var/cache",
    "/usr/share",
];
/// A writable layer of this size holds something.
const LARGE: u64 = 64 << 20;

/// Data that would be lost with the container.
pub(super) fn on(exam: &Exam<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = databases(exam).into_iter().collect();
    if findings.is_empty() {
        findings.extend(large(exam));
    }
    findings.extend(removed_with_it(exam));
    findings
}

/// The directory of a database in the writable layer, and whose it is.
fn mark(path: &str) -> Option<(&str, &'static str)> {
    let file = path.trim_end_matches('/');
    let passing = |dir: &&str| file.strip_prefix(*dir).is_some_and(|rest| rest.starts_with('/'));
    if PASSING.iter().any(passing) {
        return None;
    }
    let of_name = MARKS.iter().find_map(|(name, kind)| {
        let dir = file.strip_suffix(name)?.strip_suffix('/')?;
        Some((dir, *kind))
    });
    of_name.or_else(|| {
        let database = SUFFIXES.iter().any(|suffix| file.ends_with(suffix));
        let (dir, _) = file.rsplit_once('/').filter(|_| database)?;
        Some((dir, "SQLite"))
    })
}

fn databases(exam: &Exam<'_>) -> Option<Finding> {
    let layer = exam.case.layer.as_ref()?;
    let on_no_mount = |path: &&String| exam.holder(path.as_bytes()).is_none();
    let mut found = layer
        .paths
        .iter()
        .filter(on_no_mount)
        .filter_map(|path| Some((path, mark(path)?)));
    let (path, (dir, kind)) = found.next()?;
    let dir = if dir.is_empty() { "/" } else { dir };
    let summary = format!(
        "{} keeps {kind} data in {}, on no mount: it goes with the container",
        exam.name(),
        text::printable_str(dir)
    );
    let line = format!("NAME:{dir}");
    let fix = Fix::Config {
        compose: format!("volumes: [\"{line}\"]"),
        cli: format!("-v {}", lines::shell(&line)),
    };
    let mut finding = exam.finding(Cause::DataAtRisk, Confidence::High, summary, fix);
    finding.path = Some(text::printable_str(dir));
    let more = found
        .take(2)
        .map(|(path, _)| format!("in the writable layer: {}", text::printable_str(path)));
    finding
        .evidence
        .push(format!("in the writable layer: {}", text::printable_str(path)));
    finding.evidence.extend(more);
    if let Some(bytes) = layer.bytes {
        finding
            .evidence
            .push(format!("the writable layer holds {}", figures::bytes(bytes)));
    }
    finding.caveats.push(format!(
        "a volume mounted there is empty at first: copy the data out before the container goes (docker cp {}:{} .)",
        lines::shell(&exam.case.container.name),
        lines::shell(dir)
    ));
    Some(finding)
}

/// A large layer that does not say what it holds.
fn large(exam: &Exam<'_>) -> Option<Finding> {
    let layer = exam.case.layer.as_ref()?;
    let bytes = layer.bytes.filter(|bytes| *bytes >= LARGE)?;
    if !exam.case.state.is_live() {
        return None;
    }
    let summary = format!(
        "{} has written {} on no mount: it goes with the container",
        exam.name(),
        figures::bytes(bytes)
    );
    let fix = Fix::Advice {
        words: "look at what it writes, and mount a volume where that is to be kept".to_owned(),
    };
    let mut finding = exam.finding(Cause::DataAtRisk, Confidence::Low, summary, fix);
    let paths = layer.paths.iter().filter(|path| exam.holder(path.as_bytes()).is_none());
    finding
        .evidence
        .push(format!("the writable layer holds {}", figures::bytes(bytes)));
    finding.evidence.extend(
        paths
            .take(5)
            .map(|path| format!("written: {}", text::printable_str(path))),
    );
    Some(finding)
}

/// Volumes without a name that are removed with a container of `--rm`.
fn removed_with_it(exam: &Exam<'_>) -> Vec<Finding> {
    if !exam.case.run.auto_remove || exam.never_ran() {
        return Vec::new();
    }
    let held = exam.case.mounts.iter().filter(|attached| {
        attached.mount.kind == MountKind::Anonymous && attached.empty == Some(false) && attached.others.is_empty()
    });
    let told = held.map(|attached| {
        let destination = &attached.attachment.destination;
        let line = format!("NAME:{destination}");
        let summary = format!(
            "{} was started with --rm, and the volume without a name at {} goes with it",
            exam.name(),
            text::printable_str(destination)
        );
        let fix = Fix::Config {
            compose: format!("volumes: [\"{line}\"]"),
            cli: format!("-v {}", lines::shell(&line)),
        };
        let mut finding = exam.finding_on(attached, Cause::DataAtRisk, Confidence::Medium, summary, fix);
        finding.evidence.push("AutoRemove is set".to_owned());
        finding
            .evidence
            .push(format!("{} is not empty", text::printable_str(&attached.mount.name)));
        finding
            .caveats
            .push("copy the data before the container ends".to_owned());
        finding
    });
    told.collect()
}
