//! Whether anything refers to a volume: by name, or by a path that equals, contains or lies under its data.
//! Missing data makes it unknown, never unused.

use std::collections::BTreeMap;

use super::paths::{Examined, PathFacts, Spot};
use super::{Evidence, Uses};
use crate::engine::daemon::VolumeRow;
use crate::model::{Attachment, Orphan, bind_device, named_paths};

/// Who refers to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claimant<'a> {
    /// A container binds it.
    Container(&'a str),
    /// A volume binds it.
    Volume(&'a str),
    /// A volume's options name it otherwise: a file system in a file, a layer of an overlay.
    Options(&'a str),
}

impl Claimant<'_> {
    fn is_volume(&self, name: &str) -> bool {
        matches!(self, Self::Volume(own) | Self::Options(own) if *own == name)
    }
}

/// A reference to a path.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Claim<'a> {
    by: Claimant<'a>,
    path: String,
}

/// Every path that a container binds or a volume's device names, by where it lies.
pub(super) struct Claims<'a> {
    by_spot: BTreeMap<Spot, Vec<Claim<'a>>>,
    paths: &'a PathFacts,
    /// Why there may be references that nobody told of.
    untold: Option<String>,
}

/// How a claim lies to a volume's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Equal,
    Contains,
    Under,
    /// It contains the directory of all volumes, this one's among them.
    Oversees,
}

/// What was found of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judgement {
    pub(super) orphan: Orphan,
    pub(super) reason: String,
    /// See [`crate::model::Mount::overseen`].
    pub(super) overseen: bool,
}

impl Judgement {
    fn new(orphan: Orphan, reason: impl Into<String>) -> Self {
        Self {
            orphan,
            reason: reason.into(),
            overseen: false,
        }
    }
}

impl<'a> Claims<'a> {
    /// Collects the claims.
    pub(super) fn collect(evidence: Evidence<'a>, uses: &Uses<'a>) -> Self {
        let mut claims = Self {
            by_spot: BTreeMap::new(),
            paths: evidence.paths,
            untold: untold(evidence),
        };
        for (path, uses) in &uses.binds {
            for one in uses {
                claims.add(Claimant::Container(&one.container.name), path);
            }
        }
        for row in evidence.volumes.map(|list| list.rows.as_slice()).unwrap_or_default() {
            let bind = bind_device(&row.driver, &row.options);
            for path in named_paths(&row.driver, &row.options) {
                let by = if bind == Some(path) {
                    Claimant::Volume(&row.name)
                } else {
                    Claimant::Options(&row.name)
                };
                claims.add(by, path);
            }
        }
        claims
    }

    fn add(&mut self, by: Claimant<'a>, path: &str) {
        for spot in self.paths.spots(path) {
            self.by_spot.entry(spot).or_default().push(Claim {
                by,
                path: super::normalise(path),
            });
        }
    }

    /// Finds a claim on a volume's data that is not the volume's own.
    fn on(&self, row: &VolumeRow) -> Option<(&Claim<'a>, Relation)> {
        let device = bind_device(&row.driver, &row.options);
        let data = [Some(row.mountpoint.as_str()).filter(|path| !path.is_empty()), device];
        let spots: Vec<Spot> = data
            .into_iter()
            .flatten()
            .flat_map(|path| self.paths.spots(path))
            .collect();
        let foreign = |claims: &'_ Vec<Claim<'a>>| claims.iter().position(|claim| !claim.by.is_volume(&row.name));
        let at = |spot: &Spot| {
            self.by_spot
                .get(spot)
                .and_then(|claims| foreign(claims).map(|at| &claims[at]))
        };
        let equal = spots
            .iter()
            .find_map(|spot| at(spot).map(|claim| (claim, Relation::Equal)));
        // The engine keeps a plain volume's data in a directory of that volume's own; what lies above holds all volumes.
        let own = if device.is_none() && is_in_store(row) {
            1
        } else {
            usize::MAX
        };
        let above = |from: usize, levels: usize| {
            let mut above = spots.iter().flat_map(|spot| spot.ancestors().skip(from).take(levels));
            above.find_map(|spot| at(&spot))
        };
        let contains = || above(0, own).map(|claim| (claim, Relation::Contains));
        let under = || spots.iter().find_map(|spot| self.under(spot, &foreign));
        let oversees = || above(own, usize::MAX).map(|claim| (claim, Relation::Oversees));
        equal.or_else(contains).or_else(under).or_else(oversees)
    }

    fn under(&self, spot: &Spot, foreign: &dyn Fn(&Vec<Claim<'a>>) -> Option<usize>) -> Option<(&Claim<'a>, Relation)> {
        let mut prefix = spot.path.clone();
        prefix.push(b'/');
        let start = Spot {
            device: spot.device,
            path: prefix.clone(),
        };
        self.by_spot
            .range(start..)
            .take_while(|(below, _)| below.device == spot.device && below.path.starts_with(&prefix))
            .find_map(|(_, claims)| foreign(claims).map(|at| (&claims[at], Relation::Under)))
    }

    /// Judges a volume by its attachments and by claims on its data.
    pub(super) fn judge(&self, row: &VolumeRow, attachments: &[Attachment]) -> Judgement {
        if let Some(used) = super::used_by(attachments) {
            return Judgement::new(Orphan::No, used);
        }
        // Engines delete a volume's directory with all that is beneath it, other file systems included.
        let mounted = Some(row.mountpoint.as_str()).filter(|path| !path.is_empty());
        if let Some(point) = mounted.and_then(|path| self.paths.mounted(path)) {
            return Judgement::new(Orphan::No, format!("another file system is mounted in it, at {point}"));
        }
        let claim = self.on(row);
        if let Some((claim, relation)) = claim.filter(|(_, relation)| *relation != Relation::Oversees) {
            return Judgement::new(Orphan::No, reason(claim, relation));
        }
        let unknown = self.unknown(row);
        if let Some((claim, relation)) = claim {
            return Judgement {
                overseen: unknown.is_none() && matches!(claim.by, Claimant::Container(_)),
                ..Judgement::new(Orphan::No, reason(claim, relation))
            };
        }
        match (unknown, self.paths.examined) {
            (Some(why), _) => Judgement::new(Orphan::Unknown, why),
            (None, Examined::Remote) => {
                Judgement::new(Orphan::Yes, "no container refers to it (paths compared as text)")
            }
            (None, _) => Judgement::new(Orphan::Yes, "no container refers to it"),
        }
    }

    /// Why there may be references that are not seen.
    fn unknown(&self, row: &VolumeRow) -> Option<String> {
        if self.untold.is_some() {
            return self.untold.clone();
        }
        if row.cluster || row.scope == "global" {
            let why = "nothing here refers to it, but other nodes share it and their containers are not seen from here";
            return Some(why.to_owned());
        }
        let why = "no container names it, but the host's paths could not be examined for other uses";
        (self.paths.examined == Examined::Failed).then(|| why.to_owned())
    }
}

/// Whether a volume's data lies in a directory of its own name, as the local driver makes it (`…/volumes/NAME/_data`).
fn is_in_store(row: &VolumeRow) -> bool {
    let own = row.mountpoint.strip_suffix("/_data");
    own.and_then(|own| own.strip_suffix(row.name.as_str()))
        .is_some_and(|store| store.ends_with('/'))
}

/// Why references may be missing: a container that could not be read may mount any volume, and a volume that could not
/// be read may be a bind of any other's data.
fn untold(evidence: Evidence<'_>) -> Option<String> {
    let unread = evidence.volumes.ok().and_then(|list| list.unread.as_deref());
    match (evidence.containers_missing, unread) {
        (Some(why), _) => Some(format!("not every container could be read: {why}")),
        (None, Some(why)) => Some(format!("not every volume could be read: {why}")),
        (None, None) => None,
    }
}

fn reason(claim: &Claim<'_>, relation: Relation) -> String {
    let path = &claim.path;
    let how = match relation {
        Relation::Equal => "",
        Relation::Contains | Relation::Oversees => ", which contains its data",
        Relation::Under => ", which lies in its data",
    };
    match claim.by {
        Claimant::Container(name) => format!("container {name} binds {path}{how}"),
        Claimant::Volume(name) => format!("volume {name} is a bind of {path}{how}"),
        Claimant::Options(name) => format!("volume {name} is made of {path}{how}"),
    }
}
