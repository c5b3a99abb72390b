//! Sessions without a helper: the agent within this process, on paths of this host that this user can read. Knows no
//! containers.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use vole_agent::fs::Roots;

use crate::engine::daemon::About;
use crate::engine::error::EngineError;
use crate::engine::host::{HostKind, classify_host_path};
use crate::engine::local;
use crate::engine::session::{OpenSpec, Opened, Purpose, Target};
use crate::model::Source;

/// A backend that serves paths of this host.
pub(super) fn serving<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Arc<Roots> {
    Arc::new(Roots::open(paths))
}

/// Opens what can be read without a helper. `why` says why there is none. Who tries as somebody else and who changes
/// owners is never served within this process: it can become nobody else, and its paths are guesses.
///
/// # Errors
///
/// [`EngineError::NoHelper`] when nothing of it can be read.
pub(super) async fn open(about: &About, spec: &OpenSpec, why: &str) -> Result<Opened, EngineError> {
    let needed = match spec.purpose {
        Purpose::Browse | Purpose::Measure | Purpose::Pack => None,
        Purpose::Probe { .. } => Some("trying an access as somebody else"),
        Purpose::Own => Some("changing owners"),
        Purpose::Unpack => Some("unpacking an archive"),
    };
    if let Some(needed) = needed {
        return Err(EngineError::NoHelper {
            reason: format!("{needed} needs a helper container: {why}"),
        });
    }
    let targets = &spec.targets;
    let found: Vec<Result<String, String>> = targets.iter().map(|target| readable(about, target)).collect();
    let refusal = |reason: &str| format!("browsing needs a helper container: {why}; and without one, {reason}");
    if let Some(Err(reason)) = found.first()
        && found.iter().all(Result::is_err)
    {
        return Err(EngineError::NoHelper {
            reason: refusal(reason),
        });
    }
    let paths: Vec<&String> = found.iter().flatten().collect();
    let session = local::in_process(serving(paths)).await?;
    let mut served = (0..).zip(&session.hello().roots);
    let roots = found
        .iter()
        .map(|path| match path {
            Err(reason) => Err(refusal(reason)),
            Ok(_) => match served.next() {
                Some((root, info)) => info.fault.as_ref().map_or(Ok(root), |fault| Err(fault.message.clone())),
                None => Err("it was not opened".to_owned()),
            },
        })
        .collect();
    Ok(Opened {
        session,
        roots,
        source: Source::Local,
    })
}

/// The path on this host that holds a target's contents, when this user can read it.
fn readable(about: &About, target: &Target) -> Result<String, String> {
    if !about.same_host {
        return Err("paths of another host cannot be read".to_owned());
    }
    let path = match target {
        Target::Volume {
            mountpoint: Some(path), ..
        }
        | Target::Path(path) => path,
        Target::Volume { mountpoint: None, .. } => {
            return Err("the volume's contents are on this host only while a container mounts it".to_owned());
        }
        Target::InContainer { .. } => return Err("a container's memory cannot be read".to_owned()),
    };
    match classify_host_path(Path::new(path)) {
        HostKind::Dir => fs::read_dir(path).map(drop).map_err(|error| denied(path, &error))?,
        HostKind::File => fs::File::open(path).map(drop).map_err(|error| denied(path, &error))?,
        HostKind::Missing => return Err(format!("{path} does not exist here")),
        HostKind::Unknown => return Err(format!("this user may not read {path}")),
        HostKind::Socket | HostKind::Device | HostKind::Fifo => return Err(format!("{path} is no file or directory")),
    }
    Ok(path.clone())
}

fn denied(path: &str, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => format!("this user may not read {path} (root may)"),
        _ => format!("{path}: {error}"),
    }
}
