//! Whether anything is left of an archive's names once leading components are taken away. Pure rules over counts.

/// What is left of the names of an archive, gathered entry by entry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Left {
    strip: usize,
    /// Entries whose names were taken away just so that the top is left.
    tops: u64,
    /// Whether anything goes beneath the top.
    beneath: bool,
}

impl Left {
    /// Where so many components are taken away.
    pub fn of(strip: usize) -> Self {
        Self {
            strip,
            ..Self::default()
        }
    }

    /// Takes note of an entry that has a name left, or is the top now.
    pub fn take(&mut self, is_top: bool) {
        self.tops += u64::from(is_top);
        self.beneath |= !is_top;
    }

    /// Takes note of an entry by its name in the archive.
    pub fn take_name(&mut self, name: &[u8]) {
        let parts = name.split(|&byte| byte == b'/');
        let depth = parts.filter(|part| !part.is_empty() && *part != b".").count();
        if depth >= self.strip {
            self.take(depth == self.strip);
        }
    }

    /// Why nothing is restored of that, once all entries were met: to call it done would be to empty what stands there.
    pub fn why_not(&self) -> Option<String> {
        // One directory that becomes the top is what recipes make of an empty volume, `volume/`. Of several none is it.
        if self.strip == 0 || self.beneath || self.tops == 1 {
            return None;
        }
        Some(match self.strip {
            1 => "nothing is left of the names once 1 component is taken away".to_owned(),
            strip => format!("nothing is left of the names once {strip} components are taken away"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_taken_away_altogether_are_no_contents() {
        let why = |strip, names: &[&str]| {
            let mut left = Left::of(strip);
            names.iter().for_each(|name| left.take_name(name.as_bytes()));
            left.why_not()
        };
        let tree = ["", "a", "d", "d/f"];
        assert_eq!(why(0, &tree), None);
        assert_eq!(why(1, &tree), None);
        assert!(why(3, &tree).unwrap().ends_with("once 3 components are taken away"));
        assert!(
            why(1, &["", "d", "e"])
                .unwrap()
                .ends_with("once 1 component is taken away")
        );
        assert!(why(1, &[""]).is_some());
        assert_eq!(why(0, &[""]), None, "a volume may be empty");
        assert_eq!(why(1, &["./volume/"]), None, "and so may one that a recipe packed");
        assert_eq!(why(2, &["backup", "backup/blog"]), None);
    }
}
