//! Names of this host's users and groups for hints, read from `/etc/passwd` and `/etc/group`; knows no engine.

/// The name of a user, or its number when the file does not know it (directory services are not asked).
pub(super) fn user_name(uid: u32) -> String {
    name_in_file("/etc/passwd", uid)
}

/// The name of a group, or its number when the file does not know it (directory services are not asked).
pub(super) fn group_name(gid: u32) -> String {
    name_in_file("/etc/group", gid)
}

fn name_in_file(path: &str, id: u32) -> String {
    // A hint must not fail because a file is missing: the number says as much.
    let text = std::fs::read_to_string(path).unwrap_or_default();
    name_in(&text, id).map_or_else(|| id.to_string(), str::to_owned)
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
    use super::name_in;

    #[test]
    fn names_are_found_by_number() {
        let text = "root:x:0:\nbroken\n\ndocker:x:998:me\n";
        assert_eq!(name_in(text, 998), Some("docker"));
        assert_eq!(name_in(text, 0), Some("root"));
        assert_eq!(name_in(text, 99), None);
    }
}
