//! Which columns the table of mounts has at a width, and how wide they are.

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// The name; takes what the others leave.
    Name,
    /// The kind.
    Kind,
    /// The size.
    Size,
    /// How old the size is, or that it is not known.
    Seen,
    /// The size's share of the largest.
    Bar,
    /// What its contents look like.
    Looks,
    /// How it is to be treated.
    Class,
    /// Who uses it.
    Used,
    /// The last write.
    Wrote,
    /// How old it is.
    Age,
    /// The driver.
    Driver,
}

/// Columns in front of the first: the cursor's marker and the mark.
pub(super) const LEAD: u16 = 2;
/// Columns behind the last, as the header has them.
const TAIL: u16 = 1;
/// The narrowest name.
const NAME: u16 = 14;

/// The columns with their widths; one column is free between two.
pub(super) fn columns(width: u16) -> Vec<(Column, u16)> {
    let used = match width {
        ..118 => 8,
        118..130 => 16,
        _ => 26,
    };
    // In the order in which they are given up when there is no room.
    let wanted = [
        (Column::Size, 9, 0),
        (Column::Used, used, 46),
        (Column::Kind, 6, 54),
        (Column::Seen, 4, 60),
        (Column::Wrote, 5, 68),
        (Column::Age, 4, 74),
        (Column::Bar, 10, 92),
        (Column::Looks, 16, 104),
        (Column::Class, 9, 118),
        (Column::Driver, 10, 136),
    ];
    let shown = |column| {
        wanted
            .iter()
            .find(|(other, _, from)| *other == column && width >= *from)
    };
    let order = [
        Column::Kind,
        Column::Size,
        Column::Seen,
        Column::Bar,
        Column::Looks,
        Column::Class,
        Column::Used,
        Column::Wrote,
        Column::Age,
        Column::Driver,
    ];
    let rest: Vec<(Column, u16)> = order
        .into_iter()
        .filter_map(|column| shown(column).map(|(_, columns, _)| (column, *columns)))
        .collect();
    let taken: u16 = rest.iter().map(|(_, columns)| columns + 1).sum();
    let name = width.saturating_sub(LEAD + taken + TAIL).max(NAME);
    let mut all = vec![(Column::Name, name)];
    all.extend(rest);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fill_the_width_and_keep_a_name() {
        for width in 40..=250 {
            let all = columns(width);
            let sum: u16 = LEAD + all.iter().map(|(_, columns)| columns + 1).sum::<u16>() - 1;
            assert!(sum + TAIL == width, "{width}: {all:?}");
            assert!(all[0].1 >= NAME);
        }
        assert_eq!(columns(80)[0], (Column::Name, 35));
        let has = |wanted, width| columns(width).iter().any(|(column, _)| *column == wanted);
        for told in [Column::Looks, Column::Class] {
            assert!(
                !has(told, 80) && has(told, 120),
                "{told:?} is for those who have the room"
            );
        }
    }
}
