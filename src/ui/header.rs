//! The first line: which engine, how much of what, whether it can be reached.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::pen::{Pen, columns_of};
use super::theme::Theme;
use crate::core::figures;
use crate::core::state::{EngineState, Link, Search, State};
use crate::text;

/// Draws the header.
pub(super) fn view(state: &State, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let mut pen = Pen::new(frame.buffer_mut(), area, 0, theme.glyphs.ellipsis);
    pen.skip(1).put("vole", theme.selected);
    let Some(engine) = state.engine() else {
        let word = if state.search == Search::Running {
            "looking for an engine"
        } else {
            "no engine"
        };
        pen.skip(2).put(word, theme.dim);
        return;
    };
    let (words, style) = link(engine, state, theme);
    // A reason may be long; the engine's name may not go missing for it.
    let most = usize::from(area.width / 2);
    pen.at_end(&format!("{} ", text::fit(&words, most, theme.glyphs.ellipsis)), style);
    if engine.demo {
        pen.skip(2).put(" DEMO ", theme.chip);
    }
    if state.settings.read_only {
        pen.skip(2).put(" READ-ONLY ", theme.chip);
    }
    let about = &engine.about;
    let version = about.version.split(['+', '~']).next().unwrap_or(&about.version);
    let name = format!("{} {version}", about.flavour.word());
    pen.skip(2).put(&text::printable_str(&name), theme.plain);
    pen.put(&format!(" on {}", text::printable_str(&about.name)), theme.dim);
    for part in parts(engine) {
        let part = format!(" {} {part}", theme.glyphs.dot);
        // A part that does not fit as a whole is left out: half a number is a wrong one.
        if columns_of(&part) + 1 > pen.room() {
            break;
        }
        pen.put(&part, theme.dim);
    }
}

fn parts(engine: &EngineState) -> Vec<String> {
    let mut parts = Vec::new();
    match &engine.space {
        Some(Ok(space)) => {
            parts.push(format!(
                "{} free of {}",
                figures::bytes(space.free),
                figures::bytes(space.size)
            ));
        }
        Some(Err(_)) => parts.push("free space unknown".to_owned()),
        None => {}
    }
    // Before the containers: what is left out first for want of room is what matters least.
    match engine.known.count() {
        0 => {}
        count => parts.push(figures::counted(count as u64, "finding")),
    }
    if let Some(inventory) = engine.mounts.inventory() {
        parts.push(format!("{}/{} containers up", inventory.running, inventory.containers));
    }
    parts
}

fn link(engine: &EngineState, state: &State, theme: &Theme) -> (String, Style) {
    match &engine.link {
        Link::Live if engine.mounts.inventory().is_none() && engine.fault.is_none() => {
            ("listing".to_owned(), theme.dim)
        }
        Link::Live => ("live".to_owned(), theme.good),
        Link::Connecting => ("connecting".to_owned(), theme.dim),
        Link::Deaf(why) => (
            format!("no events, R refreshes ({})", text::printable_str(why)),
            theme.warning,
        ),
        Link::Lost { retry_at, .. } => {
            let seconds = (*retry_at - state.now).whole_seconds().max(0).unsigned_abs();
            let when = if seconds == 0 {
                "now".to_owned()
            } else {
                format!("in {}", figures::duration(seconds))
            };
            // Why stands on the status line, where there is room for it.
            (format!("lost, reconnecting {when}"), theme.fault)
        }
    }
}
