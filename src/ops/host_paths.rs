//! Looks at the paths of an engine's host, when that is this machine: where each really lies and what stands there.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use crate::engine::About;
use crate::engine::host::{Mounts, classify_host_path, first_below};
use crate::inventory::paths::{Examined, Spot};
use crate::inventory::{PathFact, PathFacts};

/// How long looking may take: a path on a dead network share never answers.
const PATIENCE: Duration = Duration::from_secs(3);
/// How many symlinks one path may go through, as the kernel's limit.
const MAX_LINKS: usize = 40;

/// Looks at paths, as [`crate::inventory::normalise`] spells them. Says in `warnings` when that took too long.
pub(super) async fn examine(about: &About, paths: Vec<String>, warnings: &mut Vec<String>) -> PathFacts {
    if !about.same_host {
        return PathFacts::default();
    }
    let looking = tokio::task::spawn_blocking(move || look_at(paths));
    match tokio::time::timeout(PATIENCE, looking).await {
        Ok(Ok(facts)) => PathFacts {
            facts,
            examined: Examined::Yes,
        },
        Ok(Err(error)) => failed(format!("the host's paths could not be examined: {error}"), warnings),
        Err(_) => {
            let seconds = PATIENCE.as_secs();
            failed(
                format!("the host's paths did not answer within {seconds} s: is a network share down?"),
                warnings,
            )
        }
    }
}

fn failed(warning: String, warnings: &mut Vec<String>) -> PathFacts {
    warnings.push(warning);
    PathFacts {
        examined: Examined::Failed,
        ..PathFacts::default()
    }
}

fn look_at(paths: Vec<String>) -> HashMap<String, PathFact> {
    let mounts = Mounts::read();
    let points = mounts.as_ref().map(Mounts::sorted_points).unwrap_or_default();
    paths
        .into_iter()
        .map(|path| (path.clone(), fact(&path, mounts.as_ref(), &points)))
        .collect()
}

fn fact(path: &str, mounts: Option<&Mounts>, points: &BTreeSet<&[u8]>) -> PathFact {
    let resolved = resolve(path);
    let mounted = resolved
        .as_ref()
        .and_then(|path| first_below(points, path.as_os_str().as_bytes()));
    let located = |path: &PathBuf| mounts?.locate_canonical(path.as_os_str().as_bytes());
    PathFact {
        spot: resolved
            .as_ref()
            .and_then(located)
            .map(|location| Spot::on(location.dev, &location.path)),
        canonical: resolved.map(|path| path.to_string_lossy().into_owned()),
        kind: classify_host_path(Path::new(path)),
        mounted: mounted.map(|point| String::from_utf8_lossy(point).into_owned()),
    }
}

/// Resolves symlinks as far as this user may look: what lies behind a closed directory, or is missing, stays as it
/// is written. (`canonicalize` gives up there, and would miss a link into the engine's data directory.)
pub(super) fn resolve(path: &str) -> Option<PathBuf> {
    let mut rest: Vec<OsString> = components(Path::new(path));
    let mut resolved = PathBuf::from("/");
    let mut links = 0;
    while let Some(part) = rest.pop() {
        if part == ".." {
            resolved.pop();
            continue;
        }
        let next = resolved.join(part);
        let Ok(target) = fs::read_link(&next) else {
            resolved = next;
            continue;
        };
        links += 1;
        if links > MAX_LINKS {
            return None;
        }
        if target.is_absolute() {
            resolved = PathBuf::from("/");
        }
        rest.extend(components(&target));
    }
    Some(resolved)
}

/// The components of a path, last first.
fn components(path: &Path) -> Vec<OsString> {
    let parts = path.components().rev();
    parts
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| part.as_os_str().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_into_what_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(dir.path()).unwrap();
        symlink("b", top.join("a")).unwrap();
        symlink(top.join("c/d"), top.join("b")).unwrap();
        symlink("loop", top.join("loop")).unwrap();
        let resolve = |name: &str| resolve(top.join(name).to_str().unwrap());
        assert_eq!(resolve("a/x"), Some(top.join("c/d/x")));
        assert_eq!(resolve("a/../y"), Some(top.join("c/y")));
        assert_eq!(resolve("loop/x"), None);
        let spot = |name: &str| {
            fact(
                top.join(name).to_str().unwrap(),
                Mounts::read().as_ref(),
                &BTreeSet::new(),
            )
            .spot
        };
        assert!(spot("a").is_some());
        assert_eq!(spot("a"), spot("c/d"));
    }
}
