//! What a new volume shall be, as it is typed. Knows no engine.

use std::collections::BTreeMap;

use super::input::Input;
use crate::engine::daemon::NewVolume;
use crate::ops::create::check_name;

/// The options of the local driver: a comma before one of them begins a new option, any other belongs to the value
/// (`o=addr=nas,rw`).
const LOCAL: [&str; 3] = ["type=", "device=", "o="];

/// The fields in their order.
pub const FIELDS: [&str; 4] = ["name", "driver", "options", "labels"];

/// The form of a new volume.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form {
    /// What is typed, field by field, see [`FIELDS`].
    pub inputs: [Input; 4],
    /// The field that takes the keys.
    pub at: usize,
    /// What is wrong with it.
    pub error: Option<String>,
    /// Whether the engine was asked.
    pub waiting: bool,
}

impl Form {
    /// Moves to another field, round and round.
    pub fn turn(&mut self, forward: bool) {
        let step = if forward { 1 } else { FIELDS.len() - 1 };
        self.at = (self.at + step) % FIELDS.len();
    }

    /// Whether the last field takes the keys.
    pub fn is_last(&self) -> bool {
        self.at + 1 == FIELDS.len()
    }

    /// Pastes into the field that takes the keys.
    pub fn paste(&mut self, text: &str) {
        if let Some(input) = self.inputs.get_mut(self.at).filter(|_| !self.waiting) {
            input.paste(text);
            self.error = None;
        }
    }

    /// What is typed, as a volume.
    ///
    /// # Errors
    ///
    /// In words, when an engine would not take it.
    pub fn wanted(&self) -> Result<NewVolume, String> {
        let [name, driver, options, labels] = self.inputs.each_ref().map(|input| input.text().trim());
        check_name(name).map_err(|error| error.to_string())?;
        Ok(NewVolume {
            name: name.to_owned(),
            driver: (!driver.is_empty()).then(|| driver.to_owned()),
            options: options_of(options)?,
            labels: pairs(labels.split(|c: char| c.is_whitespace() || c == ','), "label", false)?,
        })
    }
}

fn options_of(typed: &str) -> Result<BTreeMap<String, String>, String> {
    let mut parts: Vec<String> = Vec::new();
    for word in typed.split_whitespace() {
        let mut begins = true;
        for part in word.split(',') {
            match parts
                .last_mut()
                .filter(|_| !begins && !LOCAL.iter().any(|key| part.starts_with(key)))
            {
                Some(last) => {
                    last.push(',');
                    last.push_str(part);
                }
                None => parts.push(part.to_owned()),
            }
            begins = false;
        }
    }
    // What stands between two words that end or begin in a comma is a separator.
    let parts = parts.iter().map(|part| part.trim_end_matches(','));
    pairs(parts, "option", true)
}

fn pairs<'a>(
    parts: impl Iterator<Item = &'a str>,
    what: &str,
    needs_value: bool,
) -> Result<BTreeMap<String, String>, String> {
    let mut pairs = BTreeMap::new();
    for part in parts.filter(|part| !part.is_empty()) {
        let (key, value) = match part.split_once('=') {
            Some(("", _)) => return Err(format!("{what} {part} has no name: K=V is wanted")),
            Some(pair) => pair,
            None if needs_value => return Err(format!("{what} {part} has no value: K=V is wanted")),
            None => (part, ""),
        };
        if pairs.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(format!("{what} {key} is given twice"));
        }
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(fields: [&str; 4]) -> Result<NewVolume, String> {
        let inputs = fields.map(Input::with);
        let form = Form {
            inputs,
            ..Form::default()
        };
        form.wanted()
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn a_comma_within_a_mount_option_is_no_separator() {
        let share = map(&[("type", "nfs"), ("o", "addr=nas,nfsvers=4,rw"), ("device", ":/x")]);
        for options in [
            "type=nfs o=addr=nas,nfsvers=4,rw device=:/x",
            "type=nfs,o=addr=nas,nfsvers=4,rw,device=:/x",
            "type=nfs, device=:/x, o=addr=nas,nfsvers=4,rw",
        ] {
            assert_eq!(typed(["ab", "", options, ""]).unwrap().options, share, "{options}");
        }
    }

    #[test]
    fn labels_may_have_no_value_and_options_must() {
        let wanted = typed([" ab ", "plug", "", "a=1, b,c=x=y"]).unwrap();
        assert_eq!((wanted.name.as_str(), wanted.driver.as_deref()), ("ab", Some("plug")));
        assert_eq!(wanted.labels, map(&[("a", "1"), ("b", ""), ("c", "x=y")]));
        assert!(typed(["ab", "", "size", ""]).unwrap_err().contains("size has no value"));
        assert!(typed(["ab", "", "", "=x"]).unwrap_err().contains("has no name"));
        assert!(typed(["ab", "", "", "a=1 a=2"]).unwrap_err().contains("twice"));
    }

    #[test]
    fn names_that_engines_refuse_are_refused() {
        for name in ["", "_a", "a b", "../x"] {
            assert!(typed([name, "", "", ""]).is_err(), "{name}");
        }
    }
}
