//! What a log complains of: refusals with their paths. Reads lines only; whether it is so still is for the rules.

use super::evidence::Case;
use super::signatures::{Means, SIGNATURES};
use super::words::Errno;
use crate::text;

/// Bytes of a line that are looked at.
const LINE: usize = 2048;
/// Columns of a line that are quoted.
const QUOTE: usize = 160;
/// Different complaints that are kept.
const COMPLAINTS: usize = 64;

/// One complaint, however often it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complaint {
    /// What it means.
    pub(super) means: Means,
    /// The error that it tells of.
    pub(super) errno: Errno,
    /// The absolute path that it is about, normalised; hostile.
    pub(super) path: Option<Vec<u8>>,
    /// The program of the line, where that tells something.
    pub(super) tool: Option<String>,
    /// Whose words they are.
    pub(super) product: String,
    /// The line, shortened and harmless.
    pub(super) line: String,
    /// How often it stands there.
    pub(super) count: u32,
    /// What was to be done, as far as the words tell.
    pub(super) wants: Wants,
    /// Whether the engine says so, and not the container's log.
    pub(super) by_engine: bool,
}

/// What somebody was about to do with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    /// Read, or list.
    Read,
    /// Write, or make.
    Write,
    /// Take an entry away, or name it anew: its directory decides.
    Unlink,
    /// One of these.
    Something,
}

impl Wants {
    /// Reads the words of a line.
    fn of(line: &[u8]) -> Self {
        let line = String::from_utf8_lossy(line).to_ascii_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| line.contains(word));
        let tool = |names: &[&str]| names.iter().any(|name| line.starts_with(name));
        if tool(&["rm:", "rmdir:", "mv:", "ln:"]) || says(&["unlink", "rename", "rmdir", "remove"]) {
            Self::Unlink
        } else if tool(&["touch:", "mkdir:", "dd:", "tee:", "install:"])
            || says(&["creat", "writ", "mkdir", "for saving", "append"])
        {
            Self::Write
        } else if tool(&["cat:", "ls:", "find:", "head:", "tail:", "grep:", "less:"])
            || says(&["scandir", "opendir", "open directory", "for reading"])
        {
            Self::Read
        } else {
            Self::Something
        }
    }
}

impl Complaint {
    /// The line as evidence.
    pub(super) fn evidence(&self) -> String {
        let who = if self.by_engine { "the engine" } else { "the log" };
        match self.count {
            1 => format!("{who} says \u{201c}{}\u{201d}", self.line),
            count => format!("{who} says {count} times \u{201c}{}\u{201d}", self.line),
        }
    }
}

/// The path relative to a directory that holds it, both absolute and normalised.
pub(super) fn within<'a>(path: &'a [u8], directory: &[u8]) -> Option<&'a [u8]> {
    let directory = directory.strip_suffix(b"/").unwrap_or(directory);
    let rest = path.strip_prefix(directory)?;
    match rest.split_first() {
        None => Some(rest),
        Some((b'/', below)) => Some(below),
        Some(_) => None,
    }
}

/// What a case complains of.
pub(super) fn of(case: &Case) -> Vec<Complaint> {
    let lines = case.log.as_deref().unwrap_or_default();
    let mut all = read(lines, &case.run.workdir);
    // The engine's own sentence is of the last start; one that runs got over it.
    if !case.run.error.is_empty() && !case.state.is_live() {
        let said = read(&[case.run.error.clone().into_bytes()], &case.run.workdir);
        all.extend(said.into_iter().map(|one| Complaint { by_engine: true, ..one }));
    }
    all
}

/// Reads lines; relative paths are taken from the working directory.
pub(super) fn read(lines: &[Vec<u8>], workdir: &str) -> Vec<Complaint> {
    let mut complaints: Vec<Complaint> = Vec::new();
    for line in lines {
        let Some(one) = complaint(line, workdir) else { continue };
        let same = |other: &&mut Complaint| {
            (other.means, other.errno, other.wants, &other.path, &other.tool)
                == (one.means, one.errno, one.wants, &one.path, &one.tool)
        };
        if let Some(there) = complaints.iter_mut().find(same) {
            there.count = there.count.saturating_add(1);
        } else if complaints.len() < COMPLAINTS {
            complaints.push(one);
        }
    }
    complaints
}

fn complaint(line: &[u8], workdir: &str) -> Option<Complaint> {
    let line = plain(&line[..line.len().min(LINE)]);
    let mut captures = None;
    let signature = SIGNATURES.iter().find(|signature| {
        let mut found = signature.regex.create_captures();
        signature.regex.captures(&line, &mut found);
        let matches = found.is_match();
        captures = Some(found);
        matches
    })?;
    if signature.means == Means::Benign {
        return None;
    }
    let told = signature.path.and_then(|group| captures.as_ref()?.get_group(group));
    let told = told.and_then(|span| line.get(span.range()));
    let path = match signature.path {
        Some(_) => told.and_then(|path| absolute(path, workdir)),
        None => first_path(&line).and_then(|path| absolute(path, workdir)),
    };
    Some(Complaint {
        means: signature.means,
        errno: signature.errno.unwrap_or_else(|| errno(&line)),
        path,
        tool: signature.tool.clone(),
        product: signature.product.clone(),
        line: text::fit(&text::printable(line.trim_ascii()), QUOTE, "…"),
        count: 1,
        wants: Wants::of(&line),
        by_engine: false,
    })
}

/// The error that the words of a line name.
fn errno(line: &[u8]) -> Errno {
    let line = String::from_utf8_lossy(line).to_ascii_lowercase();
    let words = [
        ("read-only file", Errno::ReadOnly),
        ("erofs", Errno::ReadOnly),
        ("(30:", Errno::ReadOnly),
        ("errno 30", Errno::ReadOnly),
        ("no space left", Errno::NoSpace),
        ("enospc", Errno::NoSpace),
        ("errno 28", Errno::NoSpace),
        ("quota exceeded", Errno::Quota),
        ("errno 122", Errno::Quota),
        ("operation not permitted", Errno::Perm),
        ("eperm", Errno::Perm),
        ("errno 1]", Errno::Perm),
    ];
    let found = words.into_iter().find(|(word, _)| line.contains(word));
    found.map_or(Errno::Access, |(_, errno)| errno)
}

/// A line without colours and without a time at its start.
fn plain(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let mut rest = line.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte != 0x1b {
            out.push(byte);
            continue;
        }
        if rest.next_if_eq(&b'[').is_some() {
            // A control sequence ends with its first byte of `@` to `~`.
            for byte in rest.by_ref() {
                if (0x40..=0x7e).contains(&byte) {
                    break;
                }
            }
        } else {
            rest.next();
        }
    }
    let is_time = |word: &[u8]| {
        word.len() >= 8
            && word.iter().any(u8::is_ascii_digit)
            && word.contains(&b':')
            && word
                .iter()
                .all(|byte| byte.is_ascii_digit() || b":.,-+/TZ[]".contains(byte))
    };
    let is_date =
        |word: &[u8]| word.len() >= 8 && word.iter().all(|byte| byte.is_ascii_digit() || b"-/[".contains(byte));
    let mut start = out.as_slice().trim_ascii();
    for _ in 0..2 {
        let end = start.iter().position(|byte| *byte == b' ').unwrap_or(start.len());
        if !is_time(&start[..end]) && !is_date(&start[..end]) {
            break;
        }
        start = start[end..].trim_ascii_start();
    }
    start.to_vec()
}

/// The first absolute path of a line.
fn first_path(line: &[u8]) -> Option<&[u8]> {
    let at = (0..line.len()).find(|&at| {
        let before = at.checked_sub(1).map(|at| line[at]);
        line[at] == b'/'
            && line
                .get(at + 1)
                .is_some_and(|next| next.is_ascii_alphanumeric() || b"._-".contains(next))
            && before.is_none_or(|before| b" '\"`([=:".contains(&before))
    })?;
    let quote = at
        .checked_sub(1)
        .map(|at| line[at])
        .filter(|byte| b"'\"`".contains(byte));
    let end = line[at..].iter().position(|byte| match quote {
        Some(quote) => *byte == quote,
        None => byte.is_ascii_whitespace() || b":,;)]\"'`".contains(byte),
    });
    Some(&line[at..at + end.unwrap_or(line.len() - at)])
}

/// A path as the rules compare it: absolute, without `.` and `..`.
fn absolute(path: &[u8], workdir: &str) -> Option<Vec<u8>> {
    let path = path.trim_ascii();
    if path.is_empty() || path.contains(&0) {
        return None;
    }
    let base: &[u8] = match path.starts_with(b"/") {
        true => b"",
        false => workdir.as_bytes(),
    };
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in base.split(|byte| *byte == b'/').chain(path.split(|byte| *byte == b'/')) {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let mut out = Vec::with_capacity(path.len() + 1);
    for part in parts {
        out.push(b'/');
        out.extend_from_slice(part);
    }
    if out.is_empty() {
        out.push(b'/');
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> (Means, Errno, Option<String>) {
        let read = read(&[line.as_bytes().to_vec()], "/app");
        let [one] = read.as_slice() else {
            panic!("{line}: {read:?}")
        };
        let path = one
            .path
            .as_deref()
            .map(|path| String::from_utf8_lossy(path).into_owned());
        (one.means, one.errno, path)
    }

    #[test]
    fn tools_and_programs_are_understood() {
        let rows: &[(&str, Means, Errno, Option<&str>)] = &[
            (
                "sh: can't create /data/x: Permission denied",
                Means::Refused,
                Errno::Access,
                Some("/data/x"),
            ),
            (
                "sh: 1: cannot create /data/x: Permission denied",
                Means::Refused,
                Errno::Access,
                Some("/data/x"),
            ),
            (
                "/bin/sh: 1: cannot create x: Read-only file system",
                Means::Refused,
                Errno::ReadOnly,
                Some("/app/x"),
            ),
            (
                "touch: /d/x: Read-only file system",
                Means::Refused,
                Errno::ReadOnly,
                Some("/d/x"),
            ),
            (
                "touch: /data/x y: Permission denied",
                Means::Refused,
                Errno::Access,
                Some("/data/x y"),
            ),
            (
                "touch: cannot touch '/d/x': Permission denied",
                Means::Refused,
                Errno::Access,
                Some("/d/x"),
            ),
            (
                "touch: cannot touch ‘/d/x’: Permission denied",
                Means::Refused,
                Errno::Access,
                Some("/d/x"),
            ),
            (
                "mkdir: can't create directory '/x': Permission denied",
                Means::Refused,
                Errno::Access,
                Some("/x"),
            ),
            (
                "mkdir: cannot create directory ‘/bitnami/x’: Permission denied",
                Means::Refused,
                Errno::Access,
                Some("/bitnami/x"),
            ),
            (
                "cat: can't open '/d/s': Permission denied",
                Means::Refused,
                Errno::Access,
                Some("/d/s"),
            ),
            (
                "ls: can't open '/d': Permission denied",
                Means::Refused,
                Errno::Access,
                Some("/d"),
            ),
            (
                "ls: cannot open directory '/d': Permission denied",
                Means::Refused,
                Errno::Access,
                Some("/d"),
            ),
            (
                "dd: error writing '/d/x': No space left on device",
                Means::Refused,
                Errno::NoSpace,
                Some("/d/x"),
            ),
            (
                "sh: write error: No space left on device",
                Means::Refused,
                Errno::NoSpace,
                None,
            ),
            (
                "bash: line 1: /d/x: Permission denied",
                Means::Refused,
                Errno::Access,
                Some("/d/x"),
            ),
            (
                "bash: /d/x: Operation not permitted",
                Means::Refused,
                Errno::Perm,
                Some("/d/x"),
            ),
            (
                "rm: can't remove '/d/x': Operation not permitted",
                Means::Refused,
                Errno::Perm,
                Some("/d/x"),
            ),
            (
                "chown: /d: Operation not permitted",
                Means::Refused,
                Errno::Perm,
                Some("/d"),
            ),
            (
                "chown: changing ownership of '/d': Operation not permitted",
                Means::Refused,
                Errno::Perm,
                Some("/d"),
            ),
            (
                "chmod: /d/x: Operation not permitted",
                Means::OwnerOnly,
                Errno::Perm,
                Some("/d/x"),
            ),
            (
                "touch: setting times of '/d/x': Operation not permitted",
                Means::OwnerOnly,
                Errno::Perm,
                Some("/d/x"),
            ),
            (
                "find: ‘/d/sub’: Permission denied",
                Means::Refused,
                Errno::Access,
                Some("/d/sub"),
            ),
            (
                "error: failed switching to \"postgres\": operation not permitted",
                Means::Privileges,
                Errno::Perm,
                None,
            ),
            (
                "2024-01-01 00:00:00.000 UTC [1] FATAL:  data directory \"/p\" has wrong ownership",
                Means::Owner,
                Errno::Perm,
                Some("/p"),
            ),
            (
                "FATAL:  data directory \"/p\" has group or world access",
                Means::Mode,
                Errno::Perm,
                Some("/p"),
            ),
            (
                "FATAL:  could not open file \"global/pg_control\": Permission denied",
                Means::Refused,
                Errno::Access,
                Some("/app/global/pg_control"),
            ),
            (
                "mysqld: Can't create/write to file '/var/lib/mysql/is_writable' (Errcode: 13 - Permission denied)",
                Means::Refused,
                Errno::Access,
                Some("/var/lib/mysql/is_writable"),
            ),
            (
                "1:M 01 Jan 2024 # Failed opening the RDB file root (in server root dir /etc/cron.d) for saving: Permission denied",
                Means::Attack,
                Errno::Access,
                Some("/etc/cron.d"),
            ),
            (
                "1:M # Failed opening the temp RDB file temp-1.rdb (in server root dir /data) for saving: Permission denied",
                Means::Refused,
                Errno::Access,
                Some("/data"),
            ),
            (
                "Error: EACCES: permission denied, open '/data/x.json'",
                Means::Refused,
                Errno::Access,
                Some("/data/x.json"),
            ),
            (
                "Error: EROFS: read-only file system, mkdir '/app/c'",
                Means::Refused,
                Errno::ReadOnly,
                Some("/app/c"),
            ),
            (
                "PermissionError: [Errno 13] Permission denied: '/data/x'",
                Means::Refused,
                Errno::Access,
                Some("/data/x"),
            ),
            (
                "OSError: [Errno 30] Read-only file system: '/data/x'",
                Means::Refused,
                Errno::ReadOnly,
                Some("/data/x"),
            ),
            (
                "java.nio.file.AccessDeniedException: /usr/share/es/data/nodes",
                Means::Refused,
                Errno::Access,
                Some("/usr/share/es/data/nodes"),
            ),
            (
                "GF_PATHS_DATA='/var/lib/grafana' is not writable.",
                Means::Refused,
                Errno::Access,
                Some("/var/lib/grafana"),
            ),
            (
                "panic: open /prometheus/queries.active: permission denied",
                Means::Refused,
                Errno::Access,
                Some("/prometheus/queries.active"),
            ),
            (
                "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get x",
                Means::Refused,
                Errno::Access,
                Some("/var/run/docker.sock"),
            ),
            (
                "error: dial unix /run/docker.sock: connect: permission denied",
                Means::Refused,
                Errno::Access,
                Some("/run/docker.sock"),
            ),
            (
                "nginx: [emerg] mkdir() \"/var/cache/nginx/client_temp\" failed (13: Permission denied)",
                Means::Refused,
                Errno::Access,
                Some("/var/cache/nginx/client_temp"),
            ),
            (
                "exec /entry.sh: permission denied",
                Means::Exec,
                Errno::Access,
                Some("/entry.sh"),
            ),
            (
                "OCI runtime: exec: \"/run.sh\": permission denied: unknown",
                Means::Exec,
                Errno::Access,
                Some("/run.sh"),
            ),
            (
                "chdir to cwd (\"/srv/x\") set in config.json failed: permission denied",
                Means::Workdir,
                Errno::Access,
                Some("/srv/x"),
            ),
            (
                "thread panicked: Os { code: 13, kind: PermissionDenied, message: \"Permission denied\" }",
                Means::Refused,
                Errno::Access,
                None,
            ),
            (
                "something failed for '/da ta/y': got permission denied",
                Means::Refused,
                Errno::Access,
                Some("/da ta/y"),
            ),
            (
                "\u{1b}[31mtouch: /d/x: Permission denied\u{1b}[0m",
                Means::Refused,
                Errno::Access,
                Some("/d/x"),
            ),
            (
                "2024-05-01T10:00:00.123Z touch: /d/../e/./x: Permission denied",
                Means::Refused,
                Errno::Access,
                Some("/e/x"),
            ),
        ];
        for (line, means, errno, path) in rows {
            assert_eq!(one(line), (*means, *errno, path.map(str::to_owned)), "{line}");
        }
    }

    #[test]
    fn words_tell_what_was_to_be_done() {
        for (line, wants) in [
            ("cat: can't open '/d/s': Permission denied", Wants::Read),
            ("touch: /d/x: Permission denied", Wants::Write),
            ("sh: can't create /d/x: Permission denied", Wants::Write),
            ("rm: can't remove '/d/x': Permission denied", Wants::Unlink),
            ("Error: EACCES: permission denied, rename '/d/x'", Wants::Unlink),
            ("Error: EACCES: permission denied, open '/d/x'", Wants::Something),
        ] {
            assert_eq!(read(&[line.as_bytes().to_vec()], "/")[0].wants, wants, "{line}");
        }
    }

    #[test]
    fn what_harms_nobody_is_no_complaint() {
        for line in [
            "chmod: changing permissions of '/var/run/postgresql': Operation not permitted",
            "Error: ENOSPC: System limit for number of file watchers reached, watch '/app'",
            "find: '/data/lost+found': Permission denied",
            "listen tcp :80: bind: permission denied",
            "sysctl: error setting key in /proc/sys/vm: Read-only file system",
            "connection refused",
            "",
        ] {
            assert_eq!(read(&[line.as_bytes().to_vec()], "/"), [], "{line}");
        }
    }

    #[test]
    fn lines_are_bytes_and_repetitions_one_complaint() {
        let line = b"touch: /d/\xff\x1b]0;x: Permission denied".to_vec();
        let read = read(&[line.clone(), line], "/");
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].count, 2);
        assert!(read[0].evidence().chars().all(|c| !c.is_control()));
    }

    #[test]
    fn a_directory_holds_what_is_beneath_it_alone() {
        assert_eq!(within(b"/data/x", b"/data"), Some(&b"x"[..]));
        assert_eq!(within(b"/data", b"/data/"), Some(&b""[..]));
        assert_eq!(within(b"/x", b"/"), Some(&b"x"[..]));
        assert_eq!(within(b"/database", b"/data"), None);
    }
}
