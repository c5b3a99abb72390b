//! The configuration file: colours, order, keys, fingerprints, classes. Reads and checks it; knows no screen that uses it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::core::keymap::{Keymap, KeymapError};
use crate::core::mounts::{Column, Order};
use crate::fingerprint::{BadRow, Row, Rules};
use crate::model::Class;
use crate::ui::Colours;

/// What the configuration file may say. Everything has a default.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Config {
    /// `default`, `sixteen` or `mono`.
    pub theme: Colours,
    /// Whether to draw with ASCII alone; `None` looks at the locale.
    pub ascii: Option<bool>,
    /// `size`, `name`, `age`, `attached` or `last-write`.
    pub sort: Column,
    /// Whether to group by project; yes when not said.
    pub group: Option<bool>,
    /// Keys by action id, as `vole keys` lists them.
    pub keys: BTreeMap<String, Vec<String>>,
    /// Classes of volumes by patterns of their names.
    pub class: BTreeMap<String, Class>,
    /// Rows for the table of fingerprints, as `assets/fingerprints.toml` has them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fingerprint: Vec<Row>,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file that was asked for cannot be read.
    #[error("cannot read the configuration {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is not what a configuration looks like; says line and column.
    #[error("the configuration {} is wrong at {error}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What and where.
        error: String,
    },
    /// Its keys cannot be used.
    #[error("the keys in the configuration {} cannot be used: {error}", path.display())]
    Keys {
        /// The file.
        path: PathBuf,
        /// Why.
        error: KeymapError,
    },
    /// One of its fingerprints makes no sense.
    #[error("the configuration {} cannot be used: {error}", path.display())]
    Fingerprint {
        /// The file.
        path: PathBuf,
        /// Which, and why.
        error: BadRow,
    },
}

impl Config {
    /// Reads the configuration: the file that was asked for, or else the one in the usual place, which need not be there.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, parsed, whose keys contradict each other, or whose fingerprints make no sense.
    pub fn load(asked: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = asked.map(Path::to_owned).or_else(usual_place) else {
            return Ok(Self::default());
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if asked.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(ConfigError::Read { path, error }),
        };
        Self::parse(&text, &path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start).min(text.len());
            let line = text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            let error = format!("line {line}: {}", error.message());
            ConfigError::Parse {
                path: path.to_owned(),
                error,
            }
        })?;
        Keymap::new(&config.keys).map_err(|error| ConfigError::Keys {
            path: path.to_owned(),
            error,
        })?;
        Rules::new(&config.fingerprint, &config.class).map_err(|error| ConfigError::Fingerprint {
            path: path.to_owned(),
            error,
        })?;
        Ok(config)
    }

    /// What contents look like and what that says of their class.
    pub fn rules(&self) -> Arc<Rules> {
        // Checked when it was read.
        Arc::new(Rules::new(&self.fingerprint, &self.class).unwrap_or_default())
    }

    /// The keys.
    pub fn keymap(&self) -> Keymap {
        // Checked when it was read.
        Keymap::new(&self.keys).unwrap_or_default()
    }

    /// The table's first order.
    pub fn order(&self) -> Order {
        Order {
            column: self.sort,
            reverse: false,
            group: self.group.unwrap_or(true),
        }
    }
}

/// Where the configuration usually is: `$XDG_CONFIG_HOME/vole/config.toml`, or `~/.config/vole/config.toml`.
pub fn usual_place() -> Option<PathBuf> {
    let from = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let base = from("XDG_CONFIG_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| Some(from("HOME")?.join(".config")))?;
    Some(base.join("vole/config.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fingerprint::ClassFrom;
    use crate::model::Mount;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("c.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn everything_can_be_said_and_nothing_must() {
        assert_eq!(parse(""), Ok(Config::default()));
        let text = "theme = 'mono'\nascii = true\nsort = 'last-write'\ngroup = false\n[keys]\nquit = ['Q']\n";
        let config = parse(text).unwrap();
        assert_eq!((config.theme, config.ascii), (Colours::Mono, Some(true)));
        assert_eq!(
            config.order(),
            Order {
                column: Column::LastWrite,
                reverse: false,
                group: false
            }
        );
        let quit = crate::core::Action::Quit;
        assert_eq!(config.keymap().keys(quit), ["Q".parse().unwrap()]);
    }

    #[test]
    fn the_example_in_the_readme_is_right() {
        let readme = include_str!("../README.md");
        let start = readme.find("```toml\n").unwrap() + "```toml\n".len();
        let example = &readme[start..start + readme[start..].find("```").unwrap()];
        let config = parse(example).unwrap();
        assert_eq!((config.class.len(), config.fingerprint.len()), (2, 2));
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        assert!(parse("theme = 'mono'\ncolor = 1\n").unwrap_err().contains("line 2"));
        assert!(parse("theme = 'pink'").unwrap_err().contains("line 1"));
        assert!(
            parse("[keys]\nquit = ['s']")
                .unwrap_err()
                .contains("s means both quit and sort")
        );
        assert!(parse("[keys]\nfly = ['x']").unwrap_err().contains("fly"));
    }

    #[test]
    fn classes_and_fingerprints_become_rules() {
        let text =
            "[class]\n'ci-*' = 'temporary'\n[[fingerprint]]\nkind = 'renders'\nworth = 'low'\nany = [['.render']]\n";
        let config = parse(text).unwrap();
        let class = config.rules().class(&Mount::sample("ci-7"), None);
        assert_eq!(class, Some((Class::Temporary, ClassFrom::Config)));
        assert!(config.rules().signs().iter().any(|sign| sign.path == [b".render"]));
        let written = toml::to_string(&config).unwrap();
        assert_eq!(parse(&written), Ok(config), "what is printed can be read again");
        assert!(parse("[class]\n'ci-*' = 'worthless'").unwrap_err().contains("line 2"));
        let wrong = parse(&format!(
            "{text}[[fingerprint]]\nkind = 'x'\nworth = 'low'\nany = [['/etc']]"
        ))
        .unwrap_err();
        assert!(wrong.contains("fingerprint 2") && wrong.contains("/etc"), "{wrong}");
        assert!(
            parse("[[fingerprint]]\nkind = 'x'\nworth = 'much'")
                .unwrap_err()
                .contains("line 3")
        );
    }

    #[test]
    fn a_file_that_was_asked_for_must_be_there() {
        let dir = tempfile::tempdir().unwrap();
        let error = Config::load(Some(&dir.path().join("none.toml"))).unwrap_err();
        assert!(matches!(error, ConfigError::Read { .. }));
    }
}
