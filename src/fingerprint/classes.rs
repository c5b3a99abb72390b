//! Who says a volume's class, and which names a pattern of the configuration means. Knows no contents.

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

impl ClassFrom {
    /// Who says it, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Label => "its label vole.class",
            Self::Config => "the configuration",
            Self::Contents => "its contents",
        }
    }
}

/// Whether a name fits a pattern with any number of `*`.
pub(super) fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fingerprint::Rules;
    use crate::model::{CLASS_LABEL, Class, Contents, Mount};

    fn class(rules: &Rules, name: &str, label: Option<&str>) -> Option<(Class, ClassFrom)> {
        let mount = Mount {
            labels: Arc::new(label.map(|class| (CLASS_LABEL, class)).into_iter().collect()),
            ..Mount::sample(name)
        };
        rules.class(&mount, Some(&Contents::default()))
    }

    #[test]
    fn the_label_says_the_class_before_the_configuration_and_that_before_the_contents() {
        let classes = [("ci-*", Class::Important), ("*-db*", Class::Critical)];
        let classes = classes
            .map(|(name, class)| (name.to_owned(), class))
            .into_iter()
            .collect();
        let rules = Rules::new(&[], &classes).unwrap();
        let said = |name, label| class(&rules, name, label);
        assert_eq!(
            said("ci-7", Some("temporary")),
            Some((Class::Temporary, ClassFrom::Label))
        );
        assert_eq!(
            said("ci-7", Some("nonsense")),
            Some((Class::Important, ClassFrom::Config))
        );
        assert_eq!(
            said("ci-db7", None),
            Some((Class::Critical, ClassFrom::Config)),
            "the most careful one"
        );
        assert_eq!(said("else", None), Some((Class::Temporary, ClassFrom::Contents)));
        assert_eq!(rules.class(&Mount::sample("else"), None), None);
    }

    #[test]
    fn patterns_of_names_have_any_number_of_stars() {
        for (pattern, name) in [
            ("*", ""),
            ("a*", "a"),
            ("*b", "ab"),
            ("a*c*e", "abcde"),
            ("x", "x"),
            ("a**b", "ab"),
        ] {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("a", "ab"), ("a*a", "a"), ("*x*", "ab"), ("a*c*c", "abc"), ("", "a")] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }
}
