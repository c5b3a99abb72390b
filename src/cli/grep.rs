//! `vole grep`.
use super::args::Grep;
use super::exit::Exit;
use super::session::Context;
use crate::engine::Engine;
pub(super) async fn run(_context: &Context, _engine: &Engine, _options: &Grep) -> anyhow::Result<Exit> {
    anyhow::bail!("not yet")
}
