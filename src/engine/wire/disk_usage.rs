//! Reads `/system/df` as engines before 29 and since write it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Number, Text, document, name, rows};
use crate::engine::daemon::DiskUsage;
use crate::engine::error::EngineError;

const WHAT: &str = "disk usage";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    layers_size: Option<Number>,
    #[serde(borrow)]
    images: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    containers: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    volumes: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    build_cache: Option<Vec<&'a RawValue>>,
    builder_size: Option<Number>,
    // Engine 29 and later:
    image_usage: Option<Usage<'a>>,
    container_usage: Option<Usage<'a>>,
    volume_usage: Option<Usage<'a>>,
    build_cache_usage: Option<Usage<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Usage<'a> {
    total_size: Option<Number>,
    total_count: Option<Number>,
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Volume {
    #[serde(deserialize_with = "name")]
    name: Text,
    usage_data: Option<UsageData>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UsageData {
    #[serde(default)]
    size: Number,
}

/// Left out when zero.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Container {
    size_rw: Option<Number>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CacheRecord {
    #[serde(default)]
    size: Number,
    shared: Option<super::Flag>,
}

/// Reads the answer of `/system/df`. What it does not say is `None`, a volume that it did not measure is left out.
///
/// # Errors
///
/// [`EngineError::Garbage`] when it is no such answer.
pub fn disk_usage(body: &[u8]) -> Result<DiskUsage, EngineError> {
    let answer: Answer<'_> = document(WHAT, body)?;
    let image_count = answer.images.as_ref().map(|images| images.len() as u64);
    let volumes = answer.volumes.or(answer.volume_usage.and_then(|usage| usage.items));
    let layers = total(&answer.image_usage).or_else(|| match answer.layers_size.and_then(Number::bytes) {
        // Podman 4 always says 0.
        Some(0) if image_count != Some(0) => None,
        size => size,
    });
    let build_cache = total(&answer.build_cache_usage)
        .or_else(|| cache_sum(answer.build_cache))
        .or_else(|| answer.builder_size.and_then(Number::bytes));
    Ok(DiskUsage {
        volumes: volume_sizes(volumes),
        layers,
        images: count(&answer.image_usage).or(image_count),
        containers: total(&answer.container_usage).or_else(|| writable_sum(answer.containers)),
        build_cache,
    })
}

fn total(usage: &Option<Usage<'_>>) -> Option<u64> {
    usage.as_ref()?.total_size?.bytes()
}

fn count(usage: &Option<Usage<'_>>) -> Option<u64> {
    usage.as_ref()?.total_count?.bytes()
}

fn volume_sizes(raw: Option<Vec<&RawValue>>) -> BTreeMap<String, u64> {
    // A row that cannot be read is a volume whose size is unknown, as one that is not there: nobody infers from it.
    let rows = rows::<Volume>(WHAT, raw, &mut Vec::new());
    rows.into_iter()
        .filter_map(|row| Some((row.name.0, row.usage_data?.size.bytes()?)))
        .collect()
}

/// The sum of all writable layers; `None` when any is unreadable.
fn writable_sum(raw: Option<Vec<&RawValue>>) -> Option<u64> {
    let mut warnings = Vec::new();
    let rows = rows::<Container>(WHAT, Some(raw?), &mut warnings);
    let mut sum = 0_u64;
    for row in rows {
        sum = sum.saturating_add(row.size_rw.map_or(Some(0), Number::bytes)?);
    }
    warnings.is_empty().then_some(sum)
}

/// The sum of the build cache, without what images share; `None` when any record is unreadable.
fn cache_sum(raw: Option<Vec<&RawValue>>) -> Option<u64> {
    let mut warnings = Vec::new();
    let rows = rows::<CacheRecord>(WHAT, Some(raw?), &mut warnings);
    let mut sum = 0_u64;
    for row in rows {
        if row.shared.and_then(|shared| shared.0) != Some(true) {
            sum = sum.saturating_add(row.size.bytes()?);
        }
    }
    warnings.is_empty().then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_and_podman_answers_are_read() {
        let docker = disk_usage(include_bytes!("../../../tests/data/docker-20.10-df.json")).unwrap();
        assert_eq!(docker.volumes["oldproj_pgdata"], 20_971_520);
        assert!(
            !docker.volumes.contains_key("shop_cache"),
            "volumes with options are not measured"
        );
        assert_eq!(
            (docker.layers, docker.images, docker.containers),
            (Some(1_984_228), Some(1), Some(0))
        );
        assert_eq!(docker.build_cache, Some(0));

        let podman = disk_usage(include_bytes!("../../../tests/data/podman-4.3-df.json")).unwrap();
        assert_eq!((podman.layers, podman.images), (None, Some(1)));
        assert!(podman.containers.is_some());
        assert!(podman.volumes.contains_key("va"));
    }

    #[test]
    fn engine_29_is_read_and_minus_one_is_unknown() {
        let usage = disk_usage(
            br#"{"ImageUsage":{"TotalSize":10,"TotalCount":2},"ContainerUsage":{"TotalSize":3},"BuildCacheUsage":{"TotalSize":4},
                "VolumeUsage":{"TotalSize":9,"Items":[{"Name":"a","UsageData":{"Size":9}},{"Name":"b","UsageData":{"Size":-1}},{"Name":"c"},5]}}"#,
        )
        .unwrap();
        assert_eq!(usage.volumes, BTreeMap::from([("a".to_owned(), 9)]));
        assert_eq!(
            (usage.layers, usage.images, usage.containers, usage.build_cache),
            (Some(10), Some(2), Some(3), Some(4))
        );
    }

    #[test]
    fn what_is_not_said_is_unknown() {
        assert_eq!(disk_usage(b"{}"), Ok(DiskUsage::default()));
        let odd = disk_usage(
            br#"{"Containers":[{"SizeRw":"x"}],"BuildCache":[{"Size":5},{"Size":7,"Shared":true}],"Images":[]}"#,
        );
        let odd = odd.unwrap();
        assert_eq!((odd.containers, odd.build_cache, odd.images), (None, Some(5), Some(0)));
        assert!(disk_usage(b"[]").is_err());
    }
}
