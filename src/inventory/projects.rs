//! Which project and service a mount belongs to, from labels alone.

use std::collections::BTreeSet;

use super::Use;
use crate::model::Labels;

/// Labels that name a project, on volumes and on containers, the first one counting.
const PROJECT: [&str; 3] = [
    "com.docker.compose.project",
    "com.docker.stack.namespace",
    "io.podman.compose.project",
];
/// Labels that name a service, on containers.
const SERVICE: [&str; 2] = ["com.docker.compose.service", "com.docker.swarm.service.name"];

fn first<'a>(labels: &'a Labels, keys: &[&str]) -> Option<&'a str> {
    keys.iter()
        .filter_map(|key| labels.get(key))
        .find(|value| !value.is_empty())
}

/// The project that labels name.
pub(super) fn of(labels: &Labels) -> Option<&str> {
    first(labels, &PROJECT)
}

/// The service of a container.
pub(super) fn service(labels: &Labels) -> Option<String> {
    first(labels, &SERVICE).map(str::to_owned)
}

/// The project of a mount and whether it is derived from its containers. Containers without a project say
/// nothing; containers of several projects leave it unknown.
pub(super) fn project(labels: &Labels, uses: &[Use<'_>]) -> (Option<String>, bool) {
    if let Some(own) = first(labels, &PROJECT) {
        return (Some(own.to_owned()), false);
    }
    let theirs: BTreeSet<&str> = uses
        .iter()
        .filter_map(|one| first(&one.container.labels, &PROJECT))
        .collect();
    match theirs.into_iter().collect::<Vec<_>>().as_slice() {
        [only] => (Some((*only).to_owned()), true),
        _ => (None, false),
    }
}

/// The services that attach a mount, sorted.
pub(super) fn services(uses: &[Use<'_>]) -> Vec<String> {
    let services: BTreeSet<&String> = uses.iter().filter_map(|one| one.attachment.service.as_ref()).collect();
    services.into_iter().cloned().collect()
}
