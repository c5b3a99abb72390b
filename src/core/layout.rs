//! Where the parts of the screen are, from the terminal's size alone, so that scrolling can be computed
//! without drawing. Draws nothing.
//!
//! ```text
//! header   vole  docker 20.10.24 on host   42 mounts …            live
//! bar      size ↓  grouped  [orphans]  /filter                   12/42
//! head     NAME                     KIND      SIZE     USED BY     …
//! rows     …                                          │ details (wide)
//! status   marked 2, 1.2 GiB   orphans 5, 340 MiB        measuring …
//! footer   enter files  / filter  …                          ? help
//! ```

use ratatui::layout::Rect;

/// The smallest terminal that shows more than a request for a larger one.
pub const SMALLEST: (u16, u16) = (40, 10);
/// From this width on the details stand beside the table, below it they stand under it.
pub const WIDE: u16 = 120;

/// The parts that every screen has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shell {
    /// Engine, counts, connection.
    pub header: Rect,
    /// The screen itself.
    pub body: Rect,
    /// Totals, or a notice.
    pub status: Rect,
    /// Keys.
    pub footer: Rect,
}

/// The parts of the mounts screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MountsParts {
    /// Order, chips and filter.
    pub bar: Rect,
    /// The column titles.
    pub head: Rect,
    /// The table's rows.
    pub rows: Rect,
    /// The details beside or under the table, where they are open.
    pub details: Option<Rect>,
    /// The line between table and details.
    pub rule: Option<Rect>,
}

/// Whether the terminal is too small for any screen.
pub fn too_small((columns, rows): (u16, u16)) -> bool {
    columns < SMALLEST.0 || rows < SMALLEST.1
}

/// Divides the terminal.
pub fn shell((columns, rows): (u16, u16)) -> Shell {
    let line = |y: u16| Rect::new(0, y.min(rows.saturating_sub(1)), columns, rows.min(1));
    Shell {
        header: line(0),
        body: Rect::new(0, 1.min(rows), columns, rows.saturating_sub(3)),
        status: line(rows.saturating_sub(2)),
        footer: line(rows.saturating_sub(1)),
    }
}

/// Divides the body for the mounts screen.
pub fn mounts(size: (u16, u16), details_open: bool) -> MountsParts {
    let body = shell(size).body;
    let top = |y: u16, height: u16| Rect {
        y: body.y + y.min(body.height),
        height: height.min(body.height.saturating_sub(y)),
        ..body
    };
    let (bar, head, rows) = (top(0, 1), top(1, 1), top(2, body.height.saturating_sub(2)));
    if !details_open {
        return MountsParts {
            bar,
            head,
            rows,
            details: None,
            rule: None,
        };
    }
    if size.0 >= WIDE {
        let width = (body.width * 2 / 5).clamp(40, 64);
        let left = body.width - width - 1;
        let rule = Rect {
            x: left,
            width: 1,
            y: head.y,
            height: head.height + rows.height,
        };
        let details = Rect {
            x: left + 2,
            width: width - 1,
            ..rule
        };
        let cut = |rect: Rect| Rect { width: left, ..rect };
        return MountsParts {
            bar,
            head: cut(head),
            rows: cut(rows),
            details: Some(details),
            rule: Some(rule),
        };
    }
    let height = (rows.height * 2 / 5).max(3).min(rows.height.saturating_sub(3));
    if height < 3 {
        return MountsParts {
            bar,
            head,
            rows,
            details: None,
            rule: None,
        };
    }
    let table = Rect {
        height: rows.height - height - 1,
        ..rows
    };
    let rule = Rect {
        y: table.bottom(),
        height: 1,
        ..rows
    };
    let details = Rect {
        x: 1,
        y: rule.bottom(),
        height,
        width: rows.width.saturating_sub(1),
    };
    MountsParts {
        bar,
        head,
        rows: table,
        details: Some(details),
        rule: Some(rule),
    }
}

/// The parts of the plan screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanParts {
    /// What is planned, and how old that is.
    pub bar: Rect,
    /// The plan's lines.
    pub rows: Rect,
    /// The line between rows and pane, where there is one.
    pub rule: Rect,
    /// Everything about the line under the cursor.
    pub pane: Rect,
}

/// Divides the body for the plan screen.
pub fn plan(size: (u16, u16)) -> PlanParts {
    let body = shell(size).body;
    let bar = Rect {
        height: body.height.min(1),
        ..body
    };
    let below = Rect {
        y: body.y + bar.height,
        height: body.height - bar.height,
        ..body
    };
    if size.0 >= WIDE {
        let width = (body.width * 2 / 5).clamp(40, 64);
        let left = body.width - width - 1;
        let rule = Rect {
            x: left,
            width: 1,
            ..below
        };
        let pane = Rect {
            x: left + 2,
            width: width - 1,
            ..below
        };
        let rows = Rect { width: left, ..below };
        return PlanParts { bar, rows, rule, pane };
    }
    let height = (below.height * 2 / 5).min(below.height.saturating_sub(4));
    let rows = Rect {
        height: below.height - height - u16::from(height > 0),
        ..below
    };
    let rule = Rect {
        y: rows.bottom(),
        height: u16::from(height > 0),
        ..below
    };
    let pane = Rect {
        x: 1,
        y: rule.bottom(),
        width: below.width.saturating_sub(1),
        height,
    };
    PlanParts { bar, rows, rule, pane }
}

/// What is below a line at the body's top, for a screen of lines.
pub fn below_bar(size: (u16, u16)) -> Rect {
    let area = details_screen(size);
    let bar = area.height.min(1);
    Rect {
        y: area.y + bar,
        height: area.height - bar,
        ..area
    }
}

/// Where the details are when they have the screen for themselves.
pub fn details_screen(size: (u16, u16)) -> Rect {
    let body = shell(size).body;
    Rect {
        x: 1,
        width: body.width.saturating_sub(2),
        ..body
    }
}

/// A dialog of at most this size in the middle of the body.
pub fn dialog(size: (u16, u16), columns: u16, rows: u16) -> Rect {
    let body = shell(size).body;
    let (width, height) = (columns.min(body.width), rows.min(body.height));
    Rect {
        x: body.x + (body.width - width) / 2,
        y: body.y + (body.height - height) / 2,
        width,
        height,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_lie_within_the_terminal_and_do_not_overlap() {
        for columns in 1..=200 {
            for rows in 1..=60 {
                let size = (columns, rows);
                let whole = Rect::new(0, 0, columns, rows);
                let inside = |rect: Rect| rect.is_empty() || whole.intersection(rect) == rect;
                let parts = mounts(size, true);
                let all = [
                    Some(parts.bar),
                    Some(parts.head),
                    Some(parts.rows),
                    parts.details,
                    parts.rule,
                ];
                let PlanParts { bar, rows, rule, pane } = plan(size);
                let planned = [bar, rows, rule, pane].to_vec();
                let all: Vec<Rect> = all.into_iter().flatten().collect();
                for all in [all, planned] {
                    for (at, rect) in all.iter().enumerate() {
                        assert!(inside(*rect), "{rect:?} at {size:?}");
                        assert!(
                            all[at + 1..].iter().all(|other| rect.intersection(*other).is_empty()),
                            "{size:?}"
                        );
                    }
                }
                assert!(inside(details_screen(size)) && inside(dialog(size, 70, 20)));
            }
        }
        assert_eq!(mounts((80, 24), false).rows.height, 19);
    }
}
