//! What fills the disk, line by line.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::details::style;
use super::pen::{Pen, columns_of};
use super::theme::Theme;
use crate::core::disk::{self, LABEL, Line};
use crate::core::state::{EngineState, State};

/// Columns of a bar.
const BAR: u16 = 10;
/// Columns of a size with its sign.
const SIZE: u16 = 10;
/// From this width on there are bars.
const WIDE: u16 = 60;

/// Draws the disk screen.
pub(super) fn view(state: &State, engine: &EngineState, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let lines = disk::lines(engine, &state.settings.rules, state.now, area.width);
    let shown = usize::from(area.height);
    let top = engine.disk.top.min(lines.len().saturating_sub(shown));
    let more = lines.len().saturating_sub(top + shown);
    for (at, line) in (0..area.height).zip(lines.iter().skip(top)) {
        let mut pen = Pen::new(frame.buffer_mut(), area, at, theme.glyphs.ellipsis);
        if more > 0 && at + 1 == area.height {
            pen.at_end(&format!(" {} {more} more", theme.glyphs.down), theme.dim);
        }
        match line {
            Line::Gap => {}
            Line::Heading(title, words) => {
                pen.put(title, theme.group).skip(2).put(words, theme.plain);
            }
            Line::Text(role, words) => {
                pen.skip(2).put(words, style(*role, theme));
            }
            Line::Share {
                label,
                parts,
                size,
                note,
            } => {
                let label_columns = u16::try_from(LABEL).unwrap_or(20).min(area.width / 3);
                pen.skip(2).cell(label, label_columns, theme.plain).skip(1);
                pen.right_cell(size, SIZE, theme.plain).skip(1);
                if area.width >= WIDE {
                    let bar = theme.bar(*parts, BAR);
                    let rest = usize::from(BAR.saturating_sub(columns_of(&bar)));
                    pen.put(&bar, theme.bar)
                        .put(&theme.glyphs.track.repeat(rest), theme.faint)
                        .skip(1);
                }
                pen.put(note, theme.dim);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::core::msg::{EngineMsg, Msg};
    use crate::core::sample::{NOW, keys, listing, measured, news, tell, volume};
    use crate::core::update;
    use crate::model::size::Measured;
    use crate::model::{MountId, Orphan};
    use crate::ops::df::{Backing, FileSystems, NotVolumes};
    use crate::ui::tests::frame;

    #[test]
    fn what_fills_the_disk() {
        let mut mounts: Vec<_> = ["db", "cache", "odd\x1b[2J"].iter().map(|name| volume(name)).collect();
        mounts[0].project = Some("shop".to_owned());
        mounts[0].orphan = Orphan::No;
        let mut state = listing(mounts);
        update(&mut state, Msg::Resize(80, 40));
        let before = Measured {
            at: NOW - time::Duration::days(1),
            ..measured(1 << 30)
        };
        tell(&mut state, EngineMsg::Cached(vec![(MountId::new("volume:db"), before)]));
        let job = state.engine().unwrap().measuring.unwrap();
        tell(
            &mut state,
            EngineMsg::Sizes(job, vec![news("db", 3 << 30), news("cache", 1 << 20)]),
        );
        keys(&mut state, "4");
        let backing = Backing {
            fs_type: "ext4".to_owned(),
            source: b"/dev/sda1".to_vec(),
            size: 100 << 30,
            free: 30 << 30,
            available: 25 << 30,
            inodes: Some((1_000_000, 10_000)),
            mounts: vec!["db".to_owned(), "cache".to_owned()],
        };
        let found = FileSystems {
            rows: vec![backing],
            left_out: vec!["the file system of odd is unknown: gone".to_owned()],
        };
        tell(&mut state, EngineMsg::FileSystems(Ok(Arc::new(found))));
        insta::assert_snapshot!("disk_80x40", frame(&state));
        let others = NotVolumes {
            logs: Some(5 << 20),
            usage_failed: Some("403 forbidden".to_owned()),
            ..NotVolumes::default()
        };
        tell(&mut state, EngineMsg::NotVolumes(Ok(Arc::new(others))));
        update(&mut state, Msg::Resize(80, 24));
        keys(&mut state, "G");
        insta::assert_snapshot!("disk_end_80x24", frame(&state));
    }
}
