//! Access control lists as other programs write them: lines of text (`user:1000:rwx`), made into what Linux keeps as an
//! attribute. Names mean nothing where an archive is unpacked; numbers do.

/// The attribute of a list, and of the one that new entries of a directory get.
pub(super) const ACCESS: &[u8] = b"system.posix_acl_access";
pub(super) const DEFAULT: &[u8] = b"system.posix_acl_default";

/// The head of the attribute, and the tags of its entries in their order (`posix_acl_xattr.h`).
const VERSION: u32 = 2;
const USER_OBJ: u16 = 0x01;
const USER: u16 = 0x02;
const GROUP_OBJ: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;
/// The number of an entry that is of nobody in particular.
const NOBODY: u32 = u32::MAX;
/// Entries that an attribute has room for.
const MOST: usize = ((64 << 10) - 4) / 8;

/// A list that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List {
    /// The attribute's value; `None` when there is nothing to set, as permission bits say it all or the text makes no sense.
    pub(super) value: Option<Vec<u8>>,
    /// Whether something of it is missing there.
    pub(super) cut: bool,
}

/// One entry: its tag, whose it is, what it permits.
type Line = (u16, u32, u16);

/// What a line says.
enum Said {
    Line(Line),
    /// It is of somebody who has only a name.
    Named,
    Nonsense,
}

impl List {
    /// Reads a list as GNU tar, star and libarchive write it.
    pub(super) fn read(text: &[u8]) -> Self {
        let mut lines = Vec::new();
        let mut cut = false;
        for line in text.split(|&byte| matches!(byte, b',' | b'\n')) {
            // GNU tar says behind a tab what the mask leaves of it.
            let line = line.split(|&byte| byte == b'#').next().unwrap_or_default().trim_ascii();
            if line.is_empty() {
                continue;
            }
            match said(line) {
                Said::Line(line) => lines.push(line),
                Said::Named => cut = true,
                Said::Nonsense => return Self { value: None, cut: true },
            }
        }
        lines.sort_by_key(|(tag, id, _)| (*tag, *id));
        lines.dedup_by_key(|(tag, id, _)| (*tag, *id));
        let has = |wanted: u16| lines.iter().any(|(tag, ..)| *tag == wanted);
        if !has(USER_OBJ) || !has(GROUP_OBJ) || !has(OTHER) || lines.len() >= MOST {
            return Self { value: None, cut: true };
        }
        if !has(MASK) && (has(USER) || has(GROUP)) {
            let all = lines
                .iter()
                .filter(|(tag, ..)| matches!(*tag, USER | GROUP_OBJ | GROUP));
            let mask = all.fold(0, |mask, (.., permits)| mask | permits);
            let at = lines.partition_point(|(tag, ..)| *tag < MASK);
            lines.insert(at, (MASK, NOBODY, mask));
        }
        let value = Some(packed(&lines));
        Self { value, cut }
    }

    /// Whether permission bits say the same: there is nothing but owner, group and all others.
    pub(super) fn is_mode(&self) -> bool {
        self.value.as_ref().is_some_and(|value| value.len() == 4 + 3 * 8)
    }
}

fn packed(lines: &[Line]) -> Vec<u8> {
    let mut value = VERSION.to_le_bytes().to_vec();
    for (tag, id, permits) in lines {
        value.extend(tag.to_le_bytes());
        value.extend(permits.to_le_bytes());
        value.extend(id.to_le_bytes());
    }
    value
}

/// Reads `TAG:WHOSE:PERMITS`, with a number behind it where the program knew one.
fn said(line: &[u8]) -> Said {
    let fields: Vec<&[u8]> = line.split(|&byte| byte == b':').map(<[u8]>::trim_ascii).collect();
    let (tag, whose, permits, number) = match fields.as_slice() {
        // `mask` and `other` are nobody's, and some programs leave that field out.
        [tag @ (b"mask" | b"m" | b"other" | b"o"), permits] => (*tag, &b""[..], *permits, None),
        [tag, whose, permits] => (*tag, *whose, *permits, None),
        [tag, whose, permits, number] => (*tag, *whose, *permits, Some(*number)),
        _ => return Said::Nonsense,
    };
    let tag = match (tag, whose.is_empty()) {
        (b"user" | b"u", true) => USER_OBJ,
        (b"user" | b"u", false) => USER,
        (b"group" | b"g", true) => GROUP_OBJ,
        (b"group" | b"g", false) => GROUP,
        (b"mask" | b"m", true) => MASK,
        (b"other" | b"o", true) => OTHER,
        _ => return Said::Nonsense,
    };
    let Some(permits) = bits(permits) else {
        return Said::Nonsense;
    };
    if !matches!(tag, USER | GROUP) {
        return Said::Line((tag, NOBODY, permits));
    }
    let id = self::number(whose).or_else(|| self::number(number?));
    match id {
        Some(id) => Said::Line((tag, id, permits)),
        None if whose == b"root" => Said::Line((tag, 0, permits)),
        None => Said::Named,
    }
}

/// `rwx`, with a dash for what is not permitted.
fn bits(text: &[u8]) -> Option<u16> {
    let each = text.iter().map(|byte| match byte {
        b'r' => Some(4),
        b'w' => Some(2),
        b'x' => Some(1),
        b'-' => Some(0),
        _ => None,
    });
    each.into_iter()
        .try_fold(0, |bits, bit| Some(bits | bit?))
        .filter(|_| (1..=3).contains(&text.len()))
}

/// A number of a user or group; all bits set is none.
fn number(text: &[u8]) -> Option<u32> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(text).ok().filter(|_| digits)?.parse().ok();
    number.filter(|number| *number != NOBODY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> List {
        List::read(text.as_bytes())
    }

    fn list(lines: &[Line]) -> List {
        List {
            value: Some(packed(lines)),
            cut: false,
        }
    }

    #[test]
    fn numbers_are_taken_over_however_they_are_written() {
        let want = list(&[
            (USER_OBJ, NOBODY, 7),
            (USER, 33, 4),
            (USER, 1000, 7),
            (GROUP_OBJ, NOBODY, 5),
            (GROUP, 50, 6),
            (MASK, NOBODY, 7),
            (OTHER, NOBODY, 0),
        ]);
        for text in [
            "user::rwx\nuser:1000:rwx\nuser:33:r--\t#effective:r--\ngroup::r-x\ngroup:50:rw-\nmask::rwx\nother::---\n",
            "user::rwx,user:1000:rwx,user:33:r--,group::r-x,group:50:rw-,mask::rwx,other::---",
            "user::rwx,user:joe:rwx:1000,user:www:r--:33,group::r-x,group:staff:rw-:50,mask::rwx,other::---",
            "u::rwx, u:1000:rwx, u:33:r, g::rx, g:50:rw, m:rwx, o:---",
        ] {
            assert_eq!(read(text), want, "{text}");
        }
        assert_eq!(
            read("user::rw-,user:root:r--,group::r--,other::---"),
            list(&[
                (USER_OBJ, NOBODY, 6),
                (USER, 0, 4),
                (GROUP_OBJ, NOBODY, 4),
                (MASK, NOBODY, 4),
                (OTHER, NOBODY, 0)
            ]),
            "a mask is made where there is none"
        );
        assert!(read("user::rw-,group::r--,other::r--").is_mode());
    }

    #[test]
    fn names_alone_are_left_out_and_what_they_stand_between_is_kept() {
        let named = read("user::rwx,user:alice:rwx,user:1000:r--,group::r-x,mask::rwx,other::r-x");
        let kept = read("user::rwx,user:1000:r--,group::r-x,mask::rwx,other::r-x");
        assert!(named.cut && !kept.cut);
        assert_eq!(named.value, kept.value);
        // The group's own rights stay apart from the mask, which the permission bits show.
        let alone = read("user::rwx,user:alice:rwx,group::---,mask::rwx,other::---");
        assert!(alone.value.is_some() && !alone.is_mode());
    }

    #[test]
    fn what_makes_no_sense_is_not_taken_over_and_said() {
        for text in [
            "",
            "user::rwx",
            "user::rwx,group::r-x,other::q--",
            "user::rwx,group::r-x,other::r-xr",
            "user::rwx,group::r-x,other:alice:r-x",
            "owner@:rwx:allow,group::r-x,other::r-x,user::rwx",
            "user::rwx,group::r-x,other::r-x,x:1:rwx",
        ] {
            assert_eq!(read(text), List { value: None, cut: true }, "{text}");
        }
        let huge = read("user::rwx,user:4294967295:rwx,user:99999999999:rwx,group::r-x,other::r-x");
        assert!(huge.cut && huge.is_mode(), "no user has these numbers");
    }
}
