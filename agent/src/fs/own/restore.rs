//! Puts entries back as they were recorded. Whoever was killed between two steps of a change, or of this, left a state
//! that is recognised here; any other state is somebody else's, and stays.

use rustix::io::Errno;

use super::apply::{path_of, recorded};
use super::entry::{Dir, Entry, refused};
use super::links::Locks;
use super::surveyor::SET_ID;
use crate::fs::attributes::{ACL, Attributes, CAPABILITY, DEFAULT_ACL};
use crate::fs::fault;
use crate::fs::resolve::Resolver;
use crate::fs::root::Root;
use crate::proto::Kind;
use crate::proto::own::{Change, Group, Record, Skipped, Undone, Why};

/// Bytes of the head of an access control list, and of each of its entries (`posix_acl_xattr.h`).
const ACL_HEAD: usize = 4;
const ACL_ENTRY: usize = 8;
/// Tags of entries that `chmod` does not change: named users and named groups.
const ACL_NAMED: [u16; 2] = [0x02, 0x08];

/// Puts back the entries of some groups.
pub(super) fn restore(
    resolver: Resolver,
    root: &Root,
    change: &Change,
    locks: &Locks,
    groups: &[Group],
    cancelled: &dyn Fn() -> bool,
) -> Option<Undone> {
    let mut undone = Undone::default();
    for group in groups {
        let mut dir = Dir::new(resolver, root, &group.dir);
        for record in &group.records {
            if cancelled() {
                return None;
            }
            let _held = (record.nlink > 1).then(|| locks.hold((record.dev, record.ino)));
            let path = || path_of(group, record);
            match dir.open(record).and_then(|entry| one(&entry, record, change)) {
                Ok(Came::Already) => undone.already += 1,
                Ok(Came::Back) => undone.restored += 1,
                Ok(Came::InPart(tried, errno)) => undone.faults.push(fault(&path(), errno, tried)),
                Err(why) => undone.skips.push(Skipped { path: path(), why }),
            }
        }
    }
    Some(undone)
}

/// How an entry was found, or came back.
enum Came {
    Already,
    Back,
    InPart(&'static str, Errno),
}

fn one(entry: &Entry, record: &Record, change: &Change) -> Result<Came, Why> {
    let there = entry.attributes().map_err(refused)?;
    let was = (record.uid, record.gid, record.mode);
    if entry.state() == was && recorded(&there, record) {
        return Ok(Came::Already);
    }
    if !is_ours(entry.state(), &there, record, change) {
        return Err(Why::Changed);
    }
    Ok(match put_back(entry, record) {
        Ok(()) => Came::Back,
        Err((tried, errno)) => Came::InPart(tried, errno),
    })
}

/// Whether the change, or an undo of it, leaves an entry like this at any of its steps.
fn is_ours(state: (u32, u32, u32), there: &Attributes, record: &Record, change: &Change) -> bool {
    let to = change.of(record.kind, record.uid, record.gid, record.mode);
    let owner = (state.0, state.1) == (to.0, to.1) || (state.0, state.1) == (record.uid, record.gid);
    // A change of owner takes set-id bits and the capability away until the next steps.
    let may_lose = if matches!(record.kind, Kind::Dir | Kind::Symlink) {
        0
    } else {
        SET_ID
    };
    let mode_is = |whole: u32| state.2 & !may_lose == whole & !may_lose && state.2 & !whole == 0;
    let capability = there.capability == record.capability || there.capability.is_none();
    owner
        && (mode_is(to.2) || mode_is(record.mode))
        && capability
        && same_names(there.acl.as_deref(), record.acl.as_deref())
        && there.default_acl == record.default_acl
}

/// Whether two access control lists differ in nothing but what `chmod` sets.
fn same_names(a: Option<&[u8]>, b: Option<&[u8]>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a == b || (a.len() == b.len() && without_mode(a) == without_mode(b)),
        (None, None) => true,
        _ => false,
    }
}

/// A list with the permissions taken out that `chmod` sets: the owner's, the mask's or the group's, and everybody's.
fn without_mode(acl: &[u8]) -> Vec<u8> {
    let mut acl = acl.to_vec();
    for entry in acl.get_mut(ACL_HEAD..).unwrap_or_default().chunks_exact_mut(ACL_ENTRY) {
        let tag = u16::from_le_bytes([entry[0], entry[1]]);
        // The group's own permissions stay where there is a mask; to take them out is to be lenient about one entry.
        if !ACL_NAMED.contains(&tag) {
            entry[2..4].fill(0);
        }
    }
    acl
}

/// The steps, in an order in which none undoes another: a change of owner takes bits and capability away, a change of
/// bits changes the list's mask. After any of them the entry is one that [`is_ours`] knows.
fn put_back(entry: &Entry, record: &Record) -> Result<(), (&'static str, Errno)> {
    let (uid, gid, mode) = entry.state();
    let owner = (uid != record.uid).then_some(record.uid);
    let group = (gid != record.gid).then_some(record.gid);
    if owner.is_some() || group.is_some() {
        entry
            .chown(owner, group)
            .map_err(|errno| ("giving it back to its owner", errno))?;
    }
    if record.kind != Kind::Symlink {
        let now = entry.now().map_err(|errno| ("looking at its mode", errno))?.2;
        if now != record.mode || mode != record.mode {
            entry
                .chmod(record.mode)
                .map_err(|errno| ("giving it back its mode", errno))?;
        }
    }
    let there = entry
        .attributes()
        .map_err(|errno| ("looking at its attributes", errno))?;
    let parts = [
        (ACL, &there.acl, &record.acl, "giving it back its access control list"),
        (
            DEFAULT_ACL,
            &there.default_acl,
            &record.default_acl,
            "giving it back its default access control list",
        ),
        (
            CAPABILITY,
            &there.capability,
            &record.capability,
            "giving it back its capability",
        ),
    ];
    for (name, there, was, tried) in parts {
        if let Some(was) = was.as_ref().filter(|was| there.as_ref() != Some(*was)) {
            entry.set(name, was).map_err(|errno| (tried, errno))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acl(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut bytes = 2_u32.to_le_bytes().to_vec();
        for (tag, perm, id) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(perm.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn a_list_is_the_same_whatever_chmod_made_of_its_mask_but_not_with_other_names() {
        let before = acl(&[
            (1, 7, u32::MAX),
            (2, 5, 1000),
            (4, 5, u32::MAX),
            (0x10, 7, u32::MAX),
            (0x20, 0, u32::MAX),
        ]);
        let masked = acl(&[
            (1, 6, u32::MAX),
            (2, 5, 1000),
            (4, 5, u32::MAX),
            (0x10, 0, u32::MAX),
            (0x20, 4, u32::MAX),
        ]);
        let granted = acl(&[
            (1, 7, u32::MAX),
            (2, 7, 1000),
            (4, 5, u32::MAX),
            (0x10, 7, u32::MAX),
            (0x20, 0, u32::MAX),
        ]);
        assert!(same_names(Some(&masked), Some(&before)));
        assert!(!same_names(Some(&granted), Some(&before)));
        assert!(!same_names(None, Some(&before)));
        assert!(!same_names(Some(&before), None));
    }

    fn record(kind: Kind, mode: u32, capability: Option<Vec<u8>>) -> Record {
        Record {
            name: b"f".to_vec(),
            dev: (8, 1),
            ino: 7,
            kind,
            nlink: 1,
            uid: 5,
            gid: 6,
            mode,
            capability,
            acl: None,
            default_acl: None,
        }
    }

    #[test]
    fn only_states_that_the_steps_leave_are_ours() {
        let change = Change {
            uid: Some(50),
            ..Change::default()
        };
        let none = Attributes::default();
        let file = record(Kind::File, 0o6755, None);
        for (state, ours) in [
            ((50, 6, 0o6755), true),
            ((50, 6, 0o755), true),
            ((50, 6, 0o2755), true),
            ((5, 6, 0o755), true),
            ((50, 6, 0o700), false),
            ((51, 6, 0o6755), false),
            ((50, 7, 0o755), false),
        ] {
            assert_eq!(is_ours(state, &none, &file, &change), ours, "{state:?}");
        }
        // What had no set-id bit did not get one from us, and a directory loses none.
        assert!(!is_ours(
            (50, 6, 0o4755),
            &none,
            &record(Kind::File, 0o755, None),
            &change
        ));
        assert!(!is_ours(
            (50, 6, 0o755),
            &none,
            &record(Kind::Dir, 0o2755, None),
            &change
        ));
        let other = Attributes {
            capability: Some(vec![1]),
            ..Attributes::default()
        };
        assert!(!is_ours(
            (50, 6, 0o755),
            &other,
            &record(Kind::File, 0o755, None),
            &change
        ));
        assert!(!is_ours(
            (50, 6, 0o755),
            &other,
            &record(Kind::File, 0o755, Some(vec![2])),
            &change
        ));
        assert!(is_ours(
            (50, 6, 0o755),
            &none,
            &record(Kind::File, 0o755, Some(vec![2])),
            &change
        ));
    }
}
