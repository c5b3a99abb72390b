//! Paths that complaints name: which of them are to be tried, and what was refused at exactly that path. Tries nothing
//! itself.

use vole_agent::proto::Kind;
use vole_agent::proto::probe::{Facts, Identity, Probed, cap};

use super::complaints::{self, Complaint, Wants, within};
use super::evidence::{Attached, Case, Inner};
use super::exam::Exam;
use super::may::{self, ENTER, READ, WRITE};
use super::signatures::Means;
use super::words::{self, EACCES, Errno};
use crate::engine::daemon::PathIn;
use crate::text;

/// Paths of one container that are tried.
const MOST: usize = 8;
/// Paths on no mount among them: an engine is asked for each directory of each.
const MOST_INNER: usize = 3;

/// Where a complaint's path lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spot {
    /// On the mount at this place in the case, at this path relative to what is attached.
    Mount(usize, Vec<u8>),
    /// On no mount; absolute.
    Inner(String),
}

/// The paths that a case's complaints name, each once, at most a few.
pub fn spots(case: &Case) -> Vec<Spot> {
    let mut spots: Vec<Spot> = Vec::new();
    for one in complaints::of(case).iter().filter(|one| is_tried(one)) {
        let Some(path) = one.path.as_deref() else { continue };
        let spot = match holder(case, path) {
            // The root of a mount is tried anyway.
            Some((_, [])) => continue,
            Some((at, rest)) => Spot::Mount(at, rest.to_vec()),
            None => match std::str::from_utf8(path) {
                Ok(path) => Spot::Inner(path.to_owned()),
                Err(_) => continue,
            },
        };
        let inner = spots.iter().filter(|spot| matches!(spot, Spot::Inner(_))).count();
        let full = matches!(spot, Spot::Inner(_)) && inner == MOST_INNER;
        if !full && !spots.contains(&spot) && spots.len() < MOST {
            spots.push(spot);
        }
    }
    spots
}

/// Whether trying the path tells something about a complaint.
pub(super) fn is_tried(one: &Complaint) -> bool {
    let access = matches!(one.errno, Errno::Access | Errno::Perm);
    access
        && matches!(
            one.means,
            Means::Refused | Means::Exec | Means::Workdir | Means::OwnerOnly
        )
}

/// The place of the mount that holds a path of the container, and the path in it.
pub(super) fn holder<'p>(case: &Case, path: &'p [u8]) -> Option<(usize, &'p [u8])> {
    let held = case.mounts.iter().enumerate().filter_map(|(at, mount)| {
        let destination = mount.attachment.destination.as_bytes();
        let rest = within(path, destination).or_else(|| {
            // `/var/run` is `/run` in every image of today.
            let real = destination
                .strip_prefix(b"/var")
                .filter(|rest| rest.starts_with(b"/run"))?;
            within(path, real)
        });
        let rest = rest.or_else(|| {
            let real = path.strip_prefix(b"/var").filter(|rest| rest.starts_with(b"/run"))?;
            within(real, destination)
        })?;
        Some((at, mount.attachment.destination.len(), rest))
    });
    let longest = held.max_by_key(|(_, length, _)| *length);
    longest.map(|(at, _, rest)| (at, rest))
}

/// What was tried for a complaint's path on a mount.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trial<'a> {
    /// The path that was tried, relative to what is attached.
    pub(super) place: &'a [u8],
    /// Whether it is the complaint's own, and not a directory above.
    pub(super) exists: bool,
    tried: &'a [Probed],
    holder: &'a [Probed],
}

/// A refusal at a named path.
#[derive(Debug, Clone)]
pub(super) struct Refused<'a> {
    /// Whose, as a place in the case's identities.
    pub(super) at: usize,
    /// Where: the path, a directory above that cannot be passed, or the one that holds it.
    pub(super) path: &'a [u8],
    /// What stands there.
    pub(super) facts: &'a Facts,
    /// What was tried.
    pub(super) tried: &'a Probed,
    /// Reading, writing, entering or executing.
    pub(super) errnos: [i32; 3],
    /// What stands at the end of the way, when it is barred before.
    pub(super) beyond: Option<&'a Facts>,
}

/// What was tried for a path; `None` when it could not be.
pub(super) fn trial<'a>(attached: &'a Attached, path: &[u8]) -> Option<Trial<'a>> {
    if path.is_empty() {
        let tried = attached.tried.as_ref().ok()?;
        return Some(Trial {
            place: &[],
            exists: true,
            tried,
            holder: &[],
        });
    }
    let named = attached.named.iter().find(|named| named.path == path)?;
    Some(Trial {
        place: &named.place,
        exists: named.exists,
        tried: &named.tried,
        holder: &named.holder,
    })
}

impl<'a> Trial<'a> {
    /// What stands there, by what the first identity's trial saw.
    pub(super) fn facts(&self) -> Option<&'a Facts> {
        self.tried.first()?.facts.as_ref()
    }

    /// What each identity was refused of what a complaint is about; `None` in place of an answer that is missing.
    fn each(&self, attached: &Attached, one: &Complaint) -> Vec<Option<Option<Refused<'a>>>> {
        let all = self.tried.iter().enumerate();
        all.map(|(at, probed)| self.of(at, probed, attached, one)).collect()
    }

    /// The first refusal.
    pub(super) fn refused(&self, attached: &Attached, one: &Complaint) -> Option<Refused<'a>> {
        self.each(attached, one).into_iter().flatten().flatten().next()
    }

    /// Whether everybody may do now what a complaint is about; `None` when that is not known.
    pub(super) fn is_allowed(&self, attached: &Attached, one: &Complaint) -> Option<bool> {
        let each = self.each(attached, one);
        if each.iter().flatten().any(Option::is_some) {
            return Some(false);
        }
        (!each.is_empty() && each.iter().all(Option::is_some)).then_some(true)
    }

    fn of(&self, at: usize, probed: &'a Probed, attached: &Attached, one: &Complaint) -> Option<Option<Refused<'a>>> {
        let facts = probed.facts.as_ref().filter(|_| probed.fault.is_none())?;
        if let Some((path, barrier)) = &probed.barred {
            return Some(Some(Refused {
                at,
                path,
                facts: barrier,
                tried: probed,
                errnos: [0, 0, EACCES],
                beyond: Some(facts).filter(|_| self.exists),
            }));
        }
        let dir = facts.kind == Kind::Dir;
        let enter = if dir { probed.enter } else { 0 };
        let writes = attached.attachment.rw || one.wants == Wants::Write;
        let write = if writes { probed.write } else { 0 };
        let errnos = match (one.means, one.wants) {
            (Means::Exec | Means::Workdir, _) if self.exists => [0, 0, probed.enter],
            _ if !self.exists => [0, probed.write, probed.enter],
            (_, Wants::Unlink) if !self.holder.is_empty() => return self.unlink(at, facts),
            (_, Wants::Read) => [probed.read, 0, enter],
            (_, Wants::Write) => [0, write, enter],
            _ => [probed.read, write, enter],
        };
        let refused = errnos.iter().any(|errno| *errno != 0);
        Some(refused.then_some(Refused {
            at,
            path: self.place,
            facts,
            tried: probed,
            errnos,
            beyond: None,
        }))
    }

    /// Entries are taken away by who may write to their directory.
    fn unlink(&self, at: usize, entry: &Facts) -> Option<Option<Refused<'a>>> {
        let probed = self.holder.get(at)?;
        let facts = probed.facts.as_ref().filter(|_| probed.fault.is_none())?;
        let errnos = [0, probed.write, probed.enter];
        if errnos == [0; 3] {
            // In a directory like /tmp it takes the owner, which no trial tells without taking it away.
            let sticky = facts.mode & 0o1000 != 0 || entry.immutable || entry.append_only;
            return (!sticky).then_some(None);
        }
        let end = self.place.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        Some(Some(Refused {
            at,
            path: &self.place[..end],
            facts,
            tried: probed,
            errnos,
            beyond: None,
        }))
    }
}

/// What keeps an identity from a path of the container's own, or would.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bar<'a> {
    /// Where.
    pub(super) path: &'a str,
    /// What stands there.
    pub(super) there: &'a PathIn,
    /// Whether it is a directory on the way, and not the path itself or where it would stand.
    pub(super) on_the_way: bool,
}

/// What is known of a complaint's path on no mount.
pub(super) fn inner<'a>(exam: &Exam<'a>, one: &Complaint) -> Option<&'a Inner> {
    let path = one.path.as_deref()?;
    exam.case.inner.iter().find(|inner| inner.path == path)
}

/// The first thing that bars somebody from a path on no mount; `None` when nobody is barred.
pub(super) fn bar<'a>(exam: &Exam<'_>, inner: &'a Inner, one: &Complaint) -> Option<Bar<'a>> {
    let last = inner.way.len().checked_sub(1)?;
    exam.who.iter().find_map(|runs| {
        let barring = inner.way.iter().enumerate().find(|(index, (_, there))| {
            let want = match (*index == last, one.means, one.wants) {
                (false, ..) => ENTER,
                (true, ..) if !inner.exists => WRITE | ENTER,
                (true, Means::Exec | Means::Workdir, _) => ENTER,
                (true, _, Wants::Read) => READ,
                (true, _, Wants::Write) => WRITE,
                (true, ..) => READ | WRITE,
            };
            there.link.is_none() && !passes(&runs.identity, there, want, inner.owners)
        });
        barring.map(|(index, (path, there))| Bar {
            path,
            there,
            on_the_way: index != last,
        })
    })
}

/// What stands at a path inside the container, in words; without its owner where that is not known.
pub(super) fn stands(inner: &Inner, path: &str, there: &PathIn) -> String {
    let path = text::printable_str(path);
    match inner.owners {
        true => words::stands(&path, &facts(there), ""),
        false => format!("{path} has mode {:04o}", there.mode & 0o7777),
    }
}

/// Whether an identity may. Where the owner is not known, all classes have to allow it.
fn passes(who: &Identity, there: &PathIn, want: u32, owners: bool) -> bool {
    let facts = facts(there);
    if owners || who.caps & cap::DAC_OVERRIDE != 0 {
        return may::may(who, &facts, want);
    }
    (0..3).all(|class| there.mode >> (3 * class) & want == want)
}

/// What a path inside the container is, as the rules on access take it.
pub(super) fn facts(path: &PathIn) -> Facts {
    Facts {
        kind: if path.is_dir { Kind::Dir } else { Kind::Unknown },
        mode: path.mode,
        uid: path.uid,
        gid: path.gid,
        nlink: 1,
        ino: 0,
        immutable: false,
        append_only: false,
        acl: None,
        label: None,
    }
}
