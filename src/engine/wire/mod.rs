//! Reads what engines answer, leniently: `null`, missing fields, numbers as text and unknown words are all normal.
//! What cannot be read is skipped with a warning or an error, never taken for absence. Opens no connection.

mod containers;
mod disk_usage;
mod events;
mod looks;
mod run;
mod system;
mod volumes;

pub use containers::{container, containers};
pub use disk_usage::disk_usage;
pub use events::{Noticed, event};
pub use looks::{layer, processes};
pub use system::{Greeting, about, container_count, greeting, version};
pub use volumes::{volume, volumes};

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::error::EngineError;
use crate::model::Labels;

/// Reads a whole document.
fn document<'a, T: Deserialize<'a>>(what: &str, body: &'a [u8]) -> Result<T, EngineError> {
    serde_json::from_slice(body).map_err(|error| EngineError::Garbage {
        what: what.to_owned(),
        cause: error.to_string(),
    })
}

/// Reads a list row by row; a row that makes no sense becomes a warning.
fn rows<T: DeserializeOwned>(what: &str, raw: Option<Vec<&RawValue>>, warnings: &mut Vec<String>) -> Vec<T> {
    let raw = raw.into_iter().flatten();
    let mut rows = Vec::with_capacity(raw.size_hint().0);
    for (index, row) in raw.enumerate() {
        match serde_json::from_str(row.get()) {
            Ok(row) => rows.push(row),
            Err(error) => warnings.push(format!(
                "{what}: row {} was skipped, it makes no sense: {error}",
                index + 1
            )),
        }
    }
    rows
}

/// Reads a field that must be there but may be `null`.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

/// Reads a row's name, without which it is no row.
fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
    let text = Text::deserialize(deserializer)?;
    if text.0.is_empty() {
        Err(serde::de::Error::custom("it has no name"))
    } else {
        Ok(text)
    }
}

/// Text; a number or a truth value counts as its text, `null` as empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Lenient;
        impl Visitor<'_> for Lenient {
            type Value = Text;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }
            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }
            fn visit_string<E>(self, text: String) -> Result<Text, E> {
                Ok(Text(text))
            }
            fn visit_bool<E>(self, value: bool) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }
            fn visit_unit<E>(self) -> Result<Text, E> {
                Ok(Text::default())
            }
        }
        deserializer.deserialize_any(Lenient)
    }
}

/// A whole number; text that reads as one counts, everything else but a structure is unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Number(Option<i64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Text::deserialize(deserializer).map(|text| Self(text.0.trim().parse().ok()))
    }
}

impl Number {
    /// A size in bytes; engines write -1 for unknown.
    fn bytes(self) -> Option<u64> {
        self.0.and_then(|number| u64::try_from(number).ok())
    }
}

/// A truth value; `"true"`, `1` and their like count, everything else but a structure is unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Flag(Option<bool>);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Text::deserialize(deserializer).map(|text| {
            Self(match text.0.to_ascii_lowercase().as_str() {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            })
        })
    }
}

/// A map of texts; `null` is empty (Docker's labels are, where podman's are `{}`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct TextMap(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for TextMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Lenient;
        impl<'de> Visitor<'de> for Lenient {
            type Value = TextMap;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of texts")
            }
            fn visit_unit<E>(self) -> Result<TextMap, E> {
                Ok(TextMap::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<TextMap, A::Error> {
                let mut map = BTreeMap::new();
                while let Some((key, Text(value))) = entries.next_entry::<String, Text>()? {
                    map.insert(key, value);
                }
                Ok(TextMap(map))
            }
        }
        deserializer.deserialize_any(Lenient)
    }
}

/// Labels, as [`TextMap`] reads them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct LabelMap(Labels);

impl<'de> Deserialize<'de> for LabelMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        TextMap::deserialize(deserializer).map(|map| Self(map.0.into_iter().collect()))
    }
}

/// Reads a time: RFC 3339, or as Go prints one (`2023-01-02 15:04:05.9 +0000 UTC`: swarm). Go's zero time is none.
fn moment(text: &str) -> Option<OffsetDateTime> {
    let parsed = OffsetDateTime::parse(text, &Rfc3339).ok().or_else(|| {
        let mut parts = text.split_whitespace();
        let (date, time, zone) = (parts.next()?, parts.next()?, parts.next()?);
        let (hours, minutes) = (zone.get(..3)?, zone.get(3..5)?);
        OffsetDateTime::parse(&format!("{date}T{time}{hours}:{minutes}"), &Rfc3339).ok()
    })?;
    (parsed.year() > 1).then_some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_read_whatever_their_dress() {
        let text = |json| serde_json::from_str::<Text>(json).map(|text| text.0);
        assert_eq!(text("\"a\\u001b\"").unwrap(), "a\u{1b}");
        assert_eq!(text("7").unwrap(), "7");
        assert_eq!(text("null").unwrap(), "");
        assert!(text("{}").is_err());
        let number = |json| serde_json::from_str::<Number>(json).unwrap();
        assert_eq!(number("\"12\"").bytes(), Some(12));
        assert_eq!(number("-1").bytes(), None);
        assert_eq!(number("1e99").bytes(), None);
        assert_eq!(number("\"many\"").bytes(), None);
        assert_eq!(serde_json::from_str::<Flag>("\"True\"").unwrap(), Flag(Some(true)));
        assert_eq!(serde_json::from_str::<Flag>("null").unwrap(), Flag(None));
        assert!(serde_json::from_str::<TextMap>("[]").is_err());
    }

    #[test]
    fn times_are_read_leniently_or_unknown() {
        let unix = |text| moment(text).map(OffsetDateTime::unix_timestamp);
        assert_eq!(unix("1970-01-01T00:01:00Z"), Some(60));
        assert_eq!(unix("1970-01-01T02:01:00.123456789+02:00"), Some(60));
        assert_eq!(unix("1970-01-01 00:01:00.5 +0000 UTC"), Some(60));
        for text in [
            "",
            "0001-01-01T00:00:00Z",
            "yesterday",
            "1970-01-01 00:01:00 ü00",
            "1970-01-01 x",
        ] {
            assert_eq!(unix(text), None, "{text}");
        }
    }
}
