//! Decides, purely, over what was gathered.

use std::cmp::Reverse;
use std::sync::Arc;

use super::{Evidence, Looked, Plan, Row, Scope, verdict};
use crate::fingerprint::Rules;
use crate::model::{Mount, Size};

/// Makes the plan: a row for every volume that the scope speaks of.
pub fn plan(scope: Scope, evidence: &Evidence, rules: &Rules) -> Plan {
    let judge = verdict::Judge::new(&scope, evidence, rules);
    let volumes = evidence.now.mounts.iter().filter(|mount| mount.kind.is_volume());
    let mut rows: Vec<Row> = volumes
        .filter(|mount| verdict::in_scope(&scope, mount))
        .filter_map(|mount| row(&scope, mount, evidence, &judge))
        .collect();
    rows.sort_by_cached_key(|row| (row.group, row.blocked, Reverse(row.frees), row.mount.name.clone()));
    let mut warnings = evidence.now.warnings.clone();
    for warning in &evidence.before.warnings {
        if !warnings.contains(warning) {
            warnings.push(warning.clone());
        }
    }
    warnings.extend(evidence.short.clone());
    Plan {
        scope,
        at: evidence.at,
        containers: evidence.stopped.clone(),
        rows,
        warnings,
    }
}

fn row(scope: &Scope, mount: &Arc<Mount>, evidence: &Evidence, judge: &verdict::Judge<'_>) -> Option<Row> {
    let looked = evidence.looked.get(&mount.id);
    let verdict = judge.judge(mount);
    if !verdict.blocked && !verdict::old_enough(scope, mount, looked, evidence.at) {
        return None;
    }
    let size = looked.map_or(Size::Unknown(None), |looked| looked.size.clone());
    let frees = match size.measured() {
        _ if verdict::is_elsewhere(mount) => Some(0),
        measured => measured.map(|measured| measured.totals.bytes),
    };
    Some(Row {
        group: verdict.group,
        reason: verdict.reason,
        blocked: verdict.blocked,
        frees,
        fingerprint: looked.and_then(Looked::contents).map(crate::model::Contents::words),
        last_write: looked.and_then(Looked::last_write),
        last_use: evidence.last_use.get(&mount.id).cloned(),
        hint: verdict.hint,
        identity: looked.map(|looked| looked.identity.clone()).unwrap_or_default(),
        size,
        mount: Arc::clone(mount),
    })
}
