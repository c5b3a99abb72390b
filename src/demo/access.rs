//! Tries accesses in the demo's trees by the plain rules of owner, group and mode. Knows nothing of engines.

use std::collections::{BTreeMap, VecDeque};

use rustix::io::Errno;
use vole_agent::proto::probe::{Denied, Facts, Identity, Owner, Probe, Probed, cap};
use vole_agent::proto::{Entry, Fault, Kind, Reply};
use vole_agent::serve::{Halt, Sink};

use super::backend::Trees;
use super::tree::Node;
use super::usage::joined;

/// Refusals and owners that are told, as the agent does.
const FEW: usize = 8;
/// Results in one reply.
const BATCH: usize = 64;
const READ: u32 = 4;
const WRITE: u32 = 2;
const ENTER: u32 = 1;

/// Tries all probes.
pub(super) fn probe(trees: &Trees, probes: &[Probe], sink: &Sink) -> Result<Vec<Fault>, Halt> {
    for (part, probes) in (0..).step_by(BATCH).zip(probes.chunks(BATCH)) {
        let probed = (part..)
            .zip(probes)
            .map(|(index, probe)| one(trees, index, probe))
            .collect();
        sink.send(Reply::Probed(probed))?;
    }
    Ok(Vec::new())
}

fn one(trees: &Trees, index: u32, probe: &Probe) -> Probed {
    let mut probed = Probed {
        probe: index,
        fault: None,
        facts: None,
        barred: None,
        read: 0,
        write: 0,
        enter: 0,
        write_as_root: 0,
        super_read_only: false,
        sampled: 0,
        whole: true,
        denied: 0,
        denials: Vec::new(),
        owners: Vec::new(),
    };
    if let Err(fault) = attempt(trees, probe, &mut probed) {
        probed.fault = Some(fault);
    }
    probed
}

fn attempt(trees: &Trees, probe: &Probe, probed: &mut Probed) -> Result<(), Fault> {
    let (at, who) = (&probe.at, &probe.who);
    let node = trees.node(at)?;
    let ends = at
        .path
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'/')
        .map(|(end, _)| end);
    let above = (!at.path.is_empty()).then_some(0).into_iter().chain(ends);
    for end in above {
        let mut dir = at.clone();
        dir.path.truncate(end);
        let entry = trees.node(&dir)?.entry();
        if errno(who, &entry, ENTER) != 0 {
            probed.barred = Some((dir.path, facts(&entry)));
            break;
        }
    }
    let entry = node.entry();
    (probed.read, probed.write) = (errno(who, &entry, READ), errno(who, &entry, WRITE));
    probed.enter = errno(who, &entry, ENTER);
    probed.facts = Some(facts(&entry));
    let mut owners = BTreeMap::from([((entry.uid, entry.gid), 1)]);
    sample(&node, probe, probed, &mut owners);
    probed.owners = owners
        .into_iter()
        .map(|((uid, gid), entries)| Owner { uid, gid, entries })
        .collect();
    probed.owners.sort_by_key(|owner| std::cmp::Reverse(owner.entries));
    probed.owners.truncate(FEW);
    Ok(())
}

/// Looks at what is beneath, shallow entries first.
fn sample(node: &Node, probe: &Probe, probed: &mut Probed, owners: &mut BTreeMap<(u32, u32), u64>) {
    let mut waiting = VecDeque::from([(node.clone(), probe.at.path.clone(), 0)]);
    while let Some((dir, path, level)) = waiting.pop_front() {
        if level >= probe.depth || probe.sample == 0 {
            return;
        }
        dir.each_child(&mut |child| {
            if probed.sampled >= u64::from(probe.sample) {
                probed.whole = false;
                return false;
            }
            let entry = child.entry();
            if child.is_other_fs() || entry.kind == Kind::Symlink || entry.name == b"lost+found" {
                return true;
            }
            probed.sampled += 1;
            *owners.entry((entry.uid, entry.gid)).or_default() += 1;
            let below = joined(&path, &entry.name);
            let is_dir = entry.kind == Kind::Dir;
            let read = errno(&probe.who, &entry, if is_dir { READ | ENTER } else { READ });
            let write = errno(&probe.who, &entry, WRITE);
            if read != 0 || write != 0 {
                probed.denied += 1;
                if probed.denials.len() < FEW {
                    probed.denials.push(Denied {
                        path: below.clone(),
                        facts: facts(&entry),
                        read,
                        write,
                    });
                }
            }
            if is_dir && child.enterable().is_ok() {
                waiting.push_back((child.clone(), below, level + 1));
            }
            true
        });
        if !probed.whole {
            return;
        }
    }
}

/// What the kernel would answer, without access control lists.
fn errno(who: &Identity, entry: &Entry, wanted: u32) -> i32 {
    let class = if who.uid == entry.uid {
        entry.mode >> 6
    } else if who.gid == entry.gid || who.groups.contains(&entry.gid) {
        entry.mode >> 3
    } else {
        entry.mode
    };
    let is_dir = entry.kind == Kind::Dir;
    let executable = is_dir || entry.mode & 0o111 != 0;
    let overrides = who.caps & cap::DAC_OVERRIDE != 0 && (wanted & ENTER == 0 || executable);
    let reads = if is_dir { READ | ENTER } else { READ };
    let searches = who.caps & cap::DAC_READ_SEARCH != 0 && wanted & !reads == 0;
    match class & wanted == wanted || overrides || searches {
        true => 0,
        false => Errno::ACCESS.raw_os_error(),
    }
}

fn facts(entry: &Entry) -> Facts {
    Facts {
        kind: entry.kind,
        mode: entry.mode,
        uid: entry.uid,
        gid: entry.gid,
        nlink: entry.nlink,
        ino: entry.ino,
        immutable: false,
        append_only: false,
        acl: None,
        label: None,
    }
}
