//! Aligned columns of printable text.

use crate::text;

/// How a column is aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// Rows of cells that hold nothing hostile any more.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(columns: &[(&'static str, Align)]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Columns of a terminal that all but the last take, gaps included.
    pub(super) fn taken(&self) -> usize {
        let widths = self.widths();
        widths
            .iter()
            .take(widths.len().saturating_sub(1))
            .map(|width| width + 2)
            .sum()
    }

    fn widths(&self) -> Vec<usize> {
        let width = |at: usize, title: &str| {
            let cells = self
                .rows
                .iter()
                .filter_map(|row| row.get(at))
                .map(|cell| text::width(cell));
            cells.max().unwrap_or(0).max(text::width(title))
        };
        self.columns
            .iter()
            .enumerate()
            .map(|(at, (title, _))| width(at, title))
            .collect()
    }

    /// The lines, with a head; the last column is not padded. `most` bounds the last column.
    pub(super) fn lines(&self, most: Option<usize>, ellipsis: &str) -> Vec<String> {
        let widths = self.widths();
        let head: Vec<String> = self.columns.iter().map(|(title, _)| (*title).to_owned()).collect();
        let room = most.map(|most| most.saturating_sub(self.taken()).max(12));
        [&head]
            .into_iter()
            .chain(&self.rows)
            .map(|row| self.line(row, &widths, room, ellipsis))
            .collect()
    }

    fn line(&self, row: &[String], widths: &[usize], room: Option<usize>, ellipsis: &str) -> String {
        let mut line = String::new();
        for (at, ((_, align), width)) in self.columns.iter().zip(widths).enumerate() {
            let cell = row.get(at).map_or("", String::as_str);
            let last = at + 1 == self.columns.len();
            let padding = " ".repeat(width.saturating_sub(text::width(cell)));
            match (align, last) {
                (Align::Left, true) => match room {
                    Some(room) => line.push_str(&text::fit(cell, room, ellipsis)),
                    None => line.push_str(cell),
                },
                (Align::Left, false) => line.extend([cell, &padding]),
                (Align::Right, _) => line.extend([&padding, cell]),
            }
            if !last {
                line.push_str("  ");
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_by_width_on_screen() {
        let mut table = Table::new(&[("NAME", Align::Left), ("SIZE", Align::Right), ("WHY", Align::Left)]);
        table.row(vec!["日本".to_owned(), "1 B".to_owned(), "a long reason".to_owned()]);
        table.row(vec!["x".to_owned(), "10 B".to_owned(), String::new()]);
        assert_eq!(
            table.lines(None, "…"),
            ["NAME  SIZE  WHY", "日本   1 B  a long reason", "x     10 B"]
        );
        assert_eq!(table.lines(Some(20), "…")[1], "日本   1 B  a long reas…");
    }
}
