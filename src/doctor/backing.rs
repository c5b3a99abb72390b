//! What a mount is made of, where that refuses by itself: remote shares, Docker Desktop, user namespaces, SELinux, tmpfs.

use vole_agent::proto::probe::{Facts, Identity};

use super::causes::{Refusal, Verdict};
use super::evidence::Attached;
use super::exam::Exam;
use super::finding::{Cause, Fix};
use super::lines;
use crate::engine::daemon::Flavour;
use crate::model::{BytePath, MountKind, bind_device};
use crate::text;

/// File systems where another machine decides.
const REMOTE: [&str; 12] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "ceph",
    "glusterfs",
    "fuse.glusterfs",
    "fuse.sshfs",
    "afs",
    "fuse.s3fs",
];
/// Shares of Docker Desktop.
const DESKTOP: [&str; 7] = [
    "fakeowner",
    "grpcfuse",
    "osxfs",
    "virtiofs",
    "fuse.grpcfuse",
    "fuse.osxfs",
    "fuse.fakeowner",
];
/// The number that an owner without a number in the namespace shows as.
const NOBODY: u32 = 65534;
/// Types of labels that containers may use.
const LABELS: [&str; 6] = [
    "container_file_t",
    "container_share_t",
    "container_ro_file_t",
    "svirt_sandbox_file_t",
    "container_var_lib_t",
    "nfs_t",
];

/// The type of the file system, as far as known; of a volume that could not be tried, what its options say.
pub(super) fn file_system(attached: &Attached) -> &str {
    let told = attached.file_system.as_ref().map_or("", |facts| facts.kind.as_str());
    match told {
        "" => attached.mount.options.get("type").map_or("", String::as_str),
        told => told,
    }
}

/// Whether another machine decides on its owners.
pub(super) fn is_remote(attached: &Attached) -> bool {
    REMOTE.contains(&file_system(attached))
}

/// Whether it is a share of Docker Desktop.
pub(super) fn is_desktop(exam: &Exam<'_>, attached: &Attached) -> bool {
    let kind = file_system(attached);
    let desktop = exam.case.about.os.contains("Docker Desktop");
    DESKTOP.contains(&kind) && (desktop || kind != "virtiofs") || desktop && attached.mount.kind == MountKind::Bind
}

/// A path of a mount on the engine's host, where it is known.
pub(super) fn host_path(attached: &Attached, path: &[u8]) -> Option<String> {
    let mount = &attached.mount;
    let root = bind_device(&mount.driver, &mount.options).or(mount.host_path.as_deref());
    let root = root.or_else(|| (mount.kind == MountKind::Bind).then_some(mount.name.as_str()))?;
    let path = std::str::from_utf8(BytePath::new(path).as_bytes()).ok()?.to_owned();
    Some(match path.is_empty() {
        true => root.to_owned(),
        false => format!("{}/{path}", root.trim_end_matches('/')),
    })
}

/// A share that decides on its own.
pub(super) fn cause(exam: &Exam<'_>, attached: &Attached) -> Option<Verdict> {
    if is_desktop(exam, attached) {
        let fix = Fix::Config {
            compose: format!("volumes: [\"data:{}\"]", attached.attachment.destination),
            cli: format!(
                "-v {}",
                lines::shell(&format!("data:{}", attached.attachment.destination))
            ),
        };
        let mut verdict = Verdict::new(
            Cause::DesktopShare,
            "Docker Desktop shares the path into its virtual machine, and owners there are made up",
            fix,
        );
        verdict
            .wrong
            .push("chown: Docker Desktop's share does not keep owners".to_owned());
        verdict
            .caveats
            .push("copy what is there into the named volume first".to_owned());
        return Some(verdict);
    }
    if !is_remote(attached) {
        return None;
    }
    let kind = text::printable_str(file_system(attached));
    let words = match kind.starts_with("nfs") {
        true => {
            "give the export the right uid on the server (all_squash with anonuid=, anongid=, or no_root_squash), or \
                 chown the directory there"
                .to_owned()
        }
        false if kind == "cifs" || kind.starts_with("smb") => {
            "mount it with uid=, gid=, file_mode= and dir_mode= (driver_opts `o` of the volume); cifs keeps no owners"
                .to_owned()
        }
        false => format!("set owner and mode on the side that serves the {kind}, or in its mount options"),
    };
    let because = format!("it lies on {kind}, where the server decides who may");
    let mut verdict = Verdict::new(Cause::RemoteFs, because, Fix::Advice { words });
    verdict
        .wrong
        .push("chown from here: the server maps root to nobody (root_squash) or keeps no owners".to_owned());
    Some(verdict)
}

/// Owners that have no number in the container.
pub(super) fn userns(exam: &Exam<'_>, refusal: &Refusal<'_>) -> Option<Verdict> {
    let case = exam.case;
    let mode = case.run.userns_mode.as_str();
    let remapped = case.about.rootless
        || case
            .about
            .security
            .iter()
            .any(|one| one.contains("userns") || one.contains("rootless"));
    let spaces = (remapped && mode != "host") || !matches!(mode, "" | "host");
    let (who, facts) = (refusal.who, refusal.facts);
    // An identity of a high range beside an owner of the host: the numbers are the host's.
    let apart = who.uid >= 100_000 && facts.uid < 65_536;
    if !spaces || !(facts.uid == NOBODY || apart) || who.uid == NOBODY {
        return None;
    }
    let path = host_path(refusal.attached, refusal.path).map_or_else(|| "PATH".to_owned(), |path| lines::shell(&path));
    let command = match (case.about.flavour, case.about.rootless) {
        (Flavour::Podman, true) => format!("podman unshare chown -R {}:{} {path}", who.uid, who.gid),
        _ if apart => format!("sudo chown -R {}:{} {path}", who.uid, who.gid),
        (Flavour::Docker, true) => lines::subuid("$(id -un)", who, &path),
        _ => lines::subuid("dockremap", who, &path),
    };
    let because =
        "its owner has no number in the container's user namespace (it shows as 65534): the container's uid n is \
                   the host's base + n"
            .to_owned();
    let mut verdict = Verdict::new(Cause::Userns, because, Fix::Host { command });
    if case.about.flavour == Flavour::Podman {
        verdict
            .caveats
            .push("or let podman do it at each start: mount it with `:U`".to_owned());
    }
    verdict.wrong.push(format!(
        "chown to {}:{} on the host: the container's numbers are shifted by the base of /etc/subuid",
        who.uid, who.gid
    ));
    Some(verdict)
}

/// A label that containers may not use, where owner and mode would allow it.
pub(super) fn selinux(exam: &Exam<'_>, attached: &Attached, facts: &Facts, allowed: bool) -> Option<Verdict> {
    let enforced = exam.case.about.security.iter().any(|one| one.contains("selinux"));
    let off = |one: &String| one.replace(':', "=").contains("label=disable");
    let unconfined = exam.case.run.privileged || exam.case.run.security_opt.iter().any(off);
    let label = text::printable(facts.label.as_deref()?.split(|byte| *byte == 0).next()?);
    let kind = label.split(':').nth(2)?;
    if !enforced || unconfined || !allowed || LABELS.contains(&kind) {
        return None;
    }
    let because = format!("owner and mode allow it, but its SELinux label {label} is not one that containers may use");
    let source = host_path(attached, &[]).unwrap_or_default();
    let system = ["/", "/home", "/usr", "/etc", "/var", "/root"].contains(&source.as_str());
    let destination = &attached.attachment.destination;
    let fix = match system {
        true => Fix::Refused {
            why: format!(
                "{source} must not be labelled for containers: the host itself would lose it; mount a directory of its own"
            ),
        },
        false => Fix::Config {
            compose: format!("volumes: [\"{}:{destination}:z\"]", attached.mount.name),
            cli: format!(
                "-v {}",
                lines::shell(&format!("{}:{destination}:z", attached.mount.name))
            ),
        },
    };
    let mut verdict = Verdict::new(Cause::Selinux, because, fix);
    verdict
        .wrong
        .push("chown and chmod: the owner is right, the label is not".to_owned());
    verdict
        .caveats
        .push("`:z` shares it among containers, `:Z` gives it to one alone; never on /home or /usr".to_owned());
    Some(verdict)
}

/// A tmpfs, whose owner is set when it is mounted.
pub(super) fn tmpfs(attached: &Attached, who: &Identity) -> Option<Verdict> {
    let options = &attached.mount.options;
    let volume = attached.mount.kind.is_volume() && options.get("type").is_some_and(|kind| kind == "tmpfs");
    if attached.mount.kind != MountKind::Tmpfs && !volume {
        return None;
    }
    let set = format!("uid={},gid={},mode=1770", who.uid, who.gid);
    let destination = &attached.attachment.destination;
    let fix = match volume {
        true => {
            let had = options.get("o").map_or("", String::as_str).split(',');
            let kept =
                had.filter(|one| !one.is_empty() && !["uid=", "gid=", "mode="].iter().any(|key| one.starts_with(key)));
            let all = kept.chain([set.as_str()]).collect::<Vec<_>>().join(",");
            Fix::Config {
                compose: format!("driver_opts: {{type: tmpfs, device: tmpfs, o: \"{all}\"}}"),
                cli: format!(
                    "docker volume create --opt type=tmpfs --opt device=tmpfs --opt {}",
                    lines::shell(&format!("o={all}"))
                ),
            }
        }
        false => Fix::Config {
            compose: format!("tmpfs: [\"{destination}:{set}\"]"),
            cli: format!("--tmpfs {}", lines::shell(&format!("{destination}:{set}"))),
        },
    };
    let because =
        "a tmpfs is made anew at each start and takes owner and mode from its options, else from the directory below";
    let mut verdict = Verdict::new(Cause::Tmpfs, because, fix);
    verdict.wrong.push("chown: it is gone with the next start".to_owned());
    Some(verdict)
}
