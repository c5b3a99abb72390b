//! What the kernel's discretionary rules say of an access: owner, group, access control list, capabilities. Arithmetic on
//! numbers; what was really tried decides, this only tells why.

use vole_agent::proto::Kind;
use vole_agent::proto::probe::{Facts, Identity, cap};

/// Permission bits of one class.
pub(super) const READ: u32 = 4;
/// See [`READ`].
pub(super) const WRITE: u32 = 2;
/// See [`READ`].
pub(super) const ENTER: u32 = 1;

/// Tags of `system.posix_acl_access`, `linux/posix_acl_xattr.h`.
const USER: u16 = 0x02;
const GROUP_OBJ: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;

/// Which rule of the list decides for an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// It owns it.
    Owner,
    /// It is in the group.
    Group,
    /// It is anybody else.
    Other,
    /// A user or group of the access control list, and what the entry gives before the mask.
    Named {
        /// What the entry gives.
        gives: u32,
        /// What the mask leaves.
        mask: u32,
    },
}

/// One entry of an access control list.
struct Entry {
    tag: u16,
    bits: u32,
    id: u32,
}

/// Reads the raw attribute; nothing when it is none that is known.
fn entries(raw: &[u8]) -> Vec<Entry> {
    let Some((version, rest)) = raw.split_first_chunk::<4>() else {
        return Vec::new();
    };
    if u32::from_le_bytes(*version) != 2 {
        return Vec::new();
    }
    let entry = |bytes: &[u8]| {
        let (tag, rest) = bytes.split_first_chunk::<2>()?;
        let (bits, id) = rest.split_first_chunk::<2>()?;
        Some(Entry {
            tag: u16::from_le_bytes(*tag),
            bits: u32::from(u16::from_le_bytes(*bits)),
            id: u32::from_le_bytes(*id.first_chunk::<4>()?),
        })
    };
    rest.chunks_exact(8).filter_map(entry).collect()
}

/// Whether an identity is in a group.
pub(super) fn is_in(who: &Identity, gid: u32) -> bool {
    who.gid == gid || who.groups.contains(&gid)
}

/// Which rule decides, and the bits that it leaves.
pub(super) fn class(who: &Identity, facts: &Facts) -> (Class, u32) {
    let mode = facts.mode;
    if who.uid == facts.uid {
        return (Class::Owner, mode >> 6 & 7);
    }
    let list = facts.acl.as_deref().map(entries).unwrap_or_default();
    let mask = list.iter().find(|one| one.tag == MASK).map_or(7, |one| one.bits & 7);
    let named = |gives: u32| (Class::Named { gives, mask }, gives & mask);
    if let Some(one) = list.iter().find(|one| one.tag == USER && one.id == who.uid) {
        return named(one.bits & 7);
    }
    let groups = list.iter().filter(|one| one.tag == GROUP && is_in(who, one.id));
    if let Some(bits) = groups.map(|one| one.bits & 7).max() {
        return named(bits);
    }
    if is_in(who, facts.gid) {
        // With a list, the group's bits of the mode are the mask's.
        return match list.iter().find(|one| one.tag == GROUP_OBJ) {
            Some(one) => named(one.bits & 7),
            None => (Class::Group, mode >> 3 & 7),
        };
    }
    (Class::Other, mode & 7)
}

/// Whether the rules allow all of `want`.
pub(super) fn may(who: &Identity, facts: &Facts, want: u32) -> bool {
    if who.caps & cap::DAC_OVERRIDE != 0 {
        return facts.kind == Kind::Dir || want & ENTER == 0 || facts.mode & 0o111 != 0;
    }
    let mut want = want;
    if who.caps & cap::DAC_READ_SEARCH != 0 {
        want &= !READ;
        if facts.kind == Kind::Dir {
            want &= !ENTER;
        }
    }
    class(who, facts).1 & want == want
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The raw attribute of a list.
    pub(in super::super) fn acl(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut raw = 2_u32.to_le_bytes().to_vec();
        for (tag, bits, id) in entries {
            raw.extend(tag.to_le_bytes());
            raw.extend(bits.to_le_bytes());
            raw.extend(id.to_le_bytes());
        }
        raw
    }

    fn dir(uid: u32, gid: u32, mode: u32) -> Facts {
        Facts {
            kind: Kind::Dir,
            mode,
            uid,
            gid,
            nlink: 2,
            ino: 1,
            immutable: false,
            append_only: false,
            acl: None,
            label: None,
        }
    }

    fn who(uid: u32, gid: u32, groups: &[u32]) -> Identity {
        Identity {
            uid,
            gid,
            groups: groups.to_vec(),
            caps: 0,
        }
    }

    #[test]
    fn owner_group_and_others_are_told_apart_as_the_kernel_does() {
        let all = READ | WRITE | ENTER;
        assert!(may(&who(1000, 1000, &[]), &dir(1000, 0, 0o700), all));
        // The first class that fits decides, even where a later one would give more.
        assert!(!may(&who(1000, 1000, &[]), &dir(1000, 0, 0o077), READ));
        assert!(may(&who(1000, 1000, &[2000]), &dir(0, 2000, 0o770), all));
        assert!(!may(&who(1000, 1000, &[]), &dir(0, 2000, 0o770), ENTER));
        assert!(may(&who(1000, 1000, &[]), &dir(0, 0, 0o777), all));
        let root = |caps| Identity { caps, ..who(0, 0, &[]) };
        assert!(may(&root(cap::DAC_OVERRIDE), &dir(999, 999, 0), all));
        assert!(!may(&root(0), &dir(999, 999, 0o700), READ));
        assert!(may(&root(cap::DAC_READ_SEARCH), &dir(999, 999, 0o700), READ | ENTER));
        assert!(!may(&root(cap::DAC_READ_SEARCH), &dir(999, 999, 0o700), WRITE));
    }

    #[test]
    fn a_mask_takes_away_what_an_entry_gives() {
        let list = acl(&[
            (1, 7, u32::MAX),
            (USER, 7, 1000),
            (GROUP_OBJ, 7, u32::MAX),
            (MASK, 5, u32::MAX),
            (0x20, 0, u32::MAX),
        ]);
        let facts = Facts {
            acl: Some(list),
            ..dir(0, 0, 0o750)
        };
        let named = Class::Named { gives: 7, mask: 5 };
        assert_eq!(class(&who(1000, 1000, &[]), &facts), (named, 5));
        assert_eq!(class(&who(5, 0, &[]), &facts), (named, 5));
        assert_eq!(class(&who(5, 5, &[]), &facts), (Class::Other, 0));
        assert!(entries(b"\x03\0\0\0").is_empty() && entries(b"x").is_empty());
    }
}
