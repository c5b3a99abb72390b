//! Names this process so that a later vole can tell whether it still lives. Knows `/proc`, not engines.

use std::fs;
use std::os::linux::fs::MetadataExt;

/// The name of this process: boot, process namespace, id, start. Empty when `/proc` does not tell.
pub(super) fn own() -> String {
    name_of(std::process::id()).unwrap_or_default()
}

/// Whether a named process is known to be gone: it ran in this boot and process namespace, and does not any more.
pub(super) fn is_gone(name: &str) -> bool {
    let mut parts = name.split('/');
    let (Some(boot), Some(namespace), Some(pid)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let Ok(pid) = pid.parse::<u32>() else { return false };
    // Of another machine, boot or namespace nothing can be said.
    let here = boot_id().as_deref() == Some(boot) && namespace_id().as_deref() == Some(namespace);
    here && name_of(pid).is_none_or(|now| now != name)
}

fn name_of(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name may hold anything; the fields behind its last parenthesis do not. The start is field 22.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    let started = fields.nth(18)?;
    Some(format!("{}/{}/{pid}/{started}", boot_id()?, namespace_id()?))
}

fn boot_id() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}

fn namespace_id() -> Option<String> {
    Some(fs::metadata("/proc/self/ns/pid").ok()?.st_ino().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn the_living_are_not_gone_the_dead_are_and_strangers_are_unknown() {
        let own = own();
        assert!(!own.is_empty() && !is_gone(&own));
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let name = name_of(child.id()).unwrap();
        assert!(!is_gone(&name));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(is_gone(&name));
        assert!(!is_gone(&name.replacen(&boot_id().unwrap(), "another-boot", 1)));
        for nonsense in ["", "a/b/c", "///", "x"] {
            assert!(!is_gone(nonsense));
        }
    }

    #[test]
    fn a_reused_process_id_is_another_process() {
        let reused = own().rsplit_once('/').map(|(front, _)| format!("{front}/1")).unwrap();
        assert!(is_gone(&reused));
    }
}
