//! Where archives stand and what they are called, so that no two names ever meet. Writes nothing.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use vole_agent::proto::archive::Compression;

use crate::engine::contexts::Environment;
use crate::model::EngineId;
use crate::store;

/// What is appended to the name of what is not whole yet.
pub(super) const PARTIAL: &str = ".partial";
/// What is appended to an archive's name for its sidecar's.
pub(super) const SIDECAR: &str = ".json";
/// How the names of archives end, the longer first.
const ENDINGS: [&str; 3] = [".tar.zst", ".tar.gz", ".tar"];
/// The time in a name, always UTC.
const STAMP: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]-[hour][minute][second]Z");
/// The longest name that is taken as it is, in bytes: stamp, endings and `.partial` must fit behind it.
const LONGEST: usize = 160;

/// The directory that holds the archives of all engines; `None` without a home.
pub fn all(environment: &Environment) -> Option<PathBuf> {
    store::data_dir(environment).map(|dir| dir.join("backups"))
}

/// The usual directory for archives of a mount: of its engine, by its name. The demo's is a temporary one of this process.
pub fn usual(environment: &Environment, engine: &EngineId, mount: &str) -> Option<PathBuf> {
    let of_engine = match engine.as_str() {
        "demo" => demo(),
        _ => store::kept_dir(all(environment), engine)?,
    };
    Some(of_engine.join(safe(mount)))
}

/// The variable that names a directory for the demo's archives, so that they stay and pictures of them are always the same.
const DEMO: &str = "VOLE_DEMO_ARCHIVES";

/// Where the demo's archives stand.
pub fn demo() -> PathBuf {
    let chosen = std::env::var_os(DEMO).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    chosen.unwrap_or_else(|| std::env::temp_dir().join(format!("vole-demo-{}", std::process::id())))
}

/// Whether the demo's archives go with the program.
pub fn demo_is_passing() -> bool {
    std::env::var_os(DEMO).is_none_or(|dir| dir.is_empty())
}

/// A mount's name as it can stand in a file's: as it is where that is harmless, else with a digest that keeps it apart
/// from all others.
pub fn safe(name: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let starts = name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    if starts && name.len() <= LONGEST && name.chars().all(harmless) {
        return name.to_owned();
    }
    let mut plain: String = name
        .trim_start_matches('/')
        .chars()
        .map(|c| if harmless(c) { c } else { '_' })
        .take(LONGEST / 2)
        .collect();
    if !plain.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
        plain.insert(0, '_');
    }
    let digest = Sha256::digest(name.as_bytes());
    format!("{plain}-{}", super::hex(&digest[..4]))
}

/// How the name of an archive ends.
pub fn ending(compression: Compression) -> &'static str {
    match compression {
        Compression::Zstd => ".tar.zst",
        Compression::Gzip => ".tar.gz",
        Compression::None => ".tar",
    }
}

/// Names of an archive, the best first; each next one is for where something has the last.
pub(super) fn names(mount: &str, at: OffsetDateTime, compression: Compression) -> impl Iterator<Item = String> + use<> {
    let at = at.to_offset(time::UtcOffset::UTC);
    // The parts of a time can always be written; what could not would still be a name.
    let stamp = at.format(STAMP).unwrap_or_else(|_| at.unix_timestamp().to_string());
    let start = format!("{}-{stamp}", safe(mount));
    let numbers = std::iter::once(String::new()).chain((2..u32::MAX).map(|number| format!("-{number}")));
    numbers.map(move |number| format!("{start}{number}{}", ending(compression)))
}

/// Whether a name ends as an archive's.
pub(super) fn is_archive(name: &OsStr) -> bool {
    let name = name.as_bytes();
    ENDINGS
        .iter()
        .any(|ending| name.len() > ending.len() && name.ends_with(ending.as_bytes()))
}

/// The archive's name that a backup of vole's own gave, of any mount or of one.
pub(super) fn is_ours(name: &str, mount: Option<&str>) -> bool {
    let Some(rest) = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)) else {
        return false;
    };
    let rest = match mount {
        Some(mount) => rest.strip_prefix(&safe(mount)).and_then(|rest| rest.strip_prefix('-')),
        None => stamped(rest),
    };
    rest.is_some_and(is_stamp)
}

/// The part of a name from its stamp on.
fn stamped(name: &str) -> Option<&str> {
    let starts = name.match_indices('-').map(|(at, _)| at);
    starts.filter_map(|at| name.get(at + 1..)).find(|rest| is_stamp(rest))
}

/// Whether this is `20261122-004427Z`, perhaps with `-2` behind it.
fn is_stamp(text: &str) -> bool {
    let digits = |text: &str, length: usize| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((stamp, number)) = text.split_once('Z') else {
        return false;
    };
    let stamp = stamp
        .split_once('-')
        .is_some_and(|(day, time)| digits(day, 8) && digits(time, 6));
    let number = number.is_empty()
        || number
            .strip_prefix('-')
            .is_some_and(|number| digits(number, number.len().max(1)));
    stamp && number
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn names_are_safe_whatever_a_mount_is_called_and_stay_apart() {
        assert_eq!(safe("blog_data"), "blog_data");
        for odd in [
            "/srv/data",
            "srv_data ",
            "/srv_data",
            "..",
            "-rf",
            ".hidden",
            "a/../../b",
            "",
            "né\n\x1b[31m",
            &"x".repeat(255),
        ] {
            let name = safe(odd);
            assert!(name.len() <= LONGEST && !name.starts_with(['.', '-']), "{name}");
            assert!(
                name.bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)),
                "{name}"
            );
            assert_ne!(name, odd);
        }
        assert_ne!(safe("/srv/data"), safe("/srv_data"));
        let longest = names(&"x".repeat(255), datetime!(2026-11-22 00:44:27 UTC), Compression::Zstd)
            .nth(99)
            .unwrap();
        assert!(longest.len() + SIDECAR.len() + PARTIAL.len() <= 255, "{longest}");
    }

    #[test]
    fn a_taken_name_gets_a_number_and_times_are_utc() {
        let at = datetime!(2026-11-22 01:44:27 +1);
        let names: Vec<String> = names("db", at, Compression::Gzip).take(3).collect();
        assert_eq!(
            names,
            [
                "db-20261122-004427Z.tar.gz",
                "db-20261122-004427Z-2.tar.gz",
                "db-20261122-004427Z-3.tar.gz"
            ]
        );
    }

    #[test]
    fn only_names_that_vole_gave_this_mount_are_its_own() {
        assert!(is_ours("db-20261122-004427Z.tar.zst", Some("db")));
        assert!(is_ours("db-20261122-004427Z-12.tar", Some("db")));
        assert!(is_ours("a-b-20261122-004427Z.tar.gz", None));
        for other in [
            "db-20261122-004427Z.tar.xz",
            "db-20261122-004427.tar",
            "db-20261122-004427Z-20261122-004427Z.tar",
            "dbx-20261122-004427Z.tar",
            "db-x-20261122-004427Z.tar",
            "db-20261122-004427Z-.tar",
            "db.tar",
        ] {
            assert!(!is_ours(other, Some("db")), "{other}");
        }
        assert!(!is_ours("backup.tar", None));
    }
}
