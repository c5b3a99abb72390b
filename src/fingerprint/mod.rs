//! What contents look like: rules over what the size walk saw, pure. The table is data, `assets/fingerprints.toml`, and
//! the operator's configuration adds to it.

use crate::model::{CLASS_LABEL, Class, Contents, Judged, Mount};

/// The table of fingerprints and the operator's classes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rules {}

/// Who says a volume's class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClassFrom {
    /// Its label `vole.class`.
    Label,
    /// The operator's configuration.
    Config,
    /// Its contents.
    Contents,
}

impl Rules {
    /// The class of a mount and who says it; `None` when nothing does, as with unknown contents.
    pub fn class(&self, mount: &Mount, contents: Option<&Contents>) -> Option<(Class, ClassFrom)> {
        let label = mount.labels.get(CLASS_LABEL).and_then(Class::parse);
        label
            .map(|class| (class, ClassFrom::Label))
            .or_else(|| match contents?.judge() {
                Judged::Empty => Some((Class::Temporary, ClassFrom::Contents)),
                Judged::Caches(look) | Judged::Looks(look) => Some((look.worth.into(), ClassFrom::Contents)),
                Judged::Unknown => None,
            })
    }
}
