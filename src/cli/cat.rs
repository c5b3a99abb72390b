//! `vole cat`: a file of a mount; its bytes to a pipe, harmless text to a terminal.

use anyhow::Context as _;
use futures_util::StreamExt;
use vole_agent::proto::Followed;

use super::args::Cat;
use super::exit::{Exit, UsageError, warn};
use super::output::Output;
use super::session::Context;
use crate::engine::Engine;
use crate::ops::browse;
use crate::text;

/// How much of its present end a followed file starts with, in bytes.
const TAIL: u64 = 64 << 10;

pub(super) async fn run(context: &Context, engine: &Engine, options: &Cat) -> anyhow::Result<Exit> {
    if context.output.json {
        return Err(UsageError("cat prints a file as it is; it has no --json".to_owned()).into());
    }
    let place = context.place(engine, &options.place).await?;
    let mut printer = Printer::new(&context.output);
    context
        .until_cancelled(async {
            let open = browse::open(engine, &place.mount).await?;
            let at = open.place(&place.path);
            if options.follow {
                let mut news = open.session.follow(at, TAIL);
                while let Some(one) = news.next().await {
                    match one? {
                        Followed::Data { bytes, .. } => printer.print(&bytes)?,
                        Followed::Truncated => warn("the file was cut; going on at its start"),
                        Followed::Rotated => warn("another file took its name; going on at its start"),
                        Followed::Gone => warn("the file is gone; waiting for it to return"),
                    }
                }
            } else {
                let mut bytes = open.session.read(at, 0, u64::MAX);
                while let Some(some) = bytes.next().await {
                    printer.print(&some?)?;
                }
            }
            printer.end()?;
            Ok(Exit::Done)
        })
        .await
        .with_context(|| place.blamed())
}

/// Prints bytes as they come.
struct Printer<'a> {
    output: &'a Output,
    /// The beginning of a character whose end has not come yet.
    begun: Vec<u8>,
}

impl<'a> Printer<'a> {
    fn new(output: &'a Output) -> Self {
        Self {
            output,
            begun: Vec::new(),
        }
    }

    fn print(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if !self.output.terminal {
            return self.output.raw(bytes);
        }
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        self.begun = all.split_off(all.len() - unfinished(&all));
        self.output.raw(harmless(&all).as_bytes())
    }

    fn end(&mut self) -> std::io::Result<()> {
        let rest = std::mem::take(&mut self.begun);
        self.output.raw(harmless(&rest).as_bytes())
    }
}

/// Bytes at the end that may be the beginning of a UTF-8 character.
fn unfinished(bytes: &[u8]) -> usize {
    match bytes.utf8_chunks().last() {
        Some(last) if !last.invalid().is_empty() && last.invalid().len() < 4 => {
            let tail = last.invalid();
            let length = match tail[0] {
                0xc2..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xf4 => 4,
                _ => 0,
            };
            if tail.len() < length { tail.len() } else { 0 }
        }
        _ => 0,
    }
}

/// Text for a terminal: lines and tabs stay, everything else that could do something becomes visible.
fn harmless(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for part in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\t')) {
        match part.split_last() {
            Some((end @ (b'\n' | b'\t'), before)) => {
                out.push_str(&text::printable(before));
                out.push(char::from(*end));
            }
            _ => out.push_str(&text::printable(part)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_lines_and_tabs_and_nothing_else_that_acts() {
        assert_eq!(
            harmless(b"a\tb\r\n\x1b]52;c;AAAA\x07\xff\n"),
            "a\tb\\r\n\\e]52;c;AAAA\\x07\\xff\n"
        );
    }

    #[test]
    fn a_character_that_is_cut_in_two_waits_for_its_end() {
        let text = "aé日👩".as_bytes();
        for cut in 0..=text.len() {
            let held = unfinished(&text[..cut]);
            assert!(
                std::str::from_utf8(&text[..cut - held]).is_ok(),
                "cut at {cut}, {held} held"
            );
        }
        assert_eq!(
            unfinished(b"a\xff"),
            0,
            "what can never become a character does not wait"
        );
        assert_eq!(unfinished(b"\xe9x"), 0);
    }
}
