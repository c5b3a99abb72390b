//! The fields of a restore: a name for its target, the components that are taken away, the path of an archive. Knows no
//! engine.

use super::super::input::Input;
use crate::ops::create::check_name;

/// What a field asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The volume, or the absolute path, that the contents go to.
    Target,
    /// How many leading components are taken away.
    Strip,
    /// An archive anywhere on this machine.
    File,
}

impl Asked {
    /// The title of its box.
    pub fn title(self) -> &'static str {
        match self {
            Self::Target => "restore as",
            Self::Strip => "leading components",
            Self::File => "archive",
        }
    }

    /// What may be typed.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Target => "the name of a volume, new or there already, or a path of the engine's host",
            Self::Strip => "how many leading components of names are taken away; 0 takes none",
            Self::File => "a tar of any program, on this machine: it is read whole before anything else",
        }
    }
}

/// A field on screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// What it asks for.
    pub asked: Asked,
    /// What is typed.
    pub input: Input,
    /// What is wrong with it.
    pub error: Option<String>,
}

impl Field {
    /// A field with text in it.
    pub fn new(asked: Asked, text: &str) -> Self {
        Self {
            asked,
            input: Input::with(text),
            error: None,
        }
    }

    /// What is typed, as a target.
    ///
    /// # Errors
    ///
    /// In words, when it is neither a path nor a name that engines take.
    pub fn target(&self) -> Result<String, String> {
        let typed = self.input.text().trim();
        if !typed.starts_with('/') {
            check_name(typed).map_err(|error| error.to_string())?;
        }
        Ok(typed.to_owned())
    }

    /// What is typed, as a number of components.
    ///
    /// # Errors
    ///
    /// In words, when it is no number.
    pub fn strip(&self) -> Result<u32, String> {
        let typed = self.input.text().trim();
        let number = typed.parse().map_err(|_| format!("{typed} is no number"));
        number.and_then(|number| match number {
            0..=99 => Ok(number),
            _ => Err("no archive has that many".to_owned()),
        })
    }
}
