//! Who a container's user is, by its own `/etc/passwd` and `/etc/group`, as `runc` finds out. Asks nobody.

/// A user as a container starts it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// User.
    pub(super) uid: u32,
    /// Primary group.
    pub(super) gid: u32,
    /// Supplementary groups, sorted.
    pub(super) groups: Vec<u32>,
}

/// `Config.User`, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted<'a> {
    /// Name or number; empty is root.
    pub(super) user: &'a str,
    /// Name or number, when given.
    pub(super) group: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    pub(super) fn parse(user: &'a str) -> Self {
        match user.split_once(':') {
            Some((user, group)) => Self {
                user,
                group: Some(group).filter(|group| !group.is_empty()),
            },
            None => Self { user, group: None },
        }
    }

    /// The user's number when no file is needed to tell it.
    fn number(&self) -> Option<u32> {
        match self.user {
            "" | "root" => Some(0),
            user => user.parse().ok(),
        }
    }

    /// Whether the user is root, whatever the files say.
    pub(super) fn is_root(&self) -> bool {
        self.number() == Some(0)
    }

    /// Whether `/etc/passwd` matters: for a name, and for the group of a number that has none with it.
    pub(super) fn needs_passwd(&self) -> bool {
        self.number().is_none() || self.group.is_none()
    }

    /// Whether `/etc/group` matters.
    pub(super) fn needs_group(&self, added: &[String]) -> bool {
        let named = |group: &str| group.parse::<u32>().is_err();
        self.group.is_none_or(named) || added.iter().any(|group| named(group))
    }
}

/// Finds out who a user is. A number that the files do not know has group 0, and a user without a group of its own gets
/// the groups that list it by its name.
///
/// # Errors
///
/// Which name no file knows.
pub(super) fn resolve(wanted: Wanted<'_>, added: &[String], passwd: &[u8], group: &[u8]) -> Result<Account, String> {
    let (passwd, group) = (String::from_utf8_lossy(passwd), String::from_utf8_lossy(group));
    let user = if wanted.user.is_empty() { "root" } else { wanted.user };
    let number = wanted.number();
    let mut entries = passwd.lines().filter_map(Entry::parse);
    let entry = entries.find(|entry| entry.name == user || number.is_some_and(|number| entry.id == number));
    let mut account = match (&entry, number) {
        (Some(entry), _) => Account {
            uid: entry.id,
            gid: entry
                .rest
                .split(':')
                .next()
                .and_then(|gid| gid.parse().ok())
                .unwrap_or(0),
            groups: Vec::new(),
        },
        (None, Some(uid)) => Account {
            uid,
            ..Account::default()
        },
        (None, None) => return Err(format!("its user {user:?} is not in the image's /etc/passwd")),
    };
    match (wanted.group, &entry) {
        (Some(name), _) => account.gid = group_number(name, &group)?,
        (None, Some(entry)) => account.groups.extend(groups_of(entry.name, &group)),
        (None, None) => {}
    }
    // Podman's word for the groups of whoever starts it: nobody else knows them.
    for name in added.iter().filter(|name| *name != "keep-groups") {
        account.groups.push(group_number(name, &group)?);
    }
    account.groups.sort_unstable();
    account.groups.dedup();
    account.groups.retain(|group| *group != account.gid);
    Ok(account)
}

/// A line `name:password:id:…` of either file.
struct Entry<'a> {
    name: &'a str,
    id: u32,
    /// What follows the id.
    rest: &'a str,
}

impl<'a> Entry<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.trim().splitn(4, ':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let id = fields.nth(1)?.parse().ok()?;
        Some(Self {
            name,
            id,
            rest: fields.next().unwrap_or_default(),
        })
    }
}

fn group_number(name: &str, group: &str) -> Result<u32, String> {
    let mut entries = group.lines().filter_map(Entry::parse);
    let found = entries.find(|entry| entry.name == name).map(|entry| entry.id);
    let found = found.or_else(|| name.parse().ok());
    found.ok_or_else(|| format!("its group {name:?} is not in the image's /etc/group"))
}

fn groups_of<'a>(user: &'a str, group: &'a str) -> impl Iterator<Item = u32> + 'a {
    let entries = group.lines().filter_map(Entry::parse);
    entries
        .filter(move |entry| entry.rest.split(',').any(|member| member.trim() == user))
        .map(|entry| entry.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &[u8] = b"root:x:0:0::/:/bin/sh\nbroken\napp:x:999:998::/:/bin/sh\nb\xfc:x:5:5::/:\n";
    const GROUP: &[u8] = b"root:x:0:\nappg:x:998:\nmedia:x:777:app,other\nwheel:x:10:root\n";

    fn who(user: &str, added: &[&str]) -> Result<(u32, u32, Vec<u32>), String> {
        let added: Vec<String> = added.iter().map(|name| (*name).to_owned()).collect();
        resolve(Wanted::parse(user), &added, PASSWD, GROUP).map(|who| (who.uid, who.gid, who.groups))
    }

    #[test]
    fn users_are_found_as_the_engine_finds_them() {
        assert_eq!(who("app", &[]), Ok((999, 998, vec![777])));
        assert_eq!(
            who("999", &[]),
            Ok((999, 998, vec![777])),
            "a number inherits the image's groups"
        );
        assert_eq!(who("999:998", &[]), Ok((999, 998, vec![])), "with a group it does not");
        assert_eq!(who("999:media", &[]), Ok((999, 777, vec![])));
        assert_eq!(
            who("1234", &[]),
            Ok((1234, 0, vec![])),
            "an unknown number is in group 0"
        );
        assert_eq!(who("1234:5678", &[]), Ok((1234, 5678, vec![])));
        assert_eq!(who("", &[]), Ok((0, 0, vec![10])));
        assert_eq!(
            who("root", &["media", "2000", "keep-groups"]),
            Ok((0, 0, vec![10, 777, 2000]))
        );
    }

    #[test]
    fn what_no_file_knows_is_said_and_not_guessed() {
        assert!(who("nobody-here", &[]).unwrap_err().contains("nobody-here"));
        assert!(who("app:nogroup", &[]).unwrap_err().contains("nogroup"));
        assert!(who("app", &["nogroup"]).is_err());
        assert!(resolve(Wanted::parse("app"), &[], b"", b"").is_err());
    }

    #[test]
    fn an_image_without_files_will_do_for_numbers() {
        let scratch = |user| resolve(Wanted::parse(user), &[], b"", b"").map(|who| (who.uid, who.gid));
        assert_eq!(scratch("1000"), Ok((1000, 0)));
        assert_eq!(scratch("1000:1000"), Ok((1000, 1000)));
        assert_eq!(scratch(""), Ok((0, 0)));
        let needs = |user| (Wanted::parse(user).needs_passwd(), Wanted::parse(user).needs_group(&[]));
        assert_eq!(needs("1000:1000"), (false, false));
        assert_eq!(needs("1000"), (true, true));
        assert_eq!(needs("1000:media"), (false, true));
        assert_eq!(needs("app:1"), (true, false));
    }
}
