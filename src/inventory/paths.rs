//! What is known of the paths of an engine's host, as plain data: where each really lies and what stands there.
//! Whoever runs on that host gathers it; without it paths are compared as text.

use std::collections::HashMap;

pub use crate::engine::host::HostKind as PathKind;

/// Where a path really lies: the device of its file system and the path within it, so that symlinks and bind
/// mounts of the same place compare equal. Without a device it is only text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spot {
    /// Major and minor number of the device; `None` for a path as text.
    pub device: Option<(u32, u32)>,
    /// The path, without a trailing slash; empty for the top.
    pub path: Vec<u8>,
}

impl Spot {
    /// A path as text.
    pub fn text(path: &str) -> Self {
        Self {
            device: None,
            path: trim(normalise(path).as_bytes()),
        }
    }

    /// A path within a device's file system.
    pub fn on(device: (u32, u32), path: &[u8]) -> Self {
        Self {
            device: Some(device),
            path: trim(path),
        }
    }

    /// The spots that contain this one, nearest first.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> {
        let ends: Vec<usize> = self
            .path
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, byte)| **byte == b'/')
            .map(|(at, _)| at)
            .collect();
        ends.into_iter().map(|end| Self {
            device: self.device,
            path: self.path[..end].to_vec(),
        })
    }
}

fn trim(path: &[u8]) -> Vec<u8> {
    path.strip_suffix(b"/").unwrap_or(path).to_vec()
}

/// What is known of one path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathFact {
    /// Where it really lies; `None` when that could not be told.
    pub spot: Option<Spot>,
    /// The path without symlinks; `None` when that could not be told.
    pub canonical: Option<String>,
    /// What stands there.
    pub kind: PathKind,
    /// The first place beneath it at which something else is mounted.
    pub mounted: Option<String>,
}

/// How much of the host's paths was examined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Examined {
    /// The engine is elsewhere: text is all there is.
    #[default]
    Remote,
    /// Every path was looked at.
    Yes,
    /// Looking took too long or failed, so aliases may have been missed.
    Failed,
}

/// What is known of the paths of the engine's host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathFacts {
    /// By path, [`normalise`]d.
    pub facts: HashMap<String, PathFact>,
    /// How much was examined.
    pub examined: Examined,
}

impl PathFacts {
    /// The places at which a path counts: as text, and where it really lies.
    pub fn spots(&self, path: &str) -> Vec<Spot> {
        let mut spots = vec![Spot::text(path)];
        spots.extend(self.facts.get(&normalise(path)).and_then(|fact| fact.spot.clone()));
        spots
    }

    /// What stands at a path.
    pub fn kind(&self, path: &str) -> PathKind {
        self.facts
            .get(&normalise(path))
            .map_or(PathKind::Unknown, |fact| fact.kind)
    }

    /// Where beneath a path something else is mounted, as far as that is known.
    pub fn mounted(&self, path: &str) -> Option<&str> {
        self.facts.get(&normalise(path))?.mounted.as_deref()
    }

    /// The path without symlinks where that is known, else the path.
    pub fn canonical(&self, path: &str) -> String {
        let path = normalise(path);
        self.facts
            .get(&path)
            .and_then(|fact| fact.canonical.clone())
            .unwrap_or(path)
    }
}

/// Drops repeated slashes, `.` components and a trailing slash. `..` stays: only the host can resolve it.
pub fn normalise(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        out.push('/');
        out.push_str(part);
    }
    if out.is_empty() {
        out.push('/');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_spelling_is_normalised() {
        assert_eq!(normalise("//srv///data/./"), "/srv/data");
        assert_eq!(normalise("/"), "/");
        assert_eq!(normalise("/a/../b"), "/a/../b");
    }

    #[test]
    fn the_top_contains_everything() {
        let spots: Vec<Spot> = Spot::text("/var/lib").ancestors().collect();
        assert_eq!(spots, [Spot::text("/var"), Spot::text("/")]);
        assert_eq!(Spot::text("/").ancestors().count(), 0);
    }
}
