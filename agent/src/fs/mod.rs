//! The backend over real directories: resolves places, dispatches requests. Each request has a file of its own;
//! nothing here opens a path by name but through `resolve` and `root`.

mod attributes;
mod file;
mod find;
mod follow;
mod grep;
mod leave;
mod list;
mod meta;
mod mounts;
mod node;
mod own;
mod pack;
mod parallel;
mod pattern;
mod probe;
mod resolve;
mod root;
mod unpack;
mod usage;
mod walk;
mod window;

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{OFlags, fstatvfs, readlinkat};
use rustix::io::Errno;

use crate::proto::{Entry, Fault, FileSystem, Hello, Kind, Place, Reply, Request, UsageItem};
use crate::serve::{Backend, Halt, Sink};
use crate::signs::Signs;
use meta::Meta;
use resolve::Resolver;
use root::Root;

pub use pack::Coming;
pub use unpack::Client as Unpacker;

/// Serves directories of this machine.
#[derive(Debug)]
pub struct Roots {
    roots: Vec<Root>,
    resolver: Resolver,
    windows: window::Windows,
}

impl Roots {
    /// Opens the roots; one that cannot be opened says so in the hello and fails its requests.
    pub fn open<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Self {
        let tables = mounts::Tables::default();
        Self {
            roots: paths
                .into_iter()
                .map(|path| Root::open(path.as_ref(), &tables))
                .collect(),
            resolver: Resolver::detect(),
            windows: window::Windows::default(),
        }
    }

    /// Resolves paths one component at a time, as before Linux 5.6.
    #[must_use]
    pub fn without_openat2(mut self) -> Self {
        self.resolver = Resolver::Components;
        self
    }

    /// Remembers at most so many bytes of names of huge directories; smaller is slower and uses less memory.
    #[must_use]
    pub fn with_window(mut self, bytes: usize) -> Self {
        self.windows = window::Windows::of(bytes);
        self
    }

    /// Measures trees; see [`Request::Usage`]. `deliver` gets news in batches, and an empty batch at least every
    /// 100 ms, so that it can cancel.
    ///
    /// # Errors
    ///
    /// What `deliver` returns, and when no thread can be started.
    pub fn measure(
        &self,
        places: &[Place],
        depth: u32,
        threads: u32,
        signs: &Signs,
        deliver: impl FnMut(Vec<UsageItem>) -> Result<(), Halt>,
    ) -> Result<(), Halt> {
        usage::run(self, places, depth, threads, signs, deliver)
    }

    fn root(&self, at: &Place) -> Result<&Root, Fault> {
        let root = usize::try_from(at.root).ok().and_then(|index| self.roots.get(index));
        root.ok_or_else(|| fault(&at.path, Errno::NOENT, &format!("finding root {}", at.root)))
    }

    /// Opens a directory for reading.
    fn dir(&self, at: &Place) -> Result<OwnedFd, Fault> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let opened = self.resolver.open(self.root(at)?.fd()?, &at.path, flags);
        opened.map_err(|errno| fault(&at.path, errno, "opening the directory"))
    }

    /// Opens a directory so that reading it leaves its access time alone, where that is allowed.
    fn quiet_dir(&self, at: &Place) -> Result<OwnedFd, Fault> {
        let top = self.root(at)?.fd()?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let opened = node::quietly(flags, |flags| self.resolver.open(top, &at.path, flags));
        opened.map_err(|errno| fault(&at.path, errno, "opening the directory"))
    }

    /// Looks at an entry without opening it.
    fn meta(&self, at: &Place) -> Result<Meta, Fault> {
        let top = self.root(at)?.fd()?;
        let found = if at.path.is_empty() {
            Meta::of(top)
        } else {
            self.resolver
                .parent(top, &at.path)
                .and_then(|(dir, name)| Meta::at(dir, &name))
        };
        found.map_err(|errno| fault(&at.path, errno, "looking at the entry"))
    }

    fn stat(&self, at: &Place) -> Result<Entry, Fault> {
        let top = self.root(at)?.fd()?;
        if at.path.is_empty() {
            return Ok(self.meta(at)?.entry(Vec::new(), None, false));
        }
        let seen = || {
            let (dir, name) = self.resolver.parent(top, &at.path)?;
            let (above, meta) = (Meta::of(&dir)?, Meta::at(&dir, &name)?);
            Ok(entry(&dir, &name, &meta, &above))
        };
        seen().map_err(|errno| fault(&at.path, errno, "looking at the entry"))
    }

    fn file_systems(&self, roots: &[u32]) -> Vec<FileSystem> {
        roots.iter().map(|&index| self.file_system(index)).collect()
    }

    fn file_system(&self, index: u32) -> FileSystem {
        let at = Place {
            root: index,
            path: Vec::new(),
        };
        let mut found = FileSystem {
            root: index,
            dev: (0, 0),
            fs_type: String::new(),
            source: Vec::new(),
            size: 0,
            free: 0,
            available: 0,
            inodes: 0,
            inodes_free: 0,
            fault: None,
        };
        let asked = self.root(&at).and_then(|root| {
            found.dev = root.info.dev;
            found.fs_type.clone_from(&root.info.fs_type);
            found.source.clone_from(&root.info.source);
            fstatvfs(root.fd()?).map_err(|errno| fault(b"", errno, "asking the file system"))
        });
        match asked {
            Ok(stat) => {
                found.size = stat.f_blocks.saturating_mul(stat.f_frsize);
                found.free = stat.f_bfree.saturating_mul(stat.f_frsize);
                found.available = stat.f_bavail.saturating_mul(stat.f_frsize);
                found.inodes = stat.f_files;
                found.inodes_free = stat.f_ffree;
            }
            Err(fault) => found.fault = Some(fault),
        }
        found
    }
}

impl Backend for Roots {
    fn hello(&self) -> Hello {
        let uname = rustix::system::uname();
        Hello {
            arch: uname.machine().to_string_lossy().into_owned(),
            kernel: uname.release().to_string_lossy().into_owned(),
            openat2: self.resolver == Resolver::Openat2,
            roots: self.roots.iter().map(|root| root.info.clone()).collect(),
        }
    }

    fn handle(&self, request: Request, sink: &Sink) -> Result<Vec<Fault>, Halt> {
        let none = Vec::new();
        match request {
            Request::List {
                at,
                order,
                after,
                limit,
            } => {
                sink.send(Reply::Page(self.list(&at, order, after.as_ref(), limit, sink)?))?;
                Ok(none)
            }
            Request::Stat { at } => sink.send(Reply::Entry(self.stat(&at)?)).map(|()| none),
            Request::Read { at, offset, len } => self.read(&at, offset, len, sink).map(|()| none),
            Request::Follow { at, tail } => self.follow(&at, tail, sink).map(|()| none),
            Request::Usage {
                places,
                depth,
                threads,
                signs,
            } => {
                let deliver = |items: Vec<UsageItem>| match items.as_slice() {
                    [] if sink.cancelled() => Err(Halt::Cancelled),
                    [] => Ok(()),
                    _ => sink.send(Reply::Usage(items)),
                };
                self.measure(&places, depth, threads, &Signs::new(signs), deliver)
                    .map(|()| none)
            }
            Request::Find { at, dfa, limit } => self.find(&at, &dfa, limit, sink),
            Request::Grep {
                at,
                dfa,
                limit,
                max_line,
                binary,
            } => self.grep(
                &at,
                &dfa,
                &grep::Wanted {
                    limit,
                    max_line,
                    binary,
                },
                sink,
            ),
            Request::FileSystems { roots } => {
                sink.send(Reply::FileSystems(self.file_systems(&roots)))?;
                Ok(none)
            }
            Request::Probe { probes } => self.probe(&probes, sink).map(|()| none),
            Request::Census { at, change, leave } => self.census(&at, &change, &leave, sink).map(|()| none),
            Request::Own { at, change, leave } => self.own(&at, &change, &leave, sink),
            Request::Undo { root, change, groups } => {
                sink.send(Reply::Undone(self.undo(root, &change, &groups, sink)?))?;
                Ok(none)
            }
            Request::Pack(pack) => self.pack(&pack, sink),
            Request::Unpack(unpack) => self.unpack(&unpack, sink),
            Request::Mend { root, id } => self.mend(root, id.as_deref(), sink),
        }
    }
}

/// The protocol's entry of a name in an open directory.
fn entry(dir: &OwnedFd, name: &CString, meta: &Meta, above: &Meta) -> Entry {
    // A link that vanished between the two looks has no target; nothing else can fail here.
    let target = match meta.kind() {
        Kind::Symlink => readlinkat(dir, name, Vec::new()).ok().map(CString::into_bytes),
        _ => None,
    };
    meta.entry(name.to_bytes().to_vec(), target, meta.foreign_to(above))
}

/// Says what was tried on a path and what came of it.
fn fault(path: &[u8], errno: Errno, tried: &str) -> Fault {
    let code = errno.raw_os_error();
    let why = match errno {
        Errno::LOOP => "a symbolic link stands in the way; they are not followed".into(),
        Errno::XDEV => "another file system is mounted there; it is not entered".into(),
        _ => std::io::Error::from_raw_os_error(code).to_string(),
    };
    Fault {
        errno: Some(code),
        path: shortened(path),
        message: format!("{tried}: {why}"),
    }
}

/// A path short enough for a note, its end left out.
fn shortened(path: &[u8]) -> Vec<u8> {
    path[..path.len().min(4096)].to_vec()
}
