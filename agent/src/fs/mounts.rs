//! Reads `mountinfo`: which mount a descriptor is on. Knows nothing of roots or requests.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd};

/// One line of `mountinfo` (proc(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MountLine {
    pub(crate) id: u64,
    pub(crate) dev: (u32, u32),
    /// The directory of the file system that is mounted.
    pub(crate) root: Vec<u8>,
    /// Where it is mounted.
    pub(crate) point: Vec<u8>,
    pub(crate) read_only: bool,
    /// Whether the file system itself is read-only, for all its mounts.
    pub(crate) super_read_only: bool,
    pub(crate) fs_type: String,
    pub(crate) source: Vec<u8>,
}

/// The mounts that the agent and the first process see, each table read once: a helper may have a thousand roots, and
/// the table a line for each.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    own: OnceCell<HashMap<u64, MountLine>>,
    first: OnceCell<HashMap<u64, MountLine>>,
}

impl Tables {
    /// The mount of a number, as this process sees it.
    pub(crate) fn own(&self, id: u64) -> Option<&MountLine> {
        self.own.get_or_init(|| read("/proc/self/mountinfo")).get(&id)
    }

    /// The mount of a number, as the first process of this namespace sees it.
    pub(crate) fn first(&self, id: u64) -> Option<&MountLine> {
        self.first.get_or_init(|| read("/proc/1/mountinfo")).get(&id)
    }
}

/// Reads a `mountinfo` file; lines that cannot be understood are left out, and so is everything without /proc.
fn read(path: &str) -> HashMap<u64, MountLine> {
    let lines = std::fs::read(path).map(|text| parse(&text));
    lines.into_iter().flatten().map(|line| (line.id, line)).collect()
}

fn parse(text: &[u8]) -> Vec<MountLine> {
    text.split(|&byte| byte == b'\n').filter_map(line).collect()
}

fn line(line: &[u8]) -> Option<MountLine> {
    let mut fields = line.split(|&byte| byte == b' ');
    let id = number(fields.next()?)?;
    let dev = fields.nth(1)?;
    let colon = dev.iter().position(|&byte| byte == b':')?;
    let root = unescape(fields.next()?);
    let point = unescape(fields.next()?);
    let options = fields.next()?;
    // Optional fields end with a single dash.
    fields.find(|&field| field == b"-")?;
    let fs_type = String::from_utf8_lossy(fields.next()?).into_owned();
    let source = unescape(fields.next()?);
    let says_ro = |options: &[u8]| options.split(|&byte| byte == b',').any(|option| option == b"ro");
    Some(MountLine {
        id,
        dev: (number(&dev[..colon])?, number(&dev[colon + 1..])?),
        root,
        point,
        read_only: says_ro(options),
        super_read_only: fields.next().is_some_and(says_ro),
        fs_type,
        source,
    })
}

fn number<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Undoes the kernel's `\ooo` for space, tab, newline and backslash.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                after
            }
            _ => {
                out.push(*first);
                tail
            }
        };
    }
    out
}

/// The number of the mount that a descriptor is on (`fdinfo`, Linux 3.15).
pub(crate) fn mount_id(fd: impl AsFd) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_fd().as_raw_fd())).ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix("mnt_id:"))?
        .trim()
        .parse()
        .ok()
}

/// Where the kernel says a descriptor is.
pub(crate) fn path_of(fd: impl AsFd) -> Option<Vec<u8>> {
    use std::os::unix::ffi::OsStringExt;
    let link = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd())).ok()?;
    Some(link.into_os_string().into_vec())
}

/// The first mount beneath an open directory, as a path relative to it; none without /proc.
pub(crate) fn beneath(fd: impl AsFd) -> Option<Vec<u8>> {
    let top = path_of(fd)?;
    let text = std::fs::read("/proc/self/mountinfo").ok()?;
    let points = parse(&text).into_iter().map(|line| line.point);
    points
        .filter_map(|point| below(&point, &top).map(<[u8]>::to_vec))
        .find(|below| !below.is_empty())
}

/// The part of `path` below `point`, without a leading slash; `None` when it is not below.
pub(crate) fn below<'a>(path: &'a [u8], point: &[u8]) -> Option<&'a [u8]> {
    let rest = if point == b"/" { path } else { path.strip_prefix(point)? };
    match rest {
        [] => Some(rest),
        [b'/', rest @ ..] => Some(rest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_optional_fields_and_escapes_is_read() {
        let text = b"36 35 98:0 /mnt\\0401 /mnt\\0122 rw,noatime master:1 shared:4 - ext3 /dev/root\\134x ro,errors=continue\n\
            bad line\n37 35 0:5 / /vole/0 ro,nosuid - tmpfs none rw\n";
        let lines = parse(text);
        assert_eq!(lines.len(), 2);
        assert_eq!((lines[0].id, lines[0].dev, lines[0].read_only), (36, (98, 0), false));
        assert_eq!(lines[0].root, b"/mnt 1");
        assert_eq!(lines[0].point, b"/mnt\n2");
        assert_eq!(lines[0].source, b"/dev/root\\x");
        assert!(lines[0].super_read_only && !lines[1].super_read_only);
        assert!(lines[1].read_only);
        assert_eq!(lines[1].fs_type, "tmpfs");
    }

    #[test]
    fn below_knows_components() {
        assert_eq!(below(b"/a/b/c", b"/a"), Some(&b"b/c"[..]));
        assert_eq!(below(b"/a", b"/a"), Some(&b""[..]));
        assert_eq!(below(b"/ab", b"/a"), None);
        assert_eq!(below(b"/x", b"/"), Some(&b"x"[..]));
    }
}
