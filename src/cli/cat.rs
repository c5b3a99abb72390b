//! `vole cat`.
use super::args::Cat;
use super::exit::Exit;
use super::session::Context;
use crate::engine::Engine;
pub(super) async fn run(_context: &Context, _engine: &Engine, _options: &Cat) -> anyhow::Result<Exit> {
    anyhow::bail!("not yet")
}
