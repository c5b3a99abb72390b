//! The table of images: who they run as, whether their entrypoints put ownership right. Knows no container.

use std::sync::LazyLock;

use serde::Deserialize;

/// The table that comes along.
const BUILT_IN: &str = include_str!("../../assets/images.toml");

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Last components of repositories; `owner/*` is all of an owner.
    pub names: Vec<String>,
    /// A part of the tag.
    tag: Option<String>,
    /// `<8` or `>=8`: the first number of the tag.
    major: Option<String>,
    /// uid:gid of the process that uses the data.
    user: Option<String>,
    /// Whether it starts as root and becomes that user by itself.
    pub root: bool,
    /// Whether its entrypoint, started as root, makes its data directory that user's own.
    pub heals: bool,
    /// Its data directory.
    pub data: Option<String>,
    /// Owners that earlier versions had.
    #[serde(default)]
    pub former: Vec<u32>,
    /// Where that is from.
    source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    image: Vec<Image>,
}

/// A test reads it; were it wrong, no image would be known.
static IMAGES: LazyLock<Vec<Image>> = LazyLock::new(|| parse(BUILT_IN).unwrap_or_default());

fn parse(text: &str) -> Result<Vec<Image>, String> {
    let rows: Rows = toml::from_str(text).map_err(|error| error.to_string())?;
    for (index, row) in rows.image.iter().enumerate() {
        let bad = |wrong: &str| {
            let name = row.names.first().map_or("", String::as_str);
            Err(format!("image {} (\u{201c}{name}\u{201d}): {wrong}", index + 1))
        };
        if row.names.iter().all(|name| name.trim_matches(['*', '/']).is_empty()) {
            return bad("it needs names");
        }
        if row.source.trim().is_empty() {
            return bad("it needs a source");
        }
        if row.user.is_some() && row.user().is_none() {
            return bad("`user` is written as uid:gid");
        }
        if row.major.as_deref().is_some_and(|major| bound(major).is_none()) {
            return bad("`major` is written as <8 or >=8");
        }
    }
    Ok(rows.image)
}

/// Whether it is a lower bound, and the number.
fn bound(major: &str) -> Option<(bool, u32)> {
    let (least, number) = match major.strip_prefix(">=") {
        Some(number) => (true, number),
        None => (false, major.strip_prefix('<')?),
    };
    Some((least, number.parse().ok()?))
}

impl Image {
    /// uid and gid of the process that uses the data.
    pub fn user(&self) -> Option<(u32, u32)> {
        let (uid, gid) = self.user.as_deref()?.split_once(':')?;
        Some((uid.parse().ok()?, gid.parse().ok()?))
    }

    fn fits(&self, repository: &str, tag: &str) -> bool {
        let named = self.names.iter().any(|name| match name.strip_suffix("/*") {
            Some(owner) => {
                let holder = repository.rsplit_once('/').map(|(holder, _)| holder);
                holder.is_some_and(|holder| holder == owner || holder.ends_with(&format!("/{owner}")))
            }
            None => repository == name || repository.ends_with(&format!("/{name}")),
        });
        let major = match self.major.as_deref().and_then(bound) {
            None => true,
            Some((least, number)) => first_number(tag).is_some_and(|there| (there >= number) == least),
        };
        named && major && self.tag.as_deref().is_none_or(|part| tag.contains(part))
    }
}

fn first_number(tag: &str) -> Option<u32> {
    let digits = tag.trim_start_matches('v');
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

/// What is known of an image by its name (`docker.io/library/postgres:16-alpine`).
pub fn known(image: &str) -> Option<&'static Image> {
    let name = image.split('@').next().unwrap_or(image);
    // A colon behind the last slash is the tag's; another is a registry's port.
    let (repository, tag) = match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (name, ""),
    };
    // Others of these owners build their own.
    let other = |owner: &str| repository.contains(&format!("{owner}/"));
    IMAGES.iter().find(|row| {
        let owned = row.names.iter().any(|name| name.contains('/'));
        row.fits(repository, tag)
            && (owned || !["bitnami", "bitnamilegacy", "linuxserver"].iter().any(|one| other(one)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_that_comes_along_is_sound() {
        assert!(parse(BUILT_IN).unwrap().len() > 35);
        let row = "[[image]]\nroot = true\nheals = true\nsource = 'x'\n";
        assert!(parse(&format!("{row}names = ['*']")).unwrap_err().contains("names"));
        assert!(
            parse(&format!("{row}names = ['a']\nuser = '1'"))
                .unwrap_err()
                .contains("uid:gid")
        );
        assert!(
            parse(&format!("{row}names = ['a']\nmajor = '8'"))
                .unwrap_err()
                .contains("<8")
        );
    }

    #[test]
    fn images_are_known_by_repository_and_tag() {
        let user = |image: &str| known(image).and_then(Image::user);
        assert_eq!(user("postgres"), Some((999, 999)));
        assert_eq!(user("docker.io/library/postgres:16-alpine@sha256:0"), Some((70, 70)));
        assert_eq!(user("localhost:5000/postgres"), Some((999, 999)));
        assert_eq!(user("bitnami/postgresql:16"), Some((1001, 0)));
        assert_eq!(user("docker.io/bitnami/redis:7"), Some((1001, 0)));
        assert_eq!(user("influxdb:1.11"), Some((1500, 1500)));
        assert_eq!(user("influxdb:2.7"), Some((1000, 1000)));
        assert_eq!(user("redis:8.0"), None);
        assert_eq!(user("redis:7-alpine"), Some((999, 1000)));
        assert!(known("mypostgres").is_none() && known("busybox").is_none());
        assert!(known("grafana/grafana:11").is_some_and(|row| row.former == [104] && !row.heals));
    }
}
