//! Names of this host's users and groups for hints, read from `/etc/passwd` and `/etc/group`; knows no engine.

use std::io;
use std::path::Path;

/// A user or group as a hint names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    /// The name, or the number when no name is known.
    pub(super) name: String,
    /// Why the name could not be looked up.
    pub(super) doubt: Option<String>,
}

/// The name of a user, or its number when the file does not know it (directory services are not asked).
pub(super) fn user(uid: u32) -> Account {
    name_in_file(Path::new("/etc/passwd"), uid)
}

/// The name of a group, or its number when the file does not know it (directory services are not asked).
pub(super) fn group(gid: u32) -> Account {
    name_in_file(Path::new("/etc/group"), gid)
}

fn name_in_file(path: &Path, id: u32) -> Account {
    // Bytes, since one name that is no UTF-8 must not hide the others.
    let (name, doubt) = match std::fs::read(path) {
        Ok(text) => (name_in(&String::from_utf8_lossy(&text), id).map(str::to_owned), None),
        // Small images have no such file: then there are no names.
        Err(error) if error.kind() == io::ErrorKind::NotFound => (None, None),
        Err(error) => (None, Some(format!("{} cannot be read: {error}", path.display()))),
    };
    Account {
        name: name.unwrap_or_else(|| id.to_string()),
        doubt,
    }
}

/// Both files hold `name:password:id:…` lines.
fn name_in(text: &str, id: u32) -> Option<&str> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let number: u32 = fields.nth(1)?.parse().ok()?;
        (number == id).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_by_number() {
        let text = "root:x:0:\nbroken\n\ndocker:x:998:me\n";
        assert_eq!(name_in(text, 998), Some("docker"));
        assert_eq!(name_in(text, 0), Some("root"));
        assert_eq!(name_in(text, 99), None);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("group");
        let certain = |name: &str| Account {
            name: name.to_owned(),
            doubt: None,
        };
        assert_eq!(name_in_file(&file, 998), certain("998"), "no file, no names");
        std::fs::write(&file, b"b\xfcro:x:7:\ndocker:x:998:\n").unwrap();
        assert_eq!(name_in_file(&file, 998), certain("docker"));
        assert_eq!(name_in_file(&file, 5), certain("5"));
        // A directory fails to read for root as well, as whom tests may run.
        let unread = name_in_file(dir.path(), 998);
        assert_eq!(unread.name, "998");
        assert!(unread.doubt.is_some_and(|why| why.contains("cannot be read")));
    }
}
