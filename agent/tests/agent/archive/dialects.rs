//! Archives of other programs, and what no program writes: understood, or refused with words.

use std::process::Command;

use vole_agent::archive::read::{Damage, Opened, Reader, Wrong};
use vole_agent::archive::verify::State;
use vole_agent::archive::{Entry, Form};

use super::build::Built;
use super::whole::check;

type Read = (Entry, Vec<u8>);

/// All entries and their contents.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Read>, Damage> {
    let mut reader = Reader::new(Opened::new(bytes).unwrap());
    let mut all = Vec::new();
    while let Some(entry) = reader.next()? {
        let mut contents = Vec::new();
        loop {
            let bytes = reader.contents()?;
            if bytes.is_empty() {
                break;
            }
            contents.extend_from_slice(bytes);
            let count = bytes.len();
            reader.consume(count);
        }
        all.push((entry, contents));
    }
    Ok(all)
}

/// A tree with all that dialects write differently.
fn tree() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let made = Command::new("sh")
        .current_dir(dir.path())
        .args(["-c", "umask 022; mkdir -p d/$(printf %0150d 1)/$(printf %0120d 2); echo long > d/$(printf %0150d 1)/$(printf %0120d 2)/f; ln -s $(printf %0200d 3) l; echo hi > a; ln a b; mkfifo p; truncate -s 3M s; printf data | dd of=s bs=1 seek=2M conv=notrunc status=none; touch -d @1600000000.987654321 a"])
        .status()
        .unwrap();
    assert!(made.success());
    dir
}

fn told(program: &str, arguments: &[&str]) -> Vec<u8> {
    let dir = tree();
    let out = Command::new(program).current_dir(dir.path()).args(arguments).output();
    let out = out.unwrap_or_else(|error| panic!("these tests need {program}: {error}"));
    assert!(
        out.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    out.stdout
}

fn check_tree(bytes: &[u8], what: &str, nanos: u32) {
    let all = read(bytes).unwrap_or_else(|damage| panic!("{what}: {damage}"));
    let find = |path: &str| {
        let found = all.iter().find(|(entry, _)| entry.path == path.as_bytes());
        found.unwrap_or_else(|| panic!("{what}: {path} is missing"))
    };
    let long = format!("d/{:0150}/{:0120}/f", 1, 2);
    assert_eq!(find(&long).1, b"long\n", "{what}");
    let target = format!("{:0200}", 3).into_bytes();
    assert_eq!(find("l").0.form, Form::Symlink { target }, "{what}");
    let (first, second) = (find("a"), find("b"));
    let (file, link) = if first.1.is_empty() {
        (second, first)
    } else {
        (first, second)
    };
    assert_eq!(file.1, b"hi\n");
    assert_eq!(
        link.0.form,
        Form::Hardlink {
            target: file.0.path.clone()
        },
        "{what}"
    );
    assert_eq!(
        (file.0.mtime.secs, file.0.mtime.nanos),
        (1_600_000_000, nanos),
        "{what}"
    );
    assert_eq!(find("p").0.form, Form::Fifo, "{what}");
    assert_eq!(find("").0.form, Form::Dir, "{what}");
    let Form::File { size, map } = &find("s").0.form else {
        panic!("{what}")
    };
    assert_eq!(*size, 3 << 20, "{what}");
    let contents = &find("s").1;
    let mut whole = vec![0; 3 << 20];
    let mut at = 0;
    for (offset, len) in map.clone().unwrap_or(vec![(0, 3 << 20)]) {
        let (offset, len) = (usize::try_from(offset).unwrap(), usize::try_from(len).unwrap());
        whole[offset..offset + len].copy_from_slice(&contents[at..at + len]);
        at += len;
    }
    assert_eq!(&whole[2 << 20..(2 << 20) + 4], b"data", "{what}");
    assert_eq!(whole.iter().filter(|&&byte| byte != 0).count(), 4, "{what}");
    let checked = check(bytes);
    assert_eq!((checked.state, checked.damage), (State::Foreign, None), "{what}");
    assert!(checked.shape.has_top && checked.counts.entries == all.len() as u64);
}

#[test]
fn what_gnu_tar_writes_is_understood() {
    let nanos = 987_654_321;
    check_tree(&told("tar", &["-c", "--format=gnu", "."]), "gnu", 0);
    check_tree(&told("tar", &["-c", "--format=gnu", "-S", "."]), "gnu sparse", 0);
    check_tree(&told("tar", &["-c", "--format=posix", "."]), "posix", nanos);
    for version in ["0.0", "0.1", "1.0"] {
        let version = format!("--sparse-version={version}");
        check_tree(
            &told("tar", &["-c", "--format=posix", "-S", &version, "."]),
            &version,
            nanos,
        );
    }
    check_tree(&told("tar", &["-cz", "--format=gnu", "."]), "gzip", 0);
}

#[test]
fn what_bsdtar_and_busybox_and_python_write_is_understood() {
    check_tree(
        &told("bsdtar", &["-c", "--format=pax", "-f", "-", "."]),
        "bsdtar pax",
        987_654_321,
    );
    check_tree(
        &told("bsdtar", &["-c", "--format=gnutar", "-f", "-", "."]),
        "bsdtar gnu",
        0,
    );
    check_tree(&told("busybox", &["tar", "-c", "."]), "busybox", 0);
    let program = "import sys,tarfile\nt=tarfile.open(fileobj=sys.stdout.buffer,mode='w|',format=tarfile.%s)\nt.add('.')\nt.close()";
    check_tree(
        &told("python3", &["-c", &program.replace("%s", "GNU_FORMAT")]),
        "python gnu",
        0,
    );
    let pax = read(&told("python3", &["-c", &program.replace("%s", "PAX_FORMAT")])).unwrap();
    assert!(pax.iter().any(|(entry, _)| entry.mtime.nanos > 0));
}

#[test]
fn prefixes_are_told_by_names_and_by_where_hardlinks_lead() {
    let common = |built: Built| check(&built.end()).shape.common;
    let volume = || Built::new().add(b'5', b"volume/", b"", b"").file(b"volume/a", b"x");
    assert_eq!(common(volume()), Some(b"volume".to_vec()));
    assert_eq!(
        common(volume().add(b'1', b"volume/b", b"volume/a", b"")),
        Some(b"volume".to_vec())
    );
    assert_eq!(common(volume().add(b'1', b"volume/b", b"elsewhere/a", b"")), None);
    assert_eq!(
        common(volume().add(b'2', b"volume/s", b"elsewhere/a", b"")),
        Some(b"volume".to_vec())
    );
    assert_eq!(common(volume().file(b"other", b"")), None);
    assert_eq!(common(Built::new().file(b"lone", b"")), None);
    assert!(check(&volume().add(b'5', b"./", b"", b"").end()).shape.has_top);
}

fn refused(built: Built, kind: Wrong, word: &str) {
    let damage = read(&built.end()).map(|_| word).unwrap_err();
    assert_eq!(damage.kind, kind, "{damage}");
    assert!(damage.to_string().contains(word), "{damage} says nothing of {word}");
}

#[test]
fn what_an_archive_claims_is_bounded() {
    let size = |built: Built, size: &[u8; 12]| built.with(512, 124, size);
    refused(
        size(Built::new().add(b'x', b"h", b"", b""), b"77777777777\0"),
        Wrong::Corrupt,
        "too long",
    );
    refused(
        size(Built::new().add(b'L', b"h", b"", b""), b"77777777777\0"),
        Wrong::Corrupt,
        "too long",
    );
    refused(
        size(Built::new().file(b"f", b""), b"77777777777\0"),
        Wrong::Truncated,
        "\"f\"",
    );
    refused(
        size(Built::new().file(b"f", b""), b"-0000000001\0"),
        Wrong::Corrupt,
        "size",
    );
    refused(
        size(Built::new().file(b"f", b""), &[0xff; 12]),
        Wrong::Corrupt,
        "negative",
    );
    refused(Built::new().file(b"", b""), Wrong::Corrupt, "no name");
    refused(Built::new().add(b'M', b"f", b"", b""), Wrong::Unsupported, "'M'");
    let mut many = Built::new();
    for _ in 0..100 {
        many = many.pax(&[("mtime", b"1")]);
    }
    refused(many.file(b"f", b""), Wrong::Corrupt, "too many headers");
    refused(
        Built::new().pax(&[("mtime", b"soon")]).file(b"f", b""),
        Wrong::Corrupt,
        "time",
    );
}

#[test]
fn maps_that_lie_are_refused() {
    let sparse = |records: &[(&str, &[u8])], contents: &[u8]| Built::new().pax(records).file(b"s", contents);
    let map = |map: &'static [u8], real: &'static [u8]| {
        sparse(&[("GNU.sparse.map", map), ("GNU.sparse.size", real)], b"data")
    };
    assert!(read(&map(b"10,4", b"20").end()).is_ok());
    refused(map(b"10,5", b"20"), Wrong::Corrupt, "does not fit");
    refused(map(b"10,4", b"13"), Wrong::Corrupt, "does not fit");
    refused(map(b"10,2,9,2", b"20"), Wrong::Corrupt, "does not fit");
    refused(map(b"9223372036854775807,4", b"20"), Wrong::Corrupt, "does not fit");
    refused(map(b"10", b"20"), Wrong::Corrupt, "within a piece");
    let one = |contents: &[u8]| {
        sparse(
            &[
                ("GNU.sparse.major", b"1"),
                ("GNU.sparse.minor", b"0"),
                ("GNU.sparse.realsize", b"9"),
            ],
            contents,
        )
    };
    refused(one(b"999999999999\n"), Wrong::Corrupt, "longer");
    refused(one(&[b'1'; 512]), Wrong::Corrupt, "malformed");
    refused(
        one(&[&b"99999999\n"[..], &[b'1'; 600]].concat()),
        Wrong::Unsupported,
        "too many pieces",
    );
    let two = sparse(&[("GNU.sparse.major", b"2"), ("GNU.sparse.minor", b"0")], b"");
    refused(two, Wrong::Unsupported, "2.0");
}

#[test]
fn an_archive_that_ends_without_its_end_mark_is_damaged() {
    let cut = Built::new().file(b"a", b"x").bytes;
    let checked = check(&cut);
    assert_eq!(checked.state, State::Foreign);
    assert_eq!(checked.damage.unwrap().kind, Wrong::Truncated);
    let gap = Built::new().file(b"a", b"x").contents(&[0; 512]).file(b"b", b"");
    refused(gap, Wrong::Corrupt, "zeros");
}
