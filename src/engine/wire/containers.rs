//! Reads `/containers/json` and the inspection of one container.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{Flag, LabelMap, Number, Text, TextMap, document, name, nullable, rows, run};
use crate::engine::daemon::{ContainerDetail, ContainerList, ContainerRow, MountPoint, RequestedMount};
use crate::engine::error::EngineError;

const WHAT: &str = "the list of containers";
/// Digits of an id that people use.
const SHORT_ID: usize = 12;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    #[serde(deserialize_with = "name")]
    id: Text,
    #[serde(default)]
    names: Option<Vec<Text>>,
    #[serde(default)]
    image: Text,
    #[serde(default, rename = "ImageID")]
    image_id: Text,
    #[serde(default)]
    state: Text,
    #[serde(default)]
    status: Text,
    #[serde(default)]
    labels: LabelMap,
    // Missing is an error: a container whose mounts are unknown must not make volumes look unused.
    #[serde(deserialize_with = "mounts")]
    mounts: Option<Vec<Mount>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Mount {
    #[serde(default, rename = "Type")]
    kind: Text,
    #[serde(default)]
    name: Text,
    #[serde(default)]
    source: Text,
    #[serde(default)]
    destination: Text,
    #[serde(default)]
    driver: Text,
    #[serde(default)]
    mode: Text,
    #[serde(default, rename = "RW")]
    rw: Flag,
    #[serde(default)]
    propagation: Text,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    #[serde(deserialize_with = "name")]
    id: Text,
    #[serde(deserialize_with = "mounts")]
    mounts: Option<Vec<Mount>>,
    // Neither missing nor null: it alone tells of tmpfs and of subpaths.
    host_config: HostConfig,
    #[serde(default)]
    state: Option<State>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct HostConfig {
    tmpfs: TextMap,
    mounts: Option<Vec<Requested>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct State {
    pid: Number,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Requested {
    #[serde(rename = "Type")]
    kind: Text,
    source: Text,
    target: Text,
    read_only: Flag,
    volume_options: Option<VolumeOptions>,
    bind_options: Option<BindOptions>,
    tmpfs_options: Option<TmpfsOptions>,
    image_options: Option<VolumeOptions>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct VolumeOptions {
    no_copy: Flag,
    subpath: Text,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct BindOptions {
    propagation: Text,
    non_recursive: Flag,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct TmpfsOptions {
    size_bytes: Number,
    mode: Number,
}

/// Reads mounts, which may be `null`. One that does not say what it mounts is an error: it may be any volume.
fn mounts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Mount>>, D::Error> {
    let mounts: Option<Vec<Mount>> = nullable(deserializer)?;
    let nameless = |mount: &&Mount| {
        let of_something = matches!(mount.kind.0.as_str(), "" | "volume" | "cluster" | "bind");
        of_something && mount.name.0.is_empty() && mount.source.0.is_empty()
    };
    match mounts.iter().flatten().find(nameless) {
        Some(mount) => Err(serde::de::Error::custom(format!(
            "its mount at {:?} does not say what it mounts",
            mount.destination.0
        ))),
        None => Ok(mounts),
    }
}

/// Reads the answer of `/containers/json?all=1`; vole's own helpers are still in it.
///
/// # Errors
///
/// [`EngineError::Garbage`] when it is no list at all; a single bad row is a warning in the list.
pub fn containers(body: &[u8]) -> Result<ContainerList, EngineError> {
    let raw: Option<Vec<&RawValue>> = document(WHAT, body)?;
    let mut warnings = Vec::new();
    let rows = rows::<Row>(WHAT, raw, &mut warnings);
    Ok(ContainerList {
        helpers: 0,
        rows: rows.into_iter().map(ContainerRow::from).collect(),
        warnings,
    })
}

/// Reads the answer of `/containers/ID/json`.
///
/// # Errors
///
/// [`EngineError::Garbage`] when it cannot be read.
pub fn container(body: &[u8]) -> Result<ContainerDetail, EngineError> {
    let inspected: Inspected = document("a container's details", body)?;
    let whole: serde_json::Value = document("a container's details", body)?;
    let host_config = inspected.host_config;
    Ok(ContainerDetail {
        id: inspected.id.0,
        mounts: inspected.mounts.into_iter().flatten().map(MountPoint::from).collect(),
        tmpfs: host_config.tmpfs.0,
        requested: host_config
            .mounts
            .into_iter()
            .flatten()
            .map(RequestedMount::from)
            .collect(),
        pid: inspected.state.and_then(|state| state.pid.0).unwrap_or(0),
        run: run::run_facts(&whole),
    })
}

impl From<Row> for ContainerRow {
    fn from(row: Row) -> Self {
        let id = row.id.0;
        // Links of other containers show as names with a second slash (`/web/db`): not this one's name.
        let name = row
            .names
            .iter()
            .flatten()
            .map(|name| name.0.strip_prefix('/').unwrap_or(&name.0))
            .find(|name| !name.is_empty() && !name.contains('/'))
            .map_or_else(|| id.chars().take(SHORT_ID).collect(), str::to_owned);
        Self {
            id,
            name,
            image: row.image.0,
            image_id: row.image_id.0,
            state: row.state.0,
            status: row.status.0,
            labels: row.labels.0,
            mounts_told: row.mounts.is_some(),
            mounts: row.mounts.into_iter().flatten().map(MountPoint::from).collect(),
        }
    }
}

impl From<Mount> for MountPoint {
    fn from(mount: Mount) -> Self {
        Self {
            kind: mount.kind.0,
            name: mount.name.0,
            source: mount.source.0,
            destination: mount.destination.0,
            driver: mount.driver.0,
            mode: mount.mode.0,
            // When the engine does not say, a container may write.
            rw: mount.rw.0.unwrap_or(true),
            propagation: mount.propagation.0,
        }
    }
}

impl From<Requested> for RequestedMount {
    fn from(requested: Requested) -> Self {
        let mut options = Vec::new();
        let mut subpath = None;
        for volume in [requested.volume_options, requested.image_options]
            .into_iter()
            .flatten()
        {
            if volume.no_copy.0 == Some(true) {
                options.push("nocopy".to_owned());
            }
            subpath = Some(volume.subpath.0).filter(|path| !path.is_empty()).or(subpath);
        }
        if let Some(bind) = requested.bind_options {
            if !bind.propagation.0.is_empty() {
                options.push(bind.propagation.0);
            }
            if bind.non_recursive.0 == Some(true) {
                options.push("non-recursive".to_owned());
            }
        }
        if let Some(tmpfs) = requested.tmpfs_options {
            options.extend(tmpfs.size_bytes.bytes().map(|size| format!("size={size}")));
            options.extend(tmpfs.mode.0.map(|mode| format!("mode={mode:o}")));
        }
        Self {
            kind: requested.kind.0,
            source: requested.source.0,
            target: requested.target.0,
            read_only: requested.read_only.0 == Some(true),
            subpath,
            options,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_and_podman_lists_are_read() {
        let docker = containers(include_bytes!("../../../tests/data/docker-20.10-containers.json")).unwrap();
        assert_eq!(docker.warnings, Vec::<String>::new());
        let by_name = |name: &str| docker.rows.iter().find(|row| row.name == name).unwrap();
        assert_eq!(by_name("created").state, "created");
        assert_eq!(
            by_name("created").mounts.len(),
            1,
            "a container that never ran has its mounts too"
        );
        assert_eq!(by_name("blog-app-1").state, "restarting");
        let web = by_name("shop-web-1");
        let bind = web.mounts.iter().find(|mount| mount.kind == "bind").unwrap();
        assert!(!bind.rw && bind.destination == "/etc/app" && bind.name.is_empty());

        let podman = containers(include_bytes!("../../../tests/data/podman-4.3-containers.json")).unwrap();
        assert_eq!(podman.warnings, Vec::<String>::new());
        let by_name = |name: &str| podman.rows.iter().find(|row| row.name == name).unwrap();
        assert_eq!(by_name("cre1").mounts.len(), 2, "created");
        assert_eq!(by_name("exi1").mounts.len(), 2, "exited");
        assert_eq!(by_name("sto1").mounts.len(), 1, "stopped");
        assert!(
            by_name("cre1")
                .mounts
                .iter()
                .any(|mount| mount.name == "va" && !mount.rw)
        );
    }

    #[test]
    fn details_are_read() {
        let docker = container(include_bytes!("../../../tests/data/docker-20.10-container.json")).unwrap();
        assert!(docker.pid > 0);
        assert_eq!(docker.tmpfs["/run"], "");
        let requested = |target: &str| docker.requested.iter().find(|mount| mount.target == target).unwrap();
        assert_eq!(requested("/m").options, ["size=1048576", "mode=1777"]);
        assert!(requested("/e").read_only);
        assert_eq!(requested("/v").options, ["nocopy"]);

        let podman = container(include_bytes!("../../../tests/data/podman-4.3-container.json")).unwrap();
        assert!(podman.tmpfs["/tt"].contains("size=1m"));
        assert_eq!(podman.mounts.len(), 2);
    }

    #[test]
    fn a_container_whose_mounts_cannot_be_read_is_a_warning_not_a_container_without_mounts() {
        let list = containers(
            br#"[{"Id":"a0123456789abcdef","Names":null,"Mounts":null,"State":"warming-up"},{"Id":"b","Names":["/web/db","/db"],"Mounts":[]},
                {"Id":"c"},{"Id":"d","Mounts":[7]},{"Mounts":[]},{"Id":"e","Mounts":[{"Type":"volume","Name":"v"}]},
                {"Id":"f","Mounts":[{"Type":"volume","Destination":"/d"}]},{"Id":"g","Mounts":[{"Type":"tmpfs","Destination":"/t"}]}]"#,
        )
        .unwrap();
        let names: Vec<&str> = list.rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["a0123456789a", "db", "e", "g"]);
        assert!(!list.rows[0].mounts_told && list.rows[1].mounts_told);
        assert!(list.rows[2].mounts[0].rw);
        assert_eq!(list.warnings.len(), 4);
        assert!(
            list.warnings[3].contains("\"/d\" does not say what it mounts"),
            "{:?}",
            list.warnings
        );
        assert_eq!(containers(b"null"), Ok(ContainerList::default()));
        assert!(containers(b"{}").is_err());
    }

    #[test]
    fn details_without_what_they_are_asked_for_are_none() {
        for half in [
            r#"{"Id":"a","Mounts":[]}"#,
            r#"{"Id":"a","Mounts":[],"HostConfig":null}"#,
            r#"{"Id":"a","Mounts":[],"HostConfig":7}"#,
            r#"{"Id":"a","HostConfig":{}}"#,
            r#"{"Id":"a","Mounts":[{"Type":"bind","Destination":"/b"}],"HostConfig":{}}"#,
            r#"{"Mounts":[],"HostConfig":{}}"#,
        ] {
            let read = container(half.as_bytes());
            assert!(matches!(read, Err(EngineError::Garbage { .. })), "{half}: {read:?}");
        }
        assert!(container(br#"{"Id":"a","Mounts":null,"HostConfig":{"Tmpfs":null}}"#).is_ok());
    }

    #[test]
    fn a_subpath_is_read() {
        let detail = container(
            br#"{"Id":"a","Mounts":[],"HostConfig":{"Tmpfs":null,"Mounts":[{"Type":"volume","Source":"v","Target":"/t","VolumeOptions":{"Subpath":"x/y"}}]},"State":{"Pid":"12"}}"#,
        )
        .unwrap();
        assert_eq!(detail.requested[0].subpath.as_deref(), Some("x/y"));
        assert_eq!(detail.pid, 12);
    }
}
