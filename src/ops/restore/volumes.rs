//! Volumes that are made for contents: which options they get, and which of those lead to something that lives already. Pure
//! rules; asks no engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::archive::Origin;
use crate::engine::daemon::NewVolume;
use crate::model::{Mount, MountId, MountKind, Orphan, Scan, bind_device};

/// Engines from Docker 23 on mark with it what nobody named, and prune just that.
const ANONYMOUS: &str = "com.docker.volume.anonymous";

/// Why contents put into a volume of these options may land on live data: what the options lead to, in words.
pub(in crate::ops) fn shows(driver: Option<&str>, options: &BTreeMap<String, String>) -> Option<String> {
    let driver = driver.unwrap_or("local");
    if driver != "local" {
        return Some(format!(
            "driver {driver} decides where its data are, and may show what is there already"
        ));
    }
    if let Some(device) = bind_device(driver, options) {
        return Some(format!("its options show {device} of the host, with whatever is there"));
    }
    let of = |key: &str| options.get(key).map(String::as_str).unwrap_or_default();
    if vanishes(Some(driver), options) || (of("type").is_empty() && of("device").is_empty()) {
        return None;
    }
    Some(format!(
        "its options mount {} ({}), with whatever is there",
        or(of("device"), "a device"),
        or(of("type"), "of a kind that is not said")
    ))
}

fn or<'a>(word: &'a str, none: &'a str) -> &'a str {
    if word.is_empty() { none } else { word }
}

/// Whether a volume of these options is memory that is gone as soon as nobody has it mounted.
pub(in crate::ops) fn vanishes(driver: Option<&str>, options: &BTreeMap<String, String>) -> bool {
    driver.unwrap_or("local") == "local"
        && options
            .get("type")
            .is_some_and(|kind| matches!(kind.as_str(), "tmpfs" | "ramfs"))
}

/// The volume that an archive was made of, under a name. `plain` leaves driver and options out, of a bind there are none.
pub(super) fn of_origin(origin: Option<&Origin>, name: &str, plain: bool) -> NewVolume {
    let mut wanted = NewVolume {
        name: name.to_owned(),
        ..NewVolume::default()
    };
    if let Some(origin) = origin.filter(|origin| origin.kind.is_volume()) {
        wanted.labels = origin.labels.clone();
        if origin.name != name {
            wanted.labels.remove(ANONYMOUS);
        }
        if !plain {
            wanted.driver = Some(origin.driver.clone()).filter(|driver| !driver.is_empty());
            wanted.options = origin.options.clone();
        }
    }
    wanted
}

/// The volume like a mount, under another name.
pub(in crate::ops) fn like(mount: &Mount, name: &str, plain: bool) -> NewVolume {
    let mut wanted = NewVolume {
        name: name.to_owned(),
        ..NewVolume::default()
    };
    if mount.kind.is_volume() {
        let labels = mount.labels.iter();
        wanted.labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        wanted.labels.remove(ANONYMOUS);
        if !plain {
            wanted.driver = Some(mount.driver.clone()).filter(|driver| !driver.is_empty());
            wanted.options = mount.options.clone();
        }
    }
    wanted
}

/// A volume that is not there yet, as a mount.
pub(super) fn unmade(wanted: &NewVolume) -> Mount {
    let text = |text: &str| text.to_owned();
    Mount {
        id: MountId::new(format!("volume:{}", wanted.name)),
        kind: MountKind::Named,
        name: wanted.name.clone(),
        driver: wanted.driver.clone().unwrap_or_else(|| text("local")),
        options: wanted.options.clone(),
        labels: Arc::default(),
        project: None,
        project_derived: false,
        services: Vec::new(),
        created: None,
        host_path: None,
        orphan: Orphan::Unknown,
        reason: text("it is not there yet"),
        overseen: false,
        attachments: Vec::new(),
        scan: Scan::Alone,
    }
}

/// What must be known of a volume's labels when its name is another than theirs.
pub(in crate::ops) fn compose_caveat(labels: &BTreeMap<String, String>, from: &str, to: &str) -> Option<String> {
    let project = labels.get("com.docker.compose.project")?;
    (from != to).then(|| {
        format!(
            "its labels say that it is of the compose project {project}, but compose knows volumes by name: it goes on with \
             {from} unless its file names {to}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn options_that_lead_to_live_data_are_known() {
        for live in [
            &[("type", "none"), ("o", "bind"), ("device", "/srv/x")][..],
            &[("o", "rbind,ro"), ("device", "/srv/x")],
            &[("type", "nfs"), ("o", "addr=1.2.3.4"), ("device", ":/export")],
            &[("type", "cifs"), ("device", "//server/share")],
            &[("type", "ext4"), ("device", "/dev/sdb1")],
            &[
                ("type", "overlay"),
                ("o", "lowerdir=/a,upperdir=/b,workdir=/c"),
                ("device", "overlay"),
            ],
            &[("device", "/dev/sdb1")],
        ] {
            assert!(shows(Some("local"), &options(live)).is_some(), "{live:?}");
        }
        assert!(shows(Some("rexray"), &options(&[])).is_some());
        for own in [&[][..], &[("type", "tmpfs"), ("device", "tmpfs")], &[("o", "size=1g")]] {
            assert_eq!(shows(None, &options(own)), None, "{own:?}");
        }
    }
}
