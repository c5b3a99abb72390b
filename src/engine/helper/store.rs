//! Reaches many plain volumes through the one directory in which an engine keeps them: one mount instead of a thousand,
//! and none of the volumes counts as used meanwhile. Knows paths; asks nobody.

use std::collections::HashSet;

use super::spec::Mounting;
use crate::engine::host::Mounts;
use crate::engine::session::Target;

/// The directory that holds an engine's plain volumes, as `NAME/_data` each.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Store {
    directory: String,
    /// Names that something is mounted over: there the directory shows what lies beneath.
    covered: HashSet<Vec<u8>>,
}

impl Store {
    /// The directory of the first plain volume among the targets. `mounts` are those of the engine's host.
    pub(super) fn of(targets: &[Target], mounts: &Mounts) -> Option<Self> {
        let directory = targets.iter().find_map(|target| directory(target))?.to_owned();
        let covered = mounts.points().flat_map(covered).collect();
        Some(Self { directory, covered })
    }

    /// Leaves out what was expected in the directory and is not there, by the roots of a session; whether any was.
    pub(super) fn leave_out(&mut self, targets: &[Target], roots: &[Result<u32, String>]) -> bool {
        let before = self.covered.len();
        for (target, root) in targets.iter().zip(roots) {
            if let (Some(Mounting::Stored { name, .. }), Err(_)) = (self.mounting(target), root) {
                self.covered.insert(name.into_bytes());
            }
        }
        self.covered.len() > before
    }

    /// How a volume that lies in the directory gets into a helper; `None` for everything else.
    pub(super) fn mounting(&self, target: &Target) -> Option<Mounting> {
        let Target::Volume { name, .. } = target else {
            return None;
        };
        let held = directory(target) == Some(&self.directory) && !self.covered.contains(name.as_bytes());
        held.then(|| Mounting::Stored {
            store: self.directory.clone(),
            name: name.clone(),
        })
    }
}

/// The directory that holds a volume whose mount point is where engines put the plain ones.
fn directory(target: &Target) -> Option<&str> {
    let Target::Volume { name, mountpoint } = target else {
        return None;
    };
    let parent = mountpoint.as_deref()?.strip_suffix("/_data")?;
    let directory = parent.strip_suffix(name.as_str())?.strip_suffix('/')?;
    (directory.starts_with('/') && !name.contains('/')).then_some(directory)
}

/// The volumes that a mount point may belong to, or lie in: the directory is mounted without what is mounted below it.
/// Only its last parts are looked at: the way there may lead over symbolic links that this user cannot follow, and a
/// volume too many is only mounted by its name.
fn covered(point: &[u8]) -> Vec<Vec<u8>> {
    let parts: Vec<&[u8]> = point
        .split(|&byte| byte == b'/')
        .filter(|part| !part.is_empty())
        .collect();
    let holding = parts.windows(2).filter(|pair| pair[1] == b"_data").map(|pair| pair[0]);
    let own = parts.last().copied().filter(|last| *last != b"_data");
    holding.chain(own).map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(name: &str, mountpoint: Option<&str>) -> Target {
        Target::Volume {
            name: name.to_owned(),
            mountpoint: mountpoint.map(str::to_owned),
        }
    }

    fn mounts(points: &[&str]) -> Mounts {
        let lines: Vec<String> = points
            .iter()
            .map(|point| format!("1 2 8:1 / {point} rw - ext4 x rw\n"))
            .collect();
        Mounts::parse(lines.concat().as_bytes())
    }

    #[test]
    fn plain_volumes_are_reached_through_their_directory() {
        let targets = [
            Target::Path("/srv".to_owned()),
            volume("a", Some("/d/volumes/a/_data")),
            volume("b", Some("/d/volumes/b/_data")),
        ];
        let store = Store::of(&targets, &mounts(&["/", "/d"])).unwrap();
        let stored = |name: &str| Mounting::Stored {
            store: "/d/volumes".to_owned(),
            name: name.to_owned(),
        };
        let got: Vec<Option<Mounting>> = targets.iter().map(|target| store.mounting(target)).collect();
        assert_eq!(got, [None, Some(stored("a")), Some(stored("b"))]);
    }

    #[test]
    fn what_lies_elsewhere_or_is_mounted_over_is_not() {
        let targets = [
            volume("a", Some("/d/volumes/a/_data")),
            volume("disk", Some("/d/volumes/disk/_data")),
            volume("whole", Some("/d/volumes/whole/_data")),
            volume("part", Some("/d/volumes/part/_data")),
            volume("other", Some("/e/volumes/other/_data")),
            volume("device", Some("/srv/device")),
            volume("unknown", None),
        ];
        let mounts = mounts(&[
            "/",
            "/link/volumes/disk/_data",
            "/d/volumes/whole",
            "/link/volumes/part/_data/a/b",
        ]);
        let store = Store::of(&targets, &mounts).unwrap();
        let held = targets.iter().filter(|target| store.mounting(target).is_some()).count();
        assert_eq!(held, 1, "only a");
        assert_eq!(Store::of(&targets[5..], &mounts), None);
    }

    #[test]
    fn what_is_not_there_is_left_out_once() {
        let targets = [
            volume("a", Some("/d/volumes/a/_data")),
            volume("link", Some("/d/volumes/link/_data")),
            Target::Path("/srv/broken".to_owned()),
        ];
        let mut store = Store::of(&targets, &mounts(&["/"])).unwrap();
        let gone = || Err("no such file or directory".to_owned());
        assert!(store.leave_out(&targets, &[Ok(0), gone(), gone()]));
        assert_eq!(store.mounting(&targets[1]), None);
        assert!(store.mounting(&targets[0]).is_some());
        assert!(
            !store.leave_out(&targets, &[Ok(0), gone(), gone()]),
            "what is not in the directory starts nothing again"
        );
    }
}
