//! Whether a plan may be carried out: `--yes`, `--include`, or what is said at the terminal. Knows no plan.

use std::io::{self, IsTerminal as _};

use super::chown::ask;
use super::exit::{Exit, UsageError};
use super::session::Context;
use crate::text;

/// What is asked before something is changed.
pub(super) struct Question<'a> {
    /// What is asked (`Restore it?`).
    pub(super) ask: String,
    /// The name that must be typed because yes is not enough.
    pub(super) typed: Option<&'a str>,
    /// The names that `--include` typed.
    pub(super) include: &'a [String],
    /// What the plan is about: another name typed is a mistake.
    pub(super) subject: &'a str,
    /// Whether standard input can be asked.
    pub(super) input: bool,
}

/// Why nothing is changed, and the exit code of that.
pub(super) struct No(pub(super) Exit, pub(super) String);

/// Refuses names that the plan is not about.
///
/// # Errors
///
/// A name that is another one.
pub(super) fn check(include: &[String], subject: &str) -> Result<(), UsageError> {
    match include.iter().find(|name| *name != subject) {
        None => Ok(()),
        Some(name) => Err(UsageError(format!(
            "--include {}: the plan is about {}; nothing was changed",
            text::printable_str(name),
            text::printable_str(subject)
        ))),
    }
}

impl Question<'_> {
    /// Asks; `None` when it may be done.
    pub(super) async fn answer(&self, context: &Context) -> anyhow::Result<Option<No>> {
        let terminal = self.input && !context.output.json && io::stdin().is_terminal() && io::stderr().is_terminal();
        let yes = context.globals.yes;
        let named = self.typed.is_none() || self.include.iter().any(|name| name == self.subject);
        let no = |exit, why: String| Ok(Some(No(exit, why)));
        let untyped = || {
            let name = text::printable_str(self.subject);
            format!("nothing was changed: the name has to be typed: --include {name}")
        };
        match (yes, terminal) {
            (true, _) if named => return Ok(None),
            (true, false) => return no(Exit::Failed, untyped()),
            (false, false) => {
                let why = match self.input {
                    true => "nothing was changed: without a terminal it needs --yes",
                    false => "nothing was changed: the archive comes by standard input, so it needs --yes",
                };
                return no(Exit::Usage, why.to_owned());
            }
            (_, true) => {}
        }
        if let (Some(name), false) = (self.typed, named) {
            let shown = text::printable_str(name);
            let typed = ask(context, format!("Type {shown} to do it all the same: ")).await?;
            if typed != name {
                return no(Exit::Failed, untyped());
            }
        }
        if yes {
            return Ok(None);
        }
        let answer = ask(context, format!("{} [y/N] ", self.ask)).await?;
        match answer.to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(None),
            _ => no(Exit::Cancelled, "nothing was changed".to_owned()),
        }
    }
}
