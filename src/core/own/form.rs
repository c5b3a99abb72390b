//! The owner that is typed: who shall own a mount, or what is beneath a path in it. Knows no engine.

use std::sync::Arc;

use super::super::doctor::owner_words;
use super::super::input::Input;
use crate::model::{BytePath, Mount};
use crate::ops::chown::Request;
use crate::ops::chown::words::owner;
use vole_agent::proto::own::Change;

/// The field that asks for an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// The mount.
    pub mount: Arc<Mount>,
    /// Where in it; the root for all of it.
    pub path: BytePath,
    /// What is typed.
    pub input: Input,
    /// Who suggested what stood there first, in words.
    pub suggested: Option<String>,
    /// What is wrong with it.
    pub error: Option<String>,
}

impl Form {
    /// What is typed, as a change of everything at and beneath the path.
    ///
    /// # Errors
    ///
    /// In words, when that is no owner.
    pub fn wanted(&self) -> Result<Request, String> {
        let (uid, gid) = owner(self.input.text().trim())?;
        let change = Change {
            uid,
            gid,
            recursive: true,
            ..Change::default()
        };
        Ok(Request {
            mount: Arc::clone(&self.mount),
            path: self.path.clone(),
            change,
            words: owner_words(uid, gid),
        })
    }
}
