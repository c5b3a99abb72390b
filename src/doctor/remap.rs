//! The shift of `userns-remap`: a container's user n is the host's base + n. Arithmetic on what the engine tells of itself.

use vole_agent::proto::own::Change;

use crate::engine::About;
use crate::engine::daemon::RunFacts;

/// Whether the engine gives its containers a user namespace of their own.
pub fn is_remapped(about: &About) -> bool {
    let is_userns = |option: &String| option.split(',').any(|part| part == "name=userns");
    about.security.iter().any(is_userns)
}

/// Whether a container is in that namespace.
pub fn is_mapped(about: &About, run: &RunFacts) -> bool {
    is_remapped(about) && run.userns_mode != "host"
}

/// Where the namespace starts on the host, user and group, by the name of the engine's directory (`…/100000.100000`).
pub fn base(about: &About) -> Option<(u32, u32)> {
    let last = about.root_dir.trim_end_matches('/').rsplit('/').next()?;
    let (uid, gid) = last.split_once('.')?;
    is_remapped(about).then_some((uid.parse().ok()?, gid.parse().ok()?))
}

/// A change with its numbers shifted; `None` when one has no number there.
pub fn shifted(change: &Change, (uid, gid): (u32, u32), by: fn(u32, u32) -> Option<u32>) -> Option<Change> {
    let shift = |id: Option<u32>, base: u32| match id {
        Some(id) => by(id, base).map(Some),
        None => Some(None),
    };
    Some(Change {
        uid: shift(change.uid, uid)?,
        gid: shift(change.gid, gid)?,
        from_uid: shift(change.from_uid, uid)?,
        from_gid: shift(change.from_gid, gid)?,
        ..change.clone()
    })
}
