//! The owner that is typed: who shall own a mount, or what is beneath a path in it. Knows no engine.

use std::sync::Arc;

use super::super::doctor::owner_words;
use super::super::input::Input;
use crate::model::{BytePath, Mount};
use crate::ops::chown::Request;
use vole_agent::proto::own::Change;

/// The field that asks for an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// The mount.
    pub mount: Arc<Mount>,
    /// Where in it; the root for all of it.
    pub path: BytePath,
    /// What is typed.
    pub input: Input,
    /// Who suggested what stood there first, in words.
    pub suggested: Option<String>,
    /// What is wrong with it.
    pub error: Option<String>,
}

impl Form {
    /// What is typed, as a change of everything at and beneath the path.
    ///
    /// # Errors
    ///
    /// In words, when that is no owner.
    pub fn wanted(&self) -> Result<Request, String> {
        let (uid, gid) = parse_owner(self.input.text())?;
        let change = Change {
            uid,
            gid,
            recursive: true,
            ..Change::default()
        };
        Ok(Request {
            mount: Arc::clone(&self.mount),
            path: self.path.clone(),
            change,
            words: owner_words(uid, gid),
        })
    }
}

/// Reads `UID:GID`, `UID` or `:GID`.
///
/// # Errors
///
/// In words, when it is none of them. Names are refused: which number a name has is another thing in each image.
pub fn parse_owner(typed: &str) -> Result<(Option<u32>, Option<u32>), String> {
    let typed = typed.trim();
    let (uid, gid) = match typed.split_once(':') {
        Some((_, "")) => return Err("behind the colon a GID is wanted: UID:GID, UID or :GID".to_owned()),
        Some(("", gid)) => (None, Some(number(gid)?)),
        Some((uid, gid)) => (Some(number(uid)?), Some(number(gid)?)),
        None if typed.is_empty() => return Err("an owner is wanted: UID:GID, UID or :GID".to_owned()),
        None => (Some(number(typed)?), None),
    };
    Ok((uid, gid))
}

fn number(typed: &str) -> Result<u32, String> {
    if typed.is_empty() || !typed.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!(
            "{typed} is no number; a name means another number in each image, so numbers are wanted"
        ));
    }
    // The kernel takes the largest for "leave it".
    let number = typed.parse::<u32>().ok().filter(|number| *number != u32::MAX);
    number.ok_or_else(|| format!("{typed} is larger than any user or group"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_numbers_and_nothing_is_guessed() {
        assert_eq!(parse_owner(" 999:998 "), Ok((Some(999), Some(998))));
        assert_eq!(parse_owner("0"), Ok((Some(0), None)));
        assert_eq!(parse_owner(":5"), Ok((None, Some(5))));
        for wrong in [
            "",
            ":",
            "1:",
            "postgres",
            "1:users",
            "1:2:3",
            "-1",
            "+1",
            "1 2",
            "4294967295",
            "4294967296",
        ] {
            assert!(parse_owner(wrong).is_err(), "{wrong}");
        }
        assert!(parse_owner("postgres").unwrap_err().contains("another number"));
    }
}
