//! The table of refusals in logs: its rows as they are written in TOML, checked and compiled. Knows no container.

use std::sync::LazyLock;

use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use serde::Deserialize;

use super::words::Errno;

/// The table that comes along.
const BUILT_IN: &str = include_str!("../../assets/log-signatures.toml");

/// What a line means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Means {
    /// An access was refused.
    #[default]
    Refused,
    /// The program wants to be the owner of its directory.
    Owner,
    /// The program wants fewer permission bits.
    Mode,
    /// Only the owner may do it.
    OwnerOnly,
    /// Changing the user or group was refused.
    Privileges,
    /// Something could not be executed.
    Exec,
    /// The working directory could not be entered.
    Workdir,
    /// The engine could not mount something.
    Mount,
    /// It harms nobody.
    Benign,
    /// Somebody else uses the service.
    Attack,
}

/// One row, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    product: String,
    #[serde(default)]
    means: Means,
    errno: Option<String>,
    tool: Option<String>,
    pattern: String,
    path: Option<usize>,
    source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    signature: Vec<Row>,
}

/// One row, ready to be matched.
#[derive(Debug)]
pub(super) struct Signature {
    /// Whose words they are.
    pub(super) product: String,
    /// What they mean.
    pub(super) means: Means,
    /// The error, when the row knows it.
    pub(super) errno: Option<Errno>,
    /// The program of the line, where that matters.
    pub(super) tool: Option<String>,
    /// The expression.
    pub(super) regex: Regex,
    /// The group that holds the path.
    pub(super) path: Option<usize>,
}

/// The rows that come along. A test reads them; were they wrong, no log would say anything.
pub(super) static SIGNATURES: LazyLock<Vec<Signature>> = LazyLock::new(|| parse(BUILT_IN).unwrap_or_default());

/// Reads and checks a table.
fn parse(text: &str) -> Result<Vec<Signature>, String> {
    let rows: Rows = toml::from_str(text).map_err(|error| error.to_string())?;
    let numbered = rows.signature.into_iter().enumerate();
    let read = numbered.map(|(index, row)| {
        let product = row.product.clone();
        signature(row).map_err(|wrong| format!("signature {} (\u{201c}{product}\u{201d}): {wrong}", index + 1))
    });
    read.collect()
}

fn signature(row: Row) -> Result<Signature, String> {
    if row.source.trim().is_empty() {
        return Err("it needs a source".to_owned());
    }
    let regex = Regex::builder()
        .syntax(syntax::Config::new().utf8(false))
        .configure(Regex::config().utf8_empty(false))
        .build(&row.pattern)
        .map_err(|error| format!("`pattern`: {error}"))?;
    if regex.is_match(b"") {
        return Err("`pattern` matches every line".to_owned());
    }
    if row
        .path
        .is_some_and(|group| group == 0 || group >= regex.captures_len())
    {
        return Err("`path` is no group of `pattern`".to_owned());
    }
    let errno = match row.errno {
        Some(name) => Some(Errno::named(&name).ok_or_else(|| format!("`errno`: {name} is none"))?),
        None => None,
    };
    Ok(Signature {
        product: row.product,
        means: row.means,
        errno,
        tool: row.tool,
        regex,
        path: row.path,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> String {
        parse(&format!("[[signature]]\nproduct = 'x'\nsource = 'y'\n{text}")).unwrap_err()
    }

    #[test]
    fn the_table_that_comes_along_is_sound() {
        assert!(parse(BUILT_IN).unwrap().len() > 40);
    }

    #[test]
    fn rows_that_make_no_sense_are_refused() {
        assert!(wrong("pattern = '('").contains("signature 1 (“x”): `pattern`"));
        assert!(wrong("pattern = 'a*'").contains("every line"));
        assert!(wrong("pattern = 'a'\npath = 1").contains("no group"));
        assert!(wrong("pattern = 'a'\nerrno = 'EFOO'").contains("EFOO"));
        assert!(wrong("pattern = 'a'\nmeans = 'x'").contains("unknown variant"));
    }
}
