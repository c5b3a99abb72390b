//! Fixes as lines to be copied: for a shell, for a compose file. Decides nothing but what `vole` refuses to change.

use vole_agent::proto::own::Change;
use vole_agent::proto::probe::Identity;

use super::backing;
use super::evidence::Attached;
use super::exam::{Exam, is_lasting};
use super::finding::Fix;
use super::remap;
use crate::engine::host_paths::{self, Ground};
use crate::model::BytePath;

pub(super) use super::words::shell;

impl Fix {
    /// The word in `--json`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Chown { .. } => "chown",
            Self::Chmod { .. } => "chmod",
            Self::Config { .. } => "config",
            Self::Host { .. } => "host",
            Self::Refused { .. } => "refused",
            Self::Advice { .. } => "advice",
        }
    }

    /// The line to be copied into a shell, or behind `docker run`; `None` where there is none.
    pub fn command(&self) -> Option<String> {
        match self {
            Self::Chown { name, path, change, .. } => {
                let to = self.owner()?;
                let from = match (change.from_uid, change.from_gid) {
                    (None, None) => String::new(),
                    (uid, None) => format!(" --from {}", part(uid)),
                    (uid, gid) => format!(" --from {}:{}", part(uid), part(gid)),
                };
                Some(format!("vole chown {} {to}{from}", place(name, path)))
            }
            Self::Chmod { name, path, words, .. } => Some(format!("vole chmod {} {}", place(name, path), shell(words))),
            Self::Config { cli, .. } => Some(cli.clone()),
            Self::Host { command } => Some(command.clone()),
            Self::Refused { .. } | Self::Advice { .. } => None,
        }
    }

    /// The owner that a chown gives, as people write it (`999:998`).
    pub fn owner(&self) -> Option<String> {
        match self {
            Self::Chown { change, .. } => Some(format!("{}:{}", part(change.uid), part(change.gid))),
            _ => None,
        }
    }

    /// What to do in words, where there is no line; why it is refused.
    pub fn words(&self) -> Option<&str> {
        match self {
            Self::Refused { why } => Some(why),
            Self::Advice { words } => Some(words),
            _ => None,
        }
    }

    /// The line for a compose file.
    pub fn compose(&self) -> Option<&str> {
        match self {
            Self::Config { compose, .. } => Some(compose),
            _ => None,
        }
    }
}

fn part(id: Option<u32>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

fn place(name: &str, path: &BytePath) -> String {
    match path.is_root() {
        true => shell(name),
        false => shell(&format!("{name}:{}", String::from_utf8_lossy(path.as_bytes()))),
    }
}

/// A change of owners by `vole`, or why it will not.
pub(super) fn chown(exam: &Exam<'_>, attached: &Attached, path: &[u8], change: Change) -> Fix {
    if let Some(why) = refused(exam, attached, path) {
        return Fix::Refused { why };
    }
    let Some(change) = by_host(exam, &change) else {
        let path = backing::host_path(attached, path).map_or_else(|| "PATH".to_owned(), |path| shell(&path));
        let who = Identity {
            uid: change.uid.unwrap_or_default(),
            gid: change.gid.unwrap_or_default(),
            ..Identity::default()
        };
        return Fix::Host {
            command: subuid("dockremap", &who, &path),
        };
    };
    Fix::Chown {
        mount: attached.mount.id.clone(),
        name: attached.mount.name.clone(),
        path: in_mount(attached, path),
        change,
    }
}

/// A change of permission bits by `vole`.
pub(super) fn chmod(exam: &Exam<'_>, attached: &Attached, path: &[u8], change: Change, words: String) -> Fix {
    if let Some(why) = refused(exam, attached, path) {
        return Fix::Refused { why };
    }
    let change = by_host(exam, &change).unwrap_or(Change {
        from_uid: None,
        from_gid: None,
        ..change
    });
    Fix::Chmod {
        mount: attached.mount.id.clone(),
        name: attached.mount.name.clone(),
        path: in_mount(attached, path),
        change,
        words,
    }
}

/// A change in the numbers of the engine's host, in which owners are changed: under `userns-remap` a container's own are
/// shifted. `None` when it is not known by how much.
fn by_host(exam: &Exam<'_>, change: &Change) -> Option<Change> {
    let case = exam.case;
    if !remap::is_mapped(&case.about, &case.run) {
        return Some(change.clone());
    }
    remap::base(&case.about).and_then(|base| remap::shifted(change, base, u32::checked_add))
}

/// A path below what is attached as a path below the mount: a subdirectory may be all that is attached.
fn in_mount(attached: &Attached, path: &[u8]) -> BytePath {
    let mut bytes = attached.attachment.subpath.clone().unwrap_or_default().into_bytes();
    bytes.push(b'/');
    bytes.extend_from_slice(path);
    BytePath::new(&bytes)
}

/// Why `vole` does not change owners there.
fn refused(exam: &Exam<'_>, attached: &Attached, path: &[u8]) -> Option<String> {
    if !is_lasting(attached) {
        return Some("what lies there does not outlive the container".to_owned());
    }
    let ground = Ground {
        engine_dirs: Some(exam.case.about.root_dir.clone())
            .filter(|dir| !dir.is_empty())
            .into_iter()
            .collect(),
        homes: Vec::new(),
    };
    let why = host_paths::refused(&backing::host_path(attached, path)?, &ground)?;
    Some(format!(
        "{}: a change of owners or modes there breaks the host. Mount a directory of its own instead",
        crate::text::printable_str(&why)
    ))
}

/// Whether a volume does not take what the image has at its path.
pub(super) fn is_nocopy(exam: &Exam<'_>, attached: &Attached) -> bool {
    let destination = &attached.attachment.destination;
    let written = |bind: &String| {
        let mut parts = bind.split(':').skip(1);
        parts.next() == Some(destination)
            && parts
                .next()
                .is_some_and(|options| options.split(',').any(|one| one == "nocopy"))
    };
    attached.attachment.options.iter().any(|one| one.contains("nocopy")) || exam.case.run.binds.iter().any(written)
}

/// Capabilities to be added.
pub(super) fn cap_add(names: &[&str]) -> Fix {
    let options = names.iter().map(|name| format!("--cap-add {name}"));
    Fix::Config {
        compose: format!("cap_add: [{}]", names.join(", ")),
        cli: options.collect::<Vec<_>>().join(" "),
    }
}

/// A chown on the host by the base of a user's subordinate numbers.
pub(super) fn subuid(user: &str, who: &Identity, path: &str) -> String {
    // The root of a rootless engine is the user itself; its subordinate numbers begin with 1.
    let shift = |id: u32| if user == "dockremap" { id } else { id.saturating_sub(1) };
    let base = |file: &str, id: u32| format!("$(( $(grep \"^{user}:\" {file} | cut -d: -f2) + {} ))", shift(id));
    format!(
        "sudo chown -R \"{}:{}\" {path}",
        base("/etc/subuid", who.uid),
        base("/etc/subgid", who.gid)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MountId;

    #[test]
    fn commands_name_mount_path_owner_and_what_is_left_alone() {
        let chown = |path: &str, from_uid| Fix::Chown {
            mount: MountId::new("volume:shop db"),
            name: "shop db".to_owned(),
            path: BytePath::new(path.as_bytes()),
            change: Change {
                uid: Some(999),
                gid: Some(998),
                from_uid,
                ..Change::default()
            },
        };
        assert_eq!(
            chown("", None).command().as_deref(),
            Some("vole chown 'shop db' 999:998")
        );
        assert_eq!(
            chown("a/b", Some(70)).command().as_deref(),
            Some("vole chown 'shop db:a/b' 999:998 --from 70")
        );
        let caps = cap_add(&["CHOWN", "FOWNER"]);
        assert_eq!(caps.command().as_deref(), Some("--cap-add CHOWN --cap-add FOWNER"));
        assert_eq!(caps.compose(), Some("cap_add: [CHOWN, FOWNER]"));
    }
}
