//! Who the processes of containers are by this host's `/proc`, all containers in one pass. For root on the engine's own
//! host; knows no engine.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use vole_agent::proto::probe::{Identity, cap};

use crate::doctor::evidence::Runs;

/// Identities of a container that are told apart, at most.
pub(super) const MOST: usize = 4;
/// Digits of a container's id.
const ID: usize = 64;
/// The most of a command line that is kept, in bytes.
const COMMAND: usize = 200;

/// What runs in each of some containers, by id; `firsts` are their first processes. A container whose first process does
/// not carry its id is left out: then these are not the engine's processes, or they are out of sight.
pub(super) fn of_containers(proc: &Path, firsts: &HashMap<&str, i64>) -> HashMap<String, Vec<Runs>> {
    let mut pids: Vec<i64> = fs::read_dir(proc)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    pids.sort_unstable();
    let mut found: HashMap<String, Vec<(bool, Runs)>> = HashMap::new();
    for pid in pids {
        let dir = proc.join(pid.to_string());
        let Some(id) = fs::read_to_string(dir.join("cgroup"))
            .ok()
            .and_then(|text| container_of(&text, firsts))
        else {
            continue;
        };
        let Some(runs) = process(&dir, pid) else { continue };
        found
            .entry(id.clone())
            .or_default()
            .push((firsts.get(id.as_str()) == Some(&pid), runs));
    }
    found
        .into_iter()
        .filter(|(_, runs)| runs.iter().any(|(is_first, _)| *is_first))
        .map(|(id, mut runs)| {
            runs.sort_by_key(|(is_first, _)| !is_first);
            (id, distinct(runs.into_iter().map(|(_, runs)| runs)))
        })
        .collect()
}

/// The first few identities that differ, in their order.
pub(super) fn distinct(runs: impl Iterator<Item = Runs>) -> Vec<Runs> {
    let mut distinct: Vec<Runs> = Vec::new();
    for one in runs {
        if distinct.len() < MOST && !distinct.iter().any(|other| other.identity == one.identity) {
            distinct.push(one);
        }
    }
    distinct
}

/// The container that a process belongs to: the last id in its cgroups' paths that is asked for.
fn container_of(cgroup: &str, known: &HashMap<&str, i64>) -> Option<String> {
    let mut words = cgroup
        .split(|c: char| !c.is_ascii_hexdigit())
        .filter(|word| word.len() == ID);
    words.rfind(|word| known.contains_key(word)).map(str::to_owned)
}

fn process(dir: &Path, pid: i64) -> Option<Runs> {
    let read = |name: &str| fs::read_to_string(dir.join(name)).ok();
    let status = read("status")?;
    if is_starting(&status) {
        return None;
    }
    let identity = identity(&status, &read("uid_map")?, &read("gid_map")?)?;
    let command = fs::read(dir.join("cmdline")).ok().map(|bytes| {
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(COMMAND)]).replace('\0', " ");
        text.trim().to_owned()
    });
    Some(Runs {
        identity,
        known_by: format!("process {pid} of the host runs so"),
        command: command.filter(|command| !command.is_empty()),
    })
}

/// Whether it is the engine's own program, root until it has become what the container runs.
fn is_starting(status: &str) -> bool {
    let name = status.lines().find_map(|line| line.strip_prefix("Name:"));
    name.is_some_and(|name| name.trim().starts_with("runc:[") || name.trim() == "crun")
}

/// Reads a `status`, and undoes the mapping of its user namespace; `None` when an owner has no number in it.
fn identity(status: &str, uid_map: &str, gid_map: &str) -> Option<Identity> {
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
    };
    // Real, effective, saved, of the file system: the last one decides on files, and is the effective one but for servers of
    // network file systems.
    let last = |name: &str| field(name)?.split_whitespace().nth(3)?.parse::<u32>().ok();
    let groups = field("Groups")?
        .split_whitespace()
        .filter_map(|group| group.parse().ok());
    let mut groups: Vec<u32> = groups.filter_map(|group| inside(gid_map, group)).collect();
    let gid = inside(gid_map, last("Gid")?)?;
    groups.sort_unstable();
    groups.dedup();
    groups.retain(|group| *group != gid);
    Some(Identity {
        uid: inside(uid_map, last("Uid")?)?,
        gid,
        groups,
        caps: u64::from_str_radix(field("CapEff")?.trim(), 16).ok()? & cap::FILES,
    })
}

/// The number within a user namespace, by its map (`INSIDE OUTSIDE COUNT` lines).
fn inside(map: &str, outside: u32) -> Option<u32> {
    map.lines().find_map(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        let (inner, outer, count) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
        let offset = u64::from(outside).checked_sub(outer)?;
        (offset < count).then(|| u32::try_from(inner + offset).ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "         0          0 4294967295\n";
    const ONE: &str = "1111111111111111111111111111111111111111111111111111111111111111";
    const TWO: &str = "2222222222222222222222222222222222222222222222222222222222222222";

    fn status(uid: u32, gid: u32, groups: &str, caps: &str) -> String {
        format!(
            "Name:\tsh\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t{gid}\t{gid}\t{gid}\t{gid}\nGroups:\t{groups} \nCapEff:\t{caps}\n"
        )
    }

    #[test]
    fn a_status_is_read() {
        let read = identity(&status(999, 998, "777 998", "00000000a80425fb"), WHOLE, WHOLE).unwrap();
        assert_eq!((read.uid, read.gid, read.groups), (999, 998, vec![777]));
        assert!(!is_starting("Name:\tsh\n") && is_starting("Name:\trunc:[2:INIT]\n"));
        assert_eq!(read.caps, cap::CHOWN | cap::DAC_OVERRIDE | cap::FOWNER | cap::FSETID);
        assert_eq!(identity("Uid:\t1\n", WHOLE, WHOLE), None);
    }

    #[test]
    fn a_user_namespace_is_undone_and_who_is_outside_of_it_is_unknown() {
        let map = "0 100000 65536\n70000 5 1\n";
        assert_eq!(inside(map, 100_999), Some(999));
        assert_eq!(inside(map, 5), Some(70_000));
        assert_eq!(inside(map, 0), None);
        assert_eq!(inside(map, 165_536), None);
        assert_eq!(inside("rubbish", 0), None);
        let read = identity(&status(100_999, 100_998, "7 100777", "0"), map, map).unwrap();
        assert_eq!((read.uid, read.gid, read.groups), (999, 998, vec![777]));
        assert_eq!(identity(&status(0, 0, "", "0"), map, map), None);
    }

    #[test]
    fn processes_are_found_by_container_and_only_where_the_first_one_agrees() {
        let proc = tempfile::tempdir().unwrap();
        let process = |pid: u32, id: &str, uid: u32| {
            let dir = proc.path().join(pid.to_string());
            fs::create_dir(&dir).unwrap();
            fs::write(
                dir.join("cgroup"),
                format!("4:memory:/docker/{id}\n0::/system.slice/docker-{id}.scope\n"),
            )
            .unwrap();
            fs::write(dir.join("status"), status(uid, uid, "", "0")).unwrap();
            fs::write(dir.join("cmdline"), b"sh\0-c\0run\0").unwrap();
            fs::write(dir.join("uid_map"), WHOLE).unwrap();
            fs::write(dir.join("gid_map"), WHOLE).unwrap();
        };
        process(30, ONE, 0);
        process(20, ONE, 999);
        process(40, ONE, 999);
        process(50, TWO, 5);
        process(60, &"3".repeat(64), 6);
        let firsts = HashMap::from([(ONE, 30), (TWO, 51)]);
        let found = of_containers(proc.path(), &firsts);
        assert_eq!(
            found.keys().collect::<Vec<_>>(),
            [ONE],
            "the other's first process is somebody else's"
        );
        let uids: Vec<u32> = found[ONE].iter().map(|runs| runs.identity.uid).collect();
        assert_eq!(uids, [0, 999], "the first process first, each once");
        assert_eq!(found[ONE][0].command.as_deref(), Some("sh -c run"));
    }
}
