//! Ids that nobody else has, and the stored id by which an engine is known again. Asks no engine.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::Path;

use crate::model::EngineId;

/// The file with stored ids, within the state directory.
const FILE: &str = "engines.json";

/// A random id of 16 hexadecimal digits.
///
/// # Errors
///
/// When the system's source of randomness cannot be read.
pub fn random_id() -> io::Result<String> {
    let mut bytes = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// An engine's identity: its endpoint with its own id, where that is stable, or else with one that vole made up and
/// stored (podman's `/info` ID differs at every call). Where nothing can be stored the endpoint has to do.
pub fn engine_id(endpoint: &str, stable: Option<String>, state: Option<&Path>) -> EngineId {
    let stored = || stored_id(endpoint, state?).ok();
    match stable.or_else(stored) {
        Some(id) => EngineId::new(format!("{endpoint}#{id}")),
        None => EngineId::new(endpoint),
    }
}

fn stored_id(endpoint: &str, state: &Path) -> io::Result<String> {
    let file = state.join(FILE);
    let mut ids = read_ids(&file)?;
    if let Some(id) = ids.get(endpoint) {
        return Ok(id.clone());
    }
    ids.insert(endpoint.to_owned(), random_id()?);
    fs::create_dir_all(state)?;
    replace(&file, &ids)?;
    // Another vole may have stored its own meanwhile: what stands there counts.
    read_ids(&file)?
        .remove(endpoint)
        .ok_or_else(|| io::Error::other("another process replaced the file"))
}

/// The stored ids; none when the file is missing or damaged (they only find caches again).
fn read_ids(file: &Path) -> io::Result<BTreeMap<String, String>> {
    match fs::read(file) {
        Ok(text) => Ok(serde_json::from_slice(&text).unwrap_or_else(|_| BTreeMap::new())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}

fn replace(file: &Path, ids: &BTreeMap<String, String>) -> io::Result<()> {
    let partial = file.with_extension(format!("{}.partial", random_id()?));
    let write = || {
        let mut out = File::create_new(&partial)?;
        serde_json::to_writer_pretty(&mut out, ids)?;
        out.write_all(b"\n")?;
        out.sync_all()?;
        fs::rename(&partial, file)
    };
    write().inspect_err(|_| {
        // The first error is the one to tell; a leftover is harmless.
        drop(fs::remove_file(&partial));
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_known_again_and_endpoints_differ() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state/vole");
        let first = engine_id("unix:///a", None, Some(&state));
        assert_eq!(engine_id("unix:///a", None, Some(&state)), first);
        assert_ne!(engine_id("unix:///b", None, Some(&state)), first);
        assert_eq!(
            engine_id("unix:///a", None, Some(&state)),
            first,
            "another endpoint does not displace it"
        );
        assert_eq!(engine_id("unix:///a", Some("ID".into()), None).as_str(), "unix:///a#ID");
        assert_eq!(fs::read_dir(&state).unwrap().count(), 1, "nothing but the file is left");
    }

    #[test]
    fn where_nothing_can_be_stored_the_endpoint_does() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(engine_id("unix:///a", None, Some(&file)).as_str(), "unix:///a");
        assert_eq!(engine_id("unix:///a", None, None).as_str(), "unix:///a");
    }

    #[test]
    fn a_damaged_file_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), "{").unwrap();
        let id = engine_id("unix:///a", None, Some(dir.path()));
        assert_eq!(engine_id("unix:///a", None, Some(dir.path())), id);
        assert_ne!(id.as_str(), "unix:///a");
    }
}
