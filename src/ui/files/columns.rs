//! The columns beside the tree: which fit a width, and what stands in them. Knows one entry at a time.

use time::OffsetDateTime;
use vole_agent::proto::{Entry, Kind, Time};

/// Columns that the tree keeps for names before another column is shown.
const NAMES: u16 = 26;
/// Columns of names from which on the hour is shown beside the date.
const ROOMY: u16 = 46;

/// One column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// Allocated bytes.
    Size,
    /// Share of the directory, as a bar.
    Bar,
    /// Kind and permissions.
    Mode,
    /// Owner and group as numbers.
    Owner,
    /// Day of the last change.
    Day,
    /// Day and time of the last change.
    Moment,
}

impl Column {
    /// Its width, without the gap before it.
    pub(super) fn width(self) -> u16 {
        match self {
            Self::Size => 9,
            Self::Bar => 8,
            Self::Mode | Self::Day => 10,
            Self::Owner => 11,
            Self::Moment => 16,
        }
    }
}

/// The columns that fit beside the names, from left to right.
pub(super) fn plan(width: u16) -> Vec<Column> {
    let mut left = width;
    let mut take = |column: Column, keep: u16| {
        let needs = column.width() + 1;
        let fits = left >= needs + keep;
        left -= if fits { needs } else { 0 };
        fits
    };
    let size = take(Column::Size, 12);
    let bar = take(Column::Bar, NAMES);
    let day = take(Column::Day, NAMES);
    let mode = take(Column::Mode, NAMES);
    let owner = take(Column::Owner, NAMES);
    let moment = day && left >= ROOMY + Column::Moment.width() - Column::Day.width();
    let when = if moment { Column::Moment } else { Column::Day };
    [
        (size, Column::Size),
        (bar, Column::Bar),
        (mode, Column::Mode),
        (owner, Column::Owner),
        (day, when),
    ]
    .into_iter()
    .filter_map(|(fits, column)| fits.then_some(column))
    .collect()
}

/// The letter of a kind, as `ls -l` writes it.
pub(super) fn letter(kind: Kind) -> char {
    match kind {
        Kind::File => '-',
        Kind::Dir => 'd',
        Kind::Symlink => 'l',
        Kind::Fifo => 'p',
        Kind::Socket => 's',
        Kind::CharDevice => 'c',
        Kind::BlockDevice => 'b',
        Kind::Unknown => '?',
    }
}

/// Kind and permissions as `ls -l` writes them (`drwxr-sr-t`).
pub(super) fn mode(kind: Kind, mode: u32) -> String {
    let mut out = String::from(letter(kind));
    for (shift, special, letters) in [
        (6, 0o4000, ('s', 'S')),
        (3, 0o2000, ('s', 'S')),
        (0, 0o1000, ('t', 'T')),
    ] {
        let bits = mode >> shift;
        out.push(if bits & 4 != 0 { 'r' } else { '-' });
        out.push(if bits & 2 != 0 { 'w' } else { '-' });
        out.push(match (bits & 1 != 0, mode & special != 0) {
            (true, true) => letters.0,
            (false, true) => letters.1,
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    out
}

/// Owner and group as numbers.
pub(super) fn owner(entry: &Entry) -> String {
    format!("{}:{}", entry.uid, entry.gid)
}

/// The day of a time, in UTC; `?` when the calendar has no such day.
pub(super) fn day(at: Time) -> String {
    moment_of(at).map_or_else(|| "?".to_owned(), |at| at.date().to_string())
}

/// Day and time, in UTC.
pub(super) fn moment(at: Time) -> String {
    let words = |at: OffsetDateTime| format!("{} {:02}:{:02}", at.date(), at.hour(), at.minute());
    moment_of(at).map_or_else(|| "?".to_owned(), words)
}

fn moment_of(at: Time) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(at.secs).ok()
}

/// A system error number in words, without its number.
pub(super) fn error_words(errno: i32) -> String {
    let words = std::io::Error::from_raw_os_error(errno).to_string();
    match words.split_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_read_as_ls_writes_them() {
        assert_eq!(mode(Kind::Dir, 0o755), "drwxr-xr-x");
        assert_eq!(mode(Kind::File, 0o4755), "-rwsr-xr-x");
        assert_eq!(mode(Kind::File, 0o2644), "-rw-r-Sr--");
        assert_eq!(mode(Kind::Dir, 0o1777), "drwxrwxrwt");
        assert_eq!(mode(Kind::Socket, 0o1000), "s--------T");
    }

    #[test]
    fn columns_leave_room_for_names() {
        for width in 0..200u16 {
            let columns: u16 = plan(width).iter().map(|column| column.width() + 1).sum();
            assert!(columns == 0 || columns + 12 <= width, "{width}");
        }
        assert_eq!(
            plan(80),
            [Column::Size, Column::Bar, Column::Mode, Column::Owner, Column::Day]
        );
        assert_eq!(plan(62), [Column::Size, Column::Bar, Column::Day]);
        assert!(plan(160).contains(&Column::Moment));
    }

    #[test]
    fn errors_and_times_have_words() {
        assert_eq!(error_words(13), "permission denied");
        assert_eq!(day(Time { secs: 0, nanos: 0 }), "1970-01-01");
        assert_eq!(
            moment(Time {
                secs: 1_700_000_000,
                nanos: 0
            }),
            "2023-11-14 22:13"
        );
        assert_eq!(
            day(Time {
                secs: i64::MAX,
                nanos: 0
            }),
            "?"
        );
    }
}
