//! The download itself: reads through a session, writes beneath the beginning, notes what it leaves out.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use futures_util::StreamExt;
use tokio::sync::watch;
use vole_agent::proto::{Entry, Fault, Kind, Order, Place, UsageItem};

use super::dest::{self, Beginning, local};
use super::levels::{Level, Levels};
use super::{GetError, Progress, Report, Skipped, special};
use crate::engine::{EngineError, Session};
use crate::model::BytePath;
use crate::store;

/// Entries of a directory asked for at once.
const PAGE: u32 = 1024;
/// The most that a report lists as left out; the rest is one line.
const LISTED: usize = 1000;
/// Why a symlink is left out: one that points anywhere else would be another one.
const UNKNOWN_TARGET: &str = "where this link points could not be read";

/// Downloads one thing whole.
pub(super) async fn whole(
    session: &Session,
    at: Place,
    destination: &Path,
    progress: &watch::Sender<Progress>,
) -> Result<Report, GetError> {
    let mut beginning = Beginning::new(destination)?;
    let entry = session.stat(at.clone()).await?;
    let mut job = Job {
        session,
        progress,
        top: BytePath::new(&at.path),
        root: at.root,
        report: Report::default(),
        left_out: 0,
    };
    match entry.kind {
        _ if entry.errno.is_some() => return Err(unread(&at, &unreadable(&entry)).into()),
        Kind::File => {
            progress.send_modify(|progress| progress.total = Some(entry.size));
            let mut file = beginning.file()?;
            job.contents(&job.top.clone(), &entry, &mut file, destination).await?;
            dest::dress(&file, entry.mode, entry.mtime);
            file.sync_all().map_err(|error| local("write", destination, error))?;
            job.report.files = 1;
        }
        Kind::Symlink => {
            let target = entry.target.as_deref().ok_or_else(|| unread(&at, UNKNOWN_TARGET))?;
            beginning.symlink(target)?;
            job.report.symlinks = 1;
        }
        Kind::Dir => {
            job.measure(at).await?;
            let top = beginning.dir()?;
            job.tree(top, entry, destination).await?;
        }
        kind => return Err(GetError::Special(special(kind))),
    }
    let mut report = job.finish();
    report.destination = beginning.put_in_place()?;
    Ok(report)
}

/// An error of what was asked for itself.
fn unread(at: &Place, message: &str) -> EngineError {
    EngineError::Agent(Fault {
        errno: None,
        path: at.path.clone(),
        message: message.to_owned(),
    })
}

/// Why nothing is known of an entry but its name.
fn unreadable(entry: &Entry) -> String {
    let why = entry.errno.map(std::io::Error::from_raw_os_error);
    let why = why.map_or_else(|| "unknown".to_owned(), |error| error.to_string());
    format!("it could not be looked at: {why}")
}

/// A running download.
struct Job<'a> {
    session: &'a Session,
    progress: &'a watch::Sender<Progress>,
    top: BytePath,
    root: u32,
    report: Report,
    left_out: usize,
}

impl Job<'_> {
    fn place(&self, path: &BytePath) -> Place {
        Place {
            root: self.root,
            path: path.as_bytes().to_vec(),
        }
    }

    fn skip(&mut self, path: &BytePath, reason: String) {
        self.left_out += 1;
        if self.report.skipped.len() < LISTED {
            let below = path
                .as_bytes()
                .strip_prefix(self.top.as_bytes())
                .unwrap_or(path.as_bytes());
            self.report.skipped.push(Skipped {
                path: BytePath::new(below),
                reason,
            });
        }
    }

    fn finish(mut self) -> Report {
        if self.left_out > LISTED {
            let reason = format!("and {} more", self.left_out - LISTED);
            self.report.skipped.push(Skipped {
                path: BytePath::root(),
                reason,
            });
        }
        self.report
    }

    /// Asks how much there is, for the bar. What cannot be measured only has no bar.
    async fn measure(&self, at: Place) -> Result<(), GetError> {
        let mut replies = self.session.usage(vec![at], 0, Vec::new());
        while let Some(reply) = replies.next().await {
            let items = match reply {
                Ok(items) => items,
                Err(EngineError::Partial { .. } | EngineError::Agent(_)) => break,
                Err(error) => return Err(error.into()),
            };
            for item in items {
                if let UsageItem::Complete { totals, .. } = item {
                    self.progress
                        .send_modify(|progress| progress.total = Some(totals.apparent));
                }
            }
        }
        Ok(())
    }

    /// Fills a directory with what is below it; depth first, so that few directories are open at once.
    async fn tree(&mut self, top: OwnedFd, entry: Entry, destination: &Path) -> Result<(), GetError> {
        let looked = |error| local("look at", destination, error);
        let mut levels = Levels::default();
        levels.push(Level::new(self.top.clone(), entry), top).map_err(looked)?;
        while let Some((level, dir)) = levels.deepest() {
            if level.below.is_empty() && !level.ended {
                let at = self.place(&level.path);
                match self.session.list(at, Order::Name, level.after.take(), PAGE).await {
                    Ok(page) => {
                        level.ended = page.next.is_none();
                        level.after = page.next;
                        level.below = page.entries;
                        level.below.reverse();
                    }
                    Err(EngineError::Agent(fault)) => {
                        level.ended = true;
                        self.skip(&level.path, fault.message);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            match level.below.pop() {
                Some(entry) => {
                    let path = level.path.join(&entry.name);
                    if let Some(deeper) = self.entry(&path, &entry, dir, destination).await? {
                        levels.push(Level::new(path, entry), deeper).map_err(looked)?;
                    }
                }
                None if level.ended => {
                    // Last, because filling it needs the right to write and changes its time.
                    dest::dress(dir, level.entry.mode | 0o700, level.entry.mtime);
                    self.report.dirs += 1;
                    if level.path == self.top {
                        self.secure(dir, destination)?;
                    }
                    let risen = levels.pop();
                    risen.map_err(|error| local("go on in", destination, error))?;
                }
                None => {}
            }
        }
        Ok(())
    }

    /// One sync for the whole tree instead of one per file.
    fn secure(&self, dir: &OwnedFd, destination: &Path) -> Result<(), GetError> {
        rustix::fs::syncfs(dir).map_err(|error| local("write", destination, error))
    }

    /// Downloads one entry; a directory comes back to be filled.
    async fn entry(
        &mut self,
        path: &BytePath,
        entry: &Entry,
        dir: &OwnedFd,
        destination: &Path,
    ) -> Result<Option<OwnedFd>, GetError> {
        let Some(name) = dest::safe_name(&entry.name).map(ToOwned::to_owned) else {
            self.skip(path, "its name cannot stand in a directory here".to_owned());
            return Ok(None);
        };
        let made = match entry.kind {
            _ if entry.errno.is_some() => {
                self.skip(path, unreadable(entry));
                return Ok(None);
            }
            _ if entry.other_fs => {
                self.skip(path, "another file system is mounted here".to_owned());
                return Ok(None);
            }
            Kind::Dir => dest::make_dir(dir, &name).map(Some),
            Kind::Symlink => {
                let Some(target) = entry.target.as_deref() else {
                    self.skip(path, UNKNOWN_TARGET.to_owned());
                    return Ok(None);
                };
                let made = rustix::fs::symlinkat(std::ffi::OsStr::from_bytes(target), dir, &name);
                self.report.symlinks += u64::from(made.is_ok());
                made.map(|()| None)
            }
            Kind::File => match store::create_new(dir, &name) {
                Ok(file) => {
                    self.file(path, entry, file, dir, &name, destination).await?;
                    Ok(None)
                }
                Err(error) => Err(error),
            },
            kind => {
                self.skip(path, format!("{} is not downloaded", special(kind)));
                Ok(None)
            }
        };
        match made {
            Ok(opened) => Ok(opened),
            // A name that this file system does not take, or two that it holds for one: the rest goes on.
            Err(rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) => {
                Err(local("write", destination, rustix::io::Errno::NOSPC))
            }
            Err(error) => {
                self.skip(path, format!("cannot be made here: {}", std::io::Error::from(error)));
                Ok(None)
            }
        }
    }

    async fn file(
        &mut self,
        path: &BytePath,
        entry: &Entry,
        mut file: File,
        dir: &OwnedFd,
        name: &std::ffi::OsStr,
        destination: &Path,
    ) -> Result<(), GetError> {
        match self.contents(path, entry, &mut file, destination).await {
            Ok(()) => {
                dest::dress(&file, entry.mode, entry.mtime);
                self.report.files += 1;
                let files = self.report.files;
                self.progress.send_modify(|progress| progress.files = files);
                Ok(())
            }
            Err(GetError::Engine(error @ (EngineError::Agent(_) | EngineError::Partial { .. }))) => {
                // Half a file under a whole name would be a lie.
                rustix::fs::unlinkat(dir, name, rustix::fs::AtFlags::empty())
                    .map_err(|error| local("remove an incomplete file in", destination, error))?;
                self.skip(path, error.to_string());
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Writes a file's contents; blocks of zeros stay holes.
    async fn contents(
        &mut self,
        path: &BytePath,
        entry: &Entry,
        file: &mut File,
        destination: &Path,
    ) -> Result<(), GetError> {
        let mut replies = self.session.read(self.place(path), 0, u64::MAX);
        let mut length = 0_u64;
        while let Some(reply) = replies.next().await {
            let bytes = reply?;
            let written = if bytes.iter().all(|byte| *byte == 0) {
                file.seek(SeekFrom::Current(i64::try_from(bytes.len()).unwrap_or(i64::MAX)))
                    .map(drop)
            } else {
                file.write_all(&bytes)
            };
            written.map_err(|error| local("write", destination, error))?;
            length += bytes.len() as u64;
            self.progress
                .send_modify(|progress| progress.bytes += bytes.len() as u64);
        }
        file.set_len(length)
            .map_err(|error| local("write", destination, error))?;
        self.report.bytes += length;
        if length < entry.size {
            // It was cut while it was read: what came is what it is now.
            self.progress.send_modify(|progress| {
                progress.total = progress.total.map(|total| total - (entry.size - length).min(total))
            });
        }
        Ok(())
    }
}
