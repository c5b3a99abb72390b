//! Reads the answers of `/containers/ID/top` and `/containers/ID/changes`.

use serde::Deserialize;

use super::{Number, Text, document};
use crate::engine::daemon::{Flavour, Layer, Process};
use crate::engine::error::EngineError;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Top {
    #[serde(default)]
    titles: Option<Vec<Text>>,
    #[serde(default)]
    processes: Option<Vec<Vec<Text>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Changed {
    #[serde(default)]
    path: Text,
    #[serde(default)]
    kind: Number,
}

/// What stands in a column of `top`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Pid,
    Uid,
    Gid,
    HostUid,
    HostGid,
    Groups,
    Args,
}

impl Column {
    fn parse(title: &str) -> Option<Self> {
        Some(match title.trim().to_ascii_uppercase().as_str() {
            "PID" => Self::Pid,
            "UID" | "USER" => Self::Uid,
            "GID" | "GROUP" => Self::Gid,
            "HUSER" => Self::HostUid,
            "HGROUP" => Self::HostGid,
            "SUPGID" => Self::Groups,
            "COMMAND" | "ARGS" | "CMD" => Self::Args,
            _ => return None,
        })
    }
}

/// Reads the processes of a container, however its engine names the columns; `null` is none. A row without a number for
/// its user or group (podman writes names where it knows them) is left out, and so is the engine's own `ps`. Docker's
/// numbers are those of its host; podman's are the container's, but for the columns that say otherwise.
///
/// # Errors
///
/// [`EngineError::Garbage`] when it is no such answer.
pub fn processes(body: &[u8], flavour: Flavour) -> Result<Vec<Process>, EngineError> {
    // Podman 4.3 answers with nothing at all to columns that it does not know.
    if body.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    let top: Option<Top> = document("a container's processes", body)?;
    let Some(top) = top else { return Ok(Vec::new()) };
    let titles: Vec<Option<Column>> = top
        .titles
        .iter()
        .flatten()
        .map(|title| Column::parse(&title.0))
        .collect();
    let rows = top.processes.iter().flatten();
    Ok(rows.filter_map(|row| process(&titles, row, flavour)).collect())
}

fn process(titles: &[Option<Column>], row: &[Text], flavour: Flavour) -> Option<Process> {
    let cell = |column: Column| {
        let at = titles.iter().position(|title| *title == Some(column))?;
        row.get(at).map(|cell| cell.0.trim())
    };
    let number = |column: Column| cell(column)?.parse::<u32>().ok();
    let args = cell(Column::Args).unwrap_or_default().to_owned();
    if args.starts_with("ps ") && args.contains("supgid") {
        return None;
    }
    let (uid, gid, host_ids) = match (number(Column::HostUid), number(Column::HostGid)) {
        (Some(uid), Some(gid)) => (uid, gid, true),
        _ => (number(Column::Uid)?, number(Column::Gid)?, flavour == Flavour::Docker),
    };
    Some(Process {
        pid: cell(Column::Pid)?.parse().ok()?,
        uid,
        gid,
        groups: cell(Column::Groups).map(groups),
        host_ids,
        args,
    })
}

/// Supplementary groups as `ps` writes them; `-` is none.
fn groups(cell: &str) -> Vec<u32> {
    cell.split(',').filter_map(|group| group.trim().parse().ok()).collect()
}

/// Reads what a container changed: what was removed is left out, and so is what comes behind `limit`. `whole` is whether
/// all of the answer is here; else it is read as far as it came.
///
/// # Errors
///
/// [`EngineError::Garbage`] when it is no such answer.
pub fn layer(body: &[u8], whole: bool, limit: usize) -> Result<Layer, EngineError> {
    const WHAT: &str = "what a container changed";
    /// Kinds of change: modified 0, added 1, deleted 2.
    const DELETED: i64 = 2;
    let changed: Option<Vec<Changed>> = match whole {
        true => document(WHAT, body)?,
        false => {
            let end = body
                .windows(3)
                .rposition(|bytes| bytes == b"},{")
                .map_or(0, |at| at + 1);
            let closed = [if end == 0 { b"[" } else { &body[..end] }, b"]"].concat();
            document(WHAT, &closed)?
        }
    };
    let stays = |change: &Changed| change.kind.0 != Some(DELETED) && !change.path.0.is_empty();
    let mut paths: Vec<String> = changed
        .into_iter()
        .flatten()
        .filter(stays)
        .map(|change| change.path.0)
        .collect();
    let more = !whole || paths.len() > limit;
    paths.truncate(limit);
    Ok(Layer {
        paths,
        more,
        bytes: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_tells_host_numbers_and_groups() {
        let read = processes(
            br#"{"Processes":[["9581","999","998","777,998","sh -c while :; do date"],["13792","100999","998","-","sleep 2"]],"Titles":["PID","UID","GID","SUPGID","COMMAND"]}"#,
            Flavour::Docker,
        )
        .unwrap();
        assert_eq!((read[0].pid, read[0].uid, read[0].gid), (9581, 999, 998));
        assert_eq!(read[0].groups, Some(vec![777, 998]));
        assert_eq!((read[1].uid, read[1].groups.clone()), (100_999, Some(Vec::new())));
        assert_eq!(read[0].args, "sh -c while :; do date");
    }

    #[test]
    fn podman_says_names_and_null() {
        assert_eq!(processes(b"null", Flavour::Podman), Ok(Vec::new()));
        let read = processes(
            br#"{"Titles":["PID","HUSER","HGROUP","USER","GROUP","COMMAND"],"Processes":[["1","100999","100998","app","appg","sleep 9"],["2","x","y","z","z","odd"]]}"#,
            Flavour::Podman,
        )
        .unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!((read[0].uid, read[0].gid, read[0].host_ids), (100_999, 100_998, true));
        assert_eq!(read[0].groups, None);
        assert!(processes(b"7", Flavour::Docker).is_err());
    }

    #[test]
    fn changes_are_read_without_what_is_gone_and_bounded() {
        let body = br#"[{"Path":"/var","Kind":0},{"Path":"/gone","Kind":2},{"Path":"/cache","Kind":1}]"#;
        let read = layer(body, true, 9).unwrap();
        assert_eq!(
            (read.paths, read.more),
            (vec!["/var".to_owned(), "/cache".to_owned()], false)
        );
        assert!(layer(body, true, 1).unwrap().more);
        assert_eq!(layer(b"null", true, 9), Ok(Layer::default()));
        for end in 1..body.len() {
            let cut = layer(&body[..end], false, 9).unwrap();
            assert!(cut.more && cut.paths.len() <= 1, "{end}: {cut:?}");
        }
        assert!(layer(b"{}", true, 9).is_err());
    }
}
