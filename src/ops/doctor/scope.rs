//! Which containers a scope means. Asks nobody.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Scope;
use crate::engine::EngineError;
use crate::engine::daemon::ContainerRow;
use crate::model::Mount;

/// Places in `rows` of the containers that are meant, in their order, and what is said of names that mean none.
///
/// # Errors
///
/// [`EngineError::NotFound`] with every name that nothing has.
pub(super) fn chosen(
    scope: &Scope,
    rows: &[ContainerRow],
    mounts: &[Arc<Mount>],
) -> Result<(Vec<usize>, Vec<String>), EngineError> {
    if scope.is_everything() {
        return Ok(((0..rows.len()).collect(), Vec::new()));
    }
    let (mut chosen, mut unknown, mut alone) = (BTreeSet::new(), Vec::new(), Vec::new());
    for name in &scope.containers {
        match container(name, rows) {
            Ok(at) => drop(chosen.insert(at)),
            Err(why) => unknown.push(why),
        }
    }
    for id in &scope.mounts {
        let Some(mount) = mounts.iter().find(|mount| mount.id == *id) else {
            unknown.push(format!("no mount {id}"));
            continue;
        };
        if mount.attachments.is_empty() {
            alone.push(format!(
                "{}: no container attaches it, so there is nobody to try for",
                mount.name
            ));
        }
        let attaches = |row: &ContainerRow| mount.attachments.iter().any(|one| one.container_id == row.id);
        chosen.extend((0..rows.len()).filter(|at| attaches(&rows[*at])));
    }
    match unknown.is_empty() {
        true => Ok((chosen.into_iter().collect(), alone)),
        false => Err(EngineError::NotFound(format!("there is {}", unknown.join(", ")))),
    }
}

/// A container by its name, its id, or a start of the id that only one has.
fn container(name: &str, rows: &[ContainerRow]) -> Result<usize, String> {
    if let Some(at) = rows.iter().position(|row| row.name == name || row.id == name) {
        return Ok(at);
    }
    let is_start = |row: &ContainerRow| !name.is_empty() && row.id.starts_with(name);
    let mut found = (0..rows.len()).filter(|at| is_start(&rows[*at]));
    match (found.next(), found.next()) {
        (Some(at), None) => Ok(at),
        (Some(_), Some(_)) => Err(format!("more than one container {name}")),
        _ => Err(format!("no container {name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Attachment, ContainerState, MountId};

    fn rows() -> Vec<ContainerRow> {
        let row = |id: &str, name: &str| ContainerRow {
            id: id.to_owned(),
            name: name.to_owned(),
            ..ContainerRow::default()
        };
        vec![row("abc1", "web"), row("abd2", "db"), row("e3", "abc")]
    }

    fn mounts() -> Vec<Arc<Mount>> {
        let mut data = Mount::sample("data");
        data.attachments.push(Attachment {
            container: "db".to_owned(),
            container_id: "abd2".to_owned(),
            state: ContainerState::Running,
            image: String::new(),
            destination: "/data".to_owned(),
            rw: true,
            propagation: String::new(),
            subpath: None,
            options: Vec::new(),
            service: None,
        });
        vec![Arc::new(data), Arc::new(Mount::sample("free"))]
    }

    fn ask(containers: &[&str], ids: &[&str]) -> Result<(Vec<usize>, Vec<String>), EngineError> {
        let scope = Scope {
            containers: containers.iter().map(|name| (*name).to_owned()).collect(),
            mounts: ids.iter().map(|id| MountId::new(*id)).collect(),
        };
        chosen(&scope, &rows(), &mounts())
    }

    #[test]
    fn names_ids_starts_of_ids_and_mounts_are_understood() {
        assert_eq!(ask(&[], &[]).unwrap().0, [0, 1, 2]);
        assert_eq!(ask(&["db", "e3"], &[]).unwrap().0, [1, 2]);
        assert_eq!(
            ask(&["abc"], &[]).unwrap().0,
            [2],
            "a name goes before the start of an id"
        );
        assert_eq!(ask(&["abc1", "abd"], &["volume:data"]).unwrap().0, [0, 1]);
        let (none, said) = ask(&[], &["volume:free"]).unwrap();
        assert!(none.is_empty() && said[0].contains("free"));
    }

    #[test]
    fn what_is_not_there_is_named() {
        let said = ask(&["ab", "nobody", ""], &["volume:gone"]).unwrap_err().to_string();
        for words in [
            "more than one container ab",
            "no container nobody",
            "no mount volume:gone",
        ] {
            assert!(said.contains(words), "{said}");
        }
    }
}
