//! How people write owners and modes: `999:998`, `750`, `u+rwX,go=`. Numbers only for owners: names mean other numbers in
//! every container. Pure.

use vole_agent::proto::own::ModeChange;

/// The largest number of a user or group; the one above means "leave it" to the kernel.
const LARGEST: u32 = u32::MAX - 1;
/// Execute bits.
const EXECUTE: u32 = 0o111;

/// Reads `UID`, `UID:GID` or `:GID`.
///
/// # Errors
///
/// What is wrong with it, for the operator.
pub fn owner(text: &str) -> Result<(Option<u32>, Option<u32>), String> {
    let part = |text: &str| match text {
        "" => Ok(None),
        text => number(text).map(Some),
    };
    let (uid, gid) = match text.split_once(':') {
        None => (part(text)?, None),
        Some((_, "")) => return Err("a group has to stand behind the colon: UID, UID:GID or :GID".to_owned()),
        Some((uid, gid)) => (part(uid)?, part(gid)?),
    };
    match (uid, gid) {
        (None, None) => Err("write the owner as UID, UID:GID or :GID".to_owned()),
        owner => Ok(owner),
    }
}

fn number(text: &str) -> Result<u32, String> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!(
            "{} is no number: owners are numbers from 0 to {LARGEST}, since a name means another one in each container",
            crate::text::printable_str(text)
        ));
    }
    let number = text.parse().ok().filter(|number| *number <= LARGEST);
    number.ok_or_else(|| format!("{text} is too large: owners are numbers from 0 to {LARGEST}"))
}

/// Reads a mode as `chmod` does, octal (`750`) or symbolic (`u+rwX,go-w,o=`). Directories keep their set-id bits unless
/// the mode names them.
///
/// # Errors
///
/// What is wrong with it, for the operator.
pub fn mode(text: &str) -> Result<ModeChange, String> {
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return octal(text);
    }
    let mut change = ModeChange::default();
    for clause in text.split(',') {
        symbolic(clause, &mut change)?;
    }
    Ok(change)
}

fn octal(text: &str) -> Result<ModeChange, String> {
    let bits = u32::from_str_radix(text, 8)
        .ok()
        .filter(|bits| *bits <= 0o7777 && text.len() <= 5);
    let bits = bits.ok_or_else(|| format!("{text} is no mode: write up to four octal digits, as 750 or 2770"))?;
    let named = text.len() > 3;
    Ok(ModeChange {
        file_clear: 0o7777,
        file_set: bits,
        dir_clear: if named { 0o7777 } else { 0o1777 },
        dir_set: bits,
        executable_set: 0,
    })
}

/// One clause: whom, then one or more of `+`, `-`, `=` with permissions.
fn symbolic(clause: &str, change: &mut ModeChange) -> Result<(), String> {
    let wrong = || {
        let clause = crate::text::printable_str(clause);
        format!("{clause} is no change of a mode: write octal digits, or whom (ugoa), how (+-=) and what (rwxXst)")
    };
    let first = clause.find(['+', '-', '=']).ok_or_else(wrong)?;
    let (whom, mut rest) = clause.split_at(first);
    let mut who = 0;
    for one in whom.chars() {
        who |= match one {
            'u' => 0o4700,
            'g' => 0o2070,
            'o' => 0o0007,
            'a' => 0o6777,
            _ => return Err(wrong()),
        };
    }
    if who == 0 {
        who = 0o6777;
    }
    while let Some(how) = rest.chars().next() {
        let what = &rest[1..];
        let end = what.find(['+', '-', '=']).unwrap_or(what.len());
        let (what, next) = what.split_at(end);
        apply(how, who, what, change).ok_or_else(wrong)?;
        rest = next;
    }
    Ok(())
}

fn apply(how: char, who: u32, what: &str, change: &mut ModeChange) -> Option<()> {
    let (mut bits, mut maybe) = (0, 0);
    for one in what.chars() {
        match one {
            'r' => bits |= who & 0o444,
            'w' => bits |= who & 0o222,
            'x' => bits |= who & EXECUTE,
            'X' => maybe |= who & EXECUTE,
            's' => bits |= who & 0o6000,
            't' => bits |= 0o1000,
            _ => return None,
        }
    }
    // Whether a file has an execute bit when this is reached: always, never, or as it had at first.
    let always = change.file_set & EXECUTE != 0;
    let never = !always && change.file_clear & EXECUTE == EXECUTE && change.executable_set == 0;
    let as_first = change.file_clear & EXECUTE == 0 || change.executable_set != 0;
    if maybe != 0 && how != '-' && !always && !never && !as_first {
        return None;
    }
    match how {
        '-' => {
            // As chmod: X takes execute bits away like x.
            let bits = bits | maybe;
            change.file_clear |= bits;
            change.file_set &= !bits;
            change.executable_set &= !bits;
            change.dir_clear |= bits;
            change.dir_set &= !bits;
            return Some(());
        }
        '=' => {
            change.file_clear |= who;
            change.file_set &= !who;
            change.executable_set &= !who;
            change.dir_clear |= who & 0o777;
            change.dir_set &= !(who & 0o777);
        }
        _ => {}
    }
    change.file_set |= bits;
    change.dir_set |= bits | maybe;
    if always {
        change.file_set |= maybe;
    } else if !never {
        change.executable_set |= maybe;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_numbers() {
        assert_eq!(owner("999"), Ok((Some(999), None)));
        assert_eq!(owner("999:998"), Ok((Some(999), Some(998))));
        assert_eq!(owner(":0"), Ok((None, Some(0))));
        assert_eq!(owner("4294967294"), Ok((Some(u32::MAX - 1), None)));
        let bad = [
            "",
            ":",
            "1:",
            "-1",
            "+1",
            "1:-1",
            "4294967295",
            "99999999999",
            "root",
            "1:2:3",
            "1.2",
            " 1",
            "0x1",
        ];
        for bad in bad {
            assert!(owner(bad).is_err(), "{bad}");
        }
    }

    /// File, executable file and directory, each from a mode.
    fn becomes(text: &str, from: u32) -> (u32, u32) {
        let change = mode(text).unwrap();
        (change.of(from, false), change.of(from, true))
    }

    #[test]
    fn modes_are_what_chmod_makes_of_them() {
        assert_eq!(becomes("750", 0o644), (0o750, 0o750));
        assert_eq!(becomes("750", 0o6777), (0o750, 0o6750));
        assert_eq!(becomes("0750", 0o6777), (0o750, 0o750));
        assert_eq!(becomes("2770", 0o777), (0o2770, 0o2770));
        assert_eq!(becomes("u+rwX,g-w,o=", 0o464), (0o640, 0o740));
        assert_eq!(becomes("u+rwX,g-w,o=", 0o575), (0o750, 0o750));
        assert_eq!(becomes("+x", 0o644), (0o755, 0o755));
        assert_eq!(becomes("a-w", 0o6666), (0o6444, 0o6444));
        assert_eq!(becomes("u=rwX,go=rX", 0o600), (0o644, 0o755));
        assert_eq!(becomes("u=rwX,go=rX", 0o700), (0o755, 0o755));
        assert_eq!(becomes("a-x,a+X", 0o755), (0o644, 0o755));
        assert_eq!(becomes("u+x,g+X", 0o600), (0o710, 0o710));
        assert_eq!(becomes("u+s,g-s,+t", 0o2755), (0o5755, 0o5755));
        assert_eq!(becomes("u=r", 0o4755), (0o455, 0o4455));
        assert_eq!(becomes("g+r-x", 0o710), (0o740, 0o740));
        assert_eq!(becomes("o=", 0o777), (0o770, 0o770));
    }

    #[test]
    fn what_is_no_mode_is_refused() {
        for bad in [
            "", "8", "99", "77777", "00000750", "u", "u+q", "z+r", "g=u", "u+r,", "é+r", "u-x,a+X",
        ] {
            assert!(mode(bad).is_err(), "{bad}");
        }
    }
}
