//! Numbers of the kernel in words: error names, owners, modes, identities, and lines for shells. Judges nothing.

use vole_agent::proto::Kind;
use vole_agent::proto::probe::{Facts, Identity, Owner, cap};

use super::evidence::Runs;
use crate::text;

/// An error that the kernel answers an access with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Errno {
    /// Mode, owner, access control list, or a security module.
    Access,
    /// Owner-only, or an attribute.
    Perm,
    /// Read-only.
    ReadOnly,
    /// No space, or no inodes.
    NoSpace,
    /// A quota.
    Quota,
}

impl Errno {
    /// Reads its symbol.
    pub(super) fn named(name: &str) -> Option<Self> {
        let all = [Self::Access, Self::Perm, Self::ReadOnly, Self::NoSpace, Self::Quota];
        all.into_iter().find(|one| one.name() == name)
    }

    /// Its symbol.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Access => "EACCES",
            Self::Perm => "EPERM",
            Self::ReadOnly => "EROFS",
            Self::NoSpace => "ENOSPC",
            Self::Quota => "EDQUOT",
        }
    }
}

/// Numbers of errors on Linux.
pub(super) const EPERM: i32 = 1;
/// See [`EPERM`].
pub(super) const EACCES: i32 = 13;
/// See [`EPERM`].
pub(super) const EROFS: i32 = 30;

/// What came of an access, in words.
pub(super) fn outcome(errno: i32) -> String {
    let name = match errno {
        0 => return "allowed".to_owned(),
        EPERM => "EPERM",
        2 => "ENOENT",
        5 => "EIO",
        EACCES => "EACCES",
        20 => "ENOTDIR",
        28 => "ENOSPC",
        EROFS => "EROFS",
        40 => "ELOOP",
        107 => "ENOTCONN",
        116 => "ESTALE",
        122 => "EDQUOT",
        other => return format!("error {other}"),
    };
    name.to_owned()
}

/// `1000:1000`.
pub(super) fn user(identity: &Identity) -> String {
    format!("{}:{}", identity.uid, identity.gid)
}

/// Who runs, with groups, and with capabilities when it is root.
pub(super) fn runs(runs: &Runs) -> String {
    let identity = &runs.identity;
    let mut line = format!("runs as {}", user(identity));
    let others: Vec<String> = identity
        .groups
        .iter()
        .filter(|gid| **gid != identity.gid)
        .map(u32::to_string)
        .collect();
    if !others.is_empty() {
        line.push_str(&format!(", groups {}", others.join(" ")));
    }
    if identity.uid == 0 {
        line.push_str(&match capabilities(identity.caps).as_slice() {
            [] => ", with no capability on files".to_owned(),
            names => format!(", capabilities {}", names.join(" ")),
        });
    }
    if !runs.known_by.is_empty() {
        line.push_str(&format!(" ({})", text::printable_str(&runs.known_by)));
    }
    if let Some(command) = &runs.command {
        line.push_str(&format!(": {}", text::fit(&text::printable_str(command), 60, "…")));
    }
    line
}

/// Names of the capabilities on files.
fn capabilities(bits: u64) -> Vec<&'static str> {
    let all = [
        (cap::CHOWN, "CHOWN"),
        (cap::DAC_OVERRIDE, "DAC_OVERRIDE"),
        (cap::DAC_READ_SEARCH, "DAC_READ_SEARCH"),
        (cap::FOWNER, "FOWNER"),
        (cap::FSETID, "FSETID"),
    ];
    let held = all.into_iter().filter(|(bit, _)| bits & bit != 0);
    held.map(|(_, name)| name).collect()
}

/// What stands somewhere: owner, mode, what else decides.
pub(super) fn stands(at: &str, facts: &Facts, file_system: &str) -> String {
    let mut line = format!(
        "{at} is {} of {}:{}, mode {:04o}",
        kind(facts.kind),
        facts.uid,
        facts.gid,
        facts.mode & 0o7777
    );
    if !file_system.is_empty() {
        line.push_str(&format!(", on {}", text::printable_str(file_system)));
    }
    if facts.immutable {
        line.push_str(", immutable");
    }
    if facts.append_only {
        line.push_str(", append-only");
    }
    if facts.acl.is_some() {
        line.push_str(", with an access control list");
    }
    if let Some(label) = &facts.label {
        line.push_str(&format!(", label {}", text::printable(label).trim_end_matches("\\x00")));
    }
    line
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "a file",
        Kind::Dir => "a directory",
        Kind::Symlink => "a symlink",
        Kind::Fifo => "a pipe",
        Kind::Socket => "a socket",
        Kind::CharDevice | Kind::BlockDevice => "a device",
        Kind::Unknown => "something",
    }
}

/// Owners with how much is theirs.
pub(super) fn owners(owners: &[Owner]) -> String {
    let words = owners
        .iter()
        .map(|one| format!("{}:{} ({})", one.uid, one.gid, one.entries));
    format!("owners of what was looked at: {}", words.collect::<Vec<_>>().join(", "))
}

/// A word as a shell takes it.
pub(super) fn shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// A path with a leading slash, printable.
pub(super) fn path(bytes: &[u8]) -> String {
    text::printable(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_a_shell_are_quoted_where_they_must_be() {
        assert_eq!(shell("shop_db:/a.b"), "shop_db:/a.b");
        assert_eq!(shell("it's $HOME"), "'it'\\''s $HOME'");
        assert_eq!(shell(""), "''");
    }

    #[test]
    fn a_root_says_what_it_may() {
        let mut one = Runs {
            identity: Identity::default(),
            known_by: String::new(),
            command: None,
        };
        assert_eq!(runs(&one), "runs as 0:0, with no capability on files");
        one.identity.caps = cap::CHOWN | cap::FOWNER;
        one.identity.groups = vec![0, 27];
        assert_eq!(runs(&one), "runs as 0:0, groups 27, capabilities CHOWN FOWNER");
    }
}
