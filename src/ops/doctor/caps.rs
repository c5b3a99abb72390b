//! Which capabilities on files a container's processes have, as the engines compute them. Asks nobody.

use vole_agent::proto::probe::cap;

use crate::engine::daemon::{Flavour, RunFacts};

/// What both families give to root unless told otherwise, as far as it decides on files.
const DEFAULT: u64 = cap::CHOWN | cap::DAC_OVERRIDE | cap::FOWNER | cap::FSETID;

/// The effective capabilities of a container's first process, by its user. Docker gives none to anybody but root; podman
/// gives those that were added.
pub(super) fn of(run: &RunFacts, flavour: Flavour, uid: u32) -> u64 {
    let is_all = |name: &String| name == "ALL";
    let bits = |names: &[String]| names.iter().fold(0, |bits, name| bits | bit(name));
    let (add, drop) = (bits(&run.cap_add), bits(&run.cap_drop));
    match uid {
        0 if run.privileged => cap::FILES,
        0 if run.cap_add.iter().any(is_all) => cap::FILES & !drop,
        0 if run.cap_drop.iter().any(is_all) => add,
        0 => (DEFAULT & !drop) | add,
        _ if flavour == Flavour::Podman && run.cap_add.iter().any(is_all) => cap::FILES & !drop,
        _ if flavour == Flavour::Podman => add,
        _ => 0,
    }
}

/// The bit of a capability that decides on files; none for others.
fn bit(name: &str) -> u64 {
    match name {
        "CHOWN" => cap::CHOWN,
        "DAC_OVERRIDE" => cap::DAC_OVERRIDE,
        "DAC_READ_SEARCH" => cap::DAC_READ_SEARCH,
        "FOWNER" => cap::FOWNER,
        "FSETID" => cap::FSETID,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(add: &[&str], drop: &[&str], privileged: bool) -> RunFacts {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        RunFacts {
            cap_add: owned(add),
            cap_drop: owned(drop),
            privileged,
            ..RunFacts::default()
        }
    }

    #[test]
    fn they_are_added_and_dropped_as_docker_does() {
        let root = |add: &[&str], drop: &[&str]| of(&run(add, drop, false), Flavour::Docker, 0);
        assert_eq!(root(&[], &[]), DEFAULT);
        assert_eq!(root(&[], &["ALL"]), 0);
        assert_eq!(root(&["CHOWN", "NET_ADMIN"], &["ALL"]), cap::CHOWN);
        assert_eq!(root(&["ALL"], &["DAC_OVERRIDE"]), cap::FILES & !cap::DAC_OVERRIDE);
        assert_eq!(
            root(&["DAC_READ_SEARCH"], &["CHOWN"]),
            (DEFAULT & !cap::CHOWN) | cap::DAC_READ_SEARCH
        );
        assert_eq!(of(&run(&[], &["ALL"], true), Flavour::Docker, 0), cap::FILES);
    }

    #[test]
    fn others_have_none_but_what_podman_adds() {
        let added = run(&["DAC_OVERRIDE"], &[], false);
        assert_eq!(of(&added, Flavour::Docker, 999), 0);
        assert_eq!(of(&added, Flavour::Podman, 999), cap::DAC_OVERRIDE);
        assert_eq!(of(&run(&[], &[], true), Flavour::Docker, 999), 0);
    }
}
