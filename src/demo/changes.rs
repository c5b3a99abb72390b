//! What an operation does to the demo's fleet, and what an engine would refuse. Knows nothing of who asks.

use std::sync::Arc;

use super::daemon::attaches;
use super::fleet::{ROOT_DIR, Where, World};
use crate::engine::daemon::{NewVolume, VolumeRow};
use crate::engine::error::EngineError;
use crate::model::ContainerState;

fn refused(what: String, status: u16, message: String) -> EngineError {
    EngineError::Status { what, status, message }
}

impl World {
    /// A volume's row.
    pub(super) fn volume_row(&self, name: &str) -> Option<&VolumeRow> {
        self.volumes.iter().find(|row| row.name == name)
    }

    /// Removes a volume that no container attaches.
    pub(super) fn remove_volume(&mut self, name: &str) -> Result<(), EngineError> {
        let what = format!("removing volume {name}");
        let Some(at) = self.volumes.iter().position(|row| row.name == name) else {
            return Err(refused(what, 404, "no such volume".to_owned()));
        };
        let user = self.containers.iter().find(|(row, _)| attaches(row, name));
        if let Some((user, _)) = user {
            return Err(refused(what, 409, format!("volume is in use - [{}]", user.id)));
        }
        let row = self.volumes.remove(at);
        self.roots.remove(&Where::Volume(row.name));
        self.roots.remove(&Where::Path(row.mountpoint));
        Ok(())
    }

    /// Makes an empty volume, or answers with the one of this name, as engines do.
    pub(super) fn make_volume(&mut self, wanted: &NewVolume) -> VolumeRow {
        if let Some(row) = self.volume_row(&wanted.name) {
            return row.clone();
        }
        let row = VolumeRow {
            name: wanted.name.clone(),
            driver: wanted.driver.clone().unwrap_or_else(|| "local".to_owned()),
            mountpoint: format!("{ROOT_DIR}/volumes/{}/_data", wanted.name),
            created: Some(self.present()),
            labels: Arc::new(wanted.labels.clone().into_iter().collect()),
            options: wanted.options.clone(),
            scope: "local".to_owned(),
            cluster: false,
        };
        self.empty(&row);
        self.volumes.push(row.clone());
        self.volumes.sort_by(|a, b| a.name.cmp(&b.name));
        row
    }

    /// Removes a container that does not run.
    pub(super) fn remove_container(&mut self, id: &str) -> Result<(), EngineError> {
        let what = "removing a container".to_owned();
        let Some(at) = self.containers.iter().position(|(row, _)| row.id == id) else {
            return Err(refused(what, 404, format!("no such container: {id}")));
        };
        if ContainerState::parse(&self.containers[at].0.state).is_live() {
            return Err(refused(
                what,
                409,
                "cannot remove a running container: stop it first".to_owned(),
            ));
        }
        self.containers.remove(at);
        Ok(())
    }
}
