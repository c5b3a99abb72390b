//! What a helper container is made of, as the document that `POST /containers/create` takes. Pure; talks to nobody.

use std::path::Path;

use serde_json::{Value, json};

use super::channel::SOCKET;
use super::image::AGENT_PATH;
use crate::engine::daemon::Flavour;
use crate::engine::labels;
use crate::engine::session::Purpose;

/// Memory that a helper may take, in bytes. The kernel charges the directory entries that a scan touches to it: a
/// tight limit makes every later scan read them again.
const MEMORY: u64 = 1 << 30;
/// Processes and threads that a helper may have.
const PIDS: u32 = 256;

/// How one target gets into a helper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mounting {
    /// A volume, mounted by its name.
    Volume(String),
    /// A path of the engine's host, without its submounts.
    Bind(String),
    /// A volume by way of the directory that holds it and others. All of a helper have the same directory.
    Stored {
        /// The directory on the engine's host.
        store: String,
        /// The volume's name.
        name: String,
    },
    /// A path inside a running container, through `/proc/1/root` in its process namespace.
    InContainer {
        /// The container's id.
        container: String,
        /// The path inside it.
        destination: String,
    },
}

/// A helper that is to be made.
#[derive(Debug, Clone)]
pub(super) struct Plan<'a> {
    /// The agent's image.
    pub(super) image: &'a str,
    /// The family of engine; its quirks decide on details.
    pub(super) flavour: Flavour,
    /// What is mounted, in the order of the agent's roots.
    pub(super) mounts: &'a [Mounting],
    /// What for.
    pub(super) purpose: Purpose,
    /// The labels that say whose it is.
    pub(super) owner: &'a Owner,
    /// The value of [`labels::GHOST`] by which volumes made by mistake are recognised.
    pub(super) ghost: &'a str,
    /// The directory with the socket for bulk data, on the engine's host.
    pub(super) channel: Option<&'a Path>,
}

/// Whose a helper is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) struct Owner {
    /// The session's id.
    pub(in crate::engine) session: String,
    /// The process, see [`crate::engine::client_process`].
    pub(in crate::engine) client: String,
}

impl Owner {
    /// The labels of a container that vole makes.
    pub(super) fn labels(&self, purpose: &str) -> Value {
        json!({
            labels::HELPER: self.session,
            labels::CLIENT: self.client,
            labels::PURPOSE: purpose,
            labels::VERSION: env!("CARGO_PKG_VERSION"),
        })
    }
}

/// Where the directory with the socket for bulk data is mounted.
const CHANNEL: &str = "/vole/channel";
/// Where the directory of all volumes is mounted.
const STORE: &str = "/vole/store";

/// The agent's root of the mount at an index. Images lack the path, so no engine copies anything up into a volume.
fn root(index: usize, mounting: &Mounting) -> String {
    match mounting {
        Mounting::Volume(_) | Mounting::Bind(_) => format!("/vole/{index}"),
        Mounting::Stored { name, .. } => format!("{STORE}/{name}/_data"),
        Mounting::InContainer { destination, .. } => format!("/proc/1/root/{}", destination.trim_start_matches('/')),
    }
}

/// The document that makes the helper.
pub(super) fn document(plan: &Plan<'_>) -> Value {
    let roots = plan.mounts.iter().enumerate().map(|(n, mounting)| root(n, mounting));
    let channel = plan
        .channel
        .map(|_| ["--channel".to_owned(), format!("{CHANNEL}/{SOCKET}")]);
    let command: Vec<String> = channel.into_iter().flatten().chain(roots).collect();
    json!({
        "Image": plan.image,
        "Entrypoint": [AGENT_PATH],
        "Cmd": command,
        "User": "0:0",
        "WorkingDir": "/",
        "OpenStdin": true,
        // Without it the helper sees no EOF when vole is killed, and output is lost at a half-close.
        "StdinOnce": true,
        "Tty": false,
        "AttachStdin": true,
        "AttachStdout": true,
        "AttachStderr": true,
        // Podman's forced removal sends this and waits ten seconds before it kills; a first process ignores SIGTERM.
        "StopSignal": "SIGKILL",
        "Labels": plan.owner.labels(plan.purpose.word()),
        "HostConfig": host_config(plan),
    })
}

fn host_config(plan: &Plan<'_>) -> Value {
    let mut config = json!({
        "NetworkMode": "none",
        "ReadonlyRootfs": true,
        "CapDrop": ["ALL"],
        "CapAdd": capabilities(plan.purpose),
        // A confined label could not read what other containers labelled for themselves; the helper only reads.
        "SecurityOpt": ["no-new-privileges", "label=disable"],
        "PidsLimit": PIDS,
        "Memory": MEMORY,
        "IpcMode": "none",
        "LogConfig": {"Type": "none", "Config": {}},
    });
    let mounts = plan.mounts.iter().enumerate();
    config["Mounts"] = mounts
        .filter_map(|(index, mounting)| mount(index, mounting, plan))
        .chain(plan.channel.map(|dir| bind(&dir.to_string_lossy(), CHANNEL, true)))
        .collect();
    if let Some(Mounting::InContainer { container, .. }) = plan.mounts.first() {
        config["PidMode"] = format!("container:{container}").into();
        config["CapAdd"] = capabilities(plan.purpose).into_iter().chain(["SYS_PTRACE"]).collect();
    }
    match plan.flavour {
        Flavour::Docker => {
            config["AutoRemove"] = true.into();
            // With userns-remap the helper could not read what host root owns; who tries must be where the container is.
            let with_container = matches!(plan.mounts.first(), Some(Mounting::InContainer { .. }));
            let as_remapped = matches!(plan.purpose, Purpose::Probe { host_users: false });
            if !with_container && !as_remapped {
                config["UsernsMode"] = "host".into();
            }
        }
        // Podman's AutoRemove destroys anonymous volumes that the helper mounted.
        Flavour::Podman => config["AutoRemove"] = false.into(),
    }
    config
}

/// What a helper may beyond what anybody may. One that tries becomes others, on mounts that are read-only.
fn capabilities(purpose: Purpose) -> Vec<&'static str> {
    match purpose {
        Purpose::Browse | Purpose::Measure | Purpose::Pack => vec!["DAC_READ_SEARCH"],
        Purpose::Probe { .. } => {
            let becomes = ["SETUID", "SETGID"];
            let has = ["CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID"];
            becomes.into_iter().chain(has).collect()
        }
        Purpose::Own => vec!["CHOWN", "DAC_READ_SEARCH", "FOWNER", "FSETID", "SETFCAP"],
        Purpose::Unpack => vec![
            "CHOWN",
            "DAC_OVERRIDE",
            "DAC_READ_SEARCH",
            "FOWNER",
            "FSETID",
            "MKNOD",
            "SETFCAP",
        ],
    }
}

fn mount(index: usize, mounting: &Mounting, plan: &Plan<'_>) -> Option<Value> {
    let target = root(index, mounting);
    match mounting {
        Mounting::Volume(name) => {
            // The label sticks only to a volume that this very request makes: one that was gone. NoCopy is for an
            // image that, unlike ours, would have something at the target.
            let options = json!({"NoCopy": true, "Labels": {labels::GHOST: plan.ghost}});
            let read_only = !plan.purpose.writes();
            let mut mount = json!({"Type": "volume", "Source": name, "Target": target, "ReadOnly": read_only});
            if plan.flavour == Flavour::Docker {
                mount["VolumeOptions"] = options;
            }
            Some(mount)
        }
        Mounting::Bind(source) => Some(bind(source, &target, !plan.purpose.writes())),
        Mounting::Stored { store, .. } => {
            let is_first = |other: &Mounting| matches!(other, Mounting::Stored { .. });
            (plan.mounts.iter().position(is_first) == Some(index)).then(|| bind(store, STORE, true))
        }
        Mounting::InContainer { .. } => None,
    }
}

/// Docker 20.10 leaves submounts writable below a read-only bind, so none come along. No propagation is asked for:
/// Docker takes a private one unless the path holds its own data, and there refuses a private one.
fn bind(source: &str, target: &str, read_only: bool) -> Value {
    json!({
        "Type": "bind", "Source": source, "Target": target, "ReadOnly": read_only,
        "BindOptions": {"NonRecursive": true},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(flavour: Flavour, mounts: &[Mounting]) -> Value {
        let owner = Owner {
            session: "s1".into(),
            client: "c1".into(),
        };
        let purpose = Purpose::Measure;
        document(&Plan {
            image: "i",
            flavour,
            mounts,
            purpose,
            owner: &owner,
            ghost: "s1-1",
            channel: None,
        })
    }

    #[test]
    fn every_mount_is_read_only_at_a_path_that_no_image_has() {
        let mounts = [Mounting::Volume("v".into()), Mounting::Bind("/srv".into())];
        for flavour in [Flavour::Docker, Flavour::Podman] {
            let made = made(flavour, &mounts);
            assert_eq!(made["Cmd"], json!(["/vole/0", "/vole/1"]));
            let listed = made["HostConfig"]["Mounts"].as_array().unwrap().clone();
            assert_eq!(listed.len(), 2);
            for (index, mount) in listed.iter().enumerate() {
                assert_eq!(mount["ReadOnly"], true, "{mount}");
                assert_eq!(mount["Target"], format!("/vole/{index}"));
            }
            assert_eq!(listed[1]["BindOptions"]["NonRecursive"], true);
        }
    }

    #[test]
    fn the_directory_of_all_volumes_is_mounted_once() {
        let stored = |name: &str| Mounting::Stored {
            store: "/d/volumes".into(),
            name: name.into(),
        };
        let mounts = [Mounting::Volume("v".into()), stored("a"), stored("b")];
        let made = made(Flavour::Docker, &mounts);
        assert_eq!(
            made["Cmd"],
            json!(["/vole/0", "/vole/store/a/_data", "/vole/store/b/_data"])
        );
        let listed = made["HostConfig"]["Mounts"].as_array().unwrap().clone();
        assert_eq!(listed.len(), 2);
        assert_eq!(listed[1]["Source"], "/d/volumes");
        assert_eq!(listed[1]["Target"], STORE);
        assert_eq!(listed[1]["ReadOnly"], true);
        assert_eq!(listed[1]["BindOptions"]["NonRecursive"], true);
    }

    #[test]
    fn a_helper_may_do_nothing_but_read() {
        for flavour in [Flavour::Docker, Flavour::Podman] {
            let made = made(flavour, &[Mounting::Volume("v".into())]);
            let config = &made["HostConfig"];
            assert_eq!(config["CapDrop"], json!(["ALL"]));
            assert_eq!(config["CapAdd"], json!(["DAC_READ_SEARCH"]));
            assert_eq!(config["NetworkMode"], "none");
            assert_eq!(config["ReadonlyRootfs"], true);
            assert_eq!(config["LogConfig"]["Type"], "none");
            assert!(
                config["SecurityOpt"]
                    .as_array()
                    .unwrap()
                    .contains(&json!("no-new-privileges"))
            );
            assert!(config["PidMode"].is_null());
            assert_eq!(made["Labels"][labels::HELPER], "s1");
            assert_eq!(made["StdinOnce"], true);
        }
    }

    #[test]
    fn only_docker_removes_by_itself_and_marks_ghosts() {
        let volume = [Mounting::Volume("v".into())];
        let docker = made(Flavour::Docker, &volume);
        assert_eq!(docker["HostConfig"]["AutoRemove"], true);
        assert_eq!(
            docker["HostConfig"]["Mounts"][0]["VolumeOptions"]["Labels"][labels::GHOST],
            "s1-1"
        );
        let podman = made(Flavour::Podman, &volume);
        assert_eq!(podman["HostConfig"]["AutoRemove"], false);
    }

    #[test]
    fn a_way_for_bulk_data_is_one_directory_more_and_read_only() {
        let owner = Owner {
            session: "s1".into(),
            client: "c1".into(),
        };
        let made = document(&Plan {
            image: "i",
            flavour: Flavour::Docker,
            mounts: &[Mounting::Volume("v".into())],
            purpose: Purpose::Unpack,
            owner: &owner,
            ghost: "s1-1",
            channel: Some(Path::new("/run/user/0/vole-7-0.channel")),
        });
        assert_eq!(made["Cmd"], json!(["--channel", "/vole/channel/socket", "/vole/0"]));
        let mounts = made["HostConfig"]["Mounts"].as_array().unwrap().clone();
        assert_eq!((mounts[0]["ReadOnly"].as_bool(), mounts.len()), (Some(false), 2));
        assert_eq!(mounts[1]["Source"], "/run/user/0/vole-7-0.channel");
        assert_eq!(
            (&mounts[1]["Target"], &mounts[1]["ReadOnly"]),
            (&json!("/vole/channel"), &json!(true))
        );
    }

    #[test]
    fn a_containers_memory_is_reached_through_its_processes() {
        let mounts = [Mounting::InContainer {
            container: "abc".into(),
            destination: "/run".into(),
        }];
        let made = made(Flavour::Docker, &mounts);
        assert_eq!(made["Cmd"], json!(["/proc/1/root/run"]));
        assert_eq!(made["HostConfig"]["PidMode"], "container:abc");
        assert_eq!(made["HostConfig"]["CapAdd"], json!(["DAC_READ_SEARCH", "SYS_PTRACE"]));
        assert_eq!(made["HostConfig"]["Mounts"], json!([]));
    }
}
