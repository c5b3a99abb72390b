//! Makes a volume, and never takes an old one for it.

use crate::engine::daemon::{NewVolume, VolumeRow};
use crate::engine::{Engine, EngineError};
use crate::model::VolumeName;

/// Why a volume was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// Engines take only such names (moby's `volume/names`); they would answer with this much less clearly.
    #[error("\u{201c}{}\u{201d} is no name for a volume: letters, digits, _ . - and at least two of them, the first a letter or digit", crate::text::printable_str(.0))]
    BadName(String),
    /// Engines answer 201 for a name that is taken and keep the old volume with its old labels and options (measured on
    /// all of them), so it is looked for first.
    #[error("there is a volume {0} already; it was left as it is")]
    Exists(String),
    /// What the engine answered with has other options or labels: somebody made it in between.
    #[error("the engine has a volume {0}, but not the one that was asked for: somebody made it in between")]
    Another(String),
    /// The engine refused.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Makes a volume.
///
/// # Errors
///
/// A bad name, one that is taken, [`EngineError::ReadOnly`], or what the engine says.
pub async fn run(engine: &Engine, wanted: NewVolume) -> Result<VolumeRow, CreateError> {
    let changes = engine.changes()?;
    check_name(&wanted.name)?;
    let name = VolumeName::new(wanted.name.as_str());
    if engine.daemon.volume(&name).await?.is_some() {
        return Err(CreateError::Exists(wanted.name));
    }
    let made = changes.create_volume(&wanted).await?;
    let labelled = wanted
        .labels
        .iter()
        .all(|(key, value)| made.labels.get(key) == Some(value));
    if made.options != wanted.options || !labelled {
        return Err(CreateError::Another(wanted.name));
    }
    Ok(made)
}

/// Checks a name as engines do.
///
/// # Errors
///
/// [`CreateError::BadName`].
pub fn check_name(name: &str) -> Result<(), CreateError> {
    let mut chars = name.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_alphanumeric());
    let rest = chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
    if first && rest && name.len() >= 2 {
        return Ok(());
    }
    Err(CreateError::BadName(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::demo::{self, DemoOptions};

    fn named(name: &str) -> NewVolume {
        NewVolume {
            name: name.to_owned(),
            ..NewVolume::default()
        }
    }

    #[test]
    fn names_are_checked_as_engines_check_them() {
        for good in ["ab", "0x", "a_b.c-d"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", "a", "_a", "a b", "a/b", "../x", "é1", "a\u{1b}[31m"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn an_old_volume_is_never_taken_for_the_new_one() {
        let engine = demo::engine(DemoOptions::instant(OffsetDateTime::UNIX_EPOCH));
        run(&engine, named("fresh")).await.unwrap();
        let again = run(&engine, named("fresh")).await;
        assert_eq!(again, Err(CreateError::Exists("fresh".to_owned())));
        let forbidden = run(&engine.clone().read_only(true), named("other")).await;
        assert_eq!(forbidden, Err(CreateError::Engine(EngineError::ReadOnly)));
        assert_eq!(engine.daemon.volume(&VolumeName::new("other")).await, Ok(None));
    }
}
