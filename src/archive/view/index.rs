//! The entries of an archive as a tree, in little memory. Knows no files and no requests.

use std::collections::HashMap;

use vole_agent::archive::{Entry, Form};
use vole_agent::proto::{self, Kind, Time};

/// Most entries that are held, some hundred bytes each.
const MOST: usize = 16_000_000;
/// A longer name is not shown: no file system has such.
const LONGEST: usize = 4096;
/// Components of a path beyond which it is not shown: no file system makes such.
const DEEPEST: usize = 16_384;

/// What stands for an entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    parent: u32,
    name: (u32, u16),
    pub(super) kind: Kind,
    mode: u16,
    owner: (u32, u32),
    mtime: Time,
    /// Its length; of a link's target, for a symlink.
    pub(super) size: u64,
    /// Bytes of its contents in the archive.
    pub(super) stored: u64,
    /// Where its contents stand in the tar stream; where its target stands among the names, for a symlink.
    pub(super) data: u64,
    /// The row whose contents it has; itself, but for a hardlink.
    pub(super) file: u32,
    /// When it came, among the others: a later one takes the place of an earlier one of its name.
    order: u32,
}

/// What orders and sums want of an entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    pub(super) is_dir: bool,
    pub(super) allocated: u64,
    pub(super) size: u64,
    pub(super) mtime: Time,
    pub(super) file: u32,
    pub(super) nlink: u64,
}

/// All entries.
#[derive(Debug, Default)]
pub(super) struct Index {
    rows: Vec<Row>,
    names: Vec<u8>,
    /// Where data stands in sparse files, by row.
    maps: HashMap<u32, Vec<(u64, u64)>>,
    /// Names of files with several, by the row that has the contents.
    links: HashMap<u32, u64>,
    /// Rows by parent and name; of each directory, which part of it.
    sorted: Vec<u32>,
    starts: Vec<u32>,
    /// Entries whose names cannot be shown in a tree.
    pub(super) odd: u64,
}

/// Takes entries in, in the archive's order.
#[derive(Debug)]
pub(super) struct Builder {
    index: Index,
    dirs: HashMap<Vec<u8>, u32>,
    hardlinks: Vec<(u32, Vec<u8>)>,
    order: u32,
}

/// The archive has more entries than are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMany;

impl Builder {
    pub(super) fn new() -> Self {
        let top = Row {
            parent: 0,
            name: (0, 0),
            kind: Kind::Dir,
            mode: 0o755,
            owner: (0, 0),
            mtime: Time { secs: 0, nanos: 0 },
            size: 0,
            stored: 0,
            data: 0,
            file: 0,
            order: 0,
        };
        Self {
            index: Index {
                rows: vec![top],
                ..Index::default()
            },
            dirs: HashMap::from([(Vec::new(), 0)]),
            hardlinks: Vec::new(),
            order: 0,
        }
    }

    /// Takes an entry in whose contents stand at this offset of the tar stream.
    pub(super) fn add(&mut self, entry: Entry, data: u64) -> Result<(), TooMany> {
        self.order += 1;
        let Some(path) = plain(&entry.path) else {
            self.index.odd += 1;
            return Ok(());
        };
        let row = match self.dirs.get(&path) {
            Some(&row) if entry.form == Form::Dir => row,
            _ => {
                let (above, name) = split(&path);
                let parent = self.dir(above)?;
                let row = self.row(parent, name)?;
                if entry.form == Form::Dir {
                    self.dirs.insert(path, row);
                }
                row
            }
        };
        self.fill(row, entry, data)
    }

    fn fill(&mut self, at: u32, entry: Entry, data: u64) -> Result<(), TooMany> {
        let stored = entry.form.stored();
        let (kind, size, data) = match entry.form {
            Form::File { size, map } => {
                if let Some(map) = map {
                    self.index.maps.insert(at, map);
                }
                (Kind::File, size, data)
            }
            Form::Dir => (Kind::Dir, 0, 0),
            Form::Symlink { target } => {
                let (from, length) = self.text(&target)?;
                (Kind::Symlink, length as u64, u64::from(from))
            }
            Form::Hardlink { target } => {
                self.hardlinks.push((at, target));
                (Kind::Unknown, 0, 0)
            }
            Form::Fifo => (Kind::Fifo, 0, 0),
            Form::CharDevice { .. } => (Kind::CharDevice, 0, 0),
            Form::BlockDevice { .. } => (Kind::BlockDevice, 0, 0),
        };
        let order = self.order;
        if let Some(row) = self.index.rows.get_mut(at as usize) {
            *row = Row {
                kind,
                mode: (entry.mode & 0o7777) as u16,
                owner: (entry.uid, entry.gid),
                mtime: entry.mtime,
                size,
                stored,
                data,
                order,
                ..*row
            };
        }
        Ok(())
    }

    /// The row of a directory, which is made up where the archive has none.
    fn dir(&mut self, path: &[u8]) -> Result<u32, TooMany> {
        let mut known = path;
        let mut missing = Vec::new();
        let mut row = loop {
            match self.dirs.get(known) {
                Some(&row) => break row,
                None => {
                    let (above, name) = split(known);
                    missing.push((known, name));
                    known = above;
                }
            }
        };
        for (path, name) in missing.into_iter().rev() {
            row = self.row(row, name)?;
            self.dirs.insert(path.to_vec(), row);
        }
        Ok(row)
    }

    fn row(&mut self, parent: u32, name: &[u8]) -> Result<u32, TooMany> {
        let row = u32::try_from(self.index.rows.len()).map_err(|_| TooMany)?;
        if self.index.rows.len() >= MOST {
            return Err(TooMany);
        }
        let (from, length) = self.text(name)?;
        self.index.rows.push(Row {
            parent,
            name: (from, u16::try_from(length).map_err(|_| TooMany)?),
            file: row,
            order: self.order,
            owner: (0, 0),
            mode: 0o755,
            mtime: Time { secs: 0, nanos: 0 },
            kind: Kind::Dir,
            size: 0,
            stored: 0,
            data: 0,
        });
        Ok(row)
    }

    fn text(&mut self, text: &[u8]) -> Result<(u32, usize), TooMany> {
        let from = u32::try_from(self.index.names.len()).map_err(|_| TooMany)?;
        self.index.names.extend_from_slice(text);
        Ok((from, text.len()))
    }

    /// The tree of what was taken in.
    pub(super) fn finish(self) -> Index {
        let mut index = self.index;
        drop(self.dirs);
        let key = |index: &Index, row: u32| {
            let Row { parent, order, .. } = index.rows[row as usize];
            (parent, order)
        };
        let mut sorted: Vec<u32> = (1..).take(index.rows.len() - 1).collect();
        sorted.sort_unstable_by(|&one, &other| {
            let (one_key, other_key) = (key(&index, one), key(&index, other));
            let names = index.name(one).cmp(index.name(other));
            one_key
                .0
                .cmp(&other_key.0)
                .then(names)
                .then(one_key.1.cmp(&other_key.1))
        });
        index.sorted = sorted;
        index.mark_starts();
        // An earlier entry of the name is what a hardlink means that came between the two.
        for (row, target) in self.hardlinks {
            let order = index.rows[row as usize].order;
            index.link(row, plain(&target).and_then(|path| index.find_before(&path, order)));
        }
        let last = |pair: &[u32]| !index.is_same_name(pair[0], pair[1]);
        let mut kept: Vec<u32> = index
            .sorted
            .windows(2)
            .filter(|pair| last(pair))
            .map(|pair| pair[0])
            .collect();
        kept.extend(index.sorted.last());
        index.sorted = kept;
        index.mark_starts();
        index
    }
}

impl Index {
    /// Which part of `sorted` the entries of each directory are.
    fn mark_starts(&mut self) {
        self.starts = vec![0; self.rows.len() + 1];
        for &row in &self.sorted {
            self.starts[self.rows[row as usize].parent as usize + 1] += 1;
        }
        for at in 1..self.starts.len() {
            self.starts[at] += self.starts[at - 1];
        }
    }

    fn is_same_name(&self, one: u32, other: u32) -> bool {
        self.rows[one as usize].parent == self.rows[other as usize].parent && self.name(one) == self.name(other)
    }

    /// Makes a row another name of a file; one whose file is not there stays of unknown kind.
    fn link(&mut self, row: u32, target: Option<u32>) {
        let Some(target) = target.map(|target| self.rows[target as usize].file) else {
            return;
        };
        let file = self.rows[target as usize];
        let Row {
            parent, name, order, ..
        } = self.rows[row as usize];
        self.rows[row as usize] = Row {
            parent,
            name,
            order,
            file: target,
            stored: 0,
            ..file
        };
        *self.links.entry(target).or_insert(1) += 1;
    }

    /// The last row of a path that came before another.
    fn find_before(&self, path: &[u8], order: u32) -> Option<u32> {
        let mut row = 0;
        for name in path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
            let children = self.children(row);
            let from = children.partition_point(|&child| self.name(child) < name);
            let same = children[from..].iter().take_while(|&&child| self.name(child) == name);
            row = same
                .copied()
                .filter(|&child| self.rows[child as usize].order < order)
                .last()?;
        }
        Some(row)
    }

    /// The row of a path.
    pub(super) fn find(&self, path: &[u8]) -> Option<u32> {
        self.find_before(path, u32::MAX)
    }

    /// The entries of a directory, by name.
    pub(super) fn children(&self, dir: u32) -> &[u32] {
        let [from, to] = [dir, dir + 1].map(|at| self.starts.get(at as usize).map_or(0, |&start| start as usize));
        self.sorted.get(from..to).unwrap_or_default()
    }

    pub(super) fn name(&self, row: u32) -> &[u8] {
        let (from, length) = self.rows[row as usize].name;
        &self.names[from as usize..from as usize + usize::from(length)]
    }

    /// A row.
    pub(super) fn row(&self, row: u32) -> &Row {
        &self.rows[row as usize]
    }

    /// Where data stands in a sparse file.
    pub(super) fn map(&self, file: u32) -> Option<&[(u64, u64)]> {
        self.maps.get(&file).map(Vec::as_slice)
    }

    /// What orders and sums want of a row.
    pub(super) fn entry_key(&self, at: u32) -> Key {
        let row = self.row(at);
        Key {
            is_dir: row.kind == Kind::Dir,
            allocated: self.row(row.file).stored,
            size: row.size,
            mtime: row.mtime,
            file: row.file,
            nlink: self.links.get(&row.file).copied().unwrap_or(1),
        }
    }

    /// The protocol's words for a row.
    pub(super) fn entry(&self, at: u32) -> proto::Entry {
        let row = self.row(at);
        let target = (row.kind == Kind::Symlink).then(|| {
            let from = usize::try_from(row.data).unwrap_or(usize::MAX);
            let to = from.saturating_add(usize::try_from(row.size).unwrap_or(usize::MAX));
            self.names.get(from..to).unwrap_or_default().to_vec()
        });
        proto::Entry {
            name: self.name(at).to_vec(),
            kind: row.kind,
            mode: row.mode.into(),
            uid: row.owner.0,
            gid: row.owner.1,
            size: row.size,
            allocated: self.row(row.file).stored,
            mtime: row.mtime,
            nlink: self.links.get(&row.file).copied().unwrap_or(1),
            ino: u64::from(row.file) + 1,
            target,
            other_fs: false,
            errno: None,
        }
    }
}

/// A path in plain form: without `.` and empty components. `None` when it goes up, or deeper than is shown.
fn plain(path: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(path.len());
    let mut components = 0;
    for name in path
        .split(|&byte| byte == b'/')
        .filter(|name| !matches!(*name, b"" | b"."))
    {
        components += 1;
        if name == b".." || name.contains(&0) || name.len() > LONGEST || components > DEEPEST {
            return None;
        }
        if !plain.is_empty() {
            plain.push(b'/');
        }
        plain.extend_from_slice(name);
    }
    Some(plain)
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}
