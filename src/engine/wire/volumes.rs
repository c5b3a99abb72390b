//! Reads `/volumes`. It never carries sizes.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{LabelMap, Text, TextMap, document, moment, name, nullable, rows};
use crate::engine::daemon::{VolumeList, VolumeRow};
use crate::engine::error::EngineError;

const WHAT: &str = "the list of volumes";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    #[serde(borrow, deserialize_with = "nullable")]
    volumes: Option<Vec<&'a RawValue>>,
    #[serde(default)]
    warnings: Option<Vec<Text>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    #[serde(deserialize_with = "name")]
    name: Text,
    #[serde(default)]
    driver: Text,
    #[serde(default)]
    mountpoint: Text,
    #[serde(default)]
    created_at: Text,
    #[serde(default)]
    labels: LabelMap,
    #[serde(default)]
    options: TextMap,
    #[serde(default)]
    scope: Text,
    cluster_volume: Option<serde::de::IgnoredAny>,
}

/// Reads the answer of `/volumes`.
///
/// # Errors
///
/// [`EngineError::Garbage`] when it is no list at all; a single bad row is a warning in the list.
pub fn volumes(body: &[u8]) -> Result<VolumeList, EngineError> {
    let answer: Answer<'_> = document(WHAT, body)?;
    let mut warnings: Vec<String> = answer.warnings.into_iter().flatten().map(|text| text.0).collect();
    let told = warnings.len();
    let rows = rows::<Row>(WHAT, answer.volumes, &mut warnings);
    Ok(VolumeList {
        rows: rows.into_iter().map(VolumeRow::from).collect(),
        unread: warnings.get(told).cloned(),
        warnings,
    })
}

/// Reads the answer of inspecting or making one volume.
///
/// # Errors
///
/// [`EngineError::Garbage`] when it is no volume.
pub fn volume(body: &[u8]) -> Result<VolumeRow, EngineError> {
    document::<Row>("a volume's details", body).map(VolumeRow::from)
}

impl From<Row> for VolumeRow {
    fn from(row: Row) -> Self {
        Self {
            name: row.name.0,
            driver: row.driver.0,
            mountpoint: row.mountpoint.0,
            created: moment(&row.created_at.0),
            labels: row.labels.0.into(),
            options: row.options.0,
            scope: row.scope.0,
            cluster: row.cluster_volume.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_and_podman_lists_are_read() {
        let docker = volumes(include_bytes!("../../../tests/data/docker-20.10-volumes.json")).unwrap();
        let named = docker.rows.iter().find(|row| row.name == "shop_dbdata").unwrap();
        assert_eq!(named.labels.get("com.docker.compose.project"), Some("shop"));
        assert!(named.created.is_some() && named.mountpoint.ends_with("/shop_dbdata/_data"));
        let options = docker.rows.iter().find(|row| row.name == "shop_cache").unwrap();
        assert_eq!(options.options["type"], "tmpfs");
        assert_eq!(docker.warnings, Vec::<String>::new());

        let podman = volumes(include_bytes!("../../../tests/data/podman-4.3-volumes.json")).unwrap();
        assert_eq!(podman.rows.len(), 3);
        assert!(podman.rows.iter().any(|row| row.labels.get("a") == Some("b")));
    }

    #[test]
    fn a_bad_row_is_a_warning_and_the_others_stand() {
        let list = volumes(
            br#"{"Volumes":[{"Name":"a","Labels":null,"CreatedAt":7,"Options":{"n":5,"x":null}},{"Name":null},7,{"Name":"b","Labels":[]},
                {"Name":"c","CreatedAt":"2023-01-02 15:04:05.1 +0000 UTC","ClusterVolume":{"ID":"q"},"Scope":"global","New":[]}],
                "Warnings":["driver x is gone"]}"#,
        )
        .unwrap();
        let names: Vec<&str> = list.rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["a", "c"]);
        assert_eq!(list.rows[0].options["n"], "5");
        assert!(list.rows[1].cluster && list.rows[1].created.is_some());
        assert_eq!(list.warnings.len(), 4, "{:?}", list.warnings);
        assert_eq!(
            list.unread.as_ref(),
            Some(&list.warnings[1]),
            "the engine's own warning is no row"
        );
    }

    #[test]
    fn no_volumes_is_not_no_answer() {
        assert_eq!(
            volumes(br#"{"Volumes":null,"Warnings":null}"#),
            Ok(VolumeList::default())
        );
        for garbage in ["{}", "[]", "", "{\"Volumes\":[", "<html>", "{\"Volumes\":5}"] {
            assert!(
                matches!(volumes(garbage.as_bytes()), Err(EngineError::Garbage { .. })),
                "{garbage}"
            );
        }
    }
}
