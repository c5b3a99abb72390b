//! What `MOUNT[:PATH]` means: a volume's name, a path of the engine's host, or a container's tmpfs, and a path in it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};

use crate::engine::host::classify_host_path;
use crate::inventory::{self, PathKind};
use crate::model::{BytePath, Mount, MountKind, Scan};
use crate::ops::list::Inventory;
use crate::text;

/// A mount and a path in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) mount: Mount,
    pub(super) path: BytePath,
}

impl Place {
    /// The mount's name, for errors about what is in it: those name the path themselves.
    pub(super) fn blamed(&self) -> String {
        text::printable_str(&self.mount.name)
    }
}

/// Finds what an argument means.
///
/// # Errors
///
/// When no mount is meant, or one that may not be reached; the engine is not asked to make anything.
pub(super) fn resolve(argument: &OsStr, inventory: &Inventory) -> anyhow::Result<Place> {
    let place = find(argument, inventory)?;
    match &place.mount.scan {
        Scan::Never(why) => bail!("cannot look into {}: {why}", place.mount.name),
        _ => Ok(place),
    }
}

/// Finds what an argument means, though it may not be reached.
///
/// # Errors
///
/// When no mount is meant.
pub(super) fn find(argument: &OsStr, inventory: &Inventory) -> anyhow::Result<Place> {
    let bytes = argument.as_bytes();
    if bytes.starts_with(b"/") {
        host_path(bytes, inventory)
    } else {
        by_name(bytes, inventory)
    }
}

fn by_name(argument: &[u8], inventory: &Inventory) -> anyhow::Result<Place> {
    let colon = argument.iter().position(|byte| *byte == b':');
    let (name, path) = match colon {
        Some(at) => (&argument[..at], &argument[at + 1..]),
        None => (argument, &[][..]),
    };
    let volume = |mount: &&Arc<Mount>| mount.kind.is_volume() && mount.name.as_bytes() == name;
    if let Some(mount) = inventory.mounts.iter().find(volume) {
        return Ok(Place {
            mount: Mount::clone(mount),
            path: BytePath::new(path),
        });
    }
    if let Some(place) = tmpfs(name, path, inventory) {
        return Ok(place);
    }
    let name = String::from_utf8_lossy(name);
    let close = inventory
        .mounts
        .iter()
        .filter(|mount| mount.kind.is_volume() && mount.name.ends_with(&*name));
    match close.map(|mount| mount.name.as_str()).next() {
        Some(close) if !name.is_empty() => bail!("no volume is called {name}; is {close} meant?"),
        _ if path.starts_with(b"/") => {
            let path = String::from_utf8_lossy(path);
            bail!("no volume is called {name}, and no container {name} has a tmpfs at {path}")
        }
        _ => bail!("no volume is called {name}; `vole ls` lists them all"),
    }
}

/// The tmpfs of a container whose destination is, or contains, the path.
fn tmpfs(container: &[u8], path: &[u8], inventory: &Inventory) -> Option<Place> {
    let path = path.strip_prefix(b"/")?;
    let path = BytePath::new(path);
    let mounts = inventory.mounts.iter().filter(|mount| mount.kind == MountKind::Tmpfs);
    let held = mounts.filter_map(|mount| {
        let attachment = mount
            .attachments
            .first()
            .filter(|one| one.container.as_bytes() == container)?;
        let destination = BytePath::new(attachment.destination.as_bytes());
        let rest = path.as_bytes().strip_prefix(destination.as_bytes())?;
        // `/run` holds `/run` and `/run/x`, not `/running`; behind a colon the path in it may stand as well.
        let rest = match rest.split_first() {
            None => rest,
            Some((b'/' | b':', below)) => below,
            Some(_) => return None,
        };
        Some((
            destination.as_bytes().len(),
            Place {
                mount: Mount::clone(mount),
                path: BytePath::new(rest),
            },
        ))
    });
    held.max_by_key(|(length, _)| *length).map(|(_, place)| place)
}

/// A path of the engine's host. Its colon may belong to the path: a bind that is known decides, then what stands on
/// this host when the engine runs here, then the last colon.
fn host_path(argument: &[u8], inventory: &Inventory) -> anyhow::Result<Place> {
    let text = std::str::from_utf8(argument).context("an engine takes no host path that is not UTF-8")?;
    let colons = text.rmatch_indices(':').map(|(at, _)| (&text[..at], &text[at + 1..]));
    let splits: Vec<(&str, &str)> = [(text, "")].into_iter().chain(colons).collect();
    for (source, path) in &splits {
        let source = inventory::normalise(source);
        let known = |mount: &&Arc<Mount>| mount.kind == MountKind::Bind && mount.name == source;
        if let Some(mount) = inventory.mounts.iter().find(known) {
            return Ok(Place {
                mount: asked_for(Mount::clone(mount)),
                path: BytePath::new(path.as_bytes()),
            });
        }
    }
    let there = |(source, _): &&(&str, &str)| classify_host_path(Path::new(source)) != PathKind::Missing;
    let chosen = match inventory.about.same_host {
        true => splits.iter().find(there),
        false => splits.get(1).or(splits.first()),
    };
    let Some((source, path)) = chosen else {
        bail!("{text} does not exist on this host");
    };
    let mut paths = inventory::PathFacts::default();
    if inventory.about.same_host {
        let kind = classify_host_path(Path::new(source));
        let canonical = std::fs::canonicalize(source)
            .ok()
            .map(|path| path.to_string_lossy().into_owned());
        let fact = inventory::PathFact {
            spot: None,
            canonical,
            kind,
            ..inventory::PathFact::default()
        };
        paths.facts.insert(inventory::normalise(source), fact);
    }
    let mount = asked_for(inventory::host_path(source, &paths));
    Ok(Place {
        mount,
        path: BytePath::new(path.as_bytes()),
    })
}

/// The host's root is not scanned unasked, but here it was asked for.
fn asked_for(mut mount: Mount) -> Mount {
    if mount.name == "/" {
        mount.scan = Scan::Alone;
    }
    mount
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::demo::{self, DemoOptions};
    use crate::ops::list::{self, Depth};

    async fn inventory() -> Inventory {
        let engine = demo::engine(DemoOptions::instant(OffsetDateTime::UNIX_EPOCH));
        let mut inventory = list::load(&engine, Depth::Full).await.unwrap();
        let bind = |path: &str| inventory::host_path(path, &inventory::PathFacts::default());
        inventory
            .mounts
            .extend([bind("/srv/a:b"), bind("/srv/a"), bind("/proc/1")].map(Arc::new));
        inventory
    }

    fn means(argument: &str, inventory: &Inventory) -> (String, String) {
        let place = resolve(OsStr::new(argument), inventory).unwrap();
        (
            place.mount.name,
            String::from_utf8(place.path.as_bytes().to_vec()).unwrap(),
        )
    }

    fn pair(mount: &str, path: &str) -> (String, String) {
        (mount.to_owned(), path.to_owned())
    }

    #[tokio::test]
    async fn an_argument_means_a_volume_a_host_path_or_a_tmpfs() {
        let inventory = inventory().await;
        let means = |argument: &str| means(argument, &inventory);
        assert_eq!(means("shop_dbdata"), pair("shop_dbdata", ""));
        assert_eq!(means("shop_dbdata:/base//1"), pair("shop_dbdata", "base/1"));
        assert_eq!(means("shop_dbdata:a:b"), pair("shop_dbdata", "a:b"));
        assert_eq!(means("/srv/a:b:c"), pair("/srv/a:b", "c"));
        assert_eq!(means("/srv//a/:c"), pair("/srv/a", "c"));
        assert_eq!(means("/opt/unknown:c"), pair("/opt/unknown", "c"));
        assert_eq!(means("/opt/unknown"), pair("/opt/unknown", ""));
        let tmpfs = inventory
            .mounts
            .iter()
            .find(|one| matches!(one.scan, Scan::InContainer(_)))
            .unwrap();
        assert_eq!(means(&tmpfs.name), pair(&tmpfs.name, ""));
        assert_eq!(means(&format!("{}/x/y", tmpfs.name)), pair(&tmpfs.name, "x/y"));
        assert_eq!(means(&format!("{}:x", tmpfs.name)), pair(&tmpfs.name, "x"));
    }

    #[tokio::test]
    async fn what_is_not_there_or_not_to_be_read_is_refused_in_words() {
        let inventory = inventory().await;
        let refusal = |argument: &str| resolve(OsStr::new(argument), &inventory).unwrap_err().to_string();
        assert_eq!(
            refusal("nosuch"),
            "no volume is called nosuch; `vole ls` lists them all"
        );
        assert_eq!(refusal("dbdata:x"), "no volume is called dbdata; is shop_dbdata meant?");
        assert!(refusal("nosuch:/run").contains("no container nosuch has a tmpfs at /run"));
        assert!(
            refusal("/proc/1").contains("kernel data under /proc"),
            "{}",
            refusal("/proc/1")
        );
        assert!(refusal("/run/x.sock").contains("a socket"));
    }
}
