//! The fix of a finding as a line to copy, and as the change that the plan screen can carry out. Knows no screen.

use std::sync::Arc;

use crate::doctor::{Finding, Fix};
use crate::model::{BytePath, MountId};
use crate::ops::chown::Request;
use crate::ops::list::Inventory;
use crate::text;

/// A change of owners as people write it (`999:998`, `999`, `:998`).
pub fn owner_words(uid: Option<u32>, gid: Option<u32>) -> String {
    match (uid, gid) {
        (Some(uid), Some(gid)) => format!("{uid}:{gid}"),
        (Some(uid), None) => uid.to_string(),
        (None, Some(gid)) => format!(":{gid}"),
        (None, None) => String::new(),
    }
}

/// The line that mends it, ready to copy; `None` for what can only be told in words.
pub fn line(fix: &Fix) -> Option<String> {
    fix.compose().map(str::to_owned).or_else(|| fix.command())
}

/// The line that asks the command line for the same change.
pub fn request_line(request: &Request) -> String {
    let verb = if request.change.mode.is_some() {
        "chmod"
    } else {
        "chown"
    };
    let place = place(&request.mount.name, &request.path);
    let from = match owner_words(request.change.from_uid, request.change.from_gid) {
        from if from.is_empty() => from,
        from => format!(" --from {from}"),
    };
    format!("vole {verb} {place} {}{from}", quoted(&request.words))
}

/// `MOUNT[:PATH]` for a shell.
fn place(name: &str, path: &BytePath) -> String {
    let path = text::printable(path.as_bytes());
    match path.is_empty() {
        true => quoted(name),
        false => quoted(&format!("{name}:/{path}")),
    }
}

/// A word that a shell leaves as it is.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:+=,@".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", text::printable_str(word).replace('\'', r"'\''")),
    }
}

/// The change that the fix asks for.
///
/// # Errors
///
/// Why there is no plan to open, in words.
pub fn plan(finding: &Finding, inventory: Option<&Inventory>) -> Result<Request, String> {
    let (mount, name, path, change, words) = match &finding.fix {
        Fix::Chown {
            mount,
            name,
            path,
            change,
        } => (mount, name, path, change, owner_words(change.uid, change.gid)),
        Fix::Chmod {
            mount,
            name,
            path,
            change,
            words,
        } => (mount, name, path, change, words.clone()),
        Fix::Config { .. } => return Err("the container has to be made anew with that option; y copies it".to_owned()),
        Fix::Host { .. } => return Err("that is done on the engine's host, not by vole; y copies it".to_owned()),
        Fix::Refused { why } => return Err(format!("vole does not do that: {why}")),
        Fix::Advice { .. } => return Err("there is no plan for that: what to do stands under Fix".to_owned()),
    };
    let mount = listed(mount, inventory).ok_or_else(|| format!("{name} is not listed any more"))?;
    Ok(Request {
        mount,
        path: path.clone(),
        change: change.clone(),
        words,
    })
}

fn listed(id: &MountId, inventory: Option<&Inventory>) -> Option<Arc<crate::model::Mount>> {
    inventory?.mounts.iter().find(|mount| mount.id == *id).map(Arc::clone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vole_agent::proto::own::Change;

    #[test]
    fn lines_name_what_a_shell_takes_for_one_word_and_whose_entries_are_meant() {
        let request = |name: &str, path: &[u8], from_uid| Request {
            mount: Arc::new(crate::model::Mount::sample(name)),
            path: BytePath::new(path),
            change: Change {
                uid: Some(999),
                gid: Some(998),
                from_uid,
                ..Change::default()
            },
            words: "999:998".to_owned(),
        };
        assert_eq!(request_line(&request("blog", b"", None)), "vole chown blog 999:998");
        assert_eq!(
            request_line(&request("/srv/it's", b"a b", Some(0))),
            r"vole chown '/srv/it'\''s:/a b' 999:998 --from 0"
        );
        assert_eq!(owner_words(None, Some(5)), ":5");
    }
}
