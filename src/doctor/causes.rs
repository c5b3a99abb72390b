//! Why an access to a mount was refused: of all causes that fit, the most specific, with what mends it.

use vole_agent::proto::own::{Change, ModeChange};
use vole_agent::proto::probe::{Facts, Identity, Owner, Probed, cap};

use super::evidence::Attached;
use super::exam::Exam;
use super::finding::{Cause, Fix};
use super::may::{self, Class, ENTER, READ, WRITE};
use super::words::{self, EPERM, EROFS};
use super::{backing, lines};
use crate::model::MountKind;
use crate::text;

/// What was refused: who, at what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal<'a> {
    /// The mount.
    pub(super) attached: &'a Attached,
    /// Path in it; empty for its root.
    pub(super) path: &'a [u8],
    /// Who was refused.
    pub(super) who: &'a Identity,
    /// What stands there.
    pub(super) facts: &'a Facts,
    /// What was tried.
    pub(super) tried: &'a Probed,
    /// Whether that was tried at the very path, and not only at the mount's root above it.
    pub(super) exact: bool,
    /// Owners of the mount as far as they were looked at.
    pub(super) around: &'a [Owner],
    /// `errno` of reading, of writing, of entering or executing; 0 was allowed or is of no account.
    pub(super) errnos: [i32; 3],
}

impl Refusal<'_> {
    /// The permission bits that would be needed.
    fn want(&self) -> u32 {
        let [read, write, enter] = self.errnos;
        let bit = |errno: i32, bit: u32| if errno == 0 { 0 } else { bit };
        bit(read, READ) | bit(write, WRITE) | bit(enter, ENTER)
    }

    /// `write to`, `read`, `read or write`.
    pub(super) fn verb(&self) -> &'static str {
        match self.errnos {
            [0, 0, _] => "enter",
            [0, _, _] => "write to",
            [_, 0, _] => "read",
            _ => "read or write to",
        }
    }

    fn has_errno(&self, errno: i32) -> bool {
        self.errnos.contains(&errno)
    }
}

/// A cause with what follows from it.
#[derive(Debug)]
pub(super) struct Verdict {
    /// The cause.
    pub(super) cause: Cause,
    /// Why, as the end of a sentence.
    pub(super) because: String,
    /// What mends it.
    pub(super) fix: Fix,
    /// What must be known before.
    pub(super) caveats: Vec<String>,
    /// What would be wrong.
    pub(super) wrong: Vec<String>,
}

impl Verdict {
    pub(super) fn new(cause: Cause, because: impl Into<String>, fix: Fix) -> Self {
        Self {
            cause,
            because: because.into(),
            fix,
            caveats: Vec::new(),
            wrong: Vec::new(),
        }
    }

    fn caveat(mut self, words: impl Into<String>) -> Self {
        self.caveats.push(words.into());
        self
    }

    fn wrong(mut self, words: impl Into<String>) -> Self {
        self.wrong.push(words.into());
        self
    }
}

/// Finds the cause of a refusal.
pub(super) fn of(exam: &Exam<'_>, refusal: &Refusal<'_>) -> Verdict {
    let by_mount = read_only(refusal)
        .or_else(|| attribute(refusal))
        .or_else(|| backing::cause(exam, refusal.attached))
        .or_else(|| backing::userns(exam, refusal))
        .or_else(|| backing::selinux(exam, refusal.attached, refusal.facts, allowed(refusal)))
        .or_else(|| backing::tmpfs(refusal.attached, refusal.who));
    by_mount
        .or_else(|| acl(refusal))
        .or_else(|| capabilities(exam, refusal))
        .or_else(|| odd(refusal))
        .or_else(|| mode(exam, refusal))
        .or_else(|| group(exam, refusal))
        .unwrap_or_else(|| owner(exam, refusal))
}

/// Whether owner, group and bits allow what was refused all the same.
fn allowed(refusal: &Refusal<'_>) -> bool {
    may::may(refusal.who, refusal.facts, refusal.want())
}

fn read_only(refusal: &Refusal<'_>) -> Option<Verdict> {
    let super_block = refusal.tried.super_read_only && refusal.errnos[1] != 0 && refusal.errnos[0] == 0;
    let locked = refusal.has_errno(EROFS) || super_block && allowed(refusal);
    if !locked {
        return None;
    }
    let fix = Fix::Advice {
        words: "find out on the host why the file system is mounted read-only (the kernel does so after an I/O error: \
                see `dmesg`), then mount it writable"
            .to_owned(),
    };
    let verdict = Verdict::new(
        Cause::ReadOnly,
        "the file system below is mounted read-only on the host",
        fix,
    );
    Some(verdict.wrong("chown and chmod: nothing can be changed on a file system that is read-only"))
}

fn attribute(refusal: &Refusal<'_>) -> Option<Verdict> {
    let facts = refusal.facts;
    if !(facts.immutable || facts.append_only) || !refusal.has_errno(EPERM) {
        return None;
    }
    let (flag, word) = if facts.immutable {
        ("i", "immutable")
    } else {
        ("a", "append-only")
    };
    let because = format!("it carries the attribute {word} (chattr +{flag}), which binds root too");
    let command = backing::host_path(refusal.attached, refusal.path)
        .map(|path| format!("sudo chattr -{flag} {}", lines::shell(&path)));
    let fix = match command {
        Some(command) => Fix::Host { command },
        None => Fix::Advice {
            words: format!("clear the attribute on the host: chattr -{flag}"),
        },
    };
    let verdict = Verdict::new(Cause::Immutable, because, fix);
    Some(verdict.wrong("chown and chmod: both fail with EPERM while the attribute stands"))
}

fn acl(refusal: &Refusal<'_>) -> Option<Verdict> {
    let (Class::Named { gives, mask }, _) = may::class(refusal.who, refusal.facts) else {
        return None;
    };
    let want = refusal.want();
    if gives & want != want || mask & want == want {
        return None;
    }
    let rwx = |bits: u32| -> String {
        let sign = |bit: u32, sign: char| if bits & bit != 0 { sign } else { '-' };
        [sign(READ, 'r'), sign(WRITE, 'w'), sign(ENTER, 'x')].iter().collect()
    };
    let because = format!(
        "an entry of its access control list gives {} and the mask leaves {}",
        rwx(gives),
        rwx(gives & mask)
    );
    let needed = rwx(mask | want).replace('-', "");
    let fix = match backing::host_path(refusal.attached, refusal.path) {
        Some(path) => Fix::Host {
            command: format!("sudo setfacl -m m::{needed} {}", lines::shell(&path)),
        },
        None => Fix::Advice {
            words: format!("widen the mask on the host: setfacl -m m::{needed}"),
        },
    };
    let verdict = Verdict::new(Cause::Acl, because, fix);
    Some(verdict.wrong("chown: the list names the user already; only the mask bars it (a chmod g-w sets the mask)"))
}

fn capabilities(exam: &Exam<'_>, refusal: &Refusal<'_>) -> Option<Verdict> {
    let (who, facts) = (refusal.who, refusal.facts);
    let lacks = who.uid == 0 && who.caps & cap::DAC_OVERRIDE == 0;
    if !lacks || facts.uid == 0 || refusal.tried.write_as_root != 0 || allowed(refusal) {
        return None;
    }
    let because = format!(
        "it runs as root without DAC_OVERRIDE, so the mode {:04o} of {}:{} binds it too",
        facts.mode & 0o7777,
        facts.uid,
        facts.gid
    );
    let mut missing = vec!["DAC_OVERRIDE"];
    missing.extend(
        super::start::lost(exam)
            .into_iter()
            .filter(|name| *name != "DAC_OVERRIDE"),
    );
    missing.sort_unstable();
    let verdict = Verdict::new(Cause::Capabilities, because, lines::cap_add(&missing));
    Some(
        verdict
            .caveat(format!(
                "or run it as the owner, without any capability: user: \"{0}:{1}\" / --user {0}:{1}",
                facts.uid, facts.gid
            ))
            .wrong(format!(
                "chown to 0:0: the files belong to {}:{} rightly, and the service that owns them would lose them",
                facts.uid, facts.gid
            )),
    )
}

/// The rules allow it, and it was refused all the same; or not even root may.
fn odd(refusal: &Refusal<'_>) -> Option<Verdict> {
    let root_too = refusal.exact && refusal.errnos[1] != 0 && refusal.tried.write_as_root != 0;
    if !allowed(refusal) && !root_too {
        return None;
    }
    let because = match root_too {
        true => format!("even root is refused ({})", words::outcome(refusal.tried.write_as_root)),
        false => "owner and mode would allow it, so something else refuses (a security module?)".to_owned(),
    };
    let fix = Fix::Advice {
        words: "look for a denial of AppArmor or SELinux in the host's audit log (`journalctl -k -g denied`)"
            .to_owned(),
    };
    Some(Verdict::new(Cause::Unknown, because, fix).wrong("chown: the owner is not what refuses"))
}

fn mode(exam: &Exam<'_>, refusal: &Refusal<'_>) -> Option<Verdict> {
    let (class, _) = may::class(refusal.who, refusal.facts);
    let facts = refusal.facts;
    let (whose, letter, shift) = match class {
        Class::Owner => ("it owns it", 'u', 6),
        // Root's group is everybody's whom nobody put into one: that is no reason to open what is root's.
        Class::Group if facts.gid != 0 => ("it is in its group", 'g', 3),
        _ => return None,
    };
    let because = format!("{whose}, but the mode is {:04o}", facts.mode & 0o7777);
    let bits = 6_u32 << shift;
    let change = Change {
        mode: Some(ModeChange {
            file_set: bits,
            dir_set: 7 << shift,
            executable_set: 1 << shift,
            ..ModeChange::default()
        }),
        // Bits of others' entries are theirs.
        from_uid: (letter == 'u').then_some(facts.uid),
        recursive: true,
        ..Change::default()
    };
    let fix = lines::chmod(exam, refusal.attached, refusal.path, change, format!("{letter}+rwX"));
    let verdict = Verdict::new(Cause::Mode, because, fix);
    Some(
        verdict
            .wrong("chown: the owner is right")
            .wrong("chmod 777: opens it to everybody; PostgreSQL, SSH and others refuse to start with it"),
    )
}

fn group(exam: &Exam<'_>, refusal: &Refusal<'_>) -> Option<Verdict> {
    let facts = refusal.facts;
    let want = refusal.want();
    let would = facts.mode >> 3 & want == want && !may::is_in(refusal.who, facts.gid);
    // The group of the same number as the owner is that user's own.
    let private = facts.gid == facts.uid;
    if !would || private || refusal.who.uid == 0 {
        return None;
    }
    let gid = facts.gid;
    let because = format!(
        "group {gid} has the access (mode {:04o}), and the process is not in it",
        facts.mode & 0o7777
    );
    let fix = Fix::Config {
        compose: format!("group_add: [\"{gid}\"]"),
        cli: format!("--group-add {gid}"),
    };
    let verdict = Verdict::new(Cause::Group, because, fix);
    let shared = match users_of(refusal.attached, gid).as_slice() {
        [] => String::new(),
        names => format!(" ({})", names.join(", ")),
    };
    let verdict = verdict.wrong(format!(
        "chown: the data is shared by group {gid}, and its other users{shared} would lose it"
    ));
    let user = &exam.case.run.user;
    Some(match user.contains(':') {
        true => verdict.caveat(format!(
            "user: {} gives it that group alone; the image's own groups are not taken over",
            text::printable_str(user)
        )),
        false => verdict,
    })
}

/// Other containers that have a group.
fn users_of(attached: &Attached, gid: u32) -> Vec<String> {
    let others = attached.others.iter().filter(|(_, who)| may::is_in(who, gid));
    others.map(|(name, _)| text::printable_str(name)).collect()
}

fn owner(exam: &Exam<'_>, refusal: &Refusal<'_>) -> Verdict {
    let (who, facts, attached) = (refusal.who, refusal.facts, refusal.attached);
    let because = format!(
        "it belongs to {}:{} with mode {:04o}",
        facts.uid,
        facts.gid,
        facts.mode & 0o7777
    );
    let sharing = attached
        .others
        .iter()
        .find(|(_, other)| other.uid != who.uid && other.uid != 0 && may::may(other, facts, WRITE | ENTER));
    if let Some((name, other)) = sharing {
        let user = words::user(other);
        let name = text::printable_str(name);
        let fix = Fix::Config {
            compose: format!("user: \"{user}\""),
            cli: format!("--user {user}"),
        };
        return Verdict::new(Cause::Ownership, because, fix)
            .caveat(format!(
                "{name} runs as {user} and uses the same data; a group that both are in would do as well"
            ))
            .wrong(format!(
                "chown to {}: {name} runs as {user} and would lose its data",
                words::user(who)
            ));
    }
    let one_owner = refusal.around.iter().all(|one| one.uid == facts.uid);
    let former = exam.image.is_some_and(|image| image.former.contains(&facts.uid));
    let cause = match facts.uid != 0 && (one_owner || former) && who.uid != 0 {
        true => Cause::UidChanged,
        false => Cause::Ownership,
    };
    let because = match cause {
        Cause::UidChanged => format!("{because}: a user that the image or the container had before"),
        _ => because,
    };
    // Entries of third parties stay theirs.
    let third = refusal
        .tried
        .owners
        .iter()
        .any(|one| one.uid != who.uid && one.uid != facts.uid);
    let change = Change {
        uid: Some(who.uid),
        gid: Some(who.gid),
        from_uid: (third || cause == Cause::UidChanged).then_some(facts.uid),
        recursive: true,
        ..Change::default()
    };
    let fix = lines::chown(exam, attached, refusal.path, change);
    let verdict =
        Verdict::new(cause, because, fix).wrong("chmod 777: opens it to everybody, and new files have the same fault");
    let lasting = [MountKind::Named, MountKind::Anonymous].contains(&attached.mount.kind);
    match (attached.in_image.is_some() && attached.empty == Some(true), lasting) {
        (true, true) if !lines::is_nocopy(exam, attached) => verdict.caveat(
            "the volume is empty and the image has this path: the next container that is created takes owner and mode from \
             the image again. Mount it with nocopy, put a file in it, or make the image's directory right",
        ),
        _ => verdict,
    }
}
