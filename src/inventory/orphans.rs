//! Whether anything refers to a volume: by name, or by a path that equals, contains or lies under its data.
//! Missing data makes it unknown, never unused.

use std::collections::BTreeMap;

use super::paths::{Examined, PathFacts, Spot};
use super::{Evidence, Uses};
use crate::engine::daemon::VolumeRow;
use crate::model::{Attachment, Orphan, bind_device};

/// Who refers to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claimant<'a> {
    /// A container binds it.
    Container(&'a str),
    /// A volume's `o=bind` device.
    Volume(&'a str),
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
            if let Some(device) = bind_device(&row.driver, &row.options) {
                claims.add(Claimant::Volume(&row.name), device);
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
        let foreign =
            |claims: &'_ Vec<Claim<'a>>| claims.iter().position(|claim| claim.by != Claimant::Volume(&row.name));
        let at = |spot: &Spot| {
            self.by_spot
                .get(spot)
                .and_then(|claims| foreign(claims).map(|at| &claims[at]))
        };
        let equal = spots
            .iter()
            .find_map(|spot| at(spot).map(|claim| (claim, Relation::Equal)));
        let above = || {
            let mut above = spots.iter().flat_map(Spot::ancestors);
            above.find_map(|spot| at(&spot).map(|claim| (claim, Relation::Contains)))
        };
        let under = || spots.iter().find_map(|spot| self.under(spot, &foreign));
        equal.or_else(above).or_else(under)
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
    pub(super) fn judge(&self, row: &VolumeRow, attachments: &[Attachment]) -> (Orphan, String) {
        if let Some(used) = super::used_by(attachments) {
            return (Orphan::No, used);
        }
        if let Some((claim, relation)) = self.on(row) {
            return (Orphan::No, reason(claim, relation));
        }
        if let Some(why) = &self.untold {
            return (Orphan::Unknown, why.clone());
        }
        if row.cluster || row.scope == "global" {
            let why = "nothing here refers to it, but other nodes share it and their containers are not seen from here";
            return (Orphan::Unknown, why.to_owned());
        }
        match self.paths.examined {
            Examined::Yes => (Orphan::Yes, "no container refers to it".to_owned()),
            Examined::Remote => {
                let why = "no container refers to it (paths compared as text)";
                (Orphan::Yes, why.to_owned())
            }
            Examined::Failed => {
                let why = "no container names it, but the host's paths could not be examined for other uses";
                (Orphan::Unknown, why.to_owned())
            }
        }
    }
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
        Relation::Contains => ", which contains its data",
        Relation::Under => ", which lies in its data",
    };
    match claim.by {
        Claimant::Container(name) => format!("container {name} binds {path}{how}"),
        Claimant::Volume(name) => format!("volume {name} is a bind of {path}{how}"),
    }
}
