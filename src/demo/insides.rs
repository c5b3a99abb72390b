//! What is in the demo's containers: who runs, what they write to their logs and their layers, how they ended; and what
//! starting and stopping makes of that. Knows nothing of who asks.

use super::fleet::{Where, World};
use crate::engine::daemon::{ContainerRow, Layer, PathIn, Process, Switch};
use crate::engine::error::EngineError;
use crate::model::ContainerState;

/// Shells of most images.
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nnogroup:x:65534:\n";

/// What is in one container.
#[derive(Debug, Clone, Default)]
pub(super) struct Inside {
    /// Its log, oldest first.
    pub(super) log: Vec<String>,
    /// User and group of its processes, and their command line.
    pub(super) runs: (u32, u32, String),
    /// What its writable layer holds.
    pub(super) wrote: Vec<String>,
    /// Bytes in it.
    pub(super) bytes: u64,
    /// The volume that its user must own, or it crashes.
    pub(super) needs: Option<String>,
}

impl World {
    fn inside(&self, id: &str) -> Result<(&ContainerRow, &Inside), EngineError> {
        let row = self.containers.iter().map(|(row, _)| row).find(|row| row.id == id);
        row.zip(self.insides.get(id)).ok_or_else(|| EngineError::Status {
            what: "a container of the demo".to_owned(),
            status: 404,
            message: format!("No such container: {id}"),
        })
    }

    /// The last lines of a log.
    pub(super) fn log_tail(&self, id: &str, lines: u32) -> Result<Vec<Vec<u8>>, EngineError> {
        let (_, inside) = self.inside(id)?;
        let skipped = inside.log.len().saturating_sub(lines as usize);
        Ok(inside.log[skipped..]
            .iter()
            .map(|line| line.clone().into_bytes())
            .collect())
    }

    /// The one process of a container that runs.
    pub(super) fn processes(&self, id: &str) -> Result<Vec<Process>, EngineError> {
        let (row, inside) = self.inside(id)?;
        let runs = matches!(
            ContainerState::parse(&row.state),
            ContainerState::Running | ContainerState::Paused
        );
        let detail = self.containers.iter().find(|(row, _)| row.id == id);
        let (uid, gid, args) = inside.runs.clone();
        let process = Process {
            pid: detail.map_or(0, |(_, detail)| detail.pid),
            uid,
            gid,
            groups: Some(Vec::new()),
            host_ids: true,
            args,
        };
        Ok(runs.then_some(process).into_iter().collect())
    }

    /// What stands at a path: the directories that lead to mounts, and those that images have.
    pub(super) fn path_in(&self, id: &str, path: &str) -> Result<Option<PathIn>, EngineError> {
        let (row, _) = self.inside(id)?;
        let masked = |destination: &str| self.masked.contains_key(&(id.to_owned(), destination.to_owned()));
        let leads = row
            .mounts
            .iter()
            .any(|mount| mount.destination.starts_with(path.trim_end_matches('/')));
        Ok((leads || masked(path) || path == "/").then_some(PathIn {
            is_dir: true,
            mode: 0o755,
            ..PathIn::default()
        }))
    }

    /// The files that tell who users are.
    pub(super) fn file_in(&self, id: &str, path: &str) -> Result<Option<Vec<u8>>, EngineError> {
        self.inside(id)?;
        Ok(match path {
            "/etc/passwd" => Some(PASSWD.as_bytes().to_vec()),
            "/etc/group" => Some(GROUP.as_bytes().to_vec()),
            _ => None,
        })
    }

    /// The writable layer.
    pub(super) fn layer(&self, id: &str, limit: usize) -> Result<Layer, EngineError> {
        let (_, inside) = self.inside(id)?;
        Ok(Layer {
            paths: inside.wrote.iter().take(limit).cloned().collect(),
            more: inside.wrote.len() > limit,
            bytes: Some(inside.bytes),
        })
    }

    /// Starts, stops or restarts a container. One whose volume is not its user's crashes again.
    pub(super) fn switch(&mut self, id: &str, switch: Switch) -> Result<(), EngineError> {
        let (row, inside) = self.inside(id)?;
        let unmountable = row
            .mounts
            .iter()
            .find_map(|mount| self.faults.get(&mount.name))
            .cloned();
        let starts = switch != Switch::Stop;
        let crashes = starts && !self.is_owned(inside);
        if let Some(message) = unmountable.filter(|_| starts) {
            return Err(EngineError::Status {
                what: "starting a container".to_owned(),
                status: 500,
                message,
            });
        }
        let now = self.present();
        let pid = 90_000 + i64::try_from(self.containers.len()).unwrap_or(0);
        let Some((row, detail)) = self.containers.iter_mut().find(|(row, _)| row.id == id) else {
            return Ok(());
        };
        let was_running = ContainerState::parse(&row.state) == ContainerState::Running;
        // As wanted already: nothing happens.
        if switch == Switch::Start && was_running {
            return Ok(());
        }
        let (state, status, code) = match (starts, crashes) {
            (true, false) => ("running", "Up Less than a second", None),
            (true, true) => ("restarting", "Restarting (1) Less than a second ago", Some(1)),
            (false, _) => ("exited", "Exited (0) Less than a second ago", Some(0)),
        };
        row.state = state.to_owned();
        row.status = status.to_owned();
        detail.pid = if state == "running" { pid } else { 0 };
        detail.run.exit_code = code;
        detail.run.finished = code.map(|_| now).or(detail.run.finished);
        if starts {
            detail.run.started = Some(now);
            detail.run.restarts = u64::from(crashes);
        }
        if starts
            && !crashes
            && let Some(inside) = self.insides.get_mut(id).filter(|inside| inside.needs.is_some())
        {
            inside.log = vec!["Started.".to_owned()];
        }
        Ok(())
    }

    /// Whether what a container needs belongs to its user.
    fn is_owned(&self, inside: &Inside) -> bool {
        let Some(name) = &inside.needs else { return true };
        let root = self.roots.get(&Where::Volume(name.clone()));
        root.is_none_or(|root| root.node.entry().uid == inside.runs.0)
    }
}
