//! Small archives: ours, and evil ones that no program would write.

use std::io::Write;

use sha2::{Digest, Sha256};
use vole_agent::archive::{Entry, Form, Writer, seal::seal};
use vole_agent::proto::Time;
use vole_agent::proto::archive::Compression;

/// A tar that is put together entry by entry.
pub(crate) struct Built {
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn entry(path: &[u8], form: Form) -> Entry {
    Entry {
        path: path.to_vec(),
        mode: if matches!(form, Form::Dir) { 0o755 } else { 0o644 },
        form,
        uid: 1000,
        gid: 1000,
        mtime: Time {
            secs: 1_600_000_000,
            nanos: 123_456_789,
        },
        xattrs: Vec::new(),
        acl_cut: false,
    }
}

/// An archive of ours with all kinds of entries, not compressed.
pub(crate) fn ours() -> Vec<u8> {
    let mut writer = Writer::begin(Vec::new(), b"{\"name\":\"data\"}").unwrap();
    let mut top = entry(b"", Form::Dir);
    (top.mode, top.uid, top.gid) = (0o700, 999, 998);
    top.xattrs = vec![(b"user.top".to_vec(), b"a=\n%".to_vec())];
    let file = |size| Form::File { size, map: None };
    let mut add = |entry: &Entry, contents: &[u8]| {
        writer.entry(entry).unwrap();
        writer.contents(contents).unwrap();
    };
    add(&top, b"");
    add(&entry(b"d", Form::Dir), b"");
    let mut named = entry(b"d/file", file(11));
    named.xattrs = vec![(b"user.%=".to_vec(), b"x".to_vec())];
    add(&named, b"hello world");
    add(&entry(&[b'n'; 180], file(600)), &[7; 600]);
    let target = b"d/file".to_vec();
    add(&entry(b"hard", Form::Hardlink { target: target.clone() }), b"");
    add(&entry(b"soft", Form::Symlink { target }), b"");
    add(&entry(b"pipe", Form::Fifo), b"");
    let sparse = Form::File {
        size: 5 << 20,
        map: Some(vec![(0, 512), (4 << 20, 512)]),
    };
    add(&entry(b"sparse", sparse), &[1; 1024]);
    writer.finish(&top).unwrap().0
}

/// A very small archive of ours.
pub(crate) fn little() -> Vec<u8> {
    let mut writer = Writer::begin(Vec::new(), b"{}").unwrap();
    let top = entry(b"", Form::Dir);
    writer.entry(&top).unwrap();
    let size = 5;
    writer.entry(&entry(b"f", Form::File { size, map: None })).unwrap();
    writer.contents(b"hello").unwrap();
    writer.finish(&top).unwrap().0
}

/// A tar stream compressed and sealed as an archive of ours is.
pub(crate) fn compressed(tar: &[u8], compression: Compression) -> Vec<u8> {
    let mut bytes = match compression {
        Compression::None => tar.to_vec(),
        Compression::Gzip => {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            gzip.write_all(tar).unwrap();
            gzip.finish().unwrap()
        }
        Compression::Zstd => {
            let mut zstd = zstd::Encoder::new(Vec::new(), 1).unwrap();
            zstd.include_checksum(true).unwrap();
            zstd.write_all(tar).unwrap();
            zstd.finish().unwrap()
        }
    };
    let digest = Sha256::digest(&bytes).into();
    bytes.extend(seal(compression, digest));
    bytes
}

impl Built {
    pub(crate) fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// Adds a header of this type and size, whatever they are, and what follows it.
    pub(crate) fn add(mut self, kind: u8, name: &[u8], link: &[u8], contents: &[u8]) -> Self {
        let mut block = [0; 512];
        block[..name.len()].copy_from_slice(name);
        block[100..107].copy_from_slice(b"0000644");
        block[108..115].copy_from_slice(b"0000000");
        block[116..123].copy_from_slice(b"0000000");
        block[124..135].copy_from_slice(format!("{:011o}", contents.len()).as_bytes());
        block[136..147].copy_from_slice(b"00000000000");
        block[156] = kind;
        block[157..157 + link.len()].copy_from_slice(link);
        block[257..265].copy_from_slice(b"ustar  \0");
        self.bytes.extend(block);
        self.seal_last(512);
        self.contents(contents)
    }

    /// Adds bytes, filled up to whole blocks.
    pub(crate) fn contents(mut self, contents: &[u8]) -> Self {
        self.bytes.extend(contents);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn file(self, name: &[u8], contents: &[u8]) -> Self {
        self.add(b'0', name, b"", contents)
    }

    /// Adds an extended header with these records.
    pub(crate) fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let mut bytes = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let mut length = rest + 1;
            while rest + length.to_string().len() != length {
                length = rest + length.to_string().len();
            }
            bytes.extend(format!("{length} {key}=").bytes());
            bytes.extend(*value);
            bytes.push(b'\n');
        }
        self.add(b'x', b"PaxHeader", b"", &bytes)
    }

    /// Changes a field of the last header, which is so many bytes from the end, and makes its checksum right.
    pub(crate) fn with(mut self, from_end: usize, at: usize, bytes: &[u8]) -> Self {
        let start = self.bytes.len() - from_end + at;
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
        self.seal_last(from_end);
        self
    }

    fn seal_last(&mut self, from_end: usize) {
        let start = self.bytes.len() - from_end;
        let block = &mut self.bytes[start..start + 512];
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }

    pub(crate) fn end(mut self) -> Vec<u8> {
        self.bytes.extend([0; 1024]);
        self.bytes
    }
}
