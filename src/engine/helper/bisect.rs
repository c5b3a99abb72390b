//! Starts a helper with many mounts although some cannot be mounted: finds those, and leaves them out. Knows nothing of
//! why a mount was asked for.

use super::channel::Channel;
use super::container;
use super::spec::{Mounting, Plan};
use super::trouble::{is_full, retried};
use crate::engine::daemon::Flavour;
use crate::engine::error::EngineError;
use crate::engine::rest::RestDaemon;
use crate::engine::session::{Purpose, Session};

/// A helper that runs, and what it could not mount.
#[derive(Debug)]
pub(super) struct Started {
    /// The session; `None` when nothing could be mounted.
    pub(super) session: Option<Session>,
    /// For each mount asked for: its root in the session, or why it could not be mounted.
    pub(super) roots: Vec<Result<u32, String>>,
}

/// Starts helpers of one kind.
#[derive(Debug)]
pub(super) struct Starter<'a> {
    pub(super) daemon: &'a RestDaemon,
    pub(super) flavour: Flavour,
    pub(super) arch: &'a str,
    pub(super) purpose: Purpose,
    /// Whether it is to have a way for bulk data past the engine.
    pub(super) channel: bool,
}

impl Starter<'_> {
    /// Starts a helper with as many of the mounts as can be mounted.
    ///
    /// # Errors
    ///
    /// When no helper can be started, whatever it mounts; or when none can with the directory of all volumes, which
    /// cannot be left out for some of them.
    pub(super) async fn start(&self, mounts: &[Mounting]) -> Result<Started, EngineError> {
        let mut roots: Vec<Result<u32, String>> = vec![Ok(0); mounts.len()];
        let mut groups = vec![(0..mounts.len()).collect::<Vec<usize>>()];
        let mut good: Vec<usize> = Vec::new();
        let mut proven = false;
        while let Some(group) = groups.pop() {
            let error = match self.attempt(mounts, &group).await {
                Ok(session) if groups.is_empty() && good.is_empty() => return Ok(finish(session, &group, roots)),
                Ok(_) => {
                    good.extend(group);
                    continue;
                }
                Err(error) => error,
            };
            let Some(message) = mount_failure(&error) else {
                return Err(error);
            };
            match blamed(mounts, &group, message).as_slice() {
                [one] => {
                    roots[*one] = Err(message.to_owned());
                    groups.push(group.into_iter().filter(|index| index != one).collect());
                }
                _ if group
                    .iter()
                    .any(|&index| matches!(mounts[index], Mounting::Stored { .. })) =>
                {
                    return Err(error);
                }
                _ => {
                    if !proven {
                        // If not even an empty helper starts, no mount is to blame.
                        self.attempt(mounts, &[]).await?;
                        proven = true;
                    }
                    split(group, message, &mut groups, &mut roots);
                }
            }
            groups.retain(|group| !group.is_empty());
        }
        if good.is_empty() {
            return Ok(Started { session: None, roots });
        }
        good.sort_unstable();
        let session = self.attempt(mounts, &good).await?;
        Ok(finish(session, &good, roots))
    }

    /// Starts a helper with some of the mounts; what fails in passing is tried again.
    async fn attempt(&self, mounts: &[Mounting], group: &[usize]) -> Result<Session, EngineError> {
        retried(|| self.attempt_once(mounts, group)).await
    }

    async fn attempt_once(&self, mounts: &[Mounting], group: &[usize]) -> Result<Session, EngineError> {
        let crew = &self.daemon.crew;
        let chosen: Vec<Mounting> = group.iter().map(|&index| mounts[index].clone()).collect();
        let mut renewed = false;
        let mut channel = match self.channel && crew.has_channels() {
            // Without one the attach stream carries everything.
            true => Channel::open().ok(),
            false => None,
        };
        loop {
            let image = crew.image(&self.daemon.client, self.arch).await?;
            let ghost = crew.ghost_mark();
            let plan = Plan {
                image: &image,
                flavour: self.flavour,
                mounts: &chosen,
                purpose: self.purpose,
                owner: crew.owner(),
                ghost: &ghost,
                channel: channel.as_ref().map(Channel::dir),
            };
            match container::start(self.daemon, &plan, channel.as_ref()).await {
                Err(EngineError::Status {
                    status: 404, message, ..
                }) if !renewed && message.to_ascii_lowercase().contains("no such image") => {
                    crew.forget_image().await;
                    renewed = true;
                }
                // The engine sees other directories than this process (a container, a service with its own `/tmp`).
                Err(EngineError::Status { message, .. }) if is_blamed(channel.as_ref(), &message) => {
                    crew.forgo_channels();
                    channel = None;
                }
                other => return other,
            }
        }
    }
}

/// Whether an engine's message is about the channel's directory.
fn is_blamed(channel: Option<&Channel>, message: &str) -> bool {
    channel.is_some_and(|channel| message.contains(&*channel.dir().to_string_lossy()))
}

fn finish(session: Session, group: &[usize], mut roots: Vec<Result<u32, String>>) -> Started {
    for (root, (&index, info)) in (0..).zip(group.iter().zip(&session.hello().roots)) {
        roots[index] = match &info.fault {
            None => Ok(root),
            Some(fault) => Err(fault.message.clone()),
        };
    }
    Started {
        session: Some(session),
        roots,
    }
}

/// The engine's message when a failed start may be one mount's fault; `None` when it is the whole engine's.
pub(super) fn mount_failure(error: &EngineError) -> Option<&str> {
    match error {
        EngineError::Status {
            status: 400 | 404 | 409 | 500,
            message,
            ..
        } if !is_full(message) => Some(message),
        _ => None,
    }
}

/// The mounts that a message names as the engines do. Names of volumes are short words, so they count only where a
/// volume's name can stand.
fn blamed(mounts: &[Mounting], group: &[usize], message: &str) -> Vec<usize> {
    let named = |index: &&usize| match &mounts[**index] {
        Mounting::Volume(name) => {
            let forms = [
                format!("/volumes/{name}/_data"),
                format!("'{name}'"),
                format!("\"{name}\""),
            ];
            forms.iter().any(|form| message.contains(form))
        }
        Mounting::Bind(path) => path.len() > 1 && has_path(message, path),
        Mounting::Stored { .. } | Mounting::InContainer { .. } => false,
    };
    group.iter().filter(named).copied().collect()
}

/// Whether a text holds a path, and not only a longer one that contains it.
fn has_path(message: &str, path: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || "/._-".contains(c);
    message.match_indices(path).any(|(at, _)| {
        let before = message[..at].chars().next_back();
        let after = message[at + path.len()..].chars().next();
        !before.is_some_and(is_name) && !after.is_some_and(|c| is_name(c) && c != '.')
    })
}

/// Takes a group that failed apart, or finds its only member guilty.
fn split(mut group: Vec<usize>, message: &str, groups: &mut Vec<Vec<usize>>, roots: &mut [Result<u32, String>]) {
    match group.as_slice() {
        [] => {}
        [one] => roots[*one] = Err(message.to_owned()),
        _ => {
            let half = group.split_off(group.len() / 2);
            groups.push(half);
            groups.push(group);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_that_a_message_names_is_found() {
        let mounts = [
            Mounting::Volume("volumes".into()),
            Mounting::Volume("opt_broken_bind".into()),
            Mounting::Bind("/no/such".into()),
            Mounting::Volume("opt".into()),
        ];
        let all = [0, 1, 2, 3];
        let docker = "error while mounting volume '/d/volumes/opt_broken_bind/_data': failed to mount local volume: \
                      mount /no/such/dir:/d/volumes/opt_broken_bind/_data, flags: 0x1000: no such file or directory";
        assert_eq!(blamed(&mounts, &all, docker), [1]);
        let bind = "invalid mount config for type \"bind\": bind source path does not exist: /no/such";
        assert_eq!(blamed(&mounts, &all, bind), [2]);
        let podman = "statfs /no/such: no such file or directory";
        assert_eq!(blamed(&mounts, &all, podman), [2]);
        assert_eq!(blamed(&mounts, &all, "the volume is gone: 'opt'"), [3]);
        assert!(blamed(&mounts, &all, "something else").is_empty());
    }

    #[test]
    fn a_full_or_forbidding_engine_is_no_mounts_fault() {
        let status = |status, message: &str| EngineError::Status {
            what: String::new(),
            status,
            message: message.into(),
        };
        assert!(mount_failure(&status(500, "failed to mount local volume")).is_some());
        assert!(mount_failure(&status(500, "mkdir /x: no space left on device")).is_none());
        assert!(mount_failure(&status(403, "forbidden")).is_none());
        assert!(mount_failure(&EngineError::Cancelled).is_none());
    }
}
