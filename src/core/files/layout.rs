//! Where the parts of the files screen are, from its area alone, so that scrolling can be computed without
//! drawing. Draws nothing.
//!
//! ```text
//! head     /pgdata · 312 MiB · 1 204 files           sort: name
//! list     ▾ base              300 MiB ██████   │ preview's two lines
//!            ▸ 16384           290 MiB █████    │ contents
//! prompt   find: .conf                                (when open)
//! ```

use ratatui::layout::Rect;

/// From this width on the preview stands beside the tree.
pub const WIDE: u16 = 100;
/// Lines above a preview's contents.
pub const PREVIEW_HEAD: u16 = 2;

/// The parts of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    /// Where the cursor is and what is measured.
    pub head: Rect,
    /// The tree, or the results of a search.
    pub list: Rect,
    /// The line between list and preview.
    pub rule: Option<Rect>,
    /// The preview, with the lines above its contents.
    pub preview: Option<Rect>,
    /// The text field.
    pub prompt: Option<Rect>,
}

/// Whether the preview stands beside the list.
pub fn is_wide(area: Rect) -> bool {
    area.width >= WIDE
}

/// Divides the area.
pub fn parts(area: Rect, preview_focused: bool, prompt_open: bool) -> Parts {
    let prompt_rows = u16::from(prompt_open && area.height > 0);
    let prompt = prompt_open.then(|| Rect {
        y: area.bottom() - prompt_rows,
        height: prompt_rows,
        ..area
    });
    let body = Rect {
        height: area.height - prompt_rows,
        ..area
    };
    let head = Rect {
        height: body.height.min(1),
        ..body
    };
    let below = Rect {
        y: body.y + head.height,
        height: body.height - head.height,
        ..body
    };
    if !is_wide(area) {
        let preview = preview_focused.then_some(body);
        return Parts {
            head,
            list: below,
            rule: None,
            preview,
            prompt,
        };
    }
    let left = area.width * 13 / 25;
    let list = Rect { width: left, ..below };
    let rule = Rect {
        x: below.x + left,
        width: 1,
        ..below
    };
    let preview = Rect {
        x: rule.x + 2,
        width: below.width - left - 2,
        ..below
    };
    Parts {
        head,
        list,
        rule: Some(rule),
        preview: Some(preview),
        prompt,
    }
}

/// Columns and rows of a preview's contents.
pub fn contents(preview: Rect) -> (usize, usize) {
    (
        usize::from(preview.width),
        usize::from(preview.height.saturating_sub(PREVIEW_HEAD)),
    )
}
