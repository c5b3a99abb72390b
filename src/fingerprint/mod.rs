//! What contents look like: rules over what the size walk saw, pure. The table is data, `assets/fingerprints.toml`, and
//! the operator's configuration adds to it.

mod classes;
mod looks;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde::Deserialize;
use vole_agent::proto::Sign;

pub use classes::ClassFrom;
pub use looks::Told;
pub use table::{BadRow, Cache, Row};

use crate::model::{CLASS_LABEL, Class, Contents, Judged, Mount};
use classes::fits;
use table::Table;

/// The table that comes along.
const BUILT_IN: &str = include_str!("../../assets/fingerprints.toml");

/// The rows of a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    fingerprint: Vec<Row>,
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    // A test reads it; were it wrong, nothing would be recognised and so everything be kept.
    toml::from_str(BUILT_IN).map_or_else(|_| Vec::new(), |rows: Rows| rows.fingerprint)
});

/// The table of fingerprints and the operator's classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    table: Arc<Table>,
    classes: Vec<(String, Class)>,
}

impl Default for Rules {
    /// The table that comes along, and no classes.
    fn default() -> Self {
        static DEFAULT: LazyLock<Arc<Table>> = LazyLock::new(|| Arc::new(Table::new(&ROWS).unwrap_or_default()));
        Self {
            table: Arc::clone(&DEFAULT),
            classes: Vec::new(),
        }
    }
}

impl Rules {
    /// The table that comes along with the operator's rows, and classes by patterns of names.
    ///
    /// # Errors
    ///
    /// A row of the operator's that makes no sense.
    pub fn new(own: &[Row], classes: &BTreeMap<String, Class>) -> Result<Self, BadRow> {
        let classes = classes.iter().map(|(name, class)| (name.clone(), *class)).collect();
        if own.is_empty() {
            return Ok(Self {
                classes,
                ..Self::default()
            });
        }
        // Alone first, so that a mistake is told by the number of the operator's row.
        Table::new(own)?;
        let replaced = |row: &&Row| !own.iter().any(|own| own.kind == row.kind);
        let rows: Vec<Row> = ROWS.iter().filter(replaced).chain(own).cloned().collect();
        Ok(Self {
            table: Arc::new(Table::new(&rows)?),
            classes,
        })
    }

    /// What the size walk has to look out for.
    pub fn signs(&self) -> Vec<Sign> {
        self.table.signs.clone()
    }

    /// What a whole mount's contents look like, by what the walk over it told.
    pub fn contents(&self, mount: &Mount, told: &Told) -> Contents {
        looks::contents(&self.table, mount, told)
    }

    /// The class of a mount and who says it; `None` when nothing does, as with unknown contents.
    pub fn class(&self, mount: &Mount, contents: Option<&Contents>) -> Option<(Class, ClassFrom)> {
        let label = mount.labels.get(CLASS_LABEL).and_then(Class::parse);
        label
            .map(|class| (class, ClassFrom::Label))
            .or_else(|| Some((self.configured(&mount.name)?, ClassFrom::Config)))
            .or_else(|| match contents?.judge() {
                Judged::Empty => Some((Class::Temporary, ClassFrom::Contents)),
                Judged::Caches(look) | Judged::Looks(look) => Some((look.worth.into(), ClassFrom::Contents)),
                Judged::Unknown => None,
            })
    }

    /// The class that the configuration gives a name: of several the most careful one.
    fn configured(&self, name: &str) -> Option<Class> {
        let fitting = self.classes.iter().filter(|(pattern, _)| fits(pattern, name));
        fitting.map(|(_, class)| *class).max()
    }
}
