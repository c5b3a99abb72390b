//! The archives that the demo has from the start: written when somebody first asks for them, by the same operation that writes
//! all others. Knows nothing of screens.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;

use time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vole_agent::proto::archive::Compression;

use crate::archive::place;
use crate::engine::{Engine, EngineError};
use crate::ops::backup::{self, Request};
use crate::ops::list::{self, Depth};

/// What says that they were written.
const MARKER: &str = ".filled";
/// Volumes of which there are copies, how many hours old, and how they are compressed.
const COPIES: [(&str, i64, Compression); 3] = [
    ("shop_redis", 50, Compression::Gzip),
    ("blog_content", 26, Compression::Zstd),
    ("shop_redis", 3, Compression::Zstd),
];

/// Writes the archives, unless that was done.
///
/// # Errors
///
/// When they cannot be written.
pub async fn fill(engine: &Engine) -> Result<(), EngineError> {
    let dir = place::demo();
    let refused = |error: io::Error| EngineError::Refused {
        reason: format!("the demo's archives cannot be written to {}: {error}", dir.display()),
    };
    let marker = dir.join(MARKER);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&dir)
        .map_err(refused)?;
    match DirBuilder::new().mode(0o700).create(&marker) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(refused(error)),
    }
    let inventory = list::load(engine, Depth::Rows).await?;
    let now = super::now();
    for (name, hours, compression) in COPIES {
        let mounts = inventory.mounts.iter().filter(|mount| mount.name == name).cloned();
        let request = Request {
            mounts: mounts.collect(),
            to: None,
            compression,
        };
        let plan = backup::plan(engine, request, &|_| None, now - Duration::hours(hours)).await?;
        let (to, mut news) = mpsc::channel(1);
        let hearing = async { while news.recv().await.is_some() {} };
        let (report, ()) = tokio::join!(backup::run(engine, &plan, to, CancellationToken::new()), hearing);
        if let Some((name, why)) = report.failed.into_iter().next() {
            let reason = format!("the demo's archive of {name} cannot be written: {why}");
            return Err(EngineError::Refused { reason });
        }
    }
    Ok(())
}

/// Removes what the demo wrote, for its end; what somebody chose a place for stays.
pub(super) fn clear() {
    if place::demo_is_passing() {
        // What cannot be removed lies in the directory for temporary files.
        let _left = std::fs::remove_dir_all(place::demo());
    }
}
